// Router: from method and path to a route.
//
// Built once when the configuration is loaded, frozen, and then read by all workers without a lock. Where several
// patterns (pattern.h) match, text wins over {name} and that over {name...}, segment by segment from the left, with
// backtracking. A slash at the end counts. Of routes of one shape the first wins whose condition the request fits, and the one
// without a condition comes last.
//
// Paths are compared as RFC 3986, section 6.2.2, says they should be: percent-encodings are decoded segment
// by segment (so %2F is part of a segment and no separator), dot segments are removed and cannot leave the
// root. A path without '%' and without a segment that begins with '.' is looked up as it stands, without a
// copy. One that equals a pattern without parameters is found with one probe of one hash table, before
// anything else.
#pragma once

#include <cstdint>
#include <expected>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/arena.h"
#include "http/message.h"
#include "http/method.h"
#include "pipeline/pattern.h"

namespace leat::pipeline {

struct Facts;
struct Route;

class Router {
 public:
  Router();
  ~Router();
  Router(Router&&) noexcept;
  Router& operator=(Router&&) noexcept;

  // Another route has one of the methods already for paths of the same shape, and neither a condition, or the same.
  struct Clash {
    std::string text;  // a sentence that says which
    const Route* first;
  };
  // Adds a route. Before freeze().
  std::expected<void, Clash> add(const Pattern& pattern, http::MethodSet methods, const Route* route);
  // Makes the tables for look-up.
  void freeze();

  struct Match {
    enum class Kind : uint8_t {
      Found,
      NotFound,
      MethodNotAllowed,
      Options,    // asked for, and no route answers it itself
      WrongType,  // there are routes for other types of content
      Circle,     // rewrites lead nowhere (find_route.h)
      BadPath,    // a malformed escape, or one that stands for NUL
      NoMemory    // the arena has no room for what has to be decoded
    } kind = Kind::NotFound;
    const Route* route = nullptr;  // Found
    std::string_view allow;        // MethodNotAllowed, Options: Allow's value; lives as long as the router
    std::string_view* params = nullptr;  // decoded; the array in the arena, the texts there or in the path
    size_t param_count = 0;
    bool by_client = false;  // other clients may have another, with the same head
  };
  // The value of Allow for the server as a whole: the methods of all routes. After freeze().
  [[nodiscard]] const std::string& allow_anywhere() const { return allow_anywhere_; }
  // Fills `match`, a new one. After freeze(), any thread; allocates from `arena` only, and there only what
  // parameters and decoding need. `facts`: of the request, for conditions; without them no request fits one.
  void find(http::Method method, std::string_view path, Arena& arena, Match& match,
            Facts* facts = nullptr) const;

 private:
  struct Node;
  struct Leaf;
  struct Entry;
  struct Wanted {
    http::Method method;
    Arena& arena;
    Facts* facts;
    bool encoded;
  };

  Node* child_for(Node& node, const std::string& text);
  void finish(Node& node, const std::string& path, bool fixed,
              std::vector<std::pair<size_t, const Leaf*>>& ends);
  void finish(Leaf& leaf);
  void search(std::string_view path, Wanted& wanted, Match& match) const;
  bool find_static(std::string_view path, const Wanted& wanted, Match& match) const;
  bool descend(const Node& node, std::string_view rest, const Wanted& wanted, Match& match) const;
  static bool choose(const Leaf* leaf, const Wanted& wanted, Match& match);
  static bool choose_fitting(const Leaf& leaf, const Wanted& wanted, Match& match);
  static bool out_of_memory(Match& match);

  std::unique_ptr<Node> root_;
  // Until freeze(), of nodes with many children: their numbers by text; open addressing, as below.
  std::unordered_map<const Node*, std::vector<uint32_t>> numbers_;
  std::vector<Entry> table_;  // patterns without parameters by path; open addressing, a power of two
  std::vector<char> paths_;   // of those, one after the other
  std::map<http::MethodSet, std::string> allow_;  // Allow's values, by the methods that have routes
  http::MethodSet methods_ = 0;
  std::string allow_anywhere_;
  size_t most_params_ = 0;  // of any pattern
};

}  // namespace leat::pipeline
