#include <algorithm>

#include "base/check.h"
#include "support/http_harness.h"

namespace leat::test {

namespace {

void echo_head(http::Exchange& exchange) {
  exchange.response.content_type = exchange.request.header(http::HeaderId::ContentType);
}

std::string describe(const http::Request& request) {
  std::string text = std::string(http::method_name(request.method())) +
                     " path=" + std::string(request.path()) + " query=" + std::string(request.query()) +
                     " host=" + std::string(request.host()) + "\n";
  for (const http::HeaderSlot& slot : request.head().headers())
    text += std::string(request.head().view(slot.name)) + "=[" +
            std::string(request.head().view(slot.value)) + "]\n";
  return text;
}

}  // namespace

http::Service::BodyMode WireService::on_request(http::Exchange& exchange) {
  ++requests;
  const std::string_view path = exchange.request.path();
  if (path == "/stream") {
    echo_head(exchange);
    exchange.begin(std::nullopt);
    return BodyMode::Stream;
  }
  if (path == "/early") {
    exchange.response.status = 403;
    exchange.send("no");
    return BodyMode::Discard;
  }
  if (path == "/early-stream") {
    exchange.begin(std::nullopt);
    exchange.write("no");
    exchange.end();
    return BodyMode::Discard;
  }
  if (path == "/small") exchange.set_body_limit(4);
  return BodyMode::Buffer;
}

void WireService::on_body(http::Exchange& exchange, std::string_view piece) { exchange.write(piece); }

void WireService::on_body_end(http::Exchange& exchange) {
  const http::Request& request = exchange.request;
  const std::string_view path = request.path();
  exchange.response.content_type = "text/plain";
  if (path == "/stream") {
    exchange.end();
  } else if (path == "/echo") {
    echo_head(exchange);
    exchange.send(request.body());
  } else if (path == "/describe") {
    exchange.send(describe(request));
  } else if (path == "/trailers") {
    std::string text;
    for (const http::HeaderSlot& slot : request.trailers())
      text += std::string(request.trailer_view(slot.name)) + "=[" +
              std::string(request.trailer_view(slot.value)) + "]\n";
    exchange.send(text);
  } else if (path == "/chunks") {
    exchange.begin(std::nullopt);
    exchange.write("first");
    exchange.write("");
    exchange.write("second");
    ENSURE(exchange.add_trailer("X-Sum", "11"));
    exchange.end();
  } else if (path == "/length") {
    exchange.begin(5);
    exchange.write("12345678");
    exchange.end();
  } else if (path == "/short") {
    exchange.begin(50);
    exchange.write("12345678");
    exchange.end();
  } else if (path == "/nocontent") {
    exchange.response.status = 204;
    exchange.send("dropped");
  } else if (path == "/notmodified") {
    exchange.response.status = 304;
    exchange.send("dropped");
  } else if (path == "/reset") {
    exchange.response.status = 205;
    exchange.send("dropped");
  } else if (path == "/reset-in-pieces") {
    exchange.response.status = 205;
    exchange.begin(std::nullopt);
    exchange.write("dropped");
    exchange.end();
  } else if (path == "/large-head" || path == "/large-head-in-pieces") {
    static const std::string kLarge(Block::kSize, 'x');
    ENSURE(exchange.response.add("X-Large", kLarge));
    if (path == "/large-head") {
      exchange.send("never sent");
    } else {
      exchange.begin(std::nullopt);
      ENSURE(!exchange.write("never sent"));
      ENSURE(!exchange.end());
    }
  } else if (path == "/later") {
    const http::Ticket ticket = exchange.suspend();
    ENSURE(exchange.worker().resume_after(
        ticket, 5, [](http::Exchange& later, void*) { later.send("later"); }, nullptr));
  } else if (path == "/twice") {
    exchange.send("once");
    ENSURE(!exchange.send("twice"));
  } else if (path == "/inject") {
    ENSURE(!exchange.response.add("X-Bad", "a\x01"));
    ENSURE(!exchange.response.add("Server", "another"));
    ENSURE(!exchange.response.add("X-Bad", "a\r\nX-Evil: 1"));
    ENSURE(!exchange.response.add("Content-Length", "1"));
    exchange.send("safe");
  } else if (path == "/missing") {
    exchange.send_problem(404, "Nothing is here.");
  } else {
    exchange.send("hello");
  }
}

void WireService::on_writable(http::Exchange&) {}
void WireService::on_response(http::Exchange& exchange) {
  if (exchange.request.path() == "/length") ENSURE(exchange.response.add("X-Seen", "yes"));
}
void WireService::on_cancel(http::Exchange&) { ++cancelled; }
void WireService::on_done(http::Exchange& exchange) {
  ++done;
  if (exchange.request.head().size == 0) ++refused;
  ENSURE(done <= requests + refused);
}

}  // namespace leat::test
