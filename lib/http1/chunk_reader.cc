#include "http1/chunk_reader.h"

#include <algorithm>

#include "base/text.h"

namespace leat::http1 {

namespace {

constexpr std::string_view kBadSize = "A chunk of the body has a malformed size.";
constexpr std::string_view kBadExtension = "A chunk of the body has a malformed extension.";
constexpr std::string_view kBadLine = "A line does not end with CR LF.";
constexpr std::string_view kBadEnd = "A chunk of the body is longer than its size.";

// What may stand in a quoted string, or behind a backslash there.
constexpr bool is_text(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return c == '\t' || (byte >= 0x20 && byte != 0x7f);
}

}  // namespace

ChunkReader::Step ChunkReader::read(std::string_view text, size_t& used) {
  piece_ = {};
  for (used = 0; used < text.size();) {
    if (state_ == State::Data) {
      piece_ = text.substr(used, std::min<uint64_t>(size_, text.size() - used));
      used += piece_.size();
      size_ -= piece_.size();
      if (size_ == 0) state_ = State::DataCr;
      return Step::Data;
    }
    const bool was_line_end = state_ == State::SizeLineEnd;
    if (!take(text[used])) return Step::Refused;
    ++used;
    if (was_line_end && size_ == 0) return Step::Last;
  }
  return Step::More;
}

bool ChunkReader::refuse(std::string_view why) {
  wrong_ = why;
  return false;
}

bool ChunkReader::take(char c) {
  switch (state_) {
    case State::FirstDigit:
      size_ = 0;
      state_ = State::Digits;
      return hex_digit(c) >= 0 ? take_digit(c) : refuse(kBadSize);
    case State::Digits:
      return take_digit(c);
    case State::SizeLineEnd:
      state_ = State::Data;
      return c == '\n' || refuse(kBadLine);
    case State::DataCr:
      state_ = State::DataLf;
      return c == '\r' || refuse(c == '\n' ? kBadLine : kBadEnd);
    case State::DataLf:
      state_ = State::FirstDigit;
      return c == '\n' || refuse(kBadEnd);
    default:
      return c == '\n' ? refuse(kBadLine) : take_extension(c);
  }
}

bool ChunkReader::take_digit(char c) {
  if (const int digit = hex_digit(c); digit >= 0) {
    if (size_ >> 60 != 0) return refuse(kBadSize);
    size_ = size_ << 4 | static_cast<uint64_t>(digit);
    return true;
  }
  if (c == '\n') return refuse(kBadLine);
  if (!is_blank(c) && c != ';' && c != '\r') return refuse(kBadSize);
  return end_part(c, false);
}

// After the size, or the name or value of an extension: what comes behind it.
bool ChunkReader::end_part(char c, bool is_name) {
  if (is_blank(c)) {
    state_ = is_name ? State::NameSpace : State::ExtensionSpace;
  } else if (c == ';') {
    state_ = State::NameStart;
  } else if (c == '=' && is_name) {
    state_ = State::ValueStart;
  } else if (c == '\r') {
    state_ = State::SizeLineEnd;
  } else {
    return refuse(kBadExtension);
  }
  return true;
}

bool ChunkReader::take_extension(char c) {
  switch (state_) {
    case State::ExtensionSpace:
    case State::NameSpace:
      // White space at the end of the line belongs to nothing.
      return c == '\r' ? refuse(kBadExtension) : end_part(c, state_ == State::NameSpace);
    case State::NameStart:
      if (is_blank(c)) return true;
      state_ = State::Name;
      return is_token_char(c) || refuse(kBadExtension);
    case State::Name:
      return is_token_char(c) || end_part(c, true);
    case State::ValueStart:
      if (is_blank(c)) return true;
      state_ = c == '"' ? State::Quoted : State::Value;
      return c == '"' || is_token_char(c) || refuse(kBadExtension);
    case State::Value:
      return is_token_char(c) || end_part(c, false);
    case State::Quoted:
      if (c == '"') state_ = State::QuotedEnd;
      if (c == '\\') state_ = State::Escaped;
      return is_text(c) || refuse(kBadExtension);
    case State::Escaped:
      state_ = State::Quoted;
      return is_text(c) || refuse(kBadExtension);
    default:  // QuotedEnd
      return end_part(c, false);
  }
}

}  // namespace leat::http1
