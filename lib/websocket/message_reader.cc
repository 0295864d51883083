#include "websocket/message_reader.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "websocket/workspace.h"

namespace leat::websocket {

namespace {

// Frames of one message at most: those without payload are in no other bound.
constexpr uint32_t kMostFragments = 65'536;
// What is announced is believed up to here; memory follows the bytes beyond.
constexpr size_t kBelieved = Block::kSize;

constexpr std::string_view kFlushed("\x00\x00\xff\xff", 4);  // RFC 7692, section 7.2.2

constexpr std::string_view kTooBig = "the message is larger than this server takes";
constexpr std::string_view kNoMemory = "the server has no memory left for this";
constexpr std::string_view kNotText = "a text is not UTF-8";

}  // namespace

auto MessageReader::fail(uint16_t code, std::string_view why) -> Event {
  failed_ = true;
  code_ = code;
  why_ = why;
  payload_ = {};
  message_.clear();
  return Event::Failed;
}

auto MessageReader::next(std::string_view in, size_t& used) -> Event {
  if (failed_) return Event::Failed;
  release();
  while (used < in.size() || (in_payload_ && left_ == 0)) {
    Event event = Event::More;
    if (!in_payload_)
      event = take_head(in, used);
    else if (is_control(frame_.opcode))
      event = take_control(in, used);
    else
      event = take_data(in, used);
    if (event != Event::More) return event;
  }
  return Event::More;
}

auto MessageReader::take_head(std::string_view in, size_t& used) -> Event {
  const std::string_view come = in.substr(used);
  std::string_view bytes = come;
  if (head_size_ != 0) {  // a part of it came before
    const size_t more = std::min(come.size(), kMostHead - head_size_);
    std::memcpy(head_ + head_size_, come.data(), more);
    bytes = {head_, head_size_ + more};
  }
  size_t size = 0;
  switch (read_head(bytes, frame_, size, why_)) {
    case HeadStep::Wrong:
      return fail(close_code::kProtocol, why_);
    case HeadStep::More:
      if (head_size_ == 0) std::memcpy(head_, bytes.data(), bytes.size());
      head_size_ = static_cast<uint8_t>(bytes.size());
      used = in.size();
      return Event::More;
    case HeadStep::Done:
      break;
  }
  used += size - head_size_;
  head_size_ = 0;
  return begin_frame();
}

// What depends on the frames before, and on what was agreed on.
auto MessageReader::begin_frame() -> Event {
  const bool control = is_control(frame_.opcode);
  const bool first = !control && frame_.opcode != Opcode::Continuation;
  if (frame_.masked != limits_.masked)
    return fail(close_code::kProtocol, limits_.masked ? "a frame is not masked" : "a frame is masked");
  if (frame_.compressed && !(limits_.compressed && first))
    return fail(close_code::kProtocol, "a reserved bit is set");
  in_payload_ = true;
  left_ = frame_.size;
  if (control) {
    control_size_ = 0;
    return Event::More;
  }
  if (first == in_message_)
    return fail(close_code::kProtocol,
                first ? "a message begins within another one" : "a message goes on that has not begun");
  if (first) {
    in_message_ = true;
    opcode_ = frame_.opcode;
    compressed_ = frame_.compressed;
    fragments_ = 0;
    text_.reset();
  }
  if (frame_.size > limits_.frame_bytes || frame_.size > limits_.message_bytes - message_.size() ||
      ++fragments_ > kMostFragments)
    return fail(close_code::kTooBig, kTooBig);
  return Event::More;
}

auto MessageReader::take_control(std::string_view in, size_t& used) -> Event {
  const size_t size = std::min<uint64_t>(left_, in.size() - used);
  char* to = workspace().room;
  if (size != frame_.size) {
    if (control_ == nullptr) control_.reset(new (std::nothrow) char[kMostControl]);
    if (control_ == nullptr) return fail(close_code::kTryLater, kNoMemory);
    to = control_.get();
  }
  frame_.mask = apply_mask(to + control_size_, in.data() + used, size, frame_.masked ? frame_.mask : 0);
  control_size_ = static_cast<uint8_t>(control_size_ + size);
  used += size;
  left_ -= size;
  payload_ = {to, control_size_};
  return left_ == 0 ? end_control() : Event::More;
}

auto MessageReader::end_control() -> Event {
  in_payload_ = false;
  if (frame_.opcode == Opcode::Close) return read_close();
  return frame_.opcode == Opcode::Ping ? Event::Ping : Event::Pong;
}

auto MessageReader::read_close() -> Event {
  code_ = close_code::kNone;
  if (payload_.empty()) return Event::Close;
  if (payload_.size() == 1) return fail(close_code::kProtocol, "a Close has half a code");
  const unsigned code = static_cast<unsigned>(static_cast<unsigned char>(payload_[0]) << 8 |
                                              static_cast<unsigned char>(payload_[1]));
  if (!is_close_code(code)) return fail(close_code::kProtocol, "a Close has a code that must not be sent");
  payload_.remove_prefix(2);
  if (!is_utf8(payload_)) return fail(close_code::kInvalid, "the reason of a Close is not UTF-8");
  code_ = static_cast<uint16_t>(code);
  return Event::Close;
}

auto MessageReader::take_data(std::string_view in, size_t& used) -> Event {
  const size_t size = std::min<uint64_t>(left_, in.size() - used);
  const bool text = opcode_ == Opcode::Text && !compressed_;
  // All of the message is here.
  if (size == left_ && frame_.last && message_.size() == 0 && size <= Workspace::kRoom) {
    char* const room = workspace().room;
    apply_mask(room, in.data() + used, size, frame_.masked ? frame_.mask : 0);
    used += size;
    if (text && !text_.take({room, size})) return fail(close_code::kInvalid, kNotText);
    return end_message({room, size});
  }
  if (size != 0) {
    const size_t before = message_.size();
    const size_t most = limits_.message_bytes;
    // A frame that is not large is announced rightly as a rule: its room is taken at once.
    const size_t wanted = before + static_cast<size_t>(std::min<uint64_t>(left_, std::max(size, kBelieved)));
    if (!message_.reserve(memory_, before == 0 ? wanted : before) ||
        !message_.append(memory_, in.substr(used, size), most))
      return fail(close_code::kTryLater, kNoMemory);
    char* const at = message_.data() + before;
    frame_.mask = apply_mask(at, at, size, frame_.masked ? frame_.mask : 0);
    used += size;
    left_ -= size;
    if (text && !text_.take({at, size})) return fail(close_code::kInvalid, kNotText);
  }
  if (left_ != 0) return Event::More;
  if (frame_.last) return end_message(message_.view());
  in_payload_ = false;
  return Event::More;
}

auto MessageReader::end_message(std::string_view whole) -> Event {
  in_payload_ = in_message_ = false;
  left_ = 0;
  payload_ = whole;
  const bool text = opcode_ == Opcode::Text;
  if (compressed_) {
    if (const Event event = unpack(whole); event != Event::More) return event;
    if (text && !text_.take(payload_)) return fail(close_code::kInvalid, kNotText);
  }
  if (text && !text_.whole()) return fail(close_code::kInvalid, kNotText);
  return text ? Event::Text : Event::Binary;
}

// Into the workspace, or where that is too small into memory that is counted. What is made is bounded like what comes.
auto MessageReader::unpack(std::string_view packed) -> Event {
  using State = coding::RawInflater::State;
  coding::RawInflater* const inflater = workspace().unpacker();
  if (inflater == nullptr || !inflater->begin()) return fail(close_code::kTryLater, kNoMemory);
  // A byte more than is taken, to see that there is one.
  const size_t most = static_cast<size_t>(std::min<uint64_t>(limits_.message_bytes, SIZE_MAX - 1)) + 1;
  CountedText large;
  char* to = workspace().other;
  size_t room = std::min(most, Workspace::kRoom);
  size_t made = 0;
  for (std::string_view in : {packed, kFlushed}) {
    for (State state = State::Going; state != State::Hungry;) {
      if (made == most) return fail(close_code::kTooBig, kTooBig);
      if (made == room) {
        const bool first = large.data() == nullptr;
        room = std::min(most, room * 2);
        if (!large.reserve(memory_, room)) return fail(close_code::kTryLater, kNoMemory);
        if (first) std::memcpy(large.data(), to, made);
        to = large.data();
      }
      const coding::RawInflater::Step step = inflater->step(in, {to + made, room - made});
      state = step.state;
      in.remove_prefix(step.used);
      made += step.made;
      if (state == State::NoMemory) return fail(close_code::kTryLater, kNoMemory);
      if (state == State::Broken || (state == State::Going && step.used == 0 && step.made == 0))
        return fail(close_code::kInvalid, "the compression of a message is broken");
    }
  }
  if (made == most) return fail(close_code::kTooBig, kTooBig);
  message_.swap(large);
  payload_ = {to, made};
  return Event::More;
}

}  // namespace leat::websocket
