#include "middleware/trace_context.h"

#include <cstring>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "http/trace_parent.h"
#include "http/worker_context.h"
#include "middleware/fields.h"
#include "middleware/hex.h"
#include "middleware/random.h"

namespace leat::middleware {

namespace {

using http::TraceParent;

// What is passed on of a tracestate at most: the standard asks for 512 bytes at least.
constexpr size_t kMostState = 512;

class TraceContext final : public pipeline::Middleware {
 public:
  TraceContext(const TraceContextOptions& options, uint32_t workers) : options_(options), workers_(workers) {}

  [[nodiscard]] uint8_t hooks() const override { return kRequest; }

  [[nodiscard]] pipeline::Verdict on_request(http::Exchange& exchange) override {
    char* const text = exchange.arena().allocate_array<char>(TraceParent::kSize);
    if (text == nullptr) return pipeline::Verdict::Next;
    const uint32_t worker = exchange.worker().index();
    ENSURE(worker < workers_.size());
    Random& random = workers_[worker].random;
    TraceParent trace{.text = {text, TraceParent::kSize}, .state = {}};
    const std::string_view given =
        options_.trust ? only_field(exchange.request, http::HeaderId::Traceparent) : std::string_view();
    std::memcpy(text, "00-", 3);
    if (given.size() >= TraceParent::kSize && http::is_trace_parent(given)) {
      std::memcpy(text + 3, given.data() + 3, 32);
      // Bits that this version does not know are not passed on.
      const char low = given[54];
      const int flags = low <= '9' ? low - '0' : low - 'a' + 10;
      text[53] = '0';
      text[54] = static_cast<char>('0' + (flags & (TraceParent::kSampled | TraceParent::kRandom)));
      const std::string_view state = only_field(exchange.request, http::HeaderId::Tracestate);
      if (state.size() <= kMostState) trace.state = state;
    } else {
      // Not all zeros, which would be none.
      put_hex(text + 3, random.next());
      put_hex(text + 19, random.next() | 1);
      text[53] = '0';
      text[54] =
          static_cast<char>('0' + (TraceParent::kRandom | (options_.sampled ? TraceParent::kSampled : 0)));
    }
    text[35] = text[52] = '-';
    put_hex(text + 36, random.next() | 1);
    exchange.request.set_trace(trace);
    return pipeline::Verdict::Next;
  }

 private:
  struct alignas(64) Worker {
    Random random;
  };

  const TraceContextOptions options_;
  std::vector<Worker> workers_;
};

}  // namespace

std::unique_ptr<pipeline::Middleware> create_trace_context(const TraceContextOptions& options,
                                                           const pipeline::BuildContext& context) {
  return std::make_unique<TraceContext>(options, context.surroundings.workers);
}

}  // namespace leat::middleware
