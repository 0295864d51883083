// ChunkReader: the chunks of a request's body, up to the size line of the last one (RFC 9112, section 7.1).
//
// llhttp is not asked about them: it takes extensions that have no name, and refuses the white space that may
// stand around the `;` and `=` of one. Here the grammar is kept as it is written. Extensions are read over,
// as nobody knows any; what they may cost is the session's account. The trailer section that follows the last
// chunk is llhttp's again.
//
// One is part of each parser. It keeps nothing of the bytes that it is shown.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace leat::http1 {

class ChunkReader {
 public:
  enum class Step : uint8_t { More, Data, Last, Refused };

  // The bytes of the body, each exactly once. `used` is set to how many bytes of `text` were taken. Data:
  // piece() is a view into `text`. Last: the trailer section begins here. More: all was taken.
  Step read(std::string_view text, size_t& used);
  [[nodiscard]] std::string_view piece() const { return piece_; }
  // What is wrong, after Refused; a literal.
  [[nodiscard]] std::string_view wrong() const { return wrong_; }

 private:
  // What comes next. In those that end in "Space" white space was read, which must lead to something.
  enum class State : uint8_t {
    FirstDigit,
    Digits,
    ExtensionSpace,
    NameStart,
    Name,
    NameSpace,
    ValueStart,
    Value,
    Quoted,
    Escaped,
    QuotedEnd,
    SizeLineEnd,
    Data,
    DataCr,
    DataLf,
  };

  bool take(char c);
  bool take_digit(char c);
  bool take_extension(char c);
  bool end_part(char c, bool is_name);
  bool refuse(std::string_view why);

  uint64_t size_ = 0;  // of this chunk, or what is left of it
  State state_ = State::FirstDigit;
  std::string_view piece_, wrong_;
};

}  // namespace leat::http1
