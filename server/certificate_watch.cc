#include "server/certificate_watch.h"

#include <fmt/core.h>

#include <string_view>

#include "base/date.h"
#include "config/tls.h"

namespace leat::server {

namespace {

constexpr int64_t kSecondsOfDay = 24 * 3600;

// Nothing where `until_s` is far away.
void add(std::vector<CertificateWatch::Line>& lines, std::string_view what, int64_t until_s, int64_t wall_s,
         uint64_t warning_ms, std::string_view otherwise) {
  const auto date = http_date(until_s);
  const std::string_view day(date.data(), date.size());
  if (until_s <= wall_s)
    lines.push_back({log::Level::Error, fmt::format("{} expired {}: {}", what, day, otherwise)});
  else if (until_s - wall_s < static_cast<int64_t>(warning_ms / 1000))
    lines.push_back({log::Level::Warn, fmt::format("{} expires {}, which is in {} days: renew it", what, day,
                                                   (until_s - wall_s) / kSecondsOfDay)});
}

}  // namespace

std::vector<CertificateWatch::Line> CertificateWatch::look(const config::Settings& settings, uint64_t now_ms,
                                                           int64_t wall_s) {
  std::vector<Line> lines;
  if (now_ms < next_ms_) return lines;
  next_ms_ = now_ms + kEveryMs;
  const auto tls = config::tls_in(settings);
  if (tls == nullptr) return lines;
  for (const auto& [names, certificate, is_default] : tls->certificates->all())
    add(lines,
        fmt::format("the certificate for {} ({})", names.empty() ? "no name" : names.front(),
                    certificate->key_kind()),
        certificate->not_after(), wall_s, settings.tls_warning_ms, "clients refuse it");
  for (const auto& [names, certificate, is_default] : tls->certificates->all())
    if (const tls::OcspResponse* const said = tls->certificates->stapled(certificate->leaf()))
      add(lines,
          fmt::format("what OCSP says of the certificate for {}", names.empty() ? "no name" : names.front()),
          said->until_s(), wall_s, 0, "it is not sent");
  for (const config::ListenerDecl& each : settings.listeners)
    if (each.tls_server != nullptr && each.tls_server->clients != nullptr)
      add(lines, fmt::format("the list of what is revoked of {}", each.address.text()),
          each.tls_server->clients->lists_until(), wall_s, 0, "no client is let in");
  return lines;
}

}  // namespace leat::server
