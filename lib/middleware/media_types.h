// MediaTypes: a list of media types, with wildcards, that a Content-Type is in or not (RFC 9110, section 8.3.1).
//
//   text/html             that type, whatever its parameters
//   text/*                all of text
//   application/*+json    all of application that end so
//
// Frozen; any thread.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"

namespace leat::middleware {

class MediaTypes {
 public:
  MediaTypes() = default;
  explicit MediaTypes(const std::vector<std::string>& patterns) {
    for (const std::string& pattern : patterns) {
      const size_t star = pattern.find('*');
      if (star == std::string::npos)
        patterns_.push_back({pattern, {}, false});
      else
        patterns_.push_back({pattern.substr(0, star), pattern.substr(star + 1), true});
    }
  }
  [[nodiscard]] bool have(std::string_view content_type) const {
    const std::string_view type = essence_of(content_type);
    return std::ranges::any_of(patterns_, [&](const Pattern& each) { return each.fits(type); });
  }

  // Whether `text` is such a type.
  static bool is_pattern(std::string_view text) {
    const size_t slash = text.find('/');
    if (slash == std::string_view::npos || !is_token(text.substr(0, slash))) return false;
    const std::string_view type = text.substr(0, slash), subtype = text.substr(slash + 1);
    if (type.contains('*') || !is_token(subtype)) return false;
    const size_t star = subtype.find('*');
    return star == std::string_view::npos ||
           (star == 0 && !subtype.substr(1).contains('*') && (subtype.size() == 1 || subtype[1] == '+'));
  }

 private:
  struct Pattern {
    std::string before, behind;
    bool open;  // something stands between them
    [[nodiscard]] bool fits(std::string_view type) const {
      if (!open) return equal_ignoring_case(type, before);
      return type.size() > before.size() + behind.size() &&
             equal_ignoring_case(type.substr(0, before.size()), before) &&
             equal_ignoring_case(type.substr(type.size() - behind.size()), behind);
    }
  };
  std::vector<Pattern> patterns_;
};

}  // namespace leat::middleware
