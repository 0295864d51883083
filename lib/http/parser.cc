#include "http/parser.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/text.h"

namespace leat::http {

// llhttp calls these during feed() and parse_body(). They note what they are told and pause where the
// owner has something to do.
struct ParserCallbacks {
  static Parser& self(llhttp_t* llhttp) { return *static_cast<Parser*>(llhttp->data); }

  static void extend(Parser& parser, Span& span, const char* at, size_t size) {
    if (span.size == 0) span.offset = static_cast<uint32_t>(at - parser.base_);
    span.size += static_cast<uint32_t>(size);
  }
  static int url(llhttp_t* llhttp, const char* at, size_t size) {
    Parser& parser = self(llhttp);
    extend(parser, parser.head_.target, at, size);
    return 0;
  }
  static int field(llhttp_t* llhttp, const char* at, size_t size) {
    Parser& parser = self(llhttp);
    if (parser.in_value_ && !parser.add_slot()) return HPE_USER;
    parser.in_value_ = false;
    HeaderSlot& slot = parser.slots_[parser.slot_count_ - 1];
    if (parser.part_ == Parser::Part::Body)
      return parser.append_trailer(at, size, &HeaderSlot::name) ? 0 : HPE_USER;
    extend(parser, slot.name, at, size);
    return 0;
  }
  static int field_complete(llhttp_t* llhttp) {
    self(llhttp).in_value_ = true;
    return self(llhttp).within_count() ? 0 : HPE_USER;
  }
  static int value(llhttp_t* llhttp, const char* at, size_t size) {
    Parser& parser = self(llhttp);
    if (size == 0) return 0;
    if (parser.part_ == Parser::Part::Body)
      return parser.append_trailer(at, size, &HeaderSlot::value) ? 0 : HPE_USER;
    extend(parser, parser.slots_[parser.slot_count_ - 1].value, at, size);
    return 0;
  }
  static int headers_complete(llhttp_t* llhttp) {
    // An Upgrade is an offer that may be ignored (RFC 9110, section 7.8): the body that follows is a body.
    llhttp->upgrade = 0;
    self(llhttp).head_complete_ = true;
    return HPE_PAUSED;
  }
  static int body(llhttp_t* llhttp, const char* at, size_t size) {
    if (size == 0) return 0;  // the end of what is there, not of the body
    self(llhttp).piece_ = {at, size};
    return HPE_PAUSED;
  }
  static int message_complete(llhttp_t* llhttp) {
    self(llhttp).message_complete_ = true;
    return HPE_PAUSED;
  }
};

namespace {

const llhttp_settings_t& settings() {
  static const llhttp_settings_t kSettings = [] {
    llhttp_settings_t settings;
    llhttp_settings_init(&settings);
    settings.on_url = ParserCallbacks::url;
    settings.on_header_field = ParserCallbacks::field;
    settings.on_header_field_complete = ParserCallbacks::field_complete;
    settings.on_header_value = ParserCallbacks::value;
    settings.on_headers_complete = ParserCallbacks::headers_complete;
    settings.on_body = ParserCallbacks::body;
    settings.on_message_complete = ParserCallbacks::message_complete;
    return settings;
  }();
  return kSettings;
}

// llhttp's numbers are this project's for everything up to UNLINK; SOURCE, PRI and RTSP's follow.
std::optional<Method> to_method(uint8_t number) {
  if (number <= static_cast<uint8_t>(Method::Unlink)) return static_cast<Method>(number);
  if (number == HTTP_QUERY) return Method::Query;
  return std::nullopt;
}
static_assert(static_cast<int>(Method::Delete) == HTTP_DELETE &&
              static_cast<int>(Method::Patch) == HTTP_PATCH &&
              static_cast<int>(Method::Unlink) == HTTP_UNLINK);

constexpr bool is_blank(char c) { return c == ' ' || c == '\t'; }

// uri-host and port of RFC 3986, section 3.2, without judging names: what could be taken for another part of
// a URI or a second header is refused.
bool is_authority(std::string_view text) {
  std::string_view port;
  if (text.starts_with('[')) {
    const size_t end = text.find(']');
    if (end == std::string_view::npos) return false;
    for (const char c : text.substr(1, end - 1)) {
      const char lower = ascii_lower(c);
      if (!(c >= '0' && c <= '9') && !(lower >= 'a' && lower <= 'z') && c != ':' && c != '.') return false;
    }
    port = text.substr(end + 1);
    if (!port.empty() && port.front() != ':') return false;
  } else {
    const size_t colon = text.find(':');
    const std::string_view host = text.substr(0, colon);
    constexpr std::string_view kRefused = " \t\"#/<>?@[\\]^`{|},";
    for (const char c : host)
      if (static_cast<unsigned char>(c) < 0x21 || static_cast<unsigned char>(c) > 0x7e ||
          kRefused.find(c) != std::string_view::npos)
        return false;
    if (colon != std::string_view::npos) port = text.substr(colon);
  }
  if (!port.empty()) port.remove_prefix(1);
  return port.size() <= 5 && std::ranges::all_of(port, [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

void Parser::reset(Arena& arena, const Limits& limits, KnownLines* lines) {
  llhttp_init(&llhttp_, HTTP_REQUEST, &settings());
  llhttp_.data = this;
  arena_ = &arena;
  limits_ = &limits;
  lines_ = lines;
  hint_ = nullptr;
  run_lines_ = 0;
  hosts_ = 0;
  fed_ = scanned_ = request_line_ = 0;
  part_ = Part::RequestLine;
  in_value_ = true;
  head_complete_ = message_complete_ = false;
  head_ = Head{};
  slots_ = nullptr;
  slot_count_ = slot_room_ = 0;
  piece_ = {};
  trailer_bytes_ = nullptr;
  trailer_size_ = trailer_room_ = 0;
  refusal_ = {};
}

Parser::Step Parser::refuse(uint16_t status, std::string_view detail) {
  refusal_ = {status, detail};
  return Step::Refused;
}

Parser::Step Parser::refuse_llhttp() {
  if (refusal_) return Step::Refused;  // a callback has said why
  switch (llhttp_get_errno(&llhttp_)) {
    case HPE_PAUSED_H2_UPGRADE:
      return refuse(505, "HTTP/2 is not spoken on this port.");
    case HPE_INVALID_METHOD:
      // A word that could be a method is one that is not implemented; anything else is not HTTP at all.
      if (part_ == Part::RequestLine && base_[0] >= 'A' && base_[0] <= 'Z')
        return refuse(501, "The request method is not implemented.");
      return refuse(400, "The request does not begin with an HTTP method.");
    case HPE_INVALID_URL:
      return refuse(400, "The request target has a character that must be percent-encoded.");
    case HPE_INVALID_VERSION:
      return refuse(505, "The protocol version is not supported; use HTTP/1.1 or HTTP/1.0.");
    case HPE_INVALID_CONSTANT:
      return refuse(400, "The request line does not name the protocol HTTP.");
    case HPE_INVALID_HEADER_TOKEN:
      return refuse(400, "A header field has a character that is not allowed.");
    case HPE_INVALID_CONTENT_LENGTH:
      return refuse(400, "Content-Length is not one decimal number or stands beside Transfer-Encoding.");
    case HPE_UNEXPECTED_CONTENT_LENGTH:
      return refuse(400, "Content-Length is repeated or stands beside Transfer-Encoding.");
    case HPE_INVALID_TRANSFER_ENCODING:
      return refuse(400, "Transfer-Encoding does not end in chunked or stands beside Content-Length.");
    case HPE_INVALID_CHUNK_SIZE:
      return refuse(400, "A chunk of the body has a malformed size.");
    case HPE_UNEXPECTED_SPACE:
      return refuse(400, "There is white space where HTTP allows none.");
    case HPE_CR_EXPECTED:
    case HPE_LF_EXPECTED:
    case HPE_STRICT:
      return refuse(400, "A line does not end with CR LF.");
    default:
      return refuse(400, "The request is not well-formed HTTP.");
  }
}

// Feeds the head up to `end`. False: refused or malformed, refuse_llhttp() tells.
bool Parser::feed(const char* base, size_t end) {
  if (end <= fed_) return true;
  base_ = base;
  const auto error = llhttp_execute(&llhttp_, base + fed_, end - fed_);
  fed_ = static_cast<uint32_t>(end);
  return error == HPE_OK || (error == HPE_PAUSED && head_complete_);
}

bool Parser::add_slot() {
  if (slot_count_ == slot_room_ && !grow_slots()) return false;
  slots_[slot_count_++] = HeaderSlot{};
  return true;
}

// Asked at the end of a field's name. llhttp tells of a name's beginning sooner or later, as bytes arrive,
// and what a peer is told must not depend on that.
bool Parser::within_count() {
  if (slot_count_ <= limits_->header_count) return true;
  refuse(431, "The request has too many header fields.");
  return false;
}

bool Parser::grow_slots() {
  if (!within_count()) return false;
  // Browsers send about a dozen fields. One more than the limit, for the name that goes past it.
  const uint32_t room = std::min(slot_room_ == 0 ? 16 : slot_room_ * 2, limits_->header_count + 1);
  void* grown =
      arena_->grow(slots_, slot_count_ * sizeof(HeaderSlot), room * sizeof(HeaderSlot), alignof(HeaderSlot));
  if (grown == nullptr) {
    refuse(503, "The server is out of memory for this request.");
    return false;
  }
  slots_ = static_cast<HeaderSlot*>(grown);
  slot_room_ = room;
  return true;
}

// Takes what the header section begins with, if it is a known run within the limits. What goes past them goes
// line by line, for the limits' sake. False: refused.
bool Parser::take_known_run(std::string_view text) {
  const KnownRun* run = lines_->runs().match(text.substr(scanned_));
  if (run == nullptr || (run->http11_only && llhttp_.http_minor == 0)) return true;
  if (run->count > limits_->header_count || run->size > limits_->header_bytes) return true;
  while (slot_room_ < run->count)
    if (!grow_slots()) return false;
  for (uint32_t i = 0; i < run->count; ++i) {
    slots_[i] = run->slots[i];
    slots_[i].name.offset += scanned_;
    slots_[i].value.offset += scanned_;
  }
  if (run->has_host) {
    head_.host = {scanned_ + run->host.offset, run->host.size};
    ++hosts_;
  }
  run_lines_ = slot_count_ = run->count;
  fed_ = scanned_ += run->size;
  hint_ = run->last;
  return true;
}

// Takes header lines for as long as the next one is known. False: refused, or what was fed before them is
// malformed.
bool Parser::take_known_lines(std::string_view text) {
  while (const KnownLine* line = lines_->match(text.substr(scanned_), hint_)) {
    if (line->http11_only && llhttp_.http_minor == 0) break;
    if (!feed(text.data(), scanned_)) return false;
    if (slot_count_ == slot_room_ && !grow_slots()) return false;
    slots_[slot_count_++] = {.name = {scanned_, line->name_size},
                             .value = {scanned_ + line->value_offset, line->value_size},
                             .id = line->id,
                             .known = true};
    fed_ = scanned_ += line->size;
    in_value_ = true;
    hint_ = line;
    if (!within_count()) return false;
    if (scanned_ - request_line_ > limits_->header_bytes) break;
  }
  return true;
}

Parser::Step Parser::parse_head(std::string_view text) {
  const char* base = text.data();
  // Up to `scanned_` the text is whole lines; from `fed_` on it has not been shown to llhttp.
  if (part_ == Part::RequestLine) {
    const size_t from = std::max(fed_, scanned_);
    const void* newline = std::memchr(base + from, '\n', text.size() - from);
    const size_t line_end =
        newline == nullptr ? text.size() : static_cast<size_t>(static_cast<const char*>(newline) - base) + 1;
    // What is wrong within the limit is said first, whatever pieces the head comes in.
    if (!feed(base, std::min<size_t>(line_end, limits_->request_line_bytes))) return refuse_llhttp();
    if (line_end > limits_->request_line_bytes) return refuse(414, "The request line is too long.");
    if (newline == nullptr) return Step::More;
    if (llhttp_.http_major == 0) return refuse(400, "The request line names no protocol version.");
    // llhttp says so when it sees more, which it may never do: known lines are not shown to it.
    if (llhttp_.method == HTTP_PRI) return refuse(505, "HTTP/2 is not spoken on this port.");
    request_line_ = scanned_ = fed_;
    part_ = Part::Headers;
    if (lines_ != nullptr && !take_known_run(text)) return refuse_llhttp();
  }
  while (true) {
    if (lines_ != nullptr && fed_ <= scanned_ && !take_known_lines(text)) return refuse_llhttp();
    const size_t from = std::max(fed_, scanned_);
    const void* newline = from < text.size() ? std::memchr(base + from, '\n', text.size() - from) : nullptr;
    const size_t line_end =
        newline == nullptr ? text.size() : static_cast<size_t>(static_cast<const char*>(newline) - base) + 1;
    if (line_end - request_line_ > limits_->header_bytes) break;
    // The blank line, or a line cut by the end of what is there: llhttp sees all of it now. Other lines are
    // fed together with what follows them, once something follows that must be fed.
    const bool blank =
        newline != nullptr && line_end - scanned_ <= 2 && (base[scanned_] == '\r' || base[scanned_] == '\n');
    if ((newline == nullptr || blank) && !feed(base, line_end)) return refuse_llhttp();
    if (head_complete_) return finish_head(text.substr(0, fed_));
    if (newline == nullptr) return Step::More;
    scanned_ = static_cast<uint32_t>(line_end);
  }
  if (!feed(base, request_line_ + limits_->header_bytes)) return refuse_llhttp();
  return refuse(431, "The request's header fields are too large.");
}

Parser::Step Parser::finish_head(std::string_view text) {
  const auto method = to_method(llhttp_.method);
  if (!method) return refuse(501, "The request method belongs to another protocol.");
  head_.method = *method;
  if (llhttp_.http_major != 1 || llhttp_.http_minor > 1)
    return refuse(505, "The protocol version is not supported; use HTTP/1.1 or HTTP/1.0.");
  head_.minor_version = llhttp_.http_minor;
  head_.keep_alive = llhttp_should_keep_alive(&llhttp_) != 0;
  const std::string_view bytes = arena_->copy(text);
  if (bytes.data() == nullptr) return refuse(503, "The server is out of memory for this request.");
  head_.bytes = bytes.data();
  head_.size = static_cast<uint32_t>(bytes.size());
  head_.slots = slots_;
  head_.slot_count = slot_count_;
  if (check_fields() == Step::Refused || check_target() == Step::Refused) return Step::Refused;
  if (lines_ != nullptr) {
    offer_lines();
    offer_run();
  }
  slots_ = nullptr;  // what follows are trailers
  slot_count_ = slot_room_ = 0;
  in_value_ = true;
  part_ = Part::Body;
  return Step::Head;
}

Parser::Step Parser::check_fields() {
  unsigned codings = 0;
  // None of a run's lines has anything to say here but its Host.
  for (uint32_t i = run_lines_; i < slot_count_; ++i) {
    HeaderSlot& slot = slots_[i];
    if (!slot.known) {
      slot.id = find_header(head_.view(slot.name));
      // llhttp tells nothing of an empty value; anywhere behind the name will do for its place.
      if (slot.value.size == 0) slot.value.offset = slot.name.offset + slot.name.size;
      while (slot.value.size > 0 && is_blank(head_.bytes[slot.value.offset + slot.value.size - 1]))
        --slot.value.size;
    }
    const std::string_view value = head_.view(slot.value);
    if (slot.id == HeaderId::Host) {
      ++hosts_;
      if (!slot.known && !is_authority(value))
        return refuse(400, "The Host field is not a host with an optional port.");
      head_.host = slot.value;
    } else if (slot.id == HeaderId::TransferEncoding) {
      ++codings;
      if (head_.minor_version == 0) return refuse(400, "Transfer-Encoding is not part of HTTP/1.0.");
      if (!equal_ignoring_case(value, "chunked"))
        return refuse(501, "No transfer coding but chunked is implemented.");
    } else if (slot.id == HeaderId::Expect && head_.minor_version > 0) {
      if (!equal_ignoring_case(value, "100-continue"))
        return refuse(417, "The only expectation known is 100-continue.");
      head_.expect_continue = true;
    }
  }
  if (hosts_ > 1) return refuse(400, "The request has more than one Host field.");
  if (hosts_ == 0 && head_.minor_version > 0)
    return refuse(400, "An HTTP/1.1 request must have a Host field.");
  if (codings > 1) return refuse(400, "The request has more than one Transfer-Encoding field.");
  if (codings == 1) {
    head_.framing = Framing::Chunked;
  } else if ((llhttp_.flags & F_CONTENT_LENGTH) != 0 && llhttp_.content_length > 0) {
    head_.framing = Framing::Length;
    head_.content_length = llhttp_.content_length;
  }
  return Step::Head;
}

// RFC 9112, section 3.2: the four forms of a request target.
Parser::Step Parser::check_target() {
  const std::string_view target = head_.view(head_.target);
  const auto span = [&](size_t from, size_t size) {
    return Span{head_.target.offset + static_cast<uint32_t>(from), static_cast<uint32_t>(size)};
  };
  if (head_.method == Method::Connect) return refuse(501, "CONNECT is not implemented: this is not a proxy.");
  if (target == "*") {
    head_.path = head_.target;
    return head_.method == Method::Options ? Step::Head : refuse(400, "The target * is for OPTIONS only.");
  }
  if (target.find('#') != std::string_view::npos) return refuse(400, "The request target has a fragment.");
  size_t path = 0;
  if (!target.starts_with('/')) {
    const size_t scheme = target.find("://");
    const std::string_view name = target.substr(0, scheme == std::string_view::npos ? 0 : scheme);
    if (!equal_ignoring_case(name, "http") && !equal_ignoring_case(name, "https"))
      return refuse(400, "The request target is neither a path nor an http URL.");
    const size_t host = scheme + 3;
    path = std::min(target.find_first_of("/?", host), target.size());
    if (path == host || !is_authority(target.substr(host, path - host)))
      return refuse(400, "The request target's authority is not a host with an optional port.");
    head_.host = span(host, path - host);
    if (path == target.size() || target[path] == '?') {
      // No path means "/": there is one to point at in "://".
      head_.path = span(scheme + 1, 1);
      if (path < target.size()) {
        head_.has_query = true;
        head_.query = span(path + 1, target.size() - path - 1);
      }
      return Step::Head;
    }
  }
  const size_t question = target.find('?', path);
  head_.path = span(path, std::min(question, target.size()) - path);
  if (question != std::string_view::npos) {
    head_.has_query = true;
    head_.query = span(question + 1, target.size() - question - 1);
  }
  return Step::Head;
}

void Parser::offer_lines() const {
  for (uint32_t i = run_lines_; i < slot_count_; ++i) {
    const HeaderSlot& slot = slots_[i];
    if (slot.known) continue;
    const uint32_t start = slot.name.offset;
    const uint32_t value_end = slot.value.offset + slot.value.size;
    const void* newline = std::memchr(head_.bytes + value_end, '\n', head_.size - value_end);
    const auto end = static_cast<uint32_t>(static_cast<const char*>(newline) - head_.bytes) + 1;
    HeaderSlot relative = slot;
    relative.name.offset = 0;
    relative.value.offset -= start;
    lines_->offer({head_.bytes + start, end - start}, relative);
  }
}

// Offers the known lines that the head begins with, unless they are the run that was taken.
void Parser::offer_run() const {
  uint32_t count = run_lines_;
  while (count < slot_count_ && slots_[count].known && !KnownRuns::excluded(slots_[count].id)) ++count;
  if (count == run_lines_) return;
  const Span& last = slots_[count - 1].value;
  const uint32_t from = last.offset + last.size;
  const void* newline = std::memchr(head_.bytes + from, '\n', head_.size - from);
  const auto end = static_cast<uint32_t>(static_cast<const char*>(newline) - head_.bytes) + 1;
  lines_->runs().offer({head_.bytes + request_line_, end - request_line_}, {slots_, count}, request_line_,
                       hint_);
}

Parser::Step Parser::parse_body(std::string_view text, size_t& used) {
  // llhttp keeps a pointer to where a piece began, and takes a null one for none.
  if (text.data() == nullptr) text = std::string_view("", 0);
  piece_ = {};
  base_ = text.data();
  if (llhttp_get_errno(&llhttp_) == HPE_PAUSED) llhttp_resume(&llhttp_);
  const auto error = llhttp_execute(&llhttp_, text.data(), text.size());
  if (error == HPE_OK) {
    used = text.size();
    return Step::More;
  }
  used = static_cast<size_t>(llhttp_get_error_pos(&llhttp_) - text.data());
  if (error != HPE_PAUSED) return refuse_llhttp();
  if (!message_complete_) return Step::Body;
  finish_trailers();
  return Step::End;
}

void Parser::finish_trailers() {
  uint32_t kept = 0;
  for (uint32_t i = 0; i < slot_count_; ++i) {
    HeaderSlot slot = slots_[i];
    slot.id = find_header(trailer_bytes().substr(slot.name.offset, slot.name.size));
    while (slot.value.size > 0 && is_blank(trailer_bytes_[slot.value.offset + slot.value.size - 1]))
      --slot.value.size;
    // None but the head's own may say where this message or the next one ends, or for whom it is.
    if (!KnownLines::steers_parser(slot.id) && slot.id != HeaderId::Host) slots_[kept++] = slot;
  }
  slot_count_ = kept;
}

// Trailers come in pieces of a stream, so their text is gathered in the arena.
bool Parser::append_trailer(const char* at, size_t size, Span HeaderSlot::* span) {
  if (trailer_size_ + size > limits_->header_bytes) {
    refuse(431, "The trailer fields are too large.");
    return false;
  }
  if (trailer_size_ + size > trailer_room_) {
    const uint32_t room = std::max(trailer_room_ * 2, static_cast<uint32_t>(trailer_size_ + size + 256));
    void* grown = arena_->grow(trailer_bytes_, trailer_size_, room, 1);
    if (grown == nullptr) {
      refuse(503, "The server is out of memory for this request.");
      return false;
    }
    trailer_bytes_ = static_cast<char*>(grown);
    trailer_room_ = room;
  }
  std::memcpy(trailer_bytes_ + trailer_size_, at, size);
  Span& target = slots_[slot_count_ - 1].*span;
  if (target.size == 0) target.offset = trailer_size_;
  target.size += static_cast<uint32_t>(size);
  trailer_size_ += static_cast<uint32_t>(size);
  return true;
}

}  // namespace leat::http
