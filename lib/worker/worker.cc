#include "worker/worker.h"

#include <pthread.h>
#include <sched.h>
#include <sys/socket.h>

#include <algorithm>
#include <ctime>
#include <utility>

#include "base/allocator.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "net/listener.h"

namespace leat::worker {

namespace {

// After stop() a worker waits this long for the operations in flight to be cancelled. They complete at once
// unless the kernel is stuck; then the process is better off ending without them.
constexpr uint64_t kAbandonNs = 2'000'000'000;
// What an errand has left to say is said within this, or not at all: less than anybody waits who has told it to stop.
constexpr uint64_t kErrandsNs = 1'000'000'000;

// Timers for requests: more than one for each exchange is rare, a few for one exchange happen.
constexpr size_t kTimersPerExchange = 2;

constexpr uint64_t kDateEveryNs = 1'000'000'000;

// What a worker keeps for its next requests however long it has been idle: half a MiB.
constexpr size_t kBlocksKept = 16;
constexpr size_t kExchangesKept = 32;
// Answers that lie ready for when memory is out must find a place in the outputs: as many as a turn may make,
// and some that are not read.
constexpr size_t kReadyAnswers = 4096;
size_t segments_of(const WorkerOptions& options) { return options.blocks() * 2 + kReadyAnswers; }
constexpr uint64_t kGiveBackEveryMs = 100;  // while memory is filling
constexpr uint64_t kTidyEveryMs = 1'000;
// So much has gone back to the allocator before it is worth asking for it, and less than that in the last
// second, so that nobody will want it again at once.
constexpr size_t kWorthGivingBack = size_t{1} << 20;
// A worker that has not turned for so long gets no clients from others. A tenth of it happens with heavy
// requests.
constexpr uint64_t kStuckNs = 100'000'000;

// Workers that wait for the clients of a unix socket: all of them are woken for each. One alone might not
// turn for a while; with hundreds, most would wake for nothing.
constexpr uint32_t kShareListener = 4;
constexpr uint64_t kLastLookMs = 10;

}  // namespace

// Travels from another thread to the exchange's worker and ends there.
struct Worker::RemoteResume : net::Task {
  Worker* worker = nullptr;
  http::Ticket ticket;
  Resume call = nullptr;
  void* argument = nullptr;
};

// A client on its way to the worker that shall have it.
struct Worker::HandedOn : net::Task {
  Worker* worker = nullptr;
  Fd fd;
  uint32_t listener = 0;
  std::shared_ptr<const ListenerOptions> options;  // of the listening socket
};

struct Worker::SoonTask : net::Task {
  std::function<void()> work;
};

Worker::DrainDeadline::DrainDeadline(Worker& worker)
    : net::Timer([](net::Timer& timer) {
        Worker& late = static_cast<DrainDeadline&>(timer).owner;
        log::warn("worker {}: {} connections still open at the drain deadline are closed", late.index(),
                  late.connections_->count());
        late.connections_->abandon_all();
      }),
      owner(worker) {}

Worker::LastLook::LastLook(Worker& worker)
    : net::Timer([](net::Timer& timer) {
        Worker& drained = static_cast<LastLook&>(timer).owner;
        if (drained.connections_->count() == 0) drained.loop_->stop();
      }),
      owner(worker) {}

Worker::TidyTimer::TidyTimer(Worker& worker)
    : net::Timer([](net::Timer& timer) { static_cast<TidyTimer&>(timer).owner.tidy(); }), owner(worker) {}

Worker::Worker(WorkerOptions options, std::vector<AcceptingSocket> listeners, http::Service& service,
               const std::vector<std::unique_ptr<Worker>>& fleet, Hooks hooks)
    : options_(std::move(options)),
      listeners_(std::move(listeners)),
      service_(service),
      fleet_(fleet),
      hooks_(std::move(hooks)),
      stalls_(options_.index, options_.stall_warning_ms),
      blocks_(options_.blocks(), options_.blocks_kept),
      segments_(segments_of(options_)),
      exchanges_(*this, options_.exchanges),
      writer_(options_.server_name),
      http1_{.worker = *this,
             .service = service_,
             .limits = options_.limits,
             .memory = {blocks_, segments_},
             .exchanges = exchanges_,
             .writer = writer_,
             .heads = options_.known_heads ? &heads_ : nullptr,
             .lines = options_.known_heads ? &lines_ : nullptr},
      sessions_(http1_),
      http2_writer_(options_.server_name),
      http2_{.worker = *this,
             .service = service_,
             .limits = options_.limits,
             .options = options_.http2,
             .memory = {blocks_, segments_},
             .exchanges = exchanges_,
             .writer = http2_writer_,
             .heads = options_.known_heads ? &http2_heads_ : nullptr},
      http2_sessions_(http2_),
      last_look_(*this),
      tidy_(*this) {
  if (options_.memory_watch != nullptr) options_.memory_watch->watch({&blocks_, &exchanges_});
}

Worker::~Worker() {
  if (options_.memory_watch != nullptr) options_.memory_watch->forget({&blocks_, &exchanges_});
  // Runs what was posted last, which may still look for its exchange.
  loop_.reset();
}

Expected<std::string> Worker::build() {
  if (options_.cpu >= 0) {
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET(options_.cpu, &cpus);
    // Pinning is for speed only: a container may forbid it.
    if (::sched_setaffinity(0, sizeof cpus, &cpus) != 0)
      log::warn("worker {}: cannot be pinned to CPU {}", options_.index, options_.cpu);
  }
  auto chosen = net::create_engine(options_.engine, options_.ring);
  if (!chosen) return std::unexpected(chosen.error());
  engine_ = std::move(chosen->engine);
  auto loop = net::Loop::create(*engine_);
  if (!loop) return std::unexpected(loop.error());
  loop_ = std::move(*loop);
  timers_ = std::make_unique<ExchangeTimers>(loop_->timers(), *this, options_.exchanges * kTimersPerExchange);
  connections_ =
      std::make_unique<Connections>(*loop_, protocols_, http1_.memory, options_.limits, options_.connections);
  self_requests_ = std::make_unique<SelfRequests>(*loop_, sessions_, options_.limits, options_.self_requests);
  client_ = std::make_unique<client::Client>(
      *loop_, http1_.memory,
      [](void* owner, client::Fetch& fetch) {
        static_cast<Worker*>(owner)->resume(*fetch.exchange, fetch.resume, &fetch);
      },
      this);
  for (const http::ProtocolFactory* each : protocols_)
    ENSURE(std::ranges::contains(kProtocolNames, each->name()));
  drain_deadline_ = std::make_unique<DrainDeadline>(*this);
  update_date();
  if (hooks_.start && !hooks_.start(options_.index))
    return std::unexpected(Error{"a plugin refused to start"});
  for (AcceptingSocket& listener : listeners_) add_acceptor(std::move(listener));
  listeners_.clear();
  accepting_ = true;
  return chosen->reason;
}

// Of a socket that all share, a few workers only take some.
void Worker::add_acceptor(AcceptingSocket socket) {
  Acceptor::HandOn hand_on;
  if (fleet_.size() > 1 && socket.shared) {
    if (options_.index >= kShareListener) return;
    hand_on = [this, number = socket.number](Fd fd) { this->hand_on(std::move(fd), number); };
  }
  {
    const std::lock_guard lock(accepting_mutex_);
    accepting_on_.push_back(socket.fd.get());
  }
  auto free = std::ranges::find_if(acceptors_, [](const auto& each) { return each == nullptr; });
  if (free == acceptors_.end()) free = acceptors_.insert(free, nullptr);
  *free = std::make_unique<Acceptor>(*loop_, *connections_, std::move(socket.fd),
                                     static_cast<uint32_t>(free - acceptors_.begin()), std::move(hand_on),
                                     socket.number);
}

void Worker::stop_accepting(const WorkerChange::Ended& listener) {
  for (auto& acceptor : acceptors_) {
    if (acceptor == nullptr || acceptor->listener_number() != listener.number) continue;
    if (listener.own) (void)net::refuse_newcomers(acceptor->descriptor());  // without it some may be reset
    {
      const std::lock_guard lock(accepting_mutex_);
      std::erase(accepting_on_, acceptor->descriptor());
    }
    acceptor->stop();
    if (acceptor->stopped()) acceptor.reset();
  }
}

void Worker::take_up(WorkerChange change) {
  if (draining_ || ending_ || connections_ == nullptr) return;
  const WorkerOptions& next = change.options;
  const http::Limits before = std::exchange(options_.limits, next.limits);
  const bool judges_alike = before.request_line_bytes == next.limits.request_line_bytes &&
                            before.header_bytes == next.limits.header_bytes &&
                            before.header_count == next.limits.header_count;
  if (!judges_alike) {
    heads_.forget();
    http2_heads_.forget();
  }
  options_.http2 = next.http2;
  options_.known_heads = next.known_heads;
  http1_.heads = next.known_heads ? &heads_ : nullptr;
  http1_.lines = next.known_heads ? &lines_ : nullptr;
  http2_.heads = next.known_heads ? &http2_heads_ : nullptr;
  options_.memory_bytes = next.memory_bytes;
  blocks_.set_most(options_.blocks());
  segments_.set_most(segments_of(options_));
  options_.server_name = next.server_name;
  writer_.set_server(options_.server_name);
  http2_writer_.set_server(options_.server_name);
  options_.drain_timeout_ms = next.drain_timeout_ms;
  options_.drain_idle_ms = next.drain_idle_ms;
  self_requests_->set_most(next.self_requests.most);
  connections_->take_up(next.connections);

  for (auto& [number, options] : change.listeners) connections_->listeners().set(number, std::move(options));
  for (const auto& [number, options] : change.listen_anew)
    for (const auto& acceptor : acceptors_)
      if (acceptor != nullptr && acceptor->listener_number() == number) acceptor->listen_anew(options);
  const uint64_t now = loop_->now_ms();
  for (const WorkerChange::Ended& each : change.ended) {
    stop_accepting(each);
    connections_->end_listener(each.number, now + std::min(options_.drain_idle_ms, options_.drain_timeout_ms),
                               now + options_.drain_timeout_ms);
  }
  for (AcceptingSocket& socket : change.sockets) add_acceptor(std::move(socket));
  for (const auto& acceptor : acceptors_)
    if (acceptor != nullptr && !acceptor->started()) acceptor->start();
}

WorkerOptions Worker::in_force() const {
  WorkerOptions all = options_;
  all.connections = connections_->options();
  all.self_requests = self_requests_->options();
  return all;
}

bool Worker::is_whole() const {
  if (!accepting_) return true;
  const std::lock_guard lock(accepting_mutex_);
  const bool whole = std::ranges::all_of(accepting_on_, [](int fd) {
    int accepts = 0;
    socklen_t size = sizeof accepts;
    return ::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &size) == 0 && accepts != 0;
  });
  return whole || !accepting_;  // it may have closed them itself by now
}

void Worker::run(const std::function<void(Expected<std::string>)>& ready) {
  const std::string name = "leat-" + std::to_string(options_.index);
  ::pthread_setname_np(::pthread_self(), name.c_str());
  metrics::thread_lane = options_.index;
  if (hooks_.thread) hooks_.thread(options_.index);
  const StallMeter::Thread measured(stalls_);
  Expected<std::string> built = build();
  const bool serving = built.has_value();
  serving_ = serving;
  ready(std::move(built));
  if (!serving) return;
  service_.on_start(*this);
  for (const auto& acceptor : acceptors_) acceptor->start();
  loop_->run(*this);

  serving_ = false;
  ending_ = true;
  accepting_ = false;
  for (const auto& acceptor : acceptors_)
    if (acceptor != nullptr) acceptor->stop();
  connections_->abandon_all();  // which ends the exchanges, and with them their fetches
  self_requests_->abandon_all();
  loop_->forget_stop();
  client_->end_errands();
  const uint64_t errands_until = loop_->now_ns() + kErrandsNs;
  while (client_->errands() != 0 && loop_->now_ns() < errands_until) loop_->turn(*this, errands_until);
  client_->close_all();
  const uint64_t until = loop_->now_ns() + kAbandonNs;
  const auto busy = [&] {
    for (const auto& acceptor : acceptors_)
      if (acceptor != nullptr && !acceptor->stopped()) return true;
    return connections_->count() != 0 || client_->count() != 0;
  };
  while (busy() && loop_->now_ns() < until) loop_->turn(*this, until);
  ENSURE(!busy());
  if (hooks_.stop) hooks_.stop(options_.index);
  acceptors_.clear();
  loop_->timers().stop(*drain_deadline_);
  loop_->timers().stop(last_look_);
  loop_->timers().stop(tidy_);
  self_requests_.reset();
  connections_.reset();
  client_.reset();
  timers_.reset();
}

void Worker::run_soon(std::function<void()> work) {
  auto* task = new SoonTask;
  task->work = std::move(work);
  task->run = [](net::Task& base) {
    auto& self = static_cast<SoonTask&>(base);
    self.work();
    delete &self;
  };
  loop_->post(*task);
}

void Worker::drain() {
  run_soon([this] { begin_drain(); });
}

void Worker::stop() { loop_->stop(); }

// The clients of a unix socket go to one worker after the other.
void Worker::hand_on(Fd fd, uint32_t listener) {
  const uint32_t turn = fleet_.front()->next_.fetch_add(1, std::memory_order_relaxed);
  Worker* taker = this;
  // When one drains all do, and the others may be at their end.
  for (size_t i = 0; i < fleet_.size() && !draining_; ++i) {
    Worker& candidate = *fleet_[(turn + i) % fleet_.size()];
    if (&candidate != this && !candidate.takes_connections()) continue;
    taker = &candidate;
    break;
  }
  if (taker == this) {
    connections_->open(std::move(fd), listener);
    return;
  }
  auto* task = new HandedOn;
  task->worker = taker;
  task->fd = std::move(fd);
  task->listener = listener;
  task->options = connections_->listeners().options(listener);
  task->run = [](net::Task& base) {
    auto& self = static_cast<HandedOn&>(base);
    Worker& worker = *self.worker;
    // One that has been told to stop in the meantime refuses it, as a closed listener would.
    if (worker.connections_ != nullptr && !worker.ending_) {
      worker.connections_->listeners().hear_of(self.listener, std::move(self.options));
      worker.connections_->open(std::move(self.fd), self.listener);
    }
    delete &self;
  };
  taker->loop_->post(*task);
}

bool Worker::takes_connections() const {
  if (!serving_.load(std::memory_order_acquire)) return false;
  const uint64_t busy_since_ns = loop_->busy_since_ns();
  return busy_since_ns == 0 || monotonic_ns() < busy_since_ns + kStuckNs;
}

void Worker::begin_drain() {
  if (draining_ || connections_ == nullptr) return;
  draining_ = true;
  serving_ = false;
  accepting_ = false;
  for (const auto& acceptor : acceptors_)
    if (acceptor != nullptr) acceptor->stop();
  connections_->drain_all(loop_->now_ms() + std::min(options_.drain_idle_ms, options_.drain_timeout_ms));
  loop_->timers().start(*drain_deadline_, loop_->now_ms() + options_.drain_timeout_ms);
}

bool Worker::resume_after(http::Ticket ticket, uint64_t delay_ms, Resume call, void* argument) {
  http::Exchange* exchange = exchanges_.find(ticket);
  if (exchange == nullptr) return false;
  // The turn began before now: a timer must not run early by the part of it that has passed.
  return timers_->start(*exchange, loop_->now_ms() + delay_ms + 1, call, argument);
}

bool Worker::resume_from_any_thread(http::Ticket ticket, Resume call, void* argument) {
  if (ticket.worker >= fleet_.size()) return false;
  Worker& target = *fleet_[ticket.worker];
  if (!target.exchanges_.is_live(ticket)) return false;
  auto* task = new (std::nothrow) RemoteResume;
  if (task == nullptr) return false;
  task->worker = &target;
  task->ticket = ticket;
  task->call = call;
  task->argument = argument;
  task->run = [](net::Task& base) {
    auto& self = static_cast<RemoteResume&>(base);
    if (http::Exchange* exchange = self.worker->exchanges_.find(self.ticket))
      self.worker->resume(*exchange, self.call, self.argument);
    delete &self;
  };
  target.loop_->post(*task);
  return true;
}

void Worker::resume(http::Exchange& exchange, Resume call, void* argument) {
  http::Protocol* const protocol = exchange.stream().protocol();
  ENSURE(protocol != nullptr);
  touch(*protocol);
  protocol->resume(exchange, call, argument);
}

void Worker::touch(http::Protocol& protocol) {
  if (protocol.internal()) {
    self_requests_->touch(protocol);
  } else {
    connections_->touch(protocol);
  }
}

bool Worker::ask_self(std::string_view head, const http::ClientIdentity& identity,
                      std::string_view listener) {
  return !draining_ && self_requests_->ask(head, identity, listener);
}

uint64_t Worker::count(const Choice& chosen) {
  uint64_t found = 0;
  exchanges_.for_each([&](http::Exchange& exchange) { found += chosen(exchange) ? 1 : 0; });
  return found;
}

void Worker::resume_chosen(const Choice& chosen, Resume call) {
  // Ending one may let its session begin the next: the tickets are taken first.
  std::vector<http::Ticket> tickets;
  exchanges_.for_each([&](http::Exchange& exchange) {
    if (chosen(exchange)) tickets.push_back(exchange.ticket());
  });
  for (const http::Ticket& ticket : tickets)
    if (http::Exchange* exchange = exchanges_.find(ticket)) resume(*exchange, call, nullptr);
}

void Worker::give_up_on(const Choice& chosen) {
  resume_chosen(chosen, [](http::Exchange& given_up, void*) {
    if (given_up.started()) {
      given_up.abort();
    } else {
      given_up.send_problem(503, "The server was updated while it worked on this request.");
    }
  });
}

void Worker::release_held() {
  resume_chosen([](http::Exchange& exchange) { return exchange.held(); },
                [](http::Exchange& exchange, void*) { exchange.release(); });
}

void Worker::on_completion(const net::Completion& completion) {
  if (loop_->now_ns() >= next_date_ns_) update_date();
  if (completion.token.op() == net::Op::Accept) {
    auto& acceptor = acceptors_[completion.token.slot()];
    acceptor->on_completion(completion);
    // At the end of all, they go together.
    if (acceptor->stopped() && !draining_ && !ending_) acceptor.reset();
  } else if ((completion.token.slot() & client::kClientSlot) != 0) {
    client_->on_completion(completion);
  } else {
    connections_->on_completion(completion);
  }
}

// What a storm has left is kept for the next requests at first; then the allocator gets it, and the system.
void Worker::watch_memory() {
  const bool more = blocks_.idle() > kBlocksKept || exchanges_.idle() > kExchangesKept ||
                    blocks_.returned() - given_back_ >= kWorthGivingBack;
  if (more && !tidy_.running()) loop_->timers().start(tidy_, loop_->now_ms() + kTidyEveryMs);
}

void Worker::tidy() {
  const bool calm = blocks_.returned() - returned_ < kWorthGivingBack;
  returned_ = blocks_.returned();
  const size_t trimmed = blocks_.trim(kBlocksKept) + exchanges_.trim(kExchangesKept);
  if (calm && trimmed < kWorthGivingBack && blocks_.returned() - given_back_ >= kWorthGivingBack) {
    give_back();
  }
  watch_memory();
}

void Worker::give_back() {
  given_back_ = blocks_.returned();
  given_back_ms_ = loop_->now_ms();
  give_memory_back();
}

void Worker::on_turn_end() {
  if (loop_->now_ns() >= next_date_ns_) update_date();
  // What was freed in one size is no room for another, as long as the allocator has it.
  if (blocks_.returned() - given_back_ >= 4 * kWorthGivingBack && blocks_.is_filling() &&
      loop_->now_ms() >= given_back_ms_ + kGiveBackEveryMs) [[unlikely]]
    give_back();
  connections_->on_turn_end();
  client_->on_turn_end();
  service_.on_turn_end();
  if (!draining_) {
    for (const auto& acceptor : acceptors_)
      if (acceptor != nullptr) acceptor->on_turn_end();
  } else if (connections_->count() == 0 && !ending_ && !last_look_.running()) {
    loop_->timers().start(last_look_, loop_->now_ms() + (fleet_.size() > 1 ? kLastLookMs : 0));
  }
  stalls_.turn_ends(loop_->now_ns());
}

// The Date of a second is made once, when the wall clock enters it.
void Worker::update_date() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  date_ = http_date(now.tv_sec);
  writer_.set_date({date_.data(), date_.size()});
  http2_writer_.set_date({date_.data(), date_.size()});
  watch_memory();
  next_date_ns_ = loop_->now_ns() + (kDateEveryNs - static_cast<uint64_t>(now.tv_nsec));
}

}  // namespace leat::worker
