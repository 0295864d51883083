// Every row of the table of settings, without naming one: its default, its bounds, and what is beyond them.
#include "config/settings.h"

#include <catch2/catch_test_macros.hpp>
#include <set>
#include <string>

#include "config/codes.h"
#include "config/diagnostics.h"
#include "config/folder.h"

namespace leat::test {
namespace {

using config::Settings;
using schema::Content;
using schema::Row;
using schema::Type;

bool is_number(const Row& row) {
  return row.type == Type::Count || row.type == Type::Size || row.type == Type::Duration ||
         row.type == Type::Mode;
}

// `quantity` as the row's type is written.
std::string written(const Row& row, int64_t quantity) {
  if (row.type == Type::Duration) return "\"" + std::to_string(quantity) + "ms\"";
  if (row.type == Type::Size) return "\"" + std::to_string(quantity) + "\"";
  return std::to_string(quantity);
}

constexpr std::string_view kRoute =
    "[[plugin]]\nname = \"p\"\nfile = \"p.so\"\n[[route]]\npath = \"/\"\nhandler = \"p:h\"\n";

// The settings after `row` was written as `value`, in a file where all else is good.
config::LoadResult load_with(const Folder& folder, const Row& row, const std::string& value) {
  const std::string path(row.name);
  const size_t dot = path.find('.');
  std::string text = "[" + path.substr(0, dot) + "]\n" + path.substr(dot + 1) + " = " + value + "\n";
  // These two bound each other.
  if (path == "limits.output_low") text += "output_high = \"1GiB\"\n";
  if (path == "limits.output_high") text += "output_low = 0\n";
  folder.write("leat.toml", text + std::string(kRoute));
  return folder.load();
}

TEST_CASE("settings: each has a path of its own, a group and a sentence") {
  std::set<std::string_view> paths;
  for (const Row& row : config::settings()) {
    INFO(row.name);
    CHECK(paths.insert(row.name).second);
    CHECK(row.name.find('.') != std::string_view::npos);
    CHECK(row.sentence.ends_with('.'));
    CHECK(config::find_setting(row.name) == &row);
  }
  CHECK(config::find_setting("server.nothing") == nullptr);
}

TEST_CASE("settings: the default of each can be written as the reference has it") {
  const Folder folder;
  for (const Row& row : config::settings()) {
    INFO(row.name);
    const config::LoadResult result = load_with(folder, row, schema::default_text(row));
    INFO(config::render(result.diagnostics));
    REQUIRE(result.config);
    const Settings defaults;
    CHECK(row.get(&result.config->settings) == row.get(&defaults));
  }
}

TEST_CASE("settings: bounds are accepted, what is beyond them is not") {
  const Folder folder;
  for (const Row& row : config::settings()) {
    if (!is_number(row)) continue;
    INFO(row.name);
    for (const int64_t good : {row.least, row.most}) {
      INFO(good);
      const config::LoadResult result = load_with(folder, row, written(row, good));
      INFO(config::render(result.diagnostics));
      REQUIRE(result.config);
      CHECK(row.get(&result.config->settings) == Content(good));
    }
    for (const int64_t bad : {row.least - 1, row.most + 1}) {
      if (bad < 0) continue;
      INFO(bad);
      const config::LoadResult result = load_with(folder, row, written(row, bad));
      CHECK(!result.config);
      REQUIRE(result.diagnostics.size() == 1);
      CHECK(result.diagnostics[0].code == config::kOutOfRange);
      CHECK(result.diagnostics[0].message.contains(schema::range_text(row)));
    }
  }
}

TEST_CASE("settings: every type refuses values of other types") {
  const Folder folder;
  for (const Row& row : config::settings()) {
    for (const char* value : {"1.5", "{}", "[[]]", "1979-05-27", "inf"}) {
      INFO(row.name << " = " << value);
      const config::LoadResult result = load_with(folder, row, value);
      CHECK(!result.config);
      REQUIRE(result.diagnostics.size() == 1);
      CHECK(result.diagnostics[0].place.line == 2);
    }
  }
}

TEST_CASE("settings: every word of a choice is accepted, no prefix of one is") {
  const Folder folder;
  for (const Row& row : config::settings()) {
    if (row.type != Type::Choice) continue;
    const auto words = schema::words(row.choices);
    for (size_t i = 0; i < words.size(); ++i) {
      const std::string word(words[i]);
      INFO(row.name << " = " << word);
      const config::LoadResult result = load_with(folder, row, "\"" + word + "\"");
      REQUIRE(result.config);
      CHECK(row.get(&result.config->settings) == Content(static_cast<int64_t>(i)));
      CHECK(!load_with(folder, row, "\"" + word.substr(0, word.size() - 1) + "\"").config);
    }
  }
}

TEST_CASE("settings: one that only a start takes up stays, and is told; each other one is as it is wanted") {
  const Settings running;
  Settings same;
  CHECK(config::keep_fixed(same, running).empty());
  for (const Row& row : config::settings()) {
    INFO(row.name);
    Settings next;
    Content other = std::string("other");
    if (row.type == Type::Texts)
      for (const char* text : {"unix:/other", "10.0.0.0/8", "forwarded", "TLS_AES_128_GCM_SHA256", "X25519"})
        if (row.check == nullptr || row.check(row.name, text).empty()) {
          other = std::vector<std::string>{text};
          break;
        }
    if (is_number(row)) other = row.get(&running) == Content(row.least) ? row.most : row.least;
    if (row.type == Type::Choice || row.type == Type::Boolean)
      other = int64_t{row.get(&running) == Content(int64_t{0})};
    row.set(&next, Content(other));
    CHECK(config::keep_fixed(next, running) ==
          (row.restart ? std::vector{std::string(row.name)} : std::vector<std::string>()));
    CHECK(row.get(&next) == (row.restart ? row.get(&running) : other));
  }
}

TEST_CASE("settings: addresses") {
  const Folder folder;
  folder.write("leat.toml",
               "[server]\nlisten = [\"127.0.0.1:80\", \"[::1]:0\", \"[::1]:0\", \"unix:/run/x\"]\n" +
                   std::string(kRoute));
  const config::LoadResult result = folder.load();
  REQUIRE(result.config);
  const auto& listen = result.config->settings.listen;
  REQUIRE(listen.size() == 4);
  CHECK(listen[0].text() == "127.0.0.1:80");
  CHECK(listen[1].kind == net::Address::Kind::Ipv6);
  CHECK(listen[3].kind == net::Address::Kind::Unix);

  folder.write("leat.toml", kRoute);
  const config::LoadResult defaults = folder.load();
  REQUIRE(defaults.config);
  REQUIRE(defaults.config->settings.listen.size() == 1);
  CHECK(defaults.config->settings.listen[0].text() == "127.0.0.1:8080");
}

TEST_CASE("settings: a declared listener has what it says, and the settings' for the rest") {
  const Folder folder;
  folder.write("leat.toml",
               "[server]\nlisten = [\"127.0.0.1:80\"]\nbacklog = 100\nunix_mode = 0o600\n"
               "[[listener]]\naddress = \"*:81\"\nbacklog = 7\ndefer_accept = true\n"
               "protocols = \"http/1.1\"\n"
               "[[listener]]\naddress = \"unix:/run/x\"\nmode = 0o666\n" +
                   std::string(kRoute));
  const config::LoadResult result = folder.load();
  INFO(config::render(result.diagnostics));
  REQUIRE(result.config);
  const auto sockets = config::listening_sockets(result.config->settings);
  REQUIRE(sockets.size() == 3);
  CHECK(sockets[0].address.text() == "127.0.0.1:80");
  CHECK(sockets[0].options.backlog == 100);
  CHECK_FALSE(sockets[0].options.defer_accept);
  CHECK(sockets[0].connections.protocols.empty());
  CHECK(sockets[1].address.text() == "*:81");
  CHECK(sockets[1].options.backlog == 7);
  CHECK(sockets[1].options.defer_accept);
  CHECK(sockets[1].connections.protocols == std::vector<std::string>{"http/1.1"});
  CHECK(sockets[2].address.text() == "unix:/run/x");
  CHECK(sockets[2].options.backlog == 100);
  CHECK(sockets[2].options.unix_mode == 0666);
}

TEST_CASE("settings: who is trusted, and what of him, for all listeners and for one") {
  const Folder folder;
  folder.write(
      "leat.toml",
      "[server]\nlisten = [\"127.0.0.1:80\"]\ntrusted_proxies = [\"10.0.0.0/8\", \"unix\"]\n"
      "proxy_fields = \"forwarded\"\n[limits]\nproxies = 3\nhandshake_timeout = \"2s\"\n"
      "[[listener]]\naddress = \"*:81\"\nproxy_protocol = true\n"
      "[[listener]]\naddress = \"*:82\"\nproxy_protocol = true\ntrusted_proxies = \"192.0.2.1\"\n"
      "[[listener]]\naddress = \"unix:/run/x\"\ntrusted_proxies = []\nowner = \"root\"\ngroup = 12\n" +
          std::string(kRoute));
  config::LoadResult wrong = folder.load();
  CHECK(config::render(wrong.diagnostics).contains("`group` is text in quotes"));
  folder.write(
      "leat.toml",
      "[server]\nlisten = [\"127.0.0.1:80\"]\ntrusted_proxies = [\"10.0.0.0/8\", \"unix\"]\n"
      "proxy_fields = \"forwarded\"\n[limits]\nproxies = 3\nhandshake_timeout = \"2s\"\n"
      "[[listener]]\naddress = \"*:81\"\nproxy_protocol = true\n"
      "[[listener]]\naddress = \"*:82\"\nproxy_protocol = true\ntrusted_proxies = \"192.0.2.1\"\n"
      "[[listener]]\naddress = \"unix:/run/x\"\ntrusted_proxies = []\nowner = \"root\"\ngroup = \"12\"\n" +
          std::string(kRoute));
  const config::LoadResult result = folder.load();
  INFO(config::render(result.diagnostics));
  REQUIRE(result.config);
  const auto sockets = config::listening_sockets(result.config->settings);
  REQUIRE(sockets.size() == 4);
  for (const size_t i : {0, 1, 2}) {
    const http::ProxyTrust* trust = sockets[i].connections.trust.get();
    REQUIRE(trust != nullptr);
    CHECK(trust->trusts("10.1.2.3") == (i != 2));
    CHECK(trust->trusts("unix:") == (i != 2));
    CHECK(trust->trusts("192.0.2.1") == (i == 2));
    CHECK(trust->believes(http::HeaderId::Forwarded));
    CHECK_FALSE(trust->believes(http::HeaderId::XForwardedFor));
    CHECK(trust->hops == 3);
    CHECK(sockets[i].connections.proxy_protocol == (i != 0));
    CHECK(sockets[i].connections.handshake_timeout_ms == 2000);
  }
  CHECK(sockets[3].connections.trust == nullptr);
  CHECK(sockets[3].options.unix_owner == 0);
  CHECK(sockets[3].options.unix_group == 12);
  CHECK_FALSE(sockets[0].options.unix_owner);
  // Without a word nobody is trusted.
  folder.write("leat.toml", kRoute);
  const config::LoadResult nobody = folder.load();
  REQUIRE(nobody.config);
  CHECK(config::listening_sockets(nobody.config->settings).at(0).connections.trust == nullptr);
}

TEST_CASE("settings: the default address is for who says nothing, and --listen stands for all") {
  const Folder folder;
  const auto addresses = [&](std::string_view text, const config::Overrides& overrides = {}) {
    folder.write("leat.toml", std::string(text) + std::string(kRoute));
    const config::LoadResult result = config::load(folder.path("leat.toml"), overrides);
    std::vector<std::string> all;
    if (result.config)
      for (const auto& each : config::listening_sockets(result.config->settings))
        all.push_back(each.address.text());
    return all;
  };
  using Texts = std::vector<std::string>;
  CHECK(addresses("") == Texts{"127.0.0.1:8080"});
  CHECK(addresses("[server]\nlisten = []\n") == Texts{"127.0.0.1:8080"});
  CHECK(addresses("[[listener]]\naddress = \"*:81\"\n") == Texts{"*:81"});
  CHECK(addresses("[server]\nlisten = \"*:80\"\n[[listener]]\naddress = \"*:81\"\n") ==
        Texts{"*:80", "*:81"});
  CHECK(addresses("[[listener]]\naddress = \"*:81\"\n", {.listen = {"*:81"}}) == Texts{"*:81"});
}

TEST_CASE("settings: each address knows where it stands") {
  const Folder folder;
  folder.write("leat.toml", "[server]\nlisten = [\"*:80\",\n  \"*:81\"]\n[[listener]]\naddress = \"*:82\"\n" +
                                std::string(kRoute));
  const config::LoadResult result = folder.load();
  REQUIRE(result.config);
  std::vector<uint32_t> lines;
  for (const auto& each : config::listening_sockets(result.config->settings))
    lines.push_back(each.place.line);
  CHECK(lines == std::vector<uint32_t>{2, 3, 5});
}

TEST_CASE("settings: a route's body limit may be any size of at least a byte") {
  const Folder folder;
  folder.write("leat.toml", std::string(kRoute) + "body_limit = \"1KiB\"\n");
  const config::LoadResult result = folder.load();
  REQUIRE(result.config);
  REQUIRE(result.config->routes.size() == 1);
  CHECK(result.config->routes.front().spec.body_limit == 1024);
}

TEST_CASE("settings: the command line stands above the file") {
  const Folder folder;
  folder.write("leat.toml", "[server]\nlisten = \"127.0.0.1:80\"\nworkers = 3\n[log]\nlevel = \"error\"\n" +
                                std::string(kRoute));
  const config::LoadResult result =
      config::load(folder.path("leat.toml"), {.listen = {"127.0.0.1:81", "127.0.0.1:82"},
                                              .workers = "auto",
                                              .engine = "epoll",
                                              .log_level = "debug"});
  INFO(config::render(result.diagnostics));
  REQUIRE(result.config);
  const Settings& loaded = result.config->settings;
  REQUIRE(loaded.listen.size() == 2);
  CHECK(loaded.listen[1].text() == "127.0.0.1:82");
  CHECK(loaded.workers == 0);
  CHECK(loaded.worker.engine == net::EngineChoice::Epoll);
  CHECK(loaded.log.level == log::Level::Debug);
}

}  // namespace
}  // namespace leat::test
