#include "client/http2_answer.h"

#include <algorithm>
#include <cstring>

#include "base/text.h"
#include "http2/field_rules.h"

namespace leat::client {

void Http2Answer::reset(Arena& arena, const UpstreamOptions& limits, bool head_request) {
  *this = {};
  arena_ = &arena;
  limits_ = &limits;
  head_request_ = head_request;
}

void Http2Answer::fail(FetchStatus status, std::string_view message) {
  if (state_ == State::Failed) return;
  state_ = State::Failed;
  failure_ = status;
  message_ = message;
}

void Http2Answer::begin_block() {
  begun_ = true;
  interim_ = false;
  fields_begun_ = state_ != State::Head;  // trailers have none
}

bool Http2Answer::field(const http2::TableField& field) {
  if (field.name.starts_with(':')) {
    if (state_ == State::Failed) return false;
    if (field.name != ":status" || fields_begun_ || code_ != 0)
      fail(FetchStatus::Failed, "the answer has a pseudo-field that it cannot have");
    else
      take_status(field.value);
    return state_ != State::Failed;
  }
  fields_begun_ = true;
  if (!field.checked && http2::wrong_with(field) != nullptr) {
    fail(FetchStatus::Failed, "the answer has a field that HTTP/2 does not allow");
    return false;
  }
  if (state_ != State::Failed) take(field);
  return true;
}

void Http2Answer::take_status(std::string_view value) {
  const auto status = parse_number<uint16_t>(value);
  if (!status || value.size() != 3 || *status < 100 || *status > 599 || *status == 101)
    return fail(FetchStatus::Failed, "the answer has a status that nobody asked for");
  code_ = *status;
}

// Of an interim answer they are dropped when that is over.
void Http2Answer::take(const http2::TableField& field) {
  head_size_ += field.name.size() + field.value.size();
  if (head_size_ > limits_->head_bytes)
    return fail(FetchStatus::TooLarge, "the answer's header fields are beyond the limit");
  if (field_count_ == limits_->fields)
    return fail(FetchStatus::TooLarge, "the answer has more header fields than the limit");
  if (field_count_ == field_room_) {
    const uint32_t room = std::min(std::max(field_room_ * 2, 16u), limits_->fields);
    void* const grown =
        arena_->grow(fields_, field_count_ * sizeof(Field), room * sizeof(Field), alignof(Field));
    if (grown == nullptr) return fail(FetchStatus::Memory, "the request's memory is used up");
    fields_ = static_cast<Field*>(grown);
    field_room_ = room;
  }
  if (field.id == http::HeaderId::ContentLength && state_ == State::Head) {
    const auto length = parse_number<uint64_t>(field.value);
    if (!length || (length_ && *length_ != *length))
      return fail(FetchStatus::Failed, "the answer's Content-Length is not one decimal number");
    length_ = length;
  }
  const Field kept = {arena_->copy(field.name), arena_->copy(field.value)};
  if (kept.name.data() == nullptr || kept.value.data() == nullptr)
    return fail(FetchStatus::Memory, "the request's memory is used up");
  fields_[field_count_++] = kept;
}

void Http2Answer::end_block(bool ends) {
  if (state_ == State::Failed) return;
  if (state_ == State::Body) {
    if (!ends) return fail(FetchStatus::Failed, "the answer's trailers do not end it");
    return end();
  }
  if (code_ == 0) return fail(FetchStatus::Failed, "the answer has no status");
  if (code_ < 200) {
    if (ends) return fail(FetchStatus::Failed, "an interim answer ends the request");
    interim_ = true;
    code_ = 0;
    field_count_ = 0;
    head_size_ = 0;
    length_.reset();
    return;
  }
  state_ = State::Body;
  if (length_ && *length_ > limits_->body_bytes && !has_no_body())
    return fail(FetchStatus::TooLarge, "the answer's body is beyond the limit");
  if (ends) end();
}

void Http2Answer::data(std::string_view bytes, bool ends) {
  if (state_ != State::Body) return fail(FetchStatus::Failed, "the answer has a body before its head");
  if (!bytes.empty() && has_no_body())
    return fail(FetchStatus::Failed, "the answer has a body that it cannot have");
  if (body_size_ + bytes.size() > limits_->body_bytes)
    return fail(FetchStatus::TooLarge, "the answer's body is beyond the limit");
  if (body_size_ + bytes.size() > body_room_) {
    const size_t room = std::max(body_room_ * 2, body_size_ + bytes.size() + 512);
    void* const grown = arena_->grow(body_, body_size_, room, 1);
    if (grown == nullptr) return fail(FetchStatus::Memory, "the request's memory is used up");
    body_ = static_cast<char*>(grown);
    body_room_ = room;
  }
  if (!bytes.empty()) std::memcpy(body_ + body_size_, bytes.data(), bytes.size());
  body_size_ += bytes.size();
  if (ends) end();
}

void Http2Answer::end() {
  if (length_ && !has_no_body() && *length_ != body_size_)
    return fail(FetchStatus::Failed, "the answer's body has another length than was announced");
  state_ = State::Done;
}

}  // namespace leat::client
