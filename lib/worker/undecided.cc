#include "worker/undecided.h"

#include <algorithm>

#include "base/check.h"

namespace leat::worker {

namespace {

// No preface is longer; that of HTTP/2 has 24 bytes.
constexpr size_t kMostKept = 64;

}  // namespace

Undecided::Undecided(const net::Loop& loop, const http::Limits& limits, const http::ProtocolPeer& peer,
                     transport::OutputMemory memory)
    : Protocol(peer, memory), loop_(loop), limits_(limits) {
  deadline_ms_ = loop_.now_ms() + limits_.idle_timeout_ms;
}

void Undecided::feed(std::string_view bytes) {
  if (finished_ || bytes.empty()) return;
  if (first_.empty()) deadline_ms_ = loop_.now_ms() + limits_.head_timeout_ms;
  first_ += bytes;
  ENSURE(first_.size() <= kMostKept);
  at_rest_ = false;
}

void Undecided::deadline_passed() {
  if (loop_.now_ms() >= deadline_ms_) end();
}

// Between two requests, as it were: nothing was asked for. What has begun goes on.
void Undecided::drain(uint64_t idle_until_ms) {
  if (!first_.empty()) return;
  deadline_ms_ = std::min(deadline_ms_, idle_until_ms);
  deadline_passed();
}

void Undecided::disconnect() {
  cut_ = true;
  end();
}

// There is nobody who could say why.
void Undecided::end() {
  finished_ = true;
  at_rest_ = false;
  deadline_ms_ = UINT64_MAX;
}

void Undecided::resume(http::Exchange&, http::WorkerContext::Resume, void*) {
  ENSURE(false);  // it has no exchange
}

}  // namespace leat::worker
