// `leat plugin new`: what it makes, and what it refuses. test/sdk builds what it makes.
#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "e2e/daemon.h"

namespace leat::e2e {

namespace {

namespace fs = std::filesystem;

std::string read(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

Outcome make(const std::string& name, const std::string& folder, const std::string& language = "c++") {
  return run_leat({"plugin", "new", name, "--dir", folder, "--lang", language});
}

}  // namespace

TEST_CASE("plugin new: makes a project that bears its name, in each language") {
  const TempFolder folder;
  for (const std::string language : {"c", "c++", "rust", "zig"}) {
    INFO(language);
    const std::string made = folder.path("in-" + language);
    const Outcome outcome = make("my-own_2", made, language);
    CHECK(outcome.status == 0);
    CHECK(outcome.output.contains(made));
    CHECK(read(made + "/my-own_2.toml").contains("handler = \"my-own_2:hello\""));
    for (const char* file : {"README.md", "test.py"}) CHECK(fs::exists(made + "/" + file));
    size_t sources = 0;
    for (const auto& entry : fs::recursive_directory_iterator(made)) {
      if (!entry.is_regular_file()) continue;
      INFO(entry.path());
      const std::string text = read(entry.path());
      CHECK_FALSE(text.empty());
      for (const char* word :
           {"@NAME@", "@LEAT@", "@PKG_CONFIG@", "@CMAKE@", "@INCLUDE@", "@SYMBOLS@", "@ASK@", "@TESTS@"})
        CHECK_FALSE(text.contains(word));
      const std::string ending = entry.path().extension();
      if (ending == ".c" || ending == ".cc" || ending == ".rs" || ending == ".zig") ++sources;
    }
    CHECK(sources > 0);
  }
}

TEST_CASE("plugin new: one with middleware is another project, of the same files") {
  const TempFolder folder;
  for (const std::string language : {"c", "c++", "rust", "zig"}) {
    INFO(language);
    const std::string handler = folder.path("handler-" + language);
    const std::string middleware = folder.path("middleware-" + language);
    CHECK(make("mine", handler, language).status == 0);
    const Outcome outcome =
        run_leat({"plugin", "new", "mine", "--middleware", "--dir", middleware, "--lang", language});
    CHECK(outcome.status == 0);
    CHECK(outcome.output.contains("with middleware"));
    CHECK(read(middleware + "/mine.toml").contains("kind = \"mine:key\""));
    for (const auto& entry : fs::recursive_directory_iterator(handler)) {
      if (!entry.is_regular_file()) continue;
      const std::string path = fs::relative(entry.path(), handler);
      INFO(path);
      const std::string text = read(middleware + "/" + path);
      CHECK_FALSE(text.empty());
      for (const char* word : {"@NAME@", "@ASK@", "@TESTS@", "/hello/"}) CHECK_FALSE(text.contains(word));
    }
  }
}

TEST_CASE("plugin new: a name that a plugin cannot have is a mistake in the usage, and nothing is made") {
  const TempFolder folder;
  for (const std::string name :
       {"", "2fast", "_x", "a b", "a/b", "../a", "a.so", "\xc3\xa9t\xc3\xa9", "test", "all"}) {
    INFO(name);
    const Outcome outcome = make(name, folder.path("x"));
    CHECK(outcome.status == 2);
    CHECK(outcome.errors.contains("`" + name + "` is not a name for a plugin"));
    CHECK_FALSE(fs::exists(folder.path("x")));
  }
  CHECK(make(std::string(47, 'a'), folder.path("longest")).status == 0);
  CHECK(make(std::string(48, 'a'), folder.path("x")).errors.contains("at most 47 characters"));
  CHECK(run_leat({"plugin", "new"}).status == 2);
  CHECK(run_leat({"plugin"}).status == 2);
  CHECK(make("x", folder.path("x"), "cobol").status == 2);
}

TEST_CASE("plugin new: what is there already stays as it is") {
  const TempFolder folder;
  fs::create_directory(folder.path("full"));
  const std::string file = folder.write("full/README.md", "mine");
  const Outcome full = make("full", folder.path("full"));
  CHECK(full.status == 1);
  CHECK(full.errors.contains("`" + folder.path("full") + "` is there already"));
  CHECK(std::distance(fs::directory_iterator(folder.path("full")), {}) == 1);
  CHECK(read(file) == "mine");
  CHECK(make("file", file).status == 1);
  CHECK(read(file) == "mine");
}

TEST_CASE("plugin new: a project that cannot be made whole is not made") {
  const TempFolder folder;
  const Outcome nowhere = make("x", folder.path("no/such/x"));
  CHECK(nowhere.status == 1);
  CHECK(nowhere.errors.contains("cannot make the folder"));
  // The folder's path is as long as a path may be, so that those of its files are too long.
  std::string longest = folder.path("");
  while (longest.size() < 4090) longest += "./";
  longest += "x";
  const Outcome cut = make("x", longest);
  CHECK(cut.status == 1);
  CHECK(cut.errors.contains("cannot write"));
  CHECK_FALSE(fs::exists(folder.path("x")));
}

TEST_CASE("plugin new: a program without its SDK says where it looked") {
  const TempFolder folder;
  const std::string program = folder.path("leat");
  fs::copy_file(std::getenv("LEAT_BINARY"), program);
  const Outcome outcome = run_program(program, {"plugin", "new", "x", "--dir", folder.path("x")});
  CHECK(outcome.status == 1);
  CHECK(outcome.errors.contains("the plugin SDK is not installed with this program"));
  CHECK(outcome.errors.contains("packaging/sdk"));
  CHECK_FALSE(fs::exists(folder.path("x")));
}

TEST_CASE("plugin new: an SDK whose path build files cannot hold is refused") {
  const TempFolder folder;
  fs::create_directories(folder.path("a tree/server"));
  fs::create_directories(folder.path("a tree/packaging/sdk"));
  folder.write("a tree/packaging/sdk/leat-plugin.pc", "");
  fs::copy_file(std::getenv("LEAT_BINARY"), folder.path("a tree/server/leat"));
  const Outcome outcome =
      run_program(folder.path("a tree/server/leat"), {"plugin", "new", "x", "--dir", folder.path("x")});
  CHECK(outcome.status == 1);
  CHECK(outcome.errors.contains("a tree/packaging/sdk`: a space"));
  CHECK_FALSE(fs::exists(folder.path("x")));
}

}  // namespace leat::e2e
