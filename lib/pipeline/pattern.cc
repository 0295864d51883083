#include "pipeline/pattern.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstddef>
#include <set>

#include "http/message.h"
#include "pipeline/path.h"

namespace leat::pipeline {

std::vector<std::string> Pattern::params() const {
  std::vector<std::string> names;
  for (const Segment& segment : segments)
    if (segment.kind != Segment::Kind::Text) names.push_back(segment.text);
  return names;
}

std::expected<Pattern, std::string> Pattern::parse(std::string_view text) {
  if (!text.starts_with('/')) return std::unexpected("a path begins with `/`");
  if (text.contains('*'))
    return std::unexpected(
        "`*` stands for nothing else: write `{name}` for one segment, `{name...}` for the rest, or `%2A`");
  if (text.contains('?'))
    return std::unexpected(
        "what follows a `?` is the query, which no path has: leave it out, or write `%3F`");
  // No request line is as long, and what walks over them recurs.
  constexpr ptrdiff_t kMostSegments = 1000;
  if (std::ranges::count(text, '/') > kMostSegments) return std::unexpected("more than 1000 segments");
  Pattern pattern;
  std::set<std::string> names;
  std::string spread;
  if (const size_t open = text.rfind("{/"); open != std::string_view::npos && text.ends_with("...}")) {
    // The slash goes where it goes in other segments.
    pattern.optional_rest = true;
    spread = fmt::format("{}/{{{}", text.substr(0, open), text.substr(open + 2));
    text = spread;
  }
  size_t at = 0;
  while (at < text.size()) {
    const size_t end = std::min(text.find('/', at + 1), text.size());
    std::string_view part = text.substr(at + 1, end - at - 1);
    at = end;
    Segment segment;
    if (part.find_first_of("{}") == std::string_view::npos) {
      if (!well_encoded(part))
        return std::unexpected("a percent-encoding is `%` and two hex digits, and never NUL");
      if (dot_segment(part) != Dots::None) return std::unexpected("`.` and `..` can never be reached");
      std::string decoded(part.size(), '\0');
      decoded.resize(decode(part, decoded.data()));
      segment.text = std::move(decoded);
    } else {
      if (!part.starts_with('{') || !part.ends_with('}') || part.size() < 2)
        return std::unexpected("a parameter is a whole segment: `/{name}/`");
      part = part.substr(1, part.size() - 2);
      segment.kind = Segment::Kind::Param;
      if (part.ends_with("...")) {
        if (end != text.size()) return std::unexpected("`{name...}` takes the rest and stands at the end");
        part.remove_suffix(3);
        segment.kind = Segment::Kind::Rest;
      }
      if (part.empty() || part.find_first_of("{}.") != std::string_view::npos)
        return std::unexpected("a parameter has a name without braces and dots");
      segment.text = part;
      if (!names.insert(segment.text).second) return std::unexpected("two parameters have the same name");
      if (names.size() > http::Request::kMostParams) return std::unexpected("more than 16 parameters");
    }
    pattern.segments.push_back(std::move(segment));
  }
  return pattern;
}

}  // namespace leat::pipeline
