// The texts of corpus.txt.
#pragma once

#include <catch2/catch_test_macros.hpp>
#include <charconv>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

namespace leat::test {

struct CorpusText {
  std::string category;  // "y", "n", "i+" or "i-"
  std::string name;
  std::string text;
};

// The text that a line stands for.
inline std::string expand(std::string_view text) {
  std::string bytes;
  while (!text.empty()) {
    if (text.starts_with("\\x") && text.size() >= 4) {
      unsigned value = 0;
      const auto [end, error] = std::from_chars(text.data() + 2, text.data() + 4, value, 16);
      REQUIRE(error == std::errc{});
      REQUIRE(end == text.data() + 4);
      bytes += static_cast<char>(value);
      text.remove_prefix(4);
      continue;
    }
    unsigned times = 0;
    const char* const last = text.data() + text.size();
    const auto [star, error] =
        text[0] == '{' ? std::from_chars(text.data() + 1, last, times) : std::from_chars_result{};
    if (text[0] == '{' && error == std::errc{} && star != last && *star == '*') {
      const auto begin = static_cast<size_t>(star + 1 - text.data());
      const size_t end = text.find('}', begin + 1);
      REQUIRE(end != std::string_view::npos);
      const std::string part = expand(text.substr(begin, end - begin));
      for (unsigned i = 0; i < times; ++i) bytes += part;
      text.remove_prefix(end + 1);
      continue;
    }
    bytes += text[0];
    text.remove_prefix(1);
  }
  return bytes;
}

inline std::vector<CorpusText> read_corpus(const char* path) {
  std::ifstream file(path);
  REQUIRE(file.is_open());
  std::vector<CorpusText> texts;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    const size_t first = line.find(' '), second = line.find(' ', first + 1);
    REQUIRE(second != std::string::npos);
    texts.push_back({line.substr(0, first), line.substr(first + 1, second - first - 1),
                     expand(std::string_view(line).substr(second + 1))});
  }
  return texts;
}

}  // namespace leat::test
