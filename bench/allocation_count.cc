// leat-allocation-count: how often a request asks the heap, on average over many, once all is warm.
//
// Counted is the whole process, which is a daemon without sockets (application.h), so what is there besides
// the request must not ask either. Prints one line of JSON.
#include <cstdio>
#include <string>

#include "bench/application.h"
#include "support/allocations.h"

int main() {
  using namespace leat;
  constexpr int kWarm = 1000, kRequests = 10'000;
  constexpr struct {
    const char* name;
    const char* target;
    const char* ending;
  } kRows[] = {
      {"json", "/json", R"({"message":"Hello, World!"})"},
      {"p4", "/payload/p4", R"("total":100,"page":1})"},
      {"p4_events", "/events/p4", R"("total":100,"page":1})"},
      {"cached_p4", "/cached/payload/p4", R"("total":100,"page":1})"},
      {"p11", "/search?user_id=123&name=john&active=true&score=95.5&tags=python,web,async",
       R"("tags":["python","web","async"]})"},
      {"gather_10", "/gather?count=10&limit=10&ms=0", R"({"sum":45})"},
      {"gather_10_waiting", "/gather?count=10&limit=10&ms=1", R"({"sum":45})"},
  };
  const bench::Application application(LEAT_BENCH_CONFIGURATION, {LEAT_DEMO_FOLDER, LEAT_BENCH_FOLDER});
  bench::Client client(application.site());
  const char* separator = "{";
  for (const auto& row : kRows) {
    const std::string request = std::string("GET ") + row.target + " HTTP/1.1\r\nHost: bench\r\n\r\n";
    client.expect(request, row.ending);
    for (int i = 0; i < kWarm; ++i) client.ask(request);
    const uint64_t before = test::heap_allocations();
    for (int i = 0; i < kRequests; ++i) client.ask(request);
    const uint64_t count = test::heap_allocations() - before;
    std::printf("%s\"%s\":%.4g", separator, row.name, static_cast<double>(count) / kRequests);
    separator = ",";
  }
  std::printf("}\n");
}
