#include "plugin/detached_call.h"

#include <algorithm>
#include <chrono>
#include <new>
#include <utility>

#include "base/check.h"
#include "base/clock.h"
#include "base/thread_pool.h"
#include "handlers/limited.h"
#include "http/problem.h"
#include "http/user_session.h"
#include "pipeline/pipeline.h"
#include "plugin/call.h"
#include "plugin/notes.h"

namespace leat::plugin {

namespace {

// How far a thread may be ahead of its client. Half of it would wake the worker twice as often for what goes
// out in one send all the same; twice it is twice the memory of each answer that waits.
constexpr size_t kAhead = size_t{64} * 1024;

// When a thread that waits looks whether the worker could not be told for want of memory.
constexpr std::chrono::milliseconds kLookAgain{20};

pipeline::ChangeListener* listener_of(const http::Exchange& exchange) {
  const bool tells = exchange.route != nullptr && !http::is_safe(exchange.request.method());
  return tells ? exchange.route->site->change_listener() : nullptr;
}

// Of a field of another exchange's answer. False: there is no room.
bool add_copy(http::Exchange& exchange, std::string_view name, std::string_view value, http::Origin origin) {
  name = exchange.arena().copy(name);
  value = exchange.arena().copy(value);
  return name.data() != nullptr && value.data() != nullptr &&
         exchange.response.add_checked(name, value, origin);
}

}  // namespace

uint64_t DetachedCall::Context::now_ns() const { return monotonic_ns(); }

DetachedCall::DetachedCall(http::Exchange& original, PluginHandler& handler, SharedResources& shared)
    : handler_(handler),
      shared_(shared),
      worker_(original.worker()),
      ticket_(original.ticket()),
      takes_wishes_(cache::takes_wishes(original)),
      listener_(listener_of(original)),
      context_(original.worker().blocks()),
      exchange_(context_, *this) {}

DetachedCall::~DetachedCall() { worker_.blocks().refund(sizeof(DetachedCall)); }

std::unique_ptr<DetachedCall> DetachedCall::make(http::Exchange& original, PluginHandler& handler,
                                                 SharedResources& shared) {
  BlockPool& memory = original.worker().blocks();
  if (!memory.charge(sizeof(DetachedCall))) return nullptr;
  std::unique_ptr<DetachedCall> detached_call(new (std::nothrow) DetachedCall(original, handler, shared));
  if (detached_call == nullptr) memory.refund(sizeof(DetachedCall));
  if (detached_call == nullptr || !detached_call->take(original)) return nullptr;
  return detached_call;
}

bool DetachedCall::take(http::Exchange& original) {
  if (!exchange_.take_request(original) || !copy_notes(original, exchange_) ||
      !http::copy_session(original, exchange_))
    return false;
  Arena& arena = exchange_.arena();
  for (const auto& [name, value, origin, ready] : original.response.fields())
    if (!add_copy(exchange_, name, value, origin)) return false;
  exchange_.response.status = original.response.status;
  exchange_.response.content_type = arena.copy(original.response.content_type);
  return exchange_.response.content_type.data() != nullptr;
}

// --- The thread of the pool

void DetachedCall::run() noexcept {
  // The numbers of the pool's threads come after those of the workers.
  context_.set_index(handler_.instance().library().options().worker_count + ThreadPool::current_thread());
  DetachedCall* const outer = std::exchange(current_errand, this);
  call_handler();
  try {
    handler_.on_done(exchange_);
  } catch (...) {  // a line of the log that found no memory
  }
  current_errand = outer;
}

void DetachedCall::call_handler() noexcept {
  try {
    pipeline::apply_verdict(exchange_, handler_, handler_.handle(exchange_));
  } catch (...) {  // likewise
  }
}

void DetachedCall::begin(const http::Exchange& exchange, Answer kind) {
  ENSURE(&exchange == &exchange_ && answer_ == Answer::None);
  // Here and not with the worker's answer, which nobody may wait for any more: what is done is done.
  if (listener_ != nullptr && exchange.response.status < 400) listener_->on_change(exchange_);
  // From here on the worker may read it.
  if (auto* const session = exchange_.states.find<http::UserSession>()) session->close(false);
  answer_ = kind;
}

void DetachedCall::answer(http::Exchange& exchange, http::AnswerFraming, std::string_view body,
                          const http::Release* pinned) {
  begin(exchange, Answer::Whole);
  if (!body_.append(context_.blocks(), body, SIZE_MAX)) answer_ = Answer::NoMemory;
  if (pinned != nullptr && pinned->run != nullptr) pinned->run(pinned->context);
}

// The worker is told at once, so that the client has the head before the first piece.
void DetachedCall::head(http::Exchange& exchange, http::AnswerFraming) {
  begin(exchange, Answer::Pieces);
  data(exchange, {});
}

bool DetachedCall::data(http::Exchange& exchange, std::string_view bytes) {
  std::unique_lock lock(mutex_);
  if (!ahead_.reserve(context_.blocks(), kAhead)) {
    answer_ = Answer::NoMemory;  // it is the first piece: nothing has gone out
    exchange.abort();
    return true;  // there is nothing to wait for
  }
  pieces_ = true;
  do {
    const size_t size = std::min(bytes.size(), kAhead - ahead_.size());
    ahead_.append(bytes.substr(0, size));
    bytes.remove_prefix(size);
    post();
    if (bytes.empty()) return true;
  } while (wait_for_room(lock));
  http::StreamSide(exchange).set_cancelled(true);
  return false;
}

// False: nobody reads it.
bool DetachedCall::wait_for_room(std::unique_lock<std::mutex>& lock) {
  const std::chrono::milliseconds most(shared_.client_wait_ms.load());
  const auto since = std::chrono::steady_clock::now();
  const auto before = waited_;
  while (!left_ && waited_ < most && ahead_.size() == kAhead) {
    room_.wait_for(lock, kLookAgain);
    post();
    waited_ = before + (std::chrono::steady_clock::now() - since);
  }
  return !left_ && waited_ < most;
}

void DetachedCall::end(http::Exchange&) { complete_ = true; }

void DetachedCall::cut(http::Exchange& exchange, const http::Refusal& why) {
  http::StreamSide(exchange).cut(why);
}

// Under the mutex. Where it fails the request has ended, which leave() tells, or the next one may succeed.
void DetachedCall::post() {
  if (posted_ || (told_ && ahead_.size() == 0)) return;
  wake();
  told_ = told_ || posted_;  // once told it stays so, whatever becomes of a later one
}

// Likewise.
void DetachedCall::wake() {
  posted_ = worker_.resume_from_any_thread(
      ticket_,
      [](http::Exchange& original, void* detached_call) {
        static_cast<DetachedCall*>(detached_call)->flow(original);
      },
      this);
}

// The worker passes them on at once: who answers from a thread takes his time.
void DetachedCall::hints(http::Exchange&, std::span<const std::string_view> links) {
  const std::lock_guard lock(mutex_);
  try {
    hints_.emplace_back(links.begin(), links.end());
  } catch (const std::bad_alloc&) {
    return;
  }
  if (!posted_) wake();
}

bool DetachedCall::wish(const cache::Wishes& wishes) {
  if (!takes_wishes_ || answer_ != Answer::None) return false;
  wishes_ = wishes;
  return true;
}

bool DetachedCall::add_tag(std::string_view tag) {
  if (!takes_wishes_ || answer_ != Answer::None) return false;
  try {
    tags_.emplace_back(tag);
  } catch (const std::bad_alloc&) {
    return false;
  }
  return true;
}

// --- The worker

void DetachedCall::flow(http::Exchange& original) {
  original.suspend();
  const std::lock_guard lock(mutex_);
  give_hints(original);
  if (pieces_) give_pieces(original);
  posted_ = blocked_;  // then writable() comes without being asked for
  if (!blocked_) room_.notify_one();
}

void DetachedCall::writable(http::Exchange& original) {
  blocked_ = false;
  flow(original);
}

// What the plugin has said and the head of its answer. False: it was answered otherwise.
bool DetachedCall::give_head(http::Exchange& original) {
  if (wishes_) (void)cache::wish(original, *wishes_);
  for (const std::string& tag : tags_) (void)cache::add_tag(original, tag);
  Arena& arena = original.arena();
  http::Response& response = original.response;
  response.reset();
  response.status = exchange_.response.status;
  response.content_type = arena.copy(exchange_.response.content_type);
  bool whole = response.content_type.data() != nullptr && http::take_session(exchange_, original);
  for (const auto& [name, value, origin, ready] : exchange_.response.fields())
    whole = add_copy(original, name, value, origin) && whole;
  if (whole) return true;
  response.reset();
  http::send_out_of_memory(original);
  return false;
}

// Under the mutex.
void DetachedCall::give_hints(http::Exchange& original) {
  for (const std::vector<std::string>& each : std::exchange(hints_, {})) {
    const std::vector<std::string_view> links(each.begin(), each.end());
    (void)original.send_hints(links);
  }
}

// Likewise.
void DetachedCall::give_pieces(http::Exchange& original) {
  if (blocked_) return;
  if (!begun_) {
    begun_ = true;
    if (give_head(original)) original.begin(exchange_.announced_length());
  }
  // False where the answer was given otherwise, too.
  if (ahead_.size() != 0 && !original.write(ahead_.view())) blocked_ = !original.finished();
  ahead_.reset(kAhead);
}

void DetachedCall::end_pieces(http::Exchange& original) {
  {
    const std::lock_guard lock(mutex_);
    blocked_ = false;  // there is no more to come than this
    give_pieces(original);
  }
  if (original.finished()) return;
  if (!complete_) return original.abort();
  (void)http::take_session(exchange_, original);  // whether it was used; changed it is no more
  for (const http::Response::Field& field : exchange_.trailers().fields())
    (void)original.add_trailer(field.name, field.value);
  original.end();
}

void DetachedCall::finish(std::unique_ptr<DetachedCall> detached_call, http::Exchange& original) {
  switch (detached_call->answer_) {
    case Answer::None:
      if (detached_call->exchange_.finished()) return original.abort();  // as its handler wished
      original.send_problem(500, "The server failed to answer this request.");
      break;
    case Answer::NoMemory:
      http::send_out_of_memory(original);
      break;
    case Answer::Whole:
      // Copied, for what a client is slow to read is to count against limits.memory.
      if (detached_call->give_head(original)) original.send(detached_call->body_.view());
      break;
    case Answer::Pieces:
      detached_call->end_pieces(original);
      break;
  }
}

void DetachedCall::let_go() {
  if (auto* limiter = std::exchange(limiter_, nullptr)) limiter->let_go();
}

void DetachedCall::leave() {
  const std::lock_guard lock(mutex_);
  left_ = true;
  room_.notify_one();
}

}  // namespace leat::plugin
