#include "middleware/access.h"

#include <fmt/core.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "base/address_set.h"
#include "base/text.h"
#include "http/authority.h"
#include "http/header_id.h"
#include "http/method.h"
#include "middleware/counters.h"
#include "middleware/host_name.h"

namespace leat::middleware {

namespace {

struct RuleHost {
  std::string name;
  bool below = false;  // names below it, and not it itself
};

struct RuleField {
  std::string name;
  http::HeaderId id = http::HeaderId::Unknown;
  std::optional<std::string> value;  // nothing: any
};

std::optional<RuleHost> read_rule_host(std::string_view text) {
  constexpr std::string_view kBelow = "*.";
  RuleHost host;
  host.below = text.starts_with(kBelow);
  if (host.below) text.remove_prefix(kBelow.size());
  if (!http::is_authority(text) || text.contains('*') || host_name(text) != text) return std::nullopt;
  host.name = std::string(text);
  return host;
}

std::optional<RuleField> read_rule_field(std::string_view text) {
  const size_t colon = text.find(':');
  const std::string_view name = text.substr(0, colon);
  if (!is_token(name) || !is_field_value(text)) return std::nullopt;
  RuleField field{.name = std::string(name), .id = http::find_header(name), .value = {}};
  if (colon != std::string_view::npos) field.value = trim(text.substr(colon + 1));
  return field;
}

class AccessRule {
 public:
  explicit AccessRule(const AccessRuleKeys& keys) : action_(keys.action), any_client_(keys.client.empty()) {
    std::vector<AddressRange> ranges;
    for (const std::string& text : keys.client)
      if (const auto range = AddressRange::parse(text)) ranges.push_back(*range);
    clients_ = AddressSet(ranges);
    for (const std::string& text : keys.host)
      if (auto host = read_rule_host(text)) hosts_.push_back(std::move(*host));
    for (const std::string& text : keys.method)
      if (const auto method = http::find_method(text)) methods_ |= http::method_bit(*method);
    for (const std::string& text : keys.header)
      if (auto field = read_rule_field(text)) fields_.push_back(std::move(*field));
  }

  [[nodiscard]] AccessAction action() const { return action_; }
  [[nodiscard]] bool asks_client() const { return !any_client_; }
  // `client`: none where it is no address.
  [[nodiscard]] bool fits(const http::Request& request, const HostAddress& client) const {
    if (methods_ != 0 && (methods_ & http::method_bit(request.method())) == 0) return false;
    if (!any_client_ && !clients_.contains(client)) return false;
    if (!hosts_.empty()) {
      const std::string_view name = host_name(request.host());
      if (!std::ranges::any_of(hosts_, [&](const RuleHost& host) { return is(host, name); })) return false;
    }
    return fields_.empty() ||
           std::ranges::any_of(fields_, [&](const RuleField& field) { return has(field, request.head()); });
  }

 private:
  static bool is(const RuleHost& host, std::string_view name) {
    if (!host.below) return equal_ignoring_case(host.name, name);
    const size_t size = host.name.size();
    return name.size() > size + 1 && name[name.size() - size - 1] == '.' &&
           equal_ignoring_case(host.name, name.substr(name.size() - size));
  }
  // Any of its lines.
  static bool has(const RuleField& field, const http::Head& head) {
    return std::ranges::any_of(head.headers(), [&](const http::HeaderSlot& slot) {
      if (slot.id != field.id) return false;
      if (field.id == http::HeaderId::Unknown && !equal_ignoring_case(head.view(slot.name), field.name))
        return false;
      return !field.value || *field.value == head.view(slot.value);
    });
  }

  AccessAction action_;
  bool any_client_;
  AddressSet clients_;
  std::vector<RuleHost> hosts_;
  http::MethodSet methods_ = 0;  // none: any
  std::vector<RuleField> fields_;
};

class Access final : public pipeline::Middleware {
 public:
  struct Counters {
    std::shared_ptr<metrics::Metric> allowed, denied;
  };

  Access(std::vector<AccessRule> rules, AccessAction otherwise, Counters counters)
      : rules_(std::move(rules)),
        otherwise_(otherwise),
        asks_client_(std::ranges::any_of(rules_, &AccessRule::asks_client)),
        counters_(std::move(counters)) {}

  [[nodiscard]] uint8_t hooks() const override { return kRequest; }

  [[nodiscard]] pipeline::Verdict on_request(http::Exchange& exchange) override {
    if (action_for(exchange.request) == AccessAction::Allow) {
      count(counters_.allowed);
      return pipeline::Verdict::Next;
    }
    count(counters_.denied);
    exchange.send_problem(403, "This is not for you, or not from where you are.");
    return pipeline::Verdict::Done;
  }

 private:
  [[nodiscard]] AccessAction action_for(const http::Request& request) const {
    HostAddress client;
    if (asks_client_) client = HostAddress::parse(request.client()).value_or(HostAddress());
    const auto rule =
        std::ranges::find_if(rules_, [&](const AccessRule& each) { return each.fits(request, client); });
    return rule == rules_.end() ? otherwise_ : rule->action();
  }

  const std::vector<AccessRule> rules_;
  const AccessAction otherwise_;
  const bool asks_client_;
  const Counters counters_;
};

}  // namespace

std::string check_rule_client(std::string_view, std::string_view text) {
  const auto range = AddressRange::parse(text);
  return range ? std::string() : range.error();
}
std::string check_rule_host(std::string_view called, std::string_view text) {
  if (read_rule_host(text)) return {};
  return fmt::format(
      "{} has `{}`, which is no host without a port: write example.org, *.example.org or [2001:db8::1]",
      called, text);
}
std::string check_rule_method(std::string_view called, std::string_view text) {
  if (http::find_method(text)) return {};
  return fmt::format("{} has `{}`, which is no method: they are written in capitals, GET", called, text);
}
std::string check_rule_field(std::string_view called, std::string_view text) {
  if (read_rule_field(text)) return {};
  return fmt::format("{} has `{}`, which is no header field: write NAME, or NAME: VALUE", called, text);
}

std::unique_ptr<pipeline::Middleware> create_access(const AccessOptions& options,
                                                    const pipeline::BuildContext& context) {
  std::vector<AccessRule> rules;
  const size_t before = context.diagnostics.size();
  const Value::Array* const list = options.rules != nullptr ? options.rules->array() : nullptr;
  if (options.rules != nullptr && list == nullptr)
    context.diagnostics.push_back(
        schema::wrong_type(*options.rules, "`rules`", kAccessRuleList, pipeline::kBadOption));
  if (list != nullptr) {
    for (const Value& item : *list) {
      if (item.table() == nullptr) {
        context.diagnostics.push_back(schema::wrong_type(item, "a rule", "a table", pipeline::kBadOption));
        continue;
      }
      const auto keys = schema::read<AccessRuleKeys>(item, kAccessRuleRows, pipeline::kOptionCodes,
                                                     context.diagnostics, "a rule");
      // A list that is there and empty would be read as no condition by some, and as one that nobody fits by others.
      for (const Value::Entry& entry : *item.table())
        if (entry.second.array() != nullptr && entry.second.array()->empty())
          context.diagnostics.push_back({.code = pipeline::kBadOption,
                                         .message = fmt::format("`{}` of a rule is empty", entry.first),
                                         .place = entry.second.place,
                                         .hint = "leave it out for a rule that fits whatever it is"});
      rules.emplace_back(keys);
    }
  }
  if (context.diagnostics.size() != before) return nullptr;
  return std::make_unique<Access>(
      std::move(rules), options.otherwise,
      Access::Counters{.allowed = declare_counter(kAccessRequests, context, "allowed"),
                       .denied = declare_counter(kAccessRequests, context, "denied")});
}

}  // namespace leat::middleware
