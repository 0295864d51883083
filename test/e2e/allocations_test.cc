// The heap allocations of the real daemon, allocator and plugins and all, counted from outside: requests in
// steady state make none.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "e2e/client.h"
#include "e2e/daemon.h"
#include "e2e/http2_client.h"

namespace leat::e2e {

namespace {

// A file that counting_malloc.so counts into.
class Counter {
 public:
  Counter() {
    const std::string file = folder_.write("count", std::string(sizeof *count_, '\0'));
    const int opened = ::open(file.c_str(), O_RDWR);
    REQUIRE(opened >= 0);
    void* mapped = ::mmap(nullptr, sizeof *count_, PROT_READ | PROT_WRITE, MAP_SHARED, opened, 0);
    ::close(opened);
    REQUIRE(mapped != MAP_FAILED);
    count_ = static_cast<std::atomic<uint64_t>*>(mapped);
    // What is started while it lives is counted.
    ::setenv("ALLOCATION_COUNT", file.c_str(), 1);
    ::setenv("LD_PRELOAD", COUNTING_MALLOC, 1);
  }
  ~Counter() {
    ::unsetenv("LD_PRELOAD");
    ::unsetenv("ALLOCATION_COUNT");
    ::munmap(count_, sizeof *count_);
  }
  [[nodiscard]] uint64_t count() const { return count_->load(); }

 private:
  TempFolder folder_;
  std::atomic<uint64_t>* count_ = nullptr;
};

constexpr std::string_view kConfiguration =
    "[server]\nlisten = \"127.0.0.1:0\"\n"
    "[[plugin]]\nname = \"demo\"\nfile = \"" DEMO_PLUGIN
    "\"\n"
    "[[plugin]]\nname = \"gather\"\nfile = \"" TEST_PLUGINS
    "/gather.so\"\n"
    "[[plugin]]\nname = \"r\"\nfile = \"" TEST_PLUGINS
    "/responses.so\"\n"
    "[[route]]\npath = \"/varied\"\nhandler = \"r:make\"\n[route.cache]\nttl = \"1d\"\n"
    "[[route]]\npath = \"/json\"\nhandler = \"demo:json\"\n"
    "[[route]]\npath = \"/payload/{id}\"\nhandler = \"demo:payload\"\n"
    "[[route]]\npath = \"/cached/{id}\"\nhandler = \"demo:payload\"\n[route.cache]\nttl = \"1d\"\n"
    "[[route]]\npath = \"/keyed\"\nhandler = \"demo:json\"\n"
    "middleware = [{kind = \"api_key\", query = \"key\", "
    "keys = [\"one sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"]}]\n"
    "[[route]]\npath = \"/numbers\"\nhandler = \"gather:numbers\"\n"
    "[[route]]\npath = \"/values\"\nhandler = \"gather:values\"\n";

int status_of(Client& client, std::string_view target) { return client.ask(get(target)).status; }
int status_of(Http2Client& client, std::string_view target) {
  return client.ask("GET", target).response.status;
}

// Heap allocations of 200 requests, the least of some rounds: something else of the process may fall into one
// of them, not into all.
template <class AnyClient>
uint64_t allocations(const Counter& counter, AnyClient& client, std::string_view target) {
  const int status = target == "/nowhere" ? 404 : 200;
  const auto ask = [&](int times) {
    int good = 0;
    for (int i = 0; i < times; ++i) good += status_of(client, target) == status ? 1 : 0;
    return good == times;
  };
  REQUIRE(ask(300));
  uint64_t least = UINT64_MAX;
  for (int round = 0; round < 5 && least != 0; ++round) {
    const uint64_t before = counter.count();
    REQUIRE(ask(200));
    least = std::min(least, counter.count() - before);
  }
  return least;
}

}  // namespace

TEST_CASE("allocations: a request in steady state makes none on the heap") {
  if (kSanitized) SKIP("no library can stand before a sanitizer's");
  const Counter counter;
  for (const char* engine : kEngines) {
    Daemon daemon(kConfiguration, {.arguments = {"--workers", "1", "--engine", engine}});
    Client client(daemon.address());
    Http2Client http2(daemon.address());
    for (const char* target :
         {"/json", "/payload/p4", "/cached/p4", "/cached/p1", "/varied?header=Vary:Accept", "/nowhere",
          "/keyed?key=abc", "/numbers?n=10&limit=10"}) {
      INFO(engine << " " << target);
      CHECK(allocations(counter, client, target) == 0);
      CHECK(allocations(counter, http2, target) == 0);
    }
    // The counter sees those of a plugin.
    CHECK(allocations(counter, client, "/values?n=2&limit=2&how=at%20once") >= 200);
  }
}

}  // namespace leat::e2e
