// Configurations of other servers as the trees that they are: directives, each with its words and, in braces, others.
//
// nginx and Caddy differ in how words are written and directives end, and in nothing else that matters here. Nothing is
// understood yet, and no other file is read. Whatever the text is, reading it ends, and goes no deeper than it may.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace leat::server::migrate {

// Of those that people write, none comes near; what a program has made of a million rules is no use here.
inline constexpr size_t kMostSourceBytes = size_t{4} << 20;
inline constexpr size_t kDeepestBlock = 32;

struct Directive {
  uint32_t line = 0;               // from 1
  std::vector<std::string> words;  // without their quotes; the first is its name. Never none
  std::vector<Directive> block;
  bool braces = false;  // it has a block, which may be empty
  std::string written;  // its first line, for people: without control characters, and cut where it is long

  [[nodiscard]] std::string_view name() const { return words.front(); }
  // The word at `index` behind the name; empty where there is none.
  [[nodiscard]] std::string_view word(size_t index) const {
    return index + 1 < words.size() ? std::string_view(words[index + 1]) : std::string_view();
  }
  [[nodiscard]] size_t count() const { return words.size() - 1; }
};

struct Malformed {
  uint32_t line;
  std::string why;  // a sentence
};

using Directives = std::expected<std::vector<Directive>, Malformed>;

Directives read_nginx(std::string_view text);
// Of a file with one site and no braces around it the site's directives stand in a block of its addresses all the same.
Directives read_caddy(std::string_view text);

// `text` as it may stand in a comment and on a terminal; of a longer one the first `most` bytes or so.
std::string printable_line(std::string_view text, size_t most = 120);

}  // namespace leat::server::migrate
