// Origins of pages, as browsers write them (the Fetch standard, "origin"; RFC 6454): which are meant by a list.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace leat::middleware {

// What is wrong with one that stands in a configuration, `https://app.example` or `https://*.app.example` for all hosts
// below that one; empty where nothing is.
std::string check_origin(std::string_view text);

// Frozen.
class Origins {
 public:
  // Of texts that check_origin() takes; others are no origins but for themselves ("null"), and "*" is none.
  explicit Origins(const std::vector<std::string>& texts);
  [[nodiscard]] bool have(std::string_view origin) const;

 private:
  struct Below {
    std::string before, behind;  // "https://" and ".example.com"
    [[nodiscard]] bool has(std::string_view origin) const;
  };
  std::vector<std::string> exact_;  // in order
  std::vector<Below> below_;
};

}  // namespace leat::middleware
