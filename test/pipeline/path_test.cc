// One spelling for each path, whatever way it was written.
#include "pipeline/path.h"

#include <catch2/catch_test_macros.hpp>
#include <string>

namespace leat::pipeline {

namespace {

std::string spelled(std::string_view path) {
  REQUIRE(well_encoded(path));
  std::string out(path.size() + 1, '\0');
  out.resize(spell_path(path, out.data()));
  CHECK((needs_normalising(path) || out == path));
  return out;
}

}  // namespace

TEST_CASE("path: what leads to the same is spelled in one way") {
  for (const char* path : {"/users/7", "/%75sers/7", "/users/%37", "/./users/7", "/users/x/../7",
                           "/users/%2e/7", "/../users/7", "/x/%2E./users/7"}) {
    INFO(path);
    CHECK(spelled(path) == "/users/7");
  }
  CHECK(spelled("/") == "/");
  CHECK(spelled("/a/..") == "/");
  CHECK(spelled("/a/.") == "/a/");
  CHECK(spelled("/%c3%A4/...") == "/\xc3\xa4/...");
}

TEST_CASE("path: what leads elsewhere is spelled in another way") {
  CHECK(spelled("/a%2fb") == "/a%2Fb");      // no separator
  CHECK(spelled("/a%252fb") == "/a%252fb");  // decoded once
  CHECK(spelled("/a%252Fb") != spelled("/a%2Fb"));
  CHECK(spelled("/100%25") == "/100%25");
  CHECK(spelled("/a%2f..%2fb") == "/a%2F..%2Fb");
  CHECK(spelled("/users/7/") == "/users/7/");
  CHECK(spelled("/Users") == "/Users");
}

}  // namespace leat::pipeline
