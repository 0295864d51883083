// TLS of the daemon: by curl and openssl, which are strangers, over reloads, and with clients that do it wrong.
#include <fmt/core.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "e2e/asking.h"
#include "e2e/client.h"
#include "e2e/configuration.h"
#include "e2e/daemon.h"
#include "e2e/reloaded.h"
#include "e2e/tls_files.h"

namespace leat::e2e {
namespace {

std::string port_of(const std::string& address) { return address.substr(address.rfind(':') + 1); }

Outcome shell(const std::string& command) { return run_program("/bin/sh", {"-c", command}); }

// What curl says of a path of that host, which is at `address`.
Outcome curl(const TlsFiles& files, const std::string& address, std::string_view host, std::string_view path,
             std::string_view options = "") {
  return shell(fmt::format("curl -sS --max-time 20 --cacert {} --resolve {}:{}:127.0.0.1 {} https://{}:{}{}",
                           files.authority(), host, port_of(address), options, host, port_of(address), path));
}

// What openssl says of a handshake.
std::string s_client(const std::string& address, std::string_view options) {
  return shell(fmt::format("openssl s_client -connect {} {} </dev/null 2>&1", address, options)).output;
}

// Files, such as those of clients, and how curl shows one.
class ClientFiles {
 public:
  std::string shows(const std::string& name, const tls::CertificateFiles& files) const {
    return fmt::format("--cert {} --key {}", folder_.write(name + ".pem", files.certificate),
                       folder_.write(name + ".key", files.key));
  }
  std::string write(const std::string& name, const std::string& text) const {
    return folder_.write(name, text);
  }

 private:
  TempFolder folder_;
};

Wanted over_tls(const std::string& tables, std::string_view engine = "io_uring",
                std::string_view listener = "") {
  return {.listen = {},
          .server = fmt::format("engine = \"{}\"\n", engine),
          .more = tls_listener(listener) + tables};
}

// Asks again and again over TLS, each time on a new connection, resuming the session of the one before.
class TlsAsking {
 public:
  explicit TlsAsking(const std::string& address) : thread_([this, address] { run(address); }) {}
  ~TlsAsking() { end(); }
  void end() {
    over_ = true;
    if (thread_.joinable()) thread_.join();
  }
  [[nodiscard]] int answered() const { return answered_; }
  [[nodiscard]] int lost() const { return lost_; }
  [[nodiscard]] int anew() const { return anew_; }  // sessions that were not resumed

 private:
  void run(const std::string& address) {
    SSL_CTX* const context = SSL_CTX_new(TLS_client_method());
    SSL_SESSION* session = nullptr;
    const std::string request = "GET /json HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";
    while (!over_) {
      const int fd = Asking::connect_to(address);
      SSL* const ssl = SSL_new(context);
      SSL_set_fd(ssl, fd);
      if (session != nullptr) SSL_set_session(ssl, session);
      char answer[4096];
      const bool good =
          SSL_connect(ssl) == 1 && SSL_write(ssl, request.data(), static_cast<int>(request.size())) > 0 &&
          SSL_read(ssl, answer, sizeof answer) > 12 && std::string_view(answer).starts_with("HTTP/1.1 200 ");
      if (good && session != nullptr && SSL_session_reused(ssl) == 0) ++anew_;
      ++(good ? answered_ : lost_);
      SSL_SESSION_free(session);
      session = SSL_get1_session(ssl);
      SSL_shutdown(ssl);
      SSL_free(ssl);
      ::close(fd);
    }
    SSL_SESSION_free(session);
    SSL_CTX_free(context);
  }
  std::atomic<bool> over_ = false;
  std::atomic<int> answered_ = 0, lost_ = 0, anew_ = 0;
  std::thread thread_;
};

}  // namespace

TEST_CASE("tls: who offers HTTP/2 gets it, and others HTTP/1.1, as their listener has them") {
  const TlsFiles files({"a.example"});
  constexpr std::string_view kVersion = "-o /dev/null -w '%{http_version}'";
  for (const char* engine : kEngines) {
    INFO(engine);
    Daemon daemon(demo_configuration(over_tls(files.table(), engine)));
    const auto version = [&](std::string_view options) {
      return curl(files, daemon.address(), "a.example", "/json", fmt::format("{} {}", kVersion, options))
          .output;
    };
    CHECK(version("") == "2");
    CHECK(version("--tls-max 1.2") == "2");
    CHECK(version("--http1.1") == "1.1");
    CHECK(version("--no-alpn") == "1.1");
    CHECK(curl(files, daemon.address(), "a.example", "/bytes/3000000", "-o /dev/null -w '%{size_download}'")
              .output == "3000000");
    CHECK(curl(files, daemon.address(), "a.example", "/echo", "--data-binary @/bin/sh | cmp - /bin/sh; #")
              .output.empty());
    const Outcome load =
        shell(fmt::format("h2load -n 2000 -c 4 -m 20 https://{}/json 2>&1", daemon.address()));
    INFO(load.output);
    CHECK(load.output.contains("2000 succeeded, 0 failed"));
    CHECK(load.output.contains("Application protocol: h2"));
  }
  Daemon older(demo_configuration(over_tls(files.table(), "auto", "protocols = [\"http/1.1\"]\n")));
  CHECK(curl(files, older.address(), "a.example", "/json", kVersion).output == "1.1");
  Daemon newer(demo_configuration(over_tls(files.table(), "auto", "protocols = [\"h2\"]\n")));
  CHECK(curl(files, newer.address(), "a.example", "/json", kVersion).output == "2");
  CHECK(curl(files, newer.address(), "a.example", "/json", "--http1.1").status != 0);
}

TEST_CASE("tls: a request for another host than its connection's is told to go by another one") {
  const TlsFiles first({"a.example", "b.example"}), second({"c.example"});
  for (const char* engine : kEngines) {
    INFO(engine);
    Daemon daemon(demo_configuration(over_tls(first.table() + second.table(), engine)));
    const auto status = [&](std::string_view host, std::string_view options) {
      return curl(first, daemon.address(), "a.example", "/json",
                  fmt::format("-H 'Host: {}' -o /dev/null -w '%{{http_code}}' {}", host, options))
          .output;
    };
    for (const std::string_view version : {"--http1.1", "--http2"}) {
      INFO(version);
      CHECK(status("a.example", version) == "200");
      CHECK(status("B.example:" + port_of(daemon.address()), version) == "200");
      CHECK(status("c.example", version) == "421");
    }
    // One of them is misdirected, and the others of the connection are served.
    const std::string url = fmt::format(
        "-sS --cacert {0} --resolve a.example:{1}:127.0.0.1 -o /dev/null "
        "-w '%{{http_code}} %{{num_connects}} ' https://a.example:{1}/json",
        first.authority(), port_of(daemon.address()));
    const Outcome both = shell("curl -H 'Host: c.example' " + url + " --next " + url);
    CHECK(both.output == "421 1 200 0 ");
  }
}

TEST_CASE("tls: curl and openssl are served on both engines, by name, version and protocol") {
  const TlsFiles first({"a.example"}), second({"*.b.example"});
  for (const char* engine : kEngines) {
    INFO(engine);
    Daemon daemon(demo_configuration(over_tls(first.table() + second.table(), engine)),
                  {.arguments = {"--workers", "2"}});
    for (const char* version : {"--tls-max 1.2", "--tlsv1.3", "--tlsv1.3 --curves X25519MLKEM768"}) {
      INFO(version);
      CHECK(curl(first, daemon.address(), "a.example", "/json", version).output.contains("Hello"));
      CHECK(curl(first, daemon.address(), "x.b.example", "/json", version).output.contains("Hello"));
      // More than a connection's memory holds at once, both ways.
      const Outcome large = curl(first, daemon.address(), "a.example", "/bytes/3000000",
                                 std::string(version) + " -o /dev/null -w '%{size_download}'");
      CHECK(large.output == "3000000");
      const Outcome echoed = curl(first, daemon.address(), "a.example", "/echo",
                                  std::string(version) + " --data-binary @/bin/sh | cmp - /bin/sh; #");
      CHECK(echoed.output.empty());
    }
    // Nobody's name, for which the default is no certificate.
    CHECK(curl(first, daemon.address(), "c.example", "/json").errors.contains("curl: (60)"));
    CHECK(s_client(daemon.address(), "-alpn h3,http/1.1").contains("ALPN protocol: http/1.1"));
    CHECK(s_client(daemon.address(), "-alpn ftp").contains("no application protocol"));
    CHECK(s_client(daemon.address(), "-tls1_1 -cipher DEFAULT@SECLEVEL=0").contains("protocol version"));
    CHECK(daemon.logs("it speaks no protocol of this listener (ALPN)"));
    // What Mozilla's list has not.
    CHECK(s_client(daemon.address(), "-tls1_2 -cipher AES128-SHA").contains("handshake failure"));
  }
}

TEST_CASE("tls: the request knows that it came by TLS") {
  const TlsFiles files({"localhost"});
  Wanted wanted = over_tls(files.table(), "io_uring");
  wanted.listen = {"127.0.0.1:0"};
  wanted.more += "[[middleware]]\nkind = \"access_log\"\nfields = [\"scheme\", \"path\"]\n";
  Daemon daemon(demo_configuration(wanted), {.listeners = 2});
  CHECK(Client(daemon.address(0)).ask(get("/json")).status == 200);
  CHECK(daemon.logs("\"scheme\":\"http\""));
  CHECK(Client("tls:" + daemon.address(1)).ask(get("/json")).status == 200);
  CHECK(daemon.logs("\"scheme\":\"https\""));
}

TEST_CASE("tls: behind a proxy that says for whom it passes bytes on") {
  const TlsFiles files({"localhost"});
  Wanted wanted =
      over_tls(files.table(), "io_uring", "proxy_protocol = true\ntrusted_proxies = [\"127.0.0.1\"]\n");
  wanted.more += "[[middleware]]\nkind = \"access_log\"\nfields = [\"scheme\", \"client\"]\n";
  Daemon daemon(demo_configuration(wanted));
  CHECK(curl(files, daemon.address(), "localhost", "/json", "--haproxy-protocol --haproxy-clientip 192.0.2.7")
            .output.contains("Hello"));
  CHECK(daemon.logs("\"client\":\"192.0.2.7\""));
  CHECK(daemon.logs("\"scheme\":\"https\""));
}

TEST_CASE("tls: a session is resumed by every worker, after a reload, and with another certificate") {
  const TlsFiles files({"localhost"});
  for (const char* version : {"-tls1_2", "-tls1_3"}) {
    INFO(version);
    Reloaded site(over_tls(files.table()), {"--workers", "4"});
    const std::string session = site.path("session");
    const std::string address = site.daemon().address();
    const auto ask = [&](const std::string& how) {
      return shell(fmt::format("(printf 'GET /json HTTP/1.1\\r\\nHost: a\\r\\nConnection: "
                               "close\\r\\n\\r\\n'; sleep 0.2) | "
                               "openssl s_client -connect {} {} {} {} -ign_eof 2>&1",
                               address, version, how, session))
          .output;
    };
    CHECK(ask("-sess_out").contains("New, TLS"));
    for (int i = 0; i < 6; ++i) CHECK(ask("-sess_in").contains("Reused, TLS"));
    files.renew(tls::KeyKind::Rsa2048);
    REQUIRE(site.reload().status == 0);
    CHECK(ask("-sess_in").contains("Reused, TLS"));
    files.renew();
  }
}

// Begins a session with a daemon, and says whether one of them resumes it.
class Session {
 public:
  explicit Session(std::string version) : version_(std::move(version)) {}
  bool begin(const std::string& address) { return ask(address, "-sess_out").contains("New, TLS"); }
  bool resumes(const std::string& address) { return ask(address, "-sess_in").contains("Reused, TLS"); }

 private:
  std::string ask(const std::string& address, std::string_view how) {
    return shell(fmt::format("(printf 'GET /json HTTP/1.1\\r\\nHost: a\\r\\nConnection: close\\r\\n\\r\\n'; "
                             "sleep 0.2) | "
                             "openssl s_client -connect {} {} {} {} -ign_eof 2>&1",
                             address, version_, how, folder_.path("session")))
        .output;
  }
  TempFolder folder_;
  std::string version_;
};

TEST_CASE(
    "tls: sessions are resumed by the process that comes after a crash, and by the one that takes over") {
  const TlsFiles files({"localhost"});
  for (const char* version : {"-tls1_2", "-tls1_3"}) {
    INFO(version);
    Reloaded site(over_tls(files.table()));
    const Successors successors(site.daemon());
    const std::string address = site.daemon().address();
    Session session(version);
    REQUIRE(session.begin(address));
    const int first = site.daemon().serving_pid();
    REQUIRE(kill(first, SIGKILL) == 0);
    REQUIRE(
        wait_until([&] { return site.daemon().serving_pid() != first && site.daemon().serving_pid() != 0; }));
    REQUIRE(wait_until([&] { return curl(files, address, "localhost", "/json").status == 0; }));
    CHECK(session.resumes(address));
    for (int i = 0; i < 2; ++i) {
      REQUIRE(run_leat({"upgrade", "--socket", site.admin()}).status == 0);
      CHECK(session.resumes(address));
    }
    CHECK(successors.pids().size() == 2);
  }
}

TEST_CASE(
    "tls: daemons that have their keys from the same files resume each other's sessions, over a rotation") {
  const TlsFiles files({"localhost"});
  const ClientFiles keys;
  const std::string first = keys.write("first", std::string(80, 'a')),
                    second = keys.write("second", std::string(48, 'b'));
  const auto with = [&](const std::string& list) {
    Wanted wanted = over_tls(files.table());
    wanted.server += "tls_ticket_key_files = [" + list + "]\n";
    return wanted;
  };
  const auto quoted = [](const std::string& path) { return "\"" + path + "\""; };
  for (const char* version : {"-tls1_2", "-tls1_3"}) {
    INFO(version);
    Reloaded one(with(quoted(first))), other(with(quoted(first))), stranger(over_tls(files.table()));
    Session session(version);
    REQUIRE(session.begin(one.daemon().address()));
    CHECK(session.resumes(other.daemon().address()));
    CHECK_FALSE(session.resumes(stranger.daemon().address()));
    // All know the next one before any seals by it.
    REQUIRE(one.change(with(quoted(first) + ", " + quoted(second))).status == 0);
    REQUIRE(other.change(with(quoted(second) + ", " + quoted(first))).status == 0);
    CHECK(session.resumes(one.daemon().address()));
    CHECK(session.resumes(other.daemon().address()));
    REQUIRE(session.begin(other.daemon().address()));
    CHECK(session.resumes(one.daemon().address()));
    REQUIRE(one.change(with(quoted(second))).status == 0);
    CHECK(session.resumes(one.daemon().address()));
    // Back to keys of its own, which nobody has had.
    REQUIRE(one.change(with("")).status == 0);
    CHECK_FALSE(session.resumes(one.daemon().address()));
  }
  Reloaded site(with(quoted(first)));
  keys.write("bad", std::string(79, 'x'));
  const std::string said =
      site.change(with(quoted(keys.write("bad", std::string(79, 'x'))) + ", \"/nonexistent/key\", " +
                       quoted(first) + ", " + quoted(first)))
          .errors;
  CHECK(said.contains("bad` has 79 bytes, and a key of tickets is 80 random bytes, or 48"));
  CHECK(said.contains("cannot read `/nonexistent/key`"));
  CHECK(said.contains("is the same key as another"));
}

TEST_CASE(
    "tls: what OCSP says of a certificate is sent with it, taken up by a reload, and looked at before") {
  const ClientFiles files;
  const tls::CertificateFiles pair = test::test_certificate({"localhost"});
  files.write("cert.pem", pair.certificate + test::test_authority().certificate);
  const std::string response = files.write("ocsp.der", test::test_ocsp(pair));
  const std::string folder = std::filesystem::path(response).parent_path();
  files.write("key.pem", pair.key);
  Reloaded site(over_tls(fmt::format(
      "[[tls]]\ncertificate = \"{0}/cert.pem\"\nkey = \"{0}/key.pem\"\nocsp_response = \"{0}/ocsp.der\"\n",
      folder)));
  const std::string& address = site.daemon().address();
  for (const char* version : {"-tls1_2", "-tls1_3"}) {
    const std::string told = s_client(address, std::string("-status ") + version);
    CHECK(told.contains("OCSP Response Status: successful"));
    CHECK(told.contains("Cert Status: good"));
  }
  files.write("ocsp.der", test::test_ocsp(pair, "good", -1));
  const Outcome late = site.reload();
  CHECK(late.status == 0);
  CHECK((late.output + late.errors).contains("what OCSP says of the certificate expired "));
  CHECK(s_client(address, "-status").contains("OCSP response: no response sent"));
  files.write("ocsp.der", test::test_ocsp(pair, "revoked"));
  CHECK(site.reload().errors.contains("cannot be sent with the certificate: the certificate is revoked"));
  files.write("ocsp.der", test::test_ocsp(pair));
  CHECK(site.reload().status == 0);
  CHECK(s_client(address, "-status").contains("Cert Status: good"));
  std::filesystem::remove(response);
  CHECK(site.reload().errors.contains("cannot read `" + response));
}

TEST_CASE("tls: plain HTTP, nonsense, and silence are each met as they deserve") {
  const TlsFiles files({"localhost"});
  for (const char* engine : kEngines) {
    INFO(engine);
    Wanted wanted = over_tls(files.table(), engine);
    wanted.limits = "handshake_timeout = \"300ms\"\n";
    Daemon daemon(demo_configuration(wanted));
    Client plain(daemon.address());
    plain.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    const Response refused = plain.read_response();
    CHECK(refused.status == 400);
    CHECK(refused.body.contains("https://"));
    CHECK(plain.hung_up());
    CHECK(daemon.logs("it speaks HTTP without TLS"));
    CHECK(shell("curl -sS http://" + daemon.address() + "/").output.contains("https://"));

    Client nonsense(daemon.address());
    nonsense.send(std::string(64, '\0'));
    (void)nonsense.read_to_end();
    CHECK(daemon.logs("it does not speak TLS"));

    // Half a hello, and none.
    Client half(daemon.address()), silent(daemon.address());
    half.send(std::string_view("\x16\x03\x01\x01\x00\x01\x00\x00\xfc", 9));
    CHECK(half.hung_up());
    CHECK(silent.hung_up());
    CHECK(daemon.logs("limits.handshake_timeout"));
    CHECK(Client("tls:" + daemon.address()).ask(get("/json")).status == 200);
    CHECK(wait_until([&] { return daemon.running(); }));
  }
}

TEST_CASE("tls: certificates are exchanged a hundred times under load, and nobody notices") {
  const TlsFiles files({"localhost"});
  for (const char* engine : kEngines) {
    INFO(engine);
    Reloaded site(over_tls(files.table(), engine), {"--workers", "2"});
    const std::string& address = site.daemon().address();
    Client kept("tls:" + address);
    CHECK(kept.ask(get("/json")).status == 200);
    TlsAsking asking(address), more(address);
    const int times = kSanitized ? 10 : 50;  // on each engine
    for (int i = 0; i < times; ++i) {
      files.renew(i % 5 == 0 ? tls::KeyKind::Rsa2048 : tls::KeyKind::EcdsaP256);
      REQUIRE(site.reload().status == 0);
    }
    REQUIRE(wait_until([&] { return asking.answered() > times && more.answered() > times; }));
    asking.end();
    more.end();
    CHECK(asking.lost() + more.lost() == 0);
    CHECK(asking.anew() + more.anew() == 0);
    CHECK(kept.ask(get("/json")).status == 200);
  }
}

TEST_CASE("tls: a pair that is wrong leaves the one that serves, and the reload says so") {
  const TlsFiles files({"localhost"});
  Reloaded site(over_tls(files.table()));
  const auto serves = [&] {
    return curl(files, site.daemon().address(), "localhost", "/json").output.contains("Hello");
  };
  CHECK(serves());
  const std::string key = test::test_certificate({"localhost"}).key;
  std::ofstream(files.key(), std::ios::trunc) << key;
  Outcome failed = site.reload();
  CHECK(failed.status != 0);
  CHECK(failed.errors.contains("LT0134"));
  CHECK(failed.errors.contains("the key is not that of the certificate"));
  CHECK(serves());
  std::filesystem::remove(files.key());
  CHECK(site.reload().errors.contains("LT0100"));
  files.renew(tls::KeyKind::EcdsaP256, -1);
  CHECK(site.reload().errors.contains("LT0136"));
  CHECK(serves());
  files.renew();
  CHECK(site.reload().status == 0);
  CHECK(serves());
}

TEST_CASE("tls: each of its settings is taken up by a reload") {
  const TlsFiles files({"localhost"});
  Wanted wanted = over_tls(files.table());
  Reloaded site(wanted);
  const std::string& address = site.daemon().address();
  const auto set = [&](const std::string& line) {
    Wanted other = wanted;
    (line.starts_with("handshakes") ? other.limits : other.server) += line + "\n";
    const Outcome outcome = site.change(other);
    INFO(outcome.errors);
    REQUIRE(outcome.status == 0);
    return outcome.output + outcome.errors;
  };
  constexpr const char* kGood = "Cipher is ";
  CHECK(s_client(address, "-tls1_2").contains("Cipher is ECDHE"));
  set("tls_min_version = \"1.3\"");
  CHECK(s_client(address, "-tls1_2").contains("protocol version"));
  set("tls_ciphers = [\"TLS_CHACHA20_POLY1305_SHA256\"]");
  CHECK(s_client(address, "").contains("Cipher is TLS_CHACHA20_POLY1305_SHA256"));
  CHECK(s_client(address, "-tls1_2").contains("protocol version"));
  CHECK(s_client(address, "-ciphersuites TLS_AES_128_GCM_SHA256").contains("handshake failure"));
  set("tls_ciphers = [\"ECDHE-ECDSA-AES256-GCM-SHA384\"]");
  CHECK(s_client(address, "-tls1_3").contains("protocol version"));
  CHECK(s_client(address, "").contains("Cipher is ECDHE-ECDSA-AES256-GCM-SHA384"));
  set("tls_groups = [\"P-384\"]");
  CHECK(s_client(address, "-groups P-256:P-384").contains("secp384r1"));
  CHECK(s_client(address, "-groups X25519").contains("handshake failure"));
  set("tls_unknown_name = \"refuse\"");
  CHECK(s_client(address, "-servername other.example").contains("unrecognized name"));
  CHECK(s_client(address, "-servername localhost").contains(kGood));
  set("tls_ticket_lifetime = \"0s\"");
  CHECK_FALSE(s_client(address, "-tls1_2").contains("TLS session ticket:"));
  CHECK(set("tls_warning = \"60d\"").contains("LT0136"));
  set("handshakes = 1");
  Client waiting(address);
  waiting.send(std::string_view("\x16\x03\x01\x01\x00\x01\x00\x00\xfc", 9));
  CHECK(wait_until([&] { return !s_client(address, "").contains("Cipher is TLS"); }));
  CHECK(site.daemon().logs("limits.handshakes"));
}

TEST_CASE("tls: a process that comes after a crash serves what was served, whatever the files say by then") {
  const TlsFiles files({"localhost"});
  Reloaded site(over_tls(files.table()));
  std::filesystem::remove(files.key());
  const int first = site.daemon().serving_pid();
  REQUIRE(kill(first, SIGKILL) == 0);
  CHECK(wait_until([&] { return site.daemon().serving_pid() != first && site.daemon().serving_pid() != 0; }));
  CHECK(wait_until([&] { return curl(files, site.daemon().address(), "localhost", "/json").status == 0; }));
}

TEST_CASE("tls: a listener sends its clients to https, whatever they ask for") {
  const TlsFiles files({"localhost"});
  const TempFolder folder;
  const std::string plain = "unix:" + folder.path("plain");
  Wanted wanted = over_tls(files.table());
  wanted.more +=
      "[[listener]]\naddress = \"" + plain + "\"\nredirect_to_https = 8443\n" +
      "[[host]]\nnames = [\"a.example\"]\n[[host.route]]\npath = \"/\"\nanswer = {body = \"here\"}\n";
  Daemon daemon(demo_configuration(wanted), {.listeners = 2});
  const std::string address = daemon.address(0).starts_with("unix:") ? daemon.address(1) : daemon.address(0);
  // On either in turn: what is remembered of a head must not lead those who come by the other.
  for (int i = 0; i < 3; ++i) {
    Response sent = Client(plain).ask("GET /json?a=b HTTP/1.1\r\nHost: a.example:80\r\n\r\n");
    CHECK(sent.status == 308);
    CHECK(sent.field("location") == "https://a.example:8443/json?a=b");
    sent = Client(plain).ask("POST / HTTP/1.1\r\nHost: [::1]\r\nContent-Length: 2\r\n\r\nhi");
    CHECK(sent.status == 308);
    CHECK(sent.field("location") == "https://[::1]:8443/");
    CHECK(Client("tls:" + address).ask("GET / HTTP/1.1\r\nHost: a.example:80\r\n\r\n").body == "here");
    CHECK(Client("tls:" + address).ask("GET /json?a=b HTTP/1.1\r\nHost: a.example:80\r\n\r\n").status == 404);
  }
}

TEST_CASE("tls: routes are for clients who show a certificate, and who that is is known") {
  const TlsFiles files({"localhost"});
  const ClientFiles clients;
  const std::string alice = clients.shows("alice", test::test_client("alice", {"spiffe://example/alice"}));
  const std::string bob = clients.shows("bob", test::test_client("bob"));
  const std::string stranger =
      clients.shows("stranger", test::test_client("alice", {}, test::other_authority()));
  for (const char* engine : kEngines) {
    INFO(engine);
    Wanted wanted =
        over_tls(files.table(), engine,
                 "client_ca = \"" + files.authority() + "\"\nclient_certificate = \"optional\"\n");
    wanted.more += fmt::format(
        "[[plugin]]\nname = \"who\"\nfile = \"{}/who.so\"\n"
        "[[middleware]]\nkind = \"access_log\"\nfields = [\"path\", \"tls_version\", \"certificate_cn\"]\n"
        "[[middleware]]\nkind = \"access\"\nname = \"known\"\nglobal = false\n"
        "rules = [{{action = \"allow\", certificate = [\"uri:spiffe://example/*\"]}}]\n"
        "[[middleware]]\nkind = \"headers\"\nrequest_set = [\"Client-Name: {{certificate_cn}}\"]\n"
        "[[route]]\npath = \"/who\"\nhandler = \"who:who\"\n"
        "[[route]]\npath = \"/pooled\"\nhandler = \"who:who\"\nexecutor = \"pool\"\n"
        "[[route]]\npath = \"/private\"\nhandler = \"who:who\"\nmiddleware = [\"known\"]\n",
        TEST_PLUGINS);
    Daemon daemon(demo_configuration(wanted), {.arguments = {"--workers", "2"}});
    for (const char* version : {"--http1.1", "--http2", "--http1.1 --tls-max 1.2"}) {
      INFO(version);
      const auto ask = [&](std::string_view path, const std::string& shown) {
        return curl(files, daemon.address(), "localhost", path,
                    fmt::format("{} {} -H 'Client-Name: root' -w ' %{{http_code}}'", version, shown));
      };
      for (const char* path : {"/who", "/pooled"}) {
        CHECK(ask(path, "").output.contains("\"certificate\":\"none\""));
        const std::string told = ask(path, alice).output;
        CHECK(told.contains("\"certificate\":\"CN=alice\""));
        CHECK(told.contains(R"({"name":"Client-Name","value":"alice"})"));
        CHECK_FALSE(told.contains("root"));
      }
      CHECK(ask("/private", alice).output.ends_with(" 200"));
      CHECK(ask("/private", bob).output.ends_with(" 403"));
      CHECK(ask("/private", "").output.contains("who shows a certificate"));
      CHECK(ask("/who", stranger).status != 0);
    }
    CHECK(daemon.logs(R"({"path":"/private","tls_version":"TLSv1.3","certificate_cn":"alice"})"));
    CHECK(daemon.logs(R"({"path":"/private","tls_version":"TLSv1.2","certificate_cn":"bob"})"));
    CHECK(daemon.logs("its certificate is refused (unable to get local issuer certificate)"));
  }
}

TEST_CASE("tls: who has come by a WebSocket is known when that ends") {
  const TlsFiles files({"localhost"});
  const ClientFiles clients;
  const std::string alice = clients.shows("alice", test::test_client("alice"));
  Wanted wanted = over_tls(files.table(), "auto", "client_ca = \"" + files.authority() + "\"\n");
  wanted.more += fmt::format(
      "[[plugin]]\nname = \"sockets\"\nfile = \"{}/sockets.so\"\n"
      "[[middleware]]\nkind = \"access_log\"\nfields = [\"path\", \"status\", \"tls_version\", "
      "\"certificate_subject\", \"certificate_sha256\"]\n"
      "[[route]]\nmethods = [\"GET\"]\npath = \"/chat\"\nhandler = \"sockets:echo\"\n",
      TEST_PLUGINS);
  Daemon daemon(demo_configuration(wanted));
  (void)curl(files, daemon.address(), "localhost", "/chat",
             alice +
                 " --http1.1 --max-time 1 -H 'Connection: Upgrade' -H 'Upgrade: websocket' "
                 "-H 'Sec-WebSocket-Version: 13' -H 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='");
  const bool told =
      daemon.logs(R"("tls_version":"TLSv1.3","certificate_subject":"CN=alice","certificate_sha256":")");
  INFO(daemon.log());
  CHECK(told);
}

TEST_CASE("tls: a listener for clients with a certificate alone, over a reload and with what is revoked") {
  const TlsFiles files({"localhost"});
  const ClientFiles clients;
  const tls::CertificateFiles bobs = test::test_client("bob"), others = test::other_authority();
  const std::string alice = clients.shows("alice", test::test_client("alice")),
                    bob = clients.shows("bob", bobs);
  const std::string carol = clients.shows("carol", test::test_client("carol", {}, others));
  const std::string authorities = clients.write("clients.pem", test::test_authority().certificate);
  const auto listener = [&](std::string_view more) {
    return over_tls(files.table(), "auto", fmt::format("client_ca = \"{}\"\n{}", authorities, more));
  };
  Reloaded site(listener(""), {"--workers", "2"});
  const std::string& address = site.daemon().address();
  const std::string session = site.path("session");
  const auto served = [&](const std::string& shown) {
    return curl(files, address, "localhost", "/json", shown).output.contains("Hello");
  };
  const auto resumes = [&](const std::string& how) {
    return shell(fmt::format("(printf 'GET /json HTTP/1.1\\r\\nHost: a\\r\\nConnection: close\\r\\n\\r\\n'; "
                             "sleep 0.2) | "
                             "openssl s_client -connect {} {} {} -ign_eof 2>&1",
                             address, how, session))
        .output;
  };
  std::string as_bob = bob;  // curl's words are other ones
  for (const auto& [word, other] : {std::pair("--cert", "-cert"), std::pair("--key", "-key")})
    as_bob.replace(as_bob.find(word), std::string_view(word).size(), other);
  CHECK(served(alice));
  CHECK(served(bob));
  CHECK_FALSE(served(carol));
  CHECK_FALSE(served(""));
  CHECK(site.daemon().logs("it shows no certificate, and has to (client_certificate)"));
  CHECK(run_leat({"tls", "-c", site.daemon().path("leat.toml")})
            .output.contains(", for clients with a certificate\n"));
  CHECK(run_leat({"tls", "--json", "-c", site.daemon().path("leat.toml")})
            .output.contains("\"client_certificate\":\"required\""));
  CHECK(resumes(as_bob + " -sess_out").contains("New, TLS"));
  CHECK(resumes("-sess_in").contains("Reused, TLS"));

  const std::string list = clients.write("clients.crl", test::test_revoked({&bobs}));
  REQUIRE(site.change(listener("client_crl = \"" + list + "\"\n")).status == 0);
  CHECK(served(alice));
  CHECK_FALSE(served(bob));
  // Not by a session from before either.
  CHECK_FALSE(resumes("-sess_in").contains("Hello"));
  CHECK(site.daemon().logs("its certificate is refused (certificate revoked)"));

  clients.write("clients.crl", test::test_revoked({}, -1));
  const Outcome late = site.reload();
  CHECK(late.status == 0);
  CHECK((late.output + late.errors).contains("the list of what is revoked is out of date since"));
  CHECK_FALSE(served(alice));

  clients.write("clients.crl", "nothing");
  CHECK(site.reload().errors.contains("no list of what is revoked can be read"));
  clients.write("clients.pem", test::test_client("alice").certificate);
  CHECK(site.change(listener("")).errors.contains("`CN=alice` is no authority's certificate"));
  clients.write("clients.pem", others.certificate);
  REQUIRE(site.reload().status == 0);
  CHECK(served(carol));
  CHECK_FALSE(served(alice));
}

TEST_CASE("tls: what a configuration has is shown, and watched") {
  const TlsFiles first({"a.example", "*.b.example"}), second({"c.example"}, tls::KeyKind::Rsa2048);
  Reloaded site(over_tls(first.table() + second.table("default = true\n")));
  const std::string file = site.daemon().path("leat.toml");
  const Outcome shown = run_leat({"tls", "-c", file});
  CHECK(shown.status == 0);
  for (const char* part : {"a.example, *.b.example\n", "c.example  (the default)", "ECDSA P-256", "RSA 2048",
                           " days), by CN=Tests", "127.0.0.1:0  h2, http/1.1", "X25519MLKEM768"})
    CHECK_THAT(shown.output, Catch::Matchers::ContainsSubstring(part));
  const Outcome json = run_leat({"tls", "-c", file, "--json"});
  CHECK(json.output.starts_with(
      "{\"certificates\":[{\"names\":[\"a.example\",\"*.b.example\"],\"key\":\"ECDSA P-256\""));
  CHECK(site.metrics().contains("leat_tls_certificate_expiry_seconds{key=\"RSA\",name=\"c.example\"} "));
  const auto counted = [&](std::string_view what) {
    const std::string text = site.metrics();
    const size_t at = text.find(what);
    return at == text.npos ? std::string("nothing")
                           : text.substr(at + what.size() + 1, text.find('\n', at) - at - what.size() - 1);
  };
  const std::string& address = site.daemon().address();
  CHECK(counted("leat_tls_handshakes_total{version=\"1.2\",resumed=\"no\"}") == "0");
  s_client(address, "-tls1_2");
  CHECK(counted("leat_tls_handshakes_total{version=\"1.2\",resumed=\"no\"}") == "1");
  s_client(address, "-alpn ftp");
  CHECK(counted("leat_tls_handshake_failures_total{reason=\"protocol\"}") == "1");
  second.renew(tls::KeyKind::EcdsaP256);
  CHECK(site.reload().status == 0);
  CHECK(counted("leat_tls_handshakes_total{version=\"1.2\",resumed=\"no\"}") == "1");
  CHECK(site.metrics().contains("leat_tls_certificate_expiry_seconds{key=\"ECDSA\",name=\"c.example\"} "));
  CHECK_FALSE(site.metrics().contains("key=\"RSA\""));
}

TEST_CASE("tls: a developer makes an authority and a certificate at once, and is not lost what is there") {
  const TempFolder folder;
  const std::string dir = folder.path("tls");
  const Outcome made = run_leat({"tls", "init", "--dir", dir, "localhost", "127.0.0.1"});
  INFO(made.errors);
  REQUIRE(made.status == 0);
  CHECK(made.output.contains("[[tls]]\ncertificate = \"" + dir + "/localhost.pem\""));
  for (const char* key : {"/authority.key", "/localhost.key"})
    CHECK((std::filesystem::status(dir + key).permissions() & std::filesystem::perms::mask) ==
          (std::filesystem::perms::owner_read | std::filesystem::perms::owner_write));
  Daemon daemon(demo_configuration(over_tls("[[tls]]\ncertificate = \"" + dir + "/localhost.pem\"\nkey = \"" +
                                            dir + "/localhost.key\"\n")));
  const std::string ask = "curl -sS --cacert " + dir + "/authority.pem https://";
  CHECK(shell(ask + "127.0.0.1:" + port_of(daemon.address()) + "/json").output.contains("Hello"));
  CHECK(shell(ask + "localhost:" + port_of(daemon.address()) + "/json").output.contains("Hello"));
  CHECK(run_leat({"tls", "init", "--dir", dir}).errors.contains("is there already"));
  // The same authority, for another name below the first.
  CHECK(run_leat({"tls", "init", "--dir", dir, "app.localhost"}).status == 0);
  CHECK(shell("openssl verify -CAfile " + dir + "/authority.pem " + dir + "/app.localhost.pem")
            .output.contains("OK"));
  // ... and for no other.
  CHECK(run_leat({"tls", "init", "--dir", dir, "bank.example"}).status == 0);
  CHECK(shell("openssl verify -CAfile " + dir + "/authority.pem " + dir + "/bank.example.pem 2>&1")
            .output.contains("permitted subtree violation"));
}

TEST_CASE("tls: other servers are asked over TLS, and only if they are who they should be") {
  const TlsFiles files({"localhost", "127.0.0.1"}), strangers({"elsewhere.example"});
  setenv("SSL_CERT_FILE", files.authority().c_str(), 1);
  {
    const Daemon upstream(demo_configuration(over_tls(files.table())));
    const Daemon stranger(demo_configuration(over_tls(strangers.table())));
    const auto asking = [](const std::string& url) {
      return Wanted{.more = "[[plugin]]\nname = \"f\"\nfile = \"" TEST_PLUGINS
                            "/fetches.so\"\n[plugin.config]\nupstream = \"" +
                            url + "\"\n[[route]]\npath = \"/pass/{rest...}\"\nhandler = \"f:pass\"\n"};
    };
    for (const char* host : {"localhost", "127.0.0.1"}) {
      const Daemon daemon(
          demo_configuration(asking(fmt::format("https://{}:{}", host, port_of(upstream.address())))));
      for (int i = 0; i < 5; ++i)
        CHECK(Client(daemon.address()).ask(get("/pass/json")).body.contains("Hello"));
    }
    const Daemon daemon(demo_configuration(asking("https://localhost:" + port_of(stranger.address()))));
    CHECK(Client(daemon.address()).ask(get("/pass/json")).status == 502);
  }
  unsetenv("SSL_CERT_FILE");
}

TEST_CASE("tls: a key may be a credential") {
  const TlsFiles files({"localhost"});
  const std::string folder = std::filesystem::path(files.key()).parent_path();
  setenv("CREDENTIALS_DIRECTORY", folder.c_str(), 1);
  const std::string tables =
      "[[tls]]\ncertificate = \"" + files.certificate() + "\"\nkey = \"${credential:key.pem}\"\n";
  {
    Reloaded site(over_tls(tables));
    CHECK(curl(files, site.daemon().address(), "localhost", "/json").output.contains("Hello"));
    const Outcome shown = run_leat({"config", "--socket", site.admin()});
    CHECK(shown.output.contains("certificate = "));
    CHECK_FALSE(shown.output.contains("PRIVATE KEY"));
  }
  unsetenv("CREDENTIALS_DIRECTORY");
}

}  // namespace leat::e2e
