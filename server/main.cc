// leat: the daemon and its commands.
//
// A command line gives a Command, and each kind of that is a function of server/commands. What the daemon is made of, and in
// which order, stands in server/serve.cc.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <functional>
#include <string_view>

#include "base/check.h"
#include "config/json_schema.h"
#include "config/reference.h"
#include "server/commands/check.h"
#include "server/commands/command_line.h"
#include "server/commands/completion.h"
#include "server/commands/explain_error.h"
#include "server/commands/format_files.h"
#include "server/commands/init.h"
#include "server/commands/key.h"
#include "server/commands/manual.h"
#include "server/commands/migrate.h"
#include "server/commands/plugin_check.h"
#include "server/commands/plugin_new.h"
#include "server/commands/print.h"
#include "server/commands/run.h"
#include "server/commands/show.h"
#include "server/commands/tell_daemon.h"
#include "server/commands/tls.h"
#include "server/commands/top.h"
#include "server/commands/version.h"
#include "server/metric_table.h"
#include "server/process/crash_report.h"
#include "server/process/exit_code.h"
#include "server/static_plugins.h"

namespace leat::server {

namespace {

// A process that was started with one of these closed would give its number to a socket, and then log into
// it.
void fill_standard_descriptors() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (::fcntl(fd, F_GETFD) < 0 && errno == EBADF)
      (void)::open("/dev/null", fd == STDIN_FILENO ? O_RDONLY : O_WRONLY);  // gets the smallest free number
}

// What this process was started with beside those is for it alone, and for nobody that a plugin starts.
void keep_descriptors_from_children() {
  (void)::close_range(STDERR_FILENO + 1, UINT_MAX, CLOSE_RANGE_CLOEXEC);
}

int execute(const Command& command) {
  switch (command.kind) {
    case Command::Kind::Run:
      return run(command);
    case Command::Kind::PluginCheck:
      return check_plugin_file(command.plugin_file, command.json);
    case Command::Kind::PluginRun:
      return run_plugin(command);
    case Command::Kind::Reload:
      return tell_daemon(command, "reload");
    case Command::Kind::Upgrade:
      return tell_daemon(command, "upgrade");
    case Command::Kind::Metrics:
      if (command.markdown) {
        print(metrics_markdown());
        return kExitFine;
      }
      return tell_daemon(command, "metrics");
    case Command::Kind::Status:
      return tell_daemon(command, command.json ? "status json" : "status");
    case Command::Kind::ShowConfig:
      return tell_daemon(command, command.json ? "config json" : "config");
    case Command::Kind::Top:
      return run_top(
          [&command](std::string_view words, const std::function<void(std::string_view)>& take) {
            return tell_daemon(command, words, take);
          },
          command.json, command.once);
    case Command::Kind::CacheStatistics:
      return tell_daemon(command, command.json ? "cache stats json" : "cache stats");
    case Command::Kind::Purge:
      return tell_daemon(command, "purge " + command.purge);
    case Command::Kind::PluginList:
      return tell_daemon(command, command.json ? "plugins json" : "plugins");
    case Command::Kind::Check:
      return check(command);
    case Command::Kind::Routes:
      return show_routes(command);
    case Command::Kind::Explain:
      return command.running ? tell_daemon(command, command.question.line()) : show_explanation(command);
    case Command::Kind::OpenApi:
      return show_openapi(command);
    case Command::Kind::Version:
      print(version_text(command));
      return kExitFine;
    case Command::Kind::ExplainError:
      return explain_error(command.code);
    case Command::Kind::Settings:
      print(command.schema     ? config::json_schema()
            : command.markdown ? config::reference_markdown()
                               : config::reference_text());
      return kExitFine;
    case Command::Kind::Format:
      return format_files(command.format);
    case Command::Kind::Init:
      return make_site(command.new_site);
    case Command::Kind::Migrate:
      return migrate_configuration(command.migration);
    case Command::Kind::Schema:
      return show_schema(command);
    case Command::Kind::PluginNew:
      return make_plugin(command.new_plugin);
    case Command::Kind::KeyNew:
      return make_key(command.key_name);
    case Command::Kind::KeyHash:
      return hash_key(command.key_name);
    case Command::Kind::ShowTls:
      return show_tls(command);
    case Command::Kind::TlsInit:
      return make_certificates(command.new_certificates);
    case Command::Kind::Completion:
      print(completion_script(command_tree(), command.shell));
      return kExitFine;
    case Command::Kind::Manual:
      print(command.page == "leat" ? program_page(command_tree()) : configuration_page());
      return kExitFine;
  }
  return kExitUsage;
}

}  // namespace

}  // namespace leat::server

int main(int count, char** arguments) {
  leat::server::fill_standard_descriptors();
  leat::server::keep_descriptors_from_children();
  leat::keep_standard_error();
  auto command = leat::server::parse_command_line(count, arguments);
  if (command) {
    command->invocation = leat::server::Invocation::of_this_process(count, arguments);
    command->compiled_in = leat::server::static_plugins();
  }
  const int code = command ? leat::server::execute(*command) : command.error();
  leat::server::exit_is_fine();
  return code;
}
