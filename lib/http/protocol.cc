#include "http/protocol.h"

#include "base/check.h"

namespace leat::http {

ProtocolChoice choose_protocol(std::span<ProtocolFactory* const> allowed, std::string_view agreed,
                               std::string_view first, bool last) {
  ENSURE(!allowed.empty());
  if (allowed.size() == 1) return {allowed.front()};
  if (!agreed.empty())
    for (ProtocolFactory* each : allowed)
      if (each->name() == agreed) return {each};
  ProtocolFactory* any = nullptr;  // that begins with anything
  for (ProtocolFactory* each : allowed) {
    const std::string_view preface = each->preface();
    if (preface.empty()) {
      if (any == nullptr) any = each;
    } else if (first.starts_with(preface)) {
      return {each};
    } else if (!last && preface.starts_with(first)) {
      return {.needs_more = true};
    }
  }
  return {any};
}

}  // namespace leat::http
