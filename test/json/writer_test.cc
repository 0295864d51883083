// json::Writer: what single values and documents look like, and what each misuse is called. Every table is
// run with both backends.
#include "json/writer.h"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "json/allocations.h"
#include "json/support.h"

namespace leat::test {
namespace {

using json::Backend;
using json::Writer;
using Events = std::function<void(Writer&)>;

Backend any_backend() {
  const auto built = json::built_backends();
  return GENERATE_REF(Catch::Generators::from_range(built.begin(), built.end()));
}

// The text of `events`, or "error: " and the reason.
std::string written(Backend backend, const Events& events, size_t limit = size_t{64} << 20) {
  JsonMemory memory(limit);
  Writer writer(memory.arena, backend);
  events(writer);
  const auto text = writer.finish();
  CHECK(text.has_value() == (writer.error() == nullptr));
  if (!text) return std::string("error: ") + writer.error();
  CHECK(writer.finish() == text);
  return std::string(*text);
}

TEST_CASE("json writer: integers of every length are written whole") {
  const Backend backend = any_backend();
  std::vector<int64_t> numbers = {0, 1, -1, INT64_MAX, INT64_MIN, INT64_MIN + 1};
  for (int64_t power = 10; power <= INT64_MAX / 10; power *= 10)
    for (const int64_t number : {power - 1, power, power + 1})
      numbers.insert(numbers.end(), {number, -number});
  for (const int64_t number : numbers)
    CHECK(written(backend, [=](Writer& w) { w.integer(number); }) == std::to_string(number));
  CHECK(written(backend, [](Writer& w) { w.unsigned_integer(0); }) == "0");
  CHECK(written(backend, [](Writer& w) { w.unsigned_integer(UINT64_MAX); }) == "18446744073709551615");
}

TEST_CASE("json writer: doubles are the shortest that read back, with a point or an exponent") {
  const Backend backend = any_backend();
  const std::pair<double, const char*> table[] = {
      {0.0, "0.0"},
      {-0.0, "-0.0"},
      {3.0, "3.0"},
      {-42.0, "-42.0"},
      {95.5, "95.5"},
      {0.1, "0.1"},
      {0.1 + 0.2, "0.30000000000000004"},
      {1748358028.9037342, "1748358028.9037342"},
      {-1748358028.9037342, "-1748358028.9037342"},
      {1.0 / 3.0, "0.3333333333333333"},
      {123456789012345680.0, "1.2345678901234568e+17"},
      {0.0001, "0.0001"},
      {0.00012345, "0.00012345"},
      {0.00009999999999999999, "9.999999999999999e-05"},
      {0.00001, "1e-05"},
      {1.5e-7, "1.5e-07"},
      {1e15, "1000000000000000.0"},
      {9007199254740993.0, "9007199254740992.0"},
      {9999999999999998.0, "9999999999999998.0"},
      {4503599627370495.5, "4503599627370495.5"},
      {1e16, "1e+16"},
      {-1e16, "-1e+16"},
      {1e22, "1e+22"},
      {1e23, "1e+23"},
      {1e100, "1e+100"},
      {5e-324, "5e-324"},
      {2.2250738585072014e-308, "2.2250738585072014e-308"},
      {1.7976931348623157e308, "1.7976931348623157e+308"},
  };
  for (const auto& [number, text] : table)
    CHECK(written(backend, [number = number](Writer& w) { w.real(number); }) == text);
}

TEST_CASE("json writer: strings escape what they must and nothing else") {
  const Backend backend = any_backend();
  using namespace std::string_view_literals;
  const std::pair<std::string_view, std::string_view> table[] = {
      {""sv, R"("")"sv},
      {std::string_view(), R"("")"sv},
      {"plain"sv, R"("plain")"sv},
      {"a/b"sv, R"("a/b")"sv},
      {"say \"no\""sv, R"("say \"no\"")"sv},
      {"back\\slash"sv, R"("back\\slash")"sv},
      {"\b\f\n\r\t"sv, R"("\b\f\n\r\t")"sv},
      {"\0\1\x0b\x0e\x0f\x10\x1a\x1f"sv, R"("\u0000\u0001\u000b\u000e\u000f\u0010\u001a\u001f")"sv},
      {"\x10"sv, R"("\u0010")"sv},
      {" ~\x7f"sv, "\" ~\x7f\""sv},
      {"<script>&'"sv, R"("<script>&'")"sv},
      {"Grüße, 世界 🎉"sv, R"("Grüße, 世界 🎉")"sv},
      {"\xe2\x80\xa8\xe2\x80\xa9"sv, "\"\xe2\x80\xa8\xe2\x80\xa9\""sv},
  };
  for (const auto& [text, expected] : table) {
    CHECK(written(backend, [text = text](Writer& w) { w.string(text); }) == expected);
    CHECK(written(backend, [text = text](Writer& w) {
            w.begin_object();
            w.key(text);
            w.null();
            w.end_object();
          }) == "{" + std::string(expected) + ":null}");
  }
}

TEST_CASE("json writer: a byte that is part of no character is one replacement character") {
  const std::string r = "\xef\xbf\xbd";
  const std::pair<std::string, std::string> texts[] = {
      {"\x80", r},
      {"caf\xe9", "caf" + r},
      {"\xc3", r},
      {"\xc3\xa9\xc3", "\xc3\xa9" + r},
      {"\xc0\xaf/", r + r + "/"},
      {"\xed\xa0\x80", r + r + r},
      {"\xf4\x90\x80\x80", r + r + r + r},
      {"\xe2\x82\"", r + r + "\\\""},
      {"\xff\n\x1f", r + "\\n\\u001f"},
      {"a\xffgreater than a word, and than sixteen bytes\xfe",
       "a" + r + "greater than a word, and than sixteen bytes" + r},
  };
  const std::string euro = "\xe2\x82\xac", grin = "\xf0\x9f\x98\x80";
  const auto same = [](const std::string& text, const std::string& wanted) {
    for (const json::Backend backend : json::built_backends()) {
      INFO(json::backend_name(backend));
      CHECK(written(backend, [&](Writer& w) { w.string(text); }) == "\"" + wanted + "\"");
      CHECK(written(backend, [&](Writer& w) {
              w.begin_object();
              w.key(text);
              w.null();
              w.end_object();
            }) == "{\"" + wanted + "\":null}");
    }
  };
  for (const auto& [text, wanted] : texts) {
    INFO(wanted);
    same(text, wanted);
    // Where a long text is cut into pieces, and not where a whole character is.
    for (const size_t before : {249, 250, 251, 252, 253, 254, 255, 256}) {
      const std::string x(before, 'x');
      same(x + text + "y", x + wanted + "y");
      same(x + euro + text + euro, x + euro + wanted + euro);
      same(x + grin + text + grin, x + grin + wanted + grin);
    }
    same(std::string(300, '\x80') + grin, [&] {
      std::string all;
      for (int i = 0; i < 300; ++i) all += r;
      return all + grin;
    }());
  }
}

TEST_CASE("json writer: an escape is found at every place of a string of every length") {
  const Backend backend = any_backend();
  for (size_t size = 1; size <= 70; ++size) {
    for (size_t place = 0; place < size; ++place) {
      for (const auto& [special, escaped] :
           {std::pair{"\n", "\\n"}, {"\"", "\\\""}, {"é", "é"}, {"\x1f", "\\u001f"}}) {
        const std::string before(place, 'a');
        const std::string after(size - place - 1, 'z');
        const std::string text = before + special + after;
        // At the end of its memory, so that a sanitizer sees a read past it.
        const auto exact = std::make_unique<char[]>(text.size());
        text.copy(exact.get(), text.size());
        const std::string got = written(backend, [&](Writer& w) { w.string({exact.get(), text.size()}); });
        if (got != '"' + before + escaped + after + '"') FAIL(got);
      }
    }
  }
}

TEST_CASE("json writer: containers, members and commas come as they should") {
  const Backend backend = any_backend();
  CHECK(written(backend, [](Writer& w) {
          w.begin_object();
          w.end_object();
        }) == "{}");
  CHECK(written(backend, [](Writer& w) {
          w.begin_array();
          w.end_array();
        }) == "[]");
  CHECK(written(backend, [](Writer& w) {
          w.begin_object();
          w.key("a");
          w.begin_array();
          w.integer(1);
          w.begin_array();
          w.end_array();
          w.string(",");
          w.begin_object();
          w.end_object();
          w.boolean(true);
          w.end_array();
          w.key("b");
          w.raw(R"({"c": [1 , 2]})");
          w.key("d");
          w.boolean(false);
          w.key("");
          w.null();
          w.key("e");
          w.begin_object();
          w.key("f");
          w.real(1.0);
          w.end_object();
          w.end_object();
        }) == R"({"a":[1,[],",",{},true],"b":{"c": [1 , 2]},"d":false,"":null,"e":{"f":1.0}})");
}

TEST_CASE("json writer: a text far larger than a block is whole") {
  const Backend backend = any_backend();
  const std::string item(1000, 'x');
  std::string expected = "[";
  for (int i = 0; i < 500; ++i) expected += (i == 0 ? "\"" : ",\"") + item + "\"," + std::to_string(i);
  expected += "]";
  CHECK(written(backend, [&](Writer& w) {
          w.begin_array();
          for (int i = 0; i < 500; ++i) {
            w.string(item);
            w.integer(i);
          }
          w.end_array();
        }) == expected);
}

TEST_CASE("json writer: containers nest 128 deep and no deeper") {
  const Backend backend = any_backend();
  const auto nested = [](uint32_t depth) {
    return [depth](Writer& w) {
      for (uint32_t i = 0; i < depth; ++i) {
        if (i % 2 == 0) {
          w.begin_array();
        } else {
          w.begin_object();
          w.key("k");
        }
      }
      w.integer(0);
      for (uint32_t i = depth; i-- > 0;) i % 2 == 0 ? w.end_array() : w.end_object();
    };
  };
  std::string expected = "0";
  for (int i = 0; i < 64; ++i) expected = R"([{"k":)" + expected + "}]";
  CHECK(written(backend, nested(128)) == expected);
  CHECK(written(backend, nested(129)) == "error: containers nested too deep");
  CHECK(written(backend, nested(5000)) == "error: containers nested too deep");
  // Raw text counts from where it stands.
  const auto raw_below = [](uint32_t levels) {
    return [levels](Writer& w) {
      for (uint32_t i = 0; i < levels; ++i) w.begin_array();
      w.raw("[[]]");
      for (uint32_t i = 0; i < levels; ++i) w.end_array();
    };
  };
  CHECK(written(backend, raw_below(126)).starts_with("[[["));
  CHECK(written(backend, raw_below(127)) == "error: raw text that is not one JSON value");
}

TEST_CASE("json writer: each misuse is named, and the first reason stays") {
  const Backend backend = any_backend();
  const std::pair<const char*, Events> table[] = {
      {"a text that is not complete", [](Writer&) {}},
      {"a text that is not complete", [](Writer& w) { w.begin_object(); }},
      {"a text that is not complete",
       [](Writer& w) {
         w.begin_array();
         w.begin_array();
         w.end_array();
       }},
      {"a key outside an object, or one after another", [](Writer& w) { w.key("k"); }},
      {"a key outside an object, or one after another",
       [](Writer& w) {
         w.begin_array();
         w.key("k");
         w.end_array();
       }},
      {"a key outside an object, or one after another",
       [](Writer& w) {
         w.begin_object();
         w.key("k");
         w.key("l");
         w.null();
         w.end_object();
       }},
      {"a value without a key in an object",
       [](Writer& w) {
         w.begin_object();
         w.integer(1);
         w.end_object();
       }},
      {"a value without a key in an object",
       [](Writer& w) {
         w.begin_object();
         w.begin_object();
         w.end_object();
         w.end_object();
       }},
      {"a value after the end of the text",
       [](Writer& w) {
         w.integer(1);
         w.integer(2);
       }},
      {"a value after the end of the text",
       [](Writer& w) {
         w.begin_array();
         w.end_array();
         w.begin_array();
         w.end_array();
       }},
      {"an end that does not match what is open", [](Writer& w) { w.end_object(); }},
      {"an end that does not match what is open",
       [](Writer& w) {
         w.begin_array();
         w.end_object();
       }},
      {"an end that does not match what is open",
       [](Writer& w) {
         w.begin_object();
         w.end_array();
       }},
      {"an end that does not match what is open",
       [](Writer& w) {
         w.begin_object();
         w.key("k");
         w.end_object();
       }},
      {"an end that does not match what is open",
       [](Writer& w) {
         w.begin_array();
         w.end_array();
         w.end_array();
       }},
      {"a number that is not finite", [](Writer& w) { w.real(std::numeric_limits<double>::quiet_NaN()); }},
      {"a number that is not finite", [](Writer& w) { w.real(std::numeric_limits<double>::infinity()); }},
      {"a number that is not finite",
       [](Writer& w) {
         w.begin_array();
         w.real(-std::numeric_limits<double>::infinity());
         w.end_object();
       }},
      {"raw text that is not one JSON value", [](Writer& w) { w.raw(""); }},
      {"raw text that is not one JSON value", [](Writer& w) { w.raw({}); }},
      {"raw text that is not one JSON value", [](Writer& w) { w.raw("1,2"); }},
      {"raw text that is not one JSON value", [](Writer& w) { w.raw("{"); }},
  };
  for (const auto& [reason, events] : table) {
    CHECK(written(backend, events) == std::string("error: ") + reason);
    // Whatever comes afterwards does not mend it.
    CHECK(written(backend, [&events = events, reason = std::string_view(reason)](Writer& w) {
            events(w);
            if (w.error() == nullptr && reason == "a text that is not complete")
              static_cast<void>(w.finish());
            w.begin_array();
            w.string("more");
            w.raw("1");
            w.end_array();
            w.real(1.5);
          }) == std::string("error: ") + reason);
  }
}

TEST_CASE("json writer: an event after finish() breaks what comes next, not what was answered") {
  JsonMemory memory;
  Writer writer(memory.arena, any_backend());
  writer.integer(7);
  const auto text = writer.finish();
  REQUIRE(text.has_value());
  writer.integer(8);
  CHECK(*text == "7");
  CHECK_FALSE(writer.finish().has_value());
}

TEST_CASE("json writer: a full arena is an error, wherever it gets full") {
  const Backend backend = any_backend();
  const std::string large(20000, '\x01');
  const Events table[] = {
      [&](Writer& w) { w.string(large); },
      [&](Writer& w) {
        w.begin_object();
        w.key(large);
      },
      [&](Writer& w) { w.raw('"' + std::string(40000, 'x') + '"'); },
      [](Writer& w) {
        w.begin_array();
        for (int i = 0; i < 40000; ++i) w.integer(i);
        w.end_array();
      },
      [](Writer& w) {
        w.begin_array();
        for (int i = 0; i < 40000; ++i) w.real(i + 0.5);
        w.end_array();
      },
      [](Writer& w) {
        w.begin_array();
        for (int i = 0; i < 40000; ++i) w.null();
        w.end_array();
      },
      [](Writer& w) {
        w.begin_array();
        for (int i = 0; i < 40000; ++i) w.begin_array(), w.end_array();
        w.end_array();
      },
      [](Writer& w) {
        w.begin_array();
        for (int i = 0; i < 40000; ++i) w.string("");
        w.end_array();
      },
  };
  for (const Events& events : table)
    for (const size_t limit : {size_t{0}, Block::kSize, Block::kSize * 2})
      CHECK(written(backend, events, limit) == "error: no memory left for this request");
}

TEST_CASE("json writer: writing takes no heap memory, with either backend") {
  JsonMemory memory;
  const auto document = [&](Backend backend) {
    Writer w(memory.arena, backend);
    w.begin_object();
    for (int i = 0; i < 50; ++i) {
      w.key("id");
      w.integer(i);
      w.key("Straße\n\x0b");
      w.begin_array();
      w.real(i * 0.1);
      w.string("a text with \"quotes\" and \x1f");
      w.raw(R"({"cached": true})");
      w.end_array();
    }
    w.end_object();
    const bool fine = w.finish().has_value();
    memory.arena.reset();
    return fine;
  };
  for (const Backend backend : json::built_backends()) {
    REQUIRE(document(backend));  // fills the pool of blocks
    const size_t before = allocations();
    const bool fine = document(backend);
    const size_t after = allocations();
    CHECK(fine);
    CHECK(after == before);
  }
  const size_t before = allocations();
  const auto one = std::string(1000, 'x');
  const size_t after = allocations();
  CHECK(one.size() == 1000);
  CHECK(after == before + 1);  // the counter counts
}

}  // namespace
}  // namespace leat::test
