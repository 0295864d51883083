#include "http/message.h"

#include <algorithm>

#include "base/check.h"
#include "base/text.h"

namespace leat::http {

std::string_view Request::header(HeaderId id) const {
  for (const HeaderSlot& slot : head_->headers())
    if (slot.id == id) return head_->view(slot.value);
  return {};
}

std::string_view Request::header(std::string_view name) const {
  if (const HeaderId id = find_header(name); id != HeaderId::Unknown) return header(id);
  for (const HeaderSlot& slot : head_->headers())
    if (slot.id == HeaderId::Unknown && equal_ignoring_case(head_->view(slot.name), name))
      return head_->view(slot.value);
  return {};
}

std::string_view Request::claim(std::string_view name) const {
  const auto found = std::ranges::find(claims_, name, &Claim::name);
  return found == claims_.end() ? std::string_view() : found->value;
}

void Request::set_params(std::span<const std::string_view> params) {
  ENSURE(params.size() <= kMostParams);
  std::ranges::copy(params, params_.begin());
  param_count_ = params.size();
}

void Request::reset(const Head& head) {
  head_ = asked_ = &head;
  body_ = {};
  identity_ = &kNobody;
  id_ = {};
  user_ = {};
  had_credentials_ = false;
  claims_ = {};
  trace_ = {};
  trailers_ = {};
  trailer_bytes_ = {};
  param_count_ = 0;
  known_ = false;
}

namespace {

bool is_framing_field(std::string_view name) {
  switch (find_header(name)) {
    case HeaderId::Connection:
    case HeaderId::ContentLength:
    case HeaderId::Date:
    case HeaderId::KeepAlive:
    case HeaderId::Server:
    case HeaderId::TransferEncoding:
    case HeaderId::Upgrade:
      return true;
    default:
      return false;
  }
}

// What is true of one content only (RFC 9110, section 8), and for how long it is.
bool tells_of_content(std::string_view name) {
  constexpr std::string_view kMore[] = {"Content-Digest", "Content-Location", "Content-Range",
                                        "Accept-Ranges", "Repr-Digest"};
  switch (find_header(name)) {
    case HeaderId::Age:
    case HeaderId::CacheControl:
    case HeaderId::ContentDisposition:
    case HeaderId::ContentEncoding:
    case HeaderId::ContentLanguage:
    case HeaderId::Etag:
    case HeaderId::Expires:
    case HeaderId::LastModified:
    case HeaderId::Location:
      return true;
    default:
      return std::ranges::any_of(kMore,
                                 [&](std::string_view each) { return equal_ignoring_case(each, name); });
  }
}

}  // namespace

bool Response::add(std::string_view name, std::string_view value) {
  if (!is_token(name) || !is_field_value(value) || is_framing_field(name)) return false;
  if (equal_ignoring_case(name, "Content-Type")) {  // which takes no room
    content_type = value;
    return true;
  }
  if (count_ == kMostFields) return false;
  fields_[count_++] = {name, value, author_};
  return true;
}

bool Response::add_copy(Arena& arena, std::string_view name, std::string_view value) {
  const std::string_view own_name = arena.copy(name);
  const std::string_view own_value = arena.copy(value);
  if (own_name.data() == nullptr || own_value.data() == nullptr) return false;
  return add(own_name, own_value);
}

bool Response::set(std::string_view name, std::string_view value) {
  if (!is_token(name) || !is_field_value(value) || is_framing_field(name)) return false;
  remove(name);
  return add(name, value);
}

void Response::remove(std::string_view name) {
  if (equal_ignoring_case(name, "Content-Type")) content_type = {};
  const auto kept = std::remove_if(fields_.begin(), fields_.begin() + static_cast<std::ptrdiff_t>(count_),
                                   [&](const Field& field) { return equal_ignoring_case(field.name, name); });
  count_ = static_cast<size_t>(kept - fields_.begin());
}

std::string_view Response::find(std::string_view name) const {
  if (equal_ignoring_case(name, "Content-Type")) return content_type;
  for (const Field& field : fields())
    if (equal_ignoring_case(field.name, name)) return field.value;
  return {};
}

void Response::remove_handlers() {
  const auto kept = std::remove_if(fields_.begin(), fields_.begin() + static_cast<std::ptrdiff_t>(count_),
                                   [](const Field& field) { return field.origin == Origin::Handler; });
  count_ = static_cast<size_t>(kept - fields_.begin());
  status = 200;
  content_type = {};
}

void Response::keep_middleware() {
  const auto kept = std::remove_if(
      fields_.begin(), fields_.begin() + static_cast<std::ptrdiff_t>(count_),
      [](const Field& field) { return field.origin != Origin::Middleware || tells_of_content(field.name); });
  count_ = static_cast<size_t>(kept - fields_.begin());
  status = 200;
  content_type = {};
}

void Response::reset() {
  status = 200;
  content_type = {};
  count_ = 0;
}

}  // namespace leat::http
