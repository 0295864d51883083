// format_toml(): how each thing is written, and that nothing but blanks and commas ever changes.
#include <catch2/catch_get_random_seed.hpp>
#include <catch2/catch_test_macros.hpp>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "config/folder.h"
#include "config/formatted.h"

namespace leat::test {
namespace {

namespace fs = std::filesystem;

struct Case {
  const char* name;
  std::string_view before, after;
};

constexpr Case kCases[] = {
    {"nothing", "", ""},
    {"blank lines alone", "\n \n\t\r\n", ""},
    {"blanks around keys, values and comments", "  a=1\n\tb   =\t\"x\"#  why \n# c  \n",
     "a = 1\nb = \"x\"  #  why\n# c\n"},
    {"a last line without an end", "a=1", "a = 1\n"},
    {"line ends of another system", "# x\r\n[a]\r\nb=1\r\n", "# x\n[a]\nb = 1\n"},
    {"the mark that some editors write",
     "\xef\xbb\xbf"
     "a=1\n",
     "a = 1\n"},
    {"keys with dots and quotes", "a . \"b . c\" .'d'=1\n[ x . y ] # z\n[[ \"]]\" ]]#\n",
     "a.\"b . c\".'d' = 1\n\n[x.y]  # z\n\n[[\"]]\"]]  #\n"},
    {"tables get apart", "a=1\n[b]\nc=1\n[d]\n[e]\n", "a = 1\n\n[b]\nc = 1\n\n[d]\n\n[e]\n"},
    {"a table in the one before may stay with it", "[[a]]\nb=1\n[a.c]\nd=1\n\n[a.e]\n# f\n[a.g]\n",
     "[[a]]\nb = 1\n[a.c]\nd = 1\n\n[a.e]\n# f\n[a.g]\n"},
    {"a comment stays with its header", "a=1\n# of b\n# as well\n[b]\n", "a = 1\n\n# of b\n# as well\n[b]\n"},
    {"a comment apart from a header stays apart", "a=1\n# of a\n\n[b]\n", "a = 1\n# of a\n\n[b]\n"},
    {"blank lines are one", "a=1\n\n\n\nb=2\n\n# c\n\n", "a = 1\n\nb = 2\n\n# c\n"},
    {"none begin a file or a table", "\n\n[a]\n\nb=1\n\n", "[a]\nb = 1\n"},
    {"a comment below a header", "[a]\n\n# c\n\nb=1\n", "[a]\n\n# c\n\nb = 1\n"},
    {"numbers and dates keep their text",
     "a=0x0F\nb=1_000\nc=+1.50e+3\nd=1979-05-27 07:32:00 # t\ne='x\\'\nf=\"\\u00e9\"\n",
     "a = 0x0F\nb = 1_000\nc = +1.50e+3\nd = 1979-05-27 07:32:00  # t\ne = 'x\\'\nf = \"\\u00e9\"\n"},
    {"texts of several lines keep theirs", "a=\"\"\"\n  x \r\n\n# y\\\n  \"\"\"\"\" # z\nb='''\n ''''\n",
     "a = \"\"\"\n  x \r\n\n# y\\\n  \"\"\"\"\"  # z\nb = '''\n ''''\n"},
    {"short lists", "a=[ 1,2 , 3, ]\nb=[ ]\nc=[\n]\nd=[1\n,2]\n",
     "a = [1, 2, 3]\nb = []\nc = []\nd = [1, 2]\n"},
    {"a list that begins with a line break keeps it", "a=[\n1,2\n]\n", "a = [\n  1,\n  2,\n]\n"},
    {"comments in lists", "a=[ # open\n1 # one\n,2, # two\n# three\n\n\n3\n# end\n]# behind\n",
     "a = [  # open\n  1,  # one\n  2,  # two\n  # three\n\n  3,\n  # end\n]  # behind\n"},
    {"a list of comments", "a=[ # x\n# y\n]\n", "a = [  # x\n  # y\n]\n"},
    {"two comments before a comma", "a=[1 # x\n# y\n, 2]\n", "a = [\n  1,  # x\n  # y\n  2,\n]\n"},
    {"tables in braces", "a={b=1,\"c d\"={e . f=[ 1,2 ]}}\nx={ }\n",
     "a = {b = 1, \"c d\" = {e.f = [1, 2]}}\nx = {}\n"},
    {"lists in lists", "a=[[\n1],[2 # c\n]]\n", "a = [\n  [\n    1,\n  ],\n  [\n    2,  # c\n  ],\n]\n"},
    {"a list in braces", "a=[{b=[ # c\n1]}]\n", "a = [\n  {b = [  # c\n    1,\n  ]},\n]\n"},
    {"what looks like a comment", "a=\"# no\"#yes\nb=['#',\"]\"]\n",
     "a = \"# no\"  #yes\nb = ['#', \"]\"]\n"},
};

TEST_CASE("format: each thing has one form") {
  for (const Case& each : kCases) {
    INFO(each.name);
    CHECK(config::format_toml(each.before) == std::string(each.after));
    CHECK(wrong_with_format(each.before).empty());
  }
}

TEST_CASE("format: a list is written over several lines when it is too long for one") {
  const auto list = [](size_t elements, std::string_view between) {
    std::string text;
    for (size_t i = 0; i < elements; ++i) text.append(i == 0 ? "" : between).append("123456789");
    return text;
  };
  // "a = [" and "]" and 8 times 11 characters without the last two are 92, with one more 103.
  CHECK(config::format_toml("a=[" + list(8, ",") + "]") == "a = [" + list(8, ", ") + "]\n");
  CHECK(config::format_toml("a=[" + list(9, ",") + "]") == "a = [\n  " + list(9, ",\n  ") + ",\n]\n");
  // What counts is where it ends, in characters.
  const auto text = [](size_t characters, std::string_view character) {
    std::string quoted = "\"";
    for (size_t i = 0; i < characters; ++i) quoted += character;
    return quoted + "\"";
  };
  CHECK(config::format_toml("a=[" + text(92, "x") + "]") == "a = [" + text(92, "x") + "]\n");
  CHECK(config::format_toml("a=[" + text(93, "x") + "]") == "a = [\n  " + text(93, "x") + ",\n]\n");
  CHECK(config::format_toml("a=[" + text(92, "ü") + "]") == "a = [" + text(92, "ü") + "]\n");
}

TEST_CASE("format: what is no TOML is not formatted, nor met with a crash") {
  for (const char* text : {"a", "a = [", "a = [1", "a = {", "a = {b", "a = {b = ", "[a", "[[a]", "a = \"",
                           "a = '''x", "= 1", "a =", "a = [}", "a = {b = ]", "a = [[}]]"}) {
    INFO(text);
    CHECK(!is_toml(text));
    const auto formatted = config::format_toml(text);
    CHECK((!formatted || !is_toml(*formatted)));
  }
}

// All texts that the tree has: its configurations, those of its pages, right and wrong ones, what a fuzzer kept.
std::vector<std::string> corpus() {
  std::vector<std::string> texts;
  const auto cut = [&texts](const std::string& page, std::string_view begin, std::string_view end) {
    for (size_t at = page.find(begin); at != std::string::npos; at = page.find(begin, at)) {
      at += begin.size();
      const size_t to = std::min(page.find(end, at), page.size());
      texts.push_back(page.substr(at, to - at));
      at = to;
    }
  };
  for (const char* folder : {"config", "docs", "packaging", "bench", "server", "test"})
    for (const auto& entry : fs::recursive_directory_iterator(SOURCE_ROOT + std::string("/") + folder)) {
      const fs::path& path = entry.path();
      if (!entry.is_regular_file()) continue;
      if (path.extension() == ".toml" || path.parent_path().filename() == "toml_fuzz")
        texts.push_back(read_text(path.string()));
      if (path.extension() == ".md") cut(read_text(path.string()), "```toml\n", "```");
      if (path.filename() == "mistakes.txt") cut(read_text(path.string()), "\n=== ", "---\n");
    }
  // The name of a mistake is no part of it.
  for (std::string& text : texts)
    if (!is_toml(text) && text.contains('\n')) text.erase(0, text.find('\n') + 1);
  std::erase_if(texts, [](const std::string& text) { return !is_toml(text); });
  return texts;
}

TEST_CASE("format: nothing that the tree has loses anything, and all is formatted at once") {
  const std::vector<std::string> texts = corpus();
  CHECK(texts.size() > 100);
  for (const std::string& text : texts) {
    INFO(text);
    CHECK(wrong_with_format(text).empty());
  }
}

TEST_CASE("format: nor does what is made of it at random") {
  constexpr std::string_view kPieces[] = {
      "\n", "\n\n", " ",  "\t", "\r\n", "# c\n", "#\n", ",",      "[", "]",     "{",       "}",
      "=",  ".",    "\"", "'",  "\\",   "'''",   "é",   "\"\"\"", "1", "[x]\n", "[[y]]\n", "z = [1,\n\n2]\n"};
  const std::vector<std::string> texts = corpus();
  const uint64_t seed = Catch::getSeed();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  size_t formatted = 0;
  for (int i = 0; i < 10'000; ++i) {
    std::string text = texts[random() % texts.size()];
    if (text.size() > 600) text = text.substr(0, text.find('\n', 400));
    for (size_t times = 1 + random() % 3; times > 0; --times)
      text.insert(random() % (text.size() + 1), kPieces[random() % std::size(kPieces)]);
    if (!is_toml(text)) continue;
    ++formatted;
    INFO(text);
    REQUIRE(wrong_with_format(text) == std::string());
  }
  CHECK(formatted > 1'000);
}

}  // namespace
}  // namespace leat::test
