#include "client/response_parser.h"

#include <algorithm>
#include <cstring>

#include "base/text.h"

namespace leat::client {

struct ResponseCallbacks {
  static ResponseParser& self(llhttp_t* llhttp) { return *static_cast<ResponseParser*>(llhttp->data); }

  static int head_text(llhttp_t* llhttp, const char* at, size_t size,
                       size_t ResponseParser::Place::* length) {
    ResponseParser& parser = self(llhttp);
    if (parser.head_.size + size > parser.limits_->head_bytes)
      return parser.fail(FetchStatus::TooLarge, "the answer's header fields are beyond the limit");
    if (!parser.append(parser.head_, {at, size})) return HPE_USER;
    parser.places_[parser.field_count_ - 1].*length += size;
    return 0;
  }
  static int field(llhttp_t* llhttp, const char* at, size_t size) {
    ResponseParser& parser = self(llhttp);
    if (parser.in_value_ && !parser.add_place()) return HPE_USER;
    parser.in_value_ = false;
    return head_text(llhttp, at, size, &ResponseParser::Place::name_size);
  }
  static int value(llhttp_t* llhttp, const char* at, size_t size) {
    ResponseParser& parser = self(llhttp);
    if (!parser.in_value_) {
      parser.in_value_ = true;
      parser.places_[parser.field_count_ - 1].value = parser.head_.size;
    }
    return head_text(llhttp, at, size, &ResponseParser::Place::value_size);
  }
  static int value_complete(llhttp_t* llhttp) {
    self(llhttp).in_value_ = true;
    return 0;
  }
  // 1: no body follows. An upgrade was not asked for, so none is followed.
  static int headers_complete(llhttp_t* llhttp) {
    ResponseParser& parser = self(llhttp);
    constexpr int kStop = -1;
    if (llhttp->status_code < 100 || llhttp->status_code > 599 || llhttp->status_code == 101) {
      parser.fail(FetchStatus::Failed, "the answer has a status that nobody asked for");
      return kStop;
    }
    if ((llhttp->flags & F_CONTENT_LENGTH) != 0 && !parser.head_request_ &&
        llhttp->content_length > parser.limits_->body_bytes) {
      parser.fail(FetchStatus::TooLarge, "the answer's body is beyond the limit");
      return kStop;
    }
    llhttp->upgrade = 0;
    return parser.head_request_ || llhttp->status_code < 200 ? 1 : 0;
  }
  static int body(llhttp_t* llhttp, const char* at, size_t size) {
    ResponseParser& parser = self(llhttp);
    if (parser.body_.size + size > parser.limits_->body_bytes)
      return parser.fail(FetchStatus::TooLarge, "the answer's body is beyond the limit");
    return parser.append(parser.body_, {at, size}) ? 0 : HPE_USER;
  }
  static int message_complete(llhttp_t* llhttp) {
    ResponseParser& parser = self(llhttp);
    if (llhttp->status_code >= 100 && llhttp->status_code < 200) {
      if (llhttp->status_code == 103 && parser.hints_ != nullptr) parser.note_hints();
      parser.begin_message();
      return 0;
    }
    parser.complete_ = true;
    return HPE_PAUSED;
  }
};

namespace {

const llhttp_settings_t& settings() {
  static const llhttp_settings_t kSettings = [] {
    llhttp_settings_t settings;
    llhttp_settings_init(&settings);
    settings.on_header_field = ResponseCallbacks::field;
    settings.on_header_value = ResponseCallbacks::value;
    settings.on_header_value_complete = ResponseCallbacks::value_complete;
    settings.on_headers_complete = ResponseCallbacks::headers_complete;
    settings.on_body = ResponseCallbacks::body;
    settings.on_message_complete = ResponseCallbacks::message_complete;
    return settings;
  }();
  return kSettings;
}

}  // namespace

void ResponseParser::reset(Arena& arena, const UpstreamOptions& limits, bool head_request) {
  llhttp_init(&llhttp_, HTTP_RESPONSE, &settings());
  llhttp_.data = this;
  arena_ = &arena;
  limits_ = &limits;
  head_request_ = head_request;
  begun_ = complete_ = reusable_ = false;
  used_ = 0;
  failure_ = FetchStatus::Pending;
  message_ = {};
  places_ = nullptr;
  fields_ = nullptr;
  field_room_ = 0;
  head_ = body_ = {};
  begin_message();
}

// What an interim answer said is forgotten.
void ResponseParser::begin_message() {
  head_.size = 0;
  field_count_ = 0;
  in_value_ = true;
}

void ResponseParser::note_hints() {
  for (const Place& place : std::span(places_, field_count_))
    if (equal_ignoring_case({head_.bytes + place.name, place.name_size}, "link"))
      hints_->emplace_back(head_.bytes + place.value, place.value_size);
}

int ResponseParser::fail(FetchStatus status, std::string_view message) {
  failure_ = status;
  message_ = message;
  return HPE_USER;
}

bool ResponseParser::append(Text& text, std::string_view bytes) {
  if (text.size + bytes.size() > text.room) {
    const size_t room = std::max(text.room * 2, text.size + bytes.size() + 512);
    void* grown = arena_->grow(text.bytes, text.size, room, 1);
    if (grown == nullptr) {
      fail(FetchStatus::Memory, "the request's memory is used up");
      return false;
    }
    text.bytes = static_cast<char*>(grown);
    text.room = room;
  }
  if (!bytes.empty()) std::memcpy(text.bytes + text.size, bytes.data(), bytes.size());
  text.size += bytes.size();
  return true;
}

bool ResponseParser::add_place() {
  if (field_count_ == limits_->fields) {
    fail(FetchStatus::TooLarge, "the answer has more header fields than the limit");
    return false;
  }
  if (field_count_ == field_room_) {
    const uint32_t room = std::min(std::max(field_room_ * 2, 16u), limits_->fields);
    void* grown = arena_->grow(places_, field_count_ * sizeof(Place), room * sizeof(Place), alignof(Place));
    if (grown == nullptr) {
      fail(FetchStatus::Memory, "the request's memory is used up");
      return false;
    }
    places_ = static_cast<Place*>(grown);
    field_room_ = room;
  }
  places_[field_count_++] = {.name = head_.size};
  return true;
}

ResponseParser::Step ResponseParser::feed(std::string_view bytes) {
  begun_ = begun_ || !bytes.empty();
  const auto error = llhttp_execute(&llhttp_, bytes.data(), bytes.size());
  used_ = error == HPE_OK ? bytes.size() : static_cast<size_t>(llhttp_get_error_pos(&llhttp_) - bytes.data());
  return judge(error);
}

ResponseParser::Step ResponseParser::end() {
  const Step step = judge(llhttp_finish(&llhttp_));
  reusable_ = false;
  if (step != Step::More) return step;
  fail(FetchStatus::Failed, "the connection was closed before the answer was complete");
  return Step::Failed;
}

ResponseParser::Step ResponseParser::judge(llhttp_errno_t error) {
  if (complete_) return finish();
  if (error == HPE_OK) return Step::More;
  if (failure_ == FetchStatus::Pending)
    fail(FetchStatus::Failed, error == HPE_INVALID_EOF_STATE
                                  ? "the connection was closed before the answer was complete"
                                  : "the answer is not well-formed HTTP");
  return Step::Failed;
}

ResponseParser::Step ResponseParser::finish() {
  // Of an answer in HTTP/1.0 that says close and keep-alive, llhttp believes the latter.
  reusable_ = llhttp_should_keep_alive(&llhttp_) != 0 && (llhttp_.flags & F_CONNECTION_CLOSE) == 0;
  fields_ = arena_->allocate_array<Field>(std::max<size_t>(field_count_, 1));
  if (fields_ == nullptr) {
    fail(FetchStatus::Memory, "the request's memory is used up");
    return Step::Failed;
  }
  for (uint32_t i = 0; i < field_count_; ++i) {
    const Place& place = places_[i];
    std::string_view value(head_.bytes + place.value, place.value_size);
    while (!value.empty() && (value.back() == ' ' || value.back() == '\t')) value.remove_suffix(1);
    fields_[i] = {{head_.bytes + place.name, place.name_size}, value};
  }
  return Step::Done;
}

}  // namespace leat::client
