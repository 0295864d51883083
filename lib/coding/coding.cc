#include "coding/coding.h"

#include <algorithm>

#include "base/text.h"

namespace leat::coding {

namespace {

struct CodingRow {
  Coding coding;
  std::string_view name;
  Levels levels;
};

// In the order of the enumeration.
constexpr CodingRow kRows[kCodings] = {
    {Coding::Gzip, "gzip", {1, 9}},
    {Coding::Brotli, "br", {1, 11}},
    {Coding::Zstd, "zstd", {1, 19}},
    {Coding::Deflate, "deflate", {1, 9}},
};

template <size_t size>
struct List {
  std::array<Coding, size> codings{};
  size_t count = 0;
  constexpr void add(Coding coding) { codings[count++] = coding; }
  [[nodiscard]] constexpr std::span<const Coding> view() const { return {codings.data(), count}; }
};

constexpr auto kEncodable = [] {
  List<kCodings> list;
#ifdef LEAT_COMPRESS_ZSTD
  list.add(Coding::Zstd);
#endif
#ifdef LEAT_COMPRESS_BROTLI
  list.add(Coding::Brotli);
#endif
#ifdef LEAT_COMPRESS_ZLIB
  list.add(Coding::Gzip);
#endif
  return list;
}();
constexpr auto kDecodable = [] {
  List<kCodings> list;
#ifdef LEAT_COMPRESS_ZLIB
  list.add(Coding::Gzip);
  list.add(Coding::Deflate);
#endif
#ifdef LEAT_COMPRESS_BROTLI
  list.add(Coding::Brotli);
#endif
#ifdef LEAT_COMPRESS_ZSTD
  list.add(Coding::Zstd);
#endif
  return list;
}();

// The last is none: the list may be empty otherwise.
constexpr std::string_view kLibraries[] = {
#ifdef LEAT_COMPRESS_ZLIB
    "zlib",
#endif
#ifdef LEAT_COMPRESS_LIBDEFLATE
    "libdeflate",
#endif
#ifdef LEAT_COMPRESS_ISAL
    "isal",
#endif
#ifdef LEAT_COMPRESS_BROTLI
    "brotli",
#endif
#ifdef LEAT_COMPRESS_ZSTD
    "zstd",
#endif
    ""};

}  // namespace

std::string_view name_of(Coding coding) { return kRows[static_cast<size_t>(coding)].name; }

std::optional<Coding> find_coding(std::string_view name) {
  if (equal_ignoring_case(name, "x-gzip")) return Coding::Gzip;
  for (const CodingRow& row : kRows)
    if (equal_ignoring_case(name, row.name)) return row.coding;
  return std::nullopt;
}

Levels levels_of(Coding coding) { return kRows[static_cast<size_t>(coding)].levels; }

std::span<const Coding> encodable() { return kEncodable.view(); }
std::span<const Coding> decodable() { return kDecodable.view(); }
bool is_encodable(Coding coding) { return std::ranges::contains(encodable(), coding); }
bool is_decodable(Coding coding) { return std::ranges::contains(decodable(), coding); }
std::span<const std::string_view> libraries() {
  return std::span(kLibraries).first(std::size(kLibraries) - 1);
}

}  // namespace leat::coding
