#include "server/commands/tls.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <expected>
#include <filesystem>
#include <string_view>

#include "base/date.h"
#include "config/diagnostics.h"
#include "config/file.h"
#include "config/tls.h"
#include "server/commands/print.h"
#include "server/commands/write_file.h"
#include "server/json_text.h"
#include "server/process/exit_code.h"
#include "transport/tls/authority.h"

namespace leat::server {

namespace {

namespace fs = std::filesystem;
using tls::Certificate;

constexpr int64_t kSecondsADay = 24 * 3600;
// Safari takes no certificate for longer, whoever vouches for it.
constexpr int64_t kDays = 397, kAuthorityDays = 3650;

constexpr mode_t kSecretMode = 0600;

std::string joined(const std::vector<std::string>& texts) {
  std::string all;
  for (const std::string& each : texts) all += (all.empty() ? "" : ", ") + each;
  return all;
}

// RFC 3339; the day alone is its first ten characters.
std::string time_text(int64_t seconds) {
  const auto text = iso_date(seconds);
  return {text.data(), text.size()};
}
std::string day_text(int64_t seconds) { return time_text(seconds).substr(0, 10); }

std::string_view version_of(const tls::Options& options) {
  return options.min_version == tls::Options::Version::Tls13 ? "1.3" : "1.2, 1.3";
}

// What is asked of its clients.
std::string clients_text(const config::ListenerDecl& listener) {
  if (listener.tls_server->clients == nullptr) return {};
  return listener.tls_server->clients->required() ? ", for clients with a certificate"
                                                  : ", and asks clients for a certificate";
}

std::string text_of(const config::Settings& settings, const tls::Certificates& certificates) {
  std::string text = "certificates\n";
  const int64_t now = std::time(nullptr);
  for (const auto& each : certificates.all()) {
    text += fmt::format("  {}{}\n    {}, until {} ({} days), by {}\n    sha256 {}\n", joined(each.names),
                        each.is_default ? "  (the default)" : "", each.certificate->key_type(),
                        day_text(each.certificate->not_after()),
                        (each.certificate->not_after() - now) / kSecondsADay, each.certificate->issuer(),
                        each.certificate->fingerprint());
  }
  text += "listeners\n";
  for (const config::ListenerDecl& each : settings.listeners)
    if (each.tls_server != nullptr)
      text += fmt::format("  {}  {}{}\n", each.address.text(), joined(each.tls_server->protocols),
                          clients_text(each));
  text += fmt::format("versions\n  {}\nciphers\n  {}\ngroups\n  {}\n", version_of(settings.tls),
                      joined(settings.tls.ciphers), joined(settings.tls.groups));
  return text;
}

void write_list(JsonText& json, std::string_view name, const std::vector<std::string>& texts) {
  json.key(name);
  json.begin_array();
  for (const std::string& each : texts) json.string(each);
  json.end_array();
}

std::string json_of(const config::Settings& settings, const tls::Certificates& certificates) {
  JsonText json;
  json.begin_object();
  json.key("certificates");
  json.begin_array();
  for (const auto& each : certificates.all()) {
    json.begin_object();
    write_list(json, "names", each.names);
    json.text("key", each.certificate->key_type());
    json.text("not_before", time_text(each.certificate->not_before()));
    json.text("not_after", time_text(each.certificate->not_after()));
    json.text("issuer", each.certificate->issuer());
    json.text("sha256", each.certificate->fingerprint());
    json.truth("default", each.is_default);
    json.end_object();
  }
  json.end_array();
  json.key("listeners");
  json.begin_array();
  for (const config::ListenerDecl& each : settings.listeners)
    if (each.tls_server != nullptr) {
      json.begin_object();
      json.text("address", each.address.text());
      write_list(json, "protocols", each.tls_server->protocols);
      const auto& clients = each.tls_server->clients;
      json.text("client_certificate", clients == nullptr    ? "none"
                                      : clients->required() ? "required"
                                                            : "optional");
      json.end_object();
    }
  json.end_array();
  json.text("min_version", settings.tls.min_version == tls::Options::Version::Tls13 ? "1.3" : "1.2");
  write_list(json, "ciphers", settings.tls.ciphers);
  write_list(json, "groups", settings.tls.groups);
  json.end_object();
  return json.take("{}") + "\n";
}

int complain(const std::string& what) {
  fmt::print(stderr, "leat: {}\n", what);
  return kExitFailure;
}

// The authority that is there, or a new one for these names alone.
std::expected<tls::CertificateFiles, std::string> authority_in(const fs::path& folder,
                                                               const std::vector<std::string>& names) {
  const std::string certificate = folder / "authority.pem", key = folder / "authority.key";
  std::error_code failed;
  if (fs::exists(certificate, failed) || fs::exists(key, failed)) {
    auto first = config::read_file(certificate), second = config::read_file(key);
    if (!first) return std::unexpected(std::move(first.error().reason));
    if (!second) return std::unexpected(std::move(second.error().reason));
    return tls::CertificateFiles{std::move(*first), std::move(*second)};
  }
  const int64_t now = std::time(nullptr);
  auto made = tls::make_certificate({.subject = fmt::format("Leat, for {}", names.front()),
                                     .names = names,
                                     .from_s = now - kSecondsADay,
                                     .until_s = now + kAuthorityDays * kSecondsADay,
                                     .authority = true},
                                    nullptr);
  if (!made) return made;
  if (auto written = write_new_file(key, made->key, kSecretMode); !written)
    return std::unexpected(std::move(written.error()));
  if (auto written = write_new_file(certificate, made->certificate); !written)
    return std::unexpected(std::move(written.error()));
  return made;
}

CertificatePaths paths_of(const NewCertificates& wanted) {
  std::error_code failed;
  const fs::path folder = fs::absolute(wanted.folder, failed);
  const std::string& name = wanted.names.front();
  return {folder / (name + ".pem"), folder / (name + ".key"), folder / "authority.pem"};
}

}  // namespace

int show_tls(const Command& command) {
  auto [config, diagnostics] = config::load(command.file, command.overrides);
  if (config) {
    make_absolute(*config, command.folder);
    config::load_certificates(*config, nullptr, true, diagnostics);
  }
  const std::string report = config::render(diagnostics, ::isatty(STDERR_FILENO) != 0);
  std::fwrite(report.data(), 1, report.size(), stderr);
  if (!config || config::any_error(diagnostics)) return kExitConfiguration;
  const auto server = config::tls_in(config->settings);
  if (server == nullptr)
    return complain("no [[listener]] speaks TLS: `leat tls init` makes a certificate to begin with");
  const tls::Certificates& certificates = *server->certificates;
  print(command.json ? json_of(config->settings, certificates) : text_of(config->settings, certificates));
  return kExitFine;
}

std::expected<CertificatePaths, std::string> write_certificates(const NewCertificates& wanted) {
  std::error_code failed;
  const fs::path folder = fs::absolute(wanted.folder, failed);
  if (!failed) fs::create_directories(folder, failed);
  if (failed)
    return std::unexpected(fmt::format("cannot make the folder `{}`: {}", wanted.folder, failed.message()));
  const auto authority = authority_in(folder, wanted.names);
  if (!authority) return std::unexpected(authority.error());
  const int64_t now = std::time(nullptr);
  const auto made = tls::make_certificate({.subject = wanted.names.front(),
                                           .names = wanted.names,
                                           .from_s = now - kSecondsADay,
                                           .until_s = now + kDays * kSecondsADay},
                                          &*authority);
  if (!made) return std::unexpected(made.error());
  CertificatePaths paths = paths_of(wanted);
  if (auto written = write_new_file(paths.key, made->key, kSecretMode); !written)
    return std::unexpected(std::move(written.error()));
  if (auto written = write_new_file(paths.certificate, made->certificate); !written)
    return std::unexpected(std::move(written.error()));
  return paths;
}

std::expected<CertificatePaths, std::string> find_or_write_certificates(const NewCertificates& wanted) {
  CertificatePaths paths = paths_of(wanted);
  std::error_code failed;
  const bool there = fs::exists(paths.certificate, failed) && fs::exists(paths.key, failed);
  return there ? std::move(paths) : write_certificates(wanted);
}

int make_certificates(const NewCertificates& wanted) {
  const auto made = write_certificates(wanted);
  if (!made) return complain(made.error());
  print(
      fmt::format("# The certificate is for {}, until {}. In the configuration:\n\n"
                  "[[listener]]\naddress = \"127.0.0.1:8443\"\ntls = true\n\n"
                  "[[tls]]\ncertificate = \"{}\"\nkey = \"{}\"\n\n"
                  "# Whoever is to trust it imports the authority, {}: it vouches for these names alone.\n",
                  joined(wanted.names), day_text(std::time(nullptr) + kDays * kSecondsADay),
                  made->certificate, made->key, made->authority));
  return kExitFine;
}

}  // namespace leat::server
