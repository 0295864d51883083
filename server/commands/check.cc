#include "server/commands/check.h"

#include <fmt/core.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "base/units.h"
#include "server/commands/print.h"
#include "server/load.h"
#include "server/process/crash_report.h"
#include "server/process/exit_code.h"
#include "server/process/last_words.h"
#include "server/process/supervisor.h"

namespace leat::server {

namespace {

int check_here(const Command& command) {
  HangWatch hangs([] {});
  plugin::PluginLibraries libraries(command.compiled_in);
  const auto loaded = load_at_start(command, libraries, {.hangs = &hangs});
  if (!loaded) return kExitConfiguration;
  print(fmt::format("{}: {}, {}, no errors\n", command.file,
                    counted(loaded->assembly.site->routes().size(), "route"),
                    counted(loaded->assembly.plugins.size(), "plugin")));
  return kExitFine;
}

}  // namespace

int check(const Command& command) {
  LifeSigns* signs = make_life_signs();
  if (signs == nullptr) return kExitFailure;
  std::signal(SIGCHLD, SIG_DFL);
  const pid_t checker = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) {
    std::fprintf(stderr, "leat: cannot check in a process of its own: fork: %s\n", std::strerror(errno));
    return kExitFailure;
  }
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != checker) return kExitFailure;
    report_crashes(&signs->words);
    const int code = check_here(command);
    signs->ended = true;
    return code;
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (signs->ended && WIFEXITED(status)) return WEXITSTATUS(status);
  std::fprintf(stderr, "leat: %s: the process that loaded it %s\n", command.file.c_str(),
               judge_end(status, signs->words).how.c_str());
  return kExitConfiguration;
}

}  // namespace leat::server
