// The checker: each rule finds the plugin that breaks it, and nothing in one that is sound.
#include "plugin/checker.h"

#include <algorithm>
#include <catch2/catch_get_random_seed.hpp>
#include <catch2/catch_test_macros.hpp>
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

TEST_CASE("checker: loading is tried in a process of its own, whatever comes of it") {
  const LibraryOptions options;
  CHECK(rules(try_to_load(path_of("pitfall_sound"), options, 20'000).findings) == "");
  const auto crashed = try_to_load(path_of("pitfall_crashes"), options, 20'000).findings;
  REQUIRE(crashed.size() == 1);
  CHECK(crashed[0].found.contains("signal 11"));
  const auto hung = try_to_load(path_of("pitfall_hangs"), options, 300).findings;
  REQUIRE(hung.size() == 1);
  CHECK(hung[0].found == "loading it takes longer than 300 ms");
  const auto refused = try_to_load(path_of("pitfall_refuses"), options, 20'000).findings;
  REQUIRE(refused.size() == 1);
  CHECK(refused[0].found.contains("not today"));
  const auto missing = try_to_load(path_of("missing_symbol"), options, 20'000).findings;
  REQUIRE(missing.size() == 1);
  CHECK(missing[0].found.contains("it needs the symbol"));
}

TEST_CASE("checker: what a plugin provides and needs is known once it is loaded") {
  const LibraryOptions options;
  const Trial provider = try_to_load(path_of("provider"), options, 20'000);
  CHECK(provider.findings.empty());
  CHECK(provider.services == std::vector<std::string>{"users/1", "counter/1", "visit/1"});
  REQUIRE(provider.needs.size() == 1);
  CHECK(provider.needs[0].service == "missing/7");
  CHECK(provider.needs[0].optional);
  const Trial consumer = try_to_load(path_of("consumer"), options, 20'000);
  CHECK(consumer.services.empty());
  REQUIRE(consumer.needs.size() == 4);
  CHECK(consumer.needs[0].service == "users/1");
  CHECK_FALSE(consumer.needs[0].optional);
}

}  // namespace leat::plugin::test
