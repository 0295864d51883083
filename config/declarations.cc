#include "config/declarations.h"

#include <fmt/core.h>

#include <algorithm>

#include "config/accounts.h"
#include "config/codes.h"
#include "config/foreign_keys.h"
#include "config/settings.h"
#include "config/tls.h"

namespace leat::config {

namespace {

using schema::Reader;
using schema::Row;

// What the tables say, before it is known what it is good for.

struct ListenerKeys {
  std::string address;
  std::optional<int> backlog;
  std::optional<bool> defer_accept;
  std::optional<uint32_t> mode;
  std::optional<std::string> owner;
  std::optional<std::string> group;
  std::vector<std::string> protocols;
  bool proxy_protocol = false;
  std::vector<AddressRange> trusted_proxies;
  bool tls = false;
  std::string client_ca, client_crl;
  tls::ClientTrust::Demand client_certificate = tls::ClientTrust::Demand::Required;
  std::optional<uint32_t> redirect_to_https;
};
struct PluginKeys {
  std::string name;
  std::string file;
  const Value* services = nullptr;
  std::optional<uint32_t> concurrency;
  const Value* config = nullptr;
};
struct MiddlewareKeys {
  std::string kind;
  std::string name;
  std::vector<std::string> before;
  std::vector<std::string> after;
  bool global = true;
  bool optional = false;
};
constexpr int64_t kMostRequests = 1'000'000;
constexpr std::string_view kConfigTable = "a table, written as [plugin.config]";
constexpr std::string_view kServicesTable = R"(a table, like {"users/1" = "directory"})";

std::string check_protocol(std::string_view, std::string_view text) {
  if (std::ranges::contains(worker::kProtocolNames, text)) return {};
  std::string known;
  for (const std::string_view each : worker::kProtocolNames)
    known += fmt::format("{}`{}`", known.empty() ? "" : ", ", each);
  return fmt::format("`{}` is not a protocol that is spoken: there is {}", text, known);
}

constexpr Row kListener[] = {
    schema::text<&ListenerKeys::address>("address", check_address, kBadAddress,
                                         "Where to listen, as in `server.listen`.")
        .as_needed(),
    schema::count<&ListenerKeys::backlog>("backlog", 1, 65535, "In place of `server.backlog`."),
    schema::boolean<&ListenerKeys::defer_accept>("defer_accept",
                                                 "In place of `server.defer_accept`; TCP only."),
    schema::mode<&ListenerKeys::mode>("mode", 0, 0777, "In place of `server.unix_mode`; unix sockets only."),
    schema::text<&ListenerKeys::owner>(
        "owner", check_user, kNoAccount,
        "The user, by name or number, whom a unix socket's file belongs to, in place of the daemon's."),
    schema::text<&ListenerKeys::group>(
        "group", check_group, kNoAccount,
        "Likewise the group: one that the daemon's user is in, such as that of the proxy in front."),
    schema::boolean<&ListenerKeys::tls>("tls", "TLS is spoken, with the certificates of `[[tls]]`."),
    schema::text<&ListenerKeys::client_ca>("client_ca", check_pem, kOutOfRange,
                                           "With `tls`: clients are asked for a certificate that one of the "
                                           "authorities in this file vouches for, in "
                                           "PEM.")
        .as_path(),
    schema::choice<&ListenerKeys::client_certificate>(
        "client_certificate", "required optional",
        "With `client_ca`: whether there is no connection without such a certificate, or whether `access` "
        "says "
        "where one is needed. One that is not good is refused in either case."),
    schema::text<&ListenerKeys::client_crl>("client_crl", check_pem, kOutOfRange,
                                            "With `client_ca`: the file of what these authorities have "
                                            "revoked (CRL), in PEM, a list for each authority "
                                            "of a chain. Once one is out of date, nobody is let in.")
        .as_path(),
    schema::count<&ListenerKeys::redirect_to_https>(
        "redirect_to_https", 1, 65535,
        "Whatever is asked for here is answered 308: the same by https, at this port, such as 443. No host "
        "or route has a "
        "say in it."),
    schema::boolean<&ListenerKeys::proxy_protocol>(
        "proxy_protocol",
        "Each connection begins with a header of the PROXY protocol (version 1 or 2) that says for whom it "
        "is. Only who "
        "is trusted may connect."),
    schema::list<&ListenerKeys::trusted_proxies>(
        "trusted_proxies", "ranges of addresses", check_range, kBadRange,
        "In place of `server.trusted_proxies`; an empty list for nobody."),
    schema::list<&ListenerKeys::protocols>(
        "protocols", "names of protocols", check_protocol, kBadChoice,
        "What may be spoken, what goes first where several would do: `h2`, `http/1.1`. With none, all that "
        "Leat speaks."),
};

constexpr Row kPlugin[] = {
    schema::text<&PluginKeys::name>("name", "What routes call it.").as_needed(),
    schema::text<&PluginKeys::file>(
        "file",
        "A path, or a name to be looked for in `server.plugin_path` and then in the installed folder; or "
        "`static:NAME` for one that is built in.")
        .as_needed(),
    schema::any<&PluginKeys::services>(
        "services", kServicesTable,
        "Which plugin provides a service that this one needs, where several could."),
    schema::count<&PluginKeys::concurrency>(
        "concurrency", 1, kMostRequests,
        "How many requests its handlers have at the same time, on all workers; one more is answered 503 with "
        "`Retry-After`."),
    schema::any<&PluginKeys::config>("config", kConfigTable, "The plugin's own options."),
};

constexpr Row kMiddleware[] = {
    schema::text<&MiddlewareKeys::kind>("kind", "One of those below.").as_needed(),
    schema::text<&MiddlewareKeys::name>("name", "For routes, `before` and `after`."),
    schema::texts<&MiddlewareKeys::before>(
        "before", "Kinds or names that this instance must precede; `cache` is the response cache."),
    schema::texts<&MiddlewareKeys::after>("after", "Kinds or names that it must follow."),
    schema::boolean<&MiddlewareKeys::global>("global", "Every route has it, not only those that name it."),
    schema::boolean<&MiddlewareKeys::optional>(
        "optional",
        "Of a plugin's kind only: routes serve without it while its plugin is in quarantine. Otherwise they "
        "answer 503 then, so that nothing that it guards is open."),
};

bool is_name(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

void take_services(Reader& reader, const Value& value, PluginDecl& plugin) {
  if (value.table() == nullptr) return wrong_type(reader, value, "services", kServicesTable);
  for (const auto& [service, provider] : *value.table()) {
    if (provider.string() == nullptr)
      wrong_type(reader, provider, "services." + service, "the name of a plugin");
    else
      plugin.services.push_back({service, *provider.string(), provider.place});
  }
}

}  // namespace

Reader reader_of(const Value& table, std::string_view header, Diagnostics& diagnostics) {
  return {table, header, kSchemaCodes, diagnostics};
}
void wrong_type(Reader& reader, const Value& value, std::string_view key, std::string_view wanted) {
  reader.diagnostics().push_back(
      schema::wrong_type(value, fmt::format("`{}`", key), wanted, kSchemaCodes.type));
}

std::span<const Row> listener_rows() { return kListener; }
std::span<const Row> plugin_rows() { return kPlugin; }
std::span<const Row> middleware_rows() { return kMiddleware; }

pipeline::MiddlewareSpec read_middleware_spec(const Value& table, Reader& reader) {
  MiddlewareKeys keys;
  reader.read(kMiddleware, keys);
  if (keys.optional && !keys.kind.contains(':'))
    reader.diagnostics().push_back(
        Diagnostic{.code = pipeline::kBadOption,
                   .message = "`optional` is for kinds of plugins",
                   .place = reader.place_of("optional"),
                   .hint = fmt::format("remove it: `{}` is always there", keys.kind)});
  pipeline::MiddlewareSpec spec;
  spec.kind = std::move(keys.kind);
  spec.name = std::move(keys.name);
  spec.before = std::move(keys.before);
  spec.after = std::move(keys.after);
  spec.global = keys.global;
  spec.optional = keys.optional;
  spec.place = reader.place_of("kind");
  spec.options = Value(reader.others(), table.place);
  return spec;
}

bool read_listener(const Value& table, Config& config, Diagnostics& diagnostics) {
  Reader reader = reader_of(table, "[[listener]]", diagnostics);
  ListenerKeys keys;
  reader.read(kListener, keys);
  reader.refuse_others(hint_for_listener_key);
  const auto address = net::Address::parse(keys.address);
  if (address) {
    const bool file = address->kind == net::Address::Kind::Unix;
    const auto no_use = [&](std::string_view key, bool useful, std::string_view what) {
      if (reader.has(key) && !useful)
        reader.fail(kBadChoice, fmt::format("`{}` is for {}", key, what), reader.place_of(key),
                    fmt::format("`{}` has no use for it", keys.address));
    };
    for (const std::string_view key : {"mode", "owner", "group"}) no_use(key, file, "unix sockets");
    no_use("defer_accept", !file, "TCP");
  }
  for (auto each = keys.protocols.begin(); each != keys.protocols.end(); ++each)
    if (std::find(keys.protocols.begin(), each, *each) != each)
      reader.fail(kDefinedTwice, fmt::format("`{}` is named twice", *each), reader.place_of("protocols"));
  if (keys.proxy_protocol && reader.has("trusted_proxies") && keys.trusted_proxies.empty() && reader.good())
    reader.fail(kNobodyTrusted,
                "`proxy_protocol` needs somebody who is trusted, and `trusted_proxies` is empty",
                reader.place_of("trusted_proxies"));
  if (keys.tls && keys.redirect_to_https)
    reader.fail(kNotTogether, "`redirect_to_https` is for a listener without `tls`",
                reader.place_of("redirect_to_https"), "another [[listener]] speaks TLS");
  if (keys.client_ca.empty()) {
    for (const std::string_view key : {"client_certificate", "client_crl"})
      if (reader.has(key))
        reader.fail(kNotTogether, fmt::format("`{}` is for a listener with `client_ca`", key),
                    reader.place_of(key), "name the authorities that vouch for clients");
  } else if (!keys.tls) {
    reader.fail(kNotTogether, "`client_ca` is for a listener with `tls`", reader.place_of("client_ca"),
                "only over TLS do clients show certificates");
  }
  if (!reader.good()) return false;
  ListenerDecl listener{.address = *address,
                        .backlog = keys.backlog,
                        .defer_accept = keys.defer_accept,
                        .mode = keys.mode,
                        .protocols = std::move(keys.protocols),
                        .proxy_protocol = keys.proxy_protocol,
                        .tls = keys.tls,
                        .client_ca = std::move(keys.client_ca),
                        .client_crl = std::move(keys.client_crl),
                        .client_certificate = keys.client_certificate,
                        .redirect_to_https = keys.redirect_to_https.value_or(0)};
  if (keys.owner) listener.owner = find_user(*keys.owner);
  if (keys.group) listener.group = find_group(*keys.group);
  if (reader.has("trusted_proxies")) listener.trusted_proxies = std::move(keys.trusted_proxies);
  listener.place = reader.place_of("address");
  listener.tls_place = reader.place_of("tls");
  listener.client_ca_place = reader.place_of("client_ca");
  listener.client_crl_place = reader.place_of("client_crl");
  listener.redirect_place = reader.place_of("redirect_to_https");
  config.settings.listeners.push_back(std::move(listener));
  return true;
}

bool read_plugin(const Value& table, Config& config, Diagnostics& diagnostics) {
  Reader reader = reader_of(table, "[[plugin]]", diagnostics);
  PluginKeys keys;
  reader.read(kPlugin, keys);
  reader.refuse_others();
  PluginDecl plugin;
  plugin.name = std::move(keys.name);
  plugin.file = std::move(keys.file);
  plugin.place = reader.place_of("file");
  plugin.concurrency = keys.concurrency.value_or(0);
  plugin.config = keys.config != nullptr ? *keys.config : Value(Value::Table{}, table.place);
  if (plugin.config.table() == nullptr) wrong_type(reader, plugin.config, "config", kConfigTable);
  if (keys.services != nullptr) take_services(reader, *keys.services, plugin);
  if (!plugin.name.empty() && !is_name(plugin.name))
    reader.fail(kBadName, "`" + plugin.name + "` is not a name for a plugin", reader.place_of("name"),
                "names are made of letters, digits, - and _");
  if (plugin.name == kOwnHandlers)
    reader.fail(kBadName, "no plugin can be named `" + plugin.name + "`", reader.place_of("name"),
                "routes reach the daemon's own handlers under that name");
  if (!plugin.name.empty() && std::ranges::contains(config.plugins, plugin.name, &PluginDecl::name))
    reader.fail(kDefinedTwice, "two plugins are named `" + plugin.name + "`", reader.place_of("name"));
  // Also one that is wrong, so that its routes are not told that it is missing.
  config.plugins.push_back(std::move(plugin));
  return reader.good();
}

bool read_middleware(const Value& table, Config& config, Diagnostics& diagnostics) {
  Reader reader = reader_of(table, "[[middleware]]", diagnostics);
  // Also one that is wrong, so that who names it is not told that it is missing.
  config.middleware.push_back(read_middleware_spec(table, reader));
  return reader.good();
}

}  // namespace leat::config
