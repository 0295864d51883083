#include "pipeline/router.h"

#include <fmt/core.h>

#include <algorithm>
#include <bit>
#include <set>

#include "base/check.h"
#include "http/bytes.h"
#include "pipeline/path.h"

namespace leat::pipeline {

namespace {

bool equal(std::string_view a, std::string_view b) {
  return a.size() == b.size() && http::equal_bytes(a.data(), b.data(), a.size());
}

// Patterns are the operator's, so nobody aims at these buckets: the length and every byte, mixed as fast as
// can be. The last word overlaps the one before it.
uint64_t hash_path(std::string_view path) {
  constexpr uint64_t kFactor = 0x9e3779b97f4a7c15;
  const auto word = [&](size_t at, size_t size) {
    uint64_t value = 0;
    if (size == 8) std::memcpy(&value, path.data() + at, 8);
    if (size == 4) std::memcpy(&value, path.data() + at, 4);
    return value;
  };
  const auto mix = [](uint64_t hash, uint64_t value) {
    const auto product = static_cast<unsigned __int128>(hash ^ value) * kFactor;
    return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
  };
  const size_t size = path.size();
  uint64_t hash = size * kFactor;
  if (size >= 8) {
    for (size_t at = 0; at + 8 < size; at += 8) hash = mix(hash, word(at, 8));
    return mix(hash, word(size - 8, 8));
  }
  if (size >= 4) return mix(hash, word(0, 4) << 32 | word(size - 4, 4));
  for (const char c : path) hash = mix(hash, static_cast<unsigned char>(c));
  return hash;
}

}  // namespace

// What the methods of one shape of path lead to.
struct Router::Leaf {
  std::array<const Route*, http::kMethodCount> routes{};
  http::MethodSet methods = 0;
  std::string allow;

  [[nodiscard]] bool empty() const { return methods == 0; }
};

struct Router::Node {
  using Child = std::pair<std::string, std::unique_ptr<Node>>;
  std::vector<Child> children;  // by text; sorted by freeze()
  std::unique_ptr<Node> param;
  Leaf leaf;
  Leaf rest;  // {name...} begins here

  [[nodiscard]] const Node* child(std::string_view text) const {
    // Most nodes have a few children; from there on halving pays.
    constexpr size_t kFew = 8;
    auto found = children.begin();
    if (children.size() > kFew) {
      found = std::ranges::lower_bound(children, text, comes_before, &Child::first);
      if (found == children.end() || found->first != text) return nullptr;
      return found->second.get();
    }
    for (; found != children.end(); ++found)
      if (equal(found->first, text)) return found->second.get();
    return nullptr;
  }

  // By length first: that decides most comparisons without a look at the texts.
  static bool comes_before(std::string_view a, std::string_view b) {
    return a.size() != b.size() ? a.size() < b.size() : a < b;
  }
};

struct Router::Entry {
  uint64_t hash = 0;
  std::string path;  // empty: free
  const Leaf* leaf = nullptr;
};

namespace {

std::string list(http::MethodSet methods) {
  std::string text;
  for (unsigned i = 0; i < http::kMethodCount; ++i) {
    const auto method = static_cast<http::Method>(i);
    if ((methods & http::method_bit(method)) == 0) continue;
    text += (text.empty() ? "" : ", ") + std::string(http::method_name(method));
  }
  return text;
}

// With the methods that are answered without a route of their own: HEAD as GET is, and OPTIONS.
std::string allow_value(http::MethodSet methods) {
  methods |= http::method_bit(http::Method::Options);
  if ((methods & http::method_bit(http::Method::Get)) != 0) methods |= http::method_bit(http::Method::Head);
  return list(methods);
}

}  // namespace

std::vector<std::string> Pattern::params() const {
  std::vector<std::string> names;
  for (const Segment& segment : segments)
    if (segment.kind != Segment::Kind::Text) names.push_back(segment.text);
  return names;
}

std::expected<Pattern, std::string> Pattern::parse(std::string_view text) {
  if (!text.starts_with('/')) return std::unexpected("a path begins with `/`");
  Pattern pattern;
  std::set<std::string> names;
  size_t at = 0;
  while (at < text.size()) {
    const size_t end = std::min(text.find('/', at + 1), text.size());
    std::string_view part = text.substr(at + 1, end - at - 1);
    at = end;
    Segment segment;
    if (part.find_first_of("{}") == std::string_view::npos) {
      if (!well_encoded(part))
        return std::unexpected("a percent-encoding is `%` and two hex digits, and never NUL");
      if (dot_segment(part) != Dots::None) return std::unexpected("`.` and `..` can never be reached");
      std::string decoded(part.size(), '\0');
      decoded.resize(decode(part, decoded.data()));
      segment.text = std::move(decoded);
    } else {
      if (!part.starts_with('{') || !part.ends_with('}') || part.size() < 2)
        return std::unexpected("a parameter is a whole segment: `/{name}/`");
      part = part.substr(1, part.size() - 2);
      segment.kind = Segment::Kind::Param;
      if (part.ends_with("...")) {
        if (end != text.size()) return std::unexpected("`{name...}` takes the rest and stands at the end");
        part.remove_suffix(3);
        segment.kind = Segment::Kind::Rest;
      }
      if (part.empty() || part.find_first_of("{}.") != std::string_view::npos)
        return std::unexpected("a parameter has a name without braces and dots");
      segment.text = part;
      if (!names.insert(segment.text).second) return std::unexpected("two parameters have the same name");
      if (names.size() > http::Request::kMostParams) return std::unexpected("more than 16 parameters");
    }
    pattern.segments.push_back(std::move(segment));
  }
  return pattern;
}

Router::Router() : root_(std::make_unique<Node>()) {}
Router::~Router() = default;
Router::Router(Router&&) noexcept = default;
Router& Router::operator=(Router&&) noexcept = default;

std::expected<void, std::string> Router::add(const Pattern& pattern, http::MethodSet methods,
                                             const Route* route) {
  Node* node = root_.get();
  bool rest = false;
  for (const Pattern::Segment& segment : pattern.segments) {
    switch (segment.kind) {
      case Pattern::Segment::Kind::Text: {
        const auto found = std::ranges::find(node->children, segment.text, &Node::Child::first);
        node = found != node->children.end()
                   ? found->second.get()
                   : node->children.emplace_back(segment.text, std::make_unique<Node>()).second.get();
        break;
      }
      case Pattern::Segment::Kind::Param:
        if (!node->param) node->param = std::make_unique<Node>();
        node = node->param.get();
        break;
      case Pattern::Segment::Kind::Rest:
        rest = true;
        break;
    }
  }
  Leaf& leaf = rest ? node->rest : node->leaf;
  if (const http::MethodSet taken = leaf.methods & methods; taken != 0)
    return std::unexpected(list(taken) + " is declared twice for paths of this shape");
  most_params_ = std::max(most_params_, pattern.params().size());
  leaf.methods |= methods;
  methods_ |= methods;
  for (unsigned i = 0; i < http::kMethodCount; ++i)
    if ((methods & http::method_bit(static_cast<http::Method>(i))) != 0) leaf.routes[i] = route;
  return {};
}

void Router::freeze() {
  std::vector<std::pair<std::string, const Leaf*>> paths;
  const auto finish = [](Leaf& leaf) {
    if (leaf.empty()) return;
    const auto get = static_cast<unsigned>(http::Method::Get);
    const auto head = static_cast<unsigned>(http::Method::Head);
    if (leaf.routes[head] == nullptr) leaf.routes[head] = leaf.routes[get];
    leaf.allow = allow_value(leaf.methods);
  };
  const auto walk = [&](const auto& self, Node& node, const std::string& path, bool fixed) -> void {
    std::ranges::sort(node.children, Node::comes_before, &Node::Child::first);
    finish(node.leaf);
    finish(node.rest);
    // The table is asked with paths as they were received. A text with a slash was written with %2F, and one
    // with a percent sign is received with %25: only the walk by segments finds those.
    if (fixed && !node.leaf.empty()) paths.emplace_back(path, &node.leaf);
    for (auto& [text, child] : node.children)
      self(self, *child, fmt::format("{}/{}", path, text),
           fixed && text.find_first_of("/%") == std::string::npos);
    if (node.param) self(self, *node.param, path, false);
  };
  walk(walk, *root_, "", true);
  allow_anywhere_ = allow_value(methods_);
  table_.assign(std::bit_ceil(std::max<size_t>(8, paths.size() * 2)), Entry{});
  for (auto& [path, leaf] : paths) {
    const uint64_t hash = hash_path(path);
    size_t at = hash & (table_.size() - 1);
    while (table_[at].leaf != nullptr) at = (at + 1) & (table_.size() - 1);
    table_[at] = Entry{hash, path, leaf};
  }
}

bool Router::choose(const Leaf& leaf, http::Method method, Match& match) {
  if (leaf.empty()) return false;
  if (const Route* route = leaf.routes[static_cast<unsigned>(method)]) {
    match.kind = Match::Kind::Found;
    match.route = route;
    return true;
  }
  // Remembered, but a less specific pattern may still have the method.
  if (match.kind == Match::Kind::NotFound) {
    match.kind = method == http::Method::Options ? Match::Kind::Options : Match::Kind::MethodNotAllowed;
    match.allow = leaf.allow;
  }
  return false;
}

bool Router::out_of_memory(Match& match) {
  match.kind = Match::Kind::NoMemory;
  return true;
}

bool Router::find_static(std::string_view path, Match& match, http::Method method) const {
  const uint64_t hash = hash_path(path);
  for (size_t at = hash & (table_.size() - 1); table_[at].leaf != nullptr;
       at = (at + 1) & (table_.size() - 1))
    if (table_[at].hash == hash && equal(table_[at].path, path))
      return choose(*table_[at].leaf, method, match);
  return false;
}

void Router::find(http::Method method, std::string_view path, Arena& arena, Match& match) const {
  // No pattern has a dot segment, and none of the table an escape: a path that equals one needs no
  // normalising.
  if (find_static(path, match, method)) return;
  bool encoded = false;
  if (needs_normalising(path)) {
    // Every escape is judged, also in segments that no pattern looks at.
    if (!well_encoded(path)) {
      match.kind = Match::Kind::BadPath;
      return;
    }
    char* clean = arena.allocate_array<char>(path.size() + 1);
    if (clean == nullptr) {
      out_of_memory(match);
      return;
    }
    path = {clean, remove_dots(path, clean)};
    encoded = path.find('%') != std::string_view::npos;
    if (!encoded && find_static(path, match, method)) return;
  }
  if (most_params_ == 0 && !encoded) return;
  match.params = arena.allocate_array<std::string_view>(most_params_);
  if (match.params == nullptr) {
    out_of_memory(match);
    return;
  }
  descend(*root_, path, arena, match, method, encoded);
}

// `rest` is empty or begins with a slash. True: `match` is final.
bool Router::descend(const Node& node, std::string_view rest, Arena& arena, Match& match, http::Method method,
                     bool encoded) const {
  if (rest.empty()) return choose(node.leaf, method, match);
  const size_t end = std::min(rest.find('/', 1), rest.size());
  std::string_view segment = rest.substr(1, end - 1);
  if (encoded && segment.find('%') != std::string_view::npos) {
    char* decoded = arena.allocate_array<char>(segment.size());
    if (decoded == nullptr) return out_of_memory(match);
    segment = {decoded, decode(segment, decoded)};
  }
  if (const Node* child = node.child(segment))
    if (descend(*child, rest.substr(end), arena, match, method, encoded)) return true;
  const size_t params = match.param_count;
  if (node.param && !segment.empty()) {
    match.params[match.param_count++] = segment;
    if (descend(*node.param, rest.substr(end), arena, match, method, encoded)) return true;
    match.param_count = params;
  }
  if (node.rest.empty()) return false;
  std::string_view value = rest.substr(1);
  if (encoded && value.find('%') != std::string_view::npos) {
    char* decoded = arena.allocate_array<char>(value.size());
    if (decoded == nullptr) return out_of_memory(match);
    value = {decoded, decode(value, decoded)};
  }
  match.params[match.param_count++] = value;
  if (choose(node.rest, method, match)) return true;
  match.param_count = params;
  return false;
}

}  // namespace leat::pipeline
