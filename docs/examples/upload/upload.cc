// upload: takes a body of any size, computes its CRC-32 as it arrives, and counts what came.
//
// Nothing of the body is kept, so an upload of a gigabyte costs no more memory than one of a kilobyte. The
// limit on its size is the plugin's own; the daemon's (limits.body) must be no smaller.
#include <leat/plugin.hpp>

#include <array>
#include <cstdint>
#include <cstdio>
#include <string_view>

namespace {

// CRC-32 as in gzip and PNG (ISO 3309): polynomial 0xEDB88320 with the lowest bit first, begun with all ones,
// inverted at the end.
class Crc32 {
 public:
  void add(std::string_view bytes) {
    for (const char byte : bytes) rest_ = kTable[(rest_ ^ static_cast<uint8_t>(byte)) & 0xff] ^ (rest_ >> 8);
  }
  [[nodiscard]] uint32_t value() const { return ~rest_; }

 private:
  // For each byte what eight steps of the division make of it.
  static constexpr auto kTable = [] {
    std::array<uint32_t, 256> table{};
    for (uint32_t byte = 0; byte < table.size(); ++byte) {
      uint32_t rest = byte;
      for (int bit = 0; bit < 8; ++bit) rest = (rest >> 1) ^ (rest & 1 ? 0xEDB88320u : 0);
      table[byte] = rest;
    }
    return table;
  }();
  uint32_t rest_ = ~0u;
};

class Uploads : public leat::Plugin<Uploads> {
 public:
  explicit Uploads(leat::Setup& setup)
      : received(setup, "upload_bytes_total", "Bytes of uploads, of unfinished ones too."),
        sizes(setup, "upload_size_bytes", "Sizes of complete uploads.", {1e3, 1e6, 1e9}),
        most_bytes_(static_cast<uint64_t>(setup.integer("most_bytes", 1 << 20, {1, int64_t{1} << 40}))) {}

  const leat::Counter received;
  const leat::Histogram sizes;

  [[nodiscard]] uint64_t most_bytes() const { return most_bytes_; }
  static constexpr auto handlers();

 private:
  const uint64_t most_bytes_;
};

// One upload: made when the head is there, destroyed when the request ends, finished or not.
class Upload {
 public:
  // More than that is answered with a 413 by the daemon.
  void on_request(leat::Request& request, Uploads& uploads) { request.limit_body(uploads.most_bytes()); }
  // Called for each piece, in order; their sizes depend on the network.
  void on_body(std::string_view piece, Uploads& uploads) {
    bytes_ += piece.size();
    digest_.add(piece);
    uploads.received.add(piece.size());
  }
  leat::Reply on_body_end(leat::Json& json, Uploads& uploads) {
    uploads.sizes.observe(static_cast<double>(bytes_));
    std::array<char, 9> hex{};
    std::snprintf(hex.data(), hex.size(), "%08x", static_cast<unsigned>(digest_.value()));
    return json.object("bytes", bytes_, "crc32", std::string_view(hex.data()));
  }

 private:
  uint64_t bytes_ = 0;
  Crc32 digest_;
};

constexpr auto Uploads::handlers() { return leat::list(stream<Upload>("upload")); }

}  // namespace

LEAT_PLUGIN(Uploads, "upload", "1.0.0")
