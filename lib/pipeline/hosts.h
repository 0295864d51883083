// Hosts: what is served under which names. Each has routes of its own, and what is answered where none of them fits.
//
// A request is for the host that has all that comes by its listener, where there is one. Else it is for the one that has its name; where none has it, for the one with the longest "*.example.org" that it is below;
// else for the one without names. Of several those come first that are for the listener by which it came. What stands outside of
// every host is the last of them, and is for all that no other is for.
//
// Built with their site, then immutable; read by any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "pipeline/condition.h"
#include "pipeline/route.h"
#include "pipeline/router.h"

namespace leat::pipeline {

// What becomes of a path that has a route only with another slash at its end, or without the one that it has.
enum class TrailingSlash : uint8_t {
  Exact,     // it has no route
  Redirect,  // the client is told the other one
  Ignore     // it has that route
};

struct Host {
  std::string id;  // for people: the first of its names; empty for what is outside of every host
  std::vector<std::string> names;
  std::vector<std::string> listeners;  // it is for requests that came by these only; none: by any
  TrailingSlash trailing_slash = TrailingSlash::Exact;
  Router router;
  // The chain of what no route answers: 404, 405 and the like.
  Route unmatched;
};

class HostTable {
 public:
  HostTable();
  HostTable(HostTable&&) = delete;

  // A new one, that is asked for by these names, of which HostPattern::parse() has found each good, and, where `listeners`
  // has some, by these. The one that clashes with it, and nothing added: it has one of its names for one of its listeners.
  struct Added {
    Host* host;         // null where there is a clash
    const Host* first;  // with this one
    std::string name;   // because of this name
  };
  // `every_name`: whatever comes by its listeners is for it, before all others.
  Added add(std::string id, std::vector<std::string> names, std::vector<std::string> listeners,
            bool every_name = false);

  // `host` as it was sent. `by_listener`: whether another listener could have another one.
  [[nodiscard]] const Host& find(std::string_view host, std::string_view listener, bool& by_listener) const;
  [[nodiscard]] const Host& rest() const { return *hosts_.front(); }
  [[nodiscard]] Host& rest() { return *hosts_.front(); }
  // The first is the one outside of every host; then in the order in which they were added.
  [[nodiscard]] const std::vector<std::unique_ptr<Host>>& all() const { return hosts_; }

 private:
  // Longer ones there are not (RFC 1035, section 2.3.4).
  static constexpr size_t kLongestName = 255;

  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  using Hosts = std::vector<const Host*>;
  using Names = std::unordered_map<std::string, Hosts, Hash, std::equal_to<>>;

  static const Host* choose(const Hosts& hosts, std::string_view listener, bool& by_listener);
  const Host* find_in(const Names& names, std::string_view name, std::string_view listener,
                      bool& by_listener) const;

  std::vector<std::unique_ptr<Host>> hosts_;
  Names names_, below_;
  Hosts nameless_;    // for listeners
  Hosts every_name_;  // likewise, before all others
};

}  // namespace leat::pipeline
