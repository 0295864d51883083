// What becomes of a place that several routes want, and of requests that another route gets here than there.
//
// In nginx and Caddy it is the order of the file, the length of a path, or the kind of a directive that decides between two
// that a request fits; in Leat the path does, segment by segment. So a place is given to the one that has it there, the
// other keeps what is left of its own, and where Leat would decide otherwise that is left for people to do. What protects
// (who may ask, passwords, limits, a refusal) is what this is for: a request that would be kept out there, and has a route
// here that lets it in, is never passed over.
#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/units.h"
#include "http/limits.h"
#include "http/method.h"
#include "pipeline/route.h"
#include "server/migrate/shape.h"
#include "server/migrate/target.h"

namespace leat::server::migrate {

namespace {

// Of routes with a standing of their own. Nobody writes so many; each is compared with all.
constexpr size_t kMostCompared = size_t{4} << 20;

// Of the others that it loses to.
constexpr size_t kMostTold = 3;

http::MethodSet methods_of(const Route& route) {
  http::MethodSet methods = 0;
  for (const std::string& each : route.methods)
    if (const auto method = http::find_method(each)) methods |= http::method_bit(*method);
  if (!route.methods.empty()) return methods & pipeline::kEveryMethod;
  const bool handled = !route.answers.empty() && route.answers.front().first == "handler";
  return handled ? http::method_bit(http::Method::Get) : pipeline::kEveryMethod;
}

std::vector<std::string> names_of(http::MethodSet methods) {
  std::vector<std::string> names;
  for (unsigned i = 0; i < http::kMethodCount; ++i)
    if (const auto method = static_cast<http::Method>(i); (methods & http::method_bit(method)) != 0)
      names.emplace_back(http::method_name(method));
  return names;
}

// Whether the same answer is always given, and refuses.
bool refuses(const Route& route) {
  constexpr std::string_view kBegin = "{status = ";
  if (route.answers.empty() || route.answers.front().first != "answer") return false;
  const std::string_view answer = route.answers.front().second;
  return answer.starts_with(kBegin) && answer.size() > kBegin.size() && answer[kBegin.size()] >= '4';
}

bool protects(const Instance& instance) {
  if (instance.kind == "access") return key_of(instance).contains("\"deny\"");
  return instance.kind == "basic_auth" || instance.kind == "forward_auth" || instance.kind == "rate_limit" ||
         instance.kind == "concurrency";
}

std::optional<uint64_t> body_of(const Route& route) {
  const auto found = std::ranges::find(route.keys, "body_limit", &Keys::value_type::first);
  if (found == route.keys.end() || found->second.size() < 2) return std::nullopt;
  return parse_size(std::string_view(found->second).substr(1, found->second.size() - 2));
}

// Whether `other` lets in nothing that `route` keeps out. `body`: the limit where none is said.
bool is_as_strict(const Route& other, const Route& route, uint64_t body) {
  if (refuses(other)) return true;
  if (refuses(route)) return false;
  // Whom a rewrite leads to has rules of its own, there and here.
  if (route.rewrites()) return true;
  for (const Instance& each : route.instances)
    if (protects(each) && !std::ranges::contains(other.instances, each)) return false;
  return body_of(other).value_or(body) <= body_of(route).value_or(body);
}

bool does_the_same(const Route& one, const Route& other) {
  return one.answers == other.answers && one.instances == other.instances && one.keys == other.keys;
}

std::string when_text(const Route& route) {
  std::string text;
  for (const auto& [key, value] : route.when) text += fmt::format(" {} {}", key, value);
  return text;
}

// For people.
std::string place_text(const RoutePlace& place) { return printable_line(place.value); }

}  // namespace

uint64_t Target::body_limit() const {
  const auto limits = settings_.find("limits");
  if (limits == settings_.end()) return http::Limits().body_bytes;
  const auto body = std::ranges::find(limits->second, "body", &Setting::key);
  if (body == limits->second.end() || body->value.size() < 2) return http::Limits().body_bytes;
  return parse_size(std::string_view(body->value).substr(1, body->value.size() - 2))
      .value_or(http::Limits().body_bytes);
}

// The routes of one host.
class Target::Settling {
 public:
  Settling(Target& target, Host& host) : target_(target) {
    for (Piece& piece : host.pieces)
      if (piece.route != nullptr)
        for (const RoutePlace& place : piece.route->places)
          if (auto shape = Shape::of(pattern_text(place)))
            wishes_.push_back({&piece, place, *std::move(shape), wishes_.size()});
  }

  void run() {
    std::ranges::stable_sort(wishes_, [](const Wish& one, const Wish& other) {
      if (one.route().rank != other.route().rank) return one.route().rank < other.route().rank;
      return one.place.value.size() > other.place.value.size();
    });
    for (Wish& each : wishes_) give(each);
    compare();
    look_beside();
  }

 private:
  struct Wish {
    Piece* piece;
    RoutePlace place;
    Shape shape;
    size_t number;  // in the order of the file
    [[nodiscard]] const Route& route() const { return *piece->route; }
  };
  struct Taken {
    http::MethodSet methods = 0;
    const Route* first = nullptr;
  };

  void tell(const Wish& wish, std::string why) {
    if (wish.route().from != nullptr && told_.insert({wish.piece, why}).second)
      target_.tell(*wish.piece, *wish.route().from, why);
  }

  // What is left of a path for its methods, of which it takes all that is.
  http::MethodSet take(const std::string& path, const Route& route, const Route*& first) {
    const auto shape = Shape::of(path);
    if (!shape) return 0;
    Taken& taken = taken_[shape->key() + when_text(route)];
    const http::MethodSet left = methods_of(route) & ~taken.methods;
    taken.methods |= left;
    if (taken.first == nullptr) taken.first = &route;
    if (left == 0) first = taken.first;
    return left;
  }

  void put(const Wish& wish, const RoutePlace& place, http::MethodSet left) {
    if (left == 0) return;
    Given given{place, wish.route().methods, left == pipeline::kEveryMethod};
    if (left != methods_of(wish.route())) given.methods = names_of(left);
    wish.piece->given.push_back(std::move(given));
  }

  // A prefix is a path and all below it: one of them may be another's.
  void give(const Wish& wish) {
    const Route& route = wish.route();
    for (const std::string& each : route.methods)
      if (!http::find_method(each))
        return tell(wish, fmt::format("there is no method {}", printable_line(each)));
    const RoutePlace below{"path", wish.place.value + "/{rest...}"}, itself{"path", wish.place.value};
    const Route* first = nullptr;
    if (wish.place.key == "path" || wish.place.value == "/") {
      const http::MethodSet left = take(pattern_text(wish.place), route, first);
      put(wish, wish.place, left);
      if (left == 0) tell_taken(wish, first);
      return;
    }
    const http::MethodSet of_itself = take(itself.value, route, first),
                          of_below = take(below.value, route, first);
    if (of_itself == of_below) {
      put(wish, wish.place, of_itself);
    } else {
      put(wish, itself, of_itself);
      put(wish, below, of_below);
    }
    if ((of_itself | of_below) == 0) tell_taken(wish, first);
  }

  void tell_taken(const Wish& wish, const Route* first) {
    if (first == nullptr || does_the_same(*first, wish.route())) return;
    // A rewrite that takes all that its own location is for.
    if (wish.route().from != nullptr &&
        std::ranges::any_of(wish.route().from->block,
                            [&](const Directive& each) { return &each == first->from; }))
      return;
    tell(wish, first->from == nullptr ? fmt::format("there is a route for {} already", place_text(wish.place))
                                      : fmt::format("there is a route for {} already, of line {}",
                                                    place_text(wish.place), first->from->line));
  }

  // Whether Leat gives what both take to `other`, which has it not there.
  static bool loses(const Wish& wish, const Wish& other) {
    if ((methods_of(wish.route()) & methods_of(other.route())) == 0 || !wish.shape.meets(other.shape))
      return false;
    if (other.shape.before(wish.shape)) return true;
    if (wish.shape.before(other.shape)) return false;
    const bool own = !wish.route().when.empty(), its = !other.route().when.empty();
    return own == its ? own && other.number < wish.number : its;
  }

  // A route whose rank is that of many is told by its length, as here.
  void compare() {
    std::map<std::string_view, size_t> ranks;
    for (const Wish& each : wishes_) ++ranks[each.route().rank];
    if (ranks.size() < 2) return;
    const std::string_view last = ranks.rbegin()->first;
    const bool conditions =
        std::ranges::any_of(wishes_, [](const Wish& each) { return !each.route().when.empty(); });
    size_t compared = 0;
    for (size_t i = 0; i < wishes_.size() && wishes_[i].route().rank != last; ++i) {
      const Wish& wish = wishes_[i];
      // Nothing is more special than one path, but a condition.
      if (wish.piece->given.empty() || (!conditions && wish.shape.is_one_path())) continue;
      if ((compared += wishes_.size() - i) > kMostCompared)
        return tell(wish, "this and those behind it are too many to find out which Leat would rather take");
      std::string others;
      size_t told = 0;
      for (size_t k = i + 1; k < wishes_.size() && told < kMostTold; ++k) {
        const Wish& other = wishes_[k];
        if (other.route().rank == wish.route().rank || other.piece == wish.piece ||
            other.piece->given.empty() || !loses(wish, other) || does_the_same(wish.route(), other.route()))
          continue;
        others += fmt::format(
            "{}{}{}", others.empty() ? "" : " and ", place_text(other.place),
            other.route().from == nullptr ? "" : fmt::format(" (line {})", other.route().from->line));
        ++told;
      }
      if (told != 0)
        tell(wish, fmt::format("what both it and {} are for is its own there, and theirs here: the more "
                               "special path counts",
                               others));
    }
  }

  // Paths that are a protected place's there, and another's here.
  void look_beside() {
    std::multimap<std::pair<std::string, size_t>, const Wish*> by_text;
    for (const Wish& each : wishes_)
      if (!each.piece->given.empty())
        by_text.emplace(std::pair(each.shape.text_before(each.shape.text_size()), each.shape.text_size()),
                        &each);
    for (const Wish& wish : wishes_) {
      if (!wish.place.goes_on && !wish.place.any_case) continue;
      for (size_t i = 0; i < wish.shape.size(); ++i) {
        const auto [begin, end] = by_text.equal_range({wish.shape.text_before(i), i});
        const auto weaker = std::find_if(begin, end, [&](const auto& each) {
          const Wish& other = *each.second;
          return other.piece != wish.piece && wish.shape.is_beside(other.shape, wish.place) &&
                 other.route().rank >= wish.route().rank &&
                 !is_as_strict(other.route(), wish.route(), target_.body_limit());
        });
        if (weaker == end) continue;
        tell(wish, beside_text(wish.place, weaker->second->place));
        break;
      }
    }
  }

  static std::string beside_text(const RoutePlace& place, const RoutePlace& other) {
    const std::string_view path = place.key == "path"
                                      ? std::string_view(place.value).substr(0, place.value.find('{'))
                                      : std::string_view(place.value);
    std::string what;
    if (place.goes_on) what = fmt::format("paths that go on behind {} without a slash", printable_line(path));
    if (place.any_case) what += fmt::format("{}those that differ in capitals", what.empty() ? "" : ", and ");
    return fmt::format("it is for {} as well, which are those of {} here: what it keeps out gets in there",
                       what, place_text(other));
  }

  Target& target_;
  std::vector<Wish> wishes_;
  std::map<std::string, Taken, std::less<>> taken_;
  std::set<std::pair<const Piece*, std::string>> told_;
};

void Target::settle() {
  for (Host& host : hosts_) Settling(*this, host).run();
}

}  // namespace leat::server::migrate
