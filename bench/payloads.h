// The payloads of the comparison, as structs that are declared once: P1 to P8. Those that a handler makes
// anew for each request (P5, ListedP4) need no heap.
#pragma once

#include <leat/plugin.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <numeric>
#include <ranges>
#include <string>
#include <string_view>
#include <vector>

namespace leat::bench {

inline constexpr double kTime = 1748358028.9037342;

template <size_t N>
constexpr std::array<int, N> counted() {
  std::array<int, N> numbers{};
  std::iota(numbers.begin(), numbers.end(), 0);
  return numbers;
}

struct P1 {
  int id;
  std::string_view message = "test message";
  std::array<int, 5> data = {1, 2, 3, 4, 5};
};
LEAT_JSON(P1, id, message, data);

struct Sub {
  std::string_view sub = "data";
};
LEAT_JSON(Sub, sub);
struct Keys {
  std::string_view key1 = "value1";
  std::array<int, 5> key2 = {1, 2, 3, 4, 5};
  Sub key3;
};
LEAT_JSON(Keys, key1, key2, key3);
struct P2 {
  std::string_view message = "Hello World";
  double timestamp = kTime;
  std::array<int, 20> data = counted<20>();
  Keys nested;
};
LEAT_JSON(P2, message, timestamp, data, nested);

struct Counted {
  std::string_view key = "value";
  int count = 42;
};
LEAT_JSON(Counted, key, count);
struct Data {
  Counted data;
  std::array<int, 5> array = {1, 2, 3, 4, 5};
};
LEAT_JSON(Data, data, array);
struct P3 {
  std::string_view message = "Hello World";
  double timestamp = kTime;
  std::array<int, 50> numbers = counted<50>();
  Data nested;
};
LEAT_JSON(P3, message, timestamp, numbers, nested);

struct User {
  int id;
  std::string name;
  bool active = true;
  double score = 95.5;
};
LEAT_JSON(User, id, name, active, score);
struct P4 {
  std::vector<User> users;
  int total = 100;
  int page = 1;
  P4() {
    for (int i = 0; i < 100; ++i) users.push_back({i, "User " + std::to_string(i)});
  }
};
LEAT_JSON(P4, users, total, page);

// "User 7".
class Numbered {
 public:
  Numbered(std::string_view word, int number) {
    char* const at = std::ranges::copy(word.substr(0, kMostWord), text_).out;
    size_ = static_cast<size_t>(std::to_chars(at, text_ + sizeof text_, number).ptr - text_);
  }
  operator std::string_view() const { return {text_, size_}; }

 private:
  static constexpr size_t kMostWord = 12;
  char text_[kMostWord + 11];  // and any int
  size_t size_;
};

// P4 again, its users made while they are written.
struct ListedUser {
  int id;
  Numbered name = {"User ", id};
  bool active = true;
  double score = 95.5;
};
LEAT_JSON(ListedUser, id, name, active, score);
inline auto listed_users() {
  return std::views::iota(0, 100) | std::views::transform([](int id) { return ListedUser{id}; });
}
struct ListedP4 {
  decltype(listed_users()) users = listed_users();
  int total = 100;
  int page = 1;
};
LEAT_JSON(ListedP4, users, total, page);

struct P5 {
  int id;
  Numbered message = {"Message ", id};
  std::ranges::iota_view<int, int> data = std::views::iota(0, id % 10);
};
LEAT_JSON(P5, id, message, data);

struct P6 {
  int id = 123;
  std::string_view message = "test response";
  std::array<int, 10> data = counted<10>();
};
LEAT_JSON(P6, id, message, data);
struct P7 {
  std::string_view message = "cached response";
  int id = 123;
};
LEAT_JSON(P7, message, id);
struct P8 {
  std::string_view message = "Hello World";
  double timestamp = kTime;
};
LEAT_JSON(P8, message, timestamp);

}  // namespace leat::bench
