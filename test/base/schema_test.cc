// Rows: what does not compile, what is read into an options struct, and what is said of the rest.
#include "base/schema.h"

#include <catch2/catch_test_macros.hpp>
#include <cmath>
#include <expected>

namespace leat::test {
namespace {

using schema::Content;
using schema::Row;
using schema::Type;

struct Point {
  int x = 0;
  static std::expected<Point, std::string> parse(std::string_view text) {
    if (text.size() != 1) return std::unexpected("no point");
    return Point{text[0] - '0'};
  }
  [[nodiscard]] std::string text() const { return std::to_string(x); }
};

struct Inner {
  uint16_t depth = 3;
};
struct Options {
  enum class Color : uint8_t { Red, Green, Blue };
  uint8_t count = 7;
  uint32_t threads = 0;
  uint64_t size = 4096;
  uint32_t wait_ms = 1500;
  uint32_t bits = 0640;
  double factor = 0.5;
  bool loud = true;
  Color color = Color::Green;
  std::string name = "as long as it takes to be on the heap";
  std::vector<std::string> names = {"a", "b"};
  std::vector<Point> points = {{1}};
  std::optional<uint32_t> limit;
  const Value* whole = nullptr;
  Inner inner;
};

std::string check_point(std::string_view called, std::string_view text) {
  return Point::parse(text) ? "" : std::string(called) + " has no such point";
}

constexpr auto kDepth = [](Options& options) -> auto& { return options.inner.depth; };
constexpr Row kRows[] = {
    schema::count<&Options::count>("count", 1, 255, "."),
    schema::automatic<&Options::threads>("threads", 2, 64, "."),
    schema::size<&Options::size>("size", 1024, 1 << 20, "."),
    schema::duration<&Options::wait_ms>("wait", 0, 60'000, "."),
    schema::mode<&Options::bits>("bits", 0, 0777, "."),
    schema::real<&Options::factor>("factor", 0, 1, "."),
    schema::boolean<&Options::loud>("loud", "."),
    schema::choice<&Options::color>("color", "red green blue", "."),
    schema::text<&Options::name>("name", 40, "."),
    schema::texts<&Options::names>("names", "."),
    schema::list<&Options::points>("points", "points", check_point, 77, "."),
    schema::count<&Options::limit>("limit", 1, 100, "."),
    schema::any<&Options::whole>("whole", "anything", "."),
    schema::count<kDepth>("depth", 1, 9, "."),
};
constexpr schema::Codes kCodes = {1, 2, 3, 4, 5, 6};

// --- What does not compile

template <int64_t least, int64_t most>
concept Counts =
    requires { typename std::bool_constant<(schema::count<&Options::count>("", least, most, ""), true)>; };
static_assert(Counts<7, 7> && Counts<0, 255>);
static_assert(!Counts<8, 255>, "the default is too small");
static_assert(!Counts<0, 6>, "the default is too large");
static_assert(!Counts<0, 256>, "the member cannot hold that");
static_assert(!Counts<-1, 255>, "nor that");

template <int64_t least>
concept Automatic =
    requires { typename std::bool_constant<(schema::automatic<&Options::threads>("", least, 9, ""), true)>; };
static_assert(Automatic<2>, "0 is the word auto");

template <int64_t most>
concept Deep = requires { typename std::bool_constant<(schema::count<kDepth>("", 0, most, ""), true)>; };
static_assert(Deep<3> && !Deep<2>, "in a struct of a struct");

template <auto least>
concept Real =
    requires { typename std::bool_constant<(schema::real<&Options::factor>("", least, 1, ""), true)>; };
static_assert(Real<0.5> && !Real<0.51>);

template <int64_t most>
concept Text = requires { typename std::bool_constant<(schema::text<&Options::name>("", most, ""), true)>; };
static_assert(Text<37> && !Text<36>, "the default is too long");

// A text cannot be a template's argument; a number of words can.
template <int words>
concept Chooses = requires {
  typename std::bool_constant<(schema::choice<&Options::color>("", words == 1 ? "red" : "red green", ""),
                               true)>;
};
static_assert(Chooses<2> && !Chooses<1>, "the default has no word");

// --- What is read

Value::Entry entry(std::string key, auto value, uint32_t line = 1) {
  return {std::move(key), Value(std::move(value), Place{.line = line}, Place{.line = line})};
}
Value table(Value::Table entries) { return {std::move(entries), Place{.line = 100}}; }

// All that is said, a line each: "CODE@LINE message (hint)".
std::string said(const Diagnostics& diagnostics) {
  std::string all;
  for (const Diagnostic& each : diagnostics)
    all += std::to_string(each.code) + "@" + std::to_string(each.place.line) + " " + each.message +
           (each.hint.empty() ? "" : " (" + each.hint + ")") + "\n";
  return all;
}
std::string said_of(Value::Table entries) {
  Diagnostics diagnostics;
  (void)schema::read<Options>(table(std::move(entries)), kRows, kCodes, diagnostics, "[it]");
  return said(diagnostics);
}

TEST_CASE("schema: what stands in a table is read into the struct, all else keeps its default") {
  Diagnostics diagnostics;
  const Value whole =
      table({entry("count", int64_t{255}), entry("threads", int64_t{64}), entry("size", std::string("2KiB")),
             entry("wait", std::string("1m")), entry("bits", int64_t{0600}), entry("factor", int64_t{1}),
             entry("loud", false), entry("color", std::string("blue")), entry("name", std::string("x")),
             entry("names", std::string("one")), entry("points", std::string("5")),
             entry("limit", int64_t{9}), entry("whole", 1.5), entry("depth", int64_t{9})});
  const auto read = schema::read<Options>(whole, kRows, kCodes, diagnostics);
  CHECK(said(diagnostics).empty());
  CHECK(read.count == 255);
  CHECK(read.threads == 64);
  CHECK(read.size == 2048);
  CHECK(read.wait_ms == 60'000);
  CHECK(read.bits == 0600);
  CHECK(read.factor == 1);
  CHECK(!read.loud);
  CHECK(read.color == Options::Color::Blue);
  CHECK(read.name == "x");
  CHECK(read.names == std::vector<std::string>{"one"});
  REQUIRE(read.points.size() == 1);
  CHECK(read.points[0].x == 5);
  CHECK(read.limit == 9);
  CHECK(read.whole == whole.find("whole"));
  CHECK(read.inner.depth == 9);

  const auto none = schema::read<Options>(table({}), kRows, kCodes, diagnostics);
  CHECK(said(diagnostics).empty());
  const Options defaults;
  for (const Row& row : kRows) {
    INFO(row.name);
    CHECK(row.get(&none) == row.get(&defaults));
  }
  CHECK(!none.limit);
}

TEST_CASE("schema: the word of a number stands for none") {
  Diagnostics diagnostics;
  const auto read =
      schema::read<Options>(table({entry("threads", std::string("auto"))}), kRows, kCodes, diagnostics);
  CHECK(said(diagnostics).empty());
  CHECK(read.threads == 0);
  CHECK(said_of({entry("threads", int64_t{0})}) == "3@1 `threads` is \"auto\" or a number, 2 to 64, not 0\n");
  CHECK(said_of({entry("threads", std::string("none"))}) ==
        "2@1 `threads` is \"auto\" or a whole number, not a string\n");
}

TEST_CASE("schema: what is wrong is said by its kind, and the default stands") {
  Diagnostics diagnostics;
  const Value wrong = table({entry("count", int64_t{256}), entry("name", int64_t{1})});
  const auto read = schema::read<Options>(wrong, kRows, kCodes, diagnostics);
  CHECK(diagnostics.size() == 2);
  CHECK(read.count == 7);
  CHECK(read.name == Options().name);

  CHECK(said_of({entry("count", std::string("7"))}) == "2@1 `count` is a whole number, not a string\n");
  CHECK(said_of({entry("count", int64_t{0})}) == "3@1 `count` is 1 to 255, not 0\n");
  CHECK(said_of({entry("bits", int64_t{01000})}) ==
        "3@1 `bits` is 0o0 to 0o777, not 512 (an octal number begins with 0o)\n");
  CHECK(said_of({entry("factor", 1.5)}) == "3@1 `factor` is 0 to 1, not 1.5\n");
  CHECK(said_of({entry("factor", std::nan(""))}) == "3@1 `factor` is 0 to 1, not nan\n");
  CHECK(said_of({entry("loud", int64_t{1})}) == "2@1 `loud` is true or false, not an integer\n");
  CHECK(said_of({entry("size", std::string("1MB"))}).empty());
  CHECK(said_of({entry("size", std::string("2MiB"))}) == "3@1 `size` is 1KiB to 1MiB\n");
  CHECK(said_of({entry("size", std::string("17179869183GiB"))}) == "3@1 `size` is 1KiB to 1MiB\n");
  CHECK(said_of({entry("wait", int64_t{5})}) ==
        "4@1 `wait` is a time like \"10s\" or \"500ms\" (did you mean \"5s\"?)\n");
  CHECK(said_of({entry("color", std::string("gren"))}) ==
        "5@1 `color` is one of \"red\", \"green\", \"blue\" (did you mean `green`?)\n");
  CHECK(said_of({entry("name", std::string(41, 'x'))}) == "3@1 `name` has at most 40 characters\n");
  CHECK(said_of({entry("name", std::string("a\nb"))}) == "3@1 `name` has no control characters\n");
  CHECK(said_of({entry("whole", int64_t{1})}).empty());
}

TEST_CASE("schema: what is wrong with one of a list is said at that one") {
  const Value::Array list = {Value(std::string("1"), Place{.line = 2}),
                             Value(std::string("12"), Place{.line = 3}), Value(true, Place{.line = 4})};
  CHECK(said_of({entry("points", list)}) ==
        "77@3 `points` has no such point\n2@4 `points` is a list of texts, not a boolean\n");
}

TEST_CASE("schema: a name that no row has is met with the closest") {
  CHECK(said_of({entry("cuont", int64_t{1}, 3)}) == "1@3 unknown key `cuont` (did you mean `count`?)\n");
}

TEST_CASE("schema: what is needed is missed when it is absent, and when it is empty") {
  struct Needy {
    std::string file;
  };
  static constexpr Row kNeedy[] = {schema::text<&Needy::file>("file", ".").as_needed()};
  Diagnostics diagnostics;
  (void)schema::read<Needy>(table({}), kNeedy, kCodes, diagnostics, "[[it]]");
  (void)schema::read<Needy>(table({}), kNeedy, kCodes, diagnostics);
  (void)schema::read<Needy>(table({entry("file", std::string(), 5)}), kNeedy, kCodes, diagnostics);
  CHECK(said(diagnostics) == "6@100 [[it]] needs `file`\n6@100 `file` is missing\n6@5 `file` is empty\n");
  CHECK(schema::default_text(kNeedy[0]).empty());
}

TEST_CASE("schema: several may read their parts of a table") {
  struct Mine {
    bool mine = false;
  };
  static constexpr Row kMine[] = {schema::boolean<&Mine::mine>("mine", ".")};
  Diagnostics diagnostics;
  const Value both = table({entry("mine", true), entry("count", int64_t{2}), entry("other", true, 9)});
  schema::Reader reader(both, "", kCodes, diagnostics);
  Mine mine;
  Options options;
  reader.read(kMine, mine);
  REQUIRE(reader.others().size() == 2);
  CHECK(reader.others()[0].first == "count");
  reader.read(kRows, options);
  CHECK(mine.mine);
  CHECK(options.count == 2);
  CHECK(reader.good());
  reader.refuse_others();
  CHECK(!reader.good());
  CHECK(said(diagnostics) == "1@9 unknown key `other`\n");
  CHECK(reader.place_of("other").line == 9);
  CHECK(reader.place_of("absent").line == 100);
}

TEST_CASE("schema: defaults come from the struct, and are written as they would be read") {
  std::string all;
  for (const Row& row : kRows) all += schema::default_text(row) + "\n";
  CHECK(all ==
        "7\n\"auto\"\n\"4KiB\"\n\"1500ms\"\n0o640\n0.5\ntrue\n\"green\"\n"
        "\"as long as it takes to be on the heap\"\n[\"a\", \"b\"]\n[\"1\"]\n\n\n3\n");
}

TEST_CASE("schema: a row that is made at run time is read and described like any") {
  const Content fallback = int64_t{500};
  const Row row = {.name = "delay",
                   .type = Type::Duration,
                   .sentence = "Waits.",
                   .least = 1,
                   .most = 1000,
                   .fallback = &fallback};
  CHECK(schema::default_text(row) == "\"500ms\"");
  CHECK(schema::type_text(row) == "time, 1ms to 1s");
  Diagnostics diagnostics;
  CHECK(schema::parse(row, Value(std::string("20ms"), Place()), kCodes, diagnostics) == Content(int64_t{20}));
  CHECK(!schema::parse(row, Value(std::string("2s"), Place()), kCodes, diagnostics, "item 3"));
  CHECK(said(diagnostics) == "3@0 item 3 is 1ms to 1s\n");
}

TEST_CASE("schema: what is deprecated is taken with a warning that names what takes its place") {
  static constexpr Row kOld[] = {
      schema::count<&Options::count>("many", 1, 255, "How many.").deprecated("0.3", "count"),
      schema::text<&Options::name>("name", 40, "What it is called."),
  };
  const auto at = [](const char* key, auto value) -> Value::Entry {
    return {key, Value(std::move(value), Place{.line = 3, .column = 9},
                       Place{.line = 3, .column = 2, .length = 4})};
  };
  Diagnostics diagnostics;
  const Value old = table({at("many", int64_t{9})});
  schema::Reader reader(old, "[it]", kCodes, diagnostics);
  Options options;
  reader.read(kOld, options);
  CHECK(options.count == 9);
  CHECK(reader.good());
  CHECK(said(diagnostics) == "129@3 `many` is deprecated since 0.3 (use `count`)\n");
  REQUIRE(diagnostics.size() == 1);
  CHECK(diagnostics[0].severity == Diagnostic::Severity::Warning);
  CHECK(diagnostics[0].place.column == 2);
  CHECK(schema::described(kOld[0]) == "How many. Deprecated since 0.3: use `count`.");
  CHECK(schema::described(kOld[1]) == "What it is called.");

  // A mistake in it is one all the same, and what is not written is not warned of.
  diagnostics.clear();
  const Value wrong = table({at("many", int64_t{0})});
  schema::Reader second(wrong, "[it]", kCodes, diagnostics);
  second.read(kOld, options);
  CHECK(!second.good());
  CHECK(diagnostics.size() == 2);
  diagnostics.clear();
  (void)schema::read<Options>(table({at("name", std::string("x"))}), kOld, kCodes, diagnostics);
  CHECK(said(diagnostics).empty());
}

}  // namespace
}  // namespace leat::test
