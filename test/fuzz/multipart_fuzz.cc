// Forms that strangers send must mean the same however they are cut. The same body goes through the reader of
// multipart/form-data as a whole, byte by byte, and in pieces as the input says; names, contents and what is
// wrong, with its place, must be the same. What was taken, written as a form again, must read as the same.
//
// Input: a byte that seeds the pieces, then the body, whose boundary is "b".
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "plugin/sdk/plugin_multipart.hpp"

namespace leat::fuzz {

namespace {

struct FormPart {
  std::string name, file_name, type, content;
  bool is_file = false, ended = false;
  bool operator==(const FormPart&) const = default;
};

// What came of a form.
class Outcome {
 public:
  template <class Size>
  Outcome(std::string_view body, Size&& size) {
    try {
      Multipart form;
      form.begin("multipart/form-data; boundary=b");
      while (!body.empty()) {
        const std::string_view piece = body.substr(0, size());
        form.feed(piece, *this);
        body.remove_prefix(piece.size());
      }
      form.end(*this);
    } catch (const Problem& problem) {
      wrong = problem.detail + problem.members;
    }
  }
  void on_part(const Part& part) {
    parts.push_back({.name = std::string(part.name),
                     .file_name = std::string(part.file_name.value_or("")),
                     .type = std::string(part.type),
                     .content = {},
                     .is_file = part.file_name.has_value()});
  }
  void on_part_piece(std::string_view bytes) { parts.back().content += bytes; }
  void on_part_end() { parts.back().ended = true; }
  bool operator==(const Outcome&) const = default;

  std::vector<FormPart> parts;
  std::string wrong;
};

std::string in_quotes(std::string_view text) {
  std::string all = "\"";
  for (const char c : text) all += c == '"' || c == '\\' ? std::string("\\") + c : std::string(1, c);
  return all + "\"";
}

std::string written(const std::vector<FormPart>& parts) {
  std::string form;
  for (const FormPart& part : parts) {
    form += "--b\r\nContent-Disposition: form-data; name=" + in_quotes(part.name);
    if (part.is_file) form += "; filename=" + in_quotes(part.file_name);
    form += "\r\nContent-Type: " + part.type + "\r\n\r\n" + part.content + "\r\n";
  }
  return form + "--b--";
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view body(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Outcome whole(body, [&] { return body.size(); });
  ENSURE(Outcome(body, [] { return size_t{1}; }) == whole);
  std::minstd_rand random(data[0] + 1U);
  ENSURE(Outcome(body, [&] { return size_t{1} + random() % 7; }) == whole);
  for (const FormPart& part : whole.parts) {
    ENSURE(part.ended || !whole.wrong.empty());
    ENSURE(part.name.size() <= MultipartLimits{}.name_bytes);
    ENSURE(!part.content.contains("\r\n--b"));
  }
  if (!whole.wrong.empty()) return 0;
  const std::string again = written(whole.parts);
  ENSURE(Outcome(again, [&] { return again.size(); }) == whole);
  return 0;
}

}  // namespace leat::fuzz
