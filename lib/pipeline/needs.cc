#include "pipeline/needs.h"

#include <fmt/core.h>

#include <algorithm>

#include "pipeline/hosts.h"

namespace leat::pipeline {

namespace {

// Of a Finding: what it is, and which kinds find it.
struct Told {
  Finding finding;
  std::string_view what, kinds;
};
constexpr Told kTold[] = {
    {kSession, "a session", "`sessions`"},
    {kClaims, "a user's claims", "`jwt`"},
    {kUser, "a user who has proved who it is", "`api_key`, `basic_auth` or `jwt`"},
};

const Told& told(Finding finding) { return *std::ranges::find(kTold, finding, &Told::finding); }

std::string name_of(const Route& route) {
  const bool unmatched = route.host != nullptr && &route.host->unmatched == &route;
  if (!unmatched) return fmt::format("route `{}`", route.id);
  return route.host->id.empty() ? std::string("what no route takes")
                                : fmt::format("what no route of `{}` takes", route.host->id);
}

// "route `GET /a`, route `GET /b` and 4 more"
std::string name_some(const std::vector<const Route*>& routes) {
  constexpr size_t kMostNamed = 3;
  const size_t named = std::min(routes.size(), kMostNamed);
  std::string text;
  for (size_t i = 0; i < named; ++i) {
    const bool last = i + 1 == routes.size();
    text += (i == 0 ? "" : last ? " and " : ", ") + name_of(*routes[i]);
  }
  if (routes.size() > named) text += fmt::format(" and {} more", routes.size() - named);
  return text;
}

}  // namespace

void Needs::note(const Asked& asked, bool met, const Route& route) {
  auto found = std::ranges::find_if(asked_, [&](const Asked& each) {
    return each.who == asked.who && each.need.finding == asked.need.finding &&
           each.need.option == asked.need.option;
  });
  if (found == asked_.end()) found = asked_.insert(found, asked);
  found->met = found->met || met;
  if (!met) found->lacking.push_back(&route);
}

void Needs::add(const Route& route, const Place& place) {
  uint8_t known = kNoFinding;
  for (const Step& step : route.chain->steps) {
    if (step.instance == nullptr) continue;
    for (const Need& need : step.instance->needs()) {
      const Value* const option = step.spec->options.find(need.option);
      note({.who = step.instance,
            .called = fmt::format("`{}` needs {} for `{}`", display_name(*step.spec), told(need.finding).what,
                                  need.option),
            .need = need,
            .place = option != nullptr ? option->place : step.spec->place,
            .lacking = {}},
           (known & need.finding) != 0, route);
    }
    known |= step.instance->finds();
  }
  if (route.handler == nullptr) return;
  HandlerDescription handler;
  route.handler->describe(handler);
  if (handler.needs_session)
    note({.who = route.handler,
          .called = fmt::format("the handler `{}` needs a session", route.handler_name),
          .need = {.finding = kSession, .always = true, .option = {}},
          .place = place,
          .lacking = {}},
         (known & kSession) != 0, route);
}

std::vector<Needs::Unmet> Needs::unmet() const {
  std::vector<Unmet> all;
  for (const Asked& each : asked_) {
    if (each.lacking.empty() || (each.met && !each.need.always)) continue;
    const std::string_view kinds = told(each.need.finding).kinds;
    if (each.need.always)
      all.push_back(
          {fmt::format("{}, and no {} is in front of it on {}", each.called, kinds, name_some(each.lacking)),
           each.place, fmt::format("put {} there as well, or both on the same routes only", kinds)});
    else
      all.push_back({fmt::format("{}, and on none of its routes {} is in front of it", each.called, kinds),
                     each.place, "put one of them there, or nobody is ever known by it"});
  }
  return all;
}

}  // namespace leat::pipeline
