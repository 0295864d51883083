#include "server/commands/top.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <thread>

#include "server/process/exit_code.h"

namespace leat::server {

namespace {

constexpr std::chrono::milliseconds kEvery(1'000);
constexpr std::chrono::milliseconds kMoment(200);
// The daemon has something to tell after a good second; a busy one takes its time.
constexpr int kMostMoments = 50;

// As much of `text` as the terminal has lines and columns for; one line is left for the cursor.
std::string fitted(std::string_view text) {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0)
    return std::string(text);
  std::string fit;
  for (unsigned row = 1; row < size.ws_row && !text.empty(); ++row) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    // What is left of a former, longer line goes.
    fit.append(line.substr(0, size.ws_col)).append("\x1b[K\n");
  }
  return fit;
}

}  // namespace

int run_top(const std::function<int(std::string_view, const std::function<void(std::string_view)>&)>& ask,
            bool json, bool once) {
  const bool screen = !json && !once && ::isatty(STDOUT_FILENO) != 0;
  for (int moments = 0;;) {
    std::string answer;
    const int code = ask(json ? "top json" : "top", [&answer](std::string_view text) { answer = text; });
    if (code != kExitFine) return code;
    if (answer.empty()) {
      if (++moments == kMostMoments) {
        std::fputs("leat: the daemon has nothing to tell yet\n", stderr);
        return kExitFailure;
      }
      std::this_thread::sleep_for(kMoment);
      continue;
    }
    moments = 0;
    if (!answer.ends_with('\n')) answer += '\n';
    // Over what was shown before: to the first line, and what is below goes.
    const std::string shown = screen ? "\x1b[H" + fitted(answer) + "\x1b[J" : answer;
    if (std::fwrite(shown.data(), 1, shown.size(), stdout) != shown.size() || std::fflush(stdout) != 0)
      return kExitFailure;
    if (once) return kExitFine;
    std::this_thread::sleep_for(kEvery);
  }
}

}  // namespace leat::server
