// The test host keeps to the conformance list.
#include "support/conformance.h"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <leat/testhost.hpp>

namespace leat::test {

TEST_CASE("conformance: the test host keeps to the list") {
  // The upstream is a host of its own, which the one under test asks as if over a socket.
  testing::Host other(DEMO_PLUGIN, {.text = upstream_configuration("", "demo.so")});
  constexpr const char* kUpstream = "http://upstream.example:8080";
  testing::Host host(DEMO_PLUGIN,
                     {.text = conformance_configuration("", TEST_PLUGINS, "demo.so", kUpstream)});
  host.upstream(kUpstream, [&](const testing::Asked& asked) -> testing::Answered {
    testing::Request request = other.request(asked.method, asked.target);
    for (const auto& [name, value] : asked.headers) request.header(name, value);
    if (!asked.body.empty()) request.body(asked.body);
    const bool late = asked.target.starts_with("/sleep/");
    if (late) return {.after = std::chrono::seconds(10)};
    const testing::Reply reply = request.send();
    return {.status = reply.status, .headers = reply.headers, .body = reply.body};
  });
  const auto logs = [&](std::string_view text) {
    return text.empty() ||
           std::ranges::any_of(host.log(), [&](const std::string& line) { return line.contains(text); });
  };
  for (const ConformanceCase& each : conformance_cases()) {
    testing::Request request = host.request(each.method, each.target);
    for (const auto& [name, value] : each.headers) request.header(name, value);
    if (!each.body.empty()) request.body(each.body);
    if (each.chunked) request.chunked().split_body_at_each_byte();
    if (each.leaves) {
      request.start().cancel();
      CHECK(logs(each.expected.said));
      continue;
    }
    std::string wrong;
    const auto ask = [&] {
      const testing::Reply reply = request.send();
      ConformanceAnswer answer{reply.status, reply.headers, reply.body, reply.cut};
      for (auto& [name, value] : answer.headers)
        std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
      wrong = judge(each, answer);
      return wrong.empty();
    };
    if (!ask() && each.eventually) (void)host.run_until(ask);
    CHECK(wrong == "");
    INFO(each.title << ": " << each.expected.said);
    CHECK(logs(each.expected.said));
  }
  host.close();
  other.close();
}

}  // namespace leat::test
