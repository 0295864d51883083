#include "config/reference.h"

#include <fmt/core.h>

#include "config/codes.h"
#include "config/declarations.h"
#include "config/route_parameters.h"
#include "config/route_tables.h"
#include "config/routes.h"
#include "config/settings.h"
#include "config/tls.h"
#include "middleware/access_fields.h"
#include "middleware/kinds.h"

namespace leat::config {

namespace {

using schema::default_text;
using schema::Row;
using schema::type_text;

constexpr std::string_view kIntroduction = R"(# Configuration

This page is made by `leat settings --markdown`; a test keeps it true.

Leat reads one TOML file (`/etc/leat/leat.toml`, or the one named with `-c`), then `conf.d/*.toml` beside it in
lexical order. `include = ["name.toml", "sites/*.toml"]` reads further files, relative to the one that names them;
a file that is named twice is read once. Lists of tables (`[[listener]]`, `[[plugin]]`, `[[middleware]]`, `[[host]]`, `[[group]]`,
`[[route]]`) add up over all files; a setting may be set once. Unknown keys are errors.

What is deprecated still has its effect; `leat check`, a start and a reload warn of it and say what takes its place, as its row
here does.

A [reload](reloading.md) (`leat reload`) takes up all that the lists of tables say, and each setting whose row says so; the few
others wait for a restart, or for `leat upgrade`.

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

What such a text stands for may be meant for a number, or for `true` or `false`: `workers = "${WORKERS:-4}"`. What a
secret holds is shown in no message. A line that is shown with a mistake has asterisks for the texts of keys whose names say that
they are secrets (`secret`, `keys`, `db_password`), for what is behind `Authorization:` and its like, and for passwords in URLs.

Editors complete a file and mark what is wrong with it when they know its JSON Schema, which `leat schema` prints; with
`-c FILE` it knows the options of the plugins and of their middleware, too, as those ask for them with that file. Write it
into `leat.schema.json` beside the file, and say so in the file's first line: Taplo and the editors that use it (the extension
"Even Better TOML", Helix, Neovim) read it there.

```toml
#:schema ./leat.schema.json
```

`leat fmt FILE` writes a file in one form: a key a line, a blank line before each table that is not part of the one before, lists that are too long for a line with
an element on each. Comments, order and the text of every value stay. With `--check` it only says whether something would
change, and `leat fmt -` is for editors: it reads standard input.

`leat check -c FILE` reports every mistake at once, with its place, and loads the plugins for that; the daemon's exit
code for a bad configuration is 78. It also looks at what a start would find here and now: whether the addresses can be
had, the log file written and the folders of plugins read. Nothing is changed by it. What depends on the user and the
moment is a warning, and what the configuration's own daemon listens on is in use as it should be. `leat explain-error
CODE` says more about a code.
)";

constexpr std::string_view kListener = R"(
## `[[listener]]`

A listening socket with options of its own. Those that need none are named in `server.listen`, the short form; both
add up. `--listen` takes the place of all of them.
)";

constexpr std::string_view kTlsText = R"(
## `[[tls]]`

A certificate, for clients of each `[[listener]]` with `tls = true` that ask for one of its names. See [TLS](tls.md).
)";

constexpr std::string_view kWhenText = R"(
### `when`

A request fits if it fits each list that is there, and it fits a list if it fits one of its items. Routes of the same path and
method are tried in the order of the file, and the one without `when` last. See [routes](routes.md).
)";

constexpr std::string_view kAnswerText = R"(
### `answer`

)";

constexpr std::string_view kRouteParameterText = R"(
## `[[route.parameter]]`

What a route asks of a parameter, besides what its handler declares ([how](plugins/README.md#rules)): a request that does not keep
to it is answered 400, with all that is wrong with it in `errors`, before the handler is called. A parameter that the handler declares
as well keeps the rules of both. At most 128 for each route.
)";

constexpr std::string_view kGroupText = R"(
## `[[group]]`

Routes that have something in common: `[[group.route]]`. Groups stand in groups, `[[group.group]]`, and in hosts.
)";

constexpr std::string_view kHostText = R"(
## `[[host]]`

What is served under some names: `[[host.route]]`, `[[host.group]]`. Routes outside of every host are for all names that
no host has. See [hosts](routes.md#hosts).
)";

constexpr std::string_view kRouteCacheText = R"(
## `[route.cache]`

Responses of the route are stored, and sent to all who ask for the same. What they say themselves (Cache-Control,
Expires, Vary) goes first; these keys say the rest. Never stored: responses with Set-Cookie, `private`, `no-store` or
`no-cache`, those to requests with credentials unless they say `public` or the like, and those to other methods than
GET. See [caching](caching.md).
)";

constexpr std::string_view kMiddleware = R"(
## `[[middleware]]`

Instances run for every route, or, with `global = false`, for those that name them. Two of the same kind with the
same options are merged. The order follows the phases (observe, identify, protect, limit, transform, content), then `before`
and `after`, then the file; `leat routes` shows it.
)";

constexpr std::string_view kKinds = R"(
Other keys are options of the kind. Kinds that a plugin has ([how](plugins/middleware.md)) are named `PLUGIN:NAME`, as its handlers
are: `kind = "guard:key"`. They are merged, ordered and shown like Leat's own.
)";

// What takes up a setting that has changed.
std::string_view taken_up_by(const Row& row) { return row.restart ? "restart" : "reload"; }

void add_row(std::string& page, const Row& row, std::string_view name, std::string_view more = "") {
  const std::string value = default_text(row);
  page += fmt::format("| `{}` | {}{} |{} |{} {} |\n", name, type_text(row), row.needed ? ", needed" : "",
                      value.empty() ? "" : " `" + value + "`", more, schema::described(row));
}
void add_rows(std::string& page, std::span<const Row> rows) {
  for (const Row& row : rows) add_row(page, row, row.name);
}
void add_table(std::string& page, std::span<const Row> rows) {
  page += "\n| key | type | default | meaning |\n|---|---|---|---|\n";
  add_rows(page, rows);
}
void add_settings(std::string& page, const SettingGroup& group) {
  page += fmt::format(
      "\n## `[{}]`\n\n| key | type | default | taken up by | meaning |\n|---|---|---|---|---|\n", group.name);
  for (const Row& row : group.rows)
    add_row(page, row, row.name.substr(group.name.size() + 1), fmt::format(" {} |", taken_up_by(row)));
}

void describe_kind(std::string& page, const pipeline::MiddlewareKind& kind) {
  page += fmt::format("\n### `{}`\n\n{} Phase: {}.\n", kind.name, kind.sentence,
                      pipeline::phase_name(kind.phase));
  if (!kind.options.empty()) add_table(page, kind.options);
}

constexpr std::string_view kAccessFields = R"(
Its fields, for `fields` and in braces for `format`. What [an access log](logging.md) is and what it costs is a page of its
own.

| field | |
|---|---|
)";

void describe_access_fields(std::string& page) {
  page += kAccessFields;
  for (const middleware::AccessField& field : middleware::access_fields())
    page += fmt::format("| `{}` | {} |\n", field.name, field.sentence);
  page += "| `header:NAME` | A header field of the request; several of the name as one. |\n";
}

}  // namespace

std::string reference_markdown() {
  std::string page(kIntroduction);
  for (const SettingGroup& group : setting_groups()) add_settings(page, group);
  page += kListener;
  add_table(page, listener_rows());
  page += kTlsText;
  add_table(page, tls_rows());
  page += "\n## `[[plugin]]`\n";
  add_table(page, plugin_rows());
  page += "\n## `[[route]]`\n";
  add_table(page, route_rows());
  page += kWhenText;
  add_table(page, route_when_rows());
  page += kAnswerText;
  add_table(page, route_answer_rows());
  page += kRouteCacheText;
  add_table(page, route_query_rows());
  add_rows(page, route_cache_settings());
  page += kRouteParameterText;
  add_table(page, route_parameter_rows());
  page += kGroupText;
  add_table(page, group_rows());
  add_rows(page, scope_rows());
  page += kHostText;
  add_table(page, host_rows());
  add_rows(page, scope_rows());
  page += kMiddleware;
  add_table(page, middleware_rows());
  page += kKinds;
  for (const pipeline::MiddlewareKind& kind : middleware::kinds()) {
    describe_kind(page, kind);
    if (kind.name == "access_log") describe_access_fields(page);
  }
  page += "\n## Errors\n\n| code | |\n|---|---|\n";
  for (const Explanation& each : explanations())
    page += fmt::format("| {} | {} |\n", code_text(each.code), each.title);
  return page;
}

std::string reference_text() {
  std::string text;
  for (const Row& setting : settings())
    text += fmt::format("{} = {}\n    {}\n    {}; a change is taken up by a {}\n", setting.name,
                        default_text(setting), schema::described(setting), type_text(setting),
                        taken_up_by(setting));
  return text;
}

}  // namespace leat::config
