#include "server/generations.h"

#include <fmt/core.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <ctime>

#include "base/clock.h"
#include "base/date.h"
#include "base/log.h"
#include "base/units.h"
#include "server/hand_over.h"
#include "server/json_text.h"
#include "server/process/crash_report.h"

namespace leat::server {

namespace {

// The workers that are in a generation before it serves: none will leave it.
constexpr uint32_t kNeverLeft = UINT32_MAX;
// How long an operator waits for workers that are kept from their loops, and who counts as one. A machine that has no
// time for them is waited for longer.
constexpr uint64_t kWorkersTurnMs = 2'000;
constexpr uint64_t kMachineMs = 30'000;
constexpr uint64_t kStuckMs = 500;

std::string wall_clock() { return std::string(view(iso_date(std::time(nullptr)))) + "Z"; }

}  // namespace

Generations::Generations(Assembly first, uint32_t workers, const Times& times,
                         pipeline::RequestCounts* counts)
    : worker_count_(workers),
      counts_(counts),
      times_(times),
      left_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  Generation& generation = generations_.emplace_front(1, std::move(first), wall_clock(), workers);
  if (counts_ != nullptr) counts_->enlist(*generation.assembly.site);
  for (uint32_t i = 0; i < workers; ++i)
    lanes_.push_back(std::make_unique<Lane>(*this, i, *generation.assembly.site, counts));
}

Generations::~Generations() = default;

std::vector<http::Service*> Generations::services() {
  std::vector<http::Service*> services;
  for (const auto& lane : lanes_) services.push_back(&lane->pipeline);
  return services;
}

bool Generations::start_worker(uint32_t index) {
  const auto ready = generations_.front().assembly.worker_init(index);
  if (!ready) log::error("{}", ready.error().message);
  return ready.has_value();
}

void Generations::stop_worker(uint32_t index) {
  const std::lock_guard lock(mutex_);
  for (const Generation& generation : generations_) generation.assembly.worker_fini(index);
}

std::string Generations::replace(Assembly next, worker::Workers workers, const std::stop_token& stopping,
                                 std::string& remarks) {
  // One that does not turn would take up nothing, and all others would wait for it.
  const uint64_t give_up_ms = monotonic_ms() + kMachineMs;
  while (!worker::on_workers(workers, stopping, [](uint32_t) {}, kWorkersTurnMs)) {
    if (stopping.stop_requested()) return kStopping;
    if (const std::string stuck = worker::describe_stuck(workers, kStuckMs); !stuck.empty())
      return stuck + "what it runs must come back before a reload can be taken up";
    if (monotonic_ms() >= give_up_ms)
      return "the workers get no time from this machine: no reload is taken up";
  }
  Generation& old = generations_.front();
  HandOver hand_over(
      old.assembly, next, workers,
      [this](uint32_t index) -> pipeline::Pipeline& { return lanes_[index]->pipeline; },
      times_.handover_timeout_ms);
  if (std::string wrong = hand_over.run(stopping, remarks); !wrong.empty()) return wrong;

  // From here on it is in the list, so that a worker that stops meanwhile lets go of it too.
  Generation* made = nullptr;
  {
    const std::lock_guard lock(mutex_);
    made = &*generations_.emplace(std::next(generations_.begin()), old.number + 1, std::move(next),
                                  wall_clock(), kNeverLeft);
  }
  // Shared with the workers, of which one may still be at it when the wait was given up.
  struct Refusals {
    std::mutex mutex;
    std::string text;
  };
  const auto refusals = std::make_shared<Refusals>();
  const bool asked = worker::on_workers(workers, stopping, [refusals, made](uint32_t index) {
    const auto ready = made->assembly.worker_init(index);
    if (ready) return;
    const std::lock_guard lock(refusals->mutex);
    refusals->text += (refusals->text.empty() ? "" : "\n") + ready.error().message;
  });
  if (!asked) return kStopping;
  std::string wrong = std::move(refusals->text);
  if (wrong.empty() && !hand_over.commit())
    wrong = fmt::format("handing over the state of plugins took longer than server.handover_timeout, {} ms",
                        times_.handover_timeout_ms);
  if (!wrong.empty()) {
    const bool undone =
        worker::on_workers(workers, stopping, [made](uint32_t index) { made->assembly.worker_fini(index); });
    if (!undone) return kStopping;
    std::list<Generation> failed;  // ends without the lock: that is plugins' code
    const std::lock_guard lock(mutex_);
    failed.splice(failed.end(), generations_, std::next(generations_.begin()));
    return wrong;
  }

  if (counts_ != nullptr) counts_->enlist(*made->assembly.site);
  made->workers_in = worker_count_;
  old.deadline_ms = monotonic_ms() + times_.drain_timeout_ms;
  {
    const std::lock_guard lock(mutex_);
    generations_.splice(generations_.begin(), generations_, std::next(generations_.begin()));
  }
  const auto take_over = hand_over.taking_over();
  const bool replaced =
      worker::on_workers(workers, stopping, [this, made, workers, take_over](uint32_t index) {
        lanes_[index]->pipeline.replace_site(*made->assembly.site);
        take_over(*workers[index]);
      });
  if (!replaced) return kStopping;
  hand_over.end();
  old.assembly.on_drain(old.deadline_ms * 1'000'000);
  return {};
}

// Worker's thread.
void Generations::on_left(uint32_t worker, const pipeline::Site& site) {
  Generation* generation = nullptr;
  {
    const std::lock_guard lock(mutex_);
    for (Generation& each : generations_)
      if (each.assembly.site.get() == &site) generation = &each;
  }
  leave(worker, *generation);
}

// Work on the pool can outlast its request. Ending the plugin would wait for it, with all of the worker's
// connections: so this comes again when it has come back.
void Generations::leave(uint32_t worker, Generation& generation) {
  for (const auto& plugin : generation.assembly.plugins)
    if (!plugin->when_idle(worker, [this, worker, &generation] { leave(worker, generation); })) return;
  generation.assembly.worker_fini(worker);
  if (generation.workers_in.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  const uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(left_.get(), &one, sizeof one);
}

void Generations::tell_of_end(uint64_t deadline_ms) const {
  for (const Generation& generation : generations_)
    if (generation.deadline_ms == UINT64_MAX) generation.assembly.on_drain(deadline_ms * 1'000'000);
}

void Generations::tend(worker::Workers workers) {
  uint64_t count = 0;
  [[maybe_unused]] const auto got = ::read(left_.get(), &count, sizeof count);
  std::list<Generation> ended;
  {
    const std::lock_guard lock(mutex_);
    for (auto each = std::next(generations_.begin()); each != generations_.end();) {
      const auto next = std::next(each);
      if (each->workers_in.load(std::memory_order_acquire) == 0)
        ended.splice(ended.end(), generations_, each);
      each = next;
    }
  }
  for (const Generation& generation : ended) {
    log::info("generation {} has ended", generation.number);
    if (counts_ != nullptr) counts_->release(*generation.assembly.site);
  }
  ended.clear();  // destroy() of its plugins
  for (Generation& generation : generations_) {
    if (generation.given_up || monotonic_ms() < generation.deadline_ms) continue;
    generation.given_up = true;
    log::warn("generation {} still has requests at its deadline: they are given up", generation.number);
    for (const auto& worker : workers)
      worker->run_soon([this, worker = worker.get(), site = generation.assembly.site.get()] {
        lanes_[worker->index()]->pipeline.drain_tunnels(*site, 0);
        worker->give_up_on([site](http::Exchange& exchange) {
          return exchange.route != nullptr && exchange.route->site == site;
        });
      });
  }
}

uint64_t Generations::next_deadline_ms() const {
  uint64_t next = UINT64_MAX;
  for (const Generation& generation : generations_)
    if (!generation.given_up) next = std::min(next, generation.deadline_ms);
  return next;
}

void Generations::count_requests(worker::Workers workers, const std::stop_token& stopping) {
  std::vector<const pipeline::Site*> sites;
  for (const Generation& each : generations_) sites.push_back(each.assembly.site.get());
  // The sums are made by the workers, who alone may look.
  const auto sums = std::make_shared<std::vector<std::atomic<uint64_t>>>(sites.size());
  worker::on_workers(
      workers, stopping,
      [this, sums, sites](uint32_t index) {
        for (size_t i = 0; i < sites.size(); ++i) (*sums)[i] += lanes_[index]->pipeline.requests(*sites[i]);
      },
      kWorkersTurnMs);
  size_t at = 0;
  for (Generation& each : generations_) each.requests = (*sums)[at++];
}

std::string Generations::describe_text(worker::Workers workers, const std::stop_token& stopping) {
  count_requests(workers, stopping);
  std::string text;
  for (const Generation& generation : generations_) {
    const bool serves = &generation == &generations_.front();
    text += fmt::format("generation {}, {} since {}, {} under way\n", generation.number,
                        serves ? "serving" : "draining; served", generation.since,
                        counted(generation.requests, "request"));
    for (const auto& plugin : generation.assembly.plugins) {
      const plugin::PluginLibrary& library = plugin->library();
      text += fmt::format("  {}  {} {}  content {}  {}\n", plugin->name(), library.name(), library.version(),
                          library.content(), library.path());
      for (const leat_service_use& use : plugin->uses())
        text +=
            fmt::format("    uses {} of {}\n", std::string_view(use.service->name.ptr, use.service->name.len),
                        use.provider->name());
    }
    for (const Assembly::OutOfService& each : generation.assembly.out_of_service)
      text += fmt::format("  {}  {}, its routes answer 503  {}\n", each.name,
                          each.quarantined ? "quarantined: it has crashed too often"
                                           : "out of service: it needs a plugin that is quarantined",
                          each.file);
  }
  return text + worker::describe_stuck(workers, kStuckMs);
}

std::string Generations::describe_json(worker::Workers workers, const std::stop_token& stopping) {
  count_requests(workers, stopping);
  JsonText json;
  json.begin_array();
  for (const Generation& generation : generations_) {
    json.begin_object();
    json.whole("generation", generation.number);
    json.text("state", &generation == &generations_.front() ? "serving" : "draining");
    json.text("since", generation.since);
    json.whole("requests", generation.requests);
    json.key("plugins");
    json.begin_array();
    for (const auto& plugin : generation.assembly.plugins) {
      const plugin::PluginLibrary& library = plugin->library();
      json.begin_object();
      json.text("name", plugin->name());
      json.text("plugin", library.name());
      json.text("version", library.version());
      json.text("content", library.content());
      json.text("file", library.path());
      json.key("uses");
      json.begin_object();
      for (const leat_service_use& use : plugin->uses())
        json.text(std::string_view(use.service->name.ptr, use.service->name.len), use.provider->name());
      json.end_object();
      json.end_object();
    }
    for (const Assembly::OutOfService& each : generation.assembly.out_of_service) {
      json.begin_object();
      json.text("name", each.name);
      json.text("state", each.quarantined ? "quarantined" : "out of service");
      json.text("path", each.file);
      json.end_object();
    }
    json.end_array();
    json.end_object();
  }
  json.end_array();
  return json.take("[]") + "\n";
}

}  // namespace leat::server
