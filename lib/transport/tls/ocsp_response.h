// OcspResponse: what an authority says of a certificate, that it is not revoked, to be sent with it (stapling, RFC 6066, section
// 8, and RFC 6960). Read from what somebody has fetched, found good, and never changed.
//
// Thread: any.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "transport/tls/certificate.h"

namespace leat::tls {

class OcspResponse {
 public:
  struct Mistake {
    std::string message;
    std::string hint;
  };
  // `bytes` are DER. It is for `certificate`, whose authority's comes next in its chain and has signed it.
  static std::expected<OcspResponse, Mistake> read(std::string_view bytes, const Certificate& certificate);

  [[nodiscard]] const std::string& bytes() const { return bytes_; }
  // From then on clients want another one; in seconds since 1970.
  [[nodiscard]] int64_t until_s() const { return until_s_; }

 private:
  OcspResponse(std::string_view bytes, int64_t until_s) : bytes_(bytes), until_s_(until_s) {}

  std::string bytes_;
  int64_t until_s_;
};

}  // namespace leat::tls
