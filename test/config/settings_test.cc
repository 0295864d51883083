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

TEST_CASE("settings: one that has changed is told, unless a reload takes it up") {
  const Folder folder;
  const Settings before;
  CHECK(config::changed_settings(before, before).empty());
  size_t taken_up = 0;
  for (const Row& row : config::settings()) {
    INFO(row.name);
    Settings after;
    Content other = std::string("other");
    if (row.type == Type::Texts) other = std::vector<std::string>{"unix:/other"};
    if (is_number(row)) other = row.get(&before) == Content(row.least) ? row.most : row.least;
    if (row.type == Type::Choice || row.type == Type::Boolean)
      other = int64_t{row.get(&before) == Content(int64_t{0})};
    row.set(&after, std::move(other));
    taken_up += row.reload ? 1 : 0;
    CHECK(config::changed_settings(before, after) ==
          (row.reload ? std::vector<std::string>() : std::vector{std::string(row.name)}));
  }
  CHECK(taken_up == 1);
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

TEST_CASE("settings: a listener that has changed waits for the next start, and that is told") {
  Settings before;
  before.listeners.push_back({.address = *net::Address::parse("*:81")});
  Settings after = before;
  CHECK(config::changed_settings(before, after).empty());
  after.listeners[0].backlog = 7;
  CHECK(config::changed_settings(before, after) == std::vector<std::string>{"[[listener]]"});
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
