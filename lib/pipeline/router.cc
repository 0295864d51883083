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
  using Routes = std::array<const Route*, http::kMethodCount>;

  [[nodiscard]] const Route* route(http::Method method) const {
    if ((served & http::method_bit(method)) == 0) return nullptr;
    return several ? (*several)[static_cast<unsigned>(method)] : only;
  }
  void add(http::MethodSet more, const Route* route) {
    if (methods != 0 && !several) {
      several = std::make_unique<Routes>();
      give(methods, only);
    }
    methods |= more;
    served = methods;
    only = route;
    if (several) give(more, route);
  }

  http::MethodSet methods = 0;  // that have a route
  http::MethodSet served = 0;   // also HEAD, which GET's answers
  const Route* only = nullptr;  // of all of them, for most paths
  std::unique_ptr<Routes> several;
  const std::string* allow = nullptr;

 private:
  void give(http::MethodSet to, const Route* route) {
    for (unsigned i = 0; i < http::kMethodCount; ++i)
      if ((to & http::method_bit(static_cast<http::Method>(i))) != 0) (*several)[i] = route;
  }
};

// Most nodes have a child or a leaf, and few have all of this.
struct Router::Node {
  using Child = std::pair<std::string, std::unique_ptr<Node>>;
  std::vector<Child> children;  // by text; sorted by freeze()
  std::unique_ptr<Node> param;
  std::unique_ptr<Leaf> leaf;
  std::unique_ptr<Leaf> rest;  // {name...} begins here

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
  uint16_t hash = 0;  // other bits than those that make its place
  uint16_t size = 0;
  uint32_t path = 0;           // where in paths_ it begins
  const Leaf* leaf = nullptr;  // null: free
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
  if (text.contains('*'))
    return std::unexpected(
        "`*` stands for nothing else: write `{name}` for one segment, `{name...}` for the rest, or `%2A`");
  if (text.contains('?'))
    return std::unexpected(
        "what follows a `?` is the query, which no path has: leave it out, or write `%3F`");
  // No request line is as long, and what walks over them recurs.
  constexpr ptrdiff_t kMostSegments = 1000;
  if (std::ranges::count(text, '/') > kMostSegments) return std::unexpected("more than 1000 segments");
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

std::expected<void, Router::Clash> Router::add(const Pattern& pattern, http::MethodSet methods,
                                               const Route* route) {
  Node* node = root_.get();
  bool rest = false;
  size_t params = 0;
  for (const Pattern::Segment& segment : pattern.segments) {
    params += segment.kind != Pattern::Segment::Kind::Text ? 1 : 0;
    switch (segment.kind) {
      case Pattern::Segment::Kind::Text:
        node = child_for(*node, segment.text);
        break;
      case Pattern::Segment::Kind::Param:
        if (!node->param) node->param = std::make_unique<Node>();
        node = node->param.get();
        break;
      case Pattern::Segment::Kind::Rest:
        rest = true;
        break;
    }
  }
  std::unique_ptr<Leaf>& place = rest ? node->rest : node->leaf;
  if (!place) place = std::make_unique<Leaf>();
  Leaf& leaf = *place;
  if (const http::MethodSet taken = leaf.methods & methods; taken != 0)
    return std::unexpected(Clash{list(taken) + " is declared twice for paths of this shape",
                                 leaf.route(static_cast<http::Method>(std::countr_zero(taken)))});
  most_params_ = std::max(most_params_, params);
  methods_ |= methods;
  leaf.add(methods, route);
  return {};
}

// The child of `node` for a text, which is made where there is none. Before freeze().
Router::Node* Router::child_for(Node& node, const std::string& text) {
  constexpr size_t kFew = 32;
  constexpr uint32_t kFree = UINT32_MAX;
  std::vector<Node::Child>& children = node.children;
  const auto add = [&] { return children.emplace_back(text, std::make_unique<Node>()).second.get(); };
  if (children.size() < kFew) {
    const auto found = std::ranges::find(children, text, &Node::Child::first);
    return found != children.end() ? found->second.get() : add();
  }
  std::vector<uint32_t>& numbers = numbers_[&node];
  const auto place_of = [&](std::string_view wanted) -> uint32_t& {
    size_t at = hash_path(wanted) & (numbers.size() - 1);
    while (numbers[at] != kFree && children[numbers[at]].first != wanted)
      at = (at + 1) & (numbers.size() - 1);
    return numbers[at];
  };
  if (numbers.size() <= children.size() * 2) {
    numbers.assign(std::bit_ceil(children.size() * 4), kFree);
    for (uint32_t i = 0; i < children.size(); ++i) place_of(children[i].first) = i;
  }
  uint32_t& number = place_of(text);
  if (number != kFree) return children[number].second.get();
  number = static_cast<uint32_t>(children.size());
  return add();
}

void Router::finish(Leaf& leaf) {
  const http::MethodSet head = http::method_bit(http::Method::Head);
  if ((leaf.methods & head) == 0 && (leaf.methods & http::method_bit(http::Method::Get)) != 0) {
    leaf.served |= head;
    if (leaf.several)
      (*leaf.several)[static_cast<unsigned>(http::Method::Head)] = leaf.route(http::Method::Get);
  }
  const auto [value, fresh] = allow_.try_emplace(leaf.methods);
  if (fresh) value->second = allow_value(leaf.methods);
  leaf.allow = &value->second;
}

// `path` leads to `node`; `fixed`: no request comes to it by another spelling. A path that no request line has
// room for is in no table.
void Router::finish(Node& node, const std::string& path, bool fixed,
                    std::vector<std::pair<size_t, const Leaf*>>& ends) {
  node.children.shrink_to_fit();
  std::ranges::sort(node.children, Node::comes_before, &Node::Child::first);
  for (Leaf* leaf : {node.leaf.get(), node.rest.get()})
    if (leaf != nullptr) finish(*leaf);
  if (fixed && node.leaf && path.size() <= UINT16_MAX) {
    paths_.insert(paths_.end(), path.begin(), path.end());
    ends.emplace_back(paths_.size(), node.leaf.get());
  }
  // The table is asked with paths as they were received. A text with a slash was written with %2F, and one
  // with a percent sign is received with %25: only the walk by segments finds those.
  for (auto& [text, child] : node.children)
    finish(*child, fixed ? fmt::format("{}/{}", path, text) : path,
           fixed && text.find_first_of("/%") == std::string::npos, ends);
  if (node.param) finish(*node.param, path, false, ends);
}

void Router::freeze() {
  numbers_.clear();
  std::vector<std::pair<size_t, const Leaf*>> ends;  // of each path in paths_, and what it leads to
  finish(*root_, "", true, ends);
  allow_anywhere_ = allow_value(methods_);
  paths_.shrink_to_fit();
  table_.assign(std::bit_ceil(std::max<size_t>(8, ends.size() * 2)), Entry{});
  size_t begin = 0;
  for (const auto& [end, leaf] : ends) {
    const std::string_view path(paths_.data() + begin, end - begin);
    begin = end;
    const uint64_t hash = hash_path(path);
    size_t at = hash & (table_.size() - 1);
    while (table_[at].leaf != nullptr) at = (at + 1) & (table_.size() - 1);
    table_[at] = Entry{static_cast<uint16_t>(hash >> 48), static_cast<uint16_t>(path.size()),
                       static_cast<uint32_t>(path.data() - paths_.data()), leaf};
  }
}

bool Router::choose(const Leaf* leaf, http::Method method, Match& match) {
  if (leaf == nullptr) return false;
  if (const Route* route = leaf->route(method)) {
    match.kind = Match::Kind::Found;
    match.route = route;
    return true;
  }
  // Remembered, but a less specific pattern may still have the method.
  if (match.kind == Match::Kind::NotFound) {
    match.kind = method == http::Method::Options ? Match::Kind::Options : Match::Kind::MethodNotAllowed;
    match.allow = *leaf->allow;
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
       at = (at + 1) & (table_.size() - 1)) {
    const Entry& entry = table_[at];
    if (entry.hash == hash >> 48 && equal({paths_.data() + entry.path, entry.size}, path))
      return choose(entry.leaf, method, match);
  }
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
  if (rest.empty()) return choose(node.leaf.get(), method, match);
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
  if (!node.rest) return false;
  std::string_view value = rest.substr(1);
  if (encoded && value.find('%') != std::string_view::npos) {
    char* decoded = arena.allocate_array<char>(value.size());
    if (decoded == nullptr) return out_of_memory(match);
    value = {decoded, decode(value, decoded)};
  }
  match.params[match.param_count++] = value;
  if (choose(node.rest.get(), method, match)) return true;
  match.param_count = params;
  return false;
}

}  // namespace leat::pipeline
