// What requests and answers pass in Caddy, as middleware of the routes of a block.
#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "base/units.h"
#include "middleware/headers.h"
#include "server/migrate/caddy_carrier.h"
#include "server/migrate/caddy_values.h"
#include "server/migrate/nginx_values.h"

namespace leat::server::migrate {

bool CaddyCarrier::is_for_all(const Directive& directive, size_t& first) {
  const auto matcher = read_matcher(directive, first);
  if (!matcher) return false;
  if (matcher->is_for_all()) return true;
  target_.leave(directive, "put it into a `handle` with the same matcher: there routes have it");
  return false;
}

void CaddyCarrier::carry_body(const Directive& directive, CaddyLevel& level) {
  size_t first = 0;
  if (!is_for_all(directive, first)) return;
  for (const Directive& each : directive.block) {
    std::string word(each.word(0));
    const auto bytes = parse_size(word);
    if (each.name() != "max_size" || !bytes || *bytes == 0)
      target_.leave(each, "a body has a limit such as 8MiB");
    else
      level.body = text(word);
  }
}

void CaddyCarrier::carry_encode(const Directive& directive, CaddyLevel& level) {
  std::vector<std::string> codings(directive.words.begin() + 1, directive.words.end());
  for (const Directive& each : directive.block) {
    if (each.name() == "gzip" || each.name() == "zstd" || each.name() == "br")
      codings.emplace_back(each.name());
    else
      target_.leave(each, "middleware `compress` has options of its own for it");
  }
  const auto known = [](const std::string& each) { return each == "gzip" || each == "zstd" || each == "br"; };
  if (!std::ranges::all_of(codings, known))
    return target_.leave(directive, "middleware `compress` is for all answers, by zstd, br and gzip");
  level.instances.push_back({"compress", codings.empty() ? Keys() : Keys{{"codings", list(codings)}}});
}

void CaddyCarrier::carry_passwords(const Directive& directive, CaddyLevel& level) {
  size_t first = 0;
  if (!is_for_all(directive, first)) return;
  std::vector<std::string> users;
  for (const Directive& each : directive.block)
    users.push_back(fmt::format("{}:{}", each.name(), each.word(0)));
  if (users.empty()) return target_.leave(directive, "it names nobody");
  level.instances.push_back({"basic_auth", {{"users", list(users)}}});
}

// The service is asked at the address that it is reached by; its fields that are copied are the request's.
void CaddyCarrier::carry_question(const Directive& directive, CaddyLevel& level) {
  size_t first = 0;
  if (!is_for_all(directive, first)) return;
  const std::string_view said = directive.word(first);
  const bool has_scheme = said.contains("://");
  const auto url = said.starts_with("unix/")
                       ? std::optional(AskedUrl{fmt::format("unix:{}", said.substr(5)), {}})
                       : asked_url(has_scheme ? std::string(said) : fmt::format("http://{}", said));
  if (!url || directive.count() != first + 1)
    return target_.leave(directive,
                         "middleware `forward_auth` asks one address: http://127.0.0.1:9091, or unix:/PATH");
  std::string path = "/";
  std::vector<std::string> copied;
  for (const Directive& each : directive.block) {
    if (each.name() == "uri") {
      path = each.word(0);
    } else if (each.name() == "copy_headers") {
      copied.insert(copied.end(), each.words.begin() + 1, each.words.end());
      for (const Directive& field : each.block) copied.emplace_back(field.name());
    } else {
      target_.leave(each, "middleware `forward_auth` has options of its own for it");
    }
  }
  if (path.contains('{') || !path.starts_with('/'))
    return target_.leave(directive, "the service is always asked for the same path");
  if (std::ranges::any_of(copied, [](const std::string& field) { return field.contains('>'); }))
    return target_.leave(directive, "middleware `forward_auth` gives fields on under their own names");
  Keys options = {{"url", text(url->address)}, {"path", text(path)}};
  if (!copied.empty()) options.emplace_back("request_set", list(copied));
  level.instances.push_back({"forward_auth", std::move(options)});
  target_.remark(fmt::format("{}: of the request Caddy tells all fields, Leat those that `forward` names.",
                             directive.written));
}

// Errors with a text of their own, or a file that is there.
void CaddyCarrier::carry_pages(const Directive& directive, CaddyLevel& level) {
  const auto page = caddy_page(directive, level.root.value_or(""));
  if (!page)
    return target_.leave_all(
        directive,
        "middleware `error_pages` has pages for errors: a text with {status} and {reason} in "
        "it, or a file that is there");
  level.instances.push_back({"error_pages", {{"pages", "[" + *page + "]"}}});
}

void CaddyCarrier::carry_log(const Directive& directive, CaddyLevel& level) {
  Keys options = {{"format", text("json")}};
  for (const Directive& each : directive.block) {
    if (each.name() == "output" && each.word(0) == "file" && each.word(1).starts_with('/'))
      options.emplace_back("file", text(each.word(1)));
    else if (each.name() == "output" && (each.word(0) == "stderr" || each.word(0) == "stdout"))
      options.emplace_back("to", text("stderr"));
    else if (each.name() == "format" && (each.word(0) == "json" || each.word(0) == "console"))
      options.front().second = text(each.word(0) == "json" ? "json" : "text");
    else
      target_.leave(each,
                    "an access log goes to stderr or into a file with an absolute path, as text or JSON");
  }
  level.instances.push_back({"access_log", std::move(options)});
}

void CaddyCarrier::carry_header(const Directive& directive, CaddyLevel& level) {
  size_t first = 0;
  if (!is_for_all(directive, first)) return;
  const bool of_answers = directive.name() == "header";
  std::vector<std::string> set, add, remove;
  const auto check = [&](const std::string& field) {
    return of_answers ? middleware::check_answer_field("it", field)
                      : middleware::check_request_field("it", field);
  };
  const auto take = [&](const Directive& from, std::string_view name, std::string_view value, size_t words) {
    if (name == "defer") return;
    if (words > 2) return target_.leave(from, "values are not searched and replaced");
    const char sign = name.empty() ? '\0' : name.front();
    if (sign == '>' || sign == '?') return target_.leave(from, "middleware `headers` has nothing like it");
    if (sign == '+' || sign == '-') name.remove_prefix(1);
    if (sign == '-') {
      if (name.contains('*')) return target_.leave(from, "fields are named whole");
      if (of_answers && equal_ignoring_case(name, "Server"))
        return target_.set("server", "name", text(""), from);
      if (const std::string wrong = check(fmt::format("{}: x", name)); !wrong.empty())
        return target_.leave(from, wrong);
      return remove.emplace_back(name), void();
    }
    const auto own = caddy_text(value);
    if (!own) return target_.leave(from, own.error());
    std::string field = fmt::format("{}: {}", name, *own);
    const std::string wrong = check(field);
    if (!wrong.empty()) return target_.leave(from, wrong);
    (sign == '+' ? add : set).push_back(std::move(field));
  };
  if (directive.count() > first)
    take(directive, directive.word(first), directive.word(first + 1), directive.count() - first);
  for (const Directive& each : directive.block) take(each, each.name(), each.word(0), each.words.size());
  const std::string_view begin = of_answers ? "answer" : "request";
  Keys options;
  for (const auto& [what, fields] :
       {std::pair("set", &set), std::pair("add", &add), std::pair("remove", &remove)})
    if (!fields->empty()) options.emplace_back(fmt::format("{}_{}", begin, what), list(*fields));
  if (!options.empty()) level.instances.push_back({"headers", std::move(options)});
}

}  // namespace leat::server::migrate
