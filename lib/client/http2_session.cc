#include "client/http2_session.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/text.h"
#include "http/header_id.h"
#include "http2/field_rules.h"
#include "http2/hpack_encoder.h"

namespace leat::client {

using http2::FrameType;
using http2::Setting;
namespace flag = http2::flag;

namespace {

// Until the peer has said how many it takes at a time, and at most (RFC 9113, section 5.1.2): more would wait for each other.
constexpr uint32_t kMostCalls = 100;
// Frames that a head may be in, beside the first.
constexpr uint32_t kMostContinuations = 8;
// Frames that carry nothing of an answer, at once and each second.
constexpr uint32_t kControlFrames = 1000;
constexpr uint32_t kControlRate = 100;
// What is put into the output ahead of what has left.
constexpr size_t kMostAhead = size_t{128} * 1024;

// Of the static table.
constexpr uint32_t kAuthority = 1, kMethod = 2, kPath = 4, kSchemeHttp = 6, kSchemeHttps = 7;

bool is_secret(http::HeaderId id) {
  return id == http::HeaderId::Authorization || id == http::HeaderId::Cookie;
}

// Fields of a block that nobody waits for: they are read, since the table must follow.
struct Nobody {
  static bool field(const http2::TableField& field) {
    return !field.name.starts_with(':') && http2::wrong_with(field) == nullptr;
  }
};

bool is_padding_wrong(const http2::FrameHeader& frame, std::string_view payload) {
  return frame.has(flag::kPadded) &&
         (payload.empty() || static_cast<unsigned char>(payload[0]) >= payload.size());
}

std::string_view without_padding(const http2::FrameHeader& frame, std::string_view payload) {
  if (!frame.has(flag::kPadded)) return payload;
  const auto padding = static_cast<unsigned char>(payload[0]);
  return payload.substr(1, payload.size() - 1 - padding);
}

}  // namespace

Http2Session::Http2Session(const UpstreamOptions& options, bool secure, transport::OutputMemory memory)
    : options_(options),
      secure_(secure),
      output_(memory),
      input_(memory.blocks),
      decoder_(memory.blocks, scratch_),
      block_(memory.blocks),
      control_(kControlFrames),
      most_calls_(kMostCalls) {
  std::array<char, 3 * 6> payload;
  char* at = payload.data();
  const auto put = [&](Setting setting, uint32_t value) {
    at = http2::put_32(http2::put_16(at, static_cast<uint16_t>(setting)), value);
  };
  put(Setting::EnablePush, 0);
  put(Setting::InitialWindowSize, kWindow);
  put(Setting::MaxHeaderListSize, options.head_bytes);
  failed_ = !output_.append(http2::kPreface);
  send_frame(FrameType::Settings, 0, 0, {payload.data(), payload.size()});
  grant();
}

Http2Session::~Http2Session() { ENSURE(calls_.empty() && over_.empty()); }

Http2Call* Http2Session::find(uint32_t stream) const {
  const auto found = std::ranges::lower_bound(calls_, stream, {}, &Http2Call::stream);
  return found != calls_.end() && (*found)->stream == stream ? *found : nullptr;
}

// --- Calls ------------------------------------------------------------------------------------------

bool Http2Session::begin(Http2Call& call, std::string_view request) {
  ENSURE(has_room());
  call.end = Http2Call::End::None;
  call.why = {};
  call.sent = 0;
  call.stream = next_stream_;
  call.send_window = peer_window_;
  call.receive_window = kWindow;
  if (!put_request(request)) {
    call.end = Http2Call::End::Failed;
    call.failure = FetchStatus::Failed;
    call.why = "the request's fields are larger than the server takes";
    return false;
  }
  next_stream_ += 2;
  if (next_stream_ > http2::kLargestStream) leaving_ = true;
  calls_.push_back(&call);
  send_head(call.stream, call.body.empty());
  pump();
  return true;
}

void Http2Session::cancel(Http2Call& call) {
  std::erase(over_, &call);
  if (std::erase(calls_, &call) == 0) return;
  send_code(FrameType::RstStream, call.stream, static_cast<uint32_t>(Code::Cancel));
}

// What has come for it may be its end.
void Http2Session::look(Http2Call& call) {
  switch (call.answer.state()) {
    case Http2Answer::State::Done:
      // Nobody needs the rest of the request (section 8.1).
      if (!call.all_sent()) send_code(FrameType::RstStream, call.stream, static_cast<uint32_t>(Code::Cancel));
      return end(call, Http2Call::End::Answered, {});
    case Http2Answer::State::Failed:
      call.failure = call.answer.failure();
      return break_off(call, call.failure == FetchStatus::Failed ? Code::ProtocolError : Code::Cancel,
                       call.answer.message());
    case Http2Answer::State::Head:
    case Http2Answer::State::Body:
      return;
  }
}

void Http2Session::break_off(Http2Call& call, Code code, std::string_view why) {
  send_code(FrameType::RstStream, call.stream, static_cast<uint32_t>(code));
  end(call, Http2Call::End::Failed, why);
}

void Http2Session::end(Http2Call& call, Http2Call::End how, std::string_view why) {
  call.end = how;
  call.why = why;
  std::erase(calls_, &call);
  over_.push_back(&call);
}

void Http2Session::end_all(Http2Call::End how, std::string_view why) {
  while (!calls_.empty()) {
    calls_.front()->failure = FetchStatus::Failed;
    end(*calls_.front(), how, why);
  }
}

Http2Call* Http2Session::take_over() {
  if (over_.empty()) return nullptr;
  Http2Call* const call = over_.front();
  over_.erase(over_.begin());
  return call;
}

// The connection is of no use any more (section 5.4.1).
void Http2Session::fail(Code code, std::string_view why) {
  if (failed_) return;
  std::array<char, 8> payload;
  http2::put_32(http2::put_32(payload.data(), 0), static_cast<uint32_t>(code));
  send_frame(FrameType::GoAway, 0, 0, {payload.data(), payload.size()});
  failed_ = leaving_ = true;
  end_all(Http2Call::End::Failed, why);
}

// --- What comes -------------------------------------------------------------------------------------

void Http2Session::feed(std::string_view bytes, uint64_t now_ms) {
  if (failed_) return;
  now_ms_ = now_ms;
  ++heard_;
  if (input_.empty()) {
    bytes.remove_prefix(run(bytes));
    if (!failed_ && !input_.append(bytes)) fail(Code::EnhanceYourCalm, "there is no memory for the answer");
  } else if (!input_.append(bytes)) {
    fail(Code::EnhanceYourCalm, "there is no memory for the answer");
  } else {
    input_.consume(run(input_.view()));
  }
  if (failed_) input_.clear();
}

void Http2Session::feed_end(std::string_view why) {
  leaving_ = true;
  end_all(Http2Call::End::Broken, why);
}

// How many bytes of `in` are done with.
size_t Http2Session::run(std::string_view in) {
  size_t at = 0;
  while (!failed_ && in.size() - at >= http2::kFrameHeader) {
    const FrameHeader frame = http2::read_frame_header(in.data() + at);
    if (frame.size > http2::kMostPayload) {
      fail(Code::FrameSizeError, "it sent a frame that is larger than was allowed");
    } else if (!settings_come_ && (!frame.is(FrameType::Settings) || frame.has(flag::kAck))) {
      fail(Code::ProtocolError, "it does not speak HTTP/2");
    } else if (reading_.open &&
               (!frame.is(FrameType::Continuation) || frame.stream != reading_.frame.stream)) {
      fail(Code::ProtocolError, "it interrupted a head by another frame");
    } else if (in.size() - at - http2::kFrameHeader < frame.size) {
      break;
    } else {
      const std::string_view payload = in.substr(at + http2::kFrameHeader, frame.size);
      at += http2::kFrameHeader + frame.size;
      on_frame(frame, payload);
    }
  }
  return failed_ ? in.size() : at;
}

void Http2Session::on_frame(const FrameHeader& frame, std::string_view payload) {
  switch (static_cast<FrameType>(frame.type)) {
    case FrameType::Data:
      return on_data(frame, payload);
    case FrameType::Headers:
      return on_headers(frame, payload);
    case FrameType::Continuation:
      return on_continuation(frame, payload);
    case FrameType::RstStream:
      return on_reset(frame, payload);
    case FrameType::Settings:
      return on_settings(frame, payload);
    case FrameType::PushPromise:
      return fail(Code::ProtocolError, "it pushed what nobody had asked for");
    case FrameType::Ping:
      return on_ping(frame, payload);
    case FrameType::GoAway:
      return on_goaway(frame, payload);
    case FrameType::WindowUpdate:
      return on_window_update(frame, payload);
    case FrameType::Priority:
      if (frame.stream == 0) return fail(Code::ProtocolError, "it sent PRIORITY for no stream");
      if (payload.size() != 5) return fail(Code::FrameSizeError, "it sent PRIORITY that has not five bytes");
      break;
    default:  // not known, or of no consequence
      break;
  }
  (void)spend();
}

void Http2Session::on_data(const FrameHeader& frame, std::string_view payload) {
  if (frame.stream == 0 || is_idle(frame.stream))
    return fail(Code::ProtocolError, "it sent DATA for a stream that is not there");
  receive_window_ -= frame.size;
  if (receive_window_ < 0) return fail(Code::FlowControlError, "it overran the connection's window");
  if (is_padding_wrong(frame, payload))
    return fail(Code::ProtocolError, "it sent DATA with more padding than payload");
  const std::string_view bytes = without_padding(frame, payload);
  const bool ends = frame.has(flag::kEndStream);
  if (bytes.empty() && !ends && !spend()) return;
  grant();
  Http2Call* const call = find(frame.stream);
  if (call == nullptr) {  // it was taken back, or has failed
    (void)spend();
    return;
  }
  call->receive_window -= frame.size;
  if (call->receive_window < 0)
    return break_off(*call, Code::FlowControlError, "the answer overran its window");
  call->answer.data(bytes, ends);
  if (call->answer.state() == Http2Answer::State::Body && call->receive_window < kWindow / 2) {
    send_code(FrameType::WindowUpdate, call->stream, static_cast<uint32_t>(kWindow - call->receive_window));
    call->receive_window = kWindow;
  }
  look(*call);
}

void Http2Session::on_headers(const FrameHeader& frame, std::string_view payload) {
  if (frame.stream == 0 || is_idle(frame.stream))
    return fail(Code::ProtocolError, "it sent HEADERS for a stream that is not there");
  if (is_padding_wrong(frame, payload))
    return fail(Code::ProtocolError, "it sent HEADERS with more padding than payload");
  payload = without_padding(frame, payload);
  if (frame.has(flag::kPriority)) {
    if (payload.size() < 5) return fail(Code::FrameSizeError, "it sent HEADERS without room for a priority");
    payload.remove_prefix(5);
  }
  reading_ = {.frame = frame, .open = !frame.has(flag::kEndHeaders)};
  if (!reading_.open) return on_block(payload);
  if (!block_.append(payload)) fail(Code::EnhanceYourCalm, "there is no memory for the answer");
}

void Http2Session::on_continuation(const FrameHeader& frame, std::string_view payload) {
  if (!reading_.open) return fail(Code::ProtocolError, "it continued a head that is over");
  if (++reading_.frames > kMostContinuations ||
      block_.view().size() + payload.size() > 2 * uint64_t{options_.head_bytes})
    return fail(Code::EnhanceYourCalm, "it sent a head that is too large, or in too many frames");
  if (!block_.append(payload)) return fail(Code::EnhanceYourCalm, "there is no memory for the answer");
  if (!frame.has(flag::kEndHeaders)) return;
  reading_.open = false;
  on_block(block_.view());
  block_.clear();
}

// A head, or trailers. Whoever they are for, they are read: the table must follow.
void Http2Session::on_block(std::string_view block) {
  Http2Call* const call = find(reading_.frame.stream);
  http2::HpackDecoder::Result result;
  if (call != nullptr) {
    call->answer.begin_block();
    result = decoder_.decode(block, call->answer);
  } else {
    Nobody nobody;
    result = decoder_.decode(block, nobody);
  }
  if (result == http2::HpackDecoder::Result::Malformed)
    return fail(Code::CompressionError, "it sent fields that cannot be read");
  if (result == http2::HpackDecoder::Result::OutOfMemory)
    return fail(Code::EnhanceYourCalm, "there is no memory for the answer");
  if (call == nullptr) {
    (void)spend();
    return;
  }
  call->answer.end_block(reading_.frame.has(flag::kEndStream));
  if (call->answer.was_interim() && !spend()) return;
  look(*call);
}

void Http2Session::on_reset(const FrameHeader& frame, std::string_view payload) {
  if (payload.size() != 4) return fail(Code::FrameSizeError, "it sent RST_STREAM that has not four bytes");
  if (frame.stream == 0 || is_idle(frame.stream))
    return fail(Code::ProtocolError, "it sent RST_STREAM for a stream that is not there");
  Http2Call* const call = find(frame.stream);
  if (call == nullptr) {
    (void)spend();
    return;
  }
  if (static_cast<Code>(http2::read_32(payload.data())) == Code::RefusedStream)
    return end(*call, Http2Call::End::Refused, "it refused the request");
  call->failure = FetchStatus::Failed;
  end(*call, Http2Call::End::Failed, "it broke the answer off");
}

void Http2Session::on_settings(const FrameHeader& frame, std::string_view payload) {
  if (frame.stream != 0) return fail(Code::ProtocolError, "it sent SETTINGS for a stream");
  const bool ack = frame.has(flag::kAck);
  if (payload.size() % 6 != 0 || (ack && !payload.empty()))
    return fail(Code::FrameSizeError, "it sent SETTINGS of a size that they cannot have");
  if (!spend() || ack) return;
  settings_come_ = true;
  const int64_t before = peer_window_;
  for (; !payload.empty() && !failed_; payload.remove_prefix(6))
    take_setting(static_cast<Setting>(http2::read_16(payload.data())), http2::read_32(payload.data() + 2));
  if (failed_) return;
  if (peer_window_ != before) change_windows(peer_window_ - before);
  if (failed_) return;
  send_frame(FrameType::Settings, flag::kAck, 0, {});
  pump();
}

void Http2Session::take_setting(Setting setting, uint32_t value) {
  switch (setting) {
    case Setting::EnablePush:
      if (value != 0) fail(Code::ProtocolError, "it wants to be pushed to");
      break;
    case Setting::EnableConnectProtocol:
      if (value > 1) fail(Code::ProtocolError, "it sent a setting that is neither 0 nor 1");
      break;
    case Setting::MaxConcurrentStreams:
      most_calls_ = std::min(value, kMostCalls);
      break;
    case Setting::InitialWindowSize:
      if (value > static_cast<uint32_t>(http2::kLargestWindow))
        fail(Code::FlowControlError, "it sent a window that is too large");
      else
        peer_window_ = value;
      break;
    case Setting::MaxFrameSize:
      if (value < http2::kMostPayload || value > http2::kLargestPayload)
        fail(Code::ProtocolError, "it sent a size of frames that is out of its range");
      break;
    case Setting::MaxHeaderListSize:
      most_head_ = value;
      break;
    default:  // nothing is put into its table
      break;
  }
}

void Http2Session::change_windows(int64_t by) {
  for (Http2Call* const call : calls_) {
    call->send_window += by;
    if (call->send_window > http2::kLargestWindow)
      return fail(Code::FlowControlError, "it made a window too large");
  }
}

void Http2Session::on_ping(const FrameHeader& frame, std::string_view payload) {
  if (frame.stream != 0) return fail(Code::ProtocolError, "it sent PING for a stream");
  if (payload.size() != 8) return fail(Code::FrameSizeError, "it sent PING that has not eight bytes");
  if (spend() && !frame.has(flag::kAck)) send_frame(FrameType::Ping, flag::kAck, 0, payload);
}

// What is beyond the last one that it says was not looked at (section 6.8); what is before is answered.
void Http2Session::on_goaway(const FrameHeader& frame, std::string_view payload) {
  if (frame.stream != 0) return fail(Code::ProtocolError, "it sent GOAWAY for a stream");
  if (payload.size() < 8) return fail(Code::FrameSizeError, "it sent GOAWAY that has less than eight bytes");
  if (!spend()) return;
  leaving_ = true;
  const uint32_t last = http2::read_32(payload.data()) & http2::kLargestStream;
  const auto first = std::ranges::upper_bound(calls_, last, {}, &Http2Call::stream) - calls_.begin();
  while (static_cast<size_t>(first) < calls_.size())
    end(*calls_[static_cast<size_t>(first)], Http2Call::End::Refused,
        "it takes no more requests on this connection");
}

void Http2Session::on_window_update(const FrameHeader& frame, std::string_view payload) {
  if (payload.size() != 4) return fail(Code::FrameSizeError, "it sent WINDOW_UPDATE that has not four bytes");
  if (!spend()) return;
  const uint32_t more = http2::read_32(payload.data()) & http2::kLargestStream;
  if (frame.stream == 0) {
    if (more == 0) return fail(Code::ProtocolError, "it sent WINDOW_UPDATE that adds nothing");
    if ((send_window_ += more) > http2::kLargestWindow)
      return fail(Code::FlowControlError, "it made a window too large");
  } else {
    if (is_idle(frame.stream))
      return fail(Code::ProtocolError, "it sent WINDOW_UPDATE for a stream that is not there");
    Http2Call* const call = find(frame.stream);
    if (call == nullptr) return;
    call->failure = FetchStatus::Failed;
    if (more == 0) return break_off(*call, Code::ProtocolError, "it sent WINDOW_UPDATE that adds nothing");
    if ((call->send_window += more) > http2::kLargestWindow)
      return break_off(*call, Code::FlowControlError, "it made a window too large");
  }
  pump();
}

// For a frame that carries nothing of an answer. False: that was one too many.
bool Http2Session::spend() {
  if (control_.take(now_ms_, kControlRate)) return true;
  fail(Code::EnhanceYourCalm, "it sent too many frames that carry nothing");
  return false;
}

// --- What goes --------------------------------------------------------------------------------------

void Http2Session::grant() {
  if (failed_ || receive_window_ > kConnectionWindow / 2) return;
  send_code(FrameType::WindowUpdate, 0, static_cast<uint32_t>(kConnectionWindow - receive_window_));
  receive_window_ = kConnectionWindow;
}

void Http2Session::sent() { pump(); }

// Bodies go on as far as windows let them, one frame of each in turn.
void Http2Session::pump() {
  size_t idle = 0;
  while (!failed_ && idle < calls_.size() && send_window_ > 0 && output_.size() < kMostAhead) {
    turn_ = turn_ < calls_.size() ? turn_ : 0;
    idle = send_some(*calls_[turn_]) ? 0 : idle + 1;
    ++turn_;
  }
}

// Copied, since who asks may take it back. False: there is nothing, or no room for it.
bool Http2Session::send_some(Http2Call& call) {
  if (call.all_sent() || call.send_window <= 0) return false;
  const size_t size = std::min({call.body.size() - call.sent, size_t{http2::kMostPayload},
                                static_cast<size_t>(call.send_window), static_cast<size_t>(send_window_)});
  const std::string_view piece = call.body.substr(call.sent, size);
  call.sent += size;
  call.send_window -= static_cast<int64_t>(size);
  send_window_ -= static_cast<int64_t>(size);
  send_frame(FrameType::Data, call.all_sent() ? flag::kEndStream : 0, call.stream, piece);
  control_.give(2);  // it opens two windows again
  return true;
}

void Http2Session::send_frame(FrameType type, uint8_t flags, uint32_t stream, std::string_view payload) {
  std::array<char, http2::kFrameHeader> head;
  http2::put_frame_header(head.data(), payload.size(), type, flags, stream);
  if (failed_ || (output_.append({head.data(), head.size()}) && output_.append(payload))) return;
  failed_ = leaving_ = true;  // a frame has begun that cannot be completed
  end_all(Http2Call::End::Failed, "there is no memory for the request");
}

void Http2Session::send_code(FrameType type, uint32_t stream, uint32_t value) {
  std::array<char, 4> payload;
  http2::put_32(payload.data(), value);
  send_frame(type, 0, stream, {payload.data(), payload.size()});
}

// The block of fields of a request, into written_. False: the peer takes none as large.
bool Http2Session::put_request(std::string_view request) {
  const auto take_until = [&](std::string_view end) {
    const size_t size = request.find(end);
    ENSURE(size != request.npos);
    const std::string_view part = request.substr(0, size);
    request.remove_prefix(size + end.size());
    return part;
  };
  written_.resize(2 * request.size() + 64);
  char* at = written_.data();
  uint64_t counted = 0;
  const auto put = [&](uint32_t name, std::string_view text, std::string_view value, bool secret) {
    counted += text.size() + value.size() + http2::kFieldOverhead;
    at = http2::put_literal(at, name, secret);
    if (name == 0) {
      at = http2::put_number(at, 0, 7, text.size());
      at = std::ranges::transform(text, at, ascii_lower).out;
    }
    at = http2::put_text(at, value);
  };
  put(kMethod, ":method", take_until(" "), false);
  at = http2::put_indexed(at, secure_ ? kSchemeHttps : kSchemeHttp);
  counted += 7 + 5 + http2::kFieldOverhead;
  put(kPath, ":path", take_until(" "), false);
  (void)take_until("\r\n");
  (void)take_until(": ");
  put(kAuthority, ":authority", take_until("\r\n"), false);
  while (!request.starts_with("\r\n")) {
    const std::string_view name = take_until(": ");
    const std::string_view value = trim(take_until("\r\n"));
    const http::HeaderId id = http::find_header(name);
    if (!http2::is_about_connection(id)) put(http2::static_name(id), name, value, is_secret(id));
  }
  written_.resize(static_cast<size_t>(at - written_.data()));
  return counted <= most_head_;
}

void Http2Session::send_head(uint32_t stream, bool ends) {
  std::string_view left(written_.data(), written_.size());
  FrameType type = FrameType::Headers;
  do {
    const std::string_view part = left.substr(0, http2::kMostPayload);
    left.remove_prefix(part.size());
    const uint8_t end_flag = type == FrameType::Headers && ends ? flag::kEndStream : 0;
    send_frame(type, end_flag | (left.empty() ? flag::kEndHeaders : 0), stream, part);
    type = FrameType::Continuation;
  } while (!left.empty());
}

}  // namespace leat::client
