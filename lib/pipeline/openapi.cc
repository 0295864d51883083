#include "pipeline/openapi.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "base/text.h"
#include "pipeline/openapi_schema.h"

namespace leat::pipeline {

namespace {

// What a kind of middleware may answer in place of a handler, by its name in kResponses.
struct KindAnswer {
  std::string_view kind;
  std::string_view response;
};
constexpr KindAnswer kKindAnswers[] = {
    {"access", "Forbidden"}, {"api_key", "Unauthorized"},        {"basic_auth", "Unauthorized"},
    {"csrf", "Forbidden"},   {"forward_auth", "Forbidden"},      {"forward_auth", "Unauthorized"},
    {"jwt", "Unauthorized"}, {"maintenance", "Unavailable"},     {"rate_limit", "TooManyRequests"},
    {"shed", "Unavailable"}, {"concurrency", "TooManyRequests"},
};

// How clients say who they are: a name for it, and the scheme as JSON.
struct SecurityScheme {
  std::string name, json;
};

std::string text_option(const Step& step, std::string_view key, std::string_view fallback) {
  const Value* value = step.spec->options.find(key);
  return std::string(value != nullptr && value->string() != nullptr ? std::string_view(*value->string())
                                                                    : fallback);
}

// Those that a step takes, any one of them; empty for a step that does not ask who it is. The names of fields,
// parameters and cookies were found good by the kind, and hold nothing that JSON escapes.
std::vector<SecurityScheme> schemes_of(const Step& step) {
  std::vector<SecurityScheme> schemes;
  if (step.kind == nullptr || step.spec == nullptr) return schemes;
  const auto key_in = [&](std::string_view in, const std::string& name) {
    if (!name.empty())
      schemes.push_back({std::string(step.kind->name),
                         R"({"type":"apiKey","in":")" + std::string(in) + R"(","name":")" + name + "\"}"});
  };
  if (step.kind->name == "basic_auth")
    schemes.push_back({"basic_auth", R"({"type":"http","scheme":"basic"})"});
  if (step.kind->name == "jwt")
    schemes.push_back({"jwt", R"({"type":"http","scheme":"bearer","bearerFormat":"JWT"})"});
  if (step.kind->name == "api_key") {
    const std::string header = text_option(step, "header", "X-Api-Key");
    if (equal_ignoring_case(header, "Authorization"))
      schemes.push_back({"api_key", R"({"type":"http","scheme":"bearer"})"});
    else
      key_in("header", header);
    key_in("query", text_option(step, "query", ""));
  }
  if (!schemes.empty()) key_in("cookie", text_option(step, "cookie", ""));
  return schemes;
}

// It lets those pass who do not say who they are.
bool is_optional(const Step& step) {
  const Value* value = step.spec->options.find("required");
  return value != nullptr && value->boolean() != nullptr && !*value->boolean();
}

struct SharedResponse {
  std::string_view name;
  std::string_view status;
  std::string_view sentence;
  std::string_view title;
  std::string_view extra;  // members of the example
};
constexpr SharedResponse kResponses[] = {
    {"BadRequest", "400", "The request does not keep the rules: `errors` has all that is wrong with it.",
     "Bad Request",
     R"(,"detail":"The query parameter `limit` must be a whole number from 1 to 100.","parameter":"limit",)"
     R"("errors":[{"detail":"must be a whole number from 1 to 100","in":"query","parameter":"limit"}])"},
    {"Unauthorized", "401", "Who asks is not known.", "Unauthorized", ""},
    {"Forbidden", "403", "Who asks may not.", "Forbidden", ""},
    {"UnsupportedMediaType", "415", "The body is of another type.", "Unsupported Media Type", ""},
    {"TooManyRequests", "429", "Too much was asked for: `Retry-After` says when to come again.",
     "Too Many Requests", ""},
    {"Unavailable", "503", "Too much is waiting: `Retry-After` says when to come again.",
     "Service Unavailable", ""},
};

constexpr std::string_view kProblemSchema =
    R"({"type":"object","description":"What is wrong, by RFC 9457.","properties":{"type":{"type":"string"},)"
    R"("title":{"type":"string"},"status":{"type":"integer"},"detail":{"type":"string"},)"
    R"("request_id":{"type":"string"},"parameter":{"type":"string"},"errors":{"type":"array","items":{)"
    R"("type":"object","properties":{"detail":{"type":"string"},"in":{"type":"string"},)"
    R"("parameter":{"type":"string"},"pointer":{"type":"string"},"index":{"type":"integer"}},)"
    R"("required":["detail"]}}},"required":["type"]})";

// The methods that a path item has words for.
constexpr std::pair<http::Method, std::string_view> kOperations[] = {
    {http::Method::Get, "get"},       {http::Method::Put, "put"},         {http::Method::Post, "post"},
    {http::Method::Delete, "delete"}, {http::Method::Options, "options"}, {http::Method::Patch, "patch"}};

// "/files/{path...}" as OpenAPI has it, and the names of its parameters.
struct PathTemplate {
  std::string text;
  std::vector<std::string> names;
  std::string rest;  // the name of the one that takes all that follows
};
PathTemplate template_of(std::string_view path) {
  PathTemplate made;
  while (!path.empty()) {
    const size_t begin = path.find('{');
    made.text += path.substr(0, begin);
    if (begin == std::string_view::npos) break;
    const size_t end = path.find('}', begin);
    std::string_view name = path.substr(begin + 1, end - begin - 1);
    if (name.starts_with('/')) {  // "{/rest...}": all below, or nothing
      name.remove_prefix(1);
      made.text += '/';
    }
    if (name.ends_with("...")) {
      name.remove_suffix(3);
      made.rest = name;
    }
    made.names.emplace_back(name);
    made.text += '{';
    made.text += name;
    made.text += '}';
    path.remove_prefix(end + 1);
  }
  return made;
}

class Describer : private SchemaText {
 public:
  Describer(json::Writer& json, const Site& site, const Host& host, std::string_view version)
      : SchemaText(json), site_(site), host_(host), version_(version) {}

  void run() {
    object([&] {
      member("openapi", "3.1.0");
      object("info", [&] {
        member("title", "What this server answers");
        member("version", version_);
      });
      servers();
      object("paths", [&] { paths(); });
      object("components", [&] {
        components();
        security_schemes();
      });
    });
  }

 private:
  // By whichever scheme it was asked: what ends TLS stands before this server.
  void servers() {
    if (host_.names.empty()) return;  // where the description is
    array("servers", [&] {
      for (const std::string_view name : host_.names)
        object([&] {
          const bool below = name.starts_with("*.");
          member("url", "//" + std::string(below ? "{name}" : "") + std::string(name.substr(below ? 1 : 0)));
          if (below) object("variables", [&] { object("name", [&] { member("default", "www"); }); });
        });
    });
  }

  // Routes of one path stand together, in the order of the first.
  void paths() {
    std::vector<std::pair<PathTemplate, std::vector<const Route*>>> items;
    std::map<std::string, size_t, std::less<>> known;
    for (const auto& route : site_.routes()) {
      if (route->host != &host_ || route->rewrite != nullptr) continue;  // of a rewrite another route answers
      PathTemplate made = template_of(route->path);
      const auto [found, is_new] = known.emplace(made.text, items.size());
      if (is_new) items.push_back({std::move(made), {}});
      items[found->second].second.push_back(route.get());
    }
    for (const auto& [made, routes] : items)
      object(made.text, [&] {
        http::MethodSet told = 0;
        for (const Route* route : routes)
          for (const auto& [method, word] : kOperations) {
            const http::MethodSet bit = http::method_bit(method);
            if ((route->methods & bit) == 0 || (told & bit) != 0) continue;
            told |= bit;
            object(word, [&] { operation(*route, made, word); });
          }
      });
  }

  void operation(const Route& route, const PathTemplate& made, std::string_view method) {
    HandlerDescription said;
    if (route.handler != nullptr) route.handler->describe(said);
    member("summary", route.handler_name);
    member("operationId", std::string(method) + " " + made.text);
    array("tags", [&] { json_.string(route.owner.empty() ? std::string_view("leat") : route.owner); });
    array("parameters", [&] { parameters(said, made); });
    const Middleware::FurtherTypes further = further_types(route);
    const bool reads = request_body(said, further.bodies);
    const bool judged = reads || !said.parameters.empty();
    object("responses", [&] { responses(route, said, judged, reads, further.answers); });
    security(route);
  }

  void parameters(const HandlerDescription& said, const PathTemplate& made) {
    for (const std::string& name : made.names) {
      const auto declared = std::ranges::find_if(said.parameters, [&](const ParameterSpec& spec) {
        return spec.in == In::Path && spec.name == name;
      });
      ParameterSpec plain{.name = name, .in = In::Path};
      const bool known = declared != said.parameters.end();
      if (name == made.rest) plain.sentence = "All that follows, with its slashes.";
      parameter(known ? *declared : plain);
    }
    for (const ParameterSpec& spec : said.parameters)
      if (spec.in != In::Path && spec.in < In::Form) parameter(spec);
  }

  void parameter(const ParameterSpec& spec) {
    constexpr std::string_view kIn[] = {"path", "query", "header", "cookie"};
    json_.begin_object();
    member("name", spec.name);
    member("in", kIn[static_cast<size_t>(spec.in)]);
    json_.key("required");
    json_.boolean(spec.required || spec.in == In::Path);
    if (!spec.sentence.empty()) member("description", spec.sentence);
    object("schema", [&] { schema(spec); });
    json_.end_object();
  }

  static Middleware::FurtherTypes further_types(const Route& route) {
    Middleware::FurtherTypes types;
    for (const Step& step : route.chain->steps)
      if (step.instance != nullptr) step.instance->add_types(types);
    return types;
  }

  void responses(const Route& route, const HandlerDescription& said, bool judged, bool reads,
                 std::span<const std::string_view> further) {
    problem_types_.insert(further.begin(), further.end());
    const bool typed = said.schemas != nullptr && !said.schemas->answer.empty();
    object(typed ? "200" : "2XX", [&] {
      member("description",
             typed ? "What the handler answers." : "What the handler answers, of which it says no more.");
      if (typed) object("content", [&] { json_content(said.schemas->answer, further); });
    });
    std::set<std::string_view> names;
    if (judged) names.insert("BadRequest");
    if (reads) names.insert("UnsupportedMediaType");
    for (const KindAnswer* answer : answers_of(route)) names.insert(answer->response);
    std::vector<std::string_view> steps;
    if (route.handler != nullptr) route.handler->list_steps(steps);
    if (std::ranges::any_of(steps,
                            [](std::string_view step) { return step == "pool" || step == "concurrency"; }))
      names.insert("Unavailable");
    for (const SharedResponse& each : kResponses)
      if (names.contains(each.name))
        object(each.status, [&] { member("$ref", "#/components/responses/" + std::string(each.name)); });
    object("default", [&] { member("$ref", "#/components/responses/Problem"); });
  }

  static std::vector<const KindAnswer*> answers_of(const Route& route) {
    std::vector<const KindAnswer*> found;
    for (const Step& step : route.chain->steps)
      for (const KindAnswer& each : kKindAnswers)
        if (step.kind != nullptr && step.kind->name == each.kind) found.push_back(&each);
    return found;
  }

  // The name of a scheme in `components`, one for each that differs.
  std::string name_of(const SecurityScheme& scheme) {
    std::string name = scheme.name;
    for (int number = 2; !schemes_.emplace(name, scheme.json).second && schemes_[name] != scheme.json;
         ++number)
      name = scheme.name + "_" + std::to_string(number);
    return name;
  }
  // Each step that asks who it is has to be satisfied, by any of its schemes: so all ways to do that are told.
  void security(const Route& route) {
    std::vector<std::set<std::string>> ways(1);
    for (const Step& step : route.chain->steps) {
      const std::vector<SecurityScheme> schemes = schemes_of(step);
      if (schemes.empty()) continue;
      std::vector<std::set<std::string>> more;
      for (const std::set<std::string>& way : ways) {
        for (const SecurityScheme& scheme : schemes) {
          more.push_back(way);
          more.back().insert(name_of(scheme));
        }
        if (is_optional(step)) more.push_back(way);
      }
      ways = std::move(more);
    }
    if (ways.size() == 1 && ways.front().empty()) return;
    array("security", [&] {
      for (const std::set<std::string>& way : ways) {
        json_.begin_object();
        for (const std::string& name : way) array(name, [] {});
        json_.end_object();
      }
    });
  }

  void components() {
    object("schemas", [&] {
      json_.key("Problem");
      json_.raw(kProblemSchema);
    });
    object("responses", [&] {
      for (const SharedResponse& each : kResponses)
        object(each.name, [&] {
          member("description", each.sentence);
          problem_content(std::string("{\"type\":\"about:blank\",\"title\":\"") + std::string(each.title) +
                          "\",\"status\":" + std::string(each.status) + std::string(each.extra) + "}");
        });
      object("Problem", [&] {
        member("description", "What went wrong otherwise.");
        problem_content({});
      });
    });
  }
  void security_schemes() {
    if (schemes_.empty()) return;
    object("securitySchemes", [&] {
      for (const auto& [name, json] : schemes_) {
        json_.key(name);
        json_.raw(json);
      }
    });
  }
  void problem_content(const std::string& example) {
    const auto problem = [&] {
      object("schema", [&] { member("$ref", "#/components/schemas/Problem"); });
      if (!example.empty()) raw("example", example);
    };
    object("content", [&] {
      object("application/problem+json", problem);
      for (const std::string_view type : problem_types_) object(type, problem);
    });
  }

  const Site& site_;
  const Host& host_;
  std::string_view version_;
  std::map<std::string, std::string> schemes_;
  std::set<std::string_view> problem_types_;  // other than JSON's, of any route
};

}  // namespace

std::string openapi_json(const Site& site, const Host& host, std::string_view version) {
  BlockPool pool(BlockPool::kUnbounded, 0);
  Arena arena(pool, SIZE_MAX);
  json::Writer json(arena);
  Describer(json, site, host, version).run();
  return std::string(json.finish().value_or("{}"));
}

const Host& described_host(const Site& site, std::string_view asked) {
  const auto& hosts = site.hosts().all();
  if (!asked.empty()) {
    for (const auto& host : hosts)
      if (std::ranges::contains(host->names, asked)) return *host;
    bool by_listener = false;
    return site.hosts().find(asked, {}, by_listener);
  }
  const Host* const rest = &site.hosts().rest();
  const bool used = std::ranges::contains(site.routes(), rest, [](const auto& route) { return route->host; });
  return used || hosts.size() == 1 ? *rest : *hosts[1];
}

}  // namespace leat::pipeline
