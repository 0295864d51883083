// Whether a text is JSON, for text that somebody else wrote and that is to stand inside ours.
#pragma once

#include <cstdint>
#include <string_view>

namespace leat::json {

// Deeper than any answer is meant to be, and than most readers accept.
constexpr uint32_t kMostDepth = 128;

// True when `text` is one well-formed value (RFC 8259, section 2) in UTF-8, white space around it allowed,
// with at most `most_depth` containers inside each other. Takes time in proportion to the text, no memory.
// Escaped surrogates need not come in pairs: the grammar does not ask for it, and readers cope.
[[nodiscard]] bool is_json_value(std::string_view text, uint32_t most_depth = kMostDepth);

}  // namespace leat::json
