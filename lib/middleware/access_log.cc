#include "middleware/access_log.h"

#include <array>
#include <charconv>
#include <cstring>
#include <ctime>

#include "base/date.h"
#include "base/log.h"
#include "http/worker_context.h"
#include "pipeline/request_counts.h"
#include "pipeline/site.h"

namespace leat::middleware {

namespace {

// A line on the stack: long enough for a target of a kilobyte with every character escaped. Texts that leave
// no room for what comes behind them are cut, never within an escape, so that the line is always whole.
class Line {
 public:
  void put(std::string_view text) {
    if (text.size() > room()) return;
    std::memcpy(bytes_.data() + size_, text.data(), text.size());
    size_ += text.size();
  }
  void put(uint64_t number) {
    char digits[20];
    put({digits, static_cast<size_t>(std::to_chars(digits, digits + sizeof digits, number).ptr - digits)});
  }
  // As the inside of a JSON string; control characters, quotes, backslashes and bytes that are not ASCII are
  // escaped, so that the line is one line and one object whatever a client sent.
  void put_escaped(std::string_view text) {
    constexpr size_t kMost = 1024;
    constexpr size_t kBehind = 512;  // more than all names and numbers of a line together
    for (const char c : text.substr(0, kMost)) {
      if (room() < kBehind) return;
      const auto byte = static_cast<unsigned char>(c);
      if (byte >= 0x20 && byte < 0x7f && c != '"' && c != '\\') {
        put({&c, 1});
      } else {
        const char code[] = {'\\', 'u', '0', '0', kHex[byte >> 4], kHex[byte & 15]};
        put({code, sizeof code});
      }
    }
  }
  [[nodiscard]] std::string_view text() const { return {bytes_.data(), size_}; }

 private:
  static constexpr std::string_view kHex = "0123456789abcdef";
  [[nodiscard]] size_t room() const { return bytes_.size() - size_; }

  std::array<char, 8192> bytes_;
  size_t size_ = 0;
};

// "2026-11-23T12:00:00.123Z"
void put_time(Line& line) {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
  line.put(view(iso_date(now.tv_sec)));
  const auto ms = static_cast<unsigned>(now.tv_nsec / 1'000'000);
  const char tail[] = {'.', static_cast<char>('0' + ms / 100), static_cast<char>('0' + ms / 10 % 10),
                       static_cast<char>('0' + ms % 10), 'Z'};
  line.put({tail, sizeof tail});
}

class AccessLog final : public pipeline::Middleware {
 public:
  explicit AccessLog(const AccessLogOptions& options) : options_(options) {}

  [[nodiscard]] uint8_t hooks() const override { return kDone; }

  void on_done(http::Exchange& exchange) override {
    if (!log::enabled(log::Level::Info)) return;
    Line line;
    if (options_.format == AccessLogOptions::Format::Json)
      write_json(line, exchange);
    else
      write_text(line, exchange);
    log::write_raw(line.text());
  }

 private:
  void write_json(Line& line, const http::Exchange& exchange) const {
    const http::Request& request = exchange.request;
    line.put(R"({"ts":")");
    put_time(line);
    line.put(R"(","request_id":")");
    line.put_escaped(request.id());
    line.put(R"(","peer":")");
    line.put_escaped(request.peer());
    line.put(R"(","client":")");
    line.put_escaped(request.client());
    if (options_.listener) {
      line.put(R"(","listener":")");
      line.put_escaped(exchange.listener());
    }
    line.put(R"(","method":")");
    line.put(http::method_name(request.method()));
    line.put(R"(","target":")");
    line.put_escaped(request.target());
    line.put(R"(","route":")");
    line.put_escaped(exchange.route != nullptr ? std::string_view(exchange.route->id) : "");
    line.put(R"(","status":)");
    line.put(uint64_t{pipeline::recorded_status(exchange)});
    line.put(R"(,"bytes":)");
    line.put(exchange.bytes_sent());
    line.put(R"(,"duration_us":)");
    line.put(duration_us(exchange));
    if (exchange.cut()) {
      line.put(R"(,"cut":")");
      line.put_escaped(exchange.cut().detail);
      line.put("\"");
    }
    line.put("}");
  }
  void write_text(Line& line, const http::Exchange& exchange) const {
    const http::Request& request = exchange.request;
    put_time(line);
    line.put(" ");
    line.put_escaped(request.client().empty() ? "-" : request.client());
    line.put(" \"");
    line.put(http::method_name(request.method()));
    line.put(" ");
    line.put_escaped(request.target());
    line.put("\" ");
    line.put(uint64_t{pipeline::recorded_status(exchange)});
    line.put(" ");
    line.put(exchange.bytes_sent());
    line.put(" ");
    line.put(duration_us(exchange));
    line.put("us ");
    line.put_escaped(request.id().empty() ? "-" : request.id());
    if (options_.listener) {
      line.put(" ");
      line.put_escaped(exchange.listener().empty() ? "-" : exchange.listener());
    }
    if (!exchange.cut()) return;
    line.put(" cut: ");
    line.put_escaped(exchange.cut().detail);
  }
  static uint64_t duration_us(const http::Exchange& exchange) {
    if (exchange.started_ns == 0) return 0;  // refused before its head was complete
    // The worker's clock stands still during a turn; the time a handler took is told by a fresh one.
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    const uint64_t now_ns =
        static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
    return now_ns > exchange.started_ns ? (now_ns - exchange.started_ns) / 1000 : 0;
  }

  AccessLogOptions options_;
};

}  // namespace

std::unique_ptr<pipeline::Middleware> create_access_log(const AccessLogOptions& options,
                                                        const pipeline::BuildContext&) {
  return std::make_unique<AccessLog>(options);
}

}  // namespace leat::middleware
