#include "config/reference.h"

#include <format>

#include "config/codes.h"
#include "config/settings.h"
#include "pipeline/middleware_kinds.h"

namespace leat::config {

namespace {

constexpr std::string_view kIntroduction = R"(# Configuration

This page is made by `leat settings --markdown`; a test keeps it true.

Leat reads one TOML file (`/etc/leat/leat.toml`, or the one named with `-c`), then `conf.d/*.toml` beside it in
lexical order. `include = ["name.toml", "sites/*.toml"]` reads further files, relative to the one that names them.
Lists of tables (`[[plugin]]`, `[[middleware]]`, `[[route]]`) add up over all files; a setting may be set once.

Times are written with a unit (`"500ms"`, `"10s"`, `"5m"`, `"2h"`, `"1d"`), sizes as bytes or with one (`"64KiB"`,
`"1MiB"`, `"10MB"`). In strings, `${NAME}` stands for an environment variable and is an error where that is not set;
`${NAME:-text}` gives a default, `${NAME:?text}` an error message, `$$` a dollar sign.

`leat check -c FILE` reports every mistake at once, with its place; the daemon's exit code for a bad configuration
is 78. `leat explain-error CODE` says more about one.
)";

constexpr std::string_view kDeclarations = R"(
## `[[plugin]]`

| key | | meaning |
|---|---|---|
| `name` | text, needed | what routes call it |
| `file` | text, needed | a path, or a name to be looked for in `server.plugin_path` and then in the installed folder |
| `[plugin.config]` | table | the plugin's own options |

## `[[route]]`

| key | | meaning |
|---|---|---|
| `path` | text, needed | segments of text, `{name}` for one segment, or at the end `{name...}` for the rest |
| `method`, `methods` | text, list | `GET` if neither is given; `HEAD` comes with `GET`, `OPTIONS` is answered |
| `handler` | text, needed | `"PLUGIN:HANDLER"` |
| `middleware` | list | names of declared instances, or tables like those of `[[middleware]]` |
| `body_limit` | size | in place of `limits.body` |

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

| kind | phase | |
|---|---|---|
)";

}  // namespace

std::string reference_markdown() {
  std::string page(kIntroduction);
  std::string_view group;
  for (const Setting& setting : settings()) {
    const std::string_view own = setting.path.substr(0, setting.path.find('.'));
    if (own != group)
      page += std::format("\n## `[{}]`\n\n| key | type | default | meaning |\n|---|---|---|---|\n", group = own);
    page += std::format("| `{}` | {} | `{}` | {} |\n", setting.path.substr(own.size() + 1), type_text(setting),
                        default_text(setting), setting.sentence);
  }
  page += kDeclarations;
  for (const pipeline::MiddlewareKind& kind : pipeline::middleware_kinds())
    page += std::format("| `{}` | {} | {} |\n", kind.name, pipeline::phase_name(kind.phase), kind.sentence);
  page += "\n## Errors\n\n| code | |\n|---|---|\n";
  for (const Explanation& each : explanations()) page += std::format("| {} | {} |\n", code_text(each.code), each.title);
  return page;
}

std::string reference_text() {
  std::string text;
  for (const Setting& setting : settings())
    text += std::format("{} = {}\n    {}\n    {}\n", setting.path, default_text(setting), setting.sentence,
                        type_text(setting));
  return text;
}

}  // namespace leat::config
