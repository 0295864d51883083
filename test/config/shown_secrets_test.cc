// What of a configuration is not shown with mistakes.
#include "config/shown_secrets.h"

#include <fmt/core.h>

#include <catch2/catch_test_macros.hpp>
#include <random>
#include <string>
#include <string_view>

namespace leat::config {
namespace {

// With an asterisk for each byte that is secret, but for line ends.
std::string hidden(std::string_view text) {
  std::string shown(text);
  size_t before = 0;
  for (const TextRange& each : find_secrets(text)) {
    REQUIRE(each.begin >= before);
    REQUIRE(each.begin < each.end);
    REQUIRE(each.end <= text.size());
    before = each.end;
    for (size_t i = each.begin; i < each.end; ++i)
      if (shown[i] != '\n' && shown[i] != '\r') shown[i] = '*';
  }
  return shown;
}

}  // namespace

TEST_CASE("shown_secrets: texts under keys that say so, however they are written") {
  const struct {
    std::string_view text, shown;
  } cases[] = {
      {"secret = \"abc\"", "secret = \"***\""},
      {"secret = 'abc'", "secret = '***'"},
      {"secret=\"a\\\"b\" # c", "secret=\"****\" ***"},
      {"secret = \"\"\"\nabc\n  def\"\"\"\nname = \"n\"\n",
       "secret = \"\"\"\n***\n*****\"\"\"\nname = \"n\"\n"},
      {"secret = '''a''b'''", "secret = '''****'''"},
      {"secret = \"\"\"ab\"\"\"\"\"", "secret = \"\"\"****\"\"\""},
      {"keys = [\n  \"a\", # b\n  'c',\n]\nname = \"d\"", "keys = [\n  \"*\", ***\n  '*',\n]\nname = \"d\""},
      {"keys = [ [\"a\"], [\"b\"] ]", "keys = [ [\"*\"], [\"*\"] ]"},
      {"users = { alice = \"a\", \"bob\" = 'b' }", "users = { alice = \"*\", \"bob\" = '*' }"},
      {"store = { name = \"a\", secret = \"b\", at = \"c\" }",
       "store = { name = \"a\", secret = \"*\", at = \"c\" }"},
      {"store = { secret = { x = \"b\" }, at = \"c\" }", "store = { secret = { x = \"*\" }, at = \"c\" }"},
      {"store.secret = \"a\"", "store.secret = \"*\""},
      {"secret.store = \"a\"", "secret.store = \"*\""},
      {"\"db-Password\" = \"a\"", "\"db-Password\" = \"*\""},
      {"a . 'api_keys' . b = \"a\"", "a . 'api_keys' . b = \"*\""},
      {"[plugin.options.users]\nalice = \"a\"\n[other]\nb = \"c\"",
       "[plugin.options.users]\nalice = \"*\"\n[other]\nb = \"c\""},
      {"secret = \"\xc3\xa4\"\nname = \"\xc3\xa4\"", "secret = \"**\"\nname = \"\xc3\xa4\""},
      {"secret = \"a\"\r\nname = \"b\"\r\n", "secret = \"*\"\r\nname = \"b\"\r\n"},
      {"Authorization = \"a\"", "Authorization = \"*\""},
      {"access_tokens = [\"a\"]\npassword_hash = \"b\"", "access_tokens = [\"*\"]\npassword_hash = \"*\""},
  };
  for (const auto& each : cases) {
    INFO(each.text);
    CHECK(hidden(each.text) == each.shown);
  }
}

TEST_CASE("shown_secrets: what is no secret is shown") {
  for (const std::string_view text : {"",
                                      "\n\n",
                                      "name = \"secret\"",
                                      "secret_file = \"/etc/key\"",
                                      "cookie = \"sid\"",
                                      "kinds = [\"jwt\", \"secret\"]",
                                      "secret = 7",
                                      "secret = true",
                                      "keys = [1, 2.5, -3, 2026-01-02]",
                                      "secret = \"${file:/etc/key}\"",
                                      "keys = [\"${KEY}\", \"${credential:key}\"]",
                                      "# secret = \"a\"",
                                      "listen = [\"127.0.0.1:80\", \"[::1]:80\"]",
                                      "url = \"http://a.example:80/b@c:d\"",
                                      "request_set = [\"X-Frame-Options: DENY\"]",
                                      "[[route]]\npath = \"/token\"",
                                      "key = [\"cookie:a b\", \"claim:\"]",
                                      "name = \"${credential:name}\"",
                                      "secret = \"\"",
                                      "monkeys_ = \"a\"\nkeyring = \"b\""}) {
    INFO(text);
    CHECK(hidden(text) == text);
  }
}

TEST_CASE("shown_secrets: fields and addresses with secrets in them, under any key") {
  CHECK(hidden("request_set = [\"Authorization: Bearer abc\", \"X-A: b\"]") ==
        "request_set = [\"Authorization:***********\", \"X-A: b\"]");
  CHECK(hidden("fields = ['x-api-key:abc', \"Cookie: a=b\", \"X-Auth-Token: ${TOKEN}\"]") ==
        "fields = ['x-api-key:***', \"Cookie:****\", \"X-Auth-Token: ${TOKEN}\"]");
  CHECK(hidden("url = \"http://alice:pa@ss@h.example:80/x@y\"") ==
        "url = \"http://alice:*****@h.example:80/x@y\"");
  CHECK(hidden("secret = \"${KEY:-abc}\"\nkeys = [\"${KEY}abc\"]") ==
        "secret = \"***********\"\nkeys = [\"*********\"]");
}

TEST_CASE("shown_secrets: what is malformed hides no less") {
  const struct {
    std::string_view text, shown;
  } cases[] = {
      {"secret = abc", "secret = ***"},
      {"secret = YWJj=, name = \"n\"", "secret = *****, name = \"n\""},
      {"secret = a b c", "secret = * * *"},
      {"secret = \"abc", "secret = \"***"},
      {"secret = \"abc\nname = \"n\"", "secret = \"***\nname = \"n\""},
      {"secret = \"abc\"def", "secret = \"***\"***"},
      {"secret = \"a\" \"b\"", "secret = \"*\" \"*\""},
      {"secret = \"a\" , algorithms = [\"HS256\"]", "secret = \"*\" , algorithms = [\"HS256\"]"},
      {"algorithms = [\"HS256\"], secret = \"a\"", "algorithms = [\"HS256\"], secret = \"*\""},
      {"secret = \"\"\"abc\nx = \"y\"\n", "secret = \"\"\"***\n*******\n"},
      {"keys = [\n  \"a\"\n  \"b\"\n]", "keys = [\n  \"*\"\n  \"*\"\n]"},
      {"keys = [\n  \"a,\n  b,\n]\nname = \"n\"", "keys = [\n  \"**\n  *,\n]\nname = \"n\""},
      {"keys = [\n  \"a\",\n[[route]]\npath = \"/\"", "keys = [\n  \"*\",\n[[route]]\npath = \"/\""},
      {"keys = [YWJj=, ZGVm=]", "keys = [*****, *****]"},
      {"keys = \"a\",\n  \"b\"\nname = \"n\"", "keys = \"*\",\n  \"*\"\nname = \"n\""},
      {"secret =\n\"a\"", "secret =\n\"*\""},
      {"secret =\nabc\nname \"n\"", "secret =\n***\nname \"n\""},
      {"secret \"a\"", "secret \"*\""},
      {"secret: a", "secret: *"},
      {"store = {\"secret\": \"a\", \"name\": \"n\"}", "store = {\"secret\": \"*\", \"name\": \"n\"}"},
      {"request_set = [Authorization: Bearer abc, X-A: b]",
       "request_set = [Authorization: ****** ***, X-A: b]"},
      {"name = \"\"\"\n\"\"\" secret = \"a\"", "name = \"\"\"\n\"\"\" secret = \"*\""},
  };
  for (const auto& each : cases) {
    INFO(each.text);
    CHECK(hidden(each.text) == each.shown);
  }
}

TEST_CASE("shown_secrets: any text comes to an end, and what is found lies in it") {
  constexpr std::string_view kPieces[] = {"secret", "=",    "\"", "'",  "\"\"\"", "'''", "[", "]", "{",
                                          "}",      ",",    "\n", " ",  "#",      "\\",  ".", ":", "a",
                                          "${",     "keys", "[[", "]]", "\r",     "://", "@", "1", "\xc3"};
  std::mt19937 random(11);
  for (int i = 0; i < 20'000; ++i) {
    std::string text;
    for (auto left = random() % 24; left > 0; --left) text += kPieces[random() % std::size(kPieces)];
    INFO(text);
    REQUIRE(hidden(text).size() == text.size());
  }
  std::string many;
  for (int i = 0; i < 100'000; ++i) many += "secret = [\n";
  CHECK(hidden(many) == many);
}

}  // namespace leat::config
