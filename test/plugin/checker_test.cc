// The checker: each rule finds the plugin that breaks it, and nothing in one that is sound.
#include "plugin/checker.h"

#include <elf.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch_get_random_seed.hpp>
#include <catch2/catch_test_macros.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>

namespace leat::plugin::test {
namespace {

std::string read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  INFO(path);
  REQUIRE(file.good());
  return {std::istreambuf_iterator<char>(file), {}};
}
std::string path_of(const std::string& name) { return std::string(TEST_PLUGINS) + "/" + name + ".so"; }

// The rules that are broken, in order: "error exports, warning lazy".
std::string rules(const std::vector<Finding>& findings) {
  std::string text;
  for (const Finding& each : findings) {
    text += text.empty() ? "" : ", ";
    text += each.severity == Finding::Severity::Error ? "error " : "warning ";
    text += each.rule;
    CHECK(!each.found.empty());
    CHECK(!each.reason.empty());
  }
  return text;
}
Trial try_file(const std::string& name, uint32_t timeout_ms = 20'000) {
  return try_plugin(read(path_of(name)), path_of(name), {}, timeout_ms);
}
std::string check(const std::string& name) { return rules(check_plugin(read(path_of(name)))); }

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
// A sanitizer's instrumentation brings symbols and sections of its own.
constexpr bool kPlain = false;
#else
constexpr bool kPlain = true;
#endif

}  // namespace

TEST_CASE("checker: a sound plugin has no findings") {
  if (!kPlain) SKIP("the sanitizer's instrumentation is found");
  CHECK(check("pitfall_sound") == "");
  CHECK(check("misuse") == "");
  CHECK(rules(check_plugin(read(DEMO_PLUGIN))) == "");
}

TEST_CASE("checker: each rule finds the plugin that breaks it") {
  if (!kPlain) SKIP("the sanitizer's instrumentation is found");
  CHECK(check("pitfall_exports").starts_with("warning exports"));
  CHECK(check("pitfall_unique").contains("error unique"));
  CHECK(check("pitfall_allocator") == "error allocator");
  CHECK(check("pitfall_thread_local") == "");
  CHECK(check("pitfall_thread_destructor") == "error thread-local");
  CHECK(check("pitfall_runtime").contains("error runtime"));
  CHECK(check("pitfall_stack") == "error stack");
  CHECK(check("pitfall_lazy").ends_with("warning bind-now"));
  CHECK(check("pitfall_no_build_id").ends_with("warning build-id"));
  CHECK(check("pitfall_run_path") == "warning run-path");
  CHECK(check("no_note").contains("error note"));
  CHECK(check("no_entry").contains("error entry"));
  CHECK(check("other_major") == "error version");
  CHECK(check("newer_minor") == "error version");
}

TEST_CASE("checker: names what it found") {
  if (!kPlain) SKIP("the sanitizer's instrumentation is found");
  const auto exports = check_plugin(read(path_of("pitfall_exports")));
  REQUIRE(!exports.empty());
  CHECK(exports[0].found.contains("`helper_for_all`"));
  const auto unique = check_plugin(read(path_of("pitfall_unique")));
  const bool named = std::ranges::any_of(
      unique, [](const Finding& each) { return each.rule == "unique" && each.found.contains("greeting"); });
  CHECK(named);
}

TEST_CASE("checker: what is no shared object is one finding") {
  for (const std::string& bytes : {std::string(), std::string("#!/bin/sh\n"),
                                   std::string("\x7f"
                                               "ELF"),
                                   read("/proc/self/exe").substr(0, 100)}) {
    const auto findings = check_plugin(bytes);
    REQUIRE(findings.size() == 1);
    CHECK(findings[0].rule == "file");
  }
}

TEST_CASE("checker: a damaged file is judged within its bounds") {
  const uint32_t seed = Catch::getSeed();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  const std::string whole = read(path_of("pitfall_sound"));
  for (int i = 0; i < 300; ++i) {
    std::string bytes = whole;
    if (i % 3 == 0) bytes.resize(random() % bytes.size());
    for (auto hits = 1 + random() % 20; hits > 0 && !bytes.empty(); --hits)
      // Half of them where the headers are, or the section table at the end.
      bytes[random() % 2 == 0 ? random() % std::min<size_t>(bytes.size(), 1024)
                              : bytes.size() - 1 - random() % std::min<size_t>(bytes.size(), 4096)] =
          static_cast<char>(random());
    for (const Finding& each : check_plugin(bytes)) CHECK(!each.rule.empty());
  }
}

TEST_CASE("checker: a file costs no more than its size explains, whatever it claims of itself") {
  const std::string whole = read(path_of("pitfall_sound"));
  const auto header = [](std::string& bytes) { return reinterpret_cast<Elf64_Ehdr*>(bytes.data()); };
  std::string bytes = whole;
  bytes.append(size_t{256} * 1024, 'x');  // where names have no end
  SECTION("every section is a table of all that follows") {
    const uint64_t sections = header(bytes)->e_shoff;  // appending moves the bytes
    const uint64_t table = bytes.size();
    constexpr uint16_t kSections = 65'000;
    for (uint16_t i = 0; i < kSections; ++i) {
      const Elf64_Shdr section{.sh_name = 0,
                               .sh_type = SHT_DYNSYM,
                               .sh_flags = 0,
                               .sh_addr = 0,
                               .sh_offset = 0,
                               .sh_size = sections,
                               .sh_link = i,
                               .sh_info = 0,
                               .sh_addralign = 0,
                               .sh_entsize = 24};
      bytes.append(reinterpret_cast<const char*>(&section), sizeof section);
    }
    header(bytes)->e_shoff = table;
    header(bytes)->e_shnum = kSections;
    CHECK(!check_plugin(bytes).empty());
  }
  SECTION("one entry of no size is a table of as many as there can be") {
    header(bytes)->e_phentsize = 0;
    header(bytes)->e_phnum = 65'535;
    CHECK(check_plugin(bytes)[0].found == "its program headers are cut short");
    header(bytes)->e_phentsize = sizeof(Elf64_Phdr);
    header(bytes)->e_phnum = header(const_cast<std::string&>(whole))->e_phnum;
    header(bytes)->e_shentsize = 0;
    header(bytes)->e_shnum = 65'535;
    CHECK(rules(check_plugin(bytes)).contains("error entry"));
  }
  SECTION("every segment is a note of the whole file") {
    const uint64_t table = bytes.size();
    constexpr uint16_t kSegments = 4000;
    for (uint16_t i = 0; i < kSegments; ++i) {
      const Elf64_Phdr segment{.p_type = PT_NOTE,
                               .p_flags = 0,
                               .p_offset = 0,
                               .p_vaddr = 0,
                               .p_paddr = 0,
                               .p_filesz = table,
                               .p_memsz = 0,
                               .p_align = 4};
      bytes.append(reinterpret_cast<const char*>(&segment), sizeof segment);
    }
    header(bytes)->e_phoff = table;
    header(bytes)->e_phnum = kSegments;
    CHECK(check_plugin(bytes)[0].found == "its notes are larger than the file");
  }
  SECTION("offsets and sizes that only together lie beyond the end") {
    header(bytes)->e_phoff = UINT64_MAX - 8;
    CHECK(check_plugin(bytes)[0].rule == "file");
  }
}

TEST_CASE("checker: what it repeats of a file cannot command a terminal") {
  CHECK(shown("\x1b[2Jwhat \xc3\xa9\n") == "?[2Jwhat ???");
}

TEST_CASE("checker: what a plugin imports that is the daemon's to do is a warning by its kind") {
  if (!kPlain) SKIP("the sanitizer's instrumentation is found");
  CHECK(check("pitfall_imports") ==
        "warning exit, warning locale, warning signals, warning process, warning fork");
  const auto findings = check_plugin(read(path_of("pitfall_imports")));
  REQUIRE(!findings.empty());
  CHECK(findings[0].found == "it can end the process or a thread of the daemon: `exit`");
}

TEST_CASE("checker: a file or a folder on its way that everybody may write to is a warning") {
  namespace fs = std::filesystem;
  const fs::path folder = fs::temp_directory_path() / ("leat-place-" + std::to_string(::getpid()));
  fs::create_directories(folder / "in");
  const fs::path file = folder / "in" / "plugin.so";
  std::ofstream(file) << "x";
  fs::permissions(folder, fs::perms(0755));
  fs::permissions(folder / "in", fs::perms(0755));
  fs::permissions(file, fs::perms(0755));
  CHECK(rules(check_place(file)) == "");
  fs::permissions(file, fs::perms(0757));
  CHECK(rules(check_place(file)) == "warning permissions");
  fs::permissions(folder, fs::perms(0777));
  CHECK(rules(check_place(file)) == "warning permissions, warning permissions");
  fs::permissions(folder, fs::perms(01777));  // as /tmp is
  CHECK(rules(check_place(file)) == "warning permissions");
  CHECK(rules(check_place(folder / "absent.so")) == "");
  fs::remove_all(folder);
}

TEST_CASE("checker: loading is tried in a process of its own, whatever comes of it") {
  if (!kPlain) SKIP("the sanitizer's instrumentation is found");
  const auto found = [](const std::string& name, uint32_t timeout_ms = 20'000) {
    const auto findings = try_file(name, timeout_ms).findings;
    INFO(name << ": " << rules(findings));
    REQUIRE(!findings.empty());
    CHECK(findings.back().rule == "load");
    return findings.back().found;
  };
  CHECK(rules(try_file("pitfall_sound").findings) == "");
  CHECK(found("pitfall_crashes").contains("loading it ends the process with signal 11"));
  CHECK(found("pitfall_exits") == "loading it ends the process with status 0");
  CHECK(found("pitfall_greedy").contains("signal 10"));
  CHECK(found("pitfall_hangs", 300) == "loading it takes longer than 300 ms");
  CHECK(found("pitfall_chatty", 300) == "loading it takes longer than 300 ms");
  CHECK(found("pitfall_refuses").contains("not today"));
  CHECK(found("missing_symbol").contains("it needs the symbol"));
}

TEST_CASE("checker: what a plugin starts while it loads is gone with the check") {
  if (!kPlain) SKIP("the sanitizer's instrumentation is found");
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  CHECK(rules(try_file("pitfall_leaves_others").findings) == "warning fork");
  ::close(ends[1]);
  char byte = 0;
  CHECK(::read(ends[0], &byte, 1) == 0);  // nobody holds the other end
  ::close(ends[0]);
}

TEST_CASE("checker: the reference tells of each rule") {
  const std::string page = read(REFERENCE);
  for (const char* rule : {"file",         "note",     "version",   "entry",
                           "exports",      "unique",   "allocator", "runtime",
                           "thread-local", "exit",     "locale",    "signals",
                           "process",      "fork",     "stack",     "text-relocations",
                           "bind-now",     "build-id", "run-path",  "load",
                           "permissions"}) {
    INFO(rule);
    CHECK(page.contains("| `" + std::string(rule) + "` |"));
  }
}

TEST_CASE("checker: what a plugin provides and needs is known once it is loaded") {
  if (!kPlain) SKIP("the sanitizer's instrumentation is found");
  const Trial provider = try_file("provider");
  CHECK(provider.findings.empty());
  CHECK(provider.services == std::vector<std::string>{"users/1", "counter/1", "visit/1"});
  REQUIRE(provider.needs.size() == 1);
  CHECK(provider.needs[0].service == "missing/7");
  CHECK(provider.needs[0].optional);
  const Trial consumer = try_file("consumer");
  CHECK(consumer.services.empty());
  REQUIRE(consumer.needs.size() == 4);
  CHECK(consumer.needs[0].service == "users/1");
  CHECK_FALSE(consumer.needs[0].optional);
}

}  // namespace leat::plugin::test
