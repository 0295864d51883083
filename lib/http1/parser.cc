#include "http1/parser.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/text.h"
#include "http/authority.h"
#include "http/problem.h"

namespace leat::http1 {

// llhttp calls these during feed() and parse_body(). They note what they are told and pause where the
// owner has something to do.
struct ParserCallbacks {
  static Parser& self(llhttp_t* llhttp) { return *static_cast<Parser*>(llhttp->data); }

  static void extend(Parser& parser, http::Span& span, const char* at, size_t size) {
    if (span.size == 0) span.offset = parser.base_at_ + static_cast<uint32_t>(at - parser.base_);
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
    http::HeaderSlot& slot = parser.slots_[parser.slot_count_ - 1];
    if (parser.part_ == Parser::Part::Body)
      return parser.append_trailer(at, size, &http::HeaderSlot::name) ? 0 : HPE_USER;
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
      return parser.append_trailer(at, size, &http::HeaderSlot::value) ? 0 : HPE_USER;
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
std::optional<http::Method> to_method(uint8_t number) {
  if (number <= static_cast<uint8_t>(http::Method::Unlink)) return static_cast<http::Method>(number);
  if (number == HTTP_QUERY) return http::Method::Query;
  return std::nullopt;
}
static_assert(static_cast<int>(http::Method::Delete) == HTTP_DELETE &&
              static_cast<int>(http::Method::Patch) == HTTP_PATCH &&
              static_cast<int>(http::Method::Unlink) == HTTP_UNLINK);

constexpr std::string_view kBareNewline = "A line does not end with CR LF.";
constexpr std::string_view kForeignMethod = "The request method belongs to another protocol.";
constexpr std::string_view kForeignProtocol = "The request line does not name the protocol HTTP.";

// What `text` holds from `at` on, which is within it.
std::string_view behind(std::string_view text, size_t at) { return {text.data() + at, text.size() - at}; }

// The tokens of a Connection field that mean something here.
void read_connection(std::string_view value, bool& close, bool& keep_alive) {
  while (!value.empty()) {
    const size_t end = std::min(value.find(','), value.size());
    const std::string_view option = trim(value.substr(0, end));
    value.remove_prefix(std::min(end + 1, value.size()));
    close = close || equal_ignoring_case(option, "close");
    keep_alive = keep_alive || equal_ignoring_case(option, "keep-alive");
  }
}

}  // namespace

void Parser::reset(Arena& arena, const http::Limits& limits, KnownLines* lines) {
  arena_ = &arena;
  request_line_bytes_ = limits.request_line_bytes;
  header_bytes_ = limits.header_bytes;
  header_count_ = limits.header_count;
  lines_ = lines;
  hint_ = nullptr;
  run_lines_ = 0;
  hosts_ = 0;
  base_at_ = fed_ = scanned_ = request_line_ = 0;
  chunks_ = {};
  absolute_target_ = in_trailers_ = false;
  part_ = Part::RequestLine;
  in_value_ = true;
  head_complete_ = message_complete_ = false;
  head_ = http::Head{};
  slots_ = nullptr;
  slot_count_ = slot_room_ = 0;
  piece_ = {};
  trailer_bytes_ = nullptr;
  trailer_size_ = trailer_room_ = 0;
  refusal_ = {};
  llhttp_init(&llhttp_, HTTP_REQUEST, &settings());
  // It knows a few versions; which of all there could be is served is judged here.
  llhttp_set_lenient_version(&llhttp_, 1);
  llhttp_.data = this;
}

Parser::Step Parser::refuse(uint16_t status, std::string_view detail) {
  refusal_ = {status, detail};
  return Step::Refused;
}

// Whether llhttp stopped behind a line feed without a carriage return, of which it tells in many ways.
bool Parser::stopped_at_bare_newline() const {
  const auto end = static_cast<size_t>(llhttp_get_error_pos(&llhttp_) - base_);
  if (end == 0 || end > base_size_ || base_[end - 1] != '\n') return false;
  // Of a head, the bytes before what is shown are there as well.
  return (end > 1 || base_at_ > 0) && *(base_ + end - 2) != '\r';
}

Parser::Step Parser::refuse_llhttp() {
  if (refusal_) return Step::Refused;  // a callback has said why
  if (stopped_at_bare_newline()) return refuse(400, kBareNewline);
  switch (llhttp_get_errno(&llhttp_)) {
    case HPE_PAUSED_H2_UPGRADE:
      return refuse(505, "HTTP/2 is not spoken on this port.");
    case HPE_INVALID_METHOD:
      // A word that could be a method is one that is not implemented; anything else is not HTTP at all.
      if (const char first = *(base_ - base_at_); part_ == Part::RequestLine && first >= 'A' && first <= 'Z')
        return refuse(501, "The request method is not implemented.");
      return refuse(400, "The request does not begin with an HTTP method.");
    case HPE_INVALID_URL:
      return refuse(400, "The request target has a character that must be percent-encoded.");
    case HPE_INVALID_VERSION:
      return refuse(400, "The request line does not end with the protocol version.");
    case HPE_INVALID_CONSTANT:
      if (!to_method(llhttp_.method)) return refuse(501, kForeignMethod);
      return refuse(400, kForeignProtocol);
    case HPE_INVALID_HEADER_TOKEN:
      return refuse(400, "A header field has a character that is not allowed.");
    case HPE_INVALID_CONTENT_LENGTH:
      return refuse(400, "Content-Length is not one decimal number or stands beside Transfer-Encoding.");
    case HPE_UNEXPECTED_CONTENT_LENGTH:
      return refuse(400, "Content-Length is repeated or stands beside Transfer-Encoding.");
    case HPE_INVALID_TRANSFER_ENCODING:
      return refuse(400, "Transfer-Encoding does not end in chunked or stands beside Content-Length.");
    case HPE_CR_EXPECTED:
    case HPE_LF_EXPECTED:
    case HPE_STRICT:
      return refuse(400, kBareNewline);
    default:
      return refuse(400, "The request is not well-formed HTTP.");
  }
}

// Shows `text`, which stands `at` bytes from the head's beginning, to llhttp. False: it does not go on.
bool Parser::show(std::string_view text, uint32_t at) {
  base_ = text.data();
  base_size_ = text.size();
  base_at_ = at;
  const auto error = llhttp_execute(&llhttp_, text.data(), text.size());
  return error == HPE_OK || (error == HPE_PAUSED && head_complete_);
}

// Feeds the head up to `end`. False: refused or malformed, refuse_llhttp() tells.
bool Parser::feed(const char* base, size_t end) {
  if (end <= fed_) return true;
  const uint32_t from = fed_;
  if (part_ == Part::Headers && std::memchr(base + from, '\t', end - from) != nullptr) [[unlikely]]
    return feed_tabs(base, end);
  fed_ = static_cast<uint32_t>(end);
  return show({base + from, end - from}, from);
}

// llhttp knows no tab behind the value of Content-Length or Transfer-Encoding, where it is as good as a space
// (RFC 9110, section 5.6.3). Within the header section it is everywhere as good as one.
bool Parser::feed_tabs(const char* base, size_t end) {
  while (const void* const tab = std::memchr(base + fed_, '\t', end - fed_)) {
    const auto at = static_cast<uint32_t>(static_cast<const char*>(tab) - base);
    const uint32_t from = std::exchange(fed_, at + 1);
    if ((at != from && !show({base + from, at - from}, from)) || !show(" ", at)) return false;
    if (fed_ == end) return true;
  }
  return feed(base, end);
}

bool Parser::add_slot() {
  if (slot_count_ == slot_room_ && !grow_slots()) return false;
  slots_[slot_count_++] = http::HeaderSlot{};
  return true;
}

// Asked at the end of a field's name. llhttp tells of a name's beginning sooner or later, as bytes arrive,
// and what a peer is told must not depend on that.
bool Parser::within_count() {
  if (slot_count_ <= header_count_) return true;
  refuse(431, "The request has too many header fields.");
  return false;
}

bool Parser::grow_slots() {
  if (!within_count()) return false;
  // Browsers send about a dozen fields. One more than the limit, for the name that goes past it.
  const uint32_t room = std::min(slot_room_ == 0 ? 16 : slot_room_ * 2, header_count_ + 1);
  void* grown = arena_->grow(slots_, slot_count_ * sizeof(http::HeaderSlot), room * sizeof(http::HeaderSlot),
                             alignof(http::HeaderSlot));
  if (grown == nullptr) {
    refuse(http::kOutOfMemory.status, http::kOutOfMemory.detail);
    return false;
  }
  slots_ = static_cast<http::HeaderSlot*>(grown);
  slot_room_ = room;
  return true;
}

// Takes what the header section begins with, if it is a known run within the limits. What goes past them goes
// line by line, for the limits' sake. False: refused.
bool Parser::take_known_run(std::string_view text) {
  const KnownRun* run = lines_->runs().match(behind(text, scanned_));
  if (run == nullptr || (run->http11_only && llhttp_.http_minor == 0)) return true;
  if (run->count > header_count_ || run->size > header_bytes_) return true;
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
  head_.forwarded = run->forwarded;
  run_lines_ = slot_count_ = run->count;
  fed_ = scanned_ += run->size;
  hint_ = run->last;
  return true;
}

// Takes header lines for as long as the next one is known. False: refused, or what was fed before them is
// malformed.
bool Parser::take_known_lines(std::string_view text) {
  while (const KnownLine* line = lines_->match(behind(text, scanned_), hint_)) {
    if (line->http11_only && llhttp_.http_minor == 0) break;
    if (!feed(text.data(), scanned_)) return false;
    // What goes past a limit is told by the same means whether it is known or not.
    if (scanned_ + line->size - request_line_ > header_bytes_) break;
    if (slot_count_ == slot_room_ && !grow_slots()) return false;
    slots_[slot_count_++] = {.name = {scanned_, line->name_size},
                             .value = {scanned_ + line->value_offset, line->value_size},
                             .id = line->id,
                             .known = true};
    fed_ = scanned_ += line->size;
    in_value_ = true;
    hint_ = line;
    if (!within_count()) return false;
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
    if (!feed(base, std::min<size_t>(line_end, request_line_bytes_))) return refuse_llhttp();
    if (line_end > request_line_bytes_) return refuse(414, "The request line is too long.");
    if (newline == nullptr) return Step::More;
    if (check_protocol({base, line_end}) == Step::Refused) return Step::Refused;
    request_line_ = scanned_ = fed_;
    part_ = Part::Headers;
    if (lines_ != nullptr && !take_known_run(text)) return refuse_llhttp();
  }
  while (true) {
    if (lines_ != nullptr && fed_ <= scanned_ && !take_known_lines(text)) return refuse_llhttp();
    // A line that begins with white space goes on with the one before, or would (RFC 9112, section 5.2). Said
    // here, since what llhttp says of it depends on whether it was shown that one.
    if (scanned_ < text.size() && scanned_ - request_line_ < header_bytes_ && is_blank(base[scanned_])) {
      if (!feed(base, scanned_)) return refuse_llhttp();
      return refuse(400, "A line of the header section begins with white space.");
    }
    const size_t from = std::max(fed_, scanned_);
    const void* newline = from < text.size() ? std::memchr(base + from, '\n', text.size() - from) : nullptr;
    const size_t line_end =
        newline == nullptr ? text.size() : static_cast<size_t>(static_cast<const char*>(newline) - base) + 1;
    if (line_end - request_line_ > header_bytes_) break;
    // The blank line, or a line cut by the end of what is there: llhttp sees all of it now. Other lines are
    // fed together with what follows them, once something follows that must be fed.
    const bool blank =
        newline != nullptr && line_end - scanned_ <= 2 && (base[scanned_] == '\r' || base[scanned_] == '\n');
    if ((newline == nullptr || blank) && !feed(base, line_end)) return refuse_llhttp();
    if (head_complete_) return finish_head({base, fed_});
    if (newline == nullptr) return Step::More;
    scanned_ = static_cast<uint32_t>(line_end);
  }
  if (!feed(base, request_line_ + header_bytes_)) return refuse_llhttp();
  return refuse(431, "The request's header fields are too large.");
}

// The request line is whole. llhttp takes RTSP and ICE as well, and finds some of what is wrong here only
// when it sees more, which it may never do: known lines are not shown to it.
Parser::Step Parser::check_protocol(std::string_view line) {
  constexpr std::string_view kName = "HTTP/";
  constexpr size_t kVersion = std::string_view("HTTP/1.1\r\n").size();
  const bool is_http = line.size() > kVersion &&
                       std::memcmp(line.data() + line.size() - kVersion, kName.data(), kName.size()) == 0;
  if (!is_http && llhttp_.http_major == 0) return refuse(400, "The request line names no protocol version.");
  if (!is_http) return refuse(400, kForeignProtocol);
  if (llhttp_.method == HTTP_PRI) return refuse(505, "HTTP/2 is not spoken on this port.");
  if (!to_method(llhttp_.method)) return refuse(501, kForeignMethod);
  if (llhttp_.http_major != 1)
    return refuse(505, "The protocol version is not supported; use HTTP/1.1 or HTTP/1.0.");
  return Step::More;
}

Parser::Step Parser::finish_head(std::string_view text) {
  head_.method = *to_method(llhttp_.method);
  // A later HTTP/1 is one that whoever speaks 1.1 understands (RFC 9110, section 2.5).
  head_.minor_version = std::min<uint8_t>(llhttp_.http_minor, 1);
  const std::string_view bytes = arena_->copy(text);
  if (bytes.data() == nullptr) return refuse(http::kOutOfMemory.status, http::kOutOfMemory.detail);
  head_.bytes = bytes.data();
  head_.size = static_cast<uint32_t>(bytes.size());
  head_.slots = slots_;
  head_.slot_count = slot_count_;
  if (check_fields() == Step::Refused || check_target() == Step::Refused) return Step::Refused;
  if (lines_ != nullptr) {
    offer_lines();
    offer_run();
  }
  if (absolute_target_) show_target_as_host();
  slots_ = nullptr;  // what follows are trailers
  slot_count_ = slot_room_ = 0;
  in_value_ = true;
  part_ = Part::Body;
  return Step::Head;
}

Parser::Step Parser::check_fields() {
  unsigned codings = 0;
  bool close = false, keep_alive = false;
  // None of a run's lines has anything to say here but its Host, and that there is a forwarding field.
  for (uint32_t i = run_lines_; i < slot_count_; ++i) {
    http::HeaderSlot& slot = slots_[i];
    if (!slot.known) {
      slot.id = http::find_header(head_.view(slot.name));
      // llhttp tells nothing of an empty value; anywhere behind the name will do for its place.
      if (slot.value.size == 0) slot.value.offset = slot.name.offset + slot.name.size;
      while (slot.value.size > 0 && is_blank(head_.bytes[slot.value.offset + slot.value.size - 1]))
        --slot.value.size;
    }
    const std::string_view value = head_.view(slot.value);
    if (slot.id == http::HeaderId::Host) {
      ++hosts_;
      if (!slot.known && !value.empty() && !http::is_authority(value))
        return refuse(400, "The Host field is not a host with an optional port.");
      head_.host = slot.value;
    } else if (slot.id == http::HeaderId::TransferEncoding) {
      ++codings;
      if (head_.minor_version == 0) return refuse(400, "Transfer-Encoding is not part of HTTP/1.0.");
      if (!equal_ignoring_case(value, "chunked"))
        return refuse(501, "No transfer coding but chunked is implemented.");
    } else if (slot.id == http::HeaderId::Connection) {
      read_connection(value, close, keep_alive);
    } else if (slot.id == http::HeaderId::Expect && head_.minor_version > 0) {
      if (!equal_ignoring_case(value, "100-continue"))
        return refuse(417, "The only expectation known is 100-continue.");
      head_.expect_continue = true;
    } else if (http::is_forwarding_field(slot.id)) {
      head_.forwarded = true;
    }
  }
  // Whatever else it says, who says close means it (RFC 9112, section 9.3).
  head_.keep_alive = !close && (keep_alive || head_.minor_version > 0);
  if (hosts_ > 1) return refuse(400, "The request has more than one Host field.");
  if (hosts_ == 0 && head_.minor_version > 0)
    return refuse(400, "An HTTP/1.1 request must have a Host field.");
  if (codings > 1) return refuse(400, "The request has more than one Transfer-Encoding field.");
  if (codings == 1) {
    head_.framing = http::Framing::Chunked;
  } else if ((llhttp_.flags & F_CONTENT_LENGTH) != 0 && llhttp_.content_length > 0) {
    head_.framing = http::Framing::Length;
    head_.content_length = llhttp_.content_length;
  }
  return Step::Head;
}

// RFC 9112, section 3.2: the four forms of a request target.
Parser::Step Parser::check_target() {
  const std::string_view target = head_.view(head_.target);
  const auto span = [&](size_t from, size_t size) {
    return http::Span{head_.target.offset + static_cast<uint32_t>(from), static_cast<uint32_t>(size)};
  };
  if (head_.method == http::Method::Connect)
    return refuse(501, "CONNECT is not implemented: this is not a proxy.");
  if (target == "*") {
    head_.path = head_.target;
    return head_.method == http::Method::Options ? Step::Head
                                                 : refuse(400, "The target * is for OPTIONS only.");
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
    if (path == host || !http::is_authority(target.substr(host, path - host)))
      return refuse(400, "The request target's authority is not a host with an optional port.");
    head_.host = span(host, path - host);
    absolute_target_ = true;
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

// For whom a request in absolute form is, its target alone says; what Host says is to be ignored (RFC 9112,
// section 3.2.2), and is therefore shown to nobody.
void Parser::show_target_as_host() {
  for (uint32_t i = 0; i < slot_count_; ++i)
    if (slots_[i].id == http::HeaderId::Host) slots_[i].value = head_.host;
}

// Where the line ends of which the value ended at `at`: a byte or two on, most of the time.
uint32_t Parser::line_end(uint32_t at) const {
  while (head_.bytes[at] != '\n') ++at;
  return at + 1;
}

void Parser::offer_lines() const {
  for (uint32_t i = run_lines_; i < slot_count_; ++i) {
    const http::HeaderSlot& slot = slots_[i];
    if (slot.known) continue;
    const uint32_t start = slot.name.offset;
    const uint32_t value_end = slot.value.offset + slot.value.size;
    const uint32_t end = line_end(value_end);
    http::HeaderSlot relative = slot;
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
  const http::Span& last = slots_[count - 1].value;
  const uint32_t end = line_end(last.offset + last.size);
  lines_->runs().offer({head_.bytes + request_line_, end - request_line_}, {slots_, count}, request_line_,
                       hint_);
}

Parser::Step Parser::parse_body(std::string_view text, size_t& used) {
  used = 0;
  if (head_.framing == http::Framing::Chunked && !in_trailers_) {
    const ChunkReader::Step step = chunks_.read(text, used);
    piece_ = chunks_.piece();
    if (step == ChunkReader::Step::Refused) return refuse(400, chunks_.wrong());
    if (step == ChunkReader::Step::Data) return Step::Body;
    if (step == ChunkReader::Step::More) return Step::More;
    // To llhttp the body had no chunks: it goes on with the trailer section.
    in_trailers_ = true;
    size_t shown = 0;
    ENSURE(judge_body("0\r\n", shown) == Step::More);
    text.remove_prefix(used);
  }
  size_t judged = 0;
  const Step step = judge_body(text, judged);
  used += judged;
  return step;
}

Parser::Step Parser::judge_body(std::string_view text, size_t& used) {
  // llhttp keeps a pointer to where a piece began, and takes a null one for none.
  if (text.data() == nullptr) text = std::string_view("", 0);
  piece_ = {};
  base_ = text.data();
  base_size_ = text.size();
  base_at_ = 0;
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
    http::HeaderSlot slot = slots_[i];
    slot.id = http::find_header(trailer_bytes().substr(slot.name.offset, slot.name.size));
    while (slot.value.size > 0 && is_blank(trailer_bytes_[slot.value.offset + slot.value.size - 1]))
      --slot.value.size;
    // None but the head's own may say where this message or the next one ends, or for whom it is.
    if (!KnownLines::steers_parser(slot.id) && slot.id != http::HeaderId::Host) slots_[kept++] = slot;
  }
  slot_count_ = kept;
}

// Trailers come in pieces of a stream, so their text is gathered in the arena.
bool Parser::append_trailer(const char* at, size_t size, http::Span http::HeaderSlot::* span) {
  if (trailer_size_ + size > header_bytes_) {
    refuse(431, "The trailer fields are too large.");
    return false;
  }
  if (trailer_size_ + size > trailer_room_) {
    const uint32_t room = std::max(trailer_room_ * 2, static_cast<uint32_t>(trailer_size_ + size + 256));
    void* grown = arena_->grow(trailer_bytes_, trailer_size_, room, 1);
    if (grown == nullptr) {
      refuse(http::kOutOfMemory.status, http::kOutOfMemory.detail);
      return false;
    }
    trailer_bytes_ = static_cast<char*>(grown);
    trailer_room_ = room;
  }
  std::memcpy(trailer_bytes_ + trailer_size_, at, size);
  http::Span& target = slots_[slot_count_ - 1].*span;
  if (target.size == 0) target.offset = trailer_size_;
  target.size += static_cast<uint32_t>(size);
  trailer_size_ += static_cast<uint32_t>(size);
  return true;
}

}  // namespace leat::http1
