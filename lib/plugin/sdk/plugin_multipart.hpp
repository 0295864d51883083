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
// byte; a form is read no further then. How it is read is said in plugin_parts.hpp. Nothing is allocated, and
// the head of a part is all that is kept.
#ifndef LEAT_PLUGIN_MULTIPART_HPP
#define LEAT_PLUGIN_MULTIPART_HPP

#include <cstddef>
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
#include "plugin_parts.hpp"
#include "plugin_request.hpp"

namespace leat {
inline namespace [[gnu::visibility("hidden")]] v1 {

// What stands before a part's content: its name, file_name and type.
using Part = encoding::PartHead;

// What a form may have; past it there is a 400.
using MultipartLimits = encoding::PartLimits;

// What is behind the last slash or backslash of a name that a client gives a file: with folders in it, it must
// never be used as a path. Empty where nothing is left that could be one ("..", control characters).
constexpr std::string_view leaf_name(std::string_view file_name) {
  const std::string_view leaf = file_name.substr(file_name.find_last_of("/\\") + 1);
  const bool printable =
      encoding::has_only(leaf, [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f; });
  return !printable || leaf == "." || leaf == ".." ? std::string_view() : leaf;
}

class Multipart {
 public:
  static constexpr size_t kMostHead = encoding::PartReader::kMostHead;

  Multipart() = default;
  explicit Multipart(const MultipartLimits& limits) : reader_(limits) {}

  // Takes the boundary from a Content-Type field. Before anything is fed, and once.
  void begin(std::string_view content_type) {
    switch (reader_.begin(content_type)) {
      case encoding::PartReader::Begun::Good:
        return;
      case encoding::PartReader::Begun::OtherType:
        throw Problem{415, "The body must be multipart/form-data."};
      case encoding::PartReader::Begun::NoBoundary:
        throw Problem{400, "The Content-Type of the body must name a boundary of 1 to 70 characters."};
    }
  }
  void begin(const Request& request) { begin(request.header("Content-Type").value_or("")); }

  // The next bytes of the body. The sink has on_part(const Part&), on_part_piece(std::string_view), which is
  // called any number of times, and on_part_end().
  template <class Sink>
  void feed(std::string_view bytes, Sink& sink) {
    if (!reader_.begun()) throw std::logic_error("a form is fed before its begin()");
    if (!reader_.feed(bytes, sink)) fail();
  }

  // The body is complete; is the form, too?
  template <class Sink>
  void end(Sink&) {
    if (!reader_.end()) fail();
  }

  // How many have begun.
  [[nodiscard]] size_t parts() const { return reader_.parts(); }

 private:
  [[noreturn]] void fail() const {
    throw Problem{400, "The form in the body " + std::string(reader_.wrong()) + "."}.with("offset",
                                                                                          reader_.offset());
  }

  encoding::PartReader reader_;
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
