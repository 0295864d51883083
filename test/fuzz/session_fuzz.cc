// A session under any bytes, in any pieces, with everything that can happen to it between them: answers that
// leave slowly, timers, deadlines, turns, draining, the end of the peer's side, and the loss of the
// connection.
//
// Checked: the service's contract (by WireService), that every answer is well-formed in the eyes of llhttp,
// that there are no more answers than requests and one for each that was not cut, that an idle session holds
// nothing, and that all memory is back at the end.
//
// Input: a byte that chooses limits and memory, then events: a byte that names one, what it needs, and for
// bytes of the peer a length and that many bytes. From the first byte that names no event on, the rest is the
// peer's.
#include <llhttp.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <string>
#include <vector>

#include "fuzz/choices.h"
#include "support/http_harness.h"

namespace leat::fuzz {

namespace {

// WireService's site, and handlers that pause a body, wait for the peer to read, and give up.
class Site final : public http::Service {
 public:
  BodyMode on_request(http::Exchange& exchange) override {
    const std::string_view path = exchange.request.path();
    if (path == "/pause") {
      wire.on_request(exchange);
      exchange.pause_body();
      later(exchange, [](http::Exchange& paused, void*) { paused.resume_body(); });
      return BodyMode::Buffer;
    }
    if (path == "/abort") exchange.abort();
    if (path == "/flow") {
      wire.on_request(exchange);
      exchange.begin(std::nullopt);
      return BodyMode::Stream;
    }
    return wire.on_request(exchange);
  }
  void on_body(http::Exchange& exchange, std::string_view piece) override {
    if (exchange.request.path() != "/flow") return wire.on_body(exchange, piece);
    for (const char c : piece) sum += static_cast<unsigned char>(c);  // every byte of it can be read
    if (!exchange.write(piece)) exchange.pause_body();
  }
  void on_body_end(http::Exchange& exchange) override {
    const std::string_view path = exchange.request.path();
    if (path == "/flow") {
      exchange.end();
    } else if (path == "/pinned") {
      ++pinned;
      exchange.send_pinned(kPinned, {[](void* site) { --static_cast<Site*>(site)->pinned; }, this});
    } else if (path == "/torn") {
      exchange.begin(100);
      exchange.write("torn");
      later(exchange, [](http::Exchange& torn, void*) { torn.abort(); });
    } else if (path == "/never") {
      exchange.suspend();
    } else {
      wire.on_body_end(exchange);
    }
  }
  void on_writable(http::Exchange& exchange) override { exchange.resume_body(); }
  void on_response(http::Exchange& exchange) override {
    wire.on_response(exchange);
    head_only.push_back(exchange.request.method() == http::Method::Head);
  }
  void on_cancel(http::Exchange& exchange) override {
    ENSURE(!exchange.send("too late"));
    wire.on_cancel(exchange);
  }
  void on_done(http::Exchange& exchange) override { wire.on_done(exchange); }

  test::WireService wire;
  std::deque<bool> head_only;  // of the answers begun and not yet read, whether they are to HEAD
  size_t pinned = 0;
  uint64_t sum = 0;

 private:
  static inline const std::string kPinned = std::string(10'000, 'x');

  static void later(http::Exchange& exchange, http::WorkerContext::Resume call) {
    ENSURE(exchange.worker().resume_after(exchange.suspend(), 1, call, nullptr));
  }
};

// Reads what the session sent as a client would.
class Reader {
 public:
  explicit Reader(Site& site) : site_(site) {
    static const llhttp_settings_t kSettings = [] {
      llhttp_settings_t settings;
      llhttp_settings_init(&settings);
      settings.on_headers_complete = [](llhttp_t* llhttp) { return self(llhttp).on_head(); };
      settings.on_message_complete = [](llhttp_t* llhttp) {
        if (llhttp->status_code >= 200) ++self(llhttp).answers;
        return 0;
      };
      return settings;
    }();
    llhttp_init(&llhttp_, HTTP_RESPONSE, &kSettings);
    llhttp_.data = this;
  }

  void read(std::string_view bytes) {
    const auto error = llhttp_execute(&llhttp_, bytes.data(), bytes.size());
    if (error == HPE_OK) return;
    std::fprintf(stderr, "malformed answer: %s %s\n%.*s\n", llhttp_errno_name(error),
                 llhttp_get_error_reason(&llhttp_), static_cast<int>(bytes.size()), bytes.data());
    std::abort();
  }
  // The connection has ended in order: no answer may be incomplete.
  void end() {
    if (llhttp_finish(&llhttp_) == HPE_OK && answers == heads) return;
    std::fprintf(stderr, "the last answer is incomplete\n");
    std::abort();
  }

  size_t heads = 0;    // of final answers
  size_t answers = 0;  // complete ones
  bool closing = false;

 private:
  static Reader& self(llhttp_t* llhttp) { return *static_cast<Reader*>(llhttp->data); }

  int on_head() {
    if (llhttp_.status_code < 200) return 0;
    ENSURE(!closing);  // nothing follows an answer that says so
    ++heads;
    closing = (llhttp_.flags & F_CONNECTION_CLOSE) != 0;
    // The one refusal that no exchange could be had for is written without a service.
    const bool head_only = !site_.head_only.empty() && site_.head_only.front();
    if (!site_.head_only.empty()) site_.head_only.pop_front();
    return head_only ? 1 : 0;
  }

  llhttp_t llhttp_;
  Site& site_;
};

class Run {
 public:
  explicit Run(uint8_t setting)
      : harness_(site_, setting % 2 == 0, setting % 8 == 7 ? 0 : 4, setting % 16 == 9 ? 3 : 256),
        reader_(site_) {
    http::Limits& limits = harness_.limits;
    if (setting & 16) limits.output_high_bytes = 600, limits.output_low_bytes = 100;
    if (setting & 32) limits.pipeline_turn = 2;
    if (setting & 64) limits.requests_per_connection = 3;
    if (setting & 128)
      limits.header_count = 4, limits.header_bytes = 200, limits.request_line_bytes = 60,
      limits.body_bytes = 50;
  }

  void play(Choices& choices) {
    http1::Session session(harness_.environment, "192.0.2.1", 0);
    bool gone = false;
    while (!choices.empty() && !gone) {
      const uint8_t event = choices.byte();
      switch (event) {
        case 'a':
          feed(session, choices.take(choices.byte()));
          break;
        case 'b':
          feed(session, choices.take(1));
          break;
        case 'c':
          take(session, SIZE_MAX);
          break;
        case 'd':
          take(session, choices.byte());
          break;
        case 'e':
          harness_.resume_all();
          break;
        case 'f':
          session.take_turn();
          break;
        case 'g':
          harness_.worker.now_ms += choices.byte() * 100;
          break;
        case 'h':
          session.deadline_passed();
          break;
        case 'i':
          session.drain(harness_.worker.now_ms + choices.byte() * 10);
          break;
        case 'j':
          session.feed_end();
          break;
        case 'l':
          session.peer_ended();
          break;
        case 'k':
          gone = true;
          break;
        default:
          feed(session, choices.take(SIZE_MAX));
          break;
      }
      check(session);
    }
    if (!gone) come_to_an_end(session);
    session.disconnect();
    session.output().clear();
    ENSURE(site_.wire.done == site_.wire.requests + site_.wire.refused);
    ENSURE(harness_.exchanges.out() == 0);
    ENSURE(site_.pinned == 0);
  }

  // Everything goes back with the session, its input included.
  void check_memory() {
    ENSURE(harness_.worker.blocks().out() == 0);
    ENSURE(harness_.segments.out() == 0);
  }

 private:
  // A copy of its own for each, so that the sanitizer sees a view that is kept.
  static void feed(http1::Session& session, std::string_view bytes) {
    const std::vector<char> copy(bytes.begin(), bytes.end());
    session.feed({copy.data(), copy.size()});
  }

  void take(http1::Session& session, size_t most) {
    std::string_view parts[4];
    while (most != 0 && !session.output().empty()) {
      const size_t count = session.output().gather(parts);
      size_t size = 0;
      for (const std::string_view part : std::span(parts).first(count)) {
        const std::string_view piece = part.substr(0, most - size);
        reader_.read(piece);
        size += piece.size();
      }
      session.sent(size);
      most -= size;
    }
  }

  void check(const http1::Session& session) {
    ENSURE(reader_.heads <= site_.wire.requests + site_.wire.refused + 1);
    if (!session.idle()) return;
    ENSURE(harness_.worker.blocks().out() == 0);
    ENSURE(harness_.exchanges.out() == 0);
    ENSURE(reader_.answers == site_.wire.requests);
  }

  // The peer ends its side and reads all; every timer runs.
  void come_to_an_end(http1::Session& session) {
    session.feed_end();
    for (int i = 0; i < 10'000 && !(session.finished() && session.output().empty()); ++i) {
      take(session, SIZE_MAX);
      session.take_turn();
      harness_.resume_all();
      if (harness_.worker.waiting.empty() && session.output().empty() && !session.wants_turn()) break;
    }
    take(session, SIZE_MAX);
    check(session);
    if (session.finished() && !session.cut()) reader_.end();
  }

  Site site_;
  test::HttpHarness harness_;
  Reader reader_;
};

}  // namespace
}  // namespace leat::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return leat::fuzz::play<leat::fuzz::Run>(data, size);
}
