// SingleFlight: one run of the handler for all who miss the same response at the same time, on whatever
// worker.
//
// The first to join() a key leads: its handler runs. Those who come meanwhile wait, suspended, and are woken
// when the flight is over:
//
//   the leader's answer was stored         all are woken, and find it
//   it is one that is not stored           all are woken, and each has its own handler run
//   the leader has gone without an answer  the next one leads
//   the leader failed, or the first who waited for long enough has had enough
//                                          the next one leads, or that one: one retry
//   the retry failed                       all are woken, and told so
//
// Thread: any. Under a shard's mutex nothing is called but resume_from_any_thread(), which only posts.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/siphash.h"
#include "http/worker_context.h"

namespace leat::cache {

enum class Outcome : uint8_t {
  Stored,
  Pass,  // it was answered, and is not stored
  Gone,  // the leader went without an answer, or with one for itself alone
  Failed
};

class SingleFlight {
 private:
  struct Flight;

 public:
  // One request's place in a flight. In memory that stays until leave().
  class Seat {
   public:
    [[nodiscard]] bool taken() const { return flight_ != nullptr; }

   private:
    friend class SingleFlight;
    std::shared_ptr<Flight> flight_;
    http::Ticket ticket_;
    Seat* newer_ = nullptr;  // of those that wait
    Seat* older_ = nullptr;
    bool waits_ = false;
  };

  // What a seat's request should do now.
  struct State {
    bool over = false;
    bool leads = false;
    Outcome outcome = Outcome::Gone;  // of one that is over
  };

  // `wake` is called for those that wait, on their worker.
  explicit SingleFlight(http::WorkerContext::Resume wake);

  // True: this request leads. False: it waits, and is woken.
  [[nodiscard]] bool join(std::string_view key, const http::Ticket& ticket, Seat& seat);
  [[nodiscard]] State state(const Seat& seat) const;
  // Who has waited for long enough leads, unless there was a retry already.
  [[nodiscard]] bool take_over(Seat& seat);
  // The end of a leader's run. Of one that another has taken over from only a good end counts. `worker` is
  // anyone's.
  void finish(Seat& seat, Outcome outcome, http::WorkerContext& worker);
  // The request ends, or waits no more. A leader that has not finished is gone.
  void leave(Seat& seat, http::WorkerContext& worker);

 private:
  struct KeyHash {
    using is_transparent = void;
    SipKey secret;
    size_t operator()(std::string_view key) const { return sip_hash(key, secret); }
  };
  struct Shard {
    explicit Shard(const SipKey& secret) : flights(0, KeyHash{secret}) {}
    std::mutex mutex;
    std::unordered_map<std::string, std::shared_ptr<Flight>, KeyHash, std::equal_to<>> flights;
  };
  static constexpr size_t kShards = 16;

  static void enqueue(Flight& flight, Seat& seat);
  static void dequeue(Flight& flight, Seat& seat);
  void end(Flight& flight, Outcome outcome, http::WorkerContext& worker) const;

  const http::WorkerContext::Resume wake_;
  const SipKey secret_;
  std::array<std::unique_ptr<Shard>, kShards> shards_;
};

}  // namespace leat::cache
