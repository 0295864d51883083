#include "middleware/rate_limit.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <iterator>
#include <span>
#include <utility>

#include "base/host_address.h"
#include "base/siphash.h"
#include "base/text.h"
#include "base/units.h"
#include "http/header_id.h"
#include "http/worker_context.h"
#include "middleware/counters.h"
#include "pipeline/host_name.h"
#include "pipeline/site.h"

namespace leat::middleware {

namespace {

constexpr std::string_view kHeaderPart = "header:";
constexpr size_t kMostKeyParts = 8;
constexpr uint64_t kMostPeriodMs = uint64_t{30} * 86'400'000;

// What a part of a key is. Each hashes under a key of its own, so that what one client sends as a field is never what
// another is by its address.
enum class Part : uint8_t { Client, ClientName, Host, Route, Header, User };

struct KeyPart {
  Part part;
  std::string header;  // of a Header
  http::HeaderId id = http::HeaderId::Unknown;
};

std::optional<KeyPart> read_part(std::string_view text) {
  if (text == "client") return KeyPart{.part = Part::Client, .header = {}};
  if (text == "host") return KeyPart{.part = Part::Host, .header = {}};
  if (text == "user") return KeyPart{.part = Part::User, .header = {}};
  if (text == "route") return KeyPart{.part = Part::Route, .header = {}};
  if (!text.starts_with(kHeaderPart)) return std::nullopt;
  const std::string_view name = text.substr(kHeaderPart.size());
  if (!is_token(name)) return std::nullopt;
  return KeyPart{.part = Part::Header, .header = std::string(name), .id = http::find_header(name)};
}

// The first so many bits of an address.
class Prefix {
 public:
  explicit Prefix(uint32_t bits) {
    for (uint32_t bit = 0; bit < bits; ++bit) mask_[bit / 8] |= static_cast<uint8_t>(0x80 >> bit % 8);
  }
  void put(char* at, std::span<const uint8_t, 16> address) const {
    for (size_t i = 0; i < mask_.size(); ++i) at[i] = static_cast<char>(address[i] & mask_[i]);
  }

 private:
  std::array<uint8_t, 16> mask_{};
};

// What is kept for the process: the table, and the key of its hashes, without which nobody finds anything in it.
struct RateState {
  RateState(size_t keys, const Rate& rate) : table(keys, rate), key(random_sip_key()) {}
  RateTable table;
  const SipKey key;
};

// A String of RFC 9651 (structured fields), which has printable ASCII alone.
std::string structured_string(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += c;
  }
  return result + '"';
}

class RateLimit final : public pipeline::Middleware {
 public:
  struct Counters {
    std::shared_ptr<metrics::Metric> allowed, limited, evicted;
  };

  RateLimit(const RateLimitOptions& options, std::vector<KeyPart> parts, std::string_view policy,
            std::shared_ptr<RateState> state, Counters counters)
      : parts_(std::move(parts)),
        // The bits of an IPv4 address are the last of sixteen bytes.
        ipv4_(options.ipv4_prefix + 96),
        ipv6_(options.ipv6_prefix),
        tells_(options.fields),
        state_(std::move(state)),
        counters_(std::move(counters)),
        field_begin_(fmt::format("{}: {};r=", kField, structured_string(policy))) {
    const Rate& rate = state_->table.rate();
    policy_line_ = fmt::format("{}: {};q={};w={}\r\n", kPolicyField, structured_string(policy), rate.burst,
                               rate.seconds(rate.burst));
  }

  [[nodiscard]] std::string explain(http::Exchange& exchange) const override {
    std::string by;
    for (const KeyPart& each : parts_)
      by += fmt::format("{}{}", by.empty() ? "" : " and ", text_of(exchange, each));
    const Rate& rate = state_->table.rate();
    return fmt::format("counts it for {}: {} at once, which are all back after {} s", by, rate.burst,
                       rate.seconds(rate.burst));
  }
  [[nodiscard]] uint8_t hooks() const override {
    return static_cast<uint8_t>(kRequest | (tells_ ? kAnswer : 0));
  }

  [[nodiscard]] pipeline::Verdict on_request(http::Exchange& exchange) override {
    if (exchange.internal()) return pipeline::Verdict::Next;
    const RateTable::Outcome outcome = state_->table.take(hash_of(exchange), exchange.worker().now_ns());
    if (tells_) {
      if (Told* const told = exchange.states.make<Told>(this))
        *told = {outcome.remaining, outcome.allowed ? outcome.restored_s : outcome.retry_s};
    }
    if (outcome.evicted) count(counters_.evicted);
    if (outcome.allowed) [[likely]] {
      count(counters_.allowed);
      return pipeline::Verdict::Next;
    }
    count(counters_.limited);
    refuse(exchange, outcome.retry_s);
    return pipeline::Verdict::Done;
  }

  Wants on_answer(http::Exchange& exchange, http::AnswerBody&) override {
    const Told* const told = exchange.states.find<Told>(this);
    if (told == nullptr) return Wants::Nothing;
    http::Response& response = exchange.response;
    const size_t room = field_begin_.size() + 64;
    char* const text = exchange.arena().allocate_array<char>(room);
    // Where there is no room for them the answer is better sent without.
    if (text == nullptr || !response.add_ready(policy_line_, kPolicyField.size())) return Wants::Nothing;
    char* at = std::ranges::copy(field_begin_, text).out;
    at = std::to_chars(at, text + room, told->remaining).ptr;
    at = std::ranges::copy(std::string_view(";t="), at).out;
    at = std::to_chars(at, text + room, told->reset_s).ptr;
    at = std::ranges::copy(std::string_view("\r\n"), at).out;
    (void)response.add_ready({text, static_cast<size_t>(at - text)}, kField.size());
    return Wants::Nothing;
  }

 private:
  static constexpr std::string_view kField = "RateLimit";
  static constexpr std::string_view kPolicyField = "RateLimit-Policy";

  // For the answer.
  struct Told {
    uint64_t remaining = 0;
    uint64_t reset_s = 0;
  };

  void refuse(http::Exchange& exchange, uint64_t retry_s) const {
    constexpr size_t kRoom = 128;
    if (char* const text = exchange.arena().allocate_array<char>(kRoom)) {
      const auto number = fmt::format_to_n(text, kRoom, "{}", retry_s);
      (void)exchange.response.set("Retry-After", {text, number.size});
      const auto sentence =
          fmt::format_to_n(number.out, kRoom - number.size, "Too many requests: try again in {} second{}.",
                           retry_s, retry_s == 1 ? "" : "s");
      exchange.send_problem(429, {number.out, sentence.size});
      return;
    }
    http::add_retry_after(exchange);
    exchange.send_problem(429, "Too many requests.");
  }

  [[nodiscard]] uint64_t hash(Part part, std::string_view bytes) const {
    return sip_hash(bytes, {state_->key.low ^ static_cast<uint64_t>(part), state_->key.high});
  }
  [[nodiscard]] uint64_t hash_of(const http::Exchange& exchange) const {
    uint64_t hashes[kMostKeyParts] = {};
    for (size_t i = 0; i < parts_.size(); ++i) hashes[i] = hash_of(exchange, parts_[i]);
    if (parts_.size() == 1) return hashes[0];
    char bytes[sizeof hashes];
    std::memcpy(bytes, hashes, sizeof hashes);
    return sip_hash({bytes, parts_.size() * sizeof hashes[0]}, state_->key);
  }
  [[nodiscard]] static std::string text_of(const http::Exchange& exchange, const KeyPart& part) {
    const http::Request& request = exchange.request;
    switch (part.part) {
      case Part::Host:
        return std::string(pipeline::host_name(request.host()));
      case Part::Route:
        return "its route";
      case Part::Header:
        if (!request.header(part.header).empty()) return fmt::format("the value of {}", part.header);
        break;
      default:
        break;
    }
    return std::string(request.client());
  }
  [[nodiscard]] uint64_t hash_of(const http::Exchange& exchange, const KeyPart& part) const {
    const http::Request& request = exchange.request;
    switch (part.part) {
      case Part::Host:
        return hash_of_host(request.host());
      case Part::Route:
        return hash(Part::Route, exchange.route == nullptr ? std::string_view() : exchange.route->id);
      case Part::User:
        if (!request.user().empty()) return hash(Part::User, request.user());
        break;
      case Part::Header: {
        const std::string_view value =
            part.id == http::HeaderId::Unknown ? request.header(part.header) : request.header(part.id);
        if (!value.empty()) return hash(Part::Header, value);
        break;
      }
      default:
        break;
    }
    return hash_of_client(request.client());
  }
  [[nodiscard]] uint64_t hash_of_client(std::string_view client) const {
    const auto address = HostAddress::parse(client);
    if (!address || !address->is_ip()) return hash(Part::ClientName, client);
    char bytes[17];
    const bool four = address->kind() == HostAddress::Kind::Ipv4;
    bytes[0] = four ? 4 : 6;
    (four ? ipv4_ : ipv6_).put(bytes + 1, address->bytes());
    return hash(Part::Client, {bytes, sizeof bytes});
  }
  [[nodiscard]] uint64_t hash_of_host(std::string_view authority) const {
    const std::string_view name = pipeline::host_name(authority);
    // One that is longer is no name (RFC 1035, section 2.3.4); all such are one.
    char lower[255];
    if (name.size() > sizeof lower) return hash(Part::Host, {});
    std::ranges::transform(name, lower, ascii_lower);
    return hash(Part::Host, {lower, name.size()});
  }

  const std::vector<KeyPart> parts_;
  const Prefix ipv4_, ipv6_;
  const bool tells_;
  const std::shared_ptr<RateState> state_;
  const Counters counters_;
  const std::string field_begin_;  // up to the number of what remains
  std::string policy_line_;        // as it is sent, with CR LF
};

}  // namespace

std::optional<Rate> read_rate(std::string_view text) {
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto count = parse_number<uint64_t>(text.substr(0, slash));
  std::string time(text.substr(slash + 1));
  if (time == "min") time = "m";
  if (!time.empty() && !is_digit(time.front())) time.insert(0, 1, '1');
  const auto period_ms = parse_duration(time);
  if (!count || !period_ms || *count == 0 || *period_ms == 0 || *period_ms > kMostPeriodMs)
    return std::nullopt;
  if (*count > *period_ms * (Rate::kMostPerSecond / 1000)) return std::nullopt;
  return Rate{
      .count = *count, .period_ns = *period_ms * 1'000'000, .burst = std::min(*count, Rate::kMostBurst)};
}

std::string check_rate(std::string_view called, std::string_view text) {
  if (read_rate(text)) return {};
  return fmt::format(
      "{} is a number of requests and the time for them, like \"100/s\", \"1000/min\" or \"30/10s\", at most "
      "{} a "
      "second and in at most 30 days",
      called, Rate::kMostPerSecond);
}

std::string check_rate_key(std::string_view called, std::string_view text) {
  if (read_part(text)) return {};
  return fmt::format("{} has `{}`, which is no part of a key: write client, user, host, route or header:NAME",
                     called, text);
}

std::unique_ptr<pipeline::Middleware> create_rate_limit(const RateLimitOptions& options,
                                                        const pipeline::BuildContext& context) {
  auto rate = read_rate(options.rate);
  std::vector<KeyPart> parts;
  for (const std::string& text : options.key)
    if (auto part = read_part(text)) parts.push_back(std::move(*part));
  if (parts.size() > kMostKeyParts) {
    const Value* const value = context.options.find("key");
    context.diagnostics.push_back({.code = pipeline::kBadOption,
                                   .message = fmt::format("a `key` has at most {} parts", kMostKeyParts),
                                   .place = value != nullptr ? value->place : context.place,
                                   .hint = {}});
    return nullptr;
  }
  if (!rate || parts.size() != options.key.size()) return nullptr;  // which was said
  if (options.burst != 0) rate->burst = options.burst;
  // By the options and not by the name, under which others may be found after a reload.
  std::shared_ptr<RateState> state = context.surroundings.states == nullptr
                                         ? std::make_shared<RateState>(options.keys, *rate)
                                         : context.surroundings.states->share<RateState>(
                                               context.kind.name, {}, context.options, options.keys, *rate);
  std::string_view policy = instance_name(context);
  if (!std::ranges::all_of(policy, [](char c) { return c >= ' ' && c <= '~'; })) policy = context.kind.name;
  return std::make_unique<RateLimit>(
      options, std::move(parts), policy, std::move(state),
      RateLimit::Counters{.allowed = declare_counter(kRateLimitRequests, context, "allowed"),
                          .limited = declare_counter(kRateLimitRequests, context, "limited"),
                          .evicted = declare_counter(kRateLimitEvicted, context)});
}

}  // namespace leat::middleware
