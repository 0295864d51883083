// The command line: what each command prints, and the exit statuses 0, 1, 2 and 78.
#include <catch2/catch_test_macros.hpp>
#include <string>

#include "e2e/configuration.h"
#include "e2e/daemon.h"

namespace leat::e2e {

TEST_CASE("command line: version and help print and succeed") {
  const Outcome version = run_leat({"version"});
  CHECK(version.status == 0);
  CHECK(version.output.contains("0.2.0"));
  const Outcome help = run_leat({"--help"});
  CHECK(help.status == 0);
  for (const std::string_view command : {"run", "check", "routes", "version"})
    CHECK(help.output.contains(command));
  CHECK(run_leat({"run", "--help"}).output.contains("--listen"));
}

TEST_CASE("command line: a wrong one is status 2 and says what is wrong") {
  const Outcome unknown = run_leat({"walk"});
  CHECK(unknown.status == 2);
  CHECK(unknown.errors.contains("walk"));
  CHECK(run_leat({}).status == 2);
  CHECK(run_leat({"run", "--no-such-option"}).status == 2);
  const TempFolder folder;
  const std::string file = folder.write("leat.toml", demo_configuration());
  CHECK(run_leat({"run", "-c", file, "--workers", "0"}).status == 2);
  CHECK(run_leat({"run", "-c", file, "--workers", "many"}).status == 2);
  CHECK(run_leat({"run", "-c", file, "--listen", "localhost"}).status == 2);
}

TEST_CASE("command line: check accepts a good file and starts nothing") {
  const TempFolder folder;
  CHECK(run_leat({"check", "-c", folder.write("leat.toml", demo_configuration())}).status == 0);
}

TEST_CASE("command line: routes prints each route with what serves it") {
  const TempFolder folder;
  const Outcome outcome = run_leat({"routes", "-c", folder.write("leat.toml", demo_configuration())});
  CHECK(outcome.status == 0);
  for (const std::string_view text : {"GET", "/json", "/users/{id}", "/notes/{id}", "demo"}) {
    CHECK(outcome.output.contains(text));
  }
}

TEST_CASE("command line: a file that is not there is status 78 and named") {
  for (const std::string_view command : {"check", "run", "routes"}) {
    const Outcome outcome = run_leat({std::string(command), "-c", "/nowhere/leat.toml"});
    CHECK(outcome.status == 78);
    CHECK(outcome.errors.contains("/nowhere/leat.toml"));
  }
}

TEST_CASE("command line: a bad file shows all its errors at once, each with its line, and is status 78") {
  const TempFolder folder;
  const std::string file = folder.write(
      "bad.toml",
      demo_configuration({.limits = "header_cuont = 5\nbody = \"many\"\n", .more = "[sever]\nx = 1\n"}));
  for (const std::string_view command : {"check", "run", "routes"}) {
    const Outcome outcome = run_leat({std::string(command), "-c", file});
    INFO(outcome.errors);
    CHECK(outcome.status == 78);
    CHECK(outcome.errors.contains("header_cuont"));
    CHECK(outcome.errors.contains("did you mean `header_count`"));
    CHECK(outcome.errors.contains("sever"));
    CHECK(outcome.errors.contains("\"many\""));
    CHECK(outcome.errors.contains("--> " + file + ":"));
    CHECK(outcome.errors.contains("^"));
  }
}

TEST_CASE("command line: what is no TOML is status 78 with its line") {
  const TempFolder folder;
  const std::string file = folder.write("bad.toml", "[server]\nlisten = [\n= 1\n");
  const Outcome outcome = run_leat({"check", "-c", file});
  CHECK(outcome.status == 78);
  CHECK(outcome.errors.contains(file + ":3"));
}

}  // namespace leat::e2e
