#include "config/reference.h"

#include <fmt/core.h>

#include "config/codes.h"
#include "config/settings.h"
#include "middleware/kinds.h"

namespace leat::config {

namespace {

constexpr std::string_view kIntroduction = R"(# Configuration

This page is made by `leat settings --markdown`; a test keeps it true.

Leat reads one TOML file (`/etc/leat/leat.toml`, or the one named with `-c`), then `conf.d/*.toml` beside it in
lexical order. `include = ["name.toml", "sites/*.toml"]` reads further files, relative to the one that names them;
a file that is named twice is read once. Lists of tables (`[[plugin]]`, `[[middleware]]`, `[[route]]`) add up over
all files; a setting may be set once. Unknown keys are errors.

Times are written with a unit (`"500ms"`, `"10s"`, `"5m"`, `"2h"`, `"1d"`), sizes as bytes or with one (`"64KiB"`,
`"1MiB"`, `"10MB"`). A list of texts may be written as one text.

In every string, those of plugins and middleware included:

| written | stands for |
|---|---|
| `${NAME}` | the environment variable, an error where it is not set |
| `${NAME:-text}` | the same, or `text` where it is not set or empty |
| `${NAME:?message}` | the same, or an error with `message` where it is not set or empty |
| `${file:PATH}` | a secret: the text of a file without its last line end, relative to the file that names it |
| `${credential:NAME}` | a secret: the file `NAME` in `$CREDENTIALS_DIRECTORY`, from systemd's `LoadCredential=` |
| `$$` | a dollar sign |

`leat check -c FILE` reports every mistake at once, with its place; the daemon's exit code for a bad configuration
is 78. `leat explain-error CODE` says more about one.
)";

constexpr std::string_view kDeclarations = R"(
## `[[plugin]]`

| key | | meaning |
|---|---|---|
| `name` | text, needed | what routes call it |
| `file` | text, needed | a path, or a name to be looked for in `server.plugin_path` and then in the installed folder; or `static:NAME` for one that is built in |
| `services` | table | which plugin provides a service that this one needs, where several could: `{"users/1" = "directory"}` |
| `concurrency` | number | how many requests its handlers have at the same time, on all workers; one more is answered 503 with `Retry-After` |
| `[plugin.config]` | table | the plugin's own options |

## `[[route]]`

| key | | meaning |
|---|---|---|
| `path` | text, needed | segments of text, `{name}` for one segment, or at the end `{name...}` for the rest |
| `method`, `methods` | text, list | `GET` if neither is given; `HEAD` comes with `GET`, `OPTIONS` is answered |
| `handler` | text, needed | `"PLUGIN:HANDLER"` |
| `middleware` | list | names of declared instances, or tables like those of `[[middleware]]` |
| `body_limit` | size | in place of `limits.body` |
| `concurrency` | number | the same for the route's handler; both may be given. What middleware or the cache answers does not count |
| `executor` | `"worker"`, `"pool"` | where the handler runs: on the worker, which it must not block, or, for one that does, on a thread of the pool (`pool.threads`, `pool.queue`); when the queue is full a request is answered 503 with `Retry-After` |
| `[route.cache]` | table | its responses are stored; see below |
)";

constexpr std::string_view kRouteCache = R"(
## `[route.cache]`

Responses of the route are stored, and sent to all who ask for the same. What they say themselves (Cache-Control,
Expires, Vary) goes first; these keys say the rest. Never stored: responses with Set-Cookie, `private`, `no-store` or
`no-cache`, those to requests with credentials unless they say `public` or the like, and those to other methods than
GET. See [caching](caching.md).

| key | type | default | meaning |
|---|---|---|---|
| `query` | "all", "none" or a list | `"all"` | the part of the query that makes two requests different: all of it, nothing, or the parameters that are listed |
)";

constexpr std::string_view kMiddleware = R"(
## `[[middleware]]`

Instances run for every route, or, with `global = false`, for those that name them. Two of the same kind with the
same options are merged. The order follows the phases (observe, identify, protect, limit, transform), then `before`
and `after`, then the file; `leat routes` shows it.

| key | | meaning |
|---|---|---|
| `kind` | text, needed | one of those below |
| `name` | text | for routes, `before` and `after` |
| `before`, `after` | lists | kinds or names that this instance must precede or follow |
| `global` | true or false, default true | |

Other keys are options of the kind.
)";

// An option's type and its default as both would be written.
std::string option_row(const pipeline::Option& option) {
  std::string type = "text";
  if (option.type == pipeline::Option::Type::Boolean) type = "true or false";
  if (option.type == pipeline::Option::Type::Choice) {
    type.clear();
    for (const std::string_view choice : option.choices)
      if (!choice.empty()) type += fmt::format("{}\"{}\"", type.empty() ? "" : ", ", choice);
  }
  const std::string_view quote = option.type == pipeline::Option::Type::Boolean ? "" : "\"";
  return fmt::format("| `{}` | {} | `{}{}{}` | {} |\n", option.name, type, quote, option.otherwise, quote,
                     option.sentence);
}

std::string setting_row(const Setting& setting, std::string_view key) {
  return fmt::format("| `{}` | {} | `{}` | {} |\n", key, type_text(setting), default_text(setting),
                     setting.sentence);
}

void describe_kind(std::string& page, const pipeline::MiddlewareKind& kind) {
  page += fmt::format("\n### `{}`\n\n{} Phase: {}.\n", kind.name, kind.sentence,
                      pipeline::phase_name(kind.phase));
  if (kind.options.empty()) return;
  page += "\n| option | type | default | meaning |\n|---|---|---|---|\n";
  for (const pipeline::Option& option : kind.options) page += option_row(option);
}

}  // namespace

std::string reference_markdown() {
  std::string page(kIntroduction);
  std::string_view group;
  for (const Setting& setting : settings()) {
    const std::string_view own = setting.path.substr(0, setting.path.find('.'));
    if (own != group)
      page +=
          fmt::format("\n## `[{}]`\n\n| key | type | default | meaning |\n|---|---|---|---|\n", group = own);
    page += setting_row(setting, setting.path.substr(own.size() + 1));
  }
  page += kDeclarations;
  page += kRouteCache;
  for (const Setting& key : route_cache_settings()) page += setting_row(key, key.path);
  page += kMiddleware;
  for (const pipeline::MiddlewareKind& kind : middleware::kinds()) describe_kind(page, kind);
  page += "\n## Errors\n\n| code | |\n|---|---|\n";
  for (const Explanation& each : explanations())
    page += fmt::format("| {} | {} |\n", code_text(each.code), each.title);
  return page;
}

std::string reference_text() {
  std::string text;
  for (const Setting& setting : settings())
    text += fmt::format("{} = {}\n    {}\n    {}\n", setting.path, default_text(setting), setting.sentence,
                        type_text(setting));
  return text;
}

}  // namespace leat::config
