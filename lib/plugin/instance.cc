#include "plugin/instance.h"

#include <fmt/core.h>

#include <algorithm>
#include <atomic>

#include "base/activity.h"
#include "base/log.h"
#include "plugin/codes.h"
#include "plugin/load_time.h"
#include "plugin/shared_resources.h"
#include "plugin/text.h"

namespace leat::plugin {
namespace {

// The place that a failure's key has in the configuration; that of the whole table for an unknown one.
const Place& place_of(const Value& config, std::string_view key) {
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

void report_failures(const leat_error& error, int32_t answer, std::string_view who, const Value& config,
                     const Place& place, Diagnostics& found) {
  for (const Failure& failure : error.failures) {
    const Place& at = place_of(config, failure.key);
    found.push_back({Diagnostic::Severity::Error, kRefused, fmt::format("{}: {}", who, failure.message),
                     at.line != 0 ? at : place, ""});
  }
  if (answer != LEAT_OK && found.empty())
    found.push_back({Diagnostic::Severity::Error, kRefused,
                     fmt::format("{}: create() failed with {} and no reason", who, answer), place,
                     "the plugin should say why with host->fail"});
}

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
  leat_config table(config, found, notes_of(library.options().shared, name));
  leat_error error;
  int32_t answer = LEAT_OK;
  if (library.entry().create != nullptr)
    answer = guarded(
        error, [&] { return library.entry().create(&instance->host_, &table, &instance->state_, &error); });
  instance->created_ = answer == LEAT_OK;
  // A plugin that gave up half-way has not read all its keys.
  if (instance->created_) table.report_unknown();
  report_failures(error, answer, instance->blame(), config, config.place, found);
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
