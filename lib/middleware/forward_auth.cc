#include "middleware/forward_auth.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "base/log.h"
#include "base/text.h"
#include "http/edited_head.h"
#include "http/list.h"
#include "http/worker_context.h"
#include "middleware/counters.h"
#include "middleware/fields.h"
#include "middleware/request_fetch.h"
#include "middleware/room.h"
#include "pipeline/pipeline.h"

namespace leat::middleware {

namespace {

// What the service is told of a request beside its fields.
struct ForwardedFact {
  std::string_view name;
  std::string_view (*of)(const http::Request& request);
};
constexpr ForwardedFact kForwardedFacts[] = {
    {"X-Forwarded-Method", [](const http::Request& request) { return http::method_name(request.method()); }},
    {"X-Forwarded-Proto", [](const http::Request& request) { return request.scheme(); }},
    {"X-Forwarded-Host", [](const http::Request& request) { return request.host(); }},
    {"X-Forwarded-Uri", [](const http::Request& request) { return request.target(); }},
    {"X-Forwarded-For", [](const http::Request& request) { return request.client(); }},
};

// An answer's fields that are passed on; beside them there is to be room for what other middleware adds.
constexpr uint32_t kMostAuthFields = 40;

bool lists_name(const std::vector<std::string>& all, std::string_view name) {
  return std::ranges::any_of(all, [&](const std::string& each) { return equal_ignoring_case(each, name); });
}

// Whether a Connection field of an answer has the name: it is this connection's own then (RFC 9110, section 7.6.1).
bool is_of_connection(std::span<const client::Field> fields, std::string_view name) {
  return std::ranges::any_of(fields, [&](const client::Field& field) {
    if (!equal_ignoring_case(field.name, "Connection")) return false;
    bool named = false;
    http::for_each_item(field.value,
                        [&](std::string_view item) { named |= equal_ignoring_case(item, name); });
    return named;
  });
}

class ForwardAuth final : public pipeline::Middleware {
 public:
  struct AuthCounters {
    std::shared_ptr<metrics::Metric> allowed, denied, failed;
  };

  ForwardAuth(const ForwardAuthOptions& options, std::shared_ptr<client::Upstream> upstream, ThreadPool* pool,
              AuthCounters counters)
      : options_(options), upstream_(std::move(upstream)), pool_(pool), counters_(std::move(counters)) {}

  [[nodiscard]] uint8_t hooks() const override {
    return static_cast<uint8_t>(kRequest | (options_.answer_add.empty() ? 0 : kAnswer));
  }

  [[nodiscard]] std::string explain(http::Exchange& exchange) const override {
    std::string told;
    for (const http::HeaderSlot& slot : exchange.request.head().headers()) {
      const std::string_view name = exchange.request.head().view(slot.name);
      if (lists_name(options_.forward, name)) told += fmt::format("{}{}", told.empty() ? "" : ", ", name);
    }
    return fmt::format("asks {} for {}{}{}", upstream_->url(), options_.path,
                       told.empty() ? ", and tells it none of its fields" : ", and tells it ", told);
  }
  [[nodiscard]] pipeline::Verdict on_request(http::Exchange& exchange) override {
    if (exchange.internal()) return pipeline::Verdict::Next;
    Call* const call = exchange.states.make<Call>(this, *this);
    std::span<client::Field> fields;
    if (call == nullptr || !list_fields(exchange, fields)) {
      http::send_out_of_memory(exchange);
      return pipeline::Verdict::Done;
    }
    const client::FetchRequest order{.method = options_.method == AskMethod::Get ? "GET" : "HEAD",
                                     .target = options_.path,
                                     .fields = fields};
    if (!call->start(exchange, upstream_, order, pool_)) {
      refuse(exchange, "all connections to it are in use, or its worker asks nobody");
      return pipeline::Verdict::Done;
    }
    exchange.suspend();
    return pipeline::Verdict::Pending;
  }

  Wants on_answer(http::Exchange& exchange, http::AnswerBody& body) override {
    const Call* const call = exchange.states.find<Call>(this);
    if (call == nullptr || !call->allowed) return Wants::Nothing;
    const auto given = call->answer().fields;
    const auto meant = [&](const client::Field& field) {
      return lists_name(options_.answer_add, field.name);
    };
    make_room(exchange, body, static_cast<size_t>(std::ranges::count_if(given, meant)), "forward_auth");
    for (const client::Field& field : given)
      if (meant(field)) (void)exchange.response.add(field.name, field.value);
    return Wants::Nothing;
  }

 private:
  struct Call : RequestFetch {
    explicit Call(ForwardAuth& asks)
        : RequestFetch([](http::Exchange& exchange, RequestFetch& fetch) {
            Call& call = static_cast<Call&>(fetch);
            // Where its time was up it has its answer.
            (void)pipeline::resume_chain(
                exchange, exchange.started() ? pipeline::Verdict::Done : call.owner.judge(exchange, call));
          }),
          owner(asks) {}
    ForwardAuth& owner;
    bool allowed = false;
  };

  // What the service is told. False: memory is out.
  [[nodiscard]] bool list_fields(http::Exchange& exchange, std::span<client::Field>& fields) const {
    const http::Head& head = exchange.request.head();
    auto* const room =
        exchange.arena().allocate_array<client::Field>(std::size(kForwardedFacts) + head.slot_count);
    if (room == nullptr) return false;
    size_t count = 0;
    for (const ForwardedFact& fact : kForwardedFacts) {
      const std::string_view value = fact.of(exchange.request);
      if (!value.empty()) room[count++] = {fact.name, value};
    }
    for (const http::HeaderSlot& slot : head.headers())
      if (lists_name(options_.forward, head.view(slot.name)))
        room[count++] = {head.view(slot.name), head.view(slot.value)};
    fields = {room, count};
    return true;
  }

  // What becomes of a request about which the service has been asked.
  [[nodiscard]] pipeline::Verdict judge(http::Exchange& exchange, Call& call) const {
    const client::Fetch& answer = call.answer();
    if (answer.status != client::FetchStatus::Answered) {
      refuse(exchange, answer.message);
      return pipeline::Verdict::Done;
    }
    const uint16_t code = answer.code;
    if (code >= 200 && code < 300) return let_in(exchange, call);
    const bool says_no = code == 401 || code == 403 || (code >= 300 && code < 400 && code != 304);
    if (!says_no || !pass_on(exchange, answer)) {
      char why[64];
      const auto end = fmt::format_to_n(why, sizeof why, "it answered {}", code).out;
      refuse(exchange, {why, static_cast<size_t>(end - why)});
      return pipeline::Verdict::Done;
    }
    count(counters_.denied);
    return pipeline::Verdict::Done;
  }

  [[nodiscard]] pipeline::Verdict let_in(http::Exchange& exchange, Call& call) const {
    const auto given = call.answer().fields;
    if (!options_.request_set.empty()) {
      auto* const added = exchange.arena().allocate_array<http::HeadField>(std::max<size_t>(given.size(), 1));
      size_t number = 0;
      if (added != nullptr)
        for (const client::Field& field : given)
          if (lists_name(options_.request_set, field.name)) added[number++] = {field.name, field.value};
      if (added == nullptr || !http::show_changed_head(exchange, options_.request_set, {added, number})) {
        http::send_out_of_memory(exchange);
        return pipeline::Verdict::Done;
      }
    }
    call.allowed = true;
    count(counters_.allowed);
    return pipeline::Verdict::Next;
  }

  // Answers as the service did. False: its answer has more fields than there is room for.
  [[nodiscard]] static bool pass_on(http::Exchange& exchange, const client::Fetch& answer) {
    http::Response& response = exchange.response;
    if (response.room() < answer.fields.size()) return false;
    response.status = answer.code;
    for (const client::Field& field : answer.fields) {
      if (is_transport_field(http::find_header(field.name)) || is_of_connection(answer.fields, field.name))
        continue;
      (void)response.add(field.name, field.value);  // not what is the writer's own
    }
    exchange.send(answer.body);
    return true;
  }

  void refuse(http::Exchange& exchange, std::string_view why) const {
    count(counters_.failed);
    log::limited(log::Level::Error, {"forward_auth", upstream_->url()},
                 "forward_auth cannot tell who may pass: {} was asked, and {} on {}", upstream_->url(), why,
                 exchange.request.id());
    http::add_retry_after(exchange);
    exchange.send_problem(503, "It cannot be told at the moment whether this request may pass.");
  }

  const ForwardAuthOptions options_;
  const std::shared_ptr<client::Upstream> upstream_;
  ThreadPool* const pool_;
  const AuthCounters counters_;
};

}  // namespace

std::string check_forwarded_name(std::string_view called, std::string_view text) {
  for (const ForwardedFact& fact : kForwardedFacts)
    if (equal_ignoring_case(fact.name, text))
      return fmt::format("`{}` is told by itself, as Leat knows it, and not as the client has sent it", text);
  return check_request_name(called, text);
}

std::unique_ptr<pipeline::Middleware> create_forward_auth(const ForwardAuthOptions& options,
                                                          const pipeline::BuildContext& context) {
  auto upstream = open_upstream(context, "url", options.url,
                                {.connections = options.connections,
                                 .waiting = options.waiting,
                                 .connect_timeout_ms = options.connect_timeout_ms,
                                 .timeout_ms = options.timeout_ms,
                                 .fields = kMostAuthFields,
                                 .body_bytes = options.body});
  if (upstream == nullptr) return nullptr;
  return std::make_unique<ForwardAuth>(
      options, std::move(upstream), context.surroundings.pool,
      ForwardAuth::AuthCounters{.allowed = declare_counter(kForwardAuthRequests, context, "allowed"),
                                .denied = declare_counter(kForwardAuthRequests, context, "denied"),
                                .failed = declare_counter(kForwardAuthRequests, context, "failed")});
}

}  // namespace leat::middleware
