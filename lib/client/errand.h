// Errand: what a worker asks other servers of its own accord, beside its requests: batches of what it has gathered, keys
// that are looked at now and then.
//
//   begin() -> plan() -> Wait -> plan() -> Ask -> on_fetched() -> plan() -> ... -> Over
//
// An errand says what is next, and its worker sees to it: so timers, fetches and the worker's end have one place, and an
// errand is a state with two questions. It lives as long as there is anything to do. What has more to do later begins
// another one; nobody has to end those of a configuration that is gone.
//
// When the worker comes to its end each errand is told so (`ending`), with some time for what is left. What takes longer
// is given up.
//
// Thread: its worker's, but for the destructor, which runs wherever the last reference goes.
#pragma once

#include <cstdint>
#include <memory>

#include "client/fetch.h"

namespace leat::client {

class Errand {
 public:
  struct Plan {
    enum class Next : uint8_t {
      Wait,  // for `wait_ms`, or until Fetcher::wake()
      Ask,   // `upstream` for `request`; both stay until on_fetched()
      Over   // nothing is left to do
    };
    Next next = Next::Over;
    uint64_t wait_ms = 0;
    const std::shared_ptr<const Upstream>* upstream = nullptr;
    FetchRequest request = {};
  };

  virtual ~Errand() = default;
  // What is to be done now. `now_ms` is CLOCK_MONOTONIC, as of the turn. `ending`: the worker comes to its end.
  [[nodiscard]] virtual Plan plan(uint64_t now_ms, bool ending) = 0;
  // What was asked for is over: an answer has come, or there is none. Views into `fetch` end with the call.
  virtual void on_fetched(const Fetch& fetch, uint64_t now_ms) = 0;
};

}  // namespace leat::client
