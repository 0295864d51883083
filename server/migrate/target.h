// A configuration of Leat that is being made of another server's: settings, middleware and routes, and what is left for
// people to do.
//
// What could not be carried over is never left out silently: it is a comment where it would have stood, with the line that
// it comes from and the reason, and in the list of all of them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/migrate/directive.h"
#include "server/migrate/places.h"

namespace leat::server::migrate {

// Values are TOML, as they will stand in the file: see text() and list().
using Keys = std::vector<std::pair<std::string, std::string>>;

// An instance of a kind of middleware. Routes that are to have the same one may each have it: it is declared once.
struct Instance {
  std::string kind;
  Keys options;
  bool operator==(const Instance&) const = default;
};

struct Route {
  std::vector<RoutePlace> places;
  std::vector<std::string> methods;  // none: what a route has by default
  Keys answers;                      // what does: a handler, a redirect. None: nobody yet, and 503 until then
  std::vector<Instance> instances;
  Keys keys;       // others
  Keys when = {};  // it is for requests only that fit; others go to the next route of its path
  // Of two that a request fits the one of the lower rank has it there; of the same rank the one with the longer place, and
  // then the earlier.
  std::string rank = {};
  const Directive* from = nullptr;  // which says so, for people; outlives the target

  [[nodiscard]] bool rewrites() const { return !answers.empty() && answers.front().first == "rewrite"; }
};

struct Left {
  uint32_t line;
  std::string written;
  std::string why;
};

class Target {
 public:
  // `source`: the name of the file that it is made of, for people.
  explicit Target(std::string source) : source_(std::move(source)) {}

  // A setting; "limits", "body". The first one counts: one that says another thing later is left.
  void set(std::string_view table, std::string_view key, std::string value, const Directive& from);
  // One more of a list; not twice.
  void add(std::string_view table, std::string_view key, const std::string& item);
  // A [[listener]].
  void add_listener(Keys keys) { listeners_.push_back(std::move(keys)); }
  // A [[tls]]; the same one once.
  void add_certificate(Keys keys) {
    if (!std::ranges::contains(certificates_, keys)) certificates_.push_back(std::move(keys));
  }
  // The routes that follow are for these names, and for what comes by these listeners; without names for whatever host no
  // other is for, without listeners by any. What a host said before is gone on with.
  void begin_host(const std::vector<std::string>& names, const std::vector<std::string>& listeners);
  void add_route(Route route);
  // What could not be carried over, with what is to be done about it, as a sentence without its end.
  void leave(const Directive& directive, std::string_view why);
  // The same with what stands in its block, line by line.
  void leave_all(const Directive& block, std::string_view why);
  // A line for people, where the next route will stand.
  void remark(std::string_view text);

  // Once, when all routes are there: places that several of them want are given to those that have them there, and what
  // cannot be as it is there is left (settle.cc).
  void settle();

  // The file, formatted.
  [[nodiscard]] std::string file() const;
  [[nodiscard]] const std::vector<Left>& left() const { return left_; }

 private:
  // A place that a route was given, for these methods; none: what a route has by default, and with `every` all.
  struct Given {
    RoutePlace place;
    std::vector<std::string> methods;
    bool every = false;
  };
  // A route, or none, and the lines of comments before it.
  struct Piece {
    std::vector<std::string> comments;
    std::unique_ptr<Route> route;
    std::vector<Given> given;
  };
  // The routes of some names and listeners.
  struct Host {
    std::vector<std::string> names, listeners;
    std::vector<Piece> pieces;
  };
  class Settling;
  friend class Settling;
  struct Setting {
    std::string key, value;
    std::vector<std::string> items;  // of a list
  };

  // An instance that routes have, once.
  struct Shared {
    const Instance* instance;
    std::string name;  // empty: every route has it, and no route says so
  };
  using SharedInstances = std::map<std::string, Shared, std::less<>>;  // by kind and options

  [[nodiscard]] SharedInstances shared_instances() const;
  void put_settings(std::string& out) const;
  static void put_route(std::string& out, std::string_view table, const Piece& piece,
                        const SharedInstances& shared);
  void tell(Piece& piece, const Directive& directive, std::string_view why);
  [[nodiscard]] uint64_t body_limit() const;  // of all
  // The one that routes and remarks are for.
  [[nodiscard]] Host& host();
  Piece& next_piece();

  std::string source_;
  std::map<std::string, std::vector<Setting>, std::less<>> settings_;  // by table
  std::vector<Keys> listeners_, certificates_;
  std::vector<Host> hosts_;
  size_t host_ = 0;  // its index
  std::vector<Left> left_;
};

// What tells instances apart.
std::string key_of(const Instance& instance);

// Values, as TOML.
std::string text(std::string_view value);
std::string list(const std::vector<std::string>& values);

}  // namespace leat::server::migrate
