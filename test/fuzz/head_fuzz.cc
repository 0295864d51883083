// Requests must mean the same whatever way they are read. The same bytes go through
//  - the parser as it is without tables, whole,
//  - the same in random pieces, each in memory of its own,
//  - the parser with a table of lines that all earlier inputs of this process have filled, whole and in pieces,
//  - the table of whole heads, filled likewise,
//  - llhttp alone, whole.
// The four ways of Leat must agree in everything: the verdict, the status of a refusal and its words, every
// field, every byte of the body, the trailers. llhttp must agree on what is well-formed: Leat refuses more,
// and less only where llhttp does not know white space or a version.
//
// Input: a byte that chooses limits, a byte that seeds the pieces, then the request.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "fuzz/choices.h"
#include "http/known_heads.h"
#include "http1/known_lines.h"
#include "http1/parser.h"

namespace leat::fuzz {

namespace {

using http1::Parser;

// All that an owner can learn from a parser, as text that two runs can be compared by.
struct Reading {
  Parser::Step verdict = Parser::Step::More;  // of the head, or of the body once it has begun
  bool has_head = false;
  std::string head;
  std::string body;
  std::string trailers;
  size_t used = 0;
  uint16_t status = 0;
  std::string_view detail;  // of a refused head
  bool operator==(const Reading&) const = default;
};

std::string describe(const http::Head& head) {
  std::string text = "size " + std::to_string(head.size) + " " + std::string(http::method_name(head.method)) +
                     " 1." + std::to_string(head.minor_version) + " framing " +
                     std::to_string(static_cast<int>(head.framing)) + " " +
                     std::to_string(head.content_length) + (head.keep_alive ? " keep" : " close") +
                     (head.expect_continue ? " expect" : "") + (head.forwarded ? " forwarded" : "") +
                     (head.has_query ? " query" : "") + " [" + std::string(head.view(head.target)) + "] [" +
                     std::string(head.view(head.path)) + "] [" + std::string(head.view(head.query)) + "] [" +
                     std::string(head.view(head.host)) + "]\n";
  for (const http::HeaderSlot& slot : head.headers())
    text += std::to_string(static_cast<int>(slot.id)) + " [" + std::string(head.view(slot.name)) + "] [" +
            std::string(head.view(slot.value)) + "]\n";
  return text;
}

// How many bytes come next, of `left`.
using NextPiece = std::function<size_t(size_t left)>;

// Reads one request from the front of `text`.
Reading read(std::string_view text, const http::Limits& limits, http1::KnownLines* lines,
             const NextPiece& next) {
  static BlockPool pool(1024, 1024);
  Arena arena(pool, size_t{1} << 20);
  Parser parser;
  parser.reset(arena, limits, lines);
  Reading reading;
  size_t shown = 0;
  while (reading.verdict == Parser::Step::More && shown < text.size()) {
    shown += next(text.size() - shown);
    // The text so far, in memory that goes after the call.
    const std::vector<char> copy(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(shown));
    reading.verdict = parser.parse_head({copy.data(), copy.size()});
  }
  if (reading.verdict == Parser::Step::Refused) {
    reading.status = parser.refusal().status;
    reading.detail = parser.refusal().detail;
  }
  if (reading.verdict != Parser::Step::Head) return reading;
  reading.has_head = true;
  reading.head = describe(parser.head());
  reading.used = parser.head().size;
  if (parser.head().framing == http::Framing::None) return reading;

  reading.verdict = Parser::Step::More;
  std::vector<char> piece(text.begin() + static_cast<std::ptrdiff_t>(reading.used),
                          text.begin() + static_cast<std::ptrdiff_t>(shown));
  size_t at = 0;
  while (reading.verdict == Parser::Step::More || reading.verdict == Parser::Step::Body) {
    size_t taken = 0;
    const std::string_view view =
        at == piece.size() ? std::string_view() : std::string_view(piece.data() + at, piece.size() - at);
    reading.verdict = parser.parse_body(view, taken);
    ENSURE(taken <= view.size());
    at += taken;
    reading.used += taken;
    if (reading.verdict == Parser::Step::Body) {
      ENSURE(parser.piece().size() <= taken);
      reading.body += parser.piece();
    } else if (reading.verdict == Parser::Step::More) {
      ENSURE(at == piece.size());
      if (shown == text.size()) break;
      const size_t size = next(text.size() - shown);
      piece.assign(text.begin() + static_cast<std::ptrdiff_t>(shown),
                   text.begin() + static_cast<std::ptrdiff_t>(shown + size));
      shown += size;
      at = 0;
    }
  }
  if (reading.verdict == Parser::Step::Refused) {
    reading.status = parser.refusal().status;
    // Where in a piece malformed bytes are noticed is llhttp's business, and so is whether trailers are told
    // of before they are too large or found to be malformed.
    reading.used = 0;
    if (reading.status == 431) reading.status = 400;
    reading.body.clear();
  }
  if (reading.verdict == Parser::Step::End)
    for (const http::HeaderSlot& slot : parser.trailers())
      reading.trailers +=
          "[" + std::string(parser.trailer_bytes().substr(slot.name.offset, slot.name.size)) + "] [" +
          std::string(parser.trailer_bytes().substr(slot.value.offset, slot.value.size)) + "]\n";
  return reading;
}

// llhttp's own reading, with nothing of Leat around it.
struct Plain {
  bool head_complete = false;
  bool message_complete = false;
  bool failed = false;
  size_t failed_at = 0;
  bool failed_on_coding = false;
  std::string body;
};

Plain read_once(std::string_view text) {
  static const llhttp_settings_t kSettings = [] {
    llhttp_settings_t settings;
    llhttp_settings_init(&settings);
    settings.on_headers_complete = [](llhttp_t* llhttp) {
      llhttp->upgrade = 0;
      static_cast<Plain*>(llhttp->data)->head_complete = true;
      return 0;
    };
    settings.on_body = [](llhttp_t* llhttp, const char* at, size_t size) {
      static_cast<Plain*>(llhttp->data)->body.append(at, size);
      return 0;
    };
    settings.on_message_complete = [](llhttp_t* llhttp) {
      static_cast<Plain*>(llhttp->data)->message_complete = true;
      return static_cast<int>(HPE_PAUSED);
    };
    return settings;
  }();
  Plain plain;
  llhttp_t llhttp;
  llhttp_init(&llhttp, HTTP_REQUEST, &kSettings);
  llhttp_set_lenient_version(&llhttp, 1);
  llhttp.data = &plain;
  const auto error = llhttp_execute(&llhttp, text.data(), text.size());
  plain.failed = error != HPE_OK && error != HPE_PAUSED;
  plain.failed_on_coding = error == HPE_INVALID_TRANSFER_ENCODING;
  if (plain.failed) plain.failed_at = static_cast<size_t>(llhttp_get_error_pos(&llhttp) - text.data());
  return plain;
}

// The same with the white space that llhttp does not know put as it does: in the header section a space in
// place of a tab, none at all beside the extensions of a chunk.
Plain read_plainly(std::string_view text) {
  std::string put(text);
  while (true) {
    Plain plain = read_once(put);
    if (!plain.failed) return plain;
    if (plain.failed_on_coding) {
      // A tab behind the coding is taken for a part of its name, which is told of at the end of the head.
      const auto head_end = put.begin() + static_cast<std::ptrdiff_t>(std::min(plain.failed_at, put.size()));
      if (std::find(put.begin(), head_end, '\t') == head_end) return plain;
      std::replace(put.begin(), head_end, '\t', ' ');
      continue;
    }
    // It tells of a character at its place or behind it.
    size_t at = plain.failed_at;
    const auto is_blank = [&](size_t place) {
      return place < put.size() && (put[place] == '\t' || put[place] == ' ');
    };
    if (!is_blank(at) && (at == 0 || !is_blank(--at))) return plain;
    if (plain.head_complete)
      put.erase(at, 1);
    else if (put[at] == '\t')
      put[at] = ' ';
    else
      return plain;
  }
}

void show(const char* name, const Reading& reading) {
  std::fprintf(stderr, "%s: verdict %d, status %d %.*s, used %zu\n%sbody %zu\n%s", name,
               static_cast<int>(reading.verdict), reading.status, static_cast<int>(reading.detail.size()),
               reading.detail.data(), reading.used, reading.head.c_str(), reading.body.size(),
               reading.trailers.c_str());
}

void must_equal(const Reading& wanted, const Reading& got, const char* how) {
  if (wanted == got) return;
  show("without tables, whole", wanted);
  show(how, got);
  std::abort();
}

void must_agree(const Reading& reading, const Plain& plain) {
  const bool refused = reading.verdict == Parser::Step::Refused;
  bool right = true;
  if (reading.has_head) right = plain.head_complete;
  if (!refused && plain.failed) right = false;
  if (!refused && reading.has_head && reading.verdict != Parser::Step::Head)
    right = right && plain.body == reading.body &&
            plain.message_complete == (reading.verdict == Parser::Step::End);
  if (reading.verdict == Parser::Step::More && !reading.has_head) right = right && !plain.head_complete;
  if (right) return;
  show("leat", reading);
  std::fprintf(stderr, "llhttp: head %d, message %d, failed %d, body %zu\n", plain.head_complete,
               plain.message_complete, plain.failed, plain.body.size());
  std::abort();
}

// Heads without a body that were read before are found by their bytes, and mean what they meant.
void check_known_head(std::string_view text, const Reading& reading, const http::Limits& limits) {
  static http::KnownHeads heads;
  static BlockPool pool(1024, 1024);
  http::KnownHead* known = heads.match_and_pin(text, nullptr);
  if (known != nullptr) {
    // The limits of the input that entered it may have been others than this one's.
    const bool outside = reading.status == 414 || reading.status == 431;
    if (!outside && describe(known->head) != reading.head) {
      show("read", reading);
      std::fprintf(stderr, "known: %s", describe(known->head).c_str());
      std::abort();
    }
    http::KnownHeads::unpin(*known);
  }
  if (reading.verdict != Parser::Step::Head) return;
  Arena arena(pool, size_t{1} << 20);
  Parser parser;
  parser.reset(arena, limits, nullptr);
  ENSURE(parser.parse_head(text) == Parser::Step::Head);
  for (int i = 0; i < 8; ++i) heads.offer(parser.head());
}

}  // namespace

void run(const uint8_t* data, size_t size) {
  Choices choices(data, size);
  const uint8_t which = choices.byte();
  std::minstd_rand random(choices.byte() + 1U);
  http::Limits limits;
  if (which % 4 == 1) limits.request_line_bytes = 16 + which / 4;
  if (which % 4 == 2) limits.header_bytes = 16 + which / 2;
  if (which % 4 == 3) limits.header_count = which / 16;
  // The session reads over blank lines before a request.
  std::string_view text = choices.rest();
  text.remove_prefix(std::min(text.find_first_not_of("\r\n"), text.size()));
  if (text.empty()) return;

  static http1::KnownLines lines;
  const NextPiece whole = [](size_t left) { return left; };
  const NextPiece pieces = [&](size_t left) {
    return std::min<size_t>(left, 1 + random() % (random() % 2 ? 3 : 60));
  };
  const Reading plain = read(text, limits, nullptr, whole);
  must_equal(plain, read(text, limits, nullptr, pieces), "without tables, in pieces");
  // Twice, so that its lines are entered and then used.
  must_equal(plain, read(text, limits, &lines, whole), "with lines, whole");
  must_equal(plain, read(text, limits, &lines, pieces), "with lines, in pieces");
  must_equal(plain, read(text, limits, &lines, whole), "with lines, whole again");
  must_equal(plain, read(text, limits, &lines, pieces), "with lines, in pieces again");
  must_agree(plain, read_plainly(text));
  check_known_head(text, plain, limits);
}

}  // namespace leat::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  leat::fuzz::run(data, size);
  return 0;
}
