// The Huffman code of HPACK (RFC 7541, section 5.2 and Appendix B).
//
// The code is canonical: the lengths of the codes say all. From them tables are made when this is compiled: codes of up
// to nine bits, which are nearly all that heads have, are one look-up.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace leat::http2 {

// No text is longer than this for each byte of its code, whose shortest is five bits.
constexpr size_t most_decoded(size_t coded) { return coded * 8 / 5; }

// Writes what `coded` says to `at`, where most_decoded() has room. The end of it; null where it is no code, or its padding is
// not as it must be.
char* huffman_decode(std::string_view coded, char* at);

// The bytes of the code of `text`.
size_t huffman_size(std::string_view text);
// Writes that code to `at`, where there is room for huffman_size() bytes; returns its end.
char* huffman_encode(std::string_view text, char* at);

}  // namespace leat::http2
