#include "server/process/crash_report.h"

#include <execinfo.h>
#include <fmt/core.h>
#include <link.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <utility>

#include "base/activity.h"
#include "base/check.h"
#include "base/crash_line.h"
#include "base/log.h"
#include "plugin/running.h"
#include "server/process/signals.h"

namespace leat::server {

namespace {

constexpr int kCrashes[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS};
// A report that is not out by then will never be: its stack is endless, or its reader does not read.
constexpr unsigned kReportSeconds = 5;
// How long a thread that hangs may take to report where.
constexpr useconds_t kLastChanceUs = 1'000'000;
constexpr size_t kStackBytes = size_t{128} * 1024;
constexpr size_t kMostFrames = 48;
constexpr size_t kMostText = 160;  // of a path or a name

LastWords* last_words = nullptr;
std::atomic<pid_t> reporter = 0;  // the thread whose crash is reported
constinit thread_local std::string_view loading;
constinit thread_local int own_worker = -1;
// What is done on these stays what it was before any plugin was loaded.
constexpr int kOthers[] = {SIGPIPE, SIGTERM, SIGQUIT, SIGINT, SIGHUP, SIGUSR1, SIGUSR2};
std::array<struct sigaction, std::size(kOthers)> on_others;
std::atomic<pid_t> loading_thread = 0;
std::atomic<pid_t> hanging_thread = 0;  // which end_for_hanging() has asked for its report
std::atomic<pid_t> exits_crash = 0;     // in that process an exit is a crash

struct LoadedObject {
  uintptr_t begin = 0;
  uintptr_t end = 0;
  uintptr_t base = 0;
  char name[112] = {};
};
std::array<LoadedObject, 256> objects;
std::atomic<size_t> object_count = 0;

int note_object(dl_phdr_info* info, size_t, void*) {
  const size_t index = object_count.load(std::memory_order_relaxed);
  if (index == objects.size()) return 1;
  LoadedObject object{.begin = UINTPTR_MAX, .end = 0, .base = info->dlpi_addr};
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = info->dlpi_phdr[i];
    if (segment.p_type != PT_LOAD) continue;
    object.begin = std::min<uintptr_t>(object.begin, info->dlpi_addr + segment.p_vaddr);
    object.end = std::max<uintptr_t>(object.end, info->dlpi_addr + segment.p_vaddr + segment.p_memsz);
  }
  const char* path = info->dlpi_name[0] != '\0' ? info->dlpi_name : "/proc/self/exe";
  // Plugins are loaded from memory files, whose names say more than the link.
  const ssize_t size = std::string_view(path).starts_with("/proc/")
                           ? ::readlink(path, object.name, sizeof object.name - 1)
                           : -1;
  if (size < 0) ::strncpy(object.name, path, sizeof object.name - 1);
  objects[index] = object;
  object_count.store(index + 1, std::memory_order_release);
  return 0;
}

// Text of a bounded size, for write(2).
class Line {
 public:
  Line& text(std::string_view piece) {
    for (const char c : piece.substr(0, std::min(piece.size(), kMostText)))
      add(static_cast<unsigned char>(c) >= ' ' && c != 0x7f ? c : '?');
    return *this;
  }
  Line& number(uint64_t value, unsigned radix = 10) {
    char digits[20];
    size_t count = 0;
    do digits[count++] = "0123456789abcdef"[value % radix];
    while ((value /= radix) != 0);
    if (radix == 16) text("0x");
    while (count > 0) add(digits[--count]);
    return *this;
  }
  void write() {
    write_crash_line(standard_error(), {bytes_, size_});
    size_ = 0;
  }

 private:
  void add(char c) {
    if (size_ < sizeof bytes_) bytes_[size_++] = c;
  }
  char bytes_[1024];
  size_t size_ = 0;
};

std::string_view name_of(int signal) {
  constexpr std::pair<int, std::string_view> kNames[] = {
      {SIGSEGV, "SIGSEGV"}, {SIGBUS, "SIGBUS"},   {SIGILL, "SIGILL"}, {SIGFPE, "SIGFPE"},
      {SIGABRT, "SIGABRT"}, {SIGTRAP, "SIGTRAP"}, {SIGSYS, "SIGSYS"}};
  for (const auto& [number, name] : kNames)
    if (number == signal) return name;
  return "a signal";
}

void write_frame(Line& line, uintptr_t address) {
  line.text("  at ").number(address, 16);
  const size_t count = object_count.load(std::memory_order_acquire);
  for (size_t i = 0; i < count; ++i) {
    const LoadedObject& object = objects[i];
    if (address < object.begin || address >= object.end) continue;
    line.text(" ").text(object.name).text("+").number(address - object.base, 16);
    break;
  }
  line.write();
}

// Leaves what is known in the LastWords. `how` as Ending has it; what stands there already is kept.
void leave_words(std::string_view how, std::string_view plugin, std::string_view route) {
  if (last_words == nullptr) return;
  // Whom end_for_hanging() has named stays named, unless more is known.
  if (hanging_thread.load() != ::gettid() || !plugin.empty()) put_words(last_words->plugin, plugin);
  put_words(last_words->route, route);
  if (last_words->how[0] == '\0') put_words(last_words->how, how);
}

// What ran last on this thread, or, where no plugin has run here, on any other; empty where that is more than
// one plugin.
std::string_view last_plugin() {
  const auto of = [](const Activity& activity) {
    const std::string* title = activity.last();
    return title == nullptr ? std::string_view() : plugin_of(*title);
  };
  std::string_view last;
  if (thread_activity != nullptr) last = of(*thread_activity);
  if (!last.empty()) return last;
  if (last_words == nullptr) return last;
  for (uint32_t i = 0; i < std::min<uint32_t>(last_words->threads, LastWords::kMostThreads); ++i) {
    const std::string_view each = of(last_words->all[i].activity);
    if (each.empty() || each == last) continue;
    if (!last.empty()) return {};
    last = each;
  }
  return last;
}

// Says who is to blame, on stderr and in the LastWords.
void blame(std::string_view how) {
  Line line;
  if (const auto running = plugin::running_now()) {
    leave_words(how, running->plugin, running->route);
    line.text("  in plugin ").text(running->plugin).text(" ").text(running->version);
    line.text(", build id ").text(running->build.empty() ? "none" : running->build);
    line.text(", content ").text(running->content).write();
    line.text("  on route ").text(running->route).write();
    line.text("  for path ").text(running->path).write();
  } else if (!loading.empty()) {
    leave_words(how, loading, {});
    line.text("  while plugin ").text(loading).text(" was loaded, started or ended").write();
  } else if (lost_a_descriptor && !last_plugin().empty()) {
    leave_words(how, last_plugin(), {});
    line.text("  in no plugin's callback; the last was one of plugin ").text(last_plugin()).write();
  } else {
    leave_words(how, {}, {});
    line.text("  in no plugin's callback").write();
  }
}

Line begin_report(std::string_view what) {
  Line line;
  line.text("leat: crash: ").text(what);
  return line;
}

void end_report(Line& line) {
  line.text(", thread ").number(static_cast<uint64_t>(::gettid()));
  if (own_worker >= 0) line.text(", worker ").number(static_cast<uint64_t>(own_worker));
  line.write();
}

void write_stack() {
  void* frames[kMostFrames];
  const int count = ::backtrace(frames, kMostFrames);
  Line line;
  for (int i = 0; i < count; ++i) write_frame(line, reinterpret_cast<uintptr_t>(frames[i]));
}

// What these signals do by default, they do from here on.
void let_signals_end() {
  for (const int each : kCrashes) ::signal(each, SIG_DFL);
}

// The first crash is the one that is reported: another thread's meanwhile waits here for the end that is near.
// False for a crash within the report.
bool claim_report() {
  pid_t claimer = 0;
  if (!reporter.compare_exchange_strong(claimer, ::gettid())) {
    if (claimer == ::gettid()) return false;
    for (;;) ::pause();
  }
  ::signal(SIGALRM, SIG_DFL);
  sigset_t alarm;
  sigemptyset(&alarm);
  sigaddset(&alarm, SIGALRM);
  ::pthread_sigmask(SIG_UNBLOCK, &alarm, nullptr);
  ::alarm(kReportSeconds);
  return true;
}

// "was ended by SIGSEGV", in memory of its own.
template <size_t Size>
std::string_view join(char (&into)[Size], std::string_view first, std::string_view second) {
  put_words(into, first);
  put_words(into + std::min(first.size(), Size - 1), Size - std::min(first.size(), Size - 1), second);
  return into;
}

void on_crash(int signal, siginfo_t* info, void*) {
  if (claim_report()) {
    Line line = begin_report(name_of(signal));
    const bool has_address = signal != SIGABRT && signal != SIGTRAP && signal != SIGSYS;
    if (has_address) line.text(" at ").number(reinterpret_cast<uintptr_t>(info->si_addr), 16);
    end_report(line);
    char how[64];
    blame(join(how, "was ended by ", name_of(signal)));
    write_stack();
  }
  let_signals_end();
  // Blocked until this returns, and then fatal.
  ::raise(signal);
}

// Runs in exit(), on the thread that called it. Ends as a crash does, with a core.
void on_exit_call(std::string_view call) {
  if (exits_crash.load() != ::getpid()) return;  // wanted, or a child's that a plugin has forked
  if (claim_report()) {
    Line line = begin_report(call);
    end_report(line);
    char how[64];
    blame(join(how, "was ended by a call of ", call));
    write_stack();
  }
  let_signals_end();
  sigset_t abort;
  sigemptyset(&abort);
  sigaddset(&abort, SIGABRT);
  ::pthread_sigmask(SIG_UNBLOCK, &abort, nullptr);
  ::raise(SIGABRT);
}

const struct sigaction& own_action() {
  static const struct sigaction action = [] {
    struct sigaction made{};
    made.sa_sigaction = on_crash;
    made.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigemptyset(&made.sa_mask);
    return made;
  }();
  return action;
}

// Owned by its thread; given back before it is freed.
struct CrashStack {
  std::unique_ptr<char[]> memory;
  ~CrashStack() {
    if (!memory) return;
    stack_t none{};
    none.ss_flags = SS_DISABLE;
    ::sigaltstack(&none, nullptr);
  }
};
thread_local CrashStack crash_stack;

}  // namespace

void report_crashes(LastWords* words) {
  last_words = words;
  exits_crash = ::getpid();
  for (size_t i = 0; i < on_others.size(); ++i) ::sigaction(kOthers[i], nullptr, &on_others[i]);
  give_crash_stack();
  // The first call loads a library, which a signal handler must not do.
  void* frame = nullptr;
  ::backtrace(&frame, 1);
  for (const int signal : kCrashes) ::sigaction(signal, &own_action(), nullptr);
  watch_for_exit();
}

void exit_is_fine() { exits_crash = 0; }

void watch_for_exit() {
  ::on_exit(
      [](int status, void*) {
        char text[32];
        const auto end = std::to_chars(text + 5, text + sizeof text - 1, status);
        std::memcpy(text, "exit(", 5);
        *end.ptr = ')';
        on_exit_call({text, static_cast<size_t>(end.ptr + 1 - text)});
      },
      nullptr);
  ::at_quick_exit([] { on_exit_call("quick_exit()"); });
}

void keep_signal_handlers(std::string_view plugin) {
  // None were installed, or a crash is being reported, which takes them away.
  if (exits_crash.load() != ::getpid() || reporter.load() != 0) return;
  let_signals_in();
  std::string taken;
  const auto keep = [&taken](int signal, const struct sigaction& own) {
    struct sigaction present{};
    ::sigaction(signal, nullptr, &present);
    const bool same = (present.sa_flags & SA_SIGINFO) == (own.sa_flags & SA_SIGINFO) &&
                      ((own.sa_flags & SA_SIGINFO) != 0 ? present.sa_sigaction == own.sa_sigaction
                                                        : present.sa_handler == own.sa_handler);
    if (same) return;
    ::sigaction(signal, &own, nullptr);
    taken += (taken.empty() ? "SIG" : ", SIG") + std::string(::sigabbrev_np(signal));
  };
  for (const int signal : kCrashes) keep(signal, own_action());
  for (size_t i = 0; i < on_others.size(); ++i) keep(kOthers[i], on_others[i]);
  if (taken.empty()) return;
  const std::string who = plugin.empty() ? "a plugin" : fmt::format("plugin {}", plugin);
  log::warn("{} has replaced the handler of {}: the daemon's own is put back", who, taken);
}

void note_title(const std::string& title) {
  if (last_words != nullptr) last_words->note(title);
}

void end_for_hanging(std::string_view what) {
  pid_t thread = 0;
  std::string_view plugin = {};
  if (last_words != nullptr) {
    put_words(last_words->how, what);
    thread = loading_thread.load();
    if (thread != 0) plugin = last_words->loading;
    for (uint32_t i = 0; thread == 0 && i < std::min<uint32_t>(last_words->threads, LastWords::kMostThreads);
         ++i) {
      const LastWords::Thread& each = last_words->all[i];
      const std::string* title = each.activity.now();
      if (title == nullptr) continue;
      thread = each.id;
      plugin = plugin_of(*title);
    }
    put_words(last_words->plugin, plugin);
  }
  Line line;
  line.text("leat: the process ").text(what);
  if (!plugin.empty()) line.text(" in plugin ").text(plugin);
  line.write();
  // It says where it is, if it still can.
  hanging_thread = thread;
  if (thread != 0) ::tgkill(::getpid(), thread, SIGABRT);
  ::usleep(kLastChanceUs);
  for (;;) ::kill(::getpid(), SIGKILL);
}

void give_crash_stack(int worker) {
  own_worker = worker;
  if (last_words != nullptr && thread_activity == nullptr)
    if (LastWords::Thread* place = last_words->take_thread()) thread_activity = &place->activity;
  stack_t present{};
  // A sanitizer's threads have one, which is its to take away.
  if (::sigaltstack(nullptr, &present) != 0 || (present.ss_flags & SS_DISABLE) == 0) return;
  crash_stack.memory = std::make_unique_for_overwrite<char[]>(kStackBytes);
  stack_t stack{};
  stack.ss_sp = crash_stack.memory.get();
  stack.ss_size = kStackBytes;
  ::sigaltstack(&stack, nullptr);
}

void note_loaded_objects() {
  watch_for_exit();
  object_count = 0;
  ::dl_iterate_phdr(note_object, nullptr);
}

LoadingScope::LoadingScope(std::string_view plugin) : outer_(loading) {
  loading = plugin;
  if (own_worker >= 0) return;  // there are several at a time, and their titles tell of them
  if (last_words != nullptr) put_words(last_words->loading, plugin);
  loading_thread = ::gettid();  // whoever reads this finds the name there
}

LoadingScope::~LoadingScope() {
  loading = outer_;
  if (own_worker >= 0) return;
  if (outer_.empty()) loading_thread = 0;
  if (last_words != nullptr) put_words(last_words->loading, outer_);
}

}  // namespace leat::server
