#include "http2/request_head.h"

#include <algorithm>

#include "base/text.h"
#include "http/authority.h"
#include "http/method.h"
#include "http2/field_rules.h"

namespace leat::http2 {

namespace {

using http::HeaderId;

// What a trailer must not say, since the message was understood without it (RFC 9110, section 6.5.1).
constexpr bool is_for_heads(HeaderId id) {
  return id == HeaderId::Host || id == HeaderId::ContentLength || id == HeaderId::Te ||
         id == HeaderId::Expect;
}

constexpr std::string_view kConnect = "CONNECT";

// RFC 3986, section 3.3 and 3.4, but that what should be percent-encoded and harms nobody may stand as it is.
bool is_target_char(char c) { return c > 0x20 && c < 0x7f && c != '#'; }

}  // namespace

void RequestHead::reset(const http::Limits& limits, bool trailers, bool tunnels) {
  most_path_ = limits.request_line_bytes;
  most_bytes_ = limits.header_bytes + limits.request_line_bytes;
  most_fields_ = limits.header_count;
  head_ = {};
  text_.clear();
  slots_.clear();
  for (Pseudo* each : {&method_, &scheme_, &authority_, &path_, &protocol_}) each->reset();
  cookie_.clear();
  priority_ = {};
  malformed_ = nullptr;
  refusal_ = {};
  bytes_ = 0;
  count_ = 0;
  trailers_ = fields_ = trailers;
  tunnels_ = tunnels;
  has_length_ = false;
}

bool RequestHead::field(const TableField& field) {
  bytes_ += field.name.size() + field.value.size() + kFieldOverhead;
  if (bytes_ > most_bytes_) refuse(431, "The request's header fields are too large.");
  if (field.name.starts_with(':')) return pseudo_field(field);
  if (++count_ > most_fields_) refuse(431, "The request has too many header fields.");
  if (!field.checked && !judge(field)) return false;
  if (keeps()) take(field);
  return true;
}

// Section 8.3.1. Which of them there must be is asked when all have come.
bool RequestHead::pseudo_field(const TableField& field) {
  const std::string_view name = field.name;
  Pseudo* const place = name == ":method"                 ? &method_
                        : name == ":scheme"               ? &scheme_
                        : name == ":authority"            ? &authority_
                        : name == ":path"                 ? &path_
                        : name == ":protocol" && tunnels_ ? &protocol_
                                                          : nullptr;
  if (place == nullptr) {
    set_malformed("The request has a pseudo-field that is none of a request.");
  } else if (fields_) {
    set_malformed("A pseudo-field stands behind other fields.");
  } else if (place->given) {
    set_malformed("A pseudo-field is repeated.");
  } else {
    place->given = true;
    if (place == &path_ && field.value.size() > most_path_) refuse(414, "The request target is too long.");
    if (keeps()) place->text = field.value;
    return true;
  }
  return false;
}

bool RequestHead::judge(const TableField& field) {
  const char* const wrong = wrong_with(field);
  if (wrong != nullptr) set_malformed(wrong);
  return wrong == nullptr;
}

// A field that is in order by itself.
void RequestHead::take(const TableField& field) {
  if (!fields_) begin_fields();
  if (trailers_) {
    if (!is_for_heads(field.id)) write_line(field.name, field.id, field.value);
    return;
  }
  switch (field.id) {
    case HeaderId::Cookie:  // crumbs of one (section 8.2.3)
      if (!cookie_.empty()) cookie_.append("; ");
      cookie_.append(field.value);
      return;
    case HeaderId::Host:
      // What is said twice must be the same, or who reads one is led elsewhere than who reads the other.
      if (authority_.given) {
        if (!equal_ignoring_case(authority_.text, field.value))
          set_malformed("The Host field is not the request's authority.");
        return;
      }
      authority_.given = true;
      authority_.text = field.value;
      if (!http::is_authority(field.value))
        set_malformed("The Host field is not a host with an optional port.");
      break;
    case HeaderId::ContentLength: {
      const auto length = parse_number<uint64_t>(field.value);
      if (!length || has_length_) return set_malformed("Content-Length is not one decimal number.");
      has_length_ = true;
      head_.content_length = *length;
      break;
    }
    case HeaderId::Te:
      if (!equal_ignoring_case(field.value, "trailers"))
        return set_malformed("TE says something else than trailers.");
      break;
    case HeaderId::Expect:
      if (!equal_ignoring_case(field.value, "100-continue"))
        return refuse(417, "The only expectation known is 100-continue.");
      head_.expect_continue = true;
      break;
    default:
      head_.forwarded = head_.forwarded || http::is_forwarding_field(field.id);
      break;
  }
  write_line(field.name, field.id, field.value);
  const http::Span value = slots_.back().value;
  if (field.id == HeaderId::Host) head_.host = value;
  if (field.id == HeaderId::Priority) priority_ = value;
}

void RequestHead::write_line(std::string_view name, HeaderId id, std::string_view value) {
  const auto at = static_cast<uint32_t>(text_.size());
  const auto name_size = static_cast<uint32_t>(name.size());
  slots_.push_back({.name = {at, name_size},
                    .value = {at + name_size + 2, static_cast<uint32_t>(value.size())},
                    .id = id});
  text_.append(name).append(": ").append(value).append("\r\n");
}

// As HTTP/1 would have it.
std::string_view RequestHead::method_text() const {
  return protocol_.given && method_.text == kConnect ? "GET" : std::string_view(method_.text);
}

// The pseudo-fields are over: the request line is made of them.
void RequestHead::begin_fields() {
  fields_ = true;
  const std::string_view method = method_text();
  head_.target = {static_cast<uint32_t>(method.size()) + 1, static_cast<uint32_t>(path_.text.size())};
  text_.append(method).append(" ").append(path_.text).append(" HTTP/2.0\r\n");
  if (is_token(protocol_.text)) write_line("upgrade", HeaderId::Upgrade, protocol_.text);
  if (!authority_.given || refusal_) return;
  if (!http::is_authority(authority_.text))
    return set_malformed("The request's authority is not a host with an optional port.");
  write_line("host", HeaderId::Host, authority_.text);
  head_.host = slots_.back().value;
}

void RequestHead::finish(bool ends) {
  if (trailers_) {
    if (!ends) set_malformed("Trailers do not end the request.");
    return;
  }
  if (!fields_ && method_.given) begin_fields();  // a log has what there is of one that is refused
  if (malformed_ != nullptr) return;
  if (!method_.given || !is_token(method_.text)) {
    if (refusal_) return;
    return set_malformed("The request has no method.");
  }
  if (protocol_.given) {
    check_connect();
  } else if (method_.text == kConnect) {
    if (scheme_.given || path_.given || !authority_.given)
      set_malformed("CONNECT is for an authority alone.");
    return refuse(501, "CONNECT is not implemented: this is not a proxy.");
  }
  if (!scheme_.given || !path_.given) return set_malformed("The request has no scheme or no path.");
  if (!keeps()) return;
  if (scheme_.text.empty() || path_.text.empty())
    return set_malformed("The request has no scheme or no path.");
  const auto method = http::find_method(method_text());
  if (!method) return refuse(501, "The request method is not implemented.");
  head_.method = *method;
  check_target();
  if (!authority_.given) return refuse(400, "The request is for no host: it has no authority.");
  if (!cookie_.empty()) write_line("cookie", HeaderId::Cookie, cookie_);
  text_.append("\r\n");

  if (ends && head_.content_length != 0) return set_malformed("The request has no body, but a length.");
  if (!ends && !protocol_.given)
    head_.framing = has_length_ && head_.content_length != 0 ? http::Framing::Length : http::Framing::Chunked;
  head_.bytes = text_.data();
  head_.size = static_cast<uint32_t>(text_.size());
  head_.major_version = 2;
  head_.slots = slots_.data();
  head_.slot_count = static_cast<uint32_t>(slots_.size());
}

// RFC 8441, section 4: a target like any request's, and no body, since what follows is the other protocol's.
void RequestHead::check_connect() {
  if (method_.text != kConnect) set_malformed("Another protocol is asked for by CONNECT alone.");
  if (keeps() && !is_token(protocol_.text)) set_malformed("The protocol that is asked for is no token.");
  if (head_.content_length != 0) set_malformed("A request for another protocol has no body.");
  head_.expect_continue = false;
}

// The path and query of RFC 3986, or the asterisk.
void RequestHead::check_target() {
  const std::string_view target = path_.text;
  if (target == "*" && head_.method == http::Method::Options) {
    head_.path = head_.target;
    return;
  }
  if (!target.starts_with('/')) return set_malformed("The request's path is no path.");
  if (!std::ranges::all_of(target, is_target_char))
    return set_malformed("The request's path has a character that must be percent-encoded.");
  const auto question = static_cast<uint32_t>(std::min(target.find('?'), target.size()));
  head_.path = {head_.target.offset, question};
  head_.has_query = question < target.size();
  if (head_.has_query)
    head_.query = {head_.target.offset + question + 1, static_cast<uint32_t>(target.size()) - question - 1};
}

}  // namespace leat::http2
