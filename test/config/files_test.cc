// Which files are read, in which order, and which are refused.
#include <sys/stat.h>

#include <catch2/catch_test_macros.hpp>
#include <filesystem>
#include <string>

#include "config/codes.h"
#include "config/diagnostics.h"
#include "config/file.h"
#include "config/folder.h"

namespace leat::test {
namespace {

// A plugin declaration with this name: the order of plugins is the order of reading.
std::string plugin(const std::string& name) {
  return "[[plugin]]\nname = \"" + name + "\"\nfile = \"demo.so\"\n";
}

std::string plugins_of(const config::LoadResult& result) {
  INFO(config::render(result.diagnostics));
  REQUIRE(result.config.has_value());
  std::string names;
  for (const config::PluginDecl& each : result.config->plugins) names += each.name;
  return names;
}

std::string route(const std::string& name) {
  return "[[route]]\npath = \"/\"\nhandler = \"" + name + ":welcome\"\n";
}

TEST_CASE("files: includes stand in their place, patterns are sorted, conf.d comes last") {
  const Folder folder;
  folder.write("leat.toml", "include = ['parts/*.toml', 'c.toml']\n" + plugin("m") + route("m"));
  folder.write("parts/b.toml", plugin("b"));
  folder.write("parts/a.toml", "include = \"deep/d.toml\"\n" + plugin("a"));
  folder.write("parts/deep/d.toml", plugin("d"));  // relative to the file that names it
  folder.write("c.toml", plugin("c"));
  folder.write("conf.d/2.toml", plugin("z"));
  folder.write("conf.d/1.toml", plugin("y"));
  folder.write("conf.d/.hidden.toml", "no TOML");
  folder.write("conf.d/readme.txt", "no TOML");
  folder.write("conf.d/3.toml~", "no TOML");
  CHECK(plugins_of(folder.load()) == "dabcmyz");
}

TEST_CASE("files: a file is read once, under whichever names") {
  const Folder folder;
  folder.write("leat.toml", "include = ['a.toml', './x/../a.toml', 'link.toml', 'a.toml']\n" + route("a"));
  folder.write("a.toml", plugin("a"));
  folder.write("x/none.toml", "");
  std::filesystem::create_symlink("a.toml", folder.path("link.toml"));
  CHECK(plugins_of(folder.load()) == "a");
}

TEST_CASE("files: a pattern may match nothing, and a folder's own name is no pattern") {
  const Folder folder;
  folder.write("a[b]*/leat.toml", "include = ['sites/*.toml', '*.part']\n" + route("p"));
  folder.write("a[b]*/p.part", plugin("p"));
  CHECK(plugins_of(folder.load("a[b]*/leat.toml")) == "p");
}

TEST_CASE("files: what is no configuration is refused, not waited for") {
  const Folder folder;
  const auto code_of = [&](const std::string& name) {
    const config::LoadResult result = folder.load(name);
    INFO(config::render(result.diagnostics));
    CHECK(!result.config);
    REQUIRE(result.diagnostics.size() == 1);
    CHECK(*result.diagnostics[0].place.file == folder.path(name));
    return result.diagnostics[0].code;
  };
  CHECK(code_of("absent.toml") == config::kUnreadable);
  folder.write("folder.toml/x", "");
  CHECK(code_of("folder.toml") == config::kUnreadable);
  REQUIRE(::mkfifo(folder.path("pipe.toml").c_str(), 0600) == 0);
  CHECK(code_of("pipe.toml") == config::kUnreadable);
  std::filesystem::create_symlink("/dev/zero", folder.path("endless.toml"));
  CHECK(code_of("endless.toml") == config::kUnreadable);
  std::filesystem::create_symlink("loop.toml", folder.path("loop.toml"));
  CHECK(code_of("loop.toml") == config::kUnreadable);
  folder.write("binary.toml", std::string_view("a = 1\0b", 7));
  CHECK(code_of("binary.toml") == config::kNotText);
  folder.write("latin1.toml", "[server]\nname = \"caf\xe9\"\n");
  CHECK(code_of("latin1.toml") == config::kNotText);
  folder.write("large.toml", "#" + std::string(config::kMostFileBytes, '.'));
  CHECK(code_of("large.toml") == config::kTooLarge);
}

TEST_CASE("files: the largest file is still read") {
  const Folder folder;
  const std::string text = plugin("p") + route("p");
  folder.write("leat.toml", text + "#" + std::string(config::kMostFileBytes - text.size() - 1, '.'));
  CHECK(plugins_of(folder.load()) == "p");
}

TEST_CASE("files: a file that cannot be read hides what may stand in it, not what is wrong elsewhere") {
  const Folder folder;
  // The plugin may be in the unreadable part: its routes are not told that it is missing.
  const std::string said = folder.complaint("include = 'absent.toml'\n[server]\nworkers = 0\n" + route("p"));
  CHECK(said.contains("there is no file `absent.toml`"));
  CHECK(said.contains("[LT0109]"));
  CHECK(!said.contains("[LT0116]"));
  CHECK(said.contains("2 errors"));
}

TEST_CASE("files: deep values neither overflow the stack nor are accepted") {
  const Folder folder;
  const std::string open(100'000, '[');
  CHECK(folder.complaint("[server]\nlisten = " + open).contains("[LT0122]"));
  std::string key = "a";
  for (int i = 0; i < 12'600; ++i) key += ".a";
  CHECK(folder.complaint(key + " = 1").contains("leat.toml:1:1"));
  std::string nested = "x = 1";
  for (int i = 0; i < 17; ++i) {
    folder.write("f" + std::to_string(i) + ".toml", nested);
    nested = "include = 'f" + std::to_string(i) + ".toml'";
  }
  CHECK(folder.complaint(nested).contains("[LT0104]"));
}

TEST_CASE("files: what was read once can be read again as it was, from its text") {
  config::Files files;
  std::string read;
  std::string path;
  {
    const Folder folder;
    path = folder.path("leat.toml");
    folder.write("leat.toml", "include = ['parts/*.toml', 'c.toml']\n" + plugin("m") + route("m"));
    folder.write("parts/b.toml", plugin("b"));
    folder.write("parts/a.toml", plugin("${file:../name}"));
    folder.write("name", "s\n");
    folder.write("c.toml", plugin("c"));
    folder.write("conf.d/2.toml", plugin("z"));
    read = plugins_of(config::load(path, {}, &files));
    CHECK(read == "sbcmz");
  }
  config::Files again = config::Files::from_text(files.text());
  CHECK(plugins_of(config::load(path, {}, &again)) == read);
  CHECK_FALSE(config::load(path).config.has_value());  // it is gone
  // Of another file nothing is known, and nobody looks.
  CHECK_FALSE(config::load("/dev/null", {}, &again).config.has_value());
}

}  // namespace
}  // namespace leat::test
