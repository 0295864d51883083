// ${...}: what it stands for, and that no mistake prints what a secret holds.
#include "config/expand.h"

#include <catch2/catch_test_macros.hpp>
#include <memory>
#include <string>
#include <utility>

#include "config/codes.h"
#include "config/folder.h"
#include "server/assemble.h"

namespace leat::test {
namespace {

struct Expanded {
  std::string text;
  bool replaced = false;
  Value::Origin origin = Value::Origin::File;
  Diagnostics diagnostics;
  config::Secrets secrets;
};

Expanded expand(const Folder& folder, const std::string& text) {
  Expanded result;
  const Place where{
      .file = std::make_shared<const std::string>(folder.path("leat.toml")), .line = 1, .column = 1};
  config::Expansion expansion = config::expand(text, where, result.diagnostics, result.secrets);
  result.text = std::move(expansion.text);
  result.replaced = expansion.replaced;
  result.origin = expansion.origin;
  return result;
}

TEST_CASE("expand: the forms there are") {
  const Folder folder;
  const Variable one("LEAT_TEST_ONE", "1");
  const Variable empty("LEAT_TEST_EMPTY", "");
  folder.write("secret", "s3cret\n");
  folder.write("crlf", "s3cret\r\n");
  folder.write("two", "a\n\n");
  folder.write("none", "");
  struct Case {
    const char* text;
    const char* expanded;
  };
  for (const auto& [text, expanded] : {
           Case{"plain", "plain"},
           {"${LEAT_TEST_ONE}", "1"},
           {"<${LEAT_TEST_ONE}${LEAT_TEST_ONE}>", "<11>"},
           {"${LEAT_TEST_EMPTY}", ""},  // set, though to nothing
           {"${LEAT_TEST_EMPTY:-other}", "other"},
           {"${LEAT_TEST_UNSET:-}", ""},
           {"${LEAT_TEST_UNSET:-a:b-c?d}", "a:b-c?d"},
           {"${LEAT_TEST_ONE:-other}", "1"},
           {"${LEAT_TEST_ONE:?needed}", "1"},
           {"$", "$"},
           {"$$", "$"},
           {"$$$$", "$$"},
           {"$${LEAT_TEST_ONE}", "${LEAT_TEST_ONE}"},
           {"$$${LEAT_TEST_ONE}", "$1"},
           {"5$ and $x", "5$ and $x"},
           {"}", "}"},
           {"${file:secret}", "s3cret"},
           {"${file:crlf}", "s3cret"},
           {"${file:two}", "a\n"},  // one line end only
           {"${file:none}", ""},
       }) {
    INFO(text);
    const Expanded result = expand(folder, text);
    CHECK(result.text == expanded);
    CHECK(result.diagnostics.empty());
  }
}

TEST_CASE("expand: whether anything stood for another text is known") {
  const Folder folder;
  const Variable one("LEAT_TEST_ONE", "1");
  CHECK(expand(folder, "${LEAT_TEST_ONE}").replaced);
  CHECK(expand(folder, "0${LEAT_TEST_UNSET:-}").replaced);
  CHECK(!expand(folder, "1").replaced);
  CHECK(!expand(folder, "$${LEAT_TEST_ONE} costs 1$").replaced);
}

TEST_CASE("expand: where a text comes from is known, of several the one that must be shown the least") {
  const Folder folder;
  folder.write("secret", "hunter2");
  const Variable one("LEAT_TEST_ONE", "1");
  CHECK(expand(folder, "1").origin == Value::Origin::File);
  CHECK(expand(folder, "${LEAT_TEST_UNSET:-1}").origin == Value::Origin::File);
  CHECK(expand(folder, "x${LEAT_TEST_ONE}").origin == Value::Origin::Environment);
  CHECK(expand(folder, "${file:secret}${LEAT_TEST_ONE}").origin == Value::Origin::Secret);
  CHECK(expand(folder, "${file:secret} ${").origin == Value::Origin::Secret);
}

TEST_CASE("expand: what a variable or a file holds is not expanded again") {
  const Folder folder;
  const Variable tricky("LEAT_TEST_TRICKY", "${LEAT_TEST_UNSET} $$");
  folder.write("tricky", "${LEAT_TEST_TRICKY}");
  CHECK(expand(folder, "${LEAT_TEST_TRICKY}").text == "${LEAT_TEST_UNSET} $$");
  CHECK(expand(folder, "${file:tricky}").text == "${LEAT_TEST_TRICKY}");
}

TEST_CASE("expand: credentials come from systemd's folder and from nowhere else") {
  const Folder folder;
  folder.write("credentials/key", "k3y");
  folder.write("outside", "no");
  const Variable directory("CREDENTIALS_DIRECTORY", folder.path("credentials"));
  CHECK(expand(folder, "${credential:key}").text == "k3y");
  for (const char* text :
       {"${credential:../outside}", "${credential:}", "${credential:..}", "${credential:absent}"}) {
    INFO(text);
    const Expanded result = expand(folder, text);
    CHECK(result.text.empty());
    REQUIRE(result.diagnostics.size() == 1);
    CHECK(result.diagnostics[0].code == config::kSecret);
  }
}

TEST_CASE("expand: an absolute path stays one") {
  const Folder folder;
  folder.write("other/secret", "here");
  CHECK(expand(folder, "${file:" + folder.path("other/secret") + "}").text == "here");
}

TEST_CASE("expand: a secret is shown by no mistake, neither where it stands nor elsewhere") {
  const Folder folder;
  folder.write("secret", "hunter2:welcome\n");
  folder.write("short", "xy\n");
  // Each puts the secret, or a text with it, where a message would quote it.
  for (const char* text :
       {"[log]\nlevel = '${file:secret}'",
        "[limits]\nbody = '${file:secret}'",
        "[server]\nlisten = '${file:secret}'",
        "[server]\nlisten = '[${file:secret}]:80'",
        "[server]\nlisten = ['*:80', '127.0.0.1:${file:secret}']",
        "[server]\nworkers = '${file:secret}'",
        "[server]\nunix_mode = '${file:secret}'",
        "[server]\npin_workers = '${file:secret}'",
        "include = '${file:secret}'",
        "include = ['${file:secret}/*.toml']",
        "[[plugin]]\nname = 'a ${file:secret}'\nfile = 'demo.so'",
        "[[plugin]]\nname = 'demo'\nfile = '${file:secret}.so'",
        "[[plugin]]\nname = 'demo'\nfile = 'demo.so'\n[plugin.config]\ngreeting = ['${file:secret}']",
        "[[listener]]\naddress = '*:80'\nprotocols = ['${file:secret}']",
        "[[middleware]]\nkind = '${file:secret}'",
        "[[middleware]]\nkind = 'request_id'\nbefore = '${file:secret}'",
        "[[middleware]]\nkind = 'request_id'\nname = '${file:secret}'\n[[middleware]]\nkind = "
        "'access_log'\nname = "
        "'${file:secret}'",
        "[[route]]\npath = '/'\nhandler = '${file:secret}'",
        "[[route]]\npath = '${file:secret}'\nhandler = 'leat:metrics'",
        "[[route]]\npath = '/'\nmethod = '${file:secret}'\nhandler = 'leat:metrics'",
        "[[route]]\npath = '/${file:secret}'\nhandler = 'leat:metrics'\n[[route]]\npath = "
        "'/${file:secret}'\nhandler "
        "= 'leat:metrics'",
        "[[route]]\npath = '/'\nhandler = 'leat:metrics'\nmiddleware = ['${file:secret}']"}) {
    INFO(text);
    folder.write("leat.toml", text);
    config::Config draft;
    config::LoadResult result = config::load(folder.path("leat.toml"), {}, nullptr, &draft);
    plugin::PluginLibraries libraries;
    (void)server::assemble(result.config ? *result.config : draft, libraries, {DEMO_PLUGIN_DIR}, 1,
                           result.diagnostics);
    std::string said;
    for (const Diagnostic& each : result.diagnostics) said += each.message + "|" + each.hint + "\n";
    INFO(said);
    CHECK(!result.diagnostics.empty());
    CHECK(!said.contains("hunter2"));
    CHECK(!said.contains("welcome"));
  }
}

TEST_CASE("expand: a secret of a few letters is taken out where it is a word, and nowhere else") {
  config::Secrets secrets;
  const Place place{.file = std::make_shared<const std::string>("leat.toml"), .line = 3, .column = 5};
  secrets.add("xy", place);
  secrets.add("long secret", place);
  secrets.add("", place);
  CHECK(secrets.hide("`xy` is no galaxy, xy") == "`(secret)` is no galaxy, (secret)");
  CHECK(secrets.hide("a long secretaxy") == "a (secret)axy");
  Diagnostics found = {
      {.code = config::kBadAddress, .message = "bad address: `x`", .place = place, .hint = "y"}};
  secrets.hide(found);
  CHECK(found[0].message == "a bad address, in a value with a secret, which is not shown");
  CHECK(found[0].hint.empty());
}

TEST_CASE("expand: numbers and booleans may come from variables") {
  const Folder folder;
  const Variable number("LEAT_TEST_NUMBER", "3");
  const Variable octal("LEAT_TEST_MODE", "0o600");
  const Variable truth("LEAT_TEST_TRUTH", "false");
  const Variable zero("LEAT_TEST_ZERO", "0");
  folder.write("leat.toml",
               "[server]\nworkers = '${LEAT_TEST_NUMBER}'\nunix_mode = '${LEAT_TEST_MODE}'\n"
               "pin_workers = '${LEAT_TEST_TRUTH}'\ndrain_timeout = '${LEAT_TEST_ZERO}'\n"
               "backlog = '${LEAT_TEST_UNSET:-12}${LEAT_TEST_NUMBER}'\n"
               "[limits]\nbody = '${LEAT_TEST_NUMBER}'\n[[route]]\npath = '/'\nhandler = 'leat:metrics'\n");
  const config::LoadResult result = folder.load();
  INFO(folder.rendered(result.diagnostics));
  REQUIRE(result.config);
  const config::Settings& settings = result.config->settings;
  CHECK(settings.workers == 3);
  CHECK(settings.sockets.unix_mode == 0600);
  CHECK(!settings.pin_workers);
  CHECK(settings.worker.drain_timeout_ms == 0);
  CHECK(settings.sockets.backlog == 123);
  CHECK(settings.worker.limits.body_bytes == 3);
  // What stands in quotes itself is text, and what is not a number is none.
  const Variable word("LEAT_TEST_WORD", "many");
  for (const char* text : {"[server]\nworkers = '3'\n", "[server]\nworkers = '${LEAT_TEST_WORD}'\n",
                           "[server]\nbacklog = '${LEAT_TEST_NUMBER}x'\n", "[server]\npin_workers = 'true'\n",
                           "[server]\npin_workers = '${LEAT_TEST_NUMBER}'\n"})
    CHECK(folder.complaint(text).contains("[LT0108]"));
}

}  // namespace
}  // namespace leat::test
