// Nested: JSON whose containers are functions, so that what was begun is ended, and the text is laid out in the code as it
// is in JSON.
//
//   json::Nested out(writer);
//   out.object([&] {
//     out.member("name", "x");
//     out.array("tags", [&] { writer.string("a"); });
//   });
#pragma once

#include <cstdint>
#include <string_view>

#include "json/writer.h"

namespace leat::json {

class Nested {
 public:
  // `writer` must outlive it.
  explicit Nested(Writer& writer) : json_(writer) {}

  void member(std::string_view name, std::string_view text) {
    json_.key(name);
    json_.string(text);
  }
  void flag(std::string_view name, bool value) {
    json_.key(name);
    json_.boolean(value);
  }
  void count(std::string_view name, uint64_t number) {
    json_.key(name);
    json_.unsigned_integer(number);
  }
  // A value that is JSON already.
  void raw(std::string_view name, std::string_view text) {
    json_.key(name);
    json_.raw(text);
  }
  template <class Write>
  void object(Write&& write) {
    json_.begin_object();
    write();
    json_.end_object();
  }
  template <class Write>
  void object(std::string_view name, Write&& write) {
    json_.key(name);
    object(write);
  }
  template <class Write>
  void array(std::string_view name, Write&& write) {
    json_.key(name);
    json_.begin_array();
    write();
    json_.end_array();
  }

 protected:
  Writer& json_;
};

}  // namespace leat::json
