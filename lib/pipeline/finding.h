// What one middleware finds out of a request for those behind it, and what one of these needs of it.
#pragma once

#include <cstdint>
#include <string_view>

namespace leat::pipeline {

// What there is to be found out. Each is a bit.
enum Finding : uint8_t {
  kNoFinding = 0,
  kSession = 1,  // http::UserSession
  kUser = 2,     // Request::user()
  kClaims = 4    // Request::claim()
};

struct Need {
  Finding finding = kNoFinding;
  // A request without is answered with an error. Otherwise an instance does without, and is wrong only where it can have it
  // on no route at all.
  bool always = false;
  std::string_view option;  // that asks for it, a literal
};

}  // namespace leat::pipeline
