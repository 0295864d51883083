#include "pipeline/hosts.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"
#include "pipeline/host_name.h"

namespace leat::pipeline {

HostTable::HostTable() { hosts_.push_back(std::make_unique<Host>()); }

HostTable::Added HostTable::add(std::string id, std::vector<std::string> names,
                                std::vector<std::string> listeners, bool every_name) {
  auto host = std::make_unique<Host>();
  host->id = std::move(id);
  host->names = std::move(names);
  host->listeners = std::move(listeners);
  const auto shares = [&](const Host* other) {
    if (host->listeners.empty() || other->listeners.empty())
      return host->listeners.empty() && other->listeners.empty();
    return std::ranges::any_of(host->listeners, [&](const std::string& each) {
      return std::ranges::contains(other->listeners, each);
    });
  };
  std::vector<Hosts*> places;
  if (host->names.empty()) places.push_back(every_name ? &every_name_ : &nameless_);
  for (const std::string& name : host->names) {
    const HostPattern pattern = HostPattern::parse(name).value_or(HostPattern());
    places.push_back(&(pattern.below ? below_ : names_)[pattern.name]);
  }
  for (size_t i = 0; i < places.size(); ++i)
    if (const auto other = std::ranges::find_if(*places[i], shares); other != places[i]->end())
      return {nullptr, *other, host->names.empty() ? std::string() : host->names[i]};
  for (Hosts* place : places) place->push_back(host.get());
  hosts_.push_back(std::move(host));
  return {hosts_.back().get(), nullptr, {}};
}

const Host* HostTable::choose(const Hosts& hosts, std::string_view listener, bool& by_listener) {
  const Host* any = nullptr;
  for (const Host* host : hosts) {
    if (host->listeners.empty()) {
      any = host;
      continue;
    }
    by_listener = true;
    if (std::ranges::contains(host->listeners, listener)) return host;
  }
  return any;
}

const Host* HostTable::find_in(const Names& names, std::string_view name, std::string_view listener,
                               bool& by_listener) const {
  const auto found = names.find(name);
  return found == names.end() ? nullptr : choose(found->second, listener, by_listener);
}

const Host& HostTable::find(std::string_view host, std::string_view listener, bool& by_listener) const {
  if (hosts_.size() == 1) [[likely]]
    return rest();
  if (!every_name_.empty())
    if (const Host* found = choose(every_name_, listener, by_listener)) return *found;
  std::string_view name = host_name(host);
  std::array<char, kLongestName> lower;
  if (name.size() <= lower.size()) {
    std::ranges::transform(name, lower.begin(), ascii_lower);
    name = {lower.data(), name.size()};
    if (const Host* found = find_in(names_, name, listener, by_listener)) return *found;
    for (size_t dot = below_.empty() ? std::string_view::npos : name.find('.'); dot != std::string_view::npos;
         dot = name.find('.', dot + 1)) {
      if (dot == 0) continue;
      if (const Host* found = find_in(below_, name.substr(dot + 1), listener, by_listener)) return *found;
    }
  }
  if (const Host* found = choose(nameless_, listener, by_listener)) return *found;
  return rest();
}

}  // namespace leat::pipeline
