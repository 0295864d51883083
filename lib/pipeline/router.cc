#include "pipeline/router.h"

#include <algorithm>
#include <bit>
#include <set>

#include "base/check.h"
#include "http/bytes.h"

namespace leat::pipeline {

// What the methods of one shape of path lead to.
struct Router::Leaf {
  std::array<const Route*, http::kMethodCount> routes{};
  http::MethodSet methods = 0;
  std::string allow;

  [[nodiscard]] bool empty() const { return methods == 0; }
};

struct Router::Node {
  std::vector<std::pair<std::string, std::unique_ptr<Node>>> children;  // by text; sorted by freeze()
  std::unique_ptr<Node> param;
  Leaf leaf;
  Leaf rest;  // {name...} begins here

  [[nodiscard]] const Node* child(std::string_view text) const {
    const auto found = std::ranges::lower_bound(children, text, {}, [](const auto& entry) -> std::string_view {
      return entry.first;
    });
    return found != children.end() && found->first == text ? found->second.get() : nullptr;
  }
};

struct Router::Entry {
  uint64_t hash = 0;
  std::string path;  // empty: free
  const Leaf* leaf = nullptr;
};

namespace {

constexpr uint64_t kSeed = 0x6c656174;  // patterns are the operator's: nobody aims at these buckets

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Decodes one segment into `out` (which has room for it); npos when an escape is malformed or stands for NUL.
size_t decode(std::string_view text, char* out) {
  size_t size = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
      if (high < 0 || low < 0 || (high | low) == 0) return std::string_view::npos;
      c = static_cast<char>(high << 4 | low);
      i += 2;
    }
    out[size++] = c;
  }
  return size;
}

// Whether a path must be taken apart before it can be compared.
bool needs_normalising(std::string_view path) {
  for (size_t i = 0; i < path.size(); ++i) {
    if (path[i] == '%') return true;
    if (path[i] == '.' && i > 0 && path[i - 1] == '/') return true;
  }
  return false;
}

enum class Dots : uint8_t { None, Here, Up };

// Whether a segment is "." or "..", each dot possibly written as %2e.
Dots dot_segment(std::string_view segment) {
  unsigned dots = 0;
  while (!segment.empty()) {
    if (segment.front() == '.') {
      segment.remove_prefix(1);
    } else if (segment.size() >= 3 && segment[0] == '%' && segment[1] == '2' && (segment[2] | 0x20) == 'e') {
      segment.remove_prefix(3);
    } else {
      return Dots::None;
    }
    if (++dots > 2) return Dots::None;
  }
  return dots == 1 ? Dots::Here : dots == 2 ? Dots::Up : Dots::None;
}

// Copies `path` without its dot segments into `out` (RFC 3986, section 5.2.4); returns the length.
size_t remove_dots(std::string_view path, char* out) {
  size_t size = 0;
  size_t at = 0;
  while (at < path.size()) {
    // path[at] is the slash before a segment.
    const size_t end = std::min(path.find('/', at + 1), path.size());
    const Dots dots = dot_segment(path.substr(at + 1, end - at - 1));
    if (dots == Dots::None) {
      std::memcpy(out + size, path.data() + at, end - at);
      size += end - at;
    } else {
      if (dots == Dots::Up)
        while (size > 0 && out[--size] != '/') continue;
      if (end == path.size()) out[size++] = '/';  // "/a/." is "/a/"
    }
    at = end;
  }
  return size;
}

std::string allow_value(http::MethodSet methods) {
  std::string text;
  for (unsigned i = 0; i < http::kMethodCount; ++i) {
    const auto method = static_cast<http::Method>(i);
    if ((methods & http::method_bit(method)) == 0) continue;
    text += (text.empty() ? "" : ", ") + std::string(http::method_name(method));
  }
  return text;
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
      std::string decoded(part.size(), '\0');
      const size_t size = decode(part, decoded.data());
      if (size == std::string_view::npos) return std::unexpected("a percent-encoding is `%` and two hex digits");
      if (dot_segment(part) != Dots::None) return std::unexpected("`.` and `..` can never be reached");
      decoded.resize(size);
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

std::expected<void, std::string> Router::add(const Pattern& pattern, http::MethodSet methods, const Route* route) {
  Node* node = root_.get();
  Leaf* leaf = nullptr;
  for (const Pattern::Segment& segment : pattern.segments) {
    switch (segment.kind) {
      case Pattern::Segment::Kind::Text: {
        const auto found = std::ranges::find(node->children, segment.text, &std::pair<std::string, std::unique_ptr<Node>>::first);
        node = found != node->children.end()
                   ? found->second.get()
                   : node->children.emplace_back(segment.text, std::make_unique<Node>()).second.get();
        break;
      }
      case Pattern::Segment::Kind::Param:
        if (!node->param) node->param = std::make_unique<Node>();
        node = node->param.get();
        has_params_ = true;
        break;
      case Pattern::Segment::Kind::Rest:
        leaf = &node->rest;
        has_params_ = true;
        break;
    }
  }
  if (leaf == nullptr) leaf = &node->leaf;
  if (const http::MethodSet taken = leaf->methods & methods; taken != 0)
    return std::unexpected(allow_value(taken) + " is declared twice for paths of this shape");
  leaf->methods |= methods;
  for (unsigned i = 0; i < http::kMethodCount; ++i)
    if ((methods & http::method_bit(static_cast<http::Method>(i))) != 0) leaf->routes[i] = route;
  return {};
}

void Router::freeze() {
  std::vector<std::pair<std::string, const Leaf*>> paths;
  const auto finish = [](Leaf& leaf) {
    if (leaf.empty()) return;
    const auto get = static_cast<unsigned>(http::Method::Get);
    const auto head = static_cast<unsigned>(http::Method::Head);
    if (leaf.routes[head] == nullptr) leaf.routes[head] = leaf.routes[get];
    http::MethodSet methods = leaf.methods | http::method_bit(http::Method::Options);
    if (leaf.routes[head] != nullptr) methods |= http::method_bit(http::Method::Head);
    leaf.allow = allow_value(methods);
  };
  const auto walk = [&](const auto& self, Node& node, const std::string& path, bool fixed) -> void {
    std::ranges::sort(node.children, {}, &std::pair<std::string, std::unique_ptr<Node>>::first);
    finish(node.leaf);
    finish(node.rest);
    // A text that holds a slash was written with %2F; only the walk by segments tells it from two segments.
    if (fixed && !node.leaf.empty()) paths.emplace_back(path, &node.leaf);
    for (auto& [text, child] : node.children)
      self(self, *child, path + "/" + text, fixed && text.find('/') == std::string::npos);
    if (node.param) self(self, *node.param, path, false);
  };
  walk(walk, *root_, "", true);
  table_.assign(std::bit_ceil(std::max<size_t>(8, paths.size() * 2)), Entry{});
  for (auto& [path, leaf] : paths) {
    const uint64_t hash = http::hash_bytes(path.data(), path.size(), kSeed);
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

bool Router::find_static(std::string_view path, Match& match, http::Method method) const {
  const uint64_t hash = http::hash_bytes(path.data(), path.size(), kSeed);
  for (size_t at = hash & (table_.size() - 1); table_[at].leaf != nullptr; at = (at + 1) & (table_.size() - 1))
    if (table_[at].hash == hash && table_[at].path == path) return choose(*table_[at].leaf, method, match);
  return false;
}

void Router::find(http::Method method, std::string_view path, Arena& arena, Match& match) const {
  match.kind = Match::Kind::NotFound;
  match.route = nullptr;
  match.param_count = 0;
  const bool encoded = needs_normalising(path);
  if (encoded) {
    char* clean = arena.allocate_array<char>(path.size() + 1);
    if (clean == nullptr) return;
    path = {clean, remove_dots(path, clean)};
    if (path.find('%') != std::string_view::npos) {
      // Every escape is judged, also in segments that no pattern looks at.
      char* scratch = arena.allocate_array<char>(path.size());
      if (scratch == nullptr) return;
      if (decode(path, scratch) == std::string_view::npos) {
        match.kind = Match::Kind::BadPath;
        return;
      }
    }
  }
  if (find_static(path, match, method)) return;
  if (has_params_ || encoded) descend(*root_, path, arena, match, method, encoded);
}

// `rest` is empty or begins with a slash.
bool Router::descend(const Node& node, std::string_view rest, Arena& arena, Match& match, http::Method method,
                     bool encoded) const {
  if (rest.empty()) return choose(node.leaf, method, match);
  const size_t end = std::min(rest.find('/', 1), rest.size());
  std::string_view segment = rest.substr(1, end - 1);
  if (encoded && segment.find('%') != std::string_view::npos) {
    char* decoded = arena.allocate_array<char>(segment.size());
    if (decoded == nullptr) return false;
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
    if (decoded == nullptr) return false;
    value = {decoded, decode(value, decoded)};
  }
  match.params[match.param_count++] = value;
  if (choose(node.rest, method, match)) return true;
  match.param_count = params;
  return false;
}

}  // namespace leat::pipeline
