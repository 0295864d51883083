// Forms with files, multipart/form-data (RFC 7578, RFC 2046), taken apart as their bytes arrive.
//
// The one place that says how they are read, for the daemon, which checks what a route asks of their fields,
// as for the wrapper of plugins (leat::Multipart). They are read strictly where readers differ, since what one
// takes for a part's end and another for its content gets past whoever looks first: lines end with CR LF, and
// a line that begins with the boundary is a boundary, or wrong.
//
// Nothing is allocated or thrown, and the head of a part is all that is kept.
#ifndef LEAT_PLUGIN_PARTS_HPP
#define LEAT_PLUGIN_PARTS_HPP

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string_view>
#include <utility>

#include "plugin_form.hpp"

namespace leat {
inline namespace [[gnu::visibility("hidden")]] v1 {
namespace encoding {

// What stands before a part's content. The texts are good during on_part().
struct PartHead {
  std::string_view name;                      // of the form's field
  std::optional<std::string_view> file_name;  // of a file, as the client calls it: see leaf_name()
  std::string_view type = "text/plain";       // as the client says
};

// What a form may have. How large the body may be is its route's limit.
struct PartLimits {
  size_t parts = 1000;
  size_t head_bytes = 4096;  // of the header fields of one part; no more than that
  size_t name_bytes = 256;   // of a field's name
};

class PartReader {
 public:
  static constexpr size_t kMostHead = 4096;

  PartReader() = default;
  explicit PartReader(const PartLimits& limits) : limits_(limits) {}

  enum class Begun : uint8_t { Good, OtherType, NoBoundary };
  // Takes the boundary from a Content-Type field. Before anything is fed, and once.
  [[nodiscard]] Begun begin(std::string_view content_type) {
    if (!is_media_type(content_type, "multipart/form-data")) return Begun::OtherType;
    const std::string_view boundary = boundary_of(content_type);
    if (boundary.empty()) return Begun::NoBoundary;
    delimiter_size_ = 4 + boundary.copy(delimiter_.data() + 4, boundary.size());
    // The first one needs no line before it.
    step_ = Step::Preamble;
    matched_ = 2;
    return Begun::Good;
  }
  [[nodiscard]] bool begun() const { return step_ != Step::Unbegun; }

  // The next bytes of the body. The sink has on_part(const PartHead&), on_part_piece(std::string_view), which
  // is called any number of times, and on_part_end(). False: it is no form; nothing is read any more.
  template <class Sink>
  [[nodiscard]] bool feed(std::string_view bytes, Sink& sink) {
    while (!bytes.empty() && step_ != Step::Epilogue && wrong_size_ == 0) {
      const size_t before = bytes.size();
      run(bytes, sink);
      fed_ += before - bytes.size();
    }
    return wrong_size_ == 0;
  }
  // The body is complete; is the form, too?
  [[nodiscard]] bool end() {
    if (step_ == Step::Preamble)
      fail({"has no parts: the boundary that its Content-Type names is not in it"});
    if (step_ != Step::Epilogue) fail({"ends before the boundary that ends the form"});
    if (parts_ == 0) fail({"has no parts"});
    return wrong_size_ == 0;
  }

  // What is wrong, the first of it, to follow "the form in the body "; empty for nothing.
  [[nodiscard]] std::string_view wrong() const { return {wrong_.data(), wrong_size_}; }
  // How many bytes were read: where that was seen.
  [[nodiscard]] uint64_t offset() const { return fed_; }
  // How many parts have begun.
  [[nodiscard]] size_t parts() const { return parts_; }

 private:
  enum class Step : uint8_t {
    Unbegun,
    Preamble,
    Delimited,
    Padding,
    Dash,
    LineFeed,
    Head,
    Content,
    Epilogue
  };

  // False, for who is to say so.
  bool fail(std::initializer_list<std::string_view> parts) {
    if (wrong_size_ != 0) return false;
    for (const std::string_view part : parts)
      wrong_size_ += part.copy(wrong_.data() + wrong_size_, wrong_.size() - wrong_size_);
    return false;
  }
  // "has more than 1000 parts"
  bool fail_past(std::string_view what, size_t most, std::string_view unit) {
    char number[20];
    const auto end = std::to_chars(number, number + sizeof number, most).ptr;
    return fail({what, {number, static_cast<size_t>(end - number)}, unit});
  }

  template <class Sink>
  void run(std::string_view& bytes, Sink& sink) {
    switch (step_) {
      case Step::Preamble:
        return match(bytes, [](std::string_view) {}, [] {});
      case Step::Content:
        return match(
            bytes, [&](std::string_view piece) { sink.on_part_piece(piece); }, [&] { sink.on_part_end(); });
      case Step::Head:
        return take_head(bytes, sink);
      case Step::Unbegun:
      case Step::Epilogue:
        bytes = {};
        return;
      default:
        return after_delimiter(bytes);
    }
  }

  // Gives on what is content, up to the delimiter: "\r\n--" and the boundary. Only its first byte is a CR, so
  // that after a mismatch nothing but a new beginning can be in what was seen. What lies in `bytes` is given as
  // one piece.
  template <class Give, class End>
  void match(std::string_view& bytes, Give&& give, End&& end) {
    size_t carried = matched_;  // bytes of the delimiter that were seen before this piece
    size_t at = 0;
    while (at < bytes.size() && matched_ < delimiter_size_) {
      if (matched_ == 0) at = std::min(bytes.find('\r', at), bytes.size());
      while (at < bytes.size() && matched_ < delimiter_size_ && bytes[at] == delimiter_[matched_])
        ++at, ++matched_;
      if (at == bytes.size() || matched_ == delimiter_size_) break;
      if (carried != 0) give(std::string_view(delimiter_.data(), carried));
      matched_ = carried = 0;
    }
    const std::string_view content = bytes.substr(0, at - (matched_ - carried));
    if (!content.empty()) give(content);
    bytes.remove_prefix(at);
    if (matched_ != delimiter_size_) return;
    matched_ = 0;
    step_ = Step::Delimited;
    end();
  }

  // The rest of a delimiter's line: "--" ends the form, blanks may follow, then CR LF.
  void after_delimiter(std::string_view& bytes) {
    const char c = bytes.front();
    bytes.remove_prefix(1);
    switch (step_) {
      case Step::Dash:
        if (c != '-') break;
        step_ = Step::Epilogue;
        return;
      case Step::LineFeed:
        if (c != '\n') break;
        step_ = Step::Head;
        head_size_ = 0;
        if (++parts_ > limits_.parts) fail_past("has more than ", limits_.parts, " parts");
        return;
      default:
        if (c == '-' && step_ == Step::Delimited)
          step_ = Step::Dash;
        else if (c == '\r')
          step_ = Step::LineFeed;
        else if (c == ' ' || c == '\t')
          step_ = Step::Padding;
        else
          break;
        return;
    }
    fail({"has a line that begins with the boundary and goes on"});
  }

  // Keeps the header fields until the empty line that ends them.
  template <class Sink>
  void take_head(std::string_view& bytes, Sink& sink) {
    const size_t most = std::min(limits_.head_bytes, kMostHead);
    while (!bytes.empty()) {
      if (head_size_ == most) {
        fail_past("has a part whose header fields are more than ", most, " bytes");
        return;
      }
      head_[head_size_++] = bytes.front();
      bytes.remove_prefix(1);
      const std::string_view head(head_.data(), head_size_);
      if (head != "\r\n" && !head.ends_with("\r\n\r\n")) continue;
      step_ = Step::Content;
      PartHead part;
      if (read_head(head.substr(0, head_size_ - 2), part)) sink.on_part(std::as_const(part));
      return;
    }
  }

  // Lines that end with CR LF.
  bool read_head(std::string_view head, PartHead& part) {
    bool disposed = false, typed = false;
    while (!head.empty()) {
      std::string_view value = head.substr(0, head.find("\r\n"));
      head.remove_prefix(value.size() + 2);
      if (!has_only(value,
                    [](char c) { return static_cast<unsigned char>(c) >= ' ' ? c != 0x7f : c == '\t'; }))
        return fail({"has a part with a control character, or a line without CR LF, in its header fields"});
      const bool named = value.find(':') != std::string_view::npos;
      const std::string_view name = cut(value, ':');
      if (!named || name.empty() || !has_only(name, is_token_byte))
        return fail({"has a part with a line in its head that is no header field"});
      value = without_blanks(value);
      if (same_field_name(name, "Content-Disposition")) {
        if (std::exchange(disposed, true)) return fail({"has a part with two Content-Disposition fields"});
        if (!read_disposition(value, part)) return false;
      } else if (same_field_name(name, "Content-Type")) {
        if (std::exchange(typed, true)) return fail({"has a part with two Content-Type fields"});
        part.type = value;
      } else if (same_field_name(name, "Content-Transfer-Encoding")) {
        // RFC 7578, section 4.7: no longer sent; what says that it is no encoding may stay.
        if (!same_field_name(value, "binary") && !same_field_name(value, "8bit") &&
            !same_field_name(value, "7bit"))
          return fail({"has a part with a Content-Transfer-Encoding, which forms over HTTP do not have"});
      }
    }
    return disposed || fail({"has a part without a Content-Disposition"});
  }

  // RFC 7578, section 4.2. Parameters that are not known are read over; so is filename* beside a filename,
  // which some clients send as well. Alone it would make a file of what is none without it.
  bool read_disposition(std::string_view value, PartHead& part) {
    if (!same_field_name(without_blanks(value.substr(0, value.find(';'))), "form-data"))
      return fail({"has a part whose Content-Disposition is not form-data"});
    bool named = false, starred = false;
    const bool good = each_parameter(value, [&](std::string_view name, std::string_view text) {
      if (same_field_name(name, "name")) {
        if (std::exchange(named, true)) return fail({"has a part with two names"});
        part.name = text;
      } else if (same_field_name(name, "filename")) {
        if (part.file_name) return fail({"has a part with two file names"});
        part.file_name = text;
      } else if (same_field_name(name, "filename*")) {
        starred = true;
      }
      return true;
    });
    if (!good) return false;
    if (!named) return fail({"has a part without a name"});
    if (starred && !part.file_name)
      return fail({"has a part with `filename*` and no `filename`, which forms do not have"});
    return part.name.size() <= limits_.name_bytes ||
           fail_past("has a part whose name has more than ", limits_.name_bytes, " bytes");
  }

  // Calls `visit(name, value)` for each parameter behind the first ';', for as long as it says true. Values in
  // quotes lie in head_, and are unescaped where they are.
  template <class Visit>
  bool each_parameter(std::string_view value, Visit&& visit) {
    constexpr std::string_view kUnread = "has a part whose Content-Disposition cannot be read";
    value.remove_prefix(std::min(value.find(';'), value.size()));
    while (!value.empty()) {
      value = without_blanks(value.substr(1));  // the ';'
      if (value.empty()) break;
      const size_t equals = value.find('=');
      if (equals == std::string_view::npos) return fail({kUnread});
      const std::string_view name = without_blanks(value.substr(0, equals));
      value = without_blanks(value.substr(equals + 1));
      std::string_view text;
      if (value.starts_with('"')) {
        if (!unquote(value, text)) return fail({kUnread});
      } else {
        text = without_blanks(value.substr(0, value.find(';')));
        value.remove_prefix(std::min(value.find(';'), value.size()));
        if (text.empty() || !has_only(text, is_token_byte)) return fail({kUnread});
      }
      if (!visit(name, text)) return false;
    }
    return true;
  }
  // A quoted text off the front of `value`, which is left at a ';' or empty. A backslash stands before a quote
  // or another one; elsewhere it is itself, as in the paths that old browsers send.
  bool unquote(std::string_view& value, std::string_view& text) {
    char* const begin = head_.data() + (value.data() + 1 - head_.data());
    char* to = begin;
    for (size_t at = 1; at < value.size(); ++at) {
      const char c = value[at];
      if (c == '"') {
        value = without_blanks(value.substr(at + 1));
        text = {begin, static_cast<size_t>(to - begin)};
        return value.empty() || value.front() == ';';
      }
      const bool escapes =
          c == '\\' && at + 1 < value.size() && (value[at + 1] == '"' || value[at + 1] == '\\');
      *to++ = escapes ? value[++at] : c;
    }
    return false;
  }

  // RFC 2046, section 5.1.1; empty where there is none that could be one.
  static std::string_view boundary_of(std::string_view type) {
    constexpr std::string_view kOthers = "'()+_,-./:=? ";
    const auto allowed = [&](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
             kOthers.find(c) != std::string_view::npos;
    };
    cut(type, ';');
    std::string_view boundary;
    while (!type.empty()) {
      // Another parameter's quotes may hold a ';': what is behind it ends with a quote, and is no boundary.
      std::string_view value = cut(type, ';');
      const std::string_view name = without_blanks(cut(value, '='));
      if (!same_field_name(name, "boundary")) continue;
      value = without_blanks(value);
      if (value.size() >= 2 && value.front() == '"' && value.back() == '"')
        value = value.substr(1, value.size() - 2);
      // Of two some readers take the first, and others the last.
      const bool good =
          boundary.empty() && value.size() <= 70 && has_only(value, allowed) && !value.ends_with(' ');
      if (!good || value.empty()) return {};
      boundary = value;
    }
    return boundary;
  }

  PartLimits limits_;
  Step step_ = Step::Unbegun;
  size_t parts_ = 0;
  uint64_t fed_ = 0;  // bytes of the body
  size_t matched_ = 0, delimiter_size_ = 0, head_size_ = 0, wrong_size_ = 0;
  std::array<char, 4 + 70> delimiter_{'\r', '\n', '-', '-'};
  std::array<char, 128> wrong_;
  std::array<char, kMostHead> head_;
};

}  // namespace encoding
}  // namespace v1
}  // namespace leat

#endif
