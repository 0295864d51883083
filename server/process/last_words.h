// Last words: what a process leaves behind of what it was doing, for whoever finds that it has ended.
//
// It lies in memory that a process shares with the one that started it, so that it is there after any end:
// a signal, exit(), _exit() or the system call itself, which no handler of Leat's sees. Three things are in
// it: the crash report's verdict, the plugin that is being loaded, and what each thread runs of plugins. The
// last costs a callback nothing: the thread's Activity, which it keeps anyway, lies here. It says what runs
// by the address of a title, and what stands there is noted when the title is made.
//
// Thread: any. Reading: after the writer has ended, and then all of it may be half-written.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/activity.h"

namespace leat::server {

struct LastWords {
  static constexpr size_t kMostThreads = 256;  // those beyond are not told of
  static constexpr size_t kMostTitles = 2048;  // likewise; a reload adds those that are new

  struct Title {
    const std::string* address;  // in the other process
    char text[240];
  };
  // The crash report's, empty where there was none.
  char plugin[64] = {};
  char route[192] = {};
  char how[64] = {};
  // The plugin that was loaded, made or ended when the process did.
  char loading[64] = {};
  // A thread each, taken in turn.
  struct alignas(64) Thread {
    Activity activity;
    std::atomic<int> id = 0;  // the kernel's
  };
  Thread all[kMostThreads];
  std::atomic<uint32_t> threads = 0;
  std::atomic<uint32_t> title_count = 0;
  Title titles[kMostTitles];

  // Before another process writes here.
  void clear();
  // A place for the thread that calls, or nullptr.
  Thread* take_thread();
  void note(const std::string& title);
  // What `activity` says, or nothing.
  [[nodiscard]] std::string running(const Activity& activity) const;
};

// This process's own, where no other one reads them.
LastWords* own_words();

// Whose a title is: "plugin demo: handler json on route GET /json" -> "demo"; empty for nobody's. A view of it.
// Async-signal-safe.
std::string_view plugin_of(std::string_view title);

// Puts `text` into an array of characters, cut to fit. Async-signal-safe.
void put_words(char* into, size_t size, std::string_view text);
template <size_t Size>
void put_words(char (&into)[Size], std::string_view text) {
  put_words(into, Size, text);
}

// How a process ended, as it is told of: "was ended by signal 11 (Segmentation fault) in plugin demo on route
// GET /json".
struct Ending {
  std::string how;
  std::string plugin;  // that is to blame; empty for none
};

// `status`: as wait(2) has it. An end by a signal that came from outside is nobody's fault.
Ending judge_end(int status, const LastWords& words);

}  // namespace leat::server
