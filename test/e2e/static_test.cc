// A daemon with plugins built into it, one in C++ and one in C.
#include <signal.h>

#include <catch2/catch_test_macros.hpp>
#include <string>

#include "e2e/client.h"
#include "e2e/daemon.h"

namespace leat::e2e {
namespace {

const std::string kConfiguration =
    "[server]\nlisten = [\"127.0.0.1:0\"]\n"
    "[[plugin]]\nname = \"d\"\nfile = \"static:demo\"\n"
    "[[plugin]]\nname = \"h\"\nfile = \"static:hello\"\n"
    "[[plugin]]\nname = \"loaded\"\nfile = \"" TEST_PLUGINS
    "/answers.so\"\n"
    "[[route]]\npath = \"/json\"\nhandler = \"d:json\"\n"
    "[[route]]\npath = \"/loaded\"\nhandler = \"loaded:owners\"\n"
    "[[route]]\npath = \"/hello/{name}\"\nhandler = \"h:greet\"\n";

}  // namespace

TEST_CASE("static plugins: they serve and are reloaded like any other, beside those that are loaded") {
  Daemon daemon(kConfiguration, {.program = STATIC_LEAT});
  const auto body = [&](std::string_view target) { return Client(daemon.address()).ask(get(target)).body; };
  for (const char* generation : {"generation 2 serves", "generation 3 serves"}) {
    CHECK(body("/json") == R"({"message":"Hello, World!"})");
    CHECK(body("/loaded") == R"([{"name":"ann","age":41},{"name":"bob","age":null}])");
    CHECK(body("/hello/Ada").contains(R"("hello":"Ada")"));
    daemon.signal(SIGHUP);
    CHECK(daemon.logs(generation));
  }
  CHECK(body("/json") == R"({"message":"Hello, World!"})");
}

TEST_CASE("static plugins: the version names them, and one that is not there is a mistake") {
  CHECK(run_program(STATIC_LEAT, {"version"}).output.contains("static plugins demo, hello\n"));
  CHECK(run_program(STATIC_LEAT, {"version", "--json"})
            .output.contains(R"("static_plugins":["demo","hello"])"));
  CHECK(run_leat({"version", "--json"}).output.contains(R"("static_plugins":[])"));
  const TempFolder folder;
  const std::string file = folder.write("leat.toml", "[[plugin]]\nname = \"x\"\nfile = \"static:dem\"\n");
  const Outcome known = run_program(STATIC_LEAT, {"check", "-c", file});
  CHECK(known.status == 78);
  CHECK(known.errors.contains("no plugin `dem` is built into this program"));
  CHECK(known.errors.contains("there are: demo, hello"));
  CHECK(run_leat({"check", "-c", file}).errors.contains("none is; name the file of a shared object"));
}

}  // namespace leat::e2e
