// The daemon keeps to the conformance list.
#include "support/conformance.h"

#include <fmt/core.h>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "e2e/client.h"
#include "e2e/daemon.h"
#include "e2e/http2_client.h"
#include "e2e/tls_files.h"

namespace leat::e2e {
namespace {

using test::ConformanceAnswer;
using test::ConformanceCase;

std::string wire(const ConformanceCase& asked) {
  std::string text = fmt::format("{} {} HTTP/1.1\r\nHost: test\r\n", asked.method, asked.target);
  for (const auto& [name, value] : asked.headers) text += name + ": " + value + "\r\n";
  if (!asked.chunked)
    return text + (asked.body.empty() ? "" : fmt::format("Content-Length: {}\r\n", asked.body.size())) +
           "\r\n" + asked.body;
  text += "Transfer-Encoding: chunked\r\n\r\n";
  for (const char byte : asked.body) text += fmt::format("1\r\n{}\r\n", byte);
  return text + "0\r\n\r\n";
}

// One that is expected to be cut, which no client of good manners takes for an answer.
ConformanceAnswer read_cut(Client& client) {
  const std::string text = client.read_to_end();
  const size_t end = std::min(text.find("\r\n\r\n"), text.size());
  ConformanceAnswer answer{.status = text.size() > 12 ? std::stoi(text.substr(9, 3)) : 0};
  answer.body = text.substr(std::min(end + 4, text.size()));
  const size_t length = text.find("Content-Length: ");
  answer.cut = length < end ? answer.body.size() < std::stoul(text.substr(length + 16))
                            : !answer.body.ends_with("0\r\n\r\n");
  return answer;
}

ConformanceAnswer ask(const std::string& address, const ConformanceCase& asked) {
  Client client(address);
  client.send(wire(asked));
  if (asked.expected.cut) return read_cut(client);
  const Response response = client.read_response(asked.method == "HEAD");
  return {.status = response.status, .headers = response.fields, .body = response.body};
}

// Over HTTP/2, where pieces are frames.
ConformanceAnswer ask_http2(const std::string& address, const ConformanceCase& asked) {
  Http2Client client(address);
  const Http2Client::Answer answer =
      client.ask(asked.method, asked.target, asked.headers, asked.body, !asked.chunked);
  return {.status = answer.response.status,
          .headers = answer.response.fields,
          .body = answer.response.body,
          .cut = !answer.whole};
}

void leave(const std::string& address, const ConformanceCase& asked, bool http2) {
  if (!http2) return Client(address).send(wire(asked));
  Http2Client client(address);
  (void)client.begin(asked.method, asked.target, asked.headers, asked.body, !asked.chunked);
}

}  // namespace

TEST_CASE("conformance: the daemon keeps to the list") {
  // HTTP/2 by prior knowledge, and HTTP/1.1 over TLS.
  enum class Over : uint8_t { Plain, Http2, Tls };
  const auto [engine, over] = GENERATE(table<const char*, Over>({{"io_uring", Over::Plain},
                                                                 {"io_uring", Over::Http2},
                                                                 {"io_uring", Over::Tls},
                                                                 {"epoll", Over::Plain},
                                                                 {"epoll", Over::Http2}}));
  const bool http2 = over == Over::Http2, tls = over == Over::Tls;
  INFO(engine << (http2 ? ", HTTP/2" : ", HTTP/1.1") << (tls ? " over TLS" : ""));
  const std::string server = fmt::format("[server]\nlisten = [\"127.0.0.1:0\"]\nengine = \"{}\"\n", engine);
  const TlsFiles files({"localhost"});
  const Daemon upstream(test::upstream_configuration(server, "demo.so"));
  const Daemon daemon(test::conformance_configuration(
      tls ? fmt::format("[server]\nengine = \"{}\"\n", engine) + tls_listener() + files.table() : server,
      TEST_PLUGINS, "demo.so", "http://" + upstream.address()));
  const std::string address = (tls ? "tls:" : "") + daemon.address();
  for (const ConformanceCase& each : test::conformance_cases()) {
    if (each.leaves) {
      leave(address, each, http2);
      CHECK(daemon.logs(each.expected.said));
      continue;
    }
    std::string wrong;
    const auto right = [&] {
      wrong = judge(each, http2 ? ask_http2(address, each) : ask(address, each));
      return wrong.empty();
    };
    if (!right() && each.eventually) (void)wait_until(right);
    CHECK(wrong == "");
    INFO(each.title << ": " << each.expected.said);
    CHECK(daemon.logs(each.expected.said));
  }
}

}  // namespace leat::e2e
