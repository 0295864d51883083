#include "middleware/trace.h"

#include <fmt/core.h>

#include <array>
#include <cmath>
#include <ctime>
#include <optional>
#include <utility>

#include "base/check.h"
#include "base/quick_clock.h"
#include "base/text.h"
#include "client/fetch_watch.h"
#include "http/worker_context.h"
#include "middleware/counters.h"
#include "middleware/fields.h"
#include "middleware/headers.h"
#include "middleware/span_lane.h"
#include "middleware/trace_place.h"
#include "pipeline/host_name.h"
#include "pipeline/site.h"

namespace leat::middleware {

namespace {

using http::TraceParent;
using otlp::SpanEncoder;
using otlp::SpanKind;

constexpr size_t kMostCollectorFields = 16;
// Texts of a span at most, and what else it has.
constexpr size_t kMostTexts = 10;
constexpr size_t kSpanRest = 1024;

// 56 bits of a trace's identifier are random; those with the largest numbers are recorded, as the specification of consistent
// sampling has it (OpenTelemetry, "Probability Sampling").
constexpr uint64_t kRandomBits = 56;
uint64_t first_recorded(double ratio) {
  return static_cast<uint64_t>(std::llround((1 - ratio) * static_cast<double>(uint64_t{1} << kRandomBits)));
}

uint64_t unix_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

// Moments of CLOCK_MONOTONIC as the world has them.
struct SpanTimes {
  explicit SpanTimes(uint64_t began_ns) {
    const uint64_t now = quick_ns();
    end_ns = unix_ns();
    start_ns = end_ns - (now > began_ns ? now - began_ns : 0);
  }
  uint64_t start_ns, end_ns;
};

struct HostAndPort {
  std::string_view host;
  std::optional<uint16_t> port;
};
// Of "[::1]:8080", "example.org".
HostAndPort take_apart(std::string_view authority) {
  HostAndPort parts{.host = pipeline::host_name(authority), .port = {}};
  const size_t bracket = authority.rfind(']');
  const size_t colon = authority.find(':', bracket == std::string_view::npos ? 0 : bracket);
  if (colon != std::string_view::npos) parts.port = parse_number<uint16_t>(authority.substr(colon + 1));
  if (bracket != std::string_view::npos) parts.host = authority.substr(1, bracket - 1);
  return parts;
}

// The methods that the conventions know by name.
bool is_common(std::string_view method) {
  for (const std::string_view each :
       {"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"})
    if (method == each) return true;
  return false;
}
std::string_view put_method(SpanEncoder& span, std::string_view method) {
  const bool common = is_common(method);
  span.attribute("http.request.method", common ? method : "_OTHER");
  if (!common) span.attribute("http.request.method_original", method);
  return common ? method : "HTTP";
}

void put_server(SpanEncoder& span, std::string_view authority) {
  const HostAndPort server = take_apart(authority);
  if (!server.host.empty()) span.attribute("server.address", server.host);
  if (server.port) span.attribute("server.port", int64_t{*server.port});
}

// What went wrong is named by its status where it has one.
void put_error(SpanEncoder& span, uint16_t status) {
  char digits[8];
  const auto end = fmt::format_to_n(digits, sizeof digits, "{}", status).out;
  span.attribute("error.type", std::string_view(digits, static_cast<size_t>(end - digits)));
  span.failed();
}

std::string_view put_failure(client::FetchStatus status) {
  switch (status) {
    case client::FetchStatus::Timeout:
      return "timeout";
    case client::FetchStatus::TooLarge:
      return "answer_too_large";
    case client::FetchStatus::Memory:
      return "out_of_memory";
    case client::FetchStatus::Pending:
      return "given_up";
    default:
      return "no_answer";
  }
}

// The lanes of all workers, which stay over a reload that leaves the options as they are.
struct SpanExporter {
  SpanExporter(const std::shared_ptr<const SpanTarget>& target, const SpanBatching& batching,
               const std::shared_ptr<const otlp::Envelope>& envelope, const SpanLane::SpanCounters& counters,
               uint32_t workers) {
    for (uint32_t i = 0; i < workers; ++i)
      lanes.push_back(std::make_shared<SpanLane>(target, batching, envelope, counters));
  }
  std::vector<std::shared_ptr<SpanLane>> lanes;
};

class Trace final : public pipeline::Middleware, public client::FetchWatch {
 public:
  Trace(const TraceOptions& options, uint32_t workers, std::shared_ptr<SpanExporter> exporter)
      : ratio_(options.ratio),
        first_recorded_(first_recorded(options.ratio)),
        trusts_(options.trust),
        queries_(options.query),
        most_(options.value),
        exporter_(std::move(exporter)),
        workers_(workers) {
    for (Worker& worker : workers_) worker.room.resize(kMostTexts * most_ + kSpanRest);
  }

  [[nodiscard]] uint8_t hooks() const override { return kRequest | kDone; }

  [[nodiscard]] std::string explain(http::Exchange& exchange) const override {
    const std::string_view given = trusts_ ? given_trace(exchange.request) : std::string_view();
    if (given.empty()) return fmt::format("begins a trace, of which {:.4g} % are recorded", 100 * ratio_);
    return fmt::format("takes trace {}, which is {}recorded", given.substr(3, 32),
                       (trace_flags(given) & TraceParent::kSampled) != 0 ? "" : "not ");
  }
  [[nodiscard]] pipeline::Verdict on_request(http::Exchange& exchange) override {
    TracePlace place;
    const bool placed = place_in_trace(
        exchange, worker_of(exchange).random, trusts_,
        [&](uint64_t number) { return (number & ((uint64_t{1} << kRandomBits) - 1)) >= first_recorded_; },
        place);
    if (!placed || (trace_flags(exchange.request.trace().text) & TraceParent::kSampled) == 0)
      return pipeline::Verdict::Next;
    if (auto* const recorded = exchange.states.make<Recorded>(this)) {
      recorded->parent = place.parent;
      TraceParent trace = exchange.request.trace();
      trace.watch = this;
      exchange.request.set_trace(trace);
    }
    return pipeline::Verdict::Next;
  }

  void on_done(http::Exchange& exchange) override {
    const Recorded* const recorded = exchange.states.find<Recorded>(this);
    if (recorded == nullptr) return;
    const SpanTimes times(exchange.started_ns);
    SpanEncoder span = encoder(exchange);
    const TraceParent& trace = exchange.request.trace();
    span.begin({.trace = trace.id(),
                .span = trace.span(),
                .parent = recorded->parent,
                .state = trace.state,
                .flags = trace_flags(trace.text),
                .remote = !recorded->parent.empty()},
               SpanKind::Server, times.start_ns, times.end_ns);
    describe(exchange, span);
    give(exchange, span);
  }

  // --- client::FetchWatch

  std::string_view on_fetch(client::Fetch& fetch, const client::Upstream& upstream,
                            const client::FetchRequest& request) override {
    http::Exchange& exchange = *fetch.exchange;
    Arena& arena = exchange.arena();
    void* const memory = arena.allocate(sizeof(Question), alignof(Question));
    char* const text = arena.allocate_array<char>(TraceParent::kSize);
    if (memory == nullptr || text == nullptr) return {};
    const TraceParent& trace = exchange.request.trace();
    trace.id().copy(text + 3, 32);
    put_trace_parent(text, worker_of(exchange).random.next() | 1, trace_flags(trace.text));
    fetch.record = new (memory) Question{.trace = {text, TraceParent::kSize},
                                         .method = arena.copy(request.method),
                                         .target = arena.copy(request.target),
                                         .upstream = arena.copy(upstream.url()),
                                         .began_ns = quick_ns()};
    return {text, TraceParent::kSize};
  }

  void on_fetch_end(client::Fetch& fetch) override {
    http::Exchange& exchange = *fetch.exchange;
    const Question& question = *static_cast<const Question*>(fetch.record);
    const SpanTimes times(question.began_ns);
    SpanEncoder span = encoder(exchange);
    const TraceParent& trace = exchange.request.trace();
    const TraceParent own{.text = question.trace, .state = trace.state};
    span.begin({.trace = own.id(),
                .span = own.span(),
                .parent = trace.span(),
                .state = own.state,
                .flags = trace_flags(own.text)},
               SpanKind::Client, times.start_ns, times.end_ns);
    describe(fetch, question, span);
    give(exchange, span);
  }

 private:
  // Of a request that is recorded.
  struct Recorded {
    std::string_view parent;
  };
  // Of a fetch that is: what it asked for, in the exchange's arena.
  struct Question {
    std::string_view trace, method, target, upstream;
    uint64_t began_ns;
  };
  struct alignas(64) Worker {
    Random random;
    std::vector<char> room;  // in which a span is put together
  };

  Worker& worker_of(const http::Exchange& exchange) {
    const uint32_t worker = const_cast<http::Exchange&>(exchange).worker().index();
    ENSURE(worker < workers_.size());
    return workers_[worker];
  }
  SpanEncoder encoder(http::Exchange& exchange) {
    std::vector<char>& room = worker_of(exchange).room;
    return {room.data(), room.size(), most_};
  }
  void give(http::Exchange& exchange, const SpanEncoder& span) {
    http::WorkerContext& worker = exchange.worker();
    SpanLane& lane = *exporter_->lanes[worker.index()];
    if (const auto fields = span.fields())
      lane.add(*fields, worker.fetcher(), worker.now_ns() / 1'000'000);
    else
      lane.drop();
  }

  void describe(http::Exchange& exchange, SpanEncoder& span) const {
    const http::Request& request = exchange.request;
    const std::string_view route = exchange.route != nullptr ? exchange.route->path : std::string_view();
    span.name(put_method(span, http::method_name(request.method())), route);
    span.attribute("url.scheme", request.scheme());
    span.attribute("url.path", request.path());
    if (queries_ && !request.query().empty()) span.attribute("url.query", request.query());
    if (!route.empty()) span.attribute("http.route", route);
    put_server(span, request.host());
    if (!request.client().empty()) span.attribute("client.address", request.client());
    if (!request.peer().empty()) span.attribute("network.peer.address", request.peer());
    span.attribute("network.protocol.version", request.head().major_version == 2 ? "2"
                                               : request.minor_version() == 0    ? "1.0"
                                                                                 : "1.1");
    if (const std::string_view agent = request.header(http::HeaderId::UserAgent); !agent.empty())
      span.attribute("user_agent.original", agent);
    const http::Refusal& cut = exchange.cut();
    if (exchange.started()) span.attribute("http.response.status_code", int64_t{exchange.response.status});
    const uint16_t wrong = cut ? cut.status : exchange.response.status;
    if (cut || wrong >= 500) put_error(span, wrong);
  }

  void describe(const client::Fetch& fetch, const Question& question, SpanEncoder& span) const {
    span.name(put_method(span, question.method), {});
    std::string_view target = question.target;
    if (!queries_) target = target.substr(0, target.find('?'));
    constexpr std::string_view kHttps = "https://", kUnix = "unix:", kEnd = "://";
    if (const size_t colon = question.upstream.find(kEnd); colon != std::string_view::npos) {
      std::string_view authority = question.upstream.substr(colon + kEnd.size());
      if (authority.ends_with('/')) authority.remove_suffix(1);
      put_server(span, authority);
      std::array<char, 4096> url;
      const std::string_view scheme = question.upstream.starts_with(kHttps) ? kHttps : "http://";
      const auto end = fmt::format_to_n(url.data(), url.size(), "{}{}{}", scheme, authority, target).out;
      span.attribute("url.full", std::string_view(url.data(), static_cast<size_t>(end - url.data())));
    } else if (question.upstream.starts_with(kUnix)) {
      span.attribute("server.address", question.upstream.substr(kUnix.size()));
      span.attribute("url.full", target);
    }
    span.attribute("network.protocol.version", fetch.by_http2 ? "2" : "1.1");
    if (fetch.status == client::FetchStatus::Answered) {
      span.attribute("http.response.status_code", int64_t{fetch.code});
      if (fetch.code >= 400) put_error(span, fetch.code);
    } else {
      span.attribute("error.type", put_failure(fetch.status));
      span.failed();
    }
  }

  const double ratio_;
  const uint64_t first_recorded_;
  const bool trusts_;
  const bool queries_;
  const size_t most_;
  const std::shared_ptr<SpanExporter> exporter_;
  std::vector<Worker> workers_;
};

std::pair<std::string, std::string> split_at(std::string_view text, char mark) {
  const size_t at = text.find(mark);
  return {std::string(trim(text.substr(0, at))), std::string(trim(text.substr(at + 1)))};
}

otlp::Envelope::Attributes resource_of(const TraceOptions& options, std::string_view version) {
  otlp::Envelope::Attributes all = {{"service.name", options.service}};
  for (const std::string& text : options.resource) all.push_back(split_at(text, '='));
  for (auto& [key, value] : otlp::Envelope::Attributes{{"telemetry.sdk.name", "leat"},
                                                       {"telemetry.sdk.language", "cpp"},
                                                       {"telemetry.sdk.version", std::string(version)}})
    all.emplace_back(key, value);
  return all;
}

}  // namespace

std::string check_collector_field(std::string_view called, std::string_view text) {
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos)
    return fmt::format("{} has a field that is not written `Name: value`", called);
  const std::string_view name = text.substr(0, colon);
  if (std::string wrong = check_request_name(called, name); !wrong.empty()) return wrong;
  if (http::find_header(name) == http::HeaderId::ContentType ||
      http::find_header(name) == http::HeaderId::ContentEncoding)
    return fmt::format("`{}` is the protocol's: spans are sent as Protocol Buffers", name);
  // Not what its value is, which may be a secret.
  if (!is_field_value(trim(text.substr(colon + 1))))
    return fmt::format("the value of `{}` has a control character", name);
  return {};
}

std::string check_resource(std::string_view, std::string_view text) {
  const auto [key, value] = split_at(text, '=');
  if (!text.contains('=') || key.empty() || value.empty())
    return fmt::format("`{}` is no attribute: it is written `key=value`", text);
  if (key == "service.name") return "`service.name` is what `service` says";
  if (key.starts_with("telemetry.sdk.")) return fmt::format("`{}` is said by Leat itself", key);
  return {};
}

std::unique_ptr<pipeline::Middleware> create_trace(const TraceOptions& options,
                                                   const pipeline::BuildContext& context) {
  if (options.fields.size() > kMostCollectorFields) {
    const Value* const value = context.options.find("fields");
    context.diagnostics.push_back({.code = pipeline::kBadOption,
                                   .message = fmt::format("`fields` has {} at most", kMostCollectorFields),
                                   .place = value != nullptr ? value->place : context.place,
                                   .hint = {}});
    return nullptr;
  }
  auto upstream = open_upstream(
      context, "url", options.url,
      {.connections = 2, .waiting = 2, .timeout_ms = options.timeout_ms, .body_bytes = 64 << 10});
  if (upstream == nullptr) return nullptr;
  auto target = std::make_shared<SpanTarget>(SpanTarget{.upstream = std::move(upstream),
                                                        .pool = context.surroundings.pool,
                                                        .path = options.path,
                                                        .fields = {},
                                                        .timeout_ms = options.timeout_ms});
  for (const std::string& text : options.fields) target->fields.push_back(split_at(text, ':'));
  const std::string_view version = context.surroundings.version;
  const auto envelope =
      std::make_shared<const otlp::Envelope>(resource_of(options, version), "leat", version);
  const SpanBatching batching{.spans = options.batch,
                              .interval_ms = options.interval_ms,
                              .bytes = options.queue,
                              .retry_ms = options.retry_ms,
                              .stop_ms = options.stop_timeout_ms};
  const SpanLane::SpanCounters counters{.exported = declare_counter(kTraceSpans, context, "exported"),
                                        .full = declare_counter(kTraceSpans, context, "full"),
                                        .refused = declare_counter(kTraceSpans, context, "refused"),
                                        .away = declare_counter(kTraceSpans, context, "away")};
  const uint32_t workers = context.surroundings.workers;
  const std::shared_ptr<const SpanTarget> fixed = std::move(target);
  // By the options, which say where spans go, and not by the name.
  auto exporter = context.share_by_options<SpanExporter>(fixed, batching, envelope, counters, workers);
  return std::make_unique<Trace>(options, workers, std::move(exporter));
}

}  // namespace leat::middleware
