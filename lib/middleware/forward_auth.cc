#include "middleware/forward_auth.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "base/random_bytes.h"
#include "base/text.h"
#include "http/edited_head.h"
#include "http/list.h"
#include "http/worker_context.h"
#include "middleware/auth_memory.h"
#include "middleware/counters.h"
#include "middleware/fields.h"
#include "middleware/forwarded_facts.h"
#include "middleware/option_error.h"
#include "middleware/request_fetch.h"
#include "middleware/room.h"
#include "pipeline/pipeline.h"

namespace leat::middleware {

namespace {

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
    std::shared_ptr<metrics::Metric> hit, miss, shared;
  };

  // `secret`: of the digests of questions; empty where nothing is remembered.
  ForwardAuth(const ForwardAuthOptions& options, std::shared_ptr<client::Upstream> upstream, ThreadPool* pool,
              std::string secret, uint32_t workers, AuthCounters counters)
      : options_(options),
        upstream_(std::move(upstream)),
        pool_(pool),
        secret_(std::move(secret)),
        counters_(std::move(counters)) {
    for (const ForwardedFact& fact : kForwardedFacts)
      if (lists_name(options_.tell, fact.name.substr(kForwarded.size()))) told_.push_back(fact);
    if (remembers())
      for (uint32_t i = 0; i < workers; ++i) workers_.emplace_back(AuthMemory(options.cached));
  }

  [[nodiscard]] uint8_t hooks() const override {
    return static_cast<uint8_t>(kRequest | (options_.answer_add.empty() ? 0 : kAnswer) |
                                (remembers() ? kDone : 0));
  }
  [[nodiscard]] bool for_clients() const override { return true; }

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
    Call* const call = exchange.states.make<Call>(this, *this);
    std::span<client::Field> fields;
    if (call == nullptr || !list_fields(exchange, fields)) {
      http::send_out_of_memory(exchange);
      return pipeline::Verdict::Done;
    }
    return remembers() ? look_up(exchange, *call, fields) : ask(exchange, *call, fields);
  }
  void on_done(http::Exchange& exchange) override {
    if (Call* const call = exchange.states.find<Call>(this); call != nullptr && call->listed)
      tell_others(exchange, *call);
  }

  Wants on_answer(http::Exchange& exchange, http::AnswerBody& body) override {
    const Call* const call = exchange.states.find<Call>(this);
    if (call == nullptr || !call->allowed || call->kept != nullptr) return Wants::Nothing;
    const auto given = call->answer().fields;
    const auto meant = [&](const client::Field& field) {
      return lists_name(options_.answer_add, field.name);
    };
    const bool personal = std::ranges::any_of(given, [&](const client::Field& field) {
      return meant(field) && equal_ignoring_case(field.name, "Set-Cookie");
    });
    const auto more = static_cast<size_t>(std::ranges::count_if(given, meant)) + (personal ? 1 : 0);
    make_room(exchange, body, more, "forward_auth");
    for (const client::Field& field : given)
      if (meant(field)) (void)exchange.response.add(field.name, field.value);
    if (personal) (void)exchange.response.add("Cache-Control", "private");
    return Wants::Nothing;
  }

 private:
  struct Call;
  struct Question : AuthQuestion {
    Call* call = nullptr;  // whose it is, once it is listed
    http::Ticket ticket;
  };
  struct Call : RequestFetch {
    explicit Call(ForwardAuth& asks)
        : RequestFetch([](http::Exchange& exchange, RequestFetch& fetch) {
            Call& call = static_cast<Call&>(fetch);
            if (call.listed) call.owner.tell_others(exchange, call);
            // Where its time was up it has its answer.
            (void)pipeline::resume_chain(
                exchange, exchange.started() ? pipeline::Verdict::Done : call.owner.judge(exchange, call));
          }),
          owner(asks) {}
    ForwardAuth& owner;
    bool allowed = false;
    // What the rest is for: it may be remembered.
    Question question;
    bool listed = false;                     // among the questions of its worker
    std::shared_ptr<const StoredAuth> kept;  // in place of an answer of its own
    // Of the one that it has waited for: it was answered what is for one alone; why it was not answered, a literal.
    bool alone = false;
    std::string_view failed;
  };
  struct alignas(64) Worker {
    explicit Worker(AuthMemory its) : memory(std::move(its)) {}
    AuthMemory memory;
    uint32_t waiting = 0;  // requests that wait for another's answer
  };

  [[nodiscard]] bool remembers() const { return !secret_.empty(); }
  [[nodiscard]] Worker& worker_of(http::Exchange& exchange) {
    const uint32_t worker = exchange.worker().index();
    ENSURE(worker < workers_.size());
    return workers_[worker];
  }

  [[nodiscard]] pipeline::Verdict ask(http::Exchange& exchange, Call& call,
                                      std::span<const client::Field> fields) {
    const client::FetchRequest order{.method = options_.method == AskMethod::Get ? "GET" : "HEAD",
                                     .target = options_.path,
                                     .fields = fields};
    if (!call.start(exchange, upstream_, order, pool_)) {
      refuse(exchange, "all connections to it are in use, or its worker asks nobody");
      return pipeline::Verdict::Done;
    }
    exchange.suspend();
    return pipeline::Verdict::Pending;
  }

  // The same where an equal question has been answered, or is asked.
  [[nodiscard]] pipeline::Verdict look_up(http::Exchange& exchange, Call& call,
                                          std::span<const client::Field> fields) {
    if (!digest_question(exchange.arena(), secret_, fields, call.question.digest)) {
      http::send_out_of_memory(exchange);
      return pipeline::Verdict::Done;
    }
    Worker& worker = worker_of(exchange);
    if (const auto* const known = worker.memory.find(call.question.digest, now_ms(exchange))) {
      count(counters_.hit);
      call.kept = *known;
      return judge(exchange, call);
    }
    AuthQuestion* const asked = worker.memory.asked(call.question.digest);
    if (asked != nullptr && worker.waiting >= options_.waiting) {
      refuse(exchange, "as many wait for its answers as may");
      return pipeline::Verdict::Done;
    }
    call.question.call = &call;
    call.question.ticket = exchange.ticket();
    if (asked != nullptr) {
      ++worker.waiting;
      worker.memory.wait(call.question, *asked);
      call.listed = true;
      exchange.suspend();
      return pipeline::Verdict::Pending;
    }
    count(counters_.miss);
    const pipeline::Verdict verdict = ask(exchange, call, fields);
    if (verdict == pipeline::Verdict::Pending) {
      worker.memory.ask(call.question);
      call.listed = true;
    }
    return verdict;
  }

  // The question is over, because it was answered or because its request is. Those who have waited for it get what may be
  // remembered of the answer, or see for themselves.
  void tell_others(http::Exchange& exchange, Call& call) {
    Worker& worker = worker_of(exchange);
    const bool waited = call.question.leader != nullptr;
    AuthQuestion* each = worker.memory.leave(call.question);
    call.listed = false;
    if (waited) --worker.waiting;
    const auto kept = waited ? nullptr : remember(exchange, call);
    const auto status = call.answer().status;
    const bool answered = status == client::FetchStatus::Answered;
    const bool away = status == client::FetchStatus::Timeout || status == client::FetchStatus::Failed ||
                      status == client::FetchStatus::TooLarge;
    while (each != nullptr) {
      Call& other = *static_cast<Question*>(each)->call;
      each = std::exchange(each->next, nullptr);
      other.listed = false;
      --worker.waiting;
      other.kept = kept;
      other.alone = answered;
      if (away) other.failed = "an equal question had no answer";
      // Nobody is told whose memory is out: it is answered when its time is up.
      (void)exchange.worker().resume_from_any_thread(other.question.ticket, go_on, &other);
    }
  }
  static void go_on(http::Exchange& exchange, void* argument) {
    Call& call = *static_cast<Call*>(argument);
    (void)pipeline::resume_chain(
        exchange, exchange.started() ? pipeline::Verdict::Done : call.owner.go_on_with(exchange, call));
  }
  // One that has waited for another's answer.
  [[nodiscard]] pipeline::Verdict go_on_with(http::Exchange& exchange, Call& call) {
    if (call.kept != nullptr) {
      count(counters_.shared);
      return judge(exchange, call);
    }
    if (!call.failed.empty()) {
      refuse(exchange, call.failed);
      return pipeline::Verdict::Done;
    }
    std::span<client::Field> fields;
    if (!list_fields(exchange, fields)) {
      http::send_out_of_memory(exchange);
      return pipeline::Verdict::Done;
    }
    if (!call.alone) return look_up(exchange, call, fields);
    count(counters_.miss);
    return ask(exchange, call, fields);
  }

  // What was said, if it may be said to others; null where not.
  [[nodiscard]] std::shared_ptr<const StoredAuth> remember(http::Exchange& exchange, const Call& call) {
    const client::Fetch& answer = call.answer();
    if (answer.status != client::FetchStatus::Answered) return nullptr;
    const bool passes = answer.code >= 200 && answer.code < 300;
    if (!passes && answer.code != 401 && answer.code != 403) return nullptr;
    const uint64_t lasts =
        auth_lasts_ms(answer.fields, passes ? options_.cache_ms : options_.cache_denied_ms);
    if (lasts == 0) return nullptr;
    std::vector<client::Field> wanted;
    for (const client::Field& field : answer.fields) {
      // What is for the client of this request is not for another's.
      if (passes && lists_name(options_.answer_add, field.name)) return nullptr;
      if (!passes || lists_name(options_.request_set, field.name)) wanted.push_back(field);
    }
    auto stored = StoredAuth::make(answer.code, wanted, passes ? std::string_view() : answer.body);
    if (stored != nullptr)
      worker_of(exchange).memory.remember(call.question.digest, stored, now_ms(exchange) + lasts);
    return stored;
  }

  static uint64_t now_ms(http::Exchange& exchange) { return exchange.worker().now_ns() / 1'000'000; }

  // What the service is told. False: memory is out.
  [[nodiscard]] bool list_fields(http::Exchange& exchange, std::span<client::Field>& fields) const {
    const http::Head& head = exchange.request.head();
    auto* const room =
        exchange.arena().allocate_array<client::Field>(std::max<size_t>(told_.size() + head.slot_count, 1));
    if (room == nullptr) return false;
    size_t count = 0;
    for (const ForwardedFact& fact : told_) {
      const std::string_view value = fact.of(exchange.request, exchange.arena());
      if (!value.empty()) room[count++] = {fact.name, value};
    }
    for (const http::HeaderSlot& slot : head.headers())
      if (lists_name(options_.forward, head.view(slot.name)))
        room[count++] = {head.view(slot.name), head.view(slot.value)};
    fields = {room, count};
    return true;
  }

  // What the service has said, to this request or to an equal one.
  struct Said {
    uint16_t code;
    std::span<const client::Field> fields;
    std::string_view body;
  };
  static Said said(const Call& call) {
    if (call.kept != nullptr) return {call.kept->code(), call.kept->fields(), call.kept->body()};
    return {call.answer().code, call.answer().fields, call.answer().body};
  }

  // What becomes of a request about which the service has been asked.
  [[nodiscard]] pipeline::Verdict judge(http::Exchange& exchange, Call& call) const {
    if (call.kept == nullptr && call.answer().status != client::FetchStatus::Answered) {
      refuse(exchange, call.answer().message);
      return pipeline::Verdict::Done;
    }
    const Said answer = said(call);
    const uint16_t code = answer.code;
    if (code >= 200 && code < 300) return let_in(exchange, call, answer);
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

  [[nodiscard]] pipeline::Verdict let_in(http::Exchange& exchange, Call& call, const Said& answer) const {
    // By what it came with, whatever that is.
    exchange.request.set_had_credentials();
    const auto given = answer.fields;
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
  [[nodiscard]] static bool pass_on(http::Exchange& exchange, const Said& answer) {
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
  const std::string secret_;
  const AuthCounters counters_;
  std::vector<ForwardedFact> told_;
  std::vector<Worker> workers_;  // where answers are remembered
};

}  // namespace

std::string check_forwarded_name(std::string_view called, std::string_view text) {
  for (const ForwardedFact& fact : kForwardedFacts)
    if (equal_ignoring_case(fact.name, text))
      return fmt::format("`{}` is told by itself, as Leat knows it, and not as the client has sent it", text);
  return check_request_name(called, text);
}

std::string check_told(std::string_view called, std::string_view text) {
  for (const ForwardedFact& fact : kForwardedFacts)
    if (equal_ignoring_case(fact.name.substr(kForwarded.size()), text)) return {};
  return fmt::format("{} has `{}`: the service can be told Method, Proto, Host, Uri and For", called, text);
}

std::unique_ptr<pipeline::Middleware> create_forward_auth(const ForwardAuthOptions& options,
                                                          const pipeline::BuildContext& context) {
  if (context.options.find("cache") == nullptr)
    for (const std::string_view option : {"cache_denied", "cached"})
      if (context.options.find(option) != nullptr) {
        fail_option(context, option,
                    fmt::format("`{}` says something of a `cache`, and there is none", option));
        return nullptr;
      }
  std::string secret(options.cache_ms == 0 ? 0 : sizeof(crypto::Digest), '\0');
  if (!random_bytes(secret.data(), secret.size())) {
    fail_option(context, "cache", "the kernel has no random bytes");
    return nullptr;
  }
  auto upstream = open_upstream(context, "url", options.url,
                                {.connections = options.connections,
                                 .waiting = options.waiting,
                                 .connect_timeout_ms = options.connect_timeout_ms,
                                 .timeout_ms = options.timeout_ms,
                                 .fields = kMostAuthFields,
                                 .body_bytes = options.body});
  if (upstream == nullptr) return nullptr;
  const auto cache_counter = [&](std::string_view result) {
    return options.cache_ms == 0 ? nullptr : declare_counter(kForwardAuthCache, context, result);
  };
  return std::make_unique<ForwardAuth>(
      options, std::move(upstream), context.surroundings.pool, std::move(secret),
      context.surroundings.workers,
      ForwardAuth::AuthCounters{.allowed = declare_counter(kForwardAuthRequests, context, "allowed"),
                                .denied = declare_counter(kForwardAuthRequests, context, "denied"),
                                .failed = declare_counter(kForwardAuthRequests, context, "failed"),
                                .hit = cache_counter("hit"),
                                .miss = cache_counter("miss"),
                                .shared = cache_counter("shared")});
}

}  // namespace leat::middleware
