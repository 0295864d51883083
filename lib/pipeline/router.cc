#include "pipeline/router.h"

#include <fmt/core.h>

#include <algorithm>
#include <bit>

#include "base/check.h"
#include "http/bytes.h"
#include "pipeline/path.h"
#include "pipeline/route.h"

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
    if (route->when) {
      if (!fitting) fitting = std::make_unique<std::vector<const Route*>>();
      fitting->push_back(route);
      return;
    }
    if (methods != 0 && !several) {
      several = std::make_unique<Routes>();
      give(methods, only);
    }
    methods |= more;
    served = methods;
    only = route;
    if (several) give(more, route);
  }

  // One that leaves nothing to `route`, for these methods.
  [[nodiscard]] const Route* clash(http::MethodSet wanted, const Route* other) const {
    if (!other->when) {
      const http::MethodSet taken = methods & wanted;
      return taken == 0 ? nullptr : route(static_cast<http::Method>(std::countr_zero(taken)));
    }
    if (!fitting) return nullptr;
    const auto same = std::ranges::find_if(*fitting, [&](const Route* each) {
      return (each->methods & wanted) != 0 && each->when->keys() == other->when->keys();
    });
    return same == fitting->end() ? nullptr : *same;
  }

  http::MethodSet methods = 0;                         // that have a route without a condition
  http::MethodSet served = 0;                          // also HEAD, which GET's answers
  std::unique_ptr<std::vector<const Route*>> fitting;  // with a condition, in the order of the file
  const Route* only = nullptr;                         // of all of them, for most paths
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
  std::vector<Leaf*> leaves;
  for (std::unique_ptr<Leaf>* place :
       {rest ? &node->rest : nullptr, !rest || pattern.optional_rest ? &node->leaf : nullptr}) {
    if (place == nullptr) continue;
    if (!*place) *place = std::make_unique<Leaf>();
    leaves.push_back(place->get());
  }
  for (const Leaf* leaf : leaves)
    if (const Route* first = leaf->clash(methods, route))
      return std::unexpected(Clash{
          ((first->methods & methods) == kEveryMethod ? "every method" : list(first->methods & methods)) +
              (route->when ? " is declared twice for paths of this shape and the same requests"
                           : " is declared twice for paths of this shape"),
          first});
  most_params_ = std::max(most_params_, params);
  methods_ |= methods;
  for (Leaf* leaf : leaves) leaf->add(methods, route);
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
  http::MethodSet all = leaf.methods;
  if (leaf.fitting)
    for (const Route* each : *leaf.fitting) all |= each->methods;
  const auto [value, fresh] = allow_.try_emplace(all);
  if (fresh) value->second = allow_value(all);
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

bool Router::choose(const Leaf* leaf, const Wanted& wanted, Match& match) {
  if (leaf == nullptr) return false;
  if (leaf->fitting) [[unlikely]]
    if (choose_fitting(*leaf, wanted, match)) return true;
  if (const Route* route = leaf->route(wanted.method)) {
    match.kind = Match::Kind::Found;
    match.route = route;
    return true;
  }
  // Remembered, but a less specific pattern may still have the method. OPTIONS is answered wherever nobody else does.
  const bool told = wanted.method != http::Method::Options && leaf->fitting &&
                    std::ranges::any_of(*leaf->fitting, [&](const Route* each) {
                      return (each->served() & http::method_bit(wanted.method)) != 0;
                    });
  if (match.kind == Match::Kind::NotFound && !told) {
    match.kind =
        wanted.method == http::Method::Options ? Match::Kind::Options : Match::Kind::MethodNotAllowed;
    match.allow = *leaf->allow;
  }
  return false;
}

// The first of those with a condition that the request fits.
bool Router::choose_fitting(const Leaf& leaf, const Wanted& wanted, Match& match) {
  for (const Route* route : *leaf.fitting) {
    if ((route->served() & http::method_bit(wanted.method)) == 0) continue;
    if (wanted.facts == nullptr) continue;
    match.by_client = match.by_client || route->when->asks_client();
    const Condition::Miss miss = route->when->miss(*wanted.facts);
    if (miss == Condition::Miss::None) {
      match.kind = Match::Kind::Found;
      match.route = route;
      return true;
    }
    if (miss == Condition::Miss::ContentType && match.kind == Match::Kind::NotFound)
      match.kind = Match::Kind::WrongType;
  }
  return false;
}

bool Router::out_of_memory(Match& match) {
  match.kind = Match::Kind::NoMemory;
  return true;
}

bool Router::find_static(std::string_view path, const Wanted& wanted, Match& match) const {
  const uint64_t hash = hash_path(path);
  for (size_t at = hash & (table_.size() - 1); table_[at].leaf != nullptr;
       at = (at + 1) & (table_.size() - 1)) {
    const Entry& entry = table_[at];
    if (entry.hash == hash >> 48 && equal({paths_.data() + entry.path, entry.size}, path))
      return choose(entry.leaf, wanted, match);
  }
  return false;
}

void Router::find(http::Method method, std::string_view path, Arena& arena, Match& match,
                  Facts* facts) const {
  Wanted wanted{.method = method, .arena = arena, .facts = facts, .encoded = false};
  search(path, wanted, match);
  if (match.kind != Match::Kind::Found || match.param_count == match.route->params) return;
  // What stands for the rest of a path is missing with its slash.
  if (match.params == nullptr) match.params = arena.allocate_array<std::string_view>(match.route->params);
  if (match.params == nullptr)
    out_of_memory(match);
  else
    match.params[match.param_count++] = path.substr(path.size());
}

void Router::search(std::string_view path, Wanted& wanted, Match& match) const {
  // No pattern has a dot segment, and none of the table an escape: a path that equals one needs no
  // normalising.
  if (find_static(path, wanted, match)) return;
  if (needs_normalising(path)) {
    // Every escape is judged, also in segments that no pattern looks at.
    if (!well_encoded(path)) {
      match.kind = Match::Kind::BadPath;
      return;
    }
    char* clean = wanted.arena.allocate_array<char>(path.size() + 1);
    if (clean == nullptr) {
      out_of_memory(match);
      return;
    }
    path = {clean, remove_dots(path, clean)};
    wanted.encoded = path.find('%') != std::string_view::npos;
    if (!wanted.encoded && find_static(path, wanted, match)) return;
  }
  if (most_params_ == 0 && !wanted.encoded) return;
  match.params = wanted.arena.allocate_array<std::string_view>(most_params_);
  if (match.params == nullptr) {
    out_of_memory(match);
    return;
  }
  descend(*root_, path, wanted, match);
}

// `rest` is empty or begins with a slash. True: `match` is final.
bool Router::descend(const Node& node, std::string_view rest, const Wanted& wanted, Match& match) const {
  if (rest.empty()) return choose(node.leaf.get(), wanted, match);
  const size_t end = std::min(rest.find('/', 1), rest.size());
  std::string_view segment = rest.substr(1, end - 1);
  if (wanted.encoded && segment.find('%') != std::string_view::npos) {
    char* decoded = wanted.arena.allocate_array<char>(segment.size());
    if (decoded == nullptr) return out_of_memory(match);
    segment = {decoded, decode(segment, decoded)};
  }
  if (const Node* child = node.child(segment))
    if (descend(*child, rest.substr(end), wanted, match)) return true;
  const size_t params = match.param_count;
  if (node.param && !segment.empty()) {
    match.params[match.param_count++] = segment;
    if (descend(*node.param, rest.substr(end), wanted, match)) return true;
    match.param_count = params;
  }
  if (!node.rest) return false;
  std::string_view value = rest.substr(1);
  if (wanted.encoded && value.find('%') != std::string_view::npos) {
    char* decoded = wanted.arena.allocate_array<char>(value.size());
    if (decoded == nullptr) return out_of_memory(match);
    value = {decoded, decode(value, decoded)};
  }
  match.params[match.param_count++] = value;
  if (choose(node.rest.get(), wanted, match)) return true;
  match.param_count = params;
  return false;
}

}  // namespace leat::pipeline
