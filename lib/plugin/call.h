// Call: what the host knows while a plugin's callback runs, and what it keeps for a request between them.
//
// A plugin holds a bare pointer to an exchange. Whether it may use it now is one comparison with the exchange
// whose callback is on this thread's stack: it catches other threads, pointers kept beyond their request, and
// requests of others, at the price of one thread-local load; that is why it is always checked.
//
// Private to the plugin host.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/activity.h"
#include "http/answer_filter.h"
#include "http/exchange.h"
#include "plugin/callee.h"
#include "plugin/sdk/plugin.h"
#include "plugin/sdk/plugin_websocket.h"
#include "plugin/text.h"

namespace leat::plugin {

// A timer that runs. In the arena of its request, and used again by the next one.
struct Timer {
  const Callee* handler = nullptr;
  leat_resume resume = nullptr;
  void* argument = nullptr;
  Timer* next_free = nullptr;
};

struct FetchRecord;     // extensions/client.cc
struct CachePin;        // extensions/cache.cc
struct ServiceContext;  // extensions/services.cc
class DetachedCall;

// Kept for a request from the first moment that there is something to keep, in its arena, as
// exchange.handler_state.
struct RequestState {
  const Callee* handler = nullptr;               // whose request it is
  void* user = nullptr;                          // the plugin's set_state
  SuspensionTable::Slot* suspensions = nullptr;  // a list: those that wait, or were just completed
  Timer* free_timers = nullptr;
  uint32_t timers_running = 0;
  FetchRecord* fetches = nullptr;         // a list: those under way
  CachePin* pins = nullptr;               // a list: values of the cache that it has seen
  ServiceContext* contexts = nullptr;     // a list: of services, the last opened first
  DetachedCall* detached_call = nullptr;  // that is out on the pool for it
  bool blocked = false;                   // write() said so: on_writable will come
  bool body_paused = false;
  bool body_ended = false;           // on_body_end was called
  leat_websocket* socket = nullptr;  // that was accepted for it
  bool has_length = false;           // the answer was begun with ...
  uint64_t length_left = 0;          // ... a length, of which this is not yet written
};

struct Call {
  http::Exchange* exchange = nullptr;
  const Callee* handler = nullptr;
  bool ending = false;             // on_cancel or on_done: nothing may be answered or waited for any more
  bool answering = false;          // an answer is on its way through: its head may be changed, if anything
  http::Onward* onward = nullptr;  // ... and this is the way on for its body
};
inline constinit thread_local Call current_call;
// What this thread of the pool is on; nullptr on a worker.
inline constinit thread_local DetachedCall* current_errand = nullptr;

// Makes `exchange` the one that this thread's plugin code may use, for as long as it lives.
class CallScope {
 public:
  CallScope(http::Exchange& exchange, const Callee& handler, bool ending)
      : outer_(current_call), running_(handler.title()) {
    current_call = {.exchange = &exchange, .handler = &handler, .ending = ending};
  }
  // Without a request: there is none to use, and whoever asks what runs here still learns whose code it is.
  explicit CallScope(const Callee& handler) : outer_(current_call), running_(handler.title()) {
    current_call = {.handler = &handler, .ending = true};
  }
  ~CallScope() { current_call = outer_; }
  CallScope(const CallScope&) = delete;
  CallScope& operator=(const CallScope&) = delete;

 private:
  Call outer_;
  RunningScope running_;
};

inline leat_request* to_request(http::Exchange& exchange) {
  return reinterpret_cast<leat_request*>(&exchange);
}

// The time as the requests of this thread see it, milliseconds of CLOCK_MONOTONIC.
uint64_t call_time_ms();

// Logs that a plugin used the interface wrongly. Returns `code`.
[[gnu::cold]] int32_t refuse(std::string_view function, std::string_view why, int32_t code);

// The exchange behind `request`, or nullptr, logged, when it is not this callback's.
inline http::Exchange* exchange_of(const leat_request* request, std::string_view function) {
  http::Exchange* exchange = current_call.exchange;
  if (exchange != nullptr && reinterpret_cast<const leat_request*>(exchange) == request) [[likely]]
    return exchange;
  refuse(function, "the request is not that of this callback, or this is another thread", LEAT_E_THREAD);
  return nullptr;
}

inline RequestState* state_of(const http::Exchange& exchange) {
  return static_cast<RequestState*>(exchange.handler_state);
}
// Nobody will see what is answered from here on.
inline bool is_over(const http::Exchange& exchange) { return current_call.ending || exchange.cancelled(); }
// Makes one where there is none; nullptr when the request's memory is out.
RequestState* need_state(http::Exchange& exchange);

}  // namespace leat::plugin
