// `leat check` looks at addresses, the log file and folders of plugins too, and changes nothing; a start says
// which line of the configuration it fails by.
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <filesystem>
#include <set>
#include <string>

#include "e2e/configuration.h"
#include "e2e/daemon.h"

namespace leat::e2e {

namespace {

namespace fs = std::filesystem;

std::set<std::string> files_in(const std::string& folder) {
  std::set<std::string> names;
  for (const auto& each : fs::recursive_directory_iterator(folder)) names.insert(each.path().string());
  return names;
}

}  // namespace

TEST_CASE("check: what is in use, or is not there, is a warning at its line, and nothing is changed") {
  Daemon other(demo_configuration());
  const TempFolder folder;
  const std::string file = folder.write(
      "leat.toml", "[server]\nlisten = [\n  \"127.0.0.1:0\",\n  \"" + other.address() + "\",\n  \"unix:" +
                       folder.path("none/http.sock") + "\",\n  \"192.0.2.1:80\",\n]\nplugin_path = [\"" +
                       folder.path("plugins") + "\"]\nadmin_socket = \"" + folder.path("none/admin.sock") +
                       "\"\n[log]\nfile = \"" + folder.path("logs/leat.log") +
                       "\"\n[[listener]]\naddress = \"unix:" + folder.path("good.sock") +
                       "\"\n[[route]]\npath = \"/\"\nhandler = \"leat:metrics\"\n");
  const auto before = files_in(folder.path(""));
  const Outcome outcome = run_leat({"check", "-c", file});
  INFO(outcome.errors);
  CHECK(outcome.status == 0);
  CHECK(outcome.output == file + ": 1 route, 0 plugins, no errors\n");
  const auto says = [&](const std::string& message, int line) {
    INFO(message << " " << line);
    CHECK(outcome.errors.contains(message + "\n  --> " + file + ":" + std::to_string(line) + ":"));
  };
  says("cannot listen on " + other.address() + ": bind: Address already in use", 4);
  says("cannot listen on unix:" + folder.path("none/http.sock") + ": bind: No such file or directory", 5);
  says("cannot listen on 192.0.2.1:80: bind: Cannot assign requested address", 6);
  says("no plugins are found in `" + folder.path("plugins") + "`: No such file or directory", 8);
  says("cannot listen on unix:" + folder.path("none/admin.sock") + ": bind: No such file or directory", 9);
  CHECK(outcome.errors.contains("5 warnings;"));  // folders of the log file are made, by the daemon
  CHECK(files_in(folder.path("")) == before);
}

TEST_CASE("check: what can never work is an error") {
  const TempFolder folder;
  folder.write("file", "");
  const std::string file = folder.write(
      "leat.toml", "[server]\nlisten = [\"unix:" + folder.path("file") +
                       "\", \"unix:" + folder.path("file/x") + "\"]\n[log]\nfile = \"" + folder.path("") +
                       "\"\n[[route]]\npath = \"/\"\nhandler = \"leat:metrics\"\n");
  const Outcome outcome = run_leat({"check", "-c", file});
  INFO(outcome.errors);
  CHECK(outcome.status == 78);
  CHECK(outcome.errors.contains("bind: the path is not a socket"));
  CHECK(outcome.errors.contains("Not a directory"));
  CHECK(outcome.errors.contains("it is a folder"));
  CHECK(outcome.errors.contains("3 errors;"));
  const Outcome below =
      run_leat({"check", "-c",
                folder.write("log.toml", "[log]\nfile = \"" + folder.path("file/x/y.log") +
                                             "\"\n[[route]]\npath = \"/\"\nhandler = \"leat:metrics\"\n")});
  INFO(below.errors);
  CHECK(below.status == 78);
  CHECK(below.errors.contains("error[LT0123]"));
}

TEST_CASE("check: what the configuration's own daemon listens on is in use as it should be") {
  const TempFolder folder;
  const auto text = [&](const std::string& address) {
    return demo_configuration({.listen = {address, "unix:" + folder.path("http.sock")},
                               .server = "admin_socket = \"" + folder.path("admin") + "\"\n"});
  };
  Daemon daemon(text("127.0.0.1:0"), {.listeners = 2});
  const std::string file = folder.write("leat.toml", text(daemon.address()));
  const Outcome outcome = run_leat({"check", "-c", file});
  INFO(outcome.errors);
  CHECK(outcome.status == 0);
  CHECK(outcome.errors == "");
  // A reload checks as well, from within the daemon.
  const Outcome reload = run_leat({"reload", "--socket", folder.path("admin")});
  INFO(reload.errors << reload.output);
  CHECK(reload.status == 0);
  CHECK(!(reload.errors + reload.output).contains("LT0121"));
}

TEST_CASE("check: a start that fails by an address names its line") {
  Daemon other(demo_configuration());
  const TempFolder folder;
  const std::string file =
      folder.write("leat.toml", "[server]\nworkers = 1\nlisten = [\n  \"" + other.address() +
                                    "\"]\n[[route]]\npath = \"/\"\nhandler = \"leat:metrics\"\n");
  const Outcome outcome = run_leat({"run", "-c", file});
  INFO(outcome.errors);
  CHECK(outcome.status == 1);
  CHECK(outcome.errors.contains("cannot listen on " + other.address() + ": bind: Address already in use (" +
                                file + ":4)"));
}

TEST_CASE("check: a start that fails by an address or a log file shows no secret") {
  const TempFolder folder;
  folder.write("secret", "hunter2\n");
  folder.write("file", "");
  const std::string route = "[[route]]\npath = \"/\"\nhandler = \"leat:metrics\"\n";
  const std::string where = folder.path("none");
  for (const std::string& settings : {"listen = \"unix:" + where + "/${file:secret}\"\n",
                                      "admin_socket = \"" + where + "/${file:secret}\"\n",
                                      "[log]\nfile = \"" + folder.path("file") + "/${file:secret}\"\n"})
    for (const bool supervised : {true, false}) {
      const std::string file =
          folder.write("leat.toml", "[server]\nsupervise = " + std::string(supervised ? "true" : "false") +
                                        "\nworkers = 1\n" + settings + route);
      const Outcome outcome = run_leat({"run", "-c", file});
      INFO(settings << outcome.errors << outcome.output);
      CHECK(outcome.status == 1);
      CHECK(outcome.errors.contains("(secret)"));
      CHECK(!(outcome.errors + outcome.output).contains("hunter2"));
    }
}

TEST_CASE("check: a secret in a path is not shown by `leat routes`") {
  const TempFolder folder;
  folder.write("hook", "hunter2\n");
  const std::string file =
      folder.write("leat.toml", "[[route]]\npath = \"/hook/${file:hook}\"\nhandler = \"leat:metrics\"\n");
  for (const char* form : {"--json", "--plugin-path=/nowhere"}) {
    const Outcome outcome = run_leat({"routes", form, "-c", file});
    INFO(outcome.output << outcome.errors);
    CHECK(outcome.status == 0);
    CHECK(outcome.output.contains("/hook/(secret)"));
    CHECK(!outcome.output.contains("hunter2"));
  }
}

TEST_CASE("check: mistakes in lines, plugins and routes are all told at once") {
  const TempFolder folder;
  const std::string file = folder.write("leat.toml", R"([server]
workers = many
[limits]
body = "8m"
[[middleware]]
name = "x"
[[middleware]]
kind = "acces_log"
[[plugin]]
name = "demo"
file = "demo.so"
[plugin.config]
zzz = 1
[[route]]
path = "/a/*"
handler = "demo:json"
[[route]]
path = "/users/{id}"
handler = "demo:nothing"
metod = "GET"
)");
  const Outcome outcome = run_leat({"check", "-c", file});
  INFO(outcome.errors);
  CHECK(outcome.status == 78);
  for (const char* said : {"could not determine value type", "did you mean \"8MiB\"?",
                           "[[middleware]] needs `kind`", "did you mean `access_log`?", "unknown key `zzz`",
                           "`*` stands for nothing else", "did you mean `method`?"}) {
    INFO(said);
    CHECK(outcome.errors.contains(said));
  }
}

}  // namespace leat::e2e
