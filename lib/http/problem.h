// Error answers in the form of RFC 9457, application/problem+json.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/arena.h"
#include "http/refusal.h"

namespace leat::http {

// Why a request is refused for which memory is out.
inline constexpr Refusal kOutOfMemory{503, "The server is out of memory for this request."};

// How long a client that is told to come again should wait, in seconds.
inline constexpr std::string_view kRetryAfterS = "1";

inline constexpr std::string_view kProblemType = "application/problem+json";

// The JSON object: type, title (the status's reason phrase), status, detail and request_id where not empty,
// and `extra`, members that are JSON already. Lies in `arena`; where that is full, a constant object without
// details.
std::string_view problem_body(Arena& arena, uint16_t status, std::string_view detail,
                              std::string_view request_id, std::string_view extra);

}  // namespace leat::http
