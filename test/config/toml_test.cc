// TOML: what texts mean, what is refused where, and that reading goes on.
#include "config/toml.h"

#include <fmt/core.h>

#include <catch2/catch_test_macros.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "config/codes.h"
#include "config/folder.h"

namespace leat::test {
namespace {

// Short, for tests: texts as <text>.
std::string written(const Value& value) {
  std::string out;
  if (const auto* table = value.table()) {
    for (const auto& [key, entry] : *table) out += (out.empty() ? "" : " ") + key + ":" + written(entry);
    return "{" + out + "}";
  }
  if (const auto* list = value.array()) {
    for (const Value& each : *list) out += (out.empty() ? "" : " ") + written(each);
    return "[" + out + "]";
  }
  if (value.string() != nullptr) return "<" + *value.string() + ">";
  if (value.integer() != nullptr) return std::to_string(*value.integer());
  if (value.real() != nullptr) return fmt::format("{}f", *value.real());
  return *value.boolean() ? "true" : "false";
}

// What a text says, in the order in which it is told; a table of a list as "key+".
struct Told final : config::TomlClient {
  explicit Told(std::string_view text) {
    const Folder folder;
    folder.write("x.toml", text);
    whole = config::read_toml(folder.path("x.toml"), {}, *this, diagnostics, secrets);
    for (const Diagnostic& each : diagnostics)
      complaints += fmt::format("{}{}:{}:{}", complaints.empty() ? "" : " ", each.code, each.place.line,
                                each.place.column);
  }
  void on_entry(const std::string& key, Value&& value) override { tell(key, written(value)); }
  void on_element(const std::string& key, Value&& table) override { tell(key + "+", written(table)); }
  void tell(const std::string& key, const std::string& text) {
    said += (said.empty() ? "" : " ") + key + "=" + text;
  }

  bool whole = false;
  std::string said;
  std::string complaints;  // "CODE:LINE:COLUMN"
  Diagnostics diagnostics;
  config::Secrets secrets;
};

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

TEST_CASE("toml: tables are told at the end, what is written in one piece at once, and lists one by one") {
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
        "a=1 b={c:3} r+={p:1 q:{y:1}} d={e:2} t={x:1} r+={p:2 l:[{z:1} {z:2 m:{}}]} s={t:{u:{}} v:1}");
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
           {"[a.b]\n[a]\nb.c = 1", "106:3:1"},
           {"[a]\nb.c = 1\n[a.b]", "106:3:4"},
           {"a = {b.c = 1, b = 2}", "106:1:15"},
           {"a = {b = {c = 1}, b.d = 2}", "106:1:19"},
       }) {
    INFO(text);
    const Told told(text);
    CHECK(told.complaints == complaints);
    CHECK(!told.whole);
  }
  // Below another header, a table that keys with dots have made may get a table.
  CHECK(Told("[a]\nb.c = 1\nb.d = 2\n[a.b.e]").said == "a={b:{c:1 d:2 e:{}}}");
}

TEST_CASE("toml: what is malformed is refused at its place, and the rest is read") {
  for (const auto& [text, complaints] : {
           Case{"a", "103:1:2"},
           {"a = \nb = 1", "103:1:5"},
           {"= 1", "103:1:1"},
           {"a = 1 2", "103:1:7"},
           {"a = 01", "103:1:5"},
           {"a = 1__0", "103:1:5"},
           {"a = 0x", "103:1:5"},
           {"a = 1.", "103:1:5"},
           {"a = 99999999999999999999", "103:1:5"},
           {"a = 1e999", "103:1:5"},
           {"a = True", "103:1:5"},
           {"a = x", "103:1:5"},
           {"a = ${X}", "103:1:5"},
           {"a = \"x", "103:1:5"},
           {"a = 'x\nb = 1", "103:1:5"},
           {"a = '''x", "103:1:5"},
           {"a = \"\\q\"", "103:1:6"},
           {"a = \"\\ud800\"", "103:1:6"},
           {"a = \"\\u12\"", "103:1:6"},
           {"a = \"x\x01y\"", "103:1:7"},
           {"# \x7f", "103:1:3"},
           {"a = 1\rb = 2", "103:1:6"},
           {"a = [1 2]", "103:1:8"},
           {"a = [1,", "103:2:2"},
           {"a = [,]", "103:1:6"},
           {"a = {b = 1,}", "103:1:12"},
           {"a = {b = 1", "103:1:5"},
           {"a = {b = 1\n}", "103:1:5 103:2:1"},
           {"[a", "103:1:1"},
           {"[]", "103:1:2"},
           {"[[a]", "103:1:1"},
           {"[a] b = 1", "103:1:5"},
           {"\"\"\"a\"\"\" = 1", "103:1:1"},
           {"a = 2020-02-30", "120:1:5"},
           {"a = 07:32:00", "120:1:5"},
           {"a = 1979-05-27 07:32:00.5Z", "120:1:5"},
           {"a = '\xe9'", "101:1:6"},
       }) {
    INFO(text);
    const Told told(std::string(text) + "\n[z]\nlast = 1");
    CHECK(told.complaints == complaints);
    if (!complaints.starts_with("101") && !text.contains("'''")) CHECK(told.said.ends_with("z={last:1}"));
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
  CHECK(told.complaints == "103:2:8 103:3:11 103:6:1 103:10:3 103:13:7 103:14:3");
  // A value that is not known is there all the same; keys below a header that is none belong nowhere.
  CHECK(told.said == "server={name:<> workers:<> listen:<>} limits={body:<1MiB> list:<>} log={level:<warn>}");
}

TEST_CASE("toml: a file that is something else is given up") {
  std::string lines;
  for (int i = 0; i < 1000; ++i) lines += "Nov 29 09:33:19 host leat[1]: listening\n";
  const Told told(lines);
  CHECK(told.diagnostics.size() == 21);
  CHECK(told.diagnostics.back().message.contains("the rest of the file is not read"));
}

TEST_CASE("toml: nothing lies deeper than 64, whatever it is written with") {
  const auto times = [](size_t count, std::string_view text) {
    std::string all;
    for (size_t i = 0; i < count; ++i) all += text;
    return all;
  };
  const auto deep = [&](size_t depth) {
    return std::vector<std::string>{
        times(depth - 1, "a.") + "a = 1\n",
        "[" + times(depth - 1, "a.") + "a]\n",
        "[[" + times(depth - 1, "a.") + "a]]\n",
        "a = " + times(depth - 1, "[") + times(depth - 1, "]") + "\n",
        times(depth, "{a = ").substr(1) + "1" + times(depth - 1, "}") + "\n",
        "[" + times(depth / 2 - 1, "a.") + "a]\n" + times(depth - depth / 2 - 1, "b.") + "b = 1\n",
    };
  };
  for (const std::string& text : deep(64)) {
    INFO(text);
    CHECK(Told(text).complaints == "");
  }
  for (const size_t depth : {size_t{65}, size_t{66}, size_t{20'000}})
    for (const std::string& text : deep(depth)) {
      INFO(text.substr(0, 400));
      const Told told(text);
      REQUIRE(!told.diagnostics.empty());
      CHECK(told.diagnostics[0].code == config::kTooDeep);
    }
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

}  // namespace
}  // namespace leat::test
