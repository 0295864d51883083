#include "worker/listeners.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/check.h"

namespace leat::worker {

namespace {

std::shared_ptr<const Listener> make_listener(uint32_t number, std::shared_ptr<const ListenerOptions> options,
                                              std::span<http::ProtocolFactory* const> all,
                                              const transport::Now& now_ns) {
  auto listener = std::make_shared<Listener>(number, std::move(options));
  for (const std::string& name : listener->options->protocols) {
    const auto found = std::ranges::find(all, name, &http::ProtocolFactory::name);
    ENSURE(found != all.end());  // the configuration names none that there is not
    listener->protocols.push_back(*found);
  }
  if (listener->protocols.empty()) listener->protocols.assign(all.begin(), all.end());
  if (listener->options->transport) listener->transport = listener->options->transport(now_ns);
  if (const auto& counts = listener->options->counts) {
    listener->received = counts->received->own_cell();
    listener->sent = counts->sent->own_cell();
  }
  return listener;
}

}  // namespace

void Listeners::set(uint32_t number, std::shared_ptr<const ListenerOptions> options) {
  auto listener = make_listener(number, std::move(options), protocols_, now_ns_);
  if (Known* const known = find(number)) {
    *known = {.listener = std::move(listener)};
  } else {
    known_.push_back({.listener = std::move(listener)});
    heard_of_ = std::max(heard_of_, number + 1);
  }
}

void Listeners::hear_of(uint32_t number, std::shared_ptr<const ListenerOptions> options) {
  if (number >= heard_of_ && options != nullptr) set(number, std::move(options));
}

Listeners::Known* Listeners::find(uint32_t number) {
  const auto found =
      std::ranges::find(known_, number, [](const Known& each) { return each.listener->number; });
  return found == known_.end() ? nullptr : &*found;
}

std::shared_ptr<const ListenerOptions> Listeners::options(uint32_t number) {
  const Known* const known = find(number);
  return known == nullptr ? nullptr : known->listener->options;
}

}  // namespace leat::worker
