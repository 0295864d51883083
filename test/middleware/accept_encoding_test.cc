// Accept-Encoding by RFC 9110, section 12.5.3: its examples, and what is read of others.
#include "middleware/accept_encoding.h"

#include <catch2/catch_test_macros.hpp>
#include <string>
#include <vector>

namespace leat::middleware {

namespace {

using coding::Coding;

constexpr Coding kAll[] = {Coding::Zstd, Coding::Brotli, Coding::Gzip};

// "br", "br!" where plain is refused, "plain", or "nothing" where that is as well.
std::string chosen(const std::vector<std::string>& fields, std::span<const Coding> offered = kAll) {
  AcceptedCodings accepted;
  for (const std::string& field : fields) accepted.add(field);
  const CodingChoice choice = accepted.choose(offered);
  if (!choice.coding) return choice.plain ? "plain" : "nothing";
  return std::string(coding::name_of(*choice.coding)) + (choice.plain ? "" : "!");
}

}  // namespace

TEST_CASE("accept-encoding: the examples of RFC 9110, section 12.5.3") {
  CHECK(chosen({"compress, gzip"}) == "gzip");
  CHECK(chosen({""}) == "plain");
  CHECK(chosen({"*"}) == "zstd");
  CHECK(chosen({"compress;q=0.5, gzip;q=1.0"}) == "gzip");
  CHECK(chosen({"gzip;q=1.0, identity; q=0.5, *;q=0"}) == "gzip");
}

TEST_CASE("accept-encoding: weights, wildcards and refusals") {
  struct Case {
    std::string_view field, choice;
  };
  const Case cases[] = {
      // Rule 1 and 2 of the section: plain is taken unless it is refused, by name or by "*".
      {"gzip", "gzip"},
      {"gzip, br", "br"},
      {"identity", "plain"},
      {"identity;q=0", "nothing"},
      {"*;q=0", "nothing"},
      {"*;q=0, identity;q=0.1", "plain"},
      {"*;q=0, identity", "plain"},
      {"compress", "plain"},
      {"compress, identity;q=0", "nothing"},
      // Rule 3: the highest weight of those that are not refused.
      {"gzip;q=0.5, br;q=0.4, zstd;q=0.3", "gzip"},
      {"gzip;q=0.001, br;q=0", "gzip"},
      {"gzip;q=0, br;q=0, zstd;q=0", "plain"},
      {"gzip;q=0", "plain"},
      {"*, gzip;q=0, zstd;q=0", "br"},
      {"*;q=0.5, gzip", "gzip"},
      {"*;q=0.5, gzip;q=0.2", "zstd"},
      {"gzip, *;q=0", "gzip!"},
      {"gzip, identity;q=0", "gzip!"},
      {"identity;q=0, *", "zstd!"},
      // Who likes it plain better gets it so.
      {"identity, gzip;q=0.5", "plain"},
      {"identity;q=0.5, gzip;q=0.4", "plain"},
      {"identity;q=0.5, gzip;q=0.5", "gzip"},
      {"identity;q=0.5, *;q=0.5", "zstd"},
      // Names are of any case, and x-gzip is gzip.
      {"GZIP", "gzip"},
      {"x-gzip", "gzip"},
      {"Br;Q=1.000", "br"},
      {"IDENTITY;q=0, gzip", "gzip!"},
      // White space and empty items.
      {" ,\tgzip ;\t q=0.5 , ,br ; q=0.25,", "gzip"},
      // What is no weight makes no item.
      {"gzip;q=2, br;q=0.1", "br"},
      {"gzip;q=0.0001, br;q=0.1", "br"},
      {"gzip;q=, br;q=0.1", "br"},
      {"gzip;q=1.001, br;q=0.1", "br"},
      {"gzip;q=-1, br;q=0.1", "br"},
      {"gzip;q=.5, br;q=0.1", "br"},
      {"gzip;level=9, br;q=0.1", "br"},
      {"gzip q=1, br;q=0.1", "br"},
      {"gzip;q=1;q=0, br;q=0.1", "br"},
      {"gzip;q=0.", "plain"},
      // Of two that contradict each other the less counts.
      {"gzip, gzip;q=0", "plain"},
      {"gzip;q=0, gzip", "plain"},
      {"deflate", "plain"},
      {"\"gzip\"", "plain"},
  };
  for (const Case& each : cases) {
    INFO(each.field);
    CHECK(chosen({std::string(each.field)}) == each.choice);
  }
}

TEST_CASE("accept-encoding: no field, several, and the server's order") {
  CHECK(chosen({}) == "plain");
  CHECK(chosen({"br", "gzip;q=0.5"}) == "br");
  CHECK(chosen({"gzip", "identity;q=0"}) == "gzip!");
  constexpr Coding kOther[] = {Coding::Gzip, Coding::Brotli};
  CHECK(chosen({"br, zstd, gzip"}, kOther) == "gzip");
  CHECK(chosen({"br;q=0.9, zstd, gzip;q=0.8"}, kOther) == "br");
  CHECK(chosen({"zstd"}, kOther) == "plain");
}

}  // namespace leat::middleware
