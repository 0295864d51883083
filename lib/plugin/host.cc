#include "plugin/host.h"

#include <fmt/core.h>

#include <atomic>

#include "base/check.h"
#include "base/log.h"
#include "base/suggest.h"
#include "plugin/call.h"
#include "plugin/codes.h"
#include "plugin/commons.h"
#include "plugin/extensions/extensions.h"
#include "plugin/handler.h"
#include "plugin/load_time.h"
#include "plugin/pooled_handler.h"
#include "plugin/work.h"

namespace leat::plugin {
namespace {

struct Extension {
  std::string_view name;
  const void* table;
};

constexpr Extension kExtensions[] = {
    {"leat.request/1", &kRequestExtension},
    {"leat.body/1", &kBodyExtension},
    {"leat.response/1", &kResponseExtension},
    {"leat.arena/1", &kArenaExtension},
    {"leat.json/1", &kJsonExtension},
    {"leat.json_reader/1", &kJsonReaderExtension},
    {"leat.log/1", &kLogExtension},
    {"leat.config/1", &kConfigExtension},
    {"leat.route/1", &kRouteExtension},
    {"leat.async/1", &kAsyncExtension},
    {"leat.timer/1", &kTimerExtension},
    {"leat.pool/1", &kPoolExtension},
    {"leat.client/1", &kClientExtension},
    {"leat.metrics/1", &kMetricsExtension},
    {"leat.services/1", &kServicesExtension},
    {"leat.cache/1", &kCacheExtension},
    {"leat.response_cache/1", &kResponseCacheExtension},
};

const void* find_extension(const leat_host* host, leat_str name) {
  const void* table = nullptr;
  for (const Extension& extension : kExtensions)
    if (extension.name == view(name)) table = extension.table;
  const Commons* commons = host == nullptr ? nullptr : static_cast<const Host*>(host)->commons;
  return commons == nullptr || commons->exchange_table == nullptr ? table
                                                                  : commons->exchange_table(name, table);
}

void add_failure(leat_error* error, leat_str key, leat_str message) {
  if (error != nullptr) error->failures.push_back({std::string(view(key)), std::string(view(message))});
}

int32_t log_enabled(const leat_host*, uint32_t level) {
  return level <= LEAT_LOG_ERROR && log::enabled(static_cast<log::Level>(level)) ? 1 : 0;
}

void log_write(const leat_host* host, uint32_t level, leat_str message) {
  if (host == nullptr || log_enabled(host, level) == 0) return;
  // A line break in a message would forge a line of the log.
  std::string line = fmt::format("{}: {}", static_cast<const Host*>(host)->blame, view(message));
  for (char& c : line)
    if (static_cast<unsigned char>(c) < ' ' || c == 0x7f) c = '?';
  log::write_of_plugin(static_cast<log::Level>(level), static_cast<const Host*>(host)->blame, line);
}

// The place that a failure's key has in the configuration; that of the whole table for an unknown one.
Place place_of(const Value& config, std::string_view key) {
  const Value* value = &config;
  while (!key.empty()) {
    const size_t dot = std::min(key.find('.'), key.size());
    const Value* inner = value->find(key.substr(0, dot));
    if (inner == nullptr) break;
    value = inner;
    key.remove_prefix(std::min(dot + 1, key.size()));
  }
  return value->place;
}

std::atomic<uint64_t> next_instance{1};

}  // namespace

const leat_log_v1 kLogExtension = {
    .struct_size = sizeof(leat_log_v1),
    .reserved = 0,
    .enabled = log_enabled,
    .write = log_write,
};

Host::Host(std::string_view plugin, const LibraryOptions& options, PluginInstance* owner)
    : leat_host{sizeof(leat_host),
                LEAT_ABI_MAJOR,
                LEAT_ABI_MINOR,
                options.worker_count,
                to_str(options.daemon_version),
                find_extension,
                add_failure},
      blame(fmt::format("plugin {}", plugin)),
      instance(owner),
      commons(options.commons) {}

PluginInstance::Worker::Worker(uint64_t first_generation)
    : suspensions(first_generation), desk(std::make_shared<WorkDesk>()) {}

PluginInstance::PluginInstance(PluginLibrary& library, std::string_view name)
    : library_(library),
      name_(name),
      host_(name, library.options(), this),
      worker_init_title_(library.keep(blame() + ": worker_init()")),
      worker_fini_title_(library.keep(blame() + ": worker_fini()")) {
  // 2^24 instances of 2^36 suspensions a slot, before a ticket of one could name a slot of another.
  const uint64_t first_generation = next_instance.fetch_add(1, std::memory_order_relaxed) << 36;
  for (uint32_t i = 0; i < library.options().worker_count; ++i)
    workers_.push_back(std::make_unique<Worker>(first_generation));
}

std::expected<std::unique_ptr<PluginInstance>, Diagnostics> PluginInstance::create(
    PluginLibrary& library, std::string_view name, const Value& config, std::vector<leat_service_use> uses) {
  std::unique_ptr<PluginInstance> instance(new PluginInstance(library, name));
  instance->uses_ = std::move(uses);
  Diagnostics found;
  leat_config table(config, found);
  leat_error error;
  int32_t answer = LEAT_OK;
  if (library.entry().create != nullptr)
    answer = guarded(
        error, [&] { return library.entry().create(&instance->host_, &table, &instance->state_, &error); });
  instance->created_ = answer == LEAT_OK;
  // A plugin that gave up half-way has not read all its keys.
  if (instance->created_) table.report_unknown();
  for (const Failure& failure : error.failures)
    found.push_back({Diagnostic::Severity::Error, kRefused,
                     fmt::format("{}: {}", instance->blame(), failure.message), place_of(config, failure.key),
                     ""});
  if (!instance->created_ && found.empty())
    found.push_back({Diagnostic::Severity::Error, kRefused,
                     fmt::format("{}: create() failed with {} and no reason", instance->blame(), answer),
                     config.place, "the plugin should say why with host->fail"});
  if (!found.empty()) return std::unexpected(std::move(found));
  return instance;
}

PluginInstance::~PluginInstance() {
  if (!created_ || library_.entry().destroy == nullptr) return;
  leat_error error;
  guarded(error, [this] {
    library_.entry().destroy(state_);
    return LEAT_OK;
  });
  if (!error.failures.empty()) log::error("{}: destroy(): {}", blame(), error.text());
}

std::expected<void, LoadError> PluginInstance::self_test() {
  const auto test = library_.entry().self_test;
  if (test == nullptr) return {};
  leat_error error;
  const int32_t answer = guarded(error, [&] { return test(&host_, state_, &error); });
  if (answer == LEAT_OK && error.failures.empty()) return {};
  return std::unexpected(LoadError{fmt::format("{}: its self-test failed: {}", blame(), error.text()), ""});
}

bool PluginInstance::can_import_from(const PluginInstance& former) const {
  return former.library_.entry().export_state != nullptr && library_.entry().import_state != nullptr;
}

std::expected<void, LoadError> PluginInstance::import_from(PluginInstance& former) {
  if (!can_import_from(former)) return {};
  const auto exporter = former.library_.entry().export_state;
  const auto importer = library_.entry().import_state;
  std::string state;
  const auto sink = [](void* context, leat_str piece) {
    static_cast<std::string*>(context)->append(view(piece));
    return LEAT_OK;
  };
  leat_error error;
  int32_t answer =
      guarded(error, [&] { return exporter(&former.host_, former.state_, sink, &state, &error); });
  const std::string_view step = answer == LEAT_OK ? "import_state" : "export_state";
  if (answer == LEAT_OK)
    answer = guarded(error, [&] { return importer(&host_, state_, to_str(state), &error); });
  if (answer == LEAT_OK && error.failures.empty()) return {};
  return std::unexpected(LoadError{fmt::format("{}: {} failed: {}", blame(), step, error.text()), ""});
}

void PluginInstance::on_drain(uint64_t deadline_ns) {
  const auto drain = library_.entry().on_drain;
  if (drain == nullptr) return;
  leat_error error;
  guarded(error, [&] {
    drain(&host_, state_, deadline_ns);
    return LEAT_OK;
  });
  if (!error.failures.empty()) log::error("{}: on_drain: {}", blame(), error.text());
}

std::expected<void, LoadError> PluginInstance::worker_init(uint32_t index) {
  Worker& worker = *workers_[index];
  leat_error error;
  int32_t answer = LEAT_OK;
  if (const auto init = library_.entry().worker_init) {
    const RunningScope running(worker_init_title_);
    answer = guarded(error, [&] { return init(&host_, state_, index, &worker.state, &error); });
  }
  worker.ready = answer == LEAT_OK;
  if (worker.ready && error.failures.empty()) return {};
  worker_fini(index);
  return std::unexpected(
      LoadError{fmt::format("{}: worker_init() refused on worker {}: {}", blame(), index, error.text()), ""});
}

bool PluginInstance::idle(uint32_t index) const { return workers_[index]->desk->idle(); }

bool PluginInstance::when_idle(uint32_t index, std::function<void()> then) {
  return workers_[index]->desk->when_idle(std::move(then));
}

void PluginInstance::worker_fini(uint32_t index) {
  Worker& worker = *workers_[index];
  if (!worker.ready) return;
  worker.ready = false;
  worker.desk->close();
  leat_error error;
  if (const auto fini = library_.entry().worker_fini) {
    const RunningScope running(worker_fini_title_);
    guarded(error, [&] {
      fini(state_, index, worker.state);
      return LEAT_OK;
    });
  }
  if (!error.failures.empty()) log::error("{}: worker_fini(): {}", blame(), error.text());
  worker.state = nullptr;
}

namespace {

// The plugin's handler of that name, or what is wrong with it for that executor.
std::expected<const leat_handler*, LoadError> choose_handler(const PluginInstance& instance,
                                                             std::string_view name, Executor executor) {
  const leat_handler* chosen = nullptr;
  std::vector<std::string> names;
  for (const leat_handler& handler : instance.library().handlers()) {
    names.emplace_back(view(handler.name));
    if (view(handler.name) == name) chosen = &handler;
  }
  if (chosen == nullptr) {
    std::string all;
    for (const std::string& each : names) all += (all.empty() ? "" : ", ") + each;
    const std::string_view close = closest(name, names);
    std::string hint = all.empty() ? "it has none at all" : "it has " + all;
    if (!close.empty()) hint = fmt::format("did you mean `{}`?", close);
    return std::unexpected(
        LoadError{fmt::format("{} has no handler `{}`", instance.blame(), name), std::move(hint)});
  }
  constexpr uint32_t kBoth = LEAT_HANDLER_ANY_THREAD | LEAT_HANDLER_STREAM_BODY;
  if (executor == Executor::Worker || (chosen->flags & kBoth) == LEAT_HANDLER_ANY_THREAD) return chosen;
  return std::unexpected(
      LoadError{fmt::format("{}: handler `{}` cannot run on the pool", instance.blame(), name),
                (chosen->flags & LEAT_HANDLER_STREAM_BODY) != 0
                    ? "it takes its body in pieces, as its worker gets them"
                    : "it does not say that it can (LEAT_HANDLER_ANY_THREAD): it may be a coroutine, or "
                      "need what each worker has of its own"});
}

// Puts the pool before a handler.
std::unique_ptr<pipeline::Handler> on_pool(std::unique_ptr<PluginHandler> handler) {
  const LibraryOptions& options = handler->instance().library().options();
  ENSURE(options.commons != nullptr);
  auto refused = options.commons->metrics.declare(
      {.name = "leat_executor_refused_total",
       .help = "Requests answered 503 because as many wait for a thread of the pool as may.",
       .labels = {{"route", handler->route().id}},
       .limited = false},
      options.worker_count);
  return std::make_unique<PooledHandler>(std::move(handler), *options.commons,
                                         refused ? std::move(*refused) : nullptr);
}

}  // namespace

std::expected<std::unique_ptr<pipeline::Handler>, LoadError> make_handler(PluginInstance& instance,
                                                                          std::string_view name,
                                                                          const RouteInfo& route,
                                                                          Executor executor) {
  const auto chosen = choose_handler(instance, name, executor);
  if (!chosen) return std::unexpected(chosen.error());
  const leat_handler& handler = **chosen;
  void* bound = nullptr;
  if (handler.bind != nullptr) {
    const leat_route bound_route{route};
    leat_error error;
    const int32_t answer = guarded(error, [&] {
      return handler.bind(&instance.host(), instance.state(), &bound_route, &bound, &error);
    });
    if (answer != LEAT_OK || !error.failures.empty()) {
      if (answer == LEAT_OK && handler.unbind != nullptr) handler.unbind(instance.state(), bound);
      return std::unexpected(LoadError{fmt::format("{}: handler `{}` cannot serve {}: {}", instance.blame(),
                                                   name, route.pattern, error.text()),
                                       ""});
    }
  }
  auto made = std::make_unique<PluginHandler>(instance, handler, route, bound);
  if (executor == Executor::Pool) return on_pool(std::move(made));
  return made;
}

leat_upstream* PluginInstance::add_upstream(std::shared_ptr<client::Upstream> upstream) {
  upstreams_.push_back(std::make_unique<leat_upstream>(std::move(upstream)));
  return upstreams_.back().get();
}

const metrics::Metric* PluginInstance::add_metric(const std::shared_ptr<metrics::Metric>& metric) {
  const metrics::Metric* other = metric_names_.take(*metric);
  if (other == nullptr) metrics_.push_back(metric);
  return other;
}

bool PluginInstance::owns(const leat_upstream* upstream) const {
  return std::ranges::any_of(upstreams_, [=](const auto& each) { return each.get() == upstream; }) ||
         std::ranges::any_of(uses_, [=](const auto& each) { return each.provider->owns(upstream); });
}

const leat_service_use* PluginInstance::find_use(std::string_view service) const {
  const auto found =
      std::ranges::find(uses_, service, [](const auto& each) { return view(each.service->name); });
  return found == uses_.end() ? nullptr : &*found;
}

}  // namespace leat::plugin
