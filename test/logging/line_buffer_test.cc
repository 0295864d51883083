// LineBuffer: lines go in whole on one thread and come out in order on another.
#include "logging/line_buffer.h"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <cstring>
#include <random>
#include <string>
#include <string_view>
#include <thread>

namespace leat::logging {

namespace {

bool put(LineBuffer& buffer, std::string_view line, size_t most) {
  char* const at = buffer.reserve(most);
  if (at == nullptr) return false;
  std::memcpy(at, line.data(), line.size());
  buffer.commit(at + line.size());
  return true;
}

// Takes up to `most` bytes out.
std::string take(LineBuffer& buffer, size_t most = SIZE_MAX) {
  iovec pieces[2];
  const size_t count = buffer.gather(pieces);
  std::string text;
  for (size_t i = 0; i < count; ++i)
    text.append(static_cast<const char*>(pieces[i].iov_base), pieces[i].iov_len);
  text.resize(std::min(text.size(), most));
  buffer.consume(text.size());
  return text;
}

}  // namespace

TEST_CASE("line buffer: lines come out as they went in, over many laps and in any pieces") {
  LineBuffer buffer(1000);
  std::mt19937 random(3);
  std::uniform_int_distribution<size_t> size(1, 200);
  std::string in, out;
  for (int i = 0; i < 20'000; ++i) {
    const std::string line = std::to_string(i) + std::string(size(random), 'x') + "\n";
    if (put(buffer, line, 220)) in += line;
    if (i % 3 == 0) out += take(buffer, size(random) * 4);
  }
  for (std::string more = take(buffer); !more.empty(); more = take(buffer)) out += more;
  CHECK(in == out);
  CHECK(buffer.waiting() == 0);
}

TEST_CASE("line buffer: what finds no room is refused, and there is room again for what was read") {
  LineBuffer buffer(1024);
  const std::string line(100, 'l');
  int taken = 0;
  while (put(buffer, line, 100)) ++taken;
  CHECK(taken == 10);
  CHECK_FALSE(put(buffer, "x", 100));
  buffer.drop();
  CHECK(buffer.lines() == 10);
  CHECK(buffer.dropped() == 1);
  CHECK(take(buffer, 150) == std::string(150, 'l'));
  CHECK(put(buffer, line, 100));
  CHECK_FALSE(put(buffer, line, 100));
  size_t rest = 0;
  for (std::string more = take(buffer); !more.empty(); more = take(buffer)) rest += more.size();
  CHECK(rest == 950);
}

TEST_CASE("line buffer: where all was read its beginning is used again") {
  LineBuffer buffer(64 * 1024);
  char* const first = buffer.reserve(1000);
  buffer.commit(first + 1000);
  for (int i = 0; i < 100; ++i) {
    CHECK(take(buffer).size() == 1000);
    char* const at = buffer.reserve(1000);
    CHECK(at == first);
    buffer.commit(at + 1000);
  }
}

TEST_CASE("line buffer: a writer on another thread sees whole lines in order") {
  LineBuffer buffer(4096);
  constexpr int kLines = 200'000;
  int put_in = 0;
  std::thread worker([&] {
    std::mt19937 random(5);
    std::uniform_int_distribution<size_t> size(0, 300);
    for (int i = 0; i < kLines;) {
      char* const at = buffer.reserve(400);
      if (at == nullptr) {
        buffer.drop();
        std::this_thread::yield();
        continue;
      }
      const std::string line = std::to_string(i) + std::string(size(random), '.') + "\n";
      std::memcpy(at, line.data(), line.size());
      buffer.commit(at + line.size());
      put_in = ++i;
    }
  });
  std::string rest;
  int next = 0;
  bool good = true;
  while (next < kLines && good) {
    rest += take(buffer);
    size_t begin = 0;
    for (size_t end = rest.find('\n'); end != std::string::npos && good; end = rest.find('\n', begin)) {
      const std::string_view line(rest.data() + begin, end - begin);
      const std::string number = std::to_string(next++);
      good = line.starts_with(number) && line.find_first_not_of('.', number.size()) == std::string_view::npos;
      begin = end + 1;
    }
    rest.erase(0, begin);
  }
  worker.join();
  CHECK(good);
  CHECK(next == kLines);
  CHECK(put_in == kLines);
  CHECK(buffer.waiting() == 0);
}

}  // namespace leat::logging
