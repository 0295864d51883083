// Bytes of the kernel's.
#include "base/random_bytes.h"

#include <catch2/catch_test_macros.hpp>
#include <set>
#include <string>

namespace leat {

TEST_CASE("random_bytes: never the same twice") {
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) {
    std::string bytes(32, '\0');
    REQUIRE(random_bytes(bytes.data(), bytes.size()));
    CHECK(seen.insert(bytes).second);
  }
}

}  // namespace leat
