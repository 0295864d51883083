// Counts heap allocations of handlers in C++: requests through a session and the plugin host.
#include <catch2/catch_test_macros.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/value.h"
#include "plugin/host.h"
#include "support/allocations.h"
#include "support/direct_service.h"
#include "support/http_harness.h"

namespace leat::plugin::test {
namespace {

// Heap allocations of 1000 requests for the handler `name` of the plugin, once it is warm.
uint64_t allocations_of(const char* name, std::string_view target = "/", const char* plugin = "tasks") {
  auto library =
      PluginLibrary::load(plugin, {.directories = {TEST_PLUGINS}, .daemon_version = "0", .worker_count = 1});
  REQUIRE(library);
  auto instance = PluginInstance::create(**library, "tested", Value());
  REQUIRE(instance);
  REQUIRE((*instance)->worker_init(0));
  uint64_t count = 0;
  {
    auto handler = make_handler(**instance, name, {.id = name, .pattern = "/", .params = {}});
    REQUIRE(handler);
    leat::test::DirectService service;
    service.handler = handler->get();
    leat::test::HttpHarness harness(service);
    http1::Session session(harness.environment, "192.0.2.7", 0);
    const std::string request =
        "GET " + std::string(target) +
        " HTTP/1.1\r\nHost: test\r\nX-Tags: a, bc\r\n"
        "X-Id: 01234567-89ab-cdef-0123-456789abcdef\r\nCookie: since=2026-02-28T12:00:00Z\r\n\r\n";
    const auto ask = [&](int times) {
      bool good = true;
      for (int i = 0; i < times; ++i) {
        session.feed(request);
        std::string_view parts[8];
        const size_t parts_count = session.output().gather(parts);
        good = good && parts_count > 0 && parts[0].starts_with("HTTP/1.1 200 OK\r\n");
        size_t size = 0;
        for (size_t part = 0; part < parts_count; ++part) size += parts[part].size();
        session.sent(size);
      }
      return good;
    };
    REQUIRE(ask(100));
    const uint64_t before = leat::test::heap_allocations();
    const bool good = ask(1000);
    count = leat::test::heap_allocations() - before;
    CHECK(good);
    session.disconnect();
  }
  (*instance)->worker_fini(0);
  return count;
}

}  // namespace

TEST_CASE("task: one that waits for nothing allocates nothing on the heap, nor do those that it awaits") {
  CHECK(allocations_of("living") == 0);
  CHECK(allocations_of("living_task") == 0);
  CHECK(allocations_of("living_nested") == 0);
}

TEST_CASE("rules: to look parameters up and check them allocates nothing on the heap") {
  CHECK(allocations_of("texts", "/?name=%C3%A4b&code=ab1&sort=oldest", "rules") == 0);
  CHECK(allocations_of("lists", "/?id=3&id=4&flag=yes", "rules") == 0);
  CHECK(allocations_of("numbers", "/?real=0.5", "rules") == 0);
}

TEST_CASE("task: the counter sees what a plugin allocates") { CHECK(allocations_of("heap_task") >= 1000); }

}  // namespace leat::plugin::test
