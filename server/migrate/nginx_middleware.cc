// What requests and answers pass in nginx, as middleware, and which of it the routes of a level have.
#include <fmt/core.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <system_error>
#include <utility>

#include "base/host_address.h"
#include "base/text.h"
#include "base/units.h"
#include "server/migrate/foreign.h"
#include "server/migrate/nginx_carrier.h"
#include "server/migrate/nginx_values.h"

namespace leat::server::migrate {

namespace {

// When add_header adds, unless it says `always`.
const std::vector<std::string> kOnSuccess = {"200", "201", "204", "206", "301-304", "307", "308"};

}  // namespace

Route NginxCarrier::route_of(const NginxLevel& level) {
  Route route;
  if (const auto* at = nearest(level, [](const NginxLevel& each) { return each.logs; }))
    std::ranges::copy(at->access_logs, std::back_inserter(route.instances));
  if (const auto* at = nearest(
          level, [](const NginxLevel& each) { return !each.rules.empty() || !each.otherwise.empty(); })) {
    Keys options = {{"default", text(at->otherwise.empty() ? "allow" : at->otherwise)}};
    std::string rules;
    for (const std::string& each : at->rules) rules += each + ", ";
    if (!at->rules.empty()) options.emplace_back("rules", "[" + rules + "]");
    route.instances.push_back({"access", std::move(options)});
  }
  if (const auto* at = nearest(level, [](const NginxLevel& each) { return !each.methods.empty(); }))
    std::ranges::copy(at->methods, std::back_inserter(route.instances));
  if (const auto* at = nearest(level, [](const NginxLevel& each) { return each.asked.has_value(); });
      at != nullptr && !at->asked->kind.empty())
    route.instances.push_back(*at->asked);
  if (const auto* at = nearest(level, [](const NginxLevel& each) { return !each.rates.empty(); }))
    std::ranges::copy(at->rates, std::back_inserter(route.instances));
  if (const auto* at = nearest(level, [](const NginxLevel& each) { return !each.crowds.empty(); }))
    std::ranges::copy(at->crowds, std::back_inserter(route.instances));
  if (const auto* at = nearest(
          level, [](const NginxLevel& each) { return !each.always.empty() || !each.on_success.empty(); })) {
    if (!at->always.empty()) route.instances.push_back({"headers", {{"answer_add", list(at->always)}}});
    if (!at->on_success.empty())
      route.instances.push_back(
          {"headers", {{"answer_add", list(at->on_success)}, {"if_status", list(kOnSuccess)}}});
  }
  if (const auto* at = nearest(level, [](const NginxLevel& each) { return each.lifetime.has_value(); });
      at != nullptr && !at->lifetime->empty())
    route.instances.push_back(
        {"headers",
         {{"answer_set", list({"Cache-Control: " + *at->lifetime})}, {"if_status", list(kOnSuccess)}}});
  if (const auto* at = nearest(level, [](const NginxLevel& each) { return !each.pages.empty(); })) {
    std::string pages;
    for (const std::string& each : at->pages) pages += each + ", ";
    route.instances.push_back({"error_pages", {{"pages", "[" + pages + "]"}}});
  }
  if (const auto* at = nearest(level, [](const NginxLevel& each) { return !each.to_handlers.empty(); }))
    route.instances.push_back({"headers", {{"request_set", list(at->to_handlers)}}});
  if (const auto* at = nearest(level, [](const NginxLevel& each) { return each.packs.has_value(); });
      at != nullptr && *at->packs)
    route.instances.push_back({"compress", packing_of(level)});
  const auto* realm = nearest(level, [](const NginxLevel& each) { return each.realm.has_value(); });
  const auto* passwords = nearest(level, [](const NginxLevel& each) { return each.passwords.has_value(); });
  if (realm != nullptr && passwords != nullptr && *realm->realm != "off")
    route.instances.push_back(
        {"basic_auth", {{"file", text(*passwords->passwords)}, {"realm", text(*realm->realm)}}});
  // What all servers have is a setting.
  const auto* at = nearest(level, [](const NginxLevel& each) { return each.body.has_value(); });
  if (at != nullptr && at->outside != nullptr && *at->body != text("0B"))
    route.keys.emplace_back("body_limit", *at->body);
  return route;
}

Keys NginxCarrier::packing_of(const NginxLevel& level) {
  Keys options;
  if (const auto* at = nearest(level, [](const NginxLevel& each) { return !each.packed.empty(); }))
    options.emplace_back("types", list(at->packed));
  if (const auto* at = nearest(level, [](const NginxLevel& each) { return each.least_packed.has_value(); }))
    options.emplace_back("least", *at->least_packed);
  if (const auto* at = nearest(level, [](const NginxLevel& each) { return each.pack_level.has_value(); }))
    options.emplace_back("gzip_level", *at->pack_level);
  return options;
}

void NginxCarrier::carry_rule(const Directive& directive, NginxLevel& level) {
  // What stands behind one for all says nothing.
  if (!level.otherwise.empty()) return;
  if (directive.word(0) == "all") {
    level.otherwise = directive.name();
    return;
  }
  const std::string who(directive.word(0) == "unix:" ? "unix" : directive.word(0));
  if (!AddressRange::parse(who)) return target_.leave(directive, "names are not looked up: write addresses");
  level.rules.push_back(fmt::format("{{action = {}, client = {}}}", text(directive.name()), list({who})));
}

// Of the block the methods that are not named have to pass rules of their own.
void NginxCarrier::carry_methods(const Directive& directive, NginxLevel& level) {
  std::vector<std::string> methods(directive.words.begin() + 1, directive.words.end());
  if (std::ranges::contains(methods, "GET") && !std::ranges::contains(methods, "HEAD"))
    methods.emplace_back("HEAD");
  NginxLevel inner;
  for (const Directive& each : directive.block)
    if (each.name() == "allow" || each.name() == "deny")
      carry_rule(each, inner);
    else
      target_.leave(each, "what other methods are asked for is said by `allow` and `deny` alone");
  std::string rules = fmt::format("[{{action = \"allow\", method = {}}}, ", list(methods));
  for (const std::string& each : inner.rules) rules += each + ", ";
  level.methods.push_back(
      {"access",
       {{"default", text(inner.otherwise.empty() ? "allow" : inner.otherwise)}, {"rules", rules + "]"}}});
}

void NginxCarrier::carry_rate(const Directive& directive, NginxLevel& level) {
  const auto zone = zones_.find(parameter(directive, "zone="));
  if (zone == zones_.end()) return target_.leave(directive, "there is no limit_req_zone of this name");
  const Directive& told = *zone->second;
  const auto rate = nginx_rate(parameter(told, "rate="));
  const auto key = nginx_rate_key(told.word(0));
  if (!rate) return target_.leave(told, "this is no rate");
  if (!key) return target_.leave(told, "Leat counts by client, host, or a header field");
  Keys options = {{"rate", text(rate->text)}};
  uint64_t burst = 0;
  if (const std::string_view said = parameter(directive, "burst="); !said.empty()) {
    const auto number = parse_number<uint32_t>(said);
    if (!number || *number > 1'000'000)
      return target_.leave(directive, "a burst is a number up to a million");
    burst = *number;
  }
  options.emplace_back("burst", std::to_string(burst + 1));
  if (*key != "client") options.emplace_back("key", list({*key}));
  tell_zone(directive, parameter(directive, "zone="), {"rate_limit", options});
  level.rates.push_back({"rate_limit", std::move(options)});
  if (burst != 0 && !std::ranges::contains(directive.words, "nodelay"))
    target_.remark(fmt::format("{}: nginx makes the requests of a burst wait, Leat answers them at once.",
                               directive.written));
}

// Of one zone all is counted together, and here what has the same options is.
void NginxCarrier::tell_zone(const Directive& directive, std::string_view zone, const Instance& instance) {
  const auto [first, fresh] = counted_.try_emplace(fmt::format("{} {}", instance.kind, zone), instance);
  if (!fresh && first->second != instance)
    target_.leave(
        directive,
        "its zone is counted for other locations with other limits as well, and here each counts by itself");
}

void NginxCarrier::carry_crowd(const Directive& directive, NginxLevel& level) {
  const auto zone = crowd_zones_.find(directive.word(0));
  if (zone == crowd_zones_.end()) return target_.leave(directive, "there is no limit_conn_zone of this name");
  const auto key = nginx_rate_key(zone->second->word(0));
  if (!key) return target_.leave(directive, "Leat counts by client, host, or a header field");
  const auto limit = parse_number<uint32_t>(directive.word(1));
  if (!limit || *limit == 0 || *limit > 1'000'000)
    return target_.leave(directive, "concurrency.limit is a number up to a million");
  Instance instance{"concurrency", {{"limit", std::to_string(*limit)}}};
  if (*key != "client") instance.options.emplace_back("key", list({*key}));
  tell_zone(directive, directive.word(0), instance);
  level.crowds.push_back(std::move(instance));
}

void NginxCarrier::carry_packing(const Directive& directive, NginxLevel& level) {
  const std::string_view name = directive.name(), said = directive.word(0);
  if (name == "gzip") {
    level.packs = said == "on";
  } else if (name == "gzip_types") {
    if (std::ranges::contains(directive.words, "*"))
      return target_.leave(directive,
                           "middleware `compress` packs what it is worth for, or the types that are named");
    level.packed = {"text/html"};  // which nginx always packs
    level.packed.insert(level.packed.end(), directive.words.begin() + 1, directive.words.end());
  } else if (name == "gzip_min_length") {
    const auto bytes = nginx_size(said);
    constexpr uint64_t kMost = uint64_t{1} << 20;
    if (!bytes || *bytes == 0 || *bytes > kMost)
      return target_.leave(directive, "compress.least is 1B to 1MiB");
    level.least_packed = text(size_text(*bytes));
  } else {
    const auto number = parse_number<int>(said);
    if (!number || *number < 1 || *number > 9)
      return target_.leave(directive, "compress.gzip_level is 1 to 9");
    level.pack_level = std::to_string(*number);
  }
}

void NginxCarrier::carry_passwords(const Directive& directive, NginxLevel& level) {
  if (directive.word(0).contains('$'))
    return target_.leave(directive, "middleware `basic_auth` has no variables");
  if (directive.name() == "auth_basic_user_file") return void(level.passwords = directive.word(0));
  std::string realm(directive.word(0));
  const auto is_no_realm = [](char c) { return c < ' ' || c > '~' || c == '"' || c == '\\'; };
  if (std::erase_if(realm, is_no_realm) != 0)
    target_.remark(fmt::format("{}: a realm has printable ASCII alone, without quotes and backslashes.",
                               directive.written));
  level.realm = std::move(realm);
}

// The location that it names is asked in nginx; what answers there is asked here.
void NginxCarrier::carry_question(const Directive& directive, NginxLevel& level) {
  if (directive.word(0) == "off") return void(level.asked.emplace());
  const auto* server = nearest(level, [](const NginxLevel& each) { return each.server != nullptr; });
  const auto is_asked = [&](const Directive& each) {
    return each.name() == "location" && each.word(each.word(0) == "=" ? 1 : 0) == directive.word(0);
  };
  if (server == nullptr || std::ranges::none_of(server->server->block, is_asked))
    return target_.leave(directive, "there is no location of this name in its server");
  const Directive& location = *std::ranges::find_if(server->server->block, is_asked);
  const auto passing = std::ranges::find(location.block, "proxy_pass", &Directive::name);
  const auto url = passing == location.block.end() ? std::nullopt : asked_url(passing->word(0));
  if (!url)
    return target_.leave(directive,
                         "middleware `forward_auth` asks an address: http://127.0.0.1:9091, or unix:/PATH");
  level.asked = {"forward_auth",
                 {{"url", text(url->address)},
                  {"path", text(url->path.empty() ? directive.word(0) : std::string_view(url->path))}}};
  target_.remark(fmt::format("{}: of the request nginx tells all fields, Leat those that `forward` names.",
                             directive.written));
}

void NginxCarrier::carry_answer_field(const Directive& directive, NginxLevel& level) {
  const auto field = nginx_field(directive.word(0), directive.word(1));
  if (!field) return target_.leave(directive, field.error());
  if (field->empty()) return;
  (directive.word(2) == "always" ? level.always : level.on_success).push_back(*field);
}

void NginxCarrier::carry_request_field(const Directive& directive, NginxLevel& level) {
  if (is_known_by_leat(directive.word(0))) return;
  const auto field = nginx_field(directive.word(0), directive.word(1));
  if (!field) return target_.leave(directive, field.error());
  if (!field->empty()) level.to_handlers.push_back(*field);
}

// As a field; Expires, which says the same to caches of long ago, is not sent.
void NginxCarrier::carry_lifetime(const Directive& directive, NginxLevel& level) {
  const std::string_view said = directive.word(0);
  if (said == "off") return void(level.lifetime.emplace());
  if (said == "epoch" || said.starts_with('-')) return void(level.lifetime = "no-cache");
  if (said == "max") return void(level.lifetime = "max-age=315360000");
  const auto ms = nginx_time(said);
  if (!ms || directive.count() != 1)
    return target_.leave(directive, "middleware `headers` sets Cache-Control, and a handler knows better");
  level.lifetime = fmt::format("max-age={}", *ms / 1000);
}

void NginxCarrier::carry_root(const Directive& directive, NginxLevel& level) {
  level.root = directive.word(0);
  if (const auto foreign = foreign_to_nginx("root")) target_.leave(directive, foreign->why);
}

// Pages are files, which have to be there when the configuration is read.
void NginxCarrier::carry_pages(const Directive& directive, NginxLevel& level) {
  constexpr std::string_view kFile =
      "a page of middleware `error_pages` is a file that is there: its `file`, or its text as `body`";
  std::vector<std::string> statuses(directive.words.begin() + 1, directive.words.end());
  if (statuses.size() < 2) return target_.leave(directive, "it says nothing");
  const std::string page = std::move(statuses.back());
  statuses.pop_back();
  const auto is_error = [](const std::string& each) {
    return each.size() == 3 && (each[0] == '4' || each[0] == '5') && std::ranges::all_of(each, is_digit);
  };
  if (!std::ranges::all_of(statuses, is_error))
    return target_.leave(directive, "a page is for errors, 400 to 599, and leaves the status as it is");
  const auto* at = nearest(level, [](const NginxLevel& each) { return each.root.has_value(); });
  if (!page.starts_with('/') || at == nullptr) return target_.leave(directive, kFile);
  const std::string file = *at->root + page;
  std::error_code error;
  if (!file.starts_with('/') || !std::filesystem::is_regular_file(file, error))
    return target_.leave(directive, kFile);
  level.pages.push_back(fmt::format("{{status = {}, file = {}}}", list(statuses), text(file)));
}

}  // namespace leat::server::migrate
