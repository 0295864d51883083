#include "http2/stream.h"

#include <new>
#include <utility>

#include "base/check.h"

namespace leat::http2 {

namespace {

// Kept for the next requests: those of a busy connection. Others go back to the allocator.
constexpr size_t kMostKept = 256;

}  // namespace

StreamPool::~StreamPool() {
  ENSURE(out_ == 0);
  memory_.blocks.refund(idle_.size() * sizeof(Stream));
}

Stream* StreamPool::take(Session& session, uint32_t id) {
  if (idle_.empty()) {
    if (!memory_.blocks.charge(sizeof(Stream))) return nullptr;
    std::unique_ptr<Stream> made(new (std::nothrow) Stream(memory_));
    if (made == nullptr) {
      memory_.blocks.refund(sizeof(Stream));
      return nullptr;
    }
    idle_.reserve(kMostKept);
    idle_.push_back(std::move(made));
  }
  Stream& stream = *idle_.back().release();
  idle_.pop_back();
  ++out_;
  stream.session = &session;
  stream.id = id;
  return &stream;
}

void StreamPool::give(Stream& stream) {
  ENSURE(stream.exchange == nullptr && stream.switched == nullptr && stream.queue.empty() &&
         stream.held.empty() && !stream.scheduled && !stream.touched && out_ > 0);
  --out_;
  if (idle_.size() == kMostKept) {
    delete &stream;
    memory_.blocks.refund(sizeof(Stream));
    return;
  }
  stream.session = nullptr;
  stream.step = Stream::Step::Head;
  stream.receives = stream.body_ended = stream.head_sent = stream.ends = stream.trailers = stream.end_sent =
      false;
  stream.reset = stream.blocked = stream.connects = stream.deaf = false;
  stream.linger_until_ms = 0;
  stream.received = 0;
  stream.trailer_slots = {};
  stream.trailer_text = {};
  stream.body.reset();
  stream.stalled_since_ms = 0;
  stream.progress = 0;
  stream.priority = {};
  stream.older = stream.newer = stream.next_in_bucket = stream.before = stream.behind = stream.next_touched =
      nullptr;
  idle_.emplace_back(&stream);
}

}  // namespace leat::http2
