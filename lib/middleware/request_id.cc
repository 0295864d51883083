#include "middleware/request_id.h"

#include <algorithm>
#include <ctime>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/text.h"
#include "http/worker_context.h"
#include "middleware/hex.h"
#include "middleware/random.h"

namespace leat::middleware {

namespace {

constexpr size_t kMostTrusted = 128;
constexpr std::string_view kField = "X-Request-Id";
constexpr size_t kSize = 36;

// The UUIDs of one worker.
class Uuids {
 public:
  // Writes the next one, of kSize characters. `now_ns` is the worker's clock, by whose milliseconds the date is looked at
  // again: it may be set at any time.
  char* put(char* at, uint64_t now_ns) {
    if (now_ns / 1'000'000 != looked_ms_) [[unlikely]]
      look(now_ns);
    if (++count_ > kMostCount) [[unlikely]]
      begin(ms_ + 1);
    // Digits without dashes: of the time and the count, then of what is random.
    char digits[32];
    put_hex(put_hex(digits, ms_ << 16 | 0x7000 | count_), (random_.next() >> 2) | uint64_t{1} << 63);
    std::memcpy(at, digits, 8);
    std::memcpy(at + 9, digits + 8, 4);
    std::memcpy(at + 14, digits + 12, 4);
    std::memcpy(at + 19, digits + 16, 4);
    std::memcpy(at + 24, digits + 20, 12);
    at[8] = at[13] = at[18] = at[23] = '-';
    return at + kSize;
  }

 private:
  static constexpr uint32_t kMostCount = 0xfff;

  void look(uint64_t now_ns) {
    looked_ms_ = now_ns / 1'000'000;
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    const auto now_ms =
        static_cast<uint64_t>(now.tv_sec) * 1000 + static_cast<uint64_t>(now.tv_nsec) / 1'000'000;
    if (const uint64_t next = next_uuid_ms(ms_, now_ms); next != ms_) begin(next);
  }
  // A millisecond, in which counting begins somewhere in the lower half: there is room for 2048 names at least.
  void begin(uint64_t ms) {
    ms_ = ms;
    count_ = static_cast<uint32_t>(random_.next() >> 53);
  }

  uint64_t looked_ms_ = UINT64_MAX;
  uint64_t ms_ = 0;  // since 1970
  uint32_t count_ = 0;
  Random random_;
};

class RequestId final : public pipeline::Middleware {
 public:
  RequestId(bool trust, uint32_t workers) : trust_(trust), workers_(workers) {}

  [[nodiscard]] uint8_t hooks() const override { return kRequest | kAnswer; }

  [[nodiscard]] pipeline::Verdict on_request(http::Exchange& exchange) override {
    if (trust_) {
      const std::string_view given = exchange.request.header(http::HeaderId::XRequestId);
      if (given.size() <= kMostTrusted && is_token(given)) {
        exchange.request.set_id(given);
        return pipeline::Verdict::Next;
      }
    }
    if (char* const text = exchange.arena().allocate_array<char>(kSize)) {
      const uint32_t worker = exchange.worker().index();
      ENSURE(worker < workers_.size());
      workers_[worker].uuids.put(text, exchange.worker().now_ns());
      exchange.request.set_id({text, kSize});
    }
    return pipeline::Verdict::Next;
  }

  Wants on_answer(http::Exchange& exchange, http::AnswerBody&) override {
    const std::string_view id = exchange.request.id();
    if (id.empty()) return Wants::Nothing;
    http::Response& response = exchange.response;
    if (response.find(kField).data() != nullptr) [[unlikely]]
      response.remove(kField);
    // Refused only when the answer has too many fields already; it is better sent without.
    (void)response.add_checked(kField, id);
    return Wants::Nothing;
  }

 private:
  struct alignas(64) Worker {
    Uuids uuids;
  };

  const bool trust_;
  std::vector<Worker> workers_;
};

}  // namespace

uint64_t next_uuid_ms(uint64_t last_ms, uint64_t now_ms) {
  constexpr uint64_t kLittle = 10'000;
  return now_ms > last_ms || last_ms - now_ms > kLittle ? now_ms : last_ms;
}

std::unique_ptr<pipeline::Middleware> create_request_id(const RequestIdOptions& options,
                                                        const pipeline::BuildContext& context) {
  return std::make_unique<RequestId>(options.trust, context.surroundings.workers);
}

}  // namespace leat::middleware
