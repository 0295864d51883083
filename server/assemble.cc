#include "server/assemble.h"

#include <fmt/core.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <ranges>

#include "cache/cached_handler.h"
#include "config/diagnostics.h"
#include "config/file.h"
#include "handlers/answer.h"
#include "handlers/limited.h"
#include "handlers/own.h"
#include "handlers/quarantine.h"
#include "leat_version.h"
#include "middleware/kinds.h"
#include "pipeline/codes.h"
#include "plugin/codes.h"
#include "plugin/shared_resources.h"
#include "server/metric_table.h"
#include "server/process/crash_report.h"
#include "server/service_order.h"

namespace leat::server {

namespace {

// Of a kind of middleware, "PLUGIN:NAME"; empty for Leat's own.
std::string_view plugin_of(std::string_view kind) {
  const size_t colon = kind.find(':');
  return colon == std::string_view::npos ? std::string_view() : kind.substr(0, colon);
}

// As the files of the configuration are read, so that what serves again after a crash is what served before.
std::expected<std::string, std::string> read_text(const std::string& path) {
  auto text = config::read_file(path);
  if (!text) return std::unexpected(std::move(text.error().reason));
  return std::move(*text);
}

class Assembler {
 public:
  Assembler(config::Config& config, plugin::PluginLibraries& libraries, std::vector<std::string> folders,
            uint32_t workers, Diagnostics& diagnostics, std::span<const std::string> quarantined)
      : config_(config),
        libraries_(libraries),
        diagnostics_(diagnostics),
        quarantined_(quarantined),
        out_of_service_(quarantined.begin(), quarantined.end()) {
    options_.directories = std::move(folders);
    options_.directories.insert(options_.directories.end(), config.settings.plugin_path.begin(),
                                config.settings.plugin_path.end());
    options_.directories.push_back(installed_plugins());
    options_.daemon_version = LEAT_VERSION;
    options_.worker_count = workers;
  }

  std::optional<Assembly> run() {
    for (const config::PluginDecl& plugin : config_.plugins) {
      if (is_doubtful(plugin)) continue;
      load(plugin);
      if (plugin.concurrency != 0)
        limits_of_.emplace(plugin.name, std::make_shared<handlers::ConcurrencyLimit>(plugin.concurrency));
    }
    create();
    check_metrics();
    gather_kinds();
    // Of a great many routes nothing is there twice: each is let go of when it has been built.
    pipeline::SiteBuilder builder(assembly_.kinds->all(),
                                  {.workers = options_.worker_count,
                                   .metrics = &libraries_.shared().metrics,
                                   .states = &libraries_.shared().states,
                                   .logs = &libraries_.shared().logs,
                                   .pool = &libraries_.shared().pool,
                                   .read_file = read_text,
                                   .version = LEAT_VERSION,
                                   .scripted_upstreams = libraries_.shared().scripted_upstreams});
    for (pipeline::MiddlewareSpec& spec : config_.middleware) builder.add_middleware(std::move(spec));
    add_hosts(builder);
    for (; !config_.routes.empty(); config_.routes.pop_front()) {
      config::RouteDecl& route = config_.routes.front();
      const std::string id = builder.id_of(route.spec);
      bind(route, id);
      limit(route, id);
      if (cache(route, id)) builder.set_change_listener(libraries_.shared().responses);
      route.spec.owner_size = route.plugin_size;
      builder.add_route(std::move(route.spec));
    }
    assembly_.site = builder.build(diagnostics_);
    if (assembly_.site != nullptr)
      for (const auto& route : assembly_.site->routes())
        if (route->handler != nullptr) route->handler->on_built(*assembly_.site);
    // Of what is complete only: a plugin may look at what its routes have bound.
    for (size_t i = 0; i < assembly_.plugins.size() && !any_error(); ++i) {
      const LoadingScope scope(names_[i]);
      const auto fit = assembly_.plugins[i]->self_test();
      if (!fit) fail(plugin::kRefused, fit.error(), places_[i]);
    }
    tidy(diagnostics_, config_);
    if (any_error()) return std::nullopt;
    for (const config::PluginDecl& plugin : config_.plugins)
      if (std::ranges::contains(out_of_service_, plugin.name))
        assembly_.out_of_service.push_back(
            {plugin.name, plugin.file, std::ranges::contains(quarantined_, plugin.name)});
    return std::move(assembly_);
  }

 private:
  void fail(int code, const plugin::LoadError& error, const Place& place) {
    diagnostics_.push_back({.code = code, .message = error.message, .place = place, .hint = error.hint});
  }

  [[nodiscard]] bool any_error() const { return config::any_error(diagnostics_); }

  // A plugin is not to see what could not be read, nor what only stands in place of it. Its routes are not
  // blamed for that.
  bool is_doubtful(const config::PluginDecl& declared) {
    const auto error_at = [&](const Place& place) {
      return std::ranges::any_of(diagnostics_, [&](const Diagnostic& each) {
        return each.severity == Diagnostic::Severity::Error && each.place.file && place.file &&
               *each.place.file == *place.file && each.place.line == place.line &&
               each.place.column == place.column;
      });
    };
    const auto wrong = [&](const auto& self, const Value& value) -> bool {
      if (error_at(value.place)) return true;
      if (value.array() != nullptr)
        return std::ranges::any_of(*value.array(), [&](const Value& each) { return self(self, each); });
      return value.table() != nullptr && std::ranges::any_of(*value.table(), [&](const Value::Entry& each) {
               return self(self, each.second);
             });
    };
    if (!any_error() || (!declared.name.empty() && !declared.file.empty() && !error_at(declared.place) &&
                         !wrong(wrong, declared.config)))
      return false;
    out_of_service_.push_back(declared.name);
    return true;
  }

  void load(const config::PluginDecl& declared) {
    if (std::ranges::contains(out_of_service_, declared.name)) return;
    const LoadingScope scope(declared.name);
    watch_for_exit();
    auto library = libraries_.load(declared.file, options_);
    keep_signal_handlers(declared.name);
    if (!library) {
      out_of_service_.push_back(declared.name);
      return fail(plugin::kCannotLoad, library.error(), declared.place);
    }
    parties_.push_back({&declared, (*library)->services(), (*library)->needs()});
    loaded_.push_back(std::move(*library));
  }

  // Makes the instances, each after those whose services it uses.
  void create() {
    const ServiceOrder services = order_services(parties_, out_of_service_, diagnostics_);
    std::vector<plugin::PluginInstance*> made(parties_.size());
    for (const size_t party : services.order) {
      std::vector<leat_service_use> uses;
      bool whole = true;
      for (const auto& [service, provider] : services.uses[party]) {
        uses.push_back({service, made[provider]});
        whole = whole && made[provider] != nullptr;
      }
      // What its provider has against the configuration was said there.
      if (whole) made[party] = create(*parties_[party].declared, loaded_[party], std::move(uses));
    }
    for (size_t party = 0; party < parties_.size(); ++party)
      if (!std::ranges::contains(services.order, party))
        out_of_service_.push_back(parties_[party].declared->name);
  }

  plugin::PluginInstance* create(const config::PluginDecl& declared,
                                 const std::shared_ptr<plugin::PluginLibrary>& library,
                                 std::vector<leat_service_use> uses) {
    const LoadingScope scope(declared.name);
    auto instance = plugin::PluginInstance::create(*library, declared.name, declared.config, std::move(uses));
    keep_signal_handlers(declared.name);
    if (!instance) {
      std::ranges::move(instance.error(), std::back_inserter(diagnostics_));
      return nullptr;
    }
    names_.push_back(declared.name);
    places_.push_back(declared.place);
    assembly_.libraries.push_back(library);
    return assembly_.plugins.emplace_back(std::move(*instance)).get();
  }

  // What the plugins declared must make one text: each was judged alone.
  void check_metrics() {
    metrics::Names names;
    for (size_t i = 0; i < assembly_.plugins.size(); ++i)
      for (const auto& metric : assembly_.plugins[i]->metrics())
        if (const metrics::Metric* other = names.take(*metric))
          fail(plugin::kRefused,
               {fmt::format("plugin {}: {}", names_[i], metrics::contradiction(*metric, *other)), ""},
               places_[i]);
  }

  // Leat's kinds of middleware and the plugins'. In the place of those of plugins that are out of service, of
  // which nothing but the name is known, stands what keeps closed what they may guard.
  void gather_kinds() {
    assembly_.kinds = std::make_unique<plugin::Kinds>(
        middleware::kinds(), [](const std::string& plugin, const std::function<void()>& make) {
          const LoadingScope scope(plugin);
          make();
          keep_signal_handlers(plugin);
        });
    for (const auto& instance : assembly_.plugins) assembly_.kinds->add(*instance);
    const auto stand_in = [&](const pipeline::MiddlewareSpec& spec) {
      const std::string_view owner = plugin_of(spec.kind);
      const bool absent = std::ranges::contains(out_of_service_, owner) ||
                          (any_error() && !std::ranges::contains(names_, owner));
      if (owner.empty() || !absent || assembly_.kinds->has(spec.kind)) return;
      assembly_.kinds->add_absent(spec.kind, [](const pipeline::BuildContext& context) {
        return handlers::make_quarantined_middleware(std::string(plugin_of(context.kind.name)),
                                                     context.optional);
      });
    };
    for (const pipeline::MiddlewareSpec& spec : config_.middleware) stand_in(spec);
    for (const config::RouteDecl& route : config_.routes)
      for (const pipeline::MiddlewareSpec& spec : route.spec.middleware) stand_in(spec);
  }

  void bind_own(config::RouteDecl& route) {
    std::string names;
    for (const handlers::OwnHandler& each : handlers::own_handlers()) {
      if (each.name == route.handler()) {
        route.spec.handler = each.create({.metrics = libraries_.shared().metrics,
                                          .condition = libraries_.shared().condition,
                                          .watch = libraries_.shared().watch,
                                          .version = LEAT_VERSION,
                                          .allow = route.allow});
        return;
      }
      names += fmt::format("{}leat:{}", names.empty() ? "" : ", ", each.name);
    }
    fail(plugin::kCannotBind,
         plugin::LoadError{fmt::format("the daemon has no handler `{}` of its own", route.handler()),
                           "it has " + names},
         route.handler_place);
  }

  void add_hosts(pipeline::SiteBuilder& builder) {
    const pipeline::TrailingSlash policy = config_.settings.trailing_slash;
    builder.set_trailing_slash(policy);
    for (config::HostDecl& host : config_.hosts) {
      for (const net::Address& listener : host.listeners) host.spec.listeners.push_back(listener.text());
      host.spec.trailing_slash = host.trailing_slash.value_or(policy);
      builder.add_host(std::move(host.spec));
    }
    for (const uint32_t most : config_.shared_limits)
      shared_limits_.push_back(std::make_shared<handlers::ConcurrencyLimit>(most));
  }

  // What needs no plugin.
  bool bind_answer(config::RouteDecl& route) {
    if (route.answer != nullptr) {
      route.spec.handler_name = fmt::format("answer {}", route.answer->status);
      route.spec.handler = handlers::make_fixed_answer(std::move(*route.answer));
      return true;
    }
    if (!route.redirect) return false;
    const auto& [text, status, place] = *route.redirect;
    route.spec.handler_name = fmt::format("{} {}", status, text);
    const auto pattern = pipeline::Pattern::parse(route.spec.path);
    if (!pattern) return true;  // that is told elsewhere
    auto target = pipeline::Target::parse(text, *pattern);
    if (target)
      route.spec.handler = handlers::make_redirect(std::move(*target), status);
    else
      fail(pipeline::kBadTarget, {fmt::format("bad target `{}`: {}", text, target.error()), ""}, place);
    return true;
  }

  // Gives a route its handler. One whose plugin did not load stays without: that has been said.
  void bind(config::RouteDecl& route, const std::string& id) {
    if (bind_answer(route) || route.spec.handler != nullptr || route.handler().empty()) return;
    if (route.plugin() == config::kOwnHandlers) {
      return bind_own(route);
    }
    if (std::ranges::contains(out_of_service_, route.plugin())) {
      route.spec.handler = handlers::make_quarantine(std::string(route.plugin()));
      return;
    }
    const auto found = std::ranges::find(names_, route.plugin());
    const auto pattern = pipeline::Pattern::parse(route.spec.path);
    if (found == names_.end() || !pattern) return;
    plugin::PluginInstance& instance = *assembly_.plugins[static_cast<size_t>(found - names_.begin())];
    const plugin::RouteInfo info{.id = id,
                                 .pattern = route.spec.path,
                                 .params = pattern->params(),
                                 .parameters = std::move(route.parameters),
                                 .form_limits = config_.settings.form_limits};
    const LoadingScope scope(route.plugin());
    auto handler = plugin::make_handler(instance, route.handler(), info, route.executor);
    if (!handler) return fail(plugin::kCannotBind, handler.error(), route.handler_place);
    route.spec.handler = std::move(*handler);
  }

  // Puts the bounds of the route and its plugin before the handler.
  void limit(config::RouteDecl& route, const std::string& id) {
    if (route.spec.handler == nullptr) return;
    std::vector<std::shared_ptr<handlers::ConcurrencyLimit>> limits;
    if (const auto own = limits_of_.find(route.plugin()); own != limits_of_.end())
      limits.push_back(own->second);
    if (route.spec.scope)
      for (const size_t shared : route.spec.scope->shared_limits) limits.push_back(shared_limits_[shared]);
    if (route.concurrency != 0)
      limits.push_back(std::make_shared<handlers::ConcurrencyLimit>(route.concurrency));
    if (limits.empty()) return;
    auto refused = libraries_.shared().metrics.declare(
        description_of(metric_row("leat_concurrency_refused_total"), {{"route", id}}), options_.worker_count);
    route.spec.handler = std::make_unique<handlers::LimitedHandler>(
        std::move(route.spec.handler), std::move(limits), refused ? std::move(*refused) : nullptr);
  }

  // What a request has that leads to this route and not to another one of the same host and path: answers of the one are none
  // of the other's.
  [[nodiscard]] std::string set_apart(const config::RouteDecl& route) const {
    std::string text = route.spec.when != nullptr ? pipeline::Condition(*route.spec.when).text() : "";
    if (route.spec.host == 0) return text;
    for (const net::Address& listener : config_.hosts[route.spec.host - 1].listeners)
      text += fmt::format("{}listener {}", text.empty() ? "" : ", ", listener.text());
    return text;
  }

  // Puts the response cache before the handler. False: the route has none.
  bool cache(config::RouteDecl& route, const std::string& id) {
    if (!route.cache || route.spec.handler == nullptr) return false;
    plugin::SharedResources& shared = libraries_.shared();
    cache::CachedHandler::Counters counters;
    for (size_t i = 0; i < counters.size(); ++i) {
      auto counter = shared.metrics.declare(
          description_of(metric_row("leat_response_cache_requests_total"),
                         {{"route", id}, {"result", std::string(cache::CachedHandler::kResults[i])}}),
          options_.worker_count);
      if (counter) counters[i] = std::move(*counter);
    }
    route.cache->apart = set_apart(route);
    route.spec.handler = std::make_unique<cache::CachedHandler>(
        std::move(route.spec.handler), std::move(*route.cache), shared.responses, std::move(counters));
    return true;
  }

  config::Config& config_;
  plugin::PluginLibraries& libraries_;
  Diagnostics& diagnostics_;
  std::span<const std::string> quarantined_;
  std::vector<std::string> out_of_service_;  // in quarantine, could not be loaded, or need one of those
  plugin::LibraryOptions options_;
  std::vector<ServiceParty> parties_;
  std::vector<std::shared_ptr<plugin::PluginLibrary>> loaded_;  // of each party
  Assembly assembly_;
  std::vector<std::string> names_;  // of assembly_.plugins
  std::map<std::string, std::shared_ptr<handlers::ConcurrencyLimit>, std::less<>>
      limits_of_;                                                           // plugins' concurrency
  std::vector<std::shared_ptr<handlers::ConcurrencyLimit>> shared_limits_;  // of hosts and groups
  std::vector<Place> places_;                                               // where they are declared
};

}  // namespace

Assembly::~Assembly() {
  site.reset();
  while (!plugins.empty()) {
    const LoadingScope scope(plugins.back()->name());
    plugins.pop_back();
  }
}

std::expected<void, plugin::LoadError> Assembly::worker_init(uint32_t index) const {
  for (const auto& plugin : plugins) {
    const LoadingScope scope(plugin->name());
    auto ready = plugin->worker_init(index);
    keep_signal_handlers(plugin->name());
    if (!ready) return ready;
  }
  return {};
}

void Assembly::worker_fini(uint32_t index) const {
  for (const auto& plugin : plugins | std::views::reverse) {
    const LoadingScope scope(plugin->name());
    plugin->worker_fini(index);
  }
}

void Assembly::on_drain(uint64_t deadline_ns) const {
  for (const auto& plugin : plugins | std::views::reverse) {
    const LoadingScope scope(plugin->name());
    plugin->on_drain(deadline_ns);
  }
}

std::optional<Assembly> assemble(config::Config& config, plugin::PluginLibraries& libraries,
                                 std::vector<std::string> folders, uint32_t workers, Diagnostics& diagnostics,
                                 std::span<const std::string> quarantined) {
  return Assembler(config, libraries, std::move(folders), workers, diagnostics, quarantined).run();
}

std::string installed_plugins() {
  std::error_code unreadable;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", unreadable);
  const auto beside = (self.parent_path() / LEAT_LIBDIR / "leat" / "plugins").lexically_normal();
  return std::filesystem::is_directory(beside, unreadable) ? beside.string() : LEAT_PLUGIN_DIR;
}

}  // namespace leat::server
