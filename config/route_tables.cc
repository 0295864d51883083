#include "config/route_tables.h"

#include <fmt/core.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/text.h"
#include "config/codes.h"
#include "config/declarations.h"
#include "config/file.h"
#include "config/settings.h"
#include "http/message.h"
#include "http/status.h"
#include "pipeline/codes.h"

namespace leat::config {

namespace {

using schema::Reader;
using schema::Row;

struct QueryKey {
  const Value* query = nullptr;
};

struct AnswerKeys {
  uint32_t status = 200;
  std::optional<std::string> type;
  std::optional<std::string> body;
  std::string file;
  std::vector<std::string> headers;
};

constexpr size_t kMostAnswer = size_t{1} << 20;
constexpr std::string_view kQueryWords = R"("all", "none" or a list of parameters)";

// It may have lines, which a schema::text() without a check may not.
std::string any_text(std::string_view, std::string_view) { return {}; }

std::string check_answer_field(std::string_view called, std::string_view text) {
  const size_t colon = text.find(':');
  http::Response response;
  if (colon != std::string_view::npos && response.add(text.substr(0, colon), trim(text.substr(colon + 1))))
    return {};
  return fmt::format("{} has `{}`, which is no header field that an answer can be given: write NAME: VALUE",
                     called, text);
}

// Of a route's `when`.
constexpr Row kWhen[] = {
    schema::list<&pipeline::ConditionKeys::header>("header", "header fields",
                                                   pipeline::check_condition_header, kBadCondition,
                                                   "Fields that there are: `NAME`, or `NAME: VALUE`."),
    schema::list<&pipeline::ConditionKeys::query>("query", "parameters", pipeline::check_condition_query,
                                                  kBadCondition,
                                                  "Parameters of the query: `NAME`, or `NAME=VALUE`."),
    schema::list<&pipeline::ConditionKeys::content_type>(
        "content_type", "types of content", pipeline::check_condition_content_type, kBadCondition,
        "What its body is: `application/json`, or `image/*`. Where that is all that does not fit, the answer "
        "is 415."),
    schema::list<&pipeline::ConditionKeys::client>(
        "client", "ranges of addresses", pipeline::check_condition_client, kBadRange,
        "Who asks: ranges of addresses as in `server.trusted_proxies`."),
};

// Of a route's `answer`.
constexpr Row kAnswer[] = {
    schema::count<&AnswerKeys::status>(
        "status", 200, 599, "The status. One of 400 and more without a body is a problem (RFC 9457)."),
    schema::text<&AnswerKeys::type>(
        "type", 256, "The type of content: `text/plain; charset=utf-8` for a body without one."),
    schema::text<&AnswerKeys::body>("body", any_text, kOutOfRange, "The body."),
    schema::text<&AnswerKeys::file>(
        "file",
        "A file that holds the body, relative to the one that names it. It is read with the configuration."),
    schema::list<&AnswerKeys::headers>("headers", "header fields", check_answer_field, kBadField,
                                       "Further header fields, `NAME: VALUE`."),
};

const schema::Content kWholeQuery = std::string("all");
constexpr Row kQuery[] = {
    schema::any<&QueryKey::query>(
        "query", kQueryWords,
        "The part of the query that makes two requests different: all of it, nothing, or the parameters that "
        "are listed.")
        .with_default(&kWholeQuery),
};

void take_query(Reader& reader, const Value& value, cache::Policy& policy) {
  using Query = cache::Policy::Query;
  const auto is = [&](std::string_view word) { return value.string() != nullptr && *value.string() == word; };
  if (value.array() == nullptr) {
    if (!is("all") && !is("none")) return wrong_type(reader, value, "query", kQueryWords);
    policy.query = is("all") ? Query::All : Query::None;
    return;
  }
  struct Listed {
    std::vector<std::string> parameters;
  } listed;
  static constexpr Row kRow[] = {schema::texts<&Listed::parameters>("query", "")};
  reader.read(kRow, listed);
  policy.query = Query::Listed;
  policy.parameters = std::move(listed.parameters);
}

// Of a file that is named at `file` of this table.
std::optional<std::string> read_beside(Reader& reader, const std::string& name) {
  const Place& place = reader.place_of("file");
  const std::filesystem::path folder =
      std::filesystem::path(place.file ? *place.file : std::string()).parent_path();
  auto text = read_file((folder / name).string(), kMostAnswer);
  if (text) return std::move(*text);
  reader.fail(text.error().code, text.error().reason, place);
  return std::nullopt;
}

}  // namespace

std::span<const Row> route_when_rows() { return kWhen; }
std::span<const Row> route_answer_rows() { return kAnswer; }
std::span<const Row> route_query_rows() { return kQuery; }

void read_route_cache(Reader& reader, const Value& value, RouteDecl& route) {
  if (value.table() == nullptr) return wrong_type(reader, value, "cache", kCacheTable);
  if (!std::ranges::contains(route.spec.methods, "GET") &&
      !std::ranges::contains(route.spec.methods, pipeline::kAnyMethod))
    reader.fail(kBadChoice, "`cache` is for routes with the method GET", value.place);
  Reader own = reader_of(value, "[route.cache]", reader.diagnostics());
  route.cache = std::make_unique<cache::Policy>();
  cache::Policy& policy = *route.cache;
  QueryKey key;
  own.read(route_cache_settings(), policy);
  own.read(kQuery, key);
  if (key.query != nullptr) take_query(own, *key.query, policy);
  own.refuse_others();
}

void read_route_when(Reader& reader, const Value& value, pipeline::RouteSpec& spec) {
  if (value.table() == nullptr) return wrong_type(reader, value, "when", kWhenTable);
  Reader own = reader_of(value, "`when`", reader.diagnostics());
  pipeline::ConditionKeys keys;
  own.read(kWhen, keys);
  own.refuse_others();
  // A list that is there and empty would be read as no condition by some, and as one that nobody fits by others.
  for (const auto& [key, list] : *value.table())
    if (list.array() != nullptr && list.array()->empty())
      own.fail(kBadCondition, fmt::format("`{}` of `when` is empty", key), list.place,
               "leave it out for a route that is for whatever it is");
  if (value.table()->empty())
    own.fail(kBadCondition, "`when` is empty", value.place,
             "leave it out: the route is for all requests then");
  spec.when = std::make_unique<pipeline::ConditionKeys>(std::move(keys));
}

void read_route_answer(Reader& reader, const Value& value, RouteDecl& route) {
  if (value.table() == nullptr) return wrong_type(reader, value, "answer", kAnswerTable);
  Reader own = reader_of(value, "`answer`", reader.diagnostics());
  AnswerKeys keys;
  own.read(kAnswer, keys);
  own.refuse_others();
  route.answer = std::make_unique<handlers::FixedAnswer>();
  handlers::FixedAnswer& answer = *route.answer;
  answer.status = static_cast<uint16_t>(keys.status);
  answer.body = std::move(keys.body);
  if (own.has("file") && own.has("body"))
    own.fail(kDefinedTwice, "an answer has `body` or `file`, not both", own.place_of("file"));
  else if (!keys.file.empty())
    answer.body = read_beside(own, keys.file);
  if (keys.type || answer.body) answer.type = keys.type.value_or("text/plain; charset=utf-8");
  if (answer.body && !answer.body->empty() && !http::status_allows_body(answer.status))
    own.fail(kNotTogether, fmt::format("an answer with the status {} has no body", answer.status),
             own.place_of("status"));
  for (const std::string& field : keys.headers) {
    const size_t colon = field.find(':');
    answer.fields.emplace_back(field.substr(0, colon), trim(std::string_view(field).substr(colon + 1)));
  }
}

}  // namespace leat::config
