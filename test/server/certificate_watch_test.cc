// What is said each day of certificates, by a clock of the test's.
#include "server/certificate_watch.h"

#include <catch2/catch_test_macros.hpp>
#include <ctime>
#include <memory>
#include <string>
#include <vector>

#include "config/tls.h"
#include "support/tls_peer.h"

namespace leat::server {
namespace {

constexpr uint64_t kHourMs = 3'600'000;
constexpr int64_t kDay = 86'400;

// A listener with certificates of these names that are good for so many days from now on.
config::Settings serving(const std::vector<std::pair<std::string, int>>& names,
                         const std::string& revoked = {}) {
  auto certificates = std::make_shared<tls::Certificates>();
  for (const auto& [name, days] : names) {
    const tls::CertificateFiles files = test::test_certificate({name}, tls::KeyKind::EcdsaP256, days);
    certificates->list({{name}, *tls::Certificate::read(files.certificate, files.key), false});
  }
  tls::Server server;
  server.certificates = certificates;
  if (!revoked.empty())
    server.clients = *tls::ClientTrust::read(test::test_authority().certificate, revoked,
                                             tls::ClientTrust::Demand::Required);
  config::Settings settings;
  settings.listeners.emplace_back();
  settings.listeners.back().address = *net::Address::parse("127.0.0.1:8443");
  settings.listeners.back().tls_server = std::make_shared<const tls::Server>(server);
  return settings;
}

}  // namespace

TEST_CASE("certificate watch: a word each day of each that expires soon, or has, and of no other") {
  const config::Settings settings = serving({{"a.example", 20}, {"b.example", 60}});
  uint64_t now_ms = 5'000;
  int64_t wall_s = config::tls_in(settings)->certificates->all().front().certificate->not_after() - 20 * kDay;
  CertificateWatch watch(now_ms);
  std::vector<std::vector<CertificateWatch::Line>> days;
  for (int day = 0; day < 25; ++day) {
    CHECK(watch.next_ms() == 5'000 + 24 * kHourMs * static_cast<uint64_t>(day + 1));
    for (int hour = 0; hour < 23; ++hour) {
      now_ms += kHourMs;
      CHECK(watch.look(settings, now_ms, wall_s).empty());
    }
    now_ms += kHourMs;
    wall_s += kDay;
    days.push_back(watch.look(settings, now_ms, wall_s));
  }
  for (size_t day = 0; day < days.size(); ++day) {
    INFO("after " << day + 1 << " days");
    REQUIRE(days[day].size() == (day + 1 > 6 ? 1 : 0));
    if (days[day].empty()) continue;
    const auto& [level, text] = days[day].front();
    CHECK(text.starts_with("the certificate for a.example (ECDSA) expire"));
    const bool expired = day + 1 >= 20;
    CHECK(level == (expired ? log::Level::Error : log::Level::Warn));
    CHECK(text.ends_with(expired ? ": clients refuse it"
                                 : ", which is in " + std::to_string(20 - (day + 1)) + " days: renew it"));
  }
}

TEST_CASE(
    "certificate watch: a list that is out of date keeps clients out, and without TLS there is nothing to "
    "say") {
  const int64_t wall_s = std::time(nullptr);
  const uint64_t later = 25 * kHourMs;
  CertificateWatch watch(0), other(0), none(0);
  const auto lines = watch.look(serving({{"a.example", 60}}, test::test_revoked({}, -1)), later, wall_s);
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].level == log::Level::Error);
  CHECK(lines[0].text.starts_with("the list of what is revoked of 127.0.0.1:8443 expired "));
  CHECK(other.look(serving({{"a.example", 60}}, test::test_revoked({}, 1)), later, wall_s).empty());
  CHECK(none.look(config::Settings(), later, wall_s).empty());
}

}  // namespace leat::server
