#include "worker/line_protocol.h"

#include <fmt/core.h>

#include <algorithm>
#include <new>
#include <utility>

#include "base/check.h"

namespace leat::test {

LineProtocol::LineProtocol(LineEnvironment& environment, const http::ProtocolPeer& peer)
    : Protocol(peer, environment.memory), env_(environment), draining_(peer.internal) {}

LineProtocol::~LineProtocol() { ENSURE(!stream_.open()); }

void LineProtocol::feed(std::string_view bytes) {
  if (finished_) return;
  input_.append(bytes);
  run();
}

void LineProtocol::feed_end() {
  ended_ = true;
  run();
}

void LineProtocol::disconnect() {
  cut_ = true;
  close();
}

void LineProtocol::close() {
  finished_ = true;
  at_rest_ = false;
  input_.clear();
  stream_.leave();
  deadline_ms_ = UINT64_MAX;
}

void LineProtocol::sent(size_t size) {
  output_.consume(size);
  if (output_.size() > env_.output_high_bytes / 2 || !stream_.open()) return;
  http::Exchange& exchange = stream_.exchange();
  if (http::StreamSide(exchange).take_blocked() && !exchange.finished()) env_.service.on_writable(exchange);
  run();
}

void LineProtocol::resume(http::Exchange& exchange, http::WorkerContext::Resume call, void* argument) {
  ENSURE(stream_.open() && &exchange == &stream_.exchange());
  http::StreamSide(exchange).end_suspension();
  call(exchange, argument);
  run();
}

void LineProtocol::deadline_passed() {
  if (env_.worker.now_ns() / 1'000'000 < deadline_ms_) return;
  env_.service.on_late(stream_.exchange());
  stream_.exchange().send_problem(504, "The server did not answer in time.");
  run();
}

void LineProtocol::drain(uint64_t) {
  draining_ = true;
  run();
}

void LineProtocol::turn_away() { output_.append("=503 0\n") ? close() : disconnect(); }

// Answers what has come, one line after the other.
void LineProtocol::run() {
  while (!finished_) {
    if (stream_.open()) {
      if (!stream_.exchange().finished()) break;
      stream_.end_request();
      if (cut_) close();
      continue;
    }
    const size_t end = input_.find('\n');
    if (end == std::string::npos) {
      if (ended_ || draining_ || input_.size() > env_.most_line) close();
      break;
    }
    const std::string line = input_.substr(0, end);
    input_.erase(0, end + 1);
    if (line.empty() || line + '\n' == kLinePreface) continue;
    ++requests_;
    stream_.begin(line);
  }
  at_rest_ = !finished_ && !stream_.open() && input_.empty();
  deadline_ms_ = !finished_ && stream_.open() ? stream_.exchange().answer_deadline_ms() : UINT64_MAX;
}

void LineProtocol::LineStream::begin(std::string_view line) {
  LineEnvironment& env = protocol_.env_;
  exchange_ = env.exchanges.take(*this, env.service, size_t{1} << 20);
  if (exchange_ == nullptr) return protocol_.turn_away();
  http::Exchange& exchange = *exchange_;
  http::StreamSide side(exchange);
  if (protocol_.internal()) side.set_internal();
  exchange.set_body_limit(UINT64_MAX);
  exchange.request.set_identity(protocol_.peer_.identity);

  // The head is the line up to the body.
  const std::string_view bytes = exchange.arena().copy(line);
  void* const place = exchange.arena().allocate(sizeof(http::Head), alignof(http::Head));
  ENSURE(bytes.data() != nullptr && place != nullptr);
  const size_t path = std::min(bytes.find(' '), bytes.size() - 1) + 1;
  const size_t end = std::min(bytes.find(' ', path), bytes.size());
  const std::string_view body = bytes.substr(std::min(end + 1, bytes.size()));
  auto* const head = new (place) http::Head{.bytes = bytes.data(), .size = static_cast<uint32_t>(end)};
  head->method = bytes.starts_with("HEAD ") ? http::Method::Head : http::Method::Get;
  head->target = head->path = {static_cast<uint32_t>(path), static_cast<uint32_t>(end - path)};
  exchange.request.show_head(*head);

  side.set_requested();
  const http::Service::BodyMode mode = env.service.on_request(exchange);
  if (exchange.held()) return;
  side.set_complete(env.worker.now_ns() / 1'000'000 + env.answer_timeout_ms);
  if (exchange.finished()) return;
  if (mode == http::Service::BodyMode::Stream && !body.empty()) env.service.on_body(exchange, body);
  if (mode == http::Service::BodyMode::Buffer) ENSURE(side.keep_body(body));
  if (exchange.finished()) return;
  side.show_body({}, {});
  env.service.on_body_end(exchange);
}

void LineProtocol::LineStream::end_request() {
  protocol_.env_.service.on_done(*exchange_);
  protocol_.env_.exchanges.give(*std::exchange(exchange_, nullptr));
}

// Nobody waits for it any more.
void LineProtocol::LineStream::leave() {
  if (exchange_ == nullptr) return;
  http::StreamSide side(*exchange_);
  side.set_cancelled(true);
  if (!exchange_->finished()) {
    side.set_cut({499, "The client left before the answer was complete."});
    if (side.requested()) protocol_.env_.service.on_cancel(*exchange_);
  }
  end_request();
}

void LineProtocol::LineStream::answer(http::Exchange& exchange, http::AnswerFraming framing,
                                      std::string_view body, const http::Release* pinned) {
  transport::Output& output = protocol_.output_;
  bool queued = output.append(fmt::format("={} {}\n", exchange.response.status, framing.length));
  if (exchange.head_only()) body = {};
  if (pinned != nullptr) {
    if (queued && !body.empty() && output.append_pinned(body, *pinned))
      body = {};
    else if (pinned->run != nullptr)
      pinned->run(pinned->context);
  } else {
    queued = queued && output.append(body);
  }
  if (!queued) cut(exchange, {503, "Memory is out."});
}

void LineProtocol::LineStream::head(http::Exchange& exchange, http::AnswerFraming) {
  if (!protocol_.output_.append(fmt::format("~{}\n", exchange.response.status)))
    cut(exchange, {503, "Memory is out."});
}

bool LineProtocol::LineStream::data(http::Exchange& exchange, std::string_view bytes) {
  transport::Output& output = protocol_.output_;
  if (!bytes.empty() && !exchange.head_only() &&
      !(output.append(fmt::format("+{}\n", bytes.size())) && output.append(bytes))) {
    cut(exchange, {503, "Memory is out."});
    return false;
  }
  return output.size() < protocol_.env_.output_high_bytes;
}

void LineProtocol::LineStream::end(http::Exchange& exchange) {
  if (!protocol_.output_.append("+0\n")) cut(exchange, {503, "Memory is out."});
}

void LineProtocol::LineStream::cut(http::Exchange& exchange, const http::Refusal& why) {
  ENSURE(&exchange == exchange_);
  (void)protocol_.output_.append("-0\n");
  protocol_.cut_ = true;
  http::StreamSide(exchange).cut(why);
}

}  // namespace leat::test
