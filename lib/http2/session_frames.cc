// The session's frames: what each may be and where, and what those do that are about no request (RFC 9113, sections 4 to 6).
#include <algorithm>
#include <array>
#include <cstring>

#include "base/check.h"
#include "http/problem.h"
#include "http2/session.h"

namespace leat::http2 {

namespace {

bool is_padding_wrong(const FrameHeader& frame, std::string_view payload) {
  return frame.has(flag::kPadded) &&
         (payload.empty() || static_cast<unsigned char>(payload[0]) >= payload.size());
}

// The payload without its padding, which is in order.
std::string_view without_padding(const FrameHeader& frame, std::string_view payload) {
  if (!frame.has(flag::kPadded)) return payload;
  const auto padding = static_cast<unsigned char>(payload[0]);
  return payload.substr(1, payload.size() - 1 - padding);
}

}  // namespace

// Reads frames until one needs more than there is. Returns how many bytes of `in` are done with; the rest must come again, from the
// same byte on, with the next call.
size_t Session::run(std::string_view in) {
  ENSURE(!running_);
  running_ = true;
  held_by_output_ = false;
  size_t at = 0;
  const uint64_t begun = requests_;
  while (!closing_) {
    if (preface_left_ != 0) {
      if (!read_preface(in, at)) break;
    } else if (over_high_water()) {
      // A peer that does not read is not read from.
      held_by_output_ = true;
      break;
    } else if (in_data_) {
      read_data(in, at);
      if (in_data_) break;
    } else if (requests_ - begun >= env_.limits.pipeline_turn) {
      wants_turn_ = at < in.size();
      break;
    } else if (!read_frame(in, at)) {
      break;
    }
    tidy();
  }
  running_ = false;
  return at;
}

bool Session::read_preface(std::string_view in, size_t& used) {
  const std::string_view left = kPreface.substr(kPreface.size() - preface_left_);
  const std::string_view come = in.substr(used, left.size());
  if (!left.starts_with(come)) {
    send_settings();
    fail(Code::ProtocolError, "The connection does not begin with the preface.");
    return true;
  }
  used += come.size();
  preface_left_ = static_cast<uint8_t>(preface_left_ - come.size());
  if (preface_left_ != 0) return false;
  send_settings();
  return true;
}

// False: it has not come whole. What is wrong with its size is said before.
bool Session::read_frame(std::string_view in, size_t& used) {
  if (in.size() - used < kFrameHeader) return false;
  const FrameHeader frame = read_frame_header(in.data() + used);
  if (frame.size > kMostPayload) {
    fail(Code::FrameSizeError, "A frame is larger than was allowed.");
    return true;
  }
  if (!settings_come_ && (!frame.is(FrameType::Settings) || frame.has(flag::kAck))) {
    fail(Code::ProtocolError, "The first frame is not SETTINGS.");
    return true;
  }
  if (in_block_ && (!frame.is(FrameType::Continuation) || frame.stream != block_frame_.stream)) {
    fail(Code::ProtocolError, "A head is interrupted by another frame.");
    return true;
  }
  if (frame.is(FrameType::Data)) {
    used += kFrameHeader;
    begin_data(frame);
    return true;
  }
  if (in.size() - used - kFrameHeader < frame.size) return false;
  const std::string_view payload = in.substr(used + kFrameHeader, frame.size);
  used += kFrameHeader + frame.size;
  on_frame(frame, payload);
  return true;
}

void Session::on_frame(const FrameHeader& frame, std::string_view payload) {
  switch (static_cast<FrameType>(frame.type)) {
    case FrameType::Headers:
      return on_headers(frame, payload);
    case FrameType::Continuation:
      return on_continuation(frame, payload);
    case FrameType::Priority:
      return on_priority(frame, payload);
    case FrameType::RstStream:
      return on_reset(frame, payload);
    case FrameType::Settings:
      return on_settings(frame, payload);
    case FrameType::PushPromise:
      return fail(Code::ProtocolError, "A client promises nothing.");
    case FrameType::Ping:
      return on_ping(frame, payload);
    case FrameType::GoAway:
      return on_goaway(frame, payload);
    case FrameType::WindowUpdate:
      return on_window_update(frame, payload);
    case FrameType::PriorityUpdate:
      return on_priority_update(frame, payload);
    default:
      (void)spend_control();  // one that is not known says nothing (section 5.5)
  }
}

// --- DATA (section 6.1) -----------------------------------------------------------------------------

void Session::begin_data(const FrameHeader& frame) {
  if (frame.stream == 0 || is_idle(frame.stream))
    return fail(Code::ProtocolError, "DATA is for a stream that is not there.");
  if (frame.has(flag::kPadded) && frame.size == 0)
    return fail(Code::FrameSizeError, "DATA has no room for its padding.");
  // All of it counts, padding too (section 6.9.1).
  receive_window_ -= frame.size;
  if (receive_window_ < 0) return fail(Code::FlowControlError, "The connection's window is overrun.");
  const bool ends = frame.has(flag::kEndStream);
  if (frame.size == 0 && !ends && !spend_control()) return;
  in_data_ = true;
  data_left_ = frame.size;
  data_padding_ = 0;
  data_padded_ = frame.has(flag::kPadded);
  data_ends_ = ends;
  data_stream_ = streams_.find(frame.stream);
  if (data_stream_ == nullptr) {
    if (!streams_.was_broken(frame.stream)) fail(Code::StreamClosed, "DATA is for a stream that has ended.");
    (void)spend_control();
  } else if (!data_stream_->receives) {
    break_off(*std::exchange(data_stream_, nullptr), Code::StreamClosed, "DATA follows the request's end.");
  } else if ((data_stream_->receive_window -= frame.size) < 0) {
    break_off(*std::exchange(data_stream_, nullptr), Code::FlowControlError,
              "The stream's window is overrun.");
  }
}

void Session::read_data(std::string_view in, size_t& used) {
  if (data_padded_ && used < in.size()) {
    data_padding_ = static_cast<unsigned char>(in[used++]);
    data_padded_ = false;
    if (data_padding_ >= data_left_--)
      return fail(Code::ProtocolError, "DATA has more padding than payload.");
    if (data_padding_ == data_left_ && !data_ends_ && !spend_control()) return;
  }
  if (data_padded_) return;
  if (data_left_ > data_padding_ && used < in.size()) {
    const std::string_view piece = in.substr(used, data_left_ - data_padding_);
    used += piece.size();
    data_left_ -= static_cast<uint32_t>(piece.size());
    if (data_stream_ != nullptr) take_data(*data_stream_, piece);
  }
  if (data_left_ <= data_padding_) {
    const auto skipped = static_cast<uint32_t>(std::min<size_t>(data_left_, in.size() - used));
    used += skipped;
    data_left_ -= skipped;
    data_padding_ -= skipped;
  }
  if (data_left_ == 0) end_data();
}

void Session::end_data() {
  in_data_ = false;
  if (Stream* const stream = std::exchange(data_stream_, nullptr)) {
    touch(*stream);
    if (data_ends_ && !stream->reset)
      end_request(*stream);
    else
      grant(*stream);
  }
  grant_connection();
}

// --- Fields (sections 6.2 and 6.10) ------------------------------------------------------------------

void Session::on_headers(const FrameHeader& frame, std::string_view payload) {
  if (frame.stream % 2 == 0)
    return fail(Code::ProtocolError, "HEADERS are for a stream that no client opens.");
  if (is_padding_wrong(frame, payload))
    return fail(Code::ProtocolError, "HEADERS have more padding than payload.");
  payload = without_padding(frame, payload);
  if (frame.has(flag::kPriority)) {
    if (payload.size() < 5) return fail(Code::FrameSizeError, "HEADERS have no room for their priority.");
    if ((read_32(payload.data()) & kLargestStream) == frame.stream)
      return fail(Code::ProtocolError, "A stream depends on itself.");
    payload.remove_prefix(5);
  }
  if (frame.stream <= streams_.last_id()) {
    const Stream* const stream = streams_.find(frame.stream);
    if (stream == nullptr && !streams_.was_opened(frame.stream))
      return fail(Code::ProtocolError, "A stream is opened after one with a larger number.");
    if (stream == nullptr && !streams_.was_broken(frame.stream))
      return fail(Code::StreamClosed, "HEADERS are for a stream that has ended.");
  }
  block_frame_ = frame;
  if (frame.has(flag::kEndHeaders)) return on_block(payload);
  in_block_ = true;
  block_frames_ = 0;
  if (!block_.append(payload)) fail(Code::EnhanceYourCalm, http::kOutOfMemory.detail);
}

void Session::on_continuation(const FrameHeader& frame, std::string_view payload) {
  if (!in_block_) return fail(Code::ProtocolError, "CONTINUATION continues nothing.");
  if (++block_frames_ > env_.options.continuations)
    return fail(Code::EnhanceYourCalm, "A head is in too many frames.");
  // Coded it is no larger than its fields, but for those that the table counts less.
  const uint64_t most = 2 * (uint64_t{env_.limits.header_bytes} + env_.limits.request_line_bytes);
  if (block_.view().size() + payload.size() > most)
    return fail(Code::EnhanceYourCalm, "A head is too large.");
  if (!block_.append(payload)) return fail(Code::EnhanceYourCalm, http::kOutOfMemory.detail);
  if (!frame.has(flag::kEndHeaders)) return;
  in_block_ = false;
  on_block(block_.view());
  block_.clear();
}

// --- Of streams -------------------------------------------------------------------------------------

void Session::on_priority(const FrameHeader& frame, std::string_view payload) {
  if (frame.stream == 0) return fail(Code::ProtocolError, "PRIORITY is for no stream.");
  if (payload.size() != 5) return fail(Code::FrameSizeError, "PRIORITY has not five bytes.");
  if ((read_32(payload.data()) & kLargestStream) == frame.stream)
    return fail(Code::ProtocolError, "A stream depends on itself.");
  (void)spend_control();  // what it says is not asked for any more (section 5.3.2)
}

void Session::on_reset(const FrameHeader& frame, std::string_view payload) {
  if (payload.size() != 4) return fail(Code::FrameSizeError, "RST_STREAM has not four bytes.");
  if (frame.stream == 0 || is_idle(frame.stream))
    return fail(Code::ProtocolError, "RST_STREAM is for a stream that is not there.");
  Stream* const stream = streams_.find(frame.stream);
  if (stream == nullptr) {
    (void)spend_control();
    return;
  }
  const bool was_answered = is_answered(*stream);
  abandon(*stream, {499, "The client took the request back before the answer was complete."});
  if (!was_answered) (void)spend_reset();
}

void Session::on_window_update(const FrameHeader& frame, std::string_view payload) {
  if (payload.size() != 4) return fail(Code::FrameSizeError, "WINDOW_UPDATE has not four bytes.");
  const uint32_t more = read_32(payload.data()) & kLargestStream;
  if (!spend_control()) return;
  if (frame.stream == 0) {
    if (more == 0) return fail(Code::ProtocolError, "WINDOW_UPDATE adds nothing.");
    if ((send_window_ += more) > kLargestWindow)
      return fail(Code::FlowControlError, "The connection's window is too large.");
  } else {
    if (is_idle(frame.stream))
      return fail(Code::ProtocolError, "WINDOW_UPDATE is for a stream that is not there.");
    Stream* const stream = streams_.find(frame.stream);
    if (stream == nullptr || stream->reset) return;
    if (more == 0) return break_off(*stream, Code::ProtocolError, "WINDOW_UPDATE adds nothing.");
    if ((stream->send_window += more) > kLargestWindow)
      return break_off(*stream, Code::FlowControlError, "The stream's window is too large.");
    if (!stream->queue.empty() && stream->send_window > 0) schedule_.add(*stream);
    touch(*stream);
  }
  pump();
  wake_writers();
}

// RFC 9218, section 7.1.
void Session::on_priority_update(const FrameHeader& frame, std::string_view payload) {
  if (frame.stream != 0) return fail(Code::ProtocolError, "PRIORITY_UPDATE is for a stream.");
  if (payload.size() < 4) return fail(Code::FrameSizeError, "PRIORITY_UPDATE has less than four bytes.");
  const uint32_t id = read_32(payload.data()) & kLargestStream;
  if (id == 0 || id % 2 == 0) return fail(Code::ProtocolError, "PRIORITY_UPDATE is about no request.");
  if (!spend_control()) return;
  const Priority said = Priority::parse(payload.substr(4));
  if (id > streams_.last_id()) {
    announced_[next_announced_++ % announced_.size()] = {id, said};
  } else if (Stream* const stream = streams_.find(id)) {
    schedule_.change(*stream, said);
  }
}

// --- Of the connection ------------------------------------------------------------------------------

void Session::on_settings(const FrameHeader& frame, std::string_view payload) {
  if (frame.stream != 0) return fail(Code::ProtocolError, "SETTINGS are for a stream.");
  const bool ack = frame.has(flag::kAck);
  if (payload.size() % 6 != 0 || (ack && !payload.empty()))
    return fail(Code::FrameSizeError, "SETTINGS have a size that they cannot have.");
  if (!spend_control()) return;
  if (ack) return decoder_.allow(header_table_);
  settings_come_ = true;
  const int64_t before = peer_window_;
  for (; !payload.empty(); payload.remove_prefix(6))
    if (!take_setting(static_cast<Setting>(read_16(payload.data())), read_32(payload.data() + 2))) return;
  if (peer_window_ != before) change_windows(peer_window_ - before);
  if (closing_) return;
  send_frame(FrameType::Settings, flag::kAck, 0, {});
  pump();
  wake_writers();
}

// False: it was wrong.
bool Session::take_setting(Setting setting, uint32_t value) {
  switch (setting) {
    case Setting::EnablePush:
    case Setting::EnableConnectProtocol:
    case Setting::NoRfc7540Priorities:
      if (value > 1) fail(Code::ProtocolError, "A setting is neither 0 nor 1.");
      break;
    case Setting::InitialWindowSize:
      if (value > static_cast<uint32_t>(kLargestWindow))
        fail(Code::FlowControlError, "SETTINGS_INITIAL_WINDOW_SIZE is too large.");
      else
        peer_window_ = value;
      break;
    case Setting::MaxFrameSize:
      // Larger frames than all take are not sent.
      if (value < kMostPayload || value > kLargestPayload)
        fail(Code::ProtocolError, "SETTINGS_MAX_FRAME_SIZE is out of its range.");
      break;
    default:  // not known, or of no consequence: nothing is put into the peer's table, and nothing is pushed
      break;
  }
  return !closing_;
}

// Of all streams that there are (section 6.9.2).
void Session::change_windows(int64_t by) {
  for (Stream* stream = streams_.oldest(); stream != nullptr; stream = stream->newer) {
    stream->send_window += by;
    if (stream->send_window > kLargestWindow)
      return fail(Code::FlowControlError, "SETTINGS_INITIAL_WINDOW_SIZE makes a window too large.");
    touch(*stream);
    if (stream->queue.empty()) continue;
    if (stream->send_window > 0) {
      schedule_.add(*stream);
    } else {
      schedule_.remove(*stream);
      stream->stalled_since_ms = now_ms();
    }
  }
}

void Session::on_ping(const FrameHeader& frame, std::string_view payload) {
  if (frame.stream != 0) return fail(Code::ProtocolError, "PING is for a stream.");
  if (payload.size() != 8) return fail(Code::FrameSizeError, "PING has not eight bytes.");
  if (!spend_control()) return;
  if (!frame.has(flag::kAck)) return send_frame(FrameType::Ping, flag::kAck, 0, payload);
  if (leaving_ && payload == kFarewell) leave();
}

// Its client opens no more streams. What was asked for is answered.
void Session::on_goaway(const FrameHeader& frame, std::string_view payload) {
  if (frame.stream != 0) return fail(Code::ProtocolError, "GOAWAY is for a stream.");
  if (payload.size() < 8) return fail(Code::FrameSizeError, "GOAWAY has less than eight bytes.");
  if (spend_control()) leave();
}

// --- What a peer may do too often --------------------------------------------------------------------

// For a frame that carries nothing of a message. False: that was one too many.
bool Session::spend_control() {
  if (control_.take(now_ms(), env_.options.control_rate)) return true;
  fail(Code::EnhanceYourCalm, "There are too many frames that carry nothing.");
  return false;
}

// For a request that was work for nothing.
bool Session::spend_reset() {
  if (resets_.take()) return true;
  fail(Code::EnhanceYourCalm, "Too many requests were taken back or malformed.");
  return false;
}

// --- Sending ----------------------------------------------------------------------------------------

void Session::send_frame(FrameType type, uint8_t flags, uint32_t stream, std::string_view payload) {
  char* const at = output_.reserve(kFrameHeader + payload.size());
  if (at == nullptr) {
    closing_ = cut_ = true;  // nobody knows what the peer believes from here on
    return;
  }
  char* const end = put_frame_header(at, payload.size(), type, flags, stream);
  if (!payload.empty()) std::memcpy(end, payload.data(), payload.size());
  output_.commit(kFrameHeader + payload.size());
}

// RST_STREAM and WINDOW_UPDATE: a number.
void Session::send_code(FrameType type, uint32_t stream, uint32_t value) {
  std::array<char, 4> payload;
  put_32(payload.data(), value);
  send_frame(type, 0, stream, {payload.data(), payload.size()});
}

// What this end asks for, and a window for the whole connection.
void Session::send_settings() {
  std::array<char, 6 * 6> payload;
  char* at = payload.data();
  const auto put = [&](Setting setting, uint32_t value) {
    at = put_32(put_16(at, static_cast<uint16_t>(setting)), value);
  };
  put(Setting::MaxConcurrentStreams, most_streams_);
  put(Setting::InitialWindowSize, stream_window_);
  put(Setting::MaxHeaderListSize, env_.limits.header_bytes + env_.limits.request_line_bytes);
  if (tunnels_) put(Setting::EnableConnectProtocol, 1);
  put(Setting::NoRfc7540Priorities, 1);
  if (header_table_ != HpackDecoder::kFirstTable) put(Setting::HeaderTableSize, header_table_);
  send_frame(FrameType::Settings, 0, 0, {payload.data(), static_cast<size_t>(at - payload.data())});
  grant_connection();
}

void Session::send_goaway(uint32_t last, Code code, std::string_view why) {
  std::array<char, 128> payload;
  why = why.substr(0, payload.size() - 8);
  put_32(put_32(payload.data(), last), static_cast<uint32_t>(code));
  why.copy(payload.data() + 8, why.size());
  send_frame(FrameType::GoAway, 0, 0, {payload.data(), 8 + why.size()});
}

// Frames for it that are on their way are no mistake.
void Session::break_stream(uint32_t id, Code code) {
  streams_.note_broken(id);
  send_code(FrameType::RstStream, id, static_cast<uint32_t>(code));
}

void Session::reset(Stream& stream, Code code) {
  if (stream.reset) return;
  break_stream(stream.id, code);
  stream.reset = true;
}

// By a mistake of the peer's (section 5.4.2).
void Session::break_off(Stream& stream, Code code, const char* why) {
  if (stream.reset) return;
  const bool was_answered = is_answered(stream);
  reset(stream, code);
  abandon(stream, {400, why});
  if (!was_answered) (void)spend_reset();
}

}  // namespace leat::http2
