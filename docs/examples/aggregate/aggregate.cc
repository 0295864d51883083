// aggregate: one answer made of several that have to be waited for, a few at a time, each within a deadline.
//
// The sources are stand-ins: each takes as long as the client says. What matters is the shape: ask() is a
// coroutine, as it would be with a database or another service behind it, and nothing blocks the worker.
#include <leat/plugin.hpp>

#include <charconv>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace {

using std::chrono::milliseconds;

constexpr size_t kMostSources = 20;
constexpr size_t kAtOnce = 8;

struct Source {
  std::optional<uint32_t> took_ms;  // none: it was too late
};
LEAT_JSON(Source, took_ms);

class Aggregate : public leat::Plugin<Aggregate> {
 public:
  // GET /aggregate?delays=10,30,20&deadline=100: the sources in the order of the delays.
  leat::Task<leat::Result<std::vector<Source>>> aggregate(
      leat::Query<std::string_view, "delays"> delays,
      leat::Query<uint32_t, "deadline", leat::Range{1, 10'000}, leat::Default{1000}> deadline) {
    const leat::Result<std::vector<uint32_t>> asked = read(delays);
    if (!asked) co_return asked.problem();
    const milliseconds time(*deadline);
    const auto ask_in_time = [&](uint32_t delay) -> leat::Task<Source> {
      co_return Source{co_await leat::within(time, ask(delay))};
    };
    co_return co_await leat::gather_with_limit(*asked, kAtOnce, ask_in_time);
  }

  static constexpr auto handlers() { return leat::list(handler<&Aggregate::aggregate>("aggregate")); }

 private:
  static leat::Task<uint32_t> ask(uint32_t delay) {
    co_await leat::sleep(milliseconds(delay));
    co_return delay;
  }

  // "10,30,20"
  static leat::Result<std::vector<uint32_t>> read(std::string_view text) {
    std::vector<uint32_t> numbers;
    const char* at = text.data();
    const char* const end = at + text.size();
    while (true) {
      uint32_t number = 0;
      const auto [stop, error] = std::from_chars(at, end, number);
      if (error != std::errc() || number > 60'000 || numbers.size() == kMostSources)
        return leat::problem(400, "The query parameter `delays` must be up to " +
                                      std::to_string(kMostSources) +
                                      " numbers of milliseconds from 0 to 60000, with commas between.");
      numbers.push_back(number);
      if (stop == end) return numbers;
      at = *stop == ',' ? stop + 1 : end;  // at the end there is no number, which is refused
    }
  }
};

}  // namespace

LEAT_PLUGIN(Aggregate, "aggregate", "1.0.0")
