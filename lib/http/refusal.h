// Refusal: why a request is answered by the HTTP layer itself, and with what.
#pragma once

#include <cstdint>
#include <string_view>

namespace leat::http {

// Every refusal closes the connection: after bytes that could not be understood, or were not read, nobody
// can tell where the next request begins.
struct Refusal {
  uint16_t status = 0;      // 0: none
  std::string_view detail;  // a literal that tells the client what to mend
  explicit operator bool() const { return status != 0; }
};

}  // namespace leat::http
