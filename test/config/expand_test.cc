// ${...}: what it stands for, and that no mistake prints what a secret holds.
#include "config/expand.h"

#include <catch2/catch_test_macros.hpp>
#include <memory>
#include <string>

#include "config/codes.h"
#include "config/folder.h"

namespace leat::test {
namespace {

struct Expanded {
  std::string text;
  Diagnostics diagnostics;
};

Expanded expand(const Folder& folder, const std::string& text) {
  Expanded result;
  const Place where{
      .file = std::make_shared<const std::string>(folder.path("leat.toml")), .line = 1, .column = 1};
  result.text = config::expand(text, where, result.diagnostics);
  return result;
}

TEST_CASE("expand: the forms there are") {
  const Folder folder;
  const Variable one("LEAT_TEST_ONE", "1");
  const Variable empty("LEAT_TEST_EMPTY", "");
  folder.write("secret", "s3cret\n");
  folder.write("crlf", "s3cret\r\n");
  folder.write("two", "a\n\n");
  folder.write("none", "");
  struct Case {
    const char* text;
    const char* expanded;
  };
  for (const auto& [text, expanded] : {
           Case{"plain", "plain"},
           {"${LEAT_TEST_ONE}", "1"},
           {"<${LEAT_TEST_ONE}${LEAT_TEST_ONE}>", "<11>"},
           {"${LEAT_TEST_EMPTY}", ""},  // set, though to nothing
           {"${LEAT_TEST_EMPTY:-other}", "other"},
           {"${LEAT_TEST_UNSET:-}", ""},
           {"${LEAT_TEST_UNSET:-a:b-c?d}", "a:b-c?d"},
           {"${LEAT_TEST_ONE:-other}", "1"},
           {"${LEAT_TEST_ONE:?needed}", "1"},
           {"$", "$"},
           {"$$", "$"},
           {"$$$$", "$$"},
           {"$${LEAT_TEST_ONE}", "${LEAT_TEST_ONE}"},
           {"$$${LEAT_TEST_ONE}", "$1"},
           {"5$ and $x", "5$ and $x"},
           {"}", "}"},
           {"${file:secret}", "s3cret"},
           {"${file:crlf}", "s3cret"},
           {"${file:two}", "a\n"},  // one line end only
           {"${file:none}", ""},
       }) {
    INFO(text);
    const Expanded result = expand(folder, text);
    CHECK(result.text == expanded);
    CHECK(result.diagnostics.empty());
  }
}

TEST_CASE("expand: what a variable or a file holds is not expanded again") {
  const Folder folder;
  const Variable tricky("LEAT_TEST_TRICKY", "${LEAT_TEST_UNSET} $$");
  folder.write("tricky", "${LEAT_TEST_TRICKY}");
  CHECK(expand(folder, "${LEAT_TEST_TRICKY}").text == "${LEAT_TEST_UNSET} $$");
  CHECK(expand(folder, "${file:tricky}").text == "${LEAT_TEST_TRICKY}");
}

TEST_CASE("expand: credentials come from systemd's folder and from nowhere else") {
  const Folder folder;
  folder.write("credentials/key", "k3y");
  folder.write("outside", "no");
  const Variable directory("CREDENTIALS_DIRECTORY", folder.path("credentials"));
  CHECK(expand(folder, "${credential:key}").text == "k3y");
  for (const char* text :
       {"${credential:../outside}", "${credential:}", "${credential:..}", "${credential:absent}"}) {
    INFO(text);
    const Expanded result = expand(folder, text);
    CHECK(result.text.empty());
    REQUIRE(result.diagnostics.size() == 1);
    CHECK(result.diagnostics[0].code == config::kSecret);
  }
}

TEST_CASE("expand: an absolute path stays one") {
  const Folder folder;
  folder.write("other/secret", "here");
  CHECK(expand(folder, "${file:" + folder.path("other/secret") + "}").text == "here");
}

TEST_CASE("expand: a secret that is wrong for its setting is not printed") {
  const Folder folder;
  folder.write("secret", "hunter2-is-no-level");
  const Variable variable("LEAT_TEST_SECRET", "hunter2-is-no-size");
  const std::string said =
      folder.complaint("[log]\nlevel = '${file:secret}'\n[limits]\nbody = '${LEAT_TEST_SECRET}'\n");
  CHECK(said.contains("[LT0111]"));
  CHECK(said.contains("[LT0110]"));
  CHECK(!said.contains("hunter2"));
}

}  // namespace
}  // namespace leat::test
