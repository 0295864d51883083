#include "middleware/access.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "base/week_times.h"
#include "middleware/counters.h"

namespace leat::middleware {

namespace {

struct AccessRule {
  AccessAction action;
  pipeline::Condition when;
  std::vector<CertificatePattern> certificates;
  std::optional<WeekTimes> times;

  [[nodiscard]] bool fits(pipeline::Facts& facts) const {
    if (!certificates.empty() && !shows_one(facts.request)) return false;
    if (when.miss(facts) != pipeline::Condition::Miss::None) return false;
    return !times ||
           times->contains(std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()));
  }
  [[nodiscard]] bool shows_one(const http::Request& request) const {
    const transport::PeerCertificate* const shown = request.certificate();
    return shown != nullptr && std::ranges::any_of(certificates, [&](const CertificatePattern& each) {
             return each.fits(*shown);
           });
  }
};

class Access final : public pipeline::Middleware {
 public:
  struct Counters {
    std::shared_ptr<metrics::Metric> allowed, denied;
  };

  Access(std::vector<AccessRule> rules, AccessAction otherwise, Counters counters)
      : rules_(std::move(rules)), otherwise_(otherwise), counters_(std::move(counters)) {
    asks_certificate_ = std::ranges::any_of(rules_, [](const AccessRule& each) {
      return each.action == AccessAction::Allow && !each.certificates.empty();
    });
  }

  [[nodiscard]] uint8_t hooks() const override { return kRequest; }
  [[nodiscard]] bool for_clients() const override { return true; }

  [[nodiscard]] std::string explain(http::Exchange& exchange) const override {
    const auto rule = rule_for(exchange);
    const bool allowed = action_for(exchange) == AccessAction::Allow;
    return fmt::format("{}, by {}", allowed ? "lets it in" : "answers 403",
                       rule == rules_.end() ? std::string("its default")
                                            : fmt::format("rule {}", rule - rules_.begin() + 1));
  }
  [[nodiscard]] pipeline::Verdict on_request(http::Exchange& exchange) override {
    if (action_for(exchange) == AccessAction::Allow) {
      count(counters_.allowed);
      return pipeline::Verdict::Next;
    }
    count(counters_.denied);
    exchange.send_problem(403, asks_certificate_ && exchange.request.certificate() == nullptr
                                   ? "This is for who shows a certificate."
                                   : "This is not for you, or not from where you are.");
    return pipeline::Verdict::Done;
  }

 private:
  // The first that fits, or the end.
  [[nodiscard]] std::vector<AccessRule>::const_iterator rule_for(http::Exchange& exchange) const {
    pipeline::Facts facts{.request = exchange.request, .arena = exchange.arena()};
    return std::ranges::find_if(rules_, [&](const AccessRule& each) { return each.fits(facts); });
  }
  [[nodiscard]] AccessAction action_for(http::Exchange& exchange) const {
    const auto rule = rule_for(exchange);
    return rule == rules_.end() ? otherwise_ : rule->action;
  }

  const std::vector<AccessRule> rules_;
  const AccessAction otherwise_;
  bool asks_certificate_;  // who shows one may be let in
  const Counters counters_;
};

}  // namespace

std::string check_rule_time(std::string_view, std::string_view text) { return WeekTimes::complaint(text); }

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
      std::optional<WeekTimes> times;
      if (!keys.time.empty()) {
        auto made = WeekTimes::make(keys.time, options.time_zone);
        if (made)
          times.emplace(std::move(*made));
        else
          context.diagnostics.push_back(
              {.code = pipeline::kBadOption, .message = made.error(), .place = context.place, .hint = {}});
      }
      std::vector<CertificatePattern> certificates;
      for (const std::string& text : keys.certificate)
        if (auto pattern = CertificatePattern::parse(text)) certificates.push_back(std::move(*pattern));
      rules.push_back({.action = keys.action,
                       .when = pipeline::Condition(keys.when),
                       .certificates = std::move(certificates),
                       .times = std::move(times)});
    }
  }
  if (any_error_since(context.diagnostics, before)) return nullptr;
  return std::make_unique<Access>(
      std::move(rules), options.otherwise,
      Access::Counters{.allowed = declare_counter(kAccessRequests, context, "allowed"),
                       .denied = declare_counter(kAccessRequests, context, "denied")});
}

}  // namespace leat::middleware
