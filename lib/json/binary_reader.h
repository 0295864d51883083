// CBOR (RFC 8949) and MessagePack that somebody else wrote, as JSON, so that whoever reads JSON reads these as well: by the
// same rules, with the same answers.
//
// What is written is what the value means, by RFC 8949, section 6.1: numbers, texts, true, false, null, arrays and maps as
// themselves, undefined as null, bytes as text in base64url without padding. Of what JSON has no word for nothing is made up,
// it is refused: numbers that are not finite, names that are no text, simple values and MessagePack's extensions. CBOR's tags
// say more about a value and are read over, but for those that make a number of bytes or of an array (2 to 5). Names may come
// twice, as in JSON: whoever reads them says what is to be made of that.
//
// Strict: a byte too many or too few is wrong, and so is text that is not UTF-8. As deep as JSON may be (kMostDepth), without
// a call for each level, and no memory but that of the text: what announces more than there is costs nothing.
//
// Thread: any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "json/backend.h"

namespace leat::json {

// A text that is made; where its bytes lie its owner knows.
struct GrowingText {
  // Makes room for `size` bytes at `at`, and moves `at` and `end` there. False: there is none to be had.
  bool (*grow)(void* owner, char*& at, char*& end, size_t size);
  void* owner;
  char* at = nullptr;
  char* end = nullptr;
};

struct BinaryError {
  size_t offset = 0;  // of the byte where it was seen
  std::string_view
      message;          // a literal that goes on from "The body ": "must be UTF-8". Empty: there was no room
  std::string pointer;  // of the value (RFC 6901); empty for all of it
};

// Writes the one value that `bytes` are, in the code of `backend`, which is Cbor or MessagePack, as compact JSON to out.at.
// Nothing, or what is wrong: what was written then is of no worth.
std::optional<BinaryError> write_as_json(Backend backend, std::string_view bytes, GrowingText& out);

}  // namespace leat::json
