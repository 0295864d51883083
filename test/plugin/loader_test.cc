// Loading: every file that an operator can name by mistake gets an error that says what and what to do.
#include <sys/stat.h>

#include <catch2/catch_test_macros.hpp>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "plugin/harness.h"

namespace leat::plugin::test {
namespace {

namespace fs = std::filesystem;

// A folder of its own that goes with the test.
struct Folder {
  Folder() {
    char name[] = "/tmp/leat-loader-XXXXXX";
    REQUIRE(::mkdtemp(name) != nullptr);
    path = name;
  }
  ~Folder() { fs::remove_all(path); }
  fs::path path;
};

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_file(const fs::path& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

LoadError error_of(std::string_view name) {
  const auto library = load(name);
  if (library) FAIL("it was loaded");
  INFO(library.error().message);
  return library.error();
}

}  // namespace

TEST_CASE("loader: a plugin is found by name, with or without its ending, and by path") {
  for (const std::string name : {"grown", "grown.so", TEST_PLUGINS "/grown.so"}) {
    const auto library = load(name);
    REQUIRE(library);
    CHECK((*library)->name() == "grown");
    CHECK((*library)->version() == "1");
    CHECK((*library)->path() == TEST_PLUGINS "/grown.so");
  }
}

TEST_CASE("loader: a file that is not there is named with the places that were searched") {
  const LoadError by_name = error_of("nowhere");
  CHECK(by_name.message.contains("`nowhere`"));
  CHECK(by_name.hint.contains(TEST_PLUGINS "/nowhere.so"));
  const LoadError by_path = error_of("/nowhere/at/all.so");
  CHECK(by_path.message.contains("/nowhere/at/all.so"));
  CHECK(by_path.message.contains("No such file"));
  CHECK(error_of("").message.contains("no plugin file"));
}

TEST_CASE("loader: what is not a regular file is refused without waiting for it") {
  const Folder folder;
  CHECK(error_of(folder.path.string() + "/").message.contains("folder"));
  const fs::path fifo = folder.path / "fifo.so";
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  CHECK(error_of(fifo.string()).message.contains("not a regular file"));
}

TEST_CASE("loader: what is not a shared object of this machine says so") {
  const Folder folder;
  const fs::path file = folder.path / "x.so";
  write_file(file, "");
  CHECK(error_of(file.string()).message.contains("not an ELF file"));
  write_file(file, "#!/bin/sh\necho no plugin\n");
  CHECK(error_of(file.string()).message.contains("not an ELF file"));
  write_file(file,
             "\x7f"
             "ELF");
  CHECK(error_of(file.string()).message.contains("cut short"));
  std::string other = read_file(TEST_PLUGINS "/grown.so");
  other[18] = '\x28';  // e_machine: a 32-bit ARM
  write_file(file, other);
  CHECK(error_of(file.string()).message.contains("built for arm"));
}

TEST_CASE("loader: a shared object that is no plugin has no note, and is not loaded") {
  const LoadError error = error_of("no_note");
  CHECK(error.message.contains("not a Leat plugin"));
  CHECK(error.hint.contains("LEAT_PLUGIN"));
}

TEST_CASE("loader: a note without an entry names the missing symbol") {
  const LoadError error = error_of("no_entry");
  CHECK(error.message.contains("`leat_plugin`"));
  CHECK_FALSE(error.hint.empty());
}

TEST_CASE("loader: another version of the interface is refused before any code of it runs") {
  const LoadError major = error_of("other_major");  // its constructor traps
  CHECK(major.message.contains("built for plugin interface 2.0"));
  CHECK(major.message.contains("daemon has 1.0"));
  CHECK(major.hint.contains("plugin.h"));
  const LoadError minor = error_of("newer_minor");
  CHECK(minor.message.contains("needs plugin interface 1.7 or later"));
  CHECK(minor.hint.contains("update the daemon"));
}

TEST_CASE("loader: an undefined symbol is named, with the flag that finds it at build time") {
  const LoadError error = error_of("missing_symbol");
  CHECK(error.message.contains("`a_function_nobody_wrote`"));
  CHECK(error.hint.contains("-z,defs"));
}

TEST_CASE("loader: a broken entry or table of handlers is refused") {
  CHECK(error_of("entry_no_magic").message.contains("is not a leat_plugin_entry"));
  CHECK(error_of("entry_no_name").message.contains("name or version"));
  CHECK(error_of("entry_same_names").message.contains("two handlers named `same`"));
  CHECK(error_of("entry_no_handle").message.contains("handler number 1"));
  CHECK(error_of("entry_no_handlers").message.contains("table of handlers"));
  CHECK(error_of("entry_no_sizes").message.contains("table of handlers"));
  CHECK(error_of("entry_no_table").message.contains("its service `a/1` has no table"));
  CHECK(error_of("entry_no_version").message.contains("`a` is not a name for a service"));
  CHECK(error_of("entry_no_open").message.contains("its service `a/1` is of an unknown kind"));
  CHECK(error_of("entry_need_flags").message.contains("its need `a/1` has unknown flags"));
  CHECK(error_of("entry_same_needs").message.contains("two needs named `a/1`"));
}

TEST_CASE("loader: what load() objects to is shown") {
  CHECK(error_of("load_refuses").message.contains("needs leat.from_the_future/9"));
}

TEST_CASE("loader: a plugin with larger tables than today's works with what is known") {
  Site site("grown");
  CHECK(site.get("/one").body == "one");
  CHECK(site.get("/two").body == "two");
}

TEST_CASE("loader: a handler that there is none of is named, with the closest one") {
  Site site("grown");
  const auto close = site.route("ones");
  REQUIRE_FALSE(close);
  CHECK(close.error().message.contains("plugin tested has no handler `ones`"));
  CHECK(close.error().hint == "did you mean `one`?");
  CHECK(site.route("completely_different").error().hint == "it has one, two");
}

TEST_CASE("loader: a plugin goes on answering when its file is overwritten or removed") {
  const Folder folder;
  const fs::path file = folder.path / "changing.so";
  fs::copy_file(TEST_PLUGINS "/grown.so", file);
  Site site(file.string());
  write_file(file, "overwritten in place");
  CHECK(site.get("/one").body == "one");
  fs::remove(file);
  CHECK(site.get("/two").body == "two");
  // The same path with other bytes is another plugin.
  fs::copy_file(TEST_PLUGINS "/misuse.so", file);
  const auto other = load(file.string());
  REQUIRE(other);
  CHECK((*other)->name() == "misuse");
}

TEST_CASE("loader: a file cut at any place is refused") {
  const Folder folder;
  const fs::path file = folder.path / "cut.so";
  const std::string whole = read_file(TEST_PLUGINS "/grown.so");
  // To the end of the program headers and notes, byte by byte; beyond, the dynamic linker is the judge.
  for (size_t size = 0; size < 1024; ++size) {
    const auto note = read_elf_note(std::string_view(whole).substr(0, size));
    if (note) CHECK(note->name == "grown");
  }
  write_file(file, std::string_view(whole).substr(0, 512));
  CHECK_FALSE(load(file.string()));
}

TEST_CASE("loader: headers full of wrong offsets and sizes lead nowhere") {
  std::string bytes = read_file(TEST_PLUGINS "/grown.so");
  // Every byte of the ELF header and the program headers, set to its worst.
  for (size_t at = 16; at < 64 + 56 * 12; ++at) {
    std::string broken = bytes;
    broken[at] = '\xff';
    const auto note = read_elf_note(broken);
    if (note) CHECK(note->name.size() < sizeof(leat_note{}.name));
  }
}

TEST_CASE("loader: an object with variables that are unique in the process is loaded with a warning") {
  LogText log;
  REQUIRE(load("pitfall_unique"));
  REQUIRE(load("pitfall_sound"));
  const std::string text = log.take();
  CHECK(text.contains("pitfall_unique.so` has symbols that are unique in the process: `"));
  CHECK_FALSE(text.contains("pitfall_sound"));
}

}  // namespace leat::plugin::test
