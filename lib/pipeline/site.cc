#include "pipeline/site.h"

#include <algorithm>
#include <queue>

#include "base/suggest.h"
#include "base/text.h"
#include "pipeline/codes.h"

namespace leat::pipeline {

namespace {

std::vector<std::string> kind_names() {
  std::vector<std::string> names;
  for (const MiddlewareKind& kind : middleware_kinds()) names.emplace_back(kind.name);
  return names;
}

// What before and after may call an instance.
bool is_called(const Step& step, std::string_view name) {
  return step.spec->kind == name || (!step.spec->name.empty() && step.spec->name == name);
}

}  // namespace

SiteBuilder::SiteBuilder() : site_(std::make_unique<Site>()) {}

void SiteBuilder::add_middleware(MiddlewareSpec spec) { declared_.push_back(std::move(spec)); }
void SiteBuilder::add_route(RouteSpec spec) { specs_.push_back(std::move(spec)); }

void SiteBuilder::fail(int code, std::string message, const Place& place, std::string hint) {
  diagnostics_.push_back(
      {.code = code, .message = std::move(message), .place = place, .hint = std::move(hint)});
}

// Creates the instance of `spec`. A step without a kind means that something was wrong and has been said.
Step SiteBuilder::make_step(MiddlewareSpec spec) {
  const MiddlewareKind* kind = find_middleware_kind(spec.kind);
  if (kind == nullptr) {
    fail(kUnknownKind, "unknown middleware kind `" + spec.kind + "`", spec.place,
         did_you_mean(spec.kind, kind_names()));
    return {};
  }
  auto instance = kind->create(spec.options, diagnostics_);
  if (instance == nullptr) return {};
  site_->instances_.push_back(std::move(instance));
  site_->specs_.push_back(std::make_unique<MiddlewareSpec>(std::move(spec)));
  return {kind, site_->specs_.back().get(), site_->instances_.back().get()};
}

std::unique_ptr<Site> SiteBuilder::build(Diagnostics& diagnostics) {
  for (MiddlewareSpec& spec : declared_) {
    const bool taken = !spec.name.empty() && std::ranges::any_of(declared_steps_, [&](const Step& step) {
      return step.spec != nullptr && step.spec->name == spec.name;
    });
    if (taken) fail(kDuplicateName, "two middleware instances are named `" + spec.name + "`", spec.place);
    declared_steps_.push_back(make_step(std::move(spec)));
  }
  std::vector<Step> global;
  for (const Step& step : declared_steps_)
    if (step.kind != nullptr && step.spec->global) global.push_back(step);
  site_->unmatched_.id = "(none)";
  compile_chain(site_->unmatched_, std::move(global));
  for (RouteSpec& spec : specs_) build_route(spec);
  site_->router_.freeze();
  const bool bad = std::ranges::any_of(
      diagnostics_, [](const Diagnostic& each) { return each.severity == Diagnostic::Severity::Error; });
  std::ranges::move(diagnostics_, std::back_inserter(diagnostics));
  return bad ? nullptr : std::move(site_);
}

void SiteBuilder::build_route(RouteSpec& spec) {
  auto route = std::make_unique<Route>();
  auto pattern = Pattern::parse(spec.path);
  if (!pattern) {
    fail(kBadPattern, "bad path `" + spec.path + "`: " + pattern.error(), spec.path_place);
    return;
  }
  route->pattern = std::move(*pattern);
  route->path = spec.path;
  for (const std::string& name : spec.methods) {
    if (const auto method = http::find_method(name)) {
      route->methods |= http::method_bit(*method);
    } else {
      std::vector<std::string> known;
      for (unsigned i = 0; i < http::kMethodCount; ++i)
        known.emplace_back(http::method_name(static_cast<http::Method>(i)));
      fail(kUnknownMethod, "unknown method `" + name + "`", spec.method_place, did_you_mean(name, known));
    }
    route->id += (route->id.empty() ? "" : ",") + name;
  }
  route->id += " " + spec.path;
  route->handler_name = spec.handler_name;
  route->handler = spec.handler.get();
  route->streams_body = spec.handler != nullptr && spec.handler->streams_body();
  route->body_limit = spec.body_limit;
  if (const auto added = site_->router_.add(route->pattern, route->methods, route.get()); !added)
    fail(kDuplicateRoute, "route `" + spec.path + "`: " + added.error(), spec.path_place);

  std::vector<Step> steps;
  for (const Step& step : declared_steps_)
    if (step.kind != nullptr && step.spec->global) steps.push_back(step);
  for (const std::string& name : spec.named) {
    const auto found = std::ranges::find_if(
        declared_steps_, [&](const Step& step) { return step.spec != nullptr && step.spec->name == name; });
    if (found != declared_steps_.end()) {
      steps.push_back(*found);
      continue;
    }
    std::vector<std::string> known;
    for (const Step& step : declared_steps_)
      if (step.spec != nullptr && !step.spec->name.empty()) known.push_back(step.spec->name);
    fail(kUnknownMiddleware, "no middleware instance is named `" + name + "`", spec.middleware_place,
         did_you_mean(name, known));
  }
  for (MiddlewareSpec& own : spec.middleware)
    if (const Step step = make_step(std::move(own)); step.kind != nullptr) steps.push_back(step);
  compile_chain(*route, std::move(steps));
  if (spec.handler) site_->handlers_.push_back(std::move(spec.handler));
  site_->routes_.push_back(std::move(route));
}

void SiteBuilder::merge_duplicates(Route& route, std::vector<Step>& steps) {
  std::vector<Step> kept;
  for (const Step& step : steps) {
    const bool same = std::ranges::any_of(kept, [&](const Step& other) {
      return other.instance == step.instance ||
             (other.kind == step.kind && other.spec->options.same_as(step.spec->options));
    });
    if (same) {
      route.merged.push_back(step.spec->name.empty() ? step.spec->kind
                                                     : step.spec->kind + " " + step.spec->name);
    } else {
      kept.push_back(step);
    }
  }
  steps = std::move(kept);
}

// A topological order of before/after that prefers earlier phases, then earlier declarations (Kahn's
// algorithm with a priority queue). False, with a diagnostic, for a cycle.
bool SiteBuilder::order(std::vector<Step>& steps) {
  const size_t count = steps.size();
  std::vector<std::vector<size_t>> followers(count);
  std::vector<size_t> waits_for(count);
  const auto constrain = [&](size_t first, size_t second) {
    followers[first].push_back(second);
    ++waits_for[second];
  };
  for (size_t i = 0; i < count; ++i)
    for (size_t j = 0; j < count; ++j) {
      if (i == j) continue;
      const auto calls_j = [&](const std::string& name) { return is_called(steps[j], name); };
      if (std::ranges::any_of(steps[i].spec->before, calls_j)) constrain(i, j);
      if (std::ranges::any_of(steps[i].spec->after, calls_j)) constrain(j, i);
    }
  const auto later = [&](size_t a, size_t b) {
    return std::pair(steps[a].kind->phase, a) > std::pair(steps[b].kind->phase, b);
  };
  std::priority_queue<size_t, std::vector<size_t>, decltype(later)> ready(later);
  for (size_t i = 0; i < count; ++i)
    if (waits_for[i] == 0) ready.push(i);
  std::vector<Step> ordered;
  while (!ready.empty()) {
    const size_t next = ready.top();
    ready.pop();
    ordered.push_back(steps[next]);
    for (const size_t follower : followers[next])
      if (--waits_for[follower] == 0) ready.push(follower);
  }
  if (ordered.size() == count) {
    steps = std::move(ordered);
    return true;
  }
  std::string names;
  const Step* first = nullptr;
  for (size_t i = 0; i < count; ++i) {
    if (waits_for[i] == 0) continue;
    if (first == nullptr) first = &steps[i];
    names += (names.empty() ? "`" : ", `") + steps[i].spec->kind + "`";
  }
  const bool said = std::ranges::any_of(diagnostics_, [&](const Diagnostic& each) {
    return each.code == kOrderCycle && each.place.line == first->spec->place.line;
  });
  if (!said)
    fail(kOrderCycle, "`before` and `after` contradict each other among " + names, first->spec->place);
  return false;
}

void SiteBuilder::compile_chain(Route& route, std::vector<Step> steps) {
  for (const Step& step : steps)
    for (const auto* list : {&step.spec->before, &step.spec->after})
      for (const std::string& name : *list) {
        const bool known = find_middleware_kind(name) != nullptr ||
                           std::ranges::any_of(declared_steps_, [&](const Step& other) {
                             return other.spec != nullptr && is_called(other, name);
                           });
        const bool said = std::ranges::any_of(diagnostics_, [&](const Diagnostic& each) {
          return each.code == kUnknownMiddleware && each.place.line == step.spec->place.line;
        });
        if (!known && !said)
          fail(kUnknownMiddleware, "`before` and `after` name kinds or instances; there is no `" + name + "`",
               step.spec->place, did_you_mean(name, kind_names()));
      }
  merge_duplicates(route, steps);
  if (!order(steps)) return;
  for (uint32_t i = 0; i < steps.size(); ++i) {
    const uint8_t hooks = steps[i].instance->hooks();
    const Route::Hook hook{steps[i].instance, (hooks & Middleware::kRequest) != 0 ? i + 1 : 0};
    if ((hooks & Middleware::kRequest) != 0) route.on_request.push_back(hook);
    if ((hooks & Middleware::kResponse) != 0) route.on_response.insert(route.on_response.begin(), hook);
    if ((hooks & Middleware::kDone) != 0) route.on_done.insert(route.on_done.begin(), hook);
  }
  route.chain = std::move(steps);
}

}  // namespace leat::pipeline
