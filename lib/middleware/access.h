// access: who may ask at all, by rules of which the first that fits says so.
//
// A rule has conditions on the client, its certificate, the host, the method, header fields and the time, each a list of which one
// has to fit; all
// conditions of a rule have to. Where no rule fits the default says, which is to deny: a rule that was forgotten lets
// nobody in.
//
// The client is who a trusted proxy says, and an IPv4 address is the same also where it is wrapped in IPv6
// (base/host_address.h). Paths are the routes' affair: a rule stands before a route, and what a client makes of the
// spelling of a path leads to no other.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/schema.h"
#include "middleware/certificate_pattern.h"
#include "pipeline/condition.h"
#include "pipeline/middleware_kind.h"

namespace leat::middleware {

enum class AccessAction : uint8_t { Allow, Deny };

struct AccessOptions {
  const Value* rules = nullptr;
  AccessAction otherwise = AccessAction::Deny;
  std::string time_zone = "UTC";
};

// A rule as it is written.
struct AccessRuleKeys {
  AccessAction action = AccessAction::Deny;
  pipeline::ConditionKeys when;
  std::vector<std::string> certificate, time;
};
// A Row::Check.
std::string check_rule_time(std::string_view called, std::string_view text);

inline constexpr schema::Row kAccessRuleRows[] = {
    schema::choice<&AccessRuleKeys::action>("action", "allow deny", "What is done where the rule fits.")
        .as_needed(),
    schema::list<[](AccessRuleKeys& keys) -> auto& { return keys.when.client; }>(
        "client", "ranges of addresses", pipeline::check_condition_client, 0,
        "Who asks: ranges of addresses as in `server.trusted_proxies`."),
    schema::list<&AccessRuleKeys::certificate>(
        "certificate", "certificates", check_certificate_pattern, 0,
        "What certificate was shown: `any`, `cn:NAME`, `dns:NAME`, `uri:URI` or `sha256:DIGITS`."),
    schema::list<[](AccessRuleKeys& keys) -> auto& { return keys.when.host; }>(
        "host", "hosts", pipeline::check_condition_host, 0,
        "Whom: `example.org`, or `*.example.org` for all names below it."),
    schema::list<[](AccessRuleKeys& keys) -> auto& { return keys.when.method; }>(
        "method", "methods", pipeline::check_condition_method, 0, "By which method."),
    schema::list<[](AccessRuleKeys& keys) -> auto& { return keys.when.header; }>(
        "header", "header fields", pipeline::check_condition_header, 0,
        "What fields there are: `NAME`, or `NAME: VALUE`."),
    schema::list<&AccessRuleKeys::time>("time", "times of the week", check_rule_time, 0,
                                        "When: `Mon-Fri 08:00-18:00`, `Sat`, or `22:00-06:00`."),
};

inline constexpr std::string_view kAccessRuleList = "a list of tables";
inline constexpr schema::Row kAccessRows[] = {
    schema::any<&AccessOptions::rules>(
        "rules", kAccessRuleList,
        "The rules, of which the first one that fits is followed. Each has an `action`, \"allow\" or "
        "\"deny\", and any of "
        "the lists `client` (ranges of addresses as in `server.trusted_proxies`), `certificate` (of who is "
        "connected, "
        "verified by the listener's `client_ca`: `any`, `cn:NAME`, `dns:example.org`, `dns:*.example.org`, "
        "`uri:spiffe://a/b`, `uri:spiffe://a/*`, or `sha256:DIGITS`), `host` (`example.org`, or "
        "`*.example.org` for all names below it), `method`, `header` (`NAME` for one that is there, or "
        "`NAME: VALUE`), and `time` (`Mon-Fri 08:00-18:00`, `Sat`, `22:00-06:00`)."),
    schema::choice<&AccessOptions::otherwise>("default", "allow deny", "What is done where no rule fits."),
    schema::text<&AccessOptions::time_zone>(
        "time_zone", 64, "What clock `time` goes by: a name of the IANA database, `Europe/Berlin`."),
};

std::unique_ptr<pipeline::Middleware> create_access(const AccessOptions& options,
                                                    const pipeline::BuildContext& context);

}  // namespace leat::middleware
