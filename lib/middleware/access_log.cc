#include "middleware/access_log.h"

#include <fmt/core.h>
#include <sys/random.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "base/quick_clock.h"
#include "base/text.h"
#include "http/worker_context.h"
#include "logging/sinks.h"
#include "middleware/access_line.h"
#include "middleware/option_error.h"
#include "middleware/random.h"
#include "middleware/statuses.h"
#include "pipeline/request_counts.h"

namespace leat::middleware {

namespace {

using logging::Target;

constexpr std::string_view kText =
    R"({ts} {client} "{method} {target}" {status} {bytes_out} {duration_us}us {request_id} {reason})";
constexpr std::string_view kCombined =
    R"({client} - - [{clock}] "{method} {target} {protocol}" {status} {bytes_out} "{referer}" "{user_agent}")";
constexpr std::string_view kJson = "json";
constexpr std::string_view kAll = "all";

class AccessLog final : public pipeline::Middleware {
 public:
  struct Filter {
    Statuses statuses;
    uint64_t slower_than_ns = UINT64_MAX;
    bool all = true;       // whatever else is said
    uint64_t sampled = 0;  // of the others: those whose random number is less
  };

  // Without a sink lines go through the daemon's log, one by one: where there is no daemon.
  AccessLog(AccessLine line, Filter filter, std::shared_ptr<logging::Sink> sink, uint32_t workers)
      : line_(std::move(line)), filter_(filter), sink_(std::move(sink)) {
    for (uint32_t i = 0; i < workers; ++i) workers_.push_back(std::make_unique<Worker>(line_));
  }

  [[nodiscard]] uint8_t hooks() const override {
    return static_cast<uint8_t>(kDone | (line_.timed() ? kMoments : 0));
  }

  // A tunnel has its line at its end.
  void on_done(http::Exchange& exchange) override {
    if (!exchange.left_for_tunnel()) log(exchange);
  }
  [[nodiscard]] bool watches_tunnels() const override { return true; }
  void on_tunnel_end(http::Exchange& exchange) override { log(exchange); }

 private:
  static constexpr size_t kRoom = AccessLine::kMostBytes + AccessLine::kBeyond;

  void log(http::Exchange& exchange) {
    const uint32_t index = exchange.worker().index();
    ENSURE(index < workers_.size());
    Worker& worker = *workers_[index];
    // The worker's clock stands still during a turn; the time a handler took is told by a fresh one.
    const uint64_t now_ns = quick_ns();
    if (!filter_.all && !wants(exchange, now_ns, worker)) return;
    const http::RefusedHead* refused = nullptr;
    if (exchange.route == nullptr) [[unlikely]]
      refused = exchange.states.find<http::RefusedHead>(nullptr);
    const AccessFacts facts{.exchange = exchange,
                            .head = refused != nullptr ? refused->head : exchange.request.head(),
                            .refused = refused,
                            .ended_ns = now_ns};
    if (sink_ == nullptr) {
      char line[kRoom];
      const char* const end = worker.writer.write(line, facts);
      return log::write_raw({line, static_cast<size_t>(end - line) - 1});
    }
    char* const at = sink_->begin(index, kRoom);
    if (at != nullptr) [[likely]]
      sink_->end(index, worker.writer.write(at, facts));
  }

  struct alignas(64) Worker {
    explicit Worker(const AccessLine& line) : writer(line) {}
    AccessLineWriter writer;
    Random random;
  };

  [[nodiscard]] bool wants(const http::Exchange& exchange, uint64_t now_ns, Worker& worker) const {
    if (filter_.statuses[pipeline::recorded_status(exchange) % filter_.statuses.size()]) return true;
    const uint64_t since = exchange.started_ns;
    if (since != 0 && now_ns > since && now_ns - since > filter_.slower_than_ns) return true;
    return worker.random.next() < filter_.sampled;
  }

  const AccessLine line_;
  const Filter filter_;
  const std::shared_ptr<logging::Sink> sink_;
  std::vector<std::unique_ptr<Worker>> workers_;
};

class Maker {
 public:
  Maker(const AccessLogOptions& options, const pipeline::BuildContext& context)
      : options_(options), context_(context) {}

  std::unique_ptr<pipeline::Middleware> make() {
    const Target target = read_target();
    AccessLine line = read_line(target);
    if (!line.fits())
      fail("fields", pipeline::kLogOption, "what is the same in each line takes more than 8 KiB");
    const AccessLog::Filter filter = read_filter();
    if (!good_) return nullptr;
    std::shared_ptr<logging::Sink> sink;
    if (logging::Sinks* const sinks = context_.surroundings.logs) {
      auto opened = sinks->open(target, context_.surroundings.workers);
      if (!opened) {
        fail("file", pipeline::kCannotLog, opened.error());
        return nullptr;
      }
      sink = std::move(*opened);
    }
    return std::make_unique<AccessLog>(std::move(line), filter, std::move(sink),
                                       context_.surroundings.workers);
  }

 private:
  [[nodiscard]] bool has(std::string_view option) const { return context_.options.find(option) != nullptr; }
  void fail(std::string_view option, int code, std::string message, std::string hint = {}) {
    fail_option(context_, option, std::move(message), std::move(hint), code);
    good_ = false;
  }
  void no_use(std::string_view option, bool said, bool useful, std::string_view what) {
    if (said && !useful)
      fail(option, pipeline::kLogOption, fmt::format("`{}` is for an access log {}", option, what));
  }

  Target read_target() {
    Target target;
    target.to = options_.to.value_or(options_.file.empty() ? Target::To::Log : Target::To::File);
    const bool file = target.to == Target::To::File;
    const bool socket = target.to == Target::To::Syslog || target.to == Target::To::Journald;
    no_use("file", !options_.file.empty(), file, "in a file");
    no_use("rotate_size", options_.rotate_size != 0, file, "in a file");
    no_use("rotate_keep", options_.rotate_keep != target.rotate_keep, file, "in a file");
    no_use("socket", !options_.socket.empty(), socket, "to syslog or the journal");
    no_use("facility", options_.facility != target.facility, target.to == Target::To::Syslog, "to syslog");
    if (file && options_.file.empty())
      fail("to", pipeline::kLogOption, "an access log in a file needs `file`");
    if (file) target.path = options_.file;
    if (socket) {
      const bool journal = target.to == Target::To::Journald;
      target.path = journal ? Target::kJournalSocket : Target::kSyslogSocket;
      if (!options_.socket.empty()) target.path = options_.socket;
    }
    target.rotate_size = options_.rotate_size;
    target.rotate_keep = options_.rotate_keep;
    target.facility = options_.facility;
    target.buffer_bytes = options_.buffer;
    return target;
  }

  AccessLine read_line(const Target& target) {
    Redaction redaction{.headers = options_.redact_headers, .parameters = options_.redact_query};
    std::vector<std::string> fields;
    for (const std::string& name : options_.fields) {
      if (name != kAll) {
        fields.push_back(name);
        continue;
      }
      for (const AccessField& each : access_fields()) fields.emplace_back(each.name);
    }
    const bool journal = target.to == Target::To::Journald;
    const bool object = !journal && options_.format.value_or(std::string(kJson)) == kJson;
    if (has("fields") && !object && !journal)
      fail("fields", pipeline::kLogOption, "`fields` is for the format \"json\" and for the journal");
    if (journal && options_.format == kJson)
      fail("format", pipeline::kLogOption, "the journal has fields of its own",
           "leave `format` out: `fields` are the journal's");
    if (fields.size() > AccessLine::kMostFields)
      fail("fields", pipeline::kLogOption,
           fmt::format("a line has at most {} fields", AccessLine::kMostFields));
    if (object) return AccessLine::object(fields, std::move(redaction));
    std::string_view pattern = options_.format ? std::string_view(*options_.format) : "text";
    if (pattern == "text") pattern = kText;
    if (pattern == "combined") pattern = kCombined;
    return journal ? AccessLine::record(pattern, fields, std::move(redaction))
                   : AccessLine::words(pattern, std::move(redaction));
  }

  AccessLog::Filter read_filter() {
    AccessLog::Filter filter;
    for (const std::string& text : options_.status)
      if (const auto statuses = read_statuses(text)) filter.statuses |= *statuses;  // else that was said
    if (options_.slower_than_ms) filter.slower_than_ns = *options_.slower_than_ms * 1'000'000;
    const bool chooses = filter.statuses.any() || options_.slower_than_ms;
    const double share = has("sample") || !chooses ? options_.sample : 0;
    filter.all = share >= 1;
    filter.sampled = static_cast<uint64_t>(share * 0x1p63) * 2;
    return filter;
  }

  const AccessLogOptions& options_;
  const pipeline::BuildContext& context_;
  bool good_ = true;
};

}  // namespace

std::string check_log_field(std::string_view, std::string_view text) {
  return text == kAll ? std::string() : AccessLine::check_field(text);
}

std::string check_log_format(std::string_view called, std::string_view text) {
  if (text == kJson || text == "text" || text == "combined") return {};
  if (std::string wrong = schema::check_characters(called, text); !wrong.empty()) return wrong;
  if (!text.contains('{'))
    return fmt::format("{} is \"json\", \"combined\", \"text\" or a text with {{field}} in it", called);
  const std::string wrong = AccessLine::check_pattern(text);
  return wrong.empty() || wrong.starts_with("there") || wrong.starts_with("`")
             ? wrong
             : fmt::format("{} {}", called, wrong);
}

std::unique_ptr<pipeline::Middleware> create_access_log(const AccessLogOptions& options,
                                                        const pipeline::BuildContext& context) {
  return Maker(options, context).make();
}

}  // namespace leat::middleware
