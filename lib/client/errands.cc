#include "client/errands.h"

#include <algorithm>
#include <utility>

#include "base/arena.h"
#include "base/check.h"

namespace leat::client {

struct Errands::Run : net::Timer {
  Run(Errands& owner, BlockPool& memory)
      : net::Timer([](net::Timer& timer) {
          Run& due = static_cast<Run&>(timer);
          due.errands.proceed(due);
        }),
        errands(owner),
        arena(memory, kMostAnswer) {
    fetch.arena = &arena;
    fetch.over = [](Fetch& over) {
      Run& run = *static_cast<Run*>(over.owner);
      run.errands.fetched(run);
    };
    fetch.owner = this;
  }

  Errands& errands;
  std::shared_ptr<Errand> errand;
  Arena arena;
  Fetch fetch;
  bool asking = false;
};

Errands::Errands(Fetcher& fetcher, net::Loop& loop, BlockPool& memory)
    : fetcher_(fetcher), loop_(loop), memory_(memory) {}

Errands::~Errands() { ENSURE(count_ == 0); }

bool Errands::begin(std::shared_ptr<Errand> errand) {
  if (abandoned_ || count_ == kMost) return false;
  auto free = std::ranges::find_if(runs_, [](const auto& run) { return run->errand == nullptr; });
  if (free == runs_.end()) free = runs_.insert(free, std::make_unique<Run>(*this, memory_));
  (*free)->errand = std::move(errand);
  ++count_;
  loop_.timers().start(**free, loop_.now_ms());
  return true;
}

void Errands::wake(const Errand& errand) {
  for (const auto& run : runs_)
    if (run->errand.get() == &errand && !run->asking) loop_.timers().start(*run, loop_.now_ms());
}

void Errands::end() {
  ending_ = true;
  for (const auto& run : runs_)
    if (run->errand != nullptr && !run->asking) loop_.timers().start(*run, loop_.now_ms());
}

void Errands::abandon() {
  abandoned_ = true;
  for (const auto& run : runs_) {
    if (run->errand == nullptr) continue;
    if (std::exchange(run->asking, false)) fetcher_.cancel(run->fetch);
    drop(*run);
  }
}

void Errands::drop(Run& run) {
  loop_.timers().stop(run);
  run.arena.reset();
  --count_;
  // Its end may be that of its last owner.
  const std::shared_ptr<Errand> ended = std::exchange(run.errand, nullptr);
}

void Errands::proceed(Run& run) {
  const Errand::Plan plan = run.errand->plan(loop_.now_ms(), ending_);
  switch (plan.next) {
    case Errand::Plan::Next::Wait:
      // At least the next tick, so that nobody is asked without end in one turn.
      loop_.timers().start(run, loop_.now_ms() + std::max<uint64_t>(plan.wait_ms, 1));
      break;
    case Errand::Plan::Next::Ask:
      ask(run, plan);
      break;
    case Errand::Plan::Next::Over:
      drop(run);
      break;
  }
}

void Errands::ask(Run& run, const Errand::Plan& plan) {
  run.asking = true;
  if (fetcher_.start(run.fetch, *plan.upstream, plan.request)) return;
  run.fetch.status = FetchStatus::Failed;
  run.fetch.message = "all connections to it are in use";
  fetched(run);
}

void Errands::fetched(Run& run) {
  run.asking = false;
  run.errand->on_fetched(run.fetch, loop_.now_ms());
  run.arena.reset();
  run.fetch.fields = {};
  run.fetch.body = run.fetch.message = {};
  loop_.timers().start(run, loop_.now_ms());
}

}  // namespace leat::client
