#include "middleware/request_id.h"

#include <sys/random.h>

#include <array>
#include <atomic>

#include "base/text.h"
#include "http/worker_context.h"

namespace leat::middleware {

namespace {

constexpr size_t kMostTrusted = 128;

// 32 hex digits: 64 random bits that name the process, 16 for the worker, 48 that count. Unique without
// asking the kernel for randomness at each request; not a secret, and not to be used as one.
class RequestId final : public pipeline::Middleware {
 public:
  explicit RequestId(bool trust) : trust_(trust) {
    if (getrandom(&process_, sizeof process_, 0) != sizeof process_)
      process_ = reinterpret_cast<uintptr_t>(this);
  }

  [[nodiscard]] uint8_t hooks() const override { return kRequest | kAnswer; }

  [[nodiscard]] pipeline::Verdict on_request(http::Exchange& exchange) override {
    if (trust_) {
      const std::string_view given = exchange.request.header(http::HeaderId::XRequestId);
      if (given.size() <= kMostTrusted && is_token(given)) {
        exchange.request.set_id(given);
        return pipeline::Verdict::Next;
      }
    }
    if (char* text = exchange.arena().allocate_array<char>(32)) {
      const uint32_t worker = exchange.worker().index();
      // A counter for each worker on a line of its own: only that worker writes it. Workers beyond the table
      // share, which the atomic makes safe.
      const uint64_t count =
          counters_[worker % counters_.size()].value.fetch_add(1, std::memory_order_relaxed);
      put_hex(text, process_);
      put_hex(text + 16, uint64_t{worker & 0xffff} << 48 | (count & 0xffffffffffff));
      exchange.request.set_id({text, 32});
    }
    return pipeline::Verdict::Next;
  }

  Wants on_answer(http::Exchange& exchange, http::AnswerBody&) override {
    // Refused only when the answer has too many fields already; it is better sent without.
    if (!exchange.request.id().empty()) (void)exchange.response.set("X-Request-Id", exchange.request.id());
    return Wants::Nothing;
  }

 private:
  struct alignas(64) Counter {
    std::atomic<uint64_t> value = 0;
  };

  static void put_hex(char* out, uint64_t number) {
    for (int i = 15; i >= 0; --i, number >>= 4) out[i] = "0123456789abcdef"[number & 15];
  }

  bool trust_;
  uint64_t process_ = 0;
  std::array<Counter, 64> counters_;
};

}  // namespace

std::unique_ptr<pipeline::Middleware> create_request_id(const RequestIdOptions& options,
                                                        const pipeline::BuildContext&) {
  return std::make_unique<RequestId>(options.trust);
}

}  // namespace leat::middleware
