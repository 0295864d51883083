#include "config/tls.h"

#include <fmt/core.h>

#include <algorithm>
#include <ctime>
#include <memory>
#include <utility>

#include "base/date.h"
#include "base/text.h"
#include "config/codes.h"
#include "config/declarations.h"
#include "config/file.h"
#include "config/routes.h"
#include "transport/tls/server.h"

namespace leat::config {

namespace {

using schema::Reader;
using schema::Row;
using tls::Certificate;

struct TlsKeys {
  std::vector<std::string> names;
  std::string certificate;
  std::optional<std::string> key;
  std::string ocsp_response;
  bool is_default = false;
};

constexpr Row kTls[] = {
    schema::text<&TlsKeys::certificate>(
        "certificate", check_pem, kOutOfRange,
        "The file of the certificate and of those that vouch for it, the server's own first, in PEM.")
        .as_needed()
        .as_path(),
    schema::text<&TlsKeys::key>(
        "key", check_pem, kOutOfRange,
        "The file of its private key, in PEM and not encrypted; with none, it is in that of "
        "the certificate. `${credential:NAME}` is the key itself.")
        .as_path(),
    schema::text<&TlsKeys::ocsp_response>("ocsp_response", schema::check_characters, kOutOfRange,
                                          "The file of what its authority says of it by OCSP, in DER, which "
                                          "is sent with it as long as it is good.")
        .as_path(),
    schema::list<&TlsKeys::names>(
        "names", "hosts", check_host_name, kBadHost,
        "For which names clients get it: `example.org`, or `*.example.org` for all with "
        "one label more. With none, for those that it has itself. Several tables may have "
        "a name where their keys are of different kinds."),
    schema::boolean<&TlsKeys::is_default>(
        "default",
        "Clients that ask for no name, or for one that no certificate is for, "
        "get this one. With none, it is the first."),
};

// As clients take them.
constexpr size_t kMostOcspResponse = size_t{64} * 1024;
// One that is longer is none.
constexpr size_t kMostTicketKey = 4096;
// A certificate for two months or a year is renewed long before.
constexpr int64_t kSecondsOfDay = 24 * 3600;

// What stays over a reload: what sessions of clients are sealed with, and what was counted.
struct KeptTls {
  std::shared_ptr<tls::TicketKeys> tickets;
  std::shared_ptr<tls::HandshakeCounts> counts;
  std::shared_ptr<tls::TlsMemory> memory;
};
KeptTls kept_of(const Settings* running, tls::KeptTicketKeys* before) {
  const auto server = running != nullptr ? tls_in(*running) : nullptr;
  const bool goes_on = server != nullptr && !server->tickets->given();
  return {goes_on ? server->tickets : std::make_shared<tls::TicketKeys>(before),
          server != nullptr ? server->counts : std::make_shared<tls::HandshakeCounts>(),
          server != nullptr ? server->memory : std::make_shared<tls::TlsMemory>()};
}

class CertificateLoader {
 public:
  CertificateLoader(Config& config, bool restarts, Diagnostics& diagnostics)
      : config_(config), restarts_(restarts), diagnostics_(diagnostics), now_(std::time(nullptr)) {}

  void run(KeptTls kept) {
    if (!config_.settings.tls_ticket_key_files.empty()) kept.tickets = given_tickets();
    const bool any_default = std::ranges::any_of(config_.tls, &TlsDecl::is_default);
    bool first = true;
    for (const TlsDecl& each : config_.tls)
      if (!each.certificate.empty()) add(each, any_default ? each.is_default : std::exchange(first, false));
    if (any_error_since(diagnostics_, before_)) return;
    const std::vector<std::string> spoken(std::begin(worker::kProtocolNames),
                                          std::end(worker::kProtocolNames));
    for (ListenerDecl& each : config_.settings.listeners)
      if (each.tls)
        each.tls_server = std::make_shared<const tls::Server>(
            config_.settings.tls, each.protocols.empty() ? spoken : each.protocols, certificates_,
            kept.tickets, kept.counts, kept.memory, clients_of(each));
    check_options();
  }

 private:
  void say(Diagnostic::Severity severity, Code code, std::string message, const Place& place,
           std::string hint = {}) {
    diagnostics_.push_back({.severity = severity,
                            .code = code,
                            .message = std::move(message),
                            .place = place,
                            .hint = std::move(hint)});
  }
  void fail(Code code, std::string message, const Place& place, std::string hint = {}) {
    say(Diagnostic::Severity::Error, code, std::move(message), place, std::move(hint));
  }
  void warn(Code code, std::string message, const Place& place, std::string hint = {}) {
    say(Diagnostic::Severity::Warning, code, std::move(message), place, std::move(hint));
  }

  std::optional<std::string> text_of(const std::string& where, const Place& place) {
    if (is_pem(where)) return where;
    auto text = read_file(where);
    if (text) return std::move(*text);
    fail(text.error().code, std::move(text.error().reason), place,
         "the daemon's user needs to read it; under systemd it can be a credential (LoadCredential=)");
    return std::nullopt;
  }

  void add(const TlsDecl& each, bool is_default) {
    const auto chain = text_of(each.certificate, each.place);
    const auto key = each.key.empty() ? chain : text_of(each.key, each.key_place);
    if (!chain || !key) return;
    auto read = Certificate::read(*chain, *key);
    if (!read) {
      const bool in_chain = read.error().fault == Certificate::Fault::BadChain;
      return fail(kBadCertificate, std::move(read.error().message), in_chain ? each.place : each.key_place,
                  std::move(read.error().hint));
    }
    const std::shared_ptr<const Certificate>& certificate = *read;
    if (!check_time(*certificate, each)) return;
    const std::vector<std::string>& names = each.names.empty() ? certificate->names() : each.names;
    for (const std::string& name : names) {
      if (!certificate->is_for(name))
        warn(kBadCertificate, fmt::format("the certificate is not for `{}`: clients will refuse it", name),
             each.names_place, "it is for " + joined(certificate->names()));
      if (!certificates_->add(name, certificate))
        fail(kDefinedTwice,
             fmt::format("`{}` has two certificates with keys of the kind {}", name, certificate->key_kind()),
             each.names_place, "one for each kind of key is of use: clients choose");
    }
    if (!each.ocsp_response.empty()) staple(each, *certificate);
    certificates_->list({names, certificate, is_default});
    if (is_default && !certificates_->add_default(certificate))
      fail(kDefinedTwice,
           fmt::format("two certificates with keys of the kind {} are the default", certificate->key_kind()),
           each.place);
  }

  void staple(const TlsDecl& each, const Certificate& certificate) {
    auto bytes = read_binary(each.ocsp_response, kMostOcspResponse);
    if (!bytes) return fail(bytes.error().code, std::move(bytes.error().reason), each.ocsp_place);
    auto read = tls::OcspResponse::read(*bytes, certificate);
    if (!read)
      return fail(kBadCertificate,
                  fmt::format("`{}` cannot be sent with the certificate: {}", each.ocsp_response,
                              read.error().message),
                  each.ocsp_place, std::move(read.error().hint));
    if (read->until_s() <= now_)
      warn(kExpired, fmt::format("what OCSP says of the certificate expired {}", date_of(read->until_s())),
           each.ocsp_place, "it is not sent: fetch another one");
    certificates_->staple(certificate, std::move(*read));
  }

  bool check_time(const Certificate& certificate, const TlsDecl& each) {
    if (certificate.not_after() <= now_) {
      say(restarts_ ? Diagnostic::Severity::Warning : Diagnostic::Severity::Error, kExpired,
          fmt::format("the certificate expired {}", date_of(certificate.not_after())), each.place,
          "renew it: clients refuse it");
      return restarts_;
    }
    if (certificate.not_before() > now_)
      warn(kExpired,
           fmt::format("the certificate is good only from {} on", date_of(certificate.not_before())),
           each.place, "clients refuse it until then, or the clock here is wrong");
    else if (certificate.not_after() - now_ < static_cast<int64_t>(config_.settings.tls_warning_ms / 1000))
      warn(kExpired,
           fmt::format("the certificate expires {}, which is in {} days", date_of(certificate.not_after()),
                       (certificate.not_after() - now_) / kSecondsOfDay),
           each.place, "renew it; `server.tls_warning` says how early this is told");
    return true;
  }

  // Null where a file cannot be used, which is said.
  std::shared_ptr<tls::TicketKeys> given_tickets() {
    const auto said = config_.said_at.find("server.tls_ticket_key_files");
    const Place place = said != config_.said_at.end() ? said->second : Place();
    std::vector<tls::TicketKey> keys;
    for (const std::string& path : config_.settings.tls_ticket_key_files) {
      auto bytes = read_binary(path, kMostTicketKey);
      if (!bytes) {
        fail(bytes.error().code, std::move(bytes.error().reason), place);
        continue;
      }
      auto key = tls::TicketKey::read(*bytes);
      if (!key) {
        fail(kBadCertificate, fmt::format("`{}` {}", path, key.error()), place,
             "make one with `openssl rand -out FILE 80`, and let nobody but the daemon's user read it");
      } else if (std::ranges::contains(keys, key->name, &tls::TicketKey::name)) {
        fail(kDefinedTwice, fmt::format("`{}` is the same key as another", path), place);
      } else {
        keys.push_back(*key);
      }
    }
    return keys.empty() ? nullptr : std::make_shared<tls::TicketKeys>(std::move(keys));
  }

  // Whose certificates its clients may show; null where they are asked for none, or what it names cannot be used.
  std::shared_ptr<const tls::ClientTrust> clients_of(const ListenerDecl& each) {
    if (each.client_ca.empty()) return nullptr;
    const auto authorities = text_of(each.client_ca, each.client_ca_place);
    const auto revoked =
        each.client_crl.empty() ? std::string() : text_of(each.client_crl, each.client_crl_place);
    if (!authorities || !revoked) return nullptr;
    auto read = tls::ClientTrust::read(*authorities, *revoked, each.client_certificate);
    if (!read) {
      fail(kBadCertificate, std::move(read.error().message),
           read.error().in_list ? each.client_crl_place : each.client_ca_place, std::move(read.error().hint));
      return nullptr;
    }
    if ((*read)->lists_until() <= now_)
      warn(
          kExpired,
          fmt::format("the list of what is revoked is out of date since {}", date_of((*read)->lists_until())),
          each.client_crl_place, "fetch the next one: until then no client is let in");
    return *read;
  }

  static std::string date_of(int64_t seconds) {
    const auto date = http_date(seconds);
    return {date.data(), date.size()};
  }
  static std::string joined(const std::vector<std::string>& names) {
    std::string all;
    for (const std::string& each : names) all += (all.empty() ? "`" : ", `") + each + "`";
    return all.empty() ? "no name" : all;
  }

  // What goes together only where it is all known.
  void check_options() {
    const std::string wrong = tls::check(std::make_shared<const tls::Server>(
        config_.settings.tls, std::vector<std::string>{}, certificates_, nullptr, nullptr, nullptr, nullptr));
    if (wrong.empty()) return;
    const auto place = config_.said_at.find("server.tls_ciphers");
    fail(kBadChoice, fmt::format("`server.tls_ciphers` and `server.tls_groups` cannot be used: {}", wrong),
         place != config_.said_at.end() ? place->second : config_.tls.front().place);
  }

  Config& config_;
  const bool restarts_;
  Diagnostics& diagnostics_;
  const size_t before_ = diagnostics_.size();
  const int64_t now_;
  const std::shared_ptr<tls::Certificates> certificates_ = std::make_shared<tls::Certificates>();
};

}  // namespace

std::string check_pem(std::string_view called, std::string_view text) {
  return is_pem(text) ? std::string() : schema::check_characters(called, text);
}

std::span<const Row> tls_rows() { return kTls; }

std::shared_ptr<const tls::Server> tls_in(const Settings& settings) {
  for (const ListenerDecl& each : settings.listeners)
    if (each.tls_server != nullptr) return each.tls_server;
  return nullptr;
}

bool read_tls(const Value& table, Config& config, Diagnostics& diagnostics) {
  Reader reader = reader_of(table, "[[tls]]", diagnostics);
  TlsKeys keys;
  reader.read(kTls, keys);
  reader.refuse_others();
  TlsDecl made{.names = std::move(keys.names),
               .certificate = std::move(keys.certificate),
               .key = std::move(keys.key).value_or(""),
               .ocsp_response = std::move(keys.ocsp_response),
               .is_default = keys.is_default,
               .place = reader.place_of("certificate"),
               .key_place = reader.place_of(reader.has("key") ? "key" : "certificate"),
               .names_place = reader.place_of(reader.has("names") ? "names" : "certificate"),
               .ocsp_place = reader.place_of("ocsp_response")};
  for (std::string& name : made.names) std::ranges::transform(name, name.begin(), ascii_lower);
  if (const Value* const key = table.find("key"); key != nullptr)
    made.secret_key = key->origin == Value::Origin::Secret;
  config.tls.push_back(std::move(made));
  return reader.good();
}

void load_certificates(Config& config, const Settings* running, bool restarts, Diagnostics& diagnostics,
                       tls::KeptTicketKeys* kept) {
  if (!config.tls.empty())
    return CertificateLoader(config, restarts, diagnostics).run(kept_of(running, kept));
  for (const ListenerDecl& each : config.settings.listeners)
    if (each.tls && !config.incomplete)
      diagnostics.push_back({.code = kNoCertificate,
                             .message = "`tls` needs a certificate, and there is no [[tls]]",
                             .place = each.tls_place,
                             .hint = "declare one: [[tls]] with `certificate` and `key`"});
}

}  // namespace leat::config
