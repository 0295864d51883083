// TOML: what texts mean, what is refused where, that reading goes on, and that a file which is read in parts says what
// it says as a whole.
#include "config/toml.h"

#include <fmt/core.h>

#include <algorithm>
#include <catch2/catch_get_random_seed.hpp>
#include <catch2/catch_test_macros.hpp>
#include <iterator>
#include <memory>
#include <random>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/codes.h"
#include "config/folder.h"
#include "config/told.h"
#include "config/toml_lines.h"

namespace leat::test {
namespace {

struct Case {
  std::string_view text;
  std::string_view meant;
};

TEST_CASE("toml: values") {
  for (const auto& [text, meant] : {
           Case{"a = 1", "a=1"},
           {"\xef\xbb\xbf"
            "a = 1\r\nb = 2\r\n",
            "a=1 b=2"},
           {"a = +1_000 # x", "a=1000"},
           {"a=-9223372036854775808", "a=-9223372036854775808"},
           {"a = 0xfF\nb = 0o17\nc = 0b1_0", "a=255 b=15 c=2"},
           {"a = 1.5e3\nb = -0.25\nc = 5E-1", "a=1500f b=-0.25f c=0.5f"},
           {"a = inf\nb = -inf\nc = nan", "a=inff b=-inff c=nanf"},
           {"a = true\nb=false", "a=true b=false"},
           {R"(a = "x\ty\\\u00e9\U0001F600\"")", "a=<x\ty\\\xc3\xa9\xf0\x9f\x98\x80\">"},
           {R"(a = 'x\t"y')", "a=<x\\t\"y>"},
           {"a = \"\"\"\nx\ny \\\n   z\"\"\"\"\"", "a=<x\ny z\"\">"},
           {"a = '''x\r\n'y''''", "a=<x\n'y'>"},
           {"a = [1, 'x', [2,], {b = 3}]", "a=[1 <x> [2] {b:3}]"},
           {"a = [ # one\n 1, # two\n\n 2\n]", "a=[1 2]"},
           {"a = {b = 1, c.d = 2, c.e = [{}]}", "a={b:1 c:{d:2 e:[{}]}}"},
           {"\"a b\".'c.d' . e = 1", "a b={c.d:{e:1}}"},
           {"1 = 2\n-_ = 3", "1=2 -_=3"},
           {"", ""},
           {" \t# nothing", ""},
       }) {
    INFO(text);
    const Told told(text);
    CHECK(told.complaints == "");
    CHECK(told.whole);
    CHECK(told.said == meant);
  }
}

TEST_CASE("toml: entries are told in the order of the file, and lists of tables one by one") {
  const Told told(R"(a = 1
d.e = 2
b = {c = 3}
[t]
x = 1
[[r]]
p = 1
[r.q]
y = 1
[[r]]
p = 2
[s.t.u]
[s]
v = 1
[[r.l]]
z = 1
[[r.l]]
z = 2
[r.l.m]
)");
  CHECK(told.complaints == "");
  CHECK(told.said ==
        "a=1 d={e:2} b={c:3} t={x:1} r+={p:1 q:{y:1}} r+={p:2 l:[{z:1} {z:2 m:{}}]} s={t:{u:{}} v:1}");
}

TEST_CASE("toml: what is defined is not defined again") {
  for (const auto& [text, complaints] : {
           Case{"a = 1\na = 2", "106:2:1"},
           {"[a]\n[b]\n[a]", "106:3:2"},
           {"a = {}\n[a.b]", "106:2:2"},
           {"a = []\n[[a]]", "106:2:3"},
           {"[[a]]\n[a]", "106:2:2"},
           {"[a]\n[[a]]", "106:2:3"},
           {"a.b = 1\n[a]", "106:2:2"},
           {"a.b = 1\na.b.c = 2", "106:2:3"},
           {"[a]\nb.c = 1\n[a.b]", "106:3:2"},
           {"a = {b.c = 1, b = 2}", "106:1:15"},
           {"a = {b = {c = 1}, b.d = 2}", "106:1:19"},
           {"[a]\nb = 1\nb = 2\n[c]\nb = 1\n[a]\nb = 1", "106:3:1 106:6:2"},
       }) {
    INFO(text);
    const Told told(text);
    CHECK(told.complaints == complaints);
    CHECK(!told.whole);
  }
  const Told named("[a]\nb = 1\n[c]\nb = 1\nb = 2\n");
  REQUIRE(named.diagnostics.size() == 1);
  CHECK(named.diagnostics[0].message == "`b` is defined twice");
  CHECK(named.diagnostics[0].hint == "the other is at x.toml:4");
  // The first counts.
  CHECK(named.said == "a={b:1} c={b:1}");
  // Whatever stands in place of a header that is none may be the name of a table.
  CHECK(Told("[[\"no table\"]]\n").said == "no table+={}");
}

TEST_CASE("toml: what is malformed is refused at its place, and the rest is read") {
  for (const auto& [text, complaints] : {
           Case{"a", "103:1:2"},
           {"a = \nb = 1", "103:1:5"},
           {"= 1", "103:1:1"},
           {"a = 1 2", "103:1:7"},
           {"a = 01", "103:1:7"},
           {"a = 1__0", "103:1:7"},
           {"a = x", "103:1:5"},
           {"a = True", "103:1:5"},
           {"a = ${X}", "103:1:5"},
           {"a = \"x", "103:1:5"},
           {"a = 'x\nb = 1", "103:1:5"},
           {"a = '''x", "103:1:5"},
           {"'''a = 1", "103:1:1"},
           {"\"\"\"a\"\"\" = 1", "103:1:1"},
           {"a = [1 2]", "103:1:8"},
           {"a = [1,", "103:2:2"},
           {"a = [,]", "103:1:6"},
           {"a = {b = 1", "103:1:11"},
           {"[a", "103:1:3"},
           {"[]", "103:1:2"},
           {"[[a]", "103:1:5"},
           {"[a] b = 1", "103:1:5"},
           {"# \x01", "103:1:3"},
           {"a = 07:32:00", "120:1:5"},
           {"a = 1979-05-27 07:32:00.5Z", "120:1:5"},
           {"b = 'é'\na = '\xe9'", "101:2:6"},
       }) {
    INFO(text);
    const Told told(std::string(text) + "\n[z]\nlast = 1");
    CHECK(told.complaints == complaints);
    if (!complaints.starts_with("101")) CHECK(told.said.ends_with("z={last:1}"));
  }
}

TEST_CASE("toml: each line that is malformed is told, and no line that is not") {
  const Told told(R"([server]
name = leat
workers = 10s
listen = ["a",
  "b"
[limits]
body = "1MiB"
list = [
  1,
  x,
  2,
]
drain timeout = 1
[[[route]]]
path = "/"
[log]
level = "warn"
)");
  CHECK(told.complaints == "103:2:8 103:3:13 103:6:1 103:10:3 103:13:7 103:14:1");
  // A value that is not known is there all the same; keys below a header that is none belong nowhere.
  CHECK(told.said == "server={name:<> workers:<> listen:<>} limits={body:<1MiB> list:<>} log={level:<warn>}");
}

TEST_CASE("toml: a value that is not known has the place of what has been said of it") {
  const Told told("a = [\n  1,\n  x,\n]\n");
  REQUIRE(told.values.size() == 1);
  REQUIRE(told.diagnostics.size() == 1);
  CHECK(told.values[0].place.line == 3);
  CHECK(told.values[0].place.column == told.diagnostics[0].place.column);
  CHECK(told.values[0].key_place.line == 1);
}

TEST_CASE("toml: a file that is something else is given up") {
  std::string lines;
  for (int i = 0; i < 1000; ++i) lines += "Nov 29 09:33:19 host leat[1]: listening\n";
  for (const size_t part_bytes : {size_t{1}, size_t{1} << 20}) {
    const Told told(lines, part_bytes);
    CHECK(told.diagnostics.size() == 21);
    CHECK(told.diagnostics.back().message.contains("the rest of the file is not read"));
  }
}

std::string times(size_t count, std::string_view text) {
  std::string all;
  for (size_t i = 0; i < count; ++i) all += text;
  return all;
}

std::vector<std::string> deep(size_t depth) {
  return {
      times(depth - 1, "a.") + "a = 1\n",
      "[" + times(depth - 1, "a.") + "a]\n",
      "[[" + times(depth - 1, "a.") + "a]]\n",
      times(depth - 1, "'a' . ") + "a = 1\n",
      "a = " + times(depth - 1, "[") + times(depth - 1, "]") + "\n",
      "a = " + times(depth - 1, "[ # ]\n") + times(depth - 1, "]") + "\n",
      times(depth, "{a = ").substr(1) + "1" + times(depth - 1, "}") + "\n",
      "a = {b = {}, " + times(depth - 2, "c.") + "c = 1}\n",
      "[" + times(depth / 2 - 1, "a.") + "a]\n" + times(depth - depth / 2 - 1, "b.") + "b = 1\n",
      "[a]\nb = {" + times(depth - 3, "c.") + "c = 1}\n",
  };
}

TEST_CASE("toml: nothing lies deeper than 64, whatever it is written with") {
  for (const std::string& text : deep(64)) {
    INFO(text);
    CHECK(Told(text).complaints == "");
  }
  for (const size_t depth : {size_t{65}, size_t{66}, size_t{20'000}})
    for (const std::string& text : deep(depth)) {
      INFO(text.substr(0, 400));
      const Told told(text + "[z]\nlast = 1\n");
      REQUIRE(!told.diagnostics.empty());
      for (const Diagnostic& each : told.diagnostics) CHECK(each.code == config::kTooDeep);
      CHECK(told.said.ends_with("z={last:1}"));
    }
  // Brackets that stand one behind the other, or in texts, are not in each other.
  CHECK(Told("a = [" + times(100, "[], ") + "]\n").complaints == "");
  CHECK(Told("a = [" + times(100, "{b.c = 1, d = 1}, ") + "]\n").complaints == "");
  CHECK(Told("a = '" + times(100, "[") + "'\n# " + times(100, "{a.") + "\n").complaints == "");
  CHECK(Told("a = [" + times(100, "1.5,") + "]\n").complaints == "");
}

TEST_CASE("toml: a table of a great many keys is read") {
  std::string text = "[a]\n";
  for (int i = 0; i < 100'000; ++i) text += "k" + std::to_string(i) + " = 1\n";
  const Told told(text + "k5 = 2\n");
  CHECK(told.complaints == "106:100002:1");
  CHECK(told.said.ends_with("k99999:1}"));
}

TEST_CASE("toml: columns count characters, and places are as wide as what they are of") {
  CHECK(Told("a = \"\xc3\xa9\xc3\xa9\" x\n").complaints == "103:1:10");
  const Told keys("\"\xc3\xa9 b\" = 1\n\"\xc3\xa9 b\" = 2\n");
  REQUIRE(keys.diagnostics.size() == 1);
  CHECK(keys.diagnostics[0].place.length == 5);
}

// --- In parts

// How many parts a text has at most.
size_t parts_of(std::string_view text) { return config::cut_toml(text, 1).size(); }

void check_parts(std::string_view text) {
  INFO(text);
  const std::string whole = all_of(Told(text, size_t{1} << 30));
  for (const size_t part_bytes : {1, 20, 100}) {
    INFO(part_bytes);
    CHECK(all_of(Told(text, part_bytes)) == whole);
  }
  // They are all of it, and know where they begin.
  size_t at = 0;
  for (const config::TomlPart& each : config::cut_toml(text, 1)) {
    REQUIRE(each.text.data() == text.data() + at);
    CHECK(each.line == 1 + std::ranges::count(text.substr(0, at), '\n'));
    at += each.text.size();
  }
  CHECK(at == text.size());
}

TEST_CASE("toml: in parts a file says the same, and has the same mistakes at the same places") {
  check_parts(read_text(SOURCE_ROOT "/config/leat.toml"));
  std::istringstream mistakes(read_text(CONFIG_TEST_DIR "/mistakes.txt"));
  size_t cases = 0;
  std::string text;
  bool in_text = false;
  for (std::string line; std::getline(mistakes, line);) {
    if (line.starts_with("=== ")) {
      in_text = true;
      text.clear();
    } else if (line == "---" && in_text) {
      check_parts(text);
      ++cases;
      in_text = false;
    } else if (line.starts_with("@@@ ") && in_text) {
      check_parts(text);
      text.clear();
    } else if (in_text) {
      text += line + "\n";
    }
  }
  CHECK(cases > 50);
}

TEST_CASE("toml: what knows of each other is in one part, or the file is not cut") {
  // Of each the parts that it may be cut into.
  struct Cut {
    std::string_view text;
    size_t parts;
  };
  for (const auto& [text, parts] : {
           Cut{"a = 1\n[b]\n[c]\n", 3},
           {"[[a]]\n[[a]]\n[a.b]\n[[a.c]]\n[a.c.d]\n[[a]]\n[a.b]\n", 3},
           {"[a]\nx = 1\n[a.b]\ny = 1\n[c]\n", 2},
           {"[a]\nx = '''\n[b]\n'''\n[c]\n", 2},
           {"[a]\nx = \"\"\"\n[b]\\\"\"\"\n[b]\n\"\"\"\"\n[c]\n", 2},
           {"[a]\nx = [\n[1],\n# ]\n[\"]\"]\n]\n[c]\n", 2},
           {"[a]\nx = 'a\\'\n[b]\ny = \"a\\\\\"\n[c]\n", 3},
           {"[a] # x\n  [b]\n\t[c]\r\n", 3},
           // A table twice, or after tables in it.
           {"[a]\n[b]\n[a]\n", 1},
           {"[a.b]\n[c]\n[a]\n", 1},
           {"[a]\n[b]\n[a.c]\n", 1},
           {"[[a]]\n[b]\n[a.c]\n", 1},
           {"[[a]]\n[b]\n[a]\n", 1},
           {"[a]\n[b]\n[[a]]\n", 1},
           // A key and a table of one name.
           {"a = 1\n[b]\n[a]\n", 1},
           {"a = []\n[b]\n[[a]]\n", 1},
           {"a.b = 1\n[c]\n[d]\n", 1},
           {"'a' = 1\n[c]\n[d]\n", 1},
           {"a = 1\na = 2\n[c]\n[d]\n", 1},
           // Names that may be others in disguise.
           {"[a]\n[ a ]\n[\"a\"]\n", 1},
           {"[a]\n[b]\n['a']\n", 1},
           // Where it is doubtful what is a header.
           {"[a]\nx = [\n[b]\n[c]\n", 1},
           {"[a]\nx = \"\"\"\n[b]\n[c]\n", 1},
           {"[a]\n[b\n[c]\n", 1},
           {"[[a]] b\n[a.b]\n[[a]]\n", 1},
           {"[[a]] # \x01\n[a.b]\n[[a]]\n", 1},
           {"[a]\n\xc2\xa0[b]\n[c]\n", 1},
           {"[a]\n\xc2\xa0[a] # = 1\n[c]\n", 1},
       }) {
    INFO(text);
    CHECK(parts_of(text) == parts);
    check_parts(text);
  }
}

TEST_CASE("toml: random files of odd shapes say in parts what they say as a whole") {
  constexpr std::string_view kPieces[] = {"[a]\n",
                                          "[b]\n",
                                          "[[l]]\n",
                                          "[l.a]\n",
                                          "[[l.a]]\n",
                                          "[a.b]\n",
                                          "[m]\n",
                                          "[[n]]\n",
                                          "[n.x.y]\n",
                                          "[n.x]\n",
                                          "[[m]]\n",
                                          "[ a ]\n",
                                          "['a']\n",
                                          "[a.\"b\"]\n",
                                          "x = 1\n",
                                          "y = 'x'\n",
                                          "a = 1\n",
                                          "x.y = 1\n",
                                          "l = []\n",
                                          "b = {}\n",
                                          "z = {a.b = 1}\n",
                                          "z.a = 2\n",
                                          "v = '''\n[a]\n'''\n",
                                          "w = [\n[1],\n[a]\n]\n",
                                          "w = [\n 1, # ]\n]\n",
                                          "q = \"${LEAT_TEST_SET}\"\n",
                                          "# [a]\n",
                                          "\n",
                                          "bad\n",
                                          "x = \n",
                                          "x = [1\n",
                                          "x = '''\n",
                                          "[a\n",
                                          "[[[a]]]\n",
                                          "x = 1 2\n",
                                          "\r\n",
                                          "d = 1979-05-27\n",
                                          "é = 1\n",
                                          "\"é\" = 1\n",
                                          "\xc2\xa0[a]\n",
                                          "x = \"\\\"\"\n",
                                          "y = \"\"\"a\"\"\"\"\n"};
  const Variable set("LEAT_TEST_SET", "something");
  const uint64_t seed = Catch::getSeed();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  size_t cut = 0, good = 0;
  for (int i = 0; i < 3000; ++i) {
    std::string text;
    for (uint64_t count = random() % 12; count != 0; --count) {
      // Names of their own, so that more is left than files with one twice.
      const uint64_t number = random() % 40;
      if (random() % 2 == 0) text += fmt::format("[t{}]\n", number);
      if (random() % 3 == 0) text += fmt::format("k{} = {}\n", number, count);
      text += kPieces[random() % std::size(kPieces)];
    }
    if (random() % 4 == 0 && !text.empty()) text.pop_back();
    cut += parts_of(text) > 1 ? 1 : 0;
    good += Told(text).whole ? 1 : 0;
    check_parts(text);
  }
  // Were there none of the one or the other, little would be compared.
  CHECK(cut > 150);
  CHECK(good > 300);
}

}  // namespace
}  // namespace leat::test
