#include "server/commands/migrate.h"

#include <fmt/core.h>

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <string_view>
#include <system_error>

#include "base/units.h"
#include "config/file.h"
#include "plugin/library.h"
#include "server/commands/command_line.h"
#include "server/commands/write_file.h"
#include "server/load.h"
#include "server/migrate/caddy.h"
#include "server/migrate/directive.h"
#include "server/migrate/nginx.h"
#include "server/migrate/target.h"
#include "server/process/exit_code.h"
#include "server/process/hang_watch.h"

namespace leat::server {

namespace {

int fail_migration(std::string_view why) {
  std::fputs(fmt::format("leat: {}\n", why).c_str(), stderr);
  return kExitFailure;
}

// A file in memory, which the check below reads by its name.
class WrittenText {
 public:
  explicit WrittenText(std::string_view text) : file_(::memfd_create("leat-migrate", MFD_CLOEXEC)) {
    while (file_ >= 0 && !text.empty()) {
      const ssize_t size = ::write(file_, text.data(), text.size());
      if (size <= 0 && errno != EINTR) break;
      if (size > 0) text.remove_prefix(static_cast<size_t>(size));
    }
    whole_ = file_ >= 0 && text.empty();
  }
  ~WrittenText() {
    if (file_ >= 0) ::close(file_);
  }
  WrittenText(const WrittenText&) = delete;
  WrittenText& operator=(const WrittenText&) = delete;

  [[nodiscard]] bool whole() const { return whole_; }
  [[nodiscard]] std::string path() const { return fmt::format("/proc/self/fd/{}", file_); }

 private:
  int file_;
  bool whole_;
};

// What is wrong with what was made, as `leat check` tells it: nothing should be. It names plugins nowhere, and whether its
// addresses are free is not asked: the other server listens there.
std::optional<std::string> find_mistakes(const std::string& file, const std::string& name) {
  const WrittenText written(file);
  if (!written.whole()) return "there is no memory to check it in\n";
  Command command{.kind = Command::Kind::Routes, .file = written.path()};
  std::error_code error;
  command.folder = std::filesystem::current_path(error).string();
  HangWatch hangs([] {});
  plugin::PluginLibraries libraries({});
  std::string report;
  if (load(command, libraries, false, report, {.hangs = &hangs})) return std::nullopt;
  for (size_t at = 0; (at = report.find(written.path(), at)) != std::string::npos; at += name.size())
    report.replace(at, written.path().size(), name);
  return report;
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
  if (!target.left().empty())
    std::fputs(fmt::format("{} left to do; each is a TODO in what was written\n",
                           counted(target.left().size(), "thing"))
                   .c_str(),
               stderr);
  const std::string shown =
      migration.output.empty() ? "what was written" : migrate::printable_line(migration.output);
  const auto mistakes = find_mistakes(file, shown);
  if (mistakes)
    std::fputs(fmt::format("{}: it does not pass `leat check` yet:\n{}", shown, *mistakes).c_str(), stderr);
  return target.left().empty() && !mistakes ? kExitFine : kExitIncomplete;
}

}  // namespace leat::server
