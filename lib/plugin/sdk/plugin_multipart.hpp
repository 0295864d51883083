// Part of plugin.hpp: forms with files, multipart/form-data (RFC 7578), as their bytes arrive.
//
//   class Upload {
//    public:
//     void on_request(leat::Request& request) { form_.begin(request); }
//     void on_body(std::string_view piece) { form_.feed(piece, *this); }
//     leat::Reply on_body_end(leat::Json& json) {
//       form_.end(*this);
//       return json.object("bytes", bytes_);
//     }
//
//     void on_part(const leat::Part& part) { is_file_ = part.file_name.has_value(); }
//     void on_part_piece(std::string_view piece) { bytes_ += is_file_ ? piece.size() : 0; }
//     void on_part_end() {}
//
//    private:
//     leat::Multipart form_;
//     bool is_file_ = false;
//     size_t bytes_ = 0;
//   };
//
// A handler that has the whole body calls leat::read_multipart(request, sink), or takes leat::parts_of(request).
//
// What is wrong with a form is thrown as a Problem (400, or 415 for another type of body) that says at which
// byte; a form is read no further then. It is read strictly where readers differ, since what one takes for a
// part's end and another for its content gets past whoever looks first: lines end with CR LF, and a line that
// begins with the boundary is a boundary, or wrong.
//
// Nothing is allocated, and the head of a part is all that is kept.
#ifndef LEAT_PLUGIN_MULTIPART_HPP
#define LEAT_PLUGIN_MULTIPART_HPP

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "plugin_base.hpp"
#include "plugin_cookie.hpp"
#include "plugin_fields.hpp"
#include "plugin_json.hpp"
#include "plugin_request.hpp"

namespace leat {
inline namespace [[gnu::visibility("hidden")]] v1 {

// What stands before a part's content. The texts are good during on_part().
struct Part {
  std::string_view name;                      // of the form's field
  std::optional<std::string_view> file_name;  // of a file, as the client calls it: see leaf_name()
  std::string_view type = "text/plain";       // as the client says
};

// What is behind the last slash or backslash of a name that a client gives a file: with folders in it, it must
// never be used as a path. Empty where nothing is left that could be one ("..", control characters).
constexpr std::string_view leaf_name(std::string_view file_name) {
  const std::string_view leaf = file_name.substr(file_name.find_last_of("/\\") + 1);
  const bool printable =
      detail::has_only(leaf, [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f; });
  return !printable || leaf == "." || leaf == ".." ? std::string_view() : leaf;
}

// What a form may have; past it there is a 400. How large the body may be is its route's limit.
struct MultipartLimits {
  size_t parts = 1000;
  size_t head_bytes = 4096;  // of the header fields of one part; no more than that
  size_t name_bytes = 256;   // of a field's name
};

class Multipart {
 public:
  static constexpr size_t kMostHead = 4096;

  Multipart() = default;
  explicit Multipart(const MultipartLimits& limits) : limits_(limits) {}

  // Takes the boundary from a Content-Type field. Before anything is fed, and once.
  void begin(std::string_view content_type) {
    if (!detail::is_media_type(content_type, "multipart/form-data"))
      throw Problem{415, "The body must be multipart/form-data."};
    const std::string_view boundary = boundary_of(content_type);
    if (boundary.empty())
      throw Problem{400, "The Content-Type of the body must name a boundary of 1 to 70 characters."};
    delimiter_size_ = 4 + boundary.copy(delimiter_.data() + 4, boundary.size());
    // The first one needs no line before it.
    step_ = Step::Preamble;
    matched_ = 2;
  }
  void begin(const Request& request) { begin(request.header("Content-Type").value_or("")); }

  // The next bytes of the body. The sink has on_part(const Part&), on_part_piece(std::string_view), which is
  // called any number of times, and on_part_end().
  template <class Sink>
  void feed(std::string_view bytes, Sink& sink) {
    fed_ += bytes.size();
    rest_ = &bytes;
    while (!bytes.empty() && step_ != Step::Epilogue) run(bytes, sink);
    rest_ = nullptr;
  }

  // The body is complete; is the form, too?
  template <class Sink>
  void end(Sink&) {
    if (step_ == Step::Preamble) fail("has no parts: the boundary that its Content-Type names is not in it");
    if (step_ != Step::Epilogue) fail("ends before the boundary that ends the form");
    if (parts_ == 0) fail("has no parts");
  }

  // How many have begun.
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

  [[noreturn]] void fail(std::string_view what) const {
    throw Problem{400, "The form in the body " + std::string(what) + "."}.with(
        "offset", fed_ - (rest_ == nullptr ? 0 : rest_->size()));
  }

  template <class Sink>
  void run(std::string_view& bytes, Sink& sink) {
    switch (step_) {
      case Step::Unbegun:
        throw std::logic_error("a form is fed before its begin()");
      case Step::Preamble:
        return match(bytes, [](std::string_view) {}, [] {});
      case Step::Content:
        return match(
            bytes, [&](std::string_view piece) { sink.on_part_piece(piece); }, [&] { sink.on_part_end(); });
      case Step::Head:
        return take_head(bytes, sink);
      case Step::Epilogue:
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
      if (carried != 0) give({delimiter_.data(), carried});
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
        if (++parts_ > limits_.parts) fail("has more than " + std::to_string(limits_.parts) + " parts");
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
    fail("has a line that begins with the boundary and goes on");
  }

  // Keeps the header fields until the empty line that ends them.
  template <class Sink>
  void take_head(std::string_view& bytes, Sink& sink) {
    const size_t most = std::min(limits_.head_bytes, kMostHead);
    while (!bytes.empty()) {
      if (head_size_ == most)
        fail("has a part whose header fields are more than " + std::to_string(most) + " bytes");
      head_[head_size_++] = bytes.front();
      bytes.remove_prefix(1);
      const std::string_view head(head_.data(), head_size_);
      if (head != "\r\n" && !head.ends_with("\r\n\r\n")) continue;
      step_ = Step::Content;
      sink.on_part(read_head(head.substr(0, head_size_ - 2)));
      return;
    }
  }

  // Lines that end with CR LF.
  [[nodiscard]] Part read_head(std::string_view head) {
    Part part;
    bool disposed = false, typed = false;
    while (!head.empty()) {
      std::string_view value = head.substr(0, head.find("\r\n"));
      head.remove_prefix(value.size() + 2);
      if (!detail::has_only(
              value, [](char c) { return static_cast<unsigned char>(c) >= ' ' ? c != 0x7f : c == '\t'; }))
        fail("has a part with a control character, or a line without CR LF, in its header fields");
      const bool named = value.find(':') != std::string_view::npos;
      const std::string_view name = encoding::cut(value, ':');
      if (!named || name.empty() || !detail::has_only(name, detail::is_token_byte))
        fail("has a part with a line in its head that is no header field");
      value = encoding::without_blanks(value);
      if (detail::same_field_name(name, "Content-Disposition")) {
        if (std::exchange(disposed, true)) fail("has a part with two Content-Disposition fields");
        read_disposition(value, part);
      } else if (detail::same_field_name(name, "Content-Type")) {
        if (std::exchange(typed, true)) fail("has a part with two Content-Type fields");
        part.type = value;
      } else if (detail::same_field_name(name, "Content-Transfer-Encoding")) {
        // RFC 7578, section 4.7: no longer sent; what says that it is no encoding may stay.
        if (!detail::same_field_name(value, "binary") && !detail::same_field_name(value, "8bit") &&
            !detail::same_field_name(value, "7bit"))
          fail("has a part with a Content-Transfer-Encoding, which forms over HTTP do not have");
      }
    }
    if (!disposed) fail("has a part without a Content-Disposition");
    return part;
  }

  // RFC 7578, section 4.2. Parameters that are not known are read over, filename* among them.
  void read_disposition(std::string_view value, Part& part) {
    if (!detail::same_field_name(encoding::without_blanks(value.substr(0, value.find(';'))), "form-data"))
      fail("has a part whose Content-Disposition is not form-data");
    bool named = false;
    each_parameter(value, [&](std::string_view name, std::string_view text) {
      if (detail::same_field_name(name, "name")) {
        if (std::exchange(named, true)) fail("has a part with two names");
        part.name = text;
      } else if (detail::same_field_name(name, "filename")) {
        if (part.file_name) fail("has a part with two file names");
        part.file_name = text;
      }
    });
    if (!named) fail("has a part without a name");
    if (part.name.size() > limits_.name_bytes)
      fail("has a part whose name has more than " + std::to_string(limits_.name_bytes) + " bytes");
  }

  // Calls `visit(name, value)` for each parameter behind the first ';'. Values in quotes lie in head_, and are
  // unescaped where they are.
  template <class Visit>
  void each_parameter(std::string_view value, Visit&& visit) {
    value.remove_prefix(std::min(value.find(';'), value.size()));
    while (!value.empty()) {
      value = encoding::without_blanks(value.substr(1));  // the ';'
      if (value.empty()) break;
      const size_t equals = value.find('=');
      if (equals == std::string_view::npos) fail("has a part whose Content-Disposition cannot be read");
      const std::string_view name = encoding::without_blanks(value.substr(0, equals));
      value = encoding::without_blanks(value.substr(equals + 1));
      std::string_view text;
      if (value.starts_with('"')) {
        text = unquote(value);
      } else {
        text = encoding::without_blanks(value.substr(0, value.find(';')));
        value.remove_prefix(std::min(value.find(';'), value.size()));
        if (text.empty() || !detail::has_only(text, detail::is_token_byte))
          fail("has a part whose Content-Disposition cannot be read");
      }
      visit(name, text);
    }
  }
  // A quoted text off the front of `value`, which is left at a ';' or empty. A backslash stands before a quote
  // or another one; elsewhere it is itself, as in the paths that old browsers send.
  std::string_view unquote(std::string_view& value) {
    char* const begin = head_.data() + (value.data() + 1 - head_.data());
    char* to = begin;
    for (size_t at = 1; at < value.size(); ++at) {
      const char c = value[at];
      if (c == '"') {
        value = encoding::without_blanks(value.substr(at + 1));
        if (!value.empty() && value.front() != ';') break;
        return {begin, static_cast<size_t>(to - begin)};
      }
      const bool escapes =
          c == '\\' && at + 1 < value.size() && (value[at + 1] == '"' || value[at + 1] == '\\');
      *to++ = escapes ? value[++at] : c;
    }
    fail("has a part whose Content-Disposition cannot be read");
  }

  // RFC 2046, section 5.1.1; empty where there is none that could be one.
  static std::string_view boundary_of(std::string_view type) {
    static constexpr std::string_view kOthers = "'()+_,-./:=? ";
    const auto allowed = [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
             kOthers.find(c) != std::string_view::npos;
    };
    encoding::cut(type, ';');
    while (!type.empty()) {
      // Another parameter's quotes may hold a ';': what is behind it ends with a quote, and is no boundary.
      std::string_view value = encoding::cut(type, ';');
      const std::string_view name = encoding::without_blanks(encoding::cut(value, '='));
      if (!detail::same_field_name(name, "boundary")) continue;
      value = encoding::without_blanks(value);
      if (value.size() >= 2 && value.front() == '"' && value.back() == '"')
        value = value.substr(1, value.size() - 2);
      const bool good = value.size() <= 70 && detail::has_only(value, allowed) && !value.ends_with(' ');
      return good ? value : std::string_view();
    }
    return {};
  }

  MultipartLimits limits_;
  Step step_ = Step::Unbegun;
  size_t parts_ = 0;
  uint64_t fed_ = 0;                        // bytes of the body
  const std::string_view* rest_ = nullptr;  // what of them is to be read, in feed()
  size_t matched_ = 0, delimiter_size_ = 0, head_size_ = 0;
  std::array<char, 4 + 70> delimiter_{'\r', '\n', '-', '-'};
  std::array<char, kMostHead> head_;
};

// Reads the whole body of a request.
template <class Sink>
void read_multipart(const Request& request, Sink& sink, const MultipartLimits& limits = {}) {
  Multipart form(limits);
  form.begin(request);
  form.feed(request.body(), sink);
  form.end(sink);
}

// A part with its content, which lies in the body: good until the request ends.
struct WholePart {
  std::string name;
  std::optional<std::string> file_name;
  std::string type;
  std::string_view content;
};

// The parts of a body that is there as a whole.
inline std::vector<WholePart> parts_of(const Request& request, const MultipartLimits& limits = {}) {
  struct Sink {
    void on_part(const Part& part) {
      WholePart& whole = all.emplace_back();
      whole.name = part.name;
      whole.type = part.type;
      if (part.file_name) whole.file_name.emplace(*part.file_name);
    }
    // Of a form that is fed at once, all of a part's content.
    void on_part_piece(std::string_view piece) { all.back().content = piece; }
    void on_part_end() {}
    std::vector<WholePart> all;
  } sink;
  read_multipart(request, sink, limits);
  return std::move(sink.all);
}

}  // namespace v1
}  // namespace leat

#endif
