// The reader of multipart/form-data, without a daemon.
#include "plugin/sdk/plugin_multipart.hpp"

#include <catch2/catch_test_macros.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace leat::test {
namespace {

// What came of a form, as one text: "name|file|type=content;" for each part, and the problem.
class Reading {
 public:
  Reading(std::string_view type, std::string_view body, size_t piece, const MultipartLimits& limits = {}) {
    try {
      Multipart form(limits);
      form.begin(type);
      for (size_t at = 0; at < body.size(); at += piece) form.feed(body.substr(at, piece), *this);
      form.end(*this);
    } catch (const Problem& problem) {
      said += std::to_string(problem.status) + " " + problem.detail + " " + problem.members;
    }
  }
  void on_part(const Part& part) {
    said += std::string(part.name) + "|" + std::string(part.file_name.value_or("-")) + "|" +
            std::string(part.type) + "=";
  }
  void on_part_piece(std::string_view bytes) {
    CHECK_FALSE(bytes.empty());
    said += bytes;
  }
  void on_part_end() { said += ";"; }

  std::string said;
};

constexpr std::string_view kType = "multipart/form-data; boundary=b";

// Read in pieces of every size it must be the same.
std::string read(std::string_view body, std::string_view type = kType, const MultipartLimits& limits = {}) {
  const std::string whole = Reading(type, body, std::max<size_t>(body.size(), 1), limits).said;
  for (size_t piece = 1; piece < body.size(); ++piece) {
    INFO(body << " in pieces of " << piece);
    REQUIRE(Reading(type, body, piece, limits).said == whole);
  }
  return whole;
}
std::string part(std::string_view head, std::string_view content = "x") {
  return "--b\r\n" + std::string(head) + "\r\n\r\n" + std::string(content) + "\r\n--b--\r\n";
}
std::string disposition(std::string_view parameters) {
  return "Content-Disposition: form-data" + std::string(parameters);
}
std::string named(std::string_view name) { return disposition("; name=\"" + std::string(name) + "\""); }

}  // namespace

TEST_CASE("multipart: parts come with their names and contents, however the body is cut") {
  CHECK(read("--b\r\n" + named("a") + "\r\n\r\n1\r\n--b\r\n" + named("b") +
             "; filename=\"f.txt\"\r\ncontent-TYPE:text/csv \r\n\r\n\r\n--b--") ==
        "a|-|text/plain=1;b|f.txt|text/csv=;");
  CHECK(read("who reads this\r\n--b \t\r\n" + named("a") + "\r\n\r\n1\r\n--b--\r\nnor this\r\n--b\r\n") ==
        "a|-|text/plain=1;");
}

TEST_CASE("multipart: what only looks like a boundary is content") {
  for (const std::string_view content :
       {"\r", "\r\n", "\r\n-", "\r\n--", "\r\n--a", "\r\r\n--a\r\n", "\n--b--", "--b", "-\r\n--c\r\n--d",
        "\r\n\r\n", "x--b\r\n", "\r\n\r\n--B\r"}) {
    INFO(content);
    CHECK(read(part(named("a"), content)) == "a|-|text/plain=" + std::string(content) + ";");
  }
}

TEST_CASE("multipart: boundaries are what RFC 2046 lets them be") {
  const auto with = [](std::string_view type, std::string_view boundary) {
    return read(
        "--" + std::string(boundary) + "\r\n" + named("a") + "\r\n\r\n1\r\n--" + std::string(boundary) + "--",
        type);
  };
  const std::string longest(70, 'x');
  CHECK(with("Multipart/Form-Data;charset=utf-8; Boundary=\"a b:c\"", "a b:c") == "a|-|text/plain=1;");
  CHECK(with("multipart/form-data; boundary=" + longest, longest) == "a|-|text/plain=1;");
  for (const std::string& type :
       {std::string("multipart/form-data"), std::string("multipart/form-data; boundary="),
        std::string("multipart/form-data; boundary=\"\""), "multipart/form-data; boundary=x" + longest,
        std::string("multipart/form-data; boundary=\"a \""), std::string("multipart/form-data; boundary=a@b"),
        std::string("multipart/form-data; x=\"; boundary=a\"")}) {
    INFO(type);
    CHECK(with(type, "a").starts_with("400 The Content-Type of the body must name a boundary"));
  }
  CHECK(with("multipart/mixed; boundary=a", "a").starts_with("415 "));
}

TEST_CASE("multipart: names are taken out of their quotes") {
  const struct {
    std::string_view parameters, said;
  } cases[] = {
      {"; name=a", "a|-|"},
      {";name = \"a;b\" ; filename=\"\"", "a;b||"},
      {"; name=\"a\\\"b\\\\c\\d\"", "a\"b\\c\\d|-|"},
      {"; name=\"\"", "|-|"},
      {"; NAME=\"a\"; FileName=x.png", "a|x.png|"},
      {"; name=\"a\"; filename=b; filename*=UTF-8''evil; other=\"y\"", "a|b|"},
      {"; filename=\"C:\\old\\way.txt\"; name=\"a\"", "a|C:\\old\\way.txt|"},
      {"; name=\"\xc3\xa4\";", "\xc3\xa4|-|"},
  };
  for (const auto& each : cases) {
    INFO(each.parameters);
    CHECK(read(part(disposition(each.parameters))) == std::string(each.said) + "text/plain=x;");
  }
  CHECK(leaf_name("C:\\old\\way.txt") == "way.txt");
  CHECK(leaf_name("../../etc/passwd") == "passwd");
  CHECK(leaf_name("a/..").empty());
  CHECK(leaf_name("..").empty());
  CHECK(leaf_name("a/").empty());
  CHECK(leaf_name(std::string_view("a\0b", 3)).empty());
}

TEST_CASE("multipart: what is no form is a 400 that says why, and where") {
  const struct {
    std::string body;
    std::string_view why;
  } cases[] = {
      {"", "has no parts"},
      {"no boundary at all", "has no parts"},
      {"--b--", "has no parts"},
      {"--b", "ends before the boundary"},
      {"--b\r\n", "ends before the boundary"},
      {"--b\r\n" + named("a") + "\r\n\r\nx", "ends before the boundary"},
      {"--b\r\n" + named("a") + "\r\n\r\nx\r\n--b", "ends before the boundary"},
      {"--b\r\n" + named("a") + "\r\n\r\nx\r\n--b-", "ends before the boundary"},
      {"--bx\r\n", "begins with the boundary and goes on"},
      {"--b\n" + named("a"), "begins with the boundary and goes on"},
      {"--b -\r\n", "begins with the boundary and goes on"},
      {"--b\r\r\n", "begins with the boundary and goes on"},
      {"--b-x", "begins with the boundary and goes on"},
      {part(""), "without a Content-Disposition"},
      {part("Content-Type: text/plain"), "without a Content-Disposition"},
      {part("Content-Disposition: attachment; name=\"a\""), "is not form-data"},
      {part(disposition("")), "without a name"},
      {part(disposition("; filename=\"a\"")), "without a name"},
      {part(disposition("; name=\"a\"; name=\"b\"")), "two names"},
      {part(disposition("; name=\"a\"; filename=\"b\"; filename=\"c\"")), "two file names"},
      {part(named("a") + "\r\n" + named("b")), "two Content-Disposition"},
      {part(named("a") + "\r\nContent-Type: a\r\nContent-Type: b"), "two Content-Type"},
      {part(disposition("; name=\"a\"; filename*=UTF-8''evil")),
       "has a part with `filename*` and no `filename`"},
      {part(disposition("; name=\"a")), "cannot be read"},
      {part(disposition("; name=\"a\"b")), "cannot be read"},
      {part(disposition("; name=")), "cannot be read"},
      {part(disposition("; name")), "cannot be read"},
      {part(disposition("; name=a b")), "cannot be read"},
      {part("no colon"), "no header field"},
      {part(": x"), "no header field"},
      {part(" folded: x"), "no header field"},
      {part(named("a") + "\n"), "a line without CR LF"},
      {part(named("a") + "\nX: y"), "a line without CR LF"},
      {part(named(std::string_view("a\0", 2))), "a control character"},
      {part(named("a") + "\r\nContent-Transfer-Encoding: base64"), "Content-Transfer-Encoding"},
      {part(named(std::string(257, 'x'))), "more than 256 bytes"},
  };
  for (const auto& each : cases) {
    INFO(each.body);
    const std::string said = read(each.body);
    INFO(said);
    CHECK(said.contains("400 The form in the body "));
    CHECK(said.contains(each.why));
    CHECK(said.contains("\"offset\":"));
  }
  CHECK(read(part(named("a") + "\r\nContent-Transfer-Encoding: Binary")) == "a|-|text/plain=x;");
}

TEST_CASE("multipart: the number of parts and the size of their heads are bounded") {
  std::string many;
  for (int i = 0; i < 3; ++i) many += "--b\r\n" + named("a") + "\r\n\r\n\r\n";
  many += "--b--";
  CHECK(read(many, kType, {.parts = 3}) == "a|-|text/plain=;a|-|text/plain=;a|-|text/plain=;");
  CHECK(read(many, kType, {.parts = 2}).contains("400 The form in the body has more than 2 parts."));
  CHECK(read(many, kType, {.parts = 0}).contains("has more than 0 parts"));
  const std::string head = named("a") + "\r\n\r\n";
  CHECK(read(many, kType, {.head_bytes = head.size()}).ends_with("=;"));
  CHECK(read(many, kType, {.head_bytes = head.size() - 1}).contains("more than 43 bytes"));
  // A million parts that nobody would want to count.
  std::string million = "--b";
  while (million.size() < 8'000'000) million += "\r\n" + named("a") + "\r\n\r\n\r\n--b";
  CHECK(Reading(kType, million, 65'536).said.contains("has more than 1000 parts"));
  // A head without an end.
  CHECK(Reading(kType, "--b\r\nX: " + std::string(1'000'000, 'x'), 65'536)
            .said.contains("more than 4096 bytes"));
  // A limit above what there is room for is that.
  CHECK(Reading(kType, "--b\r\nX: " + std::string(1'000'000, 'x'), 65'536, {.head_bytes = 1'000'000})
            .said.contains("more than 4096 bytes"));
}

}  // namespace leat::test
