#include "server/service_order.h"

#include <fmt/core.h>

#include <algorithm>
#include <string_view>

#include "base/suggest.h"
#include "plugin/codes.h"

namespace leat::server {

namespace {

using Choice = config::PluginDecl::Choice;

std::string_view text(leat_str name) { return {name.ptr, name.len}; }

class Orderer {
 public:
  Orderer(std::span<const ServiceParty> parties, std::span<const std::string> unavailable,
          Diagnostics& diagnostics)
      : parties_(parties),
        unavailable_(unavailable),
        diagnostics_(diagnostics),
        out_(parties.size()),
        visits_(parties.size(), Visit::None) {
    result_.uses.resize(parties.size());
  }

  ServiceOrder run() {
    for (size_t i = 0; i < parties_.size(); ++i) check_choices(i);
    // Each one that goes out of service may take others with it.
    for (bool changed = true; changed;) {
      changed = false;
      for (size_t i = 0; i < parties_.size(); ++i)
        if (!out_[i]) changed = (out_[i] = !could_be_met(i)) || changed;
    }
    for (size_t i = 0; i < parties_.size(); ++i)
      if (!out_[i]) connect(i);
    for (size_t i = 0; i < parties_.size(); ++i)
      if (!out_[i]) visit(i);
    return std::move(result_);
  }

 private:
  enum class Visit : uint8_t { None, Begun, Done };

  [[nodiscard]] const std::string& name(size_t party) const { return parties_[party].declared->name; }

  void fail(const Place& place, std::string message, std::string hint = {}) {
    diagnostics_.push_back(
        {.code = plugin::kNoService, .message = std::move(message), .place = place, .hint = std::move(hint)});
  }

  [[nodiscard]] const Choice* choice(size_t party, std::string_view service) const {
    const auto& choices = parties_[party].declared->services;
    const auto found = std::ranges::find(choices, service, &Choice::service);
    return found == choices.end() ? nullptr : &*found;
  }

  [[nodiscard]] const leat_service* provided(size_t party, std::string_view service) const {
    const auto found = std::ranges::find(parties_[party].services, service,
                                         [](const auto& each) { return text(each.name); });
    return found == parties_[party].services.end() ? nullptr : &*found;
  }

  // Those that could provide it to `party`: not itself, so that a plugin may stand before another one of its
  // kind.
  [[nodiscard]] std::vector<size_t> providers(size_t party, std::string_view service) const {
    const Choice* chosen = choice(party, service);
    std::vector<size_t> found;
    for (size_t i = 0; i < parties_.size(); ++i)
      if (i != party && !out_[i] && provided(i, service) != nullptr &&
          (chosen == nullptr || chosen->provider == name(i)))
        found.push_back(i);
    return found;
  }

  [[nodiscard]] bool is_out(std::string_view plugin) const {
    if (std::ranges::contains(unavailable_, plugin)) return true;
    for (size_t i = 0; i < parties_.size(); ++i)
      if (out_[i] && name(i) == plugin) return true;
    return false;
  }

  void check_choices(size_t party) {
    std::vector<std::string_view> needed;
    for (const leat_need& need : parties_[party].needs) needed.push_back(text(need.name));
    for (const Choice& each : parties_[party].declared->services)
      if (!std::ranges::contains(needed, each.service))
        fail(each.place, fmt::format("plugin {} does not need a service `{}`", name(party), each.service),
             did_you_mean(each.service, needed));
  }

  // False where one is missed that a plugin out of service may provide.
  bool could_be_met(size_t party) {
    for (const leat_need& need : parties_[party].needs) {
      const std::string_view service = text(need.name);
      if ((need.flags & LEAT_NEED_OPTIONAL) != 0 || !providers(party, service).empty()) continue;
      const Choice* chosen = choice(party, service);
      const bool any_out = !unavailable_.empty() || std::ranges::contains(out_, true);
      if (chosen != nullptr ? !is_out(chosen->provider) : !any_out) continue;
      diagnostics_.push_back(
          {.severity = Diagnostic::Severity::Warning,
           .code = plugin::kNoService,
           .message = fmt::format("plugin {} is out of service too: it needs `{}`, which no "
                                  "plugin in service provides",
                                  name(party), service),
           .place = parties_[party].declared->place});
      return false;
    }
    return true;
  }

  void connect(size_t party) {
    for (const leat_need& need : parties_[party].needs) {
      const std::string_view service = text(need.name);
      const std::vector<size_t> found = providers(party, service);
      if (found.size() == 1) {
        result_.uses[party].push_back({provided(found[0], service), found[0]});
      } else if (found.size() > 1) {
        complain_of_several(party, service, found);
      } else if (const Choice* chosen = choice(party, service);
                 chosen != nullptr && !is_out(chosen->provider)) {
        complain_of_choice(*chosen);
      } else if ((need.flags & LEAT_NEED_OPTIONAL) == 0) {
        complain_of_none(party, service);
      }
    }
  }

  void complain_of_several(size_t party, std::string_view service, const std::vector<size_t>& found) {
    std::string names;
    for (const size_t each : found) names += (names.empty() ? "" : ", ") + name(each);
    fail(parties_[party].declared->place,
         fmt::format("plugin {} needs the service `{}`, which several plugins provide: {}", name(party),
                     service, names),
         fmt::format("say which: services = {{\"{}\" = \"{}\"}}", service, name(found[0])));
  }

  void complain_of_choice(const Choice& chosen) {
    std::vector<std::string_view> providing;
    for (size_t i = 0; i < parties_.size(); ++i)
      if (provided(i, chosen.service) != nullptr) providing.push_back(name(i));
    fail(chosen.place, fmt::format("no plugin `{}` provides `{}`", chosen.provider, chosen.service),
         did_you_mean(chosen.provider, providing));
  }

  void complain_of_none(size_t party, std::string_view service) {
    std::vector<std::string_view> known;
    for (size_t i = 0; i < parties_.size(); ++i)
      if (i != party)
        for (const leat_service& each : parties_[i].services) known.push_back(text(each.name));
    std::string hint;
    if (const std::string_view close = closest(service, known); !close.empty())
      hint = fmt::format("`{}` is there: another version of it, or of the plugin, is needed", close);
    fail(parties_[party].declared->place,
         fmt::format("plugin {} needs the service `{}`, which no plugin provides", name(party), service),
         hint);
  }

  void visit(size_t party) {
    if (visits_[party] == Visit::Done) return;
    if (visits_[party] == Visit::Begun) return complain_of_circle(party);
    visits_[party] = Visit::Begun;
    path_.push_back(party);
    for (const auto& [service, provider] : result_.uses[party]) visit(provider);
    path_.pop_back();
    visits_[party] = Visit::Done;
    result_.order.push_back(party);
  }

  void complain_of_circle(size_t party) {
    const auto begin = std::ranges::find(path_, party);
    std::string circle;
    for (auto each = begin; each != path_.end(); ++each) {
      const size_t next = each + 1 == path_.end() ? party : *(each + 1);
      const auto& uses = result_.uses[*each];
      const auto use = std::ranges::find(uses, next, &ServiceOrder::Use::provider);
      circle += fmt::format("{}{} needs `{}` of {}", circle.empty() ? "" : ", ", name(*each),
                            text(use->service->name), name(next));
    }
    fail(parties_[party].declared->place, "plugins need each other in a circle: " + circle,
         "one of the needs must go, or be asked for in another way");
  }

  std::span<const ServiceParty> parties_;
  std::span<const std::string> unavailable_;
  Diagnostics& diagnostics_;
  std::vector<bool> out_;  // of service, by party
  std::vector<Visit> visits_;
  std::vector<size_t> path_;
  ServiceOrder result_;
};

}  // namespace

ServiceOrder order_services(std::span<const ServiceParty> parties, std::span<const std::string> unavailable,
                            Diagnostics& diagnostics) {
  return Orderer(parties, unavailable, diagnostics).run();
}

}  // namespace leat::server
