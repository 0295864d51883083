// UserSession: what is known of whoever asks, from one request to the next. It lies with the client, sealed
// (middleware/session_seal.h), and here for as long as the request does.
//
//   created, renewed     8 bytes each, seconds since 1970, the most significant byte first
//   seed                 32 random bytes that nobody else ever sees: what other secrets of the session are made of
//   for each value       a byte with the size of its name, two with that of the value, then both
//
// The middleware `sessions` makes one for each request, and who comes behind finds it: exchange.states.find<UserSession>(). It is
// empty until something is set, or the seed is asked for. Once the answer has begun nothing can be changed any more.
//
// A handler on another thread has a copy, in memory of its own, whose changes the worker takes with its answer (copy_session).
//
// Thread: the exchange's.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/arena.h"

namespace leat::http {

struct SessionRules {
  int64_t max_age_s = 0;  // since it was created
  int64_t idle_s = 0;     // since it was last renewed
  size_t values = 0;      // how many, at most
  size_t bytes = 0;       // of what write() makes, at most
  bool secure = true;     // its cookie is for https alone
};

class UserSession {
 public:
  static constexpr size_t kSeed = 32;
  // Clocks of machines that share a key are not further apart.
  static constexpr int64_t kSkew_s = 60;

  // What became of a change. All but Done have changed nothing.
  enum class Change : uint8_t {
    Done,
    Late,     // the answer has begun
    TooMuch,  // too many values or bytes, or a name that is empty or longer than 255 bytes
    NoMemory  // or no randomness
  };

  // `arena` outlives it. `now_s`: since 1970.
  UserSession(const SessionRules& rules, Arena& arena, int64_t now_s)
      : rules_(rules), arena_(arena), now_s_(now_s) {}

  // --- For whoever deals with the request.

  [[nodiscard]] bool empty() const { return seed_.empty(); }
  // As long as the exchange; a view with a null data() where there is none.
  [[nodiscard]] std::string_view get(std::string_view name) const;
  // Calls it with the name and value of each.
  template <class Each>
  void for_each(Each each) const {
    for (const Value& value : std::span(values_, count_)) each(value.name, value.value);
  }
  // Copies both.
  [[nodiscard]] Change set(std::string_view name, std::string_view value);
  // That there is none is no mistake.
  Change remove(std::string_view name);
  // Without values, and without what it was known by.
  Change clear();
  // The same values under another seed, as a new session: for when somebody becomes another, by logging in.
  [[nodiscard]] Change renew();
  // kSeed bytes, as long as the exchange; an empty session begins with it. Empty: randomness or memory is out, or the answer
  // has begun without one.
  [[nodiscard]] std::string_view seed();
  [[nodiscard]] const SessionRules& rules() const { return rules_; }
  // An answer is made by what is in it, and is for this client alone: also one that has begun, of which the rest may be. For the cache.
  // Any thread.
  void mark_used() { used_.store(true, std::memory_order_relaxed); }
  [[nodiscard]] bool used() const { return used_.load(std::memory_order_relaxed); }
  [[nodiscard]] bool closed() const { return closed_; }
  // Becomes what that one is, which may be in use no more; false where memory is out, or its own answer has begun.
  [[nodiscard]] bool take(const UserSession& other);

  // --- For `sessions`.

  enum class Outcome : uint8_t { Good, Over, Malformed, NoMemory };
  // Takes what write() has made, which must stay as long as the exchange. It stays empty unless it is good.
  [[nodiscard]] Outcome read(std::string_view bytes);
  // Into `to`, which has room for size(). Returns the end.
  char* write(char* to) const;
  [[nodiscard]] size_t size() const;
  [[nodiscard]] bool changed() const { return changed_; }
  [[nodiscard]] int64_t now_s() const { return now_s_; }
  // So much of its time without a request has gone that the client is to be told of this one.
  [[nodiscard]] bool is_due() const { return !empty() && now_s_ - renewed_s_ >= rules_.idle_s / 8; }
  // How long it may stay with the client.
  [[nodiscard]] int64_t rest_s() const;
  // The answer begins: from now on it is as it is. One that goes to the client counts as renewed.
  void close(bool renewed) {
    closed_ = true;
    if (renewed) renewed_s_ = now_s_;
  }

 private:
  struct Value {
    std::string_view name, value;
  };
  static constexpr size_t kHead = 2 * sizeof(uint64_t) + kSeed;
  static constexpr size_t kValueHead = 3;

  [[nodiscard]] Value* find(std::string_view name) const;
  [[nodiscard]] bool is_in_time() const;
  [[nodiscard]] bool read_values(std::string_view bytes);
  [[nodiscard]] Change begin();

  const SessionRules rules_;
  Arena& arena_;
  const int64_t now_s_;
  int64_t created_s_ = 0, renewed_s_ = 0;
  std::string_view seed_;
  Value* values_ = nullptr;  // room for rules_.values, once there was one
  size_t count_ = 0;
  bool changed_ = false, closed_ = false;
  std::atomic<bool> used_ = false;
};

class Exchange;

// Of a request's session, where it has one, a copy for `to`, whose request is the same. False: memory is out.
[[nodiscard]] bool copy_session(const Exchange& from, Exchange& to);
// What was done to that copy. Before the answer of `to` begins; the other one's has. False: memory is out.
[[nodiscard]] bool take_session(const Exchange& from, Exchange& to);

}  // namespace leat::http
