// Content codings: what the content of an answer or of a request may be packed in (RFC 9110, section 8.4.1).
//
//   gzip     zlib, and where all of it is there at once ISA-L or libdeflate
//   deflate  zlib; requests alone: what is called so comes in two formats, and no client needs it
//   br       libbrotli
//   zstd     libzstd
//
// Which libraries there are is decided when Leat is built (meson's options compress_NAME); a coding without its
// library is one that is not known. Nothing here knows HTTP beyond the names, nor any worker.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace leat::coding {

enum class Coding : uint8_t { Gzip, Brotli, Zstd, Deflate };
inline constexpr size_t kCodings = 4;

// The levels of an encoder: less work and more bytes at the least.
struct Levels {
  unsigned least = 1;
  unsigned most = 9;
};

// "br"
std::string_view name_of(Coding coding);
// By its name in any case, or by one that stands for it ("x-gzip"; RFC 9110, section 8.4.1.3).
std::optional<Coding> find_coding(std::string_view name);
Levels levels_of(Coding coding);

// Those that this program can pack and unpack.
std::span<const Coding> encodable();
std::span<const Coding> decodable();
[[nodiscard]] bool is_encodable(Coding coding);
[[nodiscard]] bool is_decodable(Coding coding);
// The libraries that are built in: "zlib", "libdeflate", "isal", "brotli", "zstd".
std::span<const std::string_view> libraries();

}  // namespace leat::coding
