// Fixed JSON bodies for measuring, built anew for each request: p1 to p4 and p6 to p8.
//
// None of it takes memory: a view makes each user when it is its turn to be written.
#pragma once

#include <array>
#include <charconv>
#include <cstdint>
#include <leat/plugin.hpp>
#include <ranges>
#include <string_view>

namespace demo {

inline constexpr double kTimestamp = 1748358028.9037342;
inline constexpr std::array kOneToFive{1, 2, 3, 4, 5};

// "User 7", within itself.
class UserName {
 public:
  explicit UserName(int id) : end_(std::to_chars(text_ + 5, text_ + sizeof text_, id).ptr - text_) {}
  operator std::string_view() const { return {text_, static_cast<size_t>(end_)}; }

 private:
  char text_[16] = "User ";
  ptrdiff_t end_;
};

struct User {
  int id;
  UserName name{id};
  bool active = true;
  double score = 95.5;
};
LEAT_JSON(User, id, name, active, score);

// False, and nothing written, when there is no payload of that name.
inline bool write_payload(std::string_view id, leat::Json& json) {
  using leat::members;
  using std::views::iota;
  if (id == "p1") {
    json.object("id", 1, "message", "test message", "data", kOneToFive);
  } else if (id == "p2") {
    json.object("message", "Hello World", "timestamp", kTimestamp, "data", iota(0, 20), "nested",
                members("key1", "value1", "key2", kOneToFive, "key3", members("sub", "data")));
  } else if (id == "p3") {
    json.object("message", "Hello World", "timestamp", kTimestamp, "numbers", iota(0, 50), "nested",
                members("data", members("key", "value", "count", 42), "array", kOneToFive));
  } else if (id == "p4") {
    const auto users = std::views::transform(iota(0, 100), [](int user) { return User{user}; });
    json.object("users", users, "total", 100, "page", 1);
  } else if (id == "p6") {
    json.object("id", 123, "message", "test response", "data", iota(0, 10));
  } else if (id == "p7") {
    json.object("message", "cached response", "id", 123);
  } else if (id == "p8") {
    json.object("message", "Hello World", "timestamp", kTimestamp);
  } else {
    return false;
  }
  return true;
}

}  // namespace demo
