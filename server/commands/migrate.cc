#include "server/commands/migrate.h"

#include <fmt/core.h>

#include <cstdio>
#include <filesystem>
#include <string_view>

#include "base/units.h"
#include "config/file.h"
#include "server/commands/write_file.h"
#include "server/migrate/caddy.h"
#include "server/migrate/directive.h"
#include "server/migrate/nginx.h"
#include "server/migrate/target.h"
#include "server/process/exit_code.h"

namespace leat::server {

namespace {

int fail_migration(std::string_view why) {
  std::fputs(fmt::format("leat: {}\n", why).c_str(), stderr);
  return kExitFailure;
}

}  // namespace

int migrate_configuration(const Migration& migration) {
  const auto text = config::read_file(migration.file, migrate::kMostSourceBytes);
  if (!text) return fail_migration(text.error().reason);
  const bool nginx = migration.from == "nginx";
  const auto directives = nginx ? migrate::read_nginx(*text) : migrate::read_caddy(*text);
  if (!directives)
    return fail_migration(
        fmt::format("{}:{}: {}", migration.file, directives.error().line, directives.error().why));
  const std::string name = migrate::printable_line(std::filesystem::path(migration.file).filename().string());
  migrate::Target target(name);
  (nginx ? migrate::carry_over_nginx : migrate::carry_over_caddy)(*directives, target);
  const std::string file = target.file();
  if (migration.output.empty())
    std::fwrite(file.data(), 1, file.size(), stdout);
  else if (const auto written = write_new_file(migration.output, file); !written)
    return fail_migration(written.error());
  for (const migrate::Left& each : target.left())
    std::fputs(fmt::format("{}:{}: {}\n  {}\n", migration.file, each.line, each.written, each.why).c_str(),
               stderr);
  if (target.left().empty()) return kExitFine;
  std::fputs(fmt::format("{} left to do; each is a TODO in what was written\n",
                         counted(target.left().size(), "thing"))
                 .c_str(),
             stderr);
  return kExitIncomplete;
}

}  // namespace leat::server
