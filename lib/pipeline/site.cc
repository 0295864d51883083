#include "pipeline/site.h"

#include <fmt/core.h>

#include <algorithm>
#include <ranges>
#include <utility>

#include "base/check.h"
#include "base/suggest.h"
#include "pipeline/codes.h"
#include "pipeline/needs.h"

namespace leat::pipeline {

namespace {

// "leat.toml:3"
std::string where(const Place& place) {
  return place.file ? fmt::format("{}:{}", *place.file, place.line) : fmt::format("line {}", place.line);
}

std::vector<std::string_view> routed_methods() {
  std::vector<std::string_view> names;
  for (unsigned i = 0; i < http::kMethodCount; ++i)
    if (const auto method = static_cast<http::Method>(i); (kNeverRouted & http::method_bit(method)) == 0)
      names.push_back(http::method_name(method));
  return names;
}

// What the cache is in a chain; no instance can be declared of it.
constexpr MiddlewareKind kCache{
    .name = kCacheStep, .phase = Phase::Cache, .sentence = {}, .options = {}, .create = nullptr};

const MiddlewareSpec& cache_spec() {
  static const MiddlewareSpec spec{.kind = std::string(kCacheStep)};
  return spec;
}

}  // namespace

void Site::begin(http::WorkerContext& worker) const {
  for (const auto& instance : instances_)
    if ((instance->hooks() & Middleware::kWorker) != 0) instance->on_worker(worker);
}

SiteBuilder::SiteBuilder(std::span<const MiddlewareKind> kinds, const Surroundings& surroundings)
    : kinds_(kinds), surroundings_(surroundings), site_(std::make_unique<Site>()) {
  hosts_.push_back(&site_->hosts_.rest());
  host_places_.emplace_back();
}

size_t SiteBuilder::add_middleware(MiddlewareSpec spec) {
  ENSURE(!middleware_made_);
  declared_.push_back(std::move(spec));
  return declared_.size() - 1;
}
void SiteBuilder::set_change_listener(ChangeListener& listener) { site_->change_listener_ = &listener; }

// What is wrong with a global instance is wrong in every route; it is said once.
void SiteBuilder::fail(int code, std::string message, const Place& place, std::string hint) {
  const std::string_view file = place.file ? std::string_view(*place.file) : std::string_view();
  const bool fresh =
      said_.insert(fmt::format("{} {}:{}:{} {}", code, file, place.line, place.column, message)).second;
  if (!fresh) return;
  diagnostics_.push_back(
      {.code = code, .message = std::move(message), .place = place, .hint = std::move(hint)});
}

// Creates the instance of `spec`. A step without a kind means that something was wrong and has been said.
Step SiteBuilder::make_step(MiddlewareSpec spec) {
  if (spec.kind.empty()) {
    incomplete_ = true;
    return {};
  }
  const auto kind = std::ranges::find(kinds_, spec.kind, &MiddlewareKind::name);
  if (kind == kinds_.end()) {
    fail(kUnknownKind, "unknown middleware kind `" + spec.kind + "`", spec.place,
         did_you_mean(spec.kind, kinds_ | std::views::transform(&MiddlewareKind::name)));
    incomplete_ = true;
    return {};
  }
  auto instance = kind->create({.kind = *kind,
                                .options = spec.options,
                                .place = spec.place,
                                .name = spec.name,
                                .optional = spec.optional,
                                .diagnostics = diagnostics_,
                                .surroundings = surroundings_});
  if (instance == nullptr) {
    incomplete_ = true;
    return {};
  }
  site_->instances_.push_back(std::move(instance));
  site_->specs_.push_back(std::make_unique<MiddlewareSpec>(std::move(spec)));
  return {.kind = &*kind, .spec = site_->specs_.back().get(), .instance = site_->instances_.back().get()};
}

// `own`: further instances of the same route.
void SiteBuilder::check_constraints(const MiddlewareSpec& spec, const std::vector<MiddlewareSpec>& own) {
  if (spec.before.empty() && spec.after.empty()) return;
  std::vector<std::string> known = names_;
  known.emplace_back(kCacheStep);
  for (const MiddlewareKind& kind : kinds_) known.emplace_back(kind.name);
  for (const MiddlewareSpec& other : own)
    if (!other.name.empty()) known.push_back(other.name);
  for (const auto* list : {&spec.before, &spec.after})
    for (const std::string& name : *list)
      if (std::ranges::find(known, name) == known.end())
        fail(kUnknownMiddleware, "`before` and `after` name kinds or instances; there is no `" + name + "`",
             spec.place, did_you_mean(name, known));
}

void SiteBuilder::make_middleware() {
  if (std::exchange(middleware_made_, true)) return;
  for (const MiddlewareSpec& spec : declared_) {
    if (spec.name.empty()) continue;
    if (spec.name == kCacheStep)
      fail(kDuplicateName, "`cache` is the name of the response cache", spec.place);
    if (std::ranges::find(names_, spec.name) != names_.end())
      fail(kDuplicateName, "two middleware instances are named `" + spec.name + "`", spec.place);
    names_.push_back(spec.name);
  }
  for (MiddlewareSpec& spec : declared_) {
    check_constraints(spec, {});
    declared_steps_.push_back(make_step(std::move(spec)));
  }
  RouteSpec nothing;
  give_unmatched(site_->hosts_.rest(), nothing);
}

// What its requests pass that no route answers.
void SiteBuilder::give_unmatched(Host& host, RouteSpec& spec) {
  host.unmatched.site = site_.get();
  host.unmatched.host = &host;
  host.unmatched.id = "(none)";
  give_chain(host.unmatched, steps_of(spec));
}

size_t SiteBuilder::add_host(HostSpec spec) {
  make_middleware();
  std::string id = spec.names.empty()
                       ? "(" + (spec.listeners.empty() ? std::string() : spec.listeners[0]) + ")"
                       : spec.names[0];
  const auto [host, first, name] =
      site_->hosts_.add(std::move(id), std::move(spec.names), std::move(spec.listeners), spec.every_name);
  hosts_.push_back(host);
  host_places_.push_back(spec.place);
  if (host == nullptr) {
    const auto at = std::ranges::find(hosts_, first);
    fail(kDuplicateHost,
         name.empty() ? std::string("two hosts without names are for one listener")
                      : fmt::format("two hosts have the name `{}`", name),
         spec.place,
         fmt::format("the other is at {}", where(host_places_[static_cast<size_t>(at - hosts_.begin())])));
  } else {
    host->trailing_slash = spec.trailing_slash;
    RouteSpec nothing;
    nothing.scope = std::move(spec.scope);
    nothing.middleware_place = spec.middleware_place;
    give_unmatched(*host, nothing);
  }
  return hosts_.size() - 1;
}

std::unique_ptr<Site> SiteBuilder::build(Diagnostics& diagnostics) {
  make_middleware();
  for (const auto& route : site_->routes_)
    route->streams_body = route->handler != nullptr && route->handler->streams_body();
  for (const auto& host : site_->hosts_.all()) host->router.freeze();
  check_needs();
  const bool bad = std::ranges::any_of(
      diagnostics_, [](const Diagnostic& each) { return each.severity == Diagnostic::Severity::Error; });
  std::ranges::move(diagnostics_, std::back_inserter(diagnostics));
  return bad ? nullptr : std::move(site_);
}

// Where an instance could not be made nobody knows what it would have found out.
void SiteBuilder::check_needs() {
  if (incomplete_) return;
  Needs needs;
  for (size_t i = 0; i < site_->routes_.size(); ++i)
    if (const Route& route = *site_->routes_[i]; route.rewrite == nullptr) needs.add(route, path_places_[i]);
  for (const auto& host : site_->hosts_.all()) needs.add(host->unmatched, {});
  for (Needs::Unmet& each : needs.unmet())
    fail(kUnmetNeed, std::move(each.message), each.place, std::move(each.hint));
}

void SiteBuilder::add_route(RouteSpec spec) {
  make_middleware();
  auto route = std::make_unique<Route>();
  route->site = site_.get();
  route->host = hosts_[spec.host];
  route->id = id_of(spec);
  // Most ids have it in them.
  const size_t at = route->id.find(spec.path);
  route->path = at != std::string::npos && !spec.path.empty()
                    ? std::string_view(route->id).substr(at, spec.path.size())
                    : keep(std::string(spec.path));
  if (spec.when) route->when = std::make_unique<const Condition>(std::move(*spec.when));
  route->methods = read_methods(spec);
  route->owner = keep(spec.handler_name.substr(0, spec.owner_size));
  route->handler_name = keep(std::move(spec.handler_name));
  route->handler = spec.handler.get();
  route->body_limit = spec.body_limit;
  route->timeout_ms = spec.timeout_ms;
  if (!spec.path.empty()) add_to_router(*route, spec);
  std::vector<Step> steps = steps_of(spec);
  if (http::AnswerFilter* cache = spec.handler ? spec.handler->answer_filter() : nullptr)
    steps.push_back({.kind = &kCache, .spec = &cache_spec(), .filter = cache});
  give_chain(*route, std::move(steps));
  if (spec.handler) site_->handlers_.push_back(std::move(spec.handler));
  site_->routes_.push_back(std::move(route));
  path_places_.push_back(std::move(spec.path_place));
}

std::string SiteBuilder::id_of(const RouteSpec& spec) const {
  if (!spec.name.empty()) return spec.name;
  std::string id;
  for (const std::string& name : spec.methods) id += (id.empty() ? "" : ",") + name;
  id += " ";
  if (const Host* host = hosts_[spec.host]) id += host->id;
  id += spec.path;
  if (spec.when) id += " when " + Condition(*spec.when).text();
  return id;
}

void SiteBuilder::add_to_router(Route& route, const RouteSpec& spec) {
  const Place& place = spec.path_place;
  const auto pattern = Pattern::parse(route.path);
  if (!pattern)
    return fail(kBadPattern, fmt::format("bad path `{}`: {}", route.path, pattern.error()), place);
  route.params = static_cast<uint8_t>(pattern->params().size());
  if (spec.rewrite) {
    const std::string& text = spec.rewrite->target;
    auto target = Target::parse(text, *pattern);
    if (!target || !(text.starts_with('/') || text.starts_with("{path}")))
      return fail(kBadTarget,
                  fmt::format("bad target `{}`: {}", text,
                              target ? "a rewrite leads to another path of this host" : target.error()),
                  spec.rewrite->place);
    route.rewrite = std::make_unique<const Target>(std::move(*target));
  }
  if (route.host == nullptr) return;  // that has been said
  const auto added = hosts_[spec.host]->router.add(*pattern, route.methods, &route);
  if (added) return;
  // The first of those that it clashes with; where it is is looked for now, and not kept for all.
  const auto first = std::ranges::find(site_->routes_, added.error().first, &std::unique_ptr<Route>::get);
  const Place& other = path_places_[static_cast<size_t>(first - site_->routes_.begin())];
  fail(kDuplicateRoute, fmt::format("route `{}`: {}", route.path, added.error().text), place,
       fmt::format("the first is `{}` at {}", added.error().first->path, where(other)));
}

// One copy of each for all routes: a few handlers have many.
std::string_view SiteBuilder::keep(std::string&& name) {
  return *site_->names_.insert(std::move(name)).first;
}

http::MethodSet SiteBuilder::read_methods(const RouteSpec& spec) {
  http::MethodSet methods = 0;
  for (const std::string& name : spec.methods) {
    if (name == kAnyMethod) {
      methods |= kEveryMethod;
      continue;
    }
    const auto method = http::find_method(name);
    if (!method) {
      fail(kUnknownMethod, "unknown method `" + name + "`", spec.method_place,
           did_you_mean(name, routed_methods()));
    } else if ((kNeverRouted & http::method_bit(*method)) != 0) {
      fail(kUnknownMethod, "`" + name + "` is never given to a handler", spec.method_place);
    } else {
      methods |= http::method_bit(*method);
    }
  }
  return methods;
}

// The instances that apply to a route: the global ones, those of the host and groups that it stands in, those that it
// names, and its own.
std::vector<Step> SiteBuilder::steps_of(RouteSpec& spec) {
  std::vector<Step> steps;
  std::ranges::copy_if(declared_steps_, std::back_inserter(steps),
                       [](const Step& step) { return step.kind != nullptr && step.spec->global; });
  const auto add_named = [&](const std::string& name) {
    const auto found = std::ranges::find_if(declared_steps_, [&](const Step& step) {
      return step.kind != nullptr && !name.empty() && step.spec->name == name;
    });
    if (found != declared_steps_.end()) {
      steps.push_back(*found);
    } else if (name.empty() || std::ranges::find(names_, name) == names_.end()) {
      fail(kUnknownMiddleware, "no middleware instance is named `" + name + "`", spec.middleware_place,
           did_you_mean(name, names_));
    }
  };
  if (spec.scope) {
    for (const size_t number : spec.scope->inherited)
      if (declared_steps_[number].kind != nullptr) steps.push_back(declared_steps_[number]);
    std::ranges::for_each(spec.scope->named, add_named);
  }
  std::ranges::for_each(spec.named, add_named);
  for (const MiddlewareSpec& own : spec.middleware) {
    check_constraints(own, spec.middleware);
    if (std::ranges::find(names_, own.name) != names_.end())
      fail(kDuplicateName, "two middleware instances are named `" + own.name + "`", own.place);
  }
  for (MiddlewareSpec& own : spec.middleware)
    if (Step step = make_step(std::move(own)); step.kind != nullptr) steps.push_back(std::move(step));
  return steps;
}

void SiteBuilder::give_chain(Route& route, std::vector<Step> steps) {
  std::vector<const void*> key;
  for (const Step& step : steps)
    key.push_back(step.instance != nullptr ? static_cast<const void*>(step.instance) : step.filter);
  auto [found, fresh] = chains_.try_emplace(std::move(key), nullptr);
  if (fresh) {
    site_->chains_.push_back(compile_chain(std::move(steps)));
    found->second = site_->chains_.back().get();
  }
  route.chain = found->second;
}

// Without steps where something was wrong.
std::unique_ptr<Chain> SiteBuilder::compile_chain(std::vector<Step> steps) {
  auto compiled = std::make_unique<Chain>();
  Chain& chain = *compiled;
  merge_duplicates(steps);
  if (const auto cycle = order_chain(steps); !cycle.empty()) {
    std::string text;
    for (const Step* step : cycle) text += "`" + display_name(*step->spec) + "` before ";
    fail(kOrderCycle,
         "`before` and `after` contradict each other: " + text + "`" + display_name(*cycle.front()->spec) +
             "`",
         cycle.front()->spec->place);
    return compiled;
  }
  const auto cache = std::ranges::find(steps, &kCache, &Step::kind);
  std::vector<http::FilterStep> innermost;
  for (uint32_t i = 0; i < steps.size(); ++i) {
    const Step& step = steps[i];
    if (step.filter != nullptr) {
      chain.filters.insert(chain.filters.begin(), {step.filter, i + 1, http::Origin::Host});
      continue;
    }
    const uint8_t hooks = step.instance->hooks();
    // What comes to the handler has passed all of the chain.
    const bool inside = i > cache - steps.begin();
    const bool reached = inside || (hooks & Middleware::kRequest) != 0;
    const bool varies = (hooks & Middleware::kVaries) != 0;
    if (inside && !varies && (hooks & (Middleware::kRequest | Middleware::kBody)) != 0)
      fail(kInsideCache,
           "`" + display_name(*step.spec) + "` acts on requests, and cannot come after the cache",
           step.spec->place);
    const Chain::Hook hook{step.instance, reached ? i + 1 : 0, step.instance->for_clients()};
    if ((hooks & Middleware::kRequest) != 0) chain.on_request.push_back(hook);
    if ((hooks & Middleware::kBody) != 0) chain.on_body.push_back(hook);
    if ((hooks & Middleware::kAnswer) != 0) {
      if (step.instance->sees_all_answers())
        innermost.push_back({step.instance, 0, http::Origin::Handler});
      else
        chain.filters.insert(
            chain.filters.begin(),
            {step.instance, hook.position, inside ? http::Origin::Handler : http::Origin::Middleware});
    }
    if ((hooks & Middleware::kMoments) != 0) chain.moments = true;
    if ((hooks & Middleware::kPreflight) != 0) chain.preflights = true;
    if ((hooks & Middleware::kDone) != 0) chain.on_done.insert(chain.on_done.begin(), hook);
  }
  chain.filters.insert(chain.filters.begin(), innermost.begin(), innermost.end());
  for (const Step& step : steps)
    if (const size_t colon = step.kind->name.find(':'); colon != std::string_view::npos)
      chain.owners.emplace_back(step.kind->name.substr(0, colon));
  if (chain.filters.size() > http::Exchange::kMostFilters)
    fail(kTooManyFilters, "more than 64 middleware instances see the answers of one route",
         steps[0].spec->place);
  chain.steps = std::move(steps);
  return compiled;
}

}  // namespace leat::pipeline
