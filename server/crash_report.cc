#include "server/crash_report.h"

#include <execinfo.h>
#include <link.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <memory>

#include "plugin/running.h"

namespace leat::server {

namespace {

constexpr int kCrashes[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
constexpr size_t kStackBytes = size_t{128} * 1024;
constexpr size_t kMostFrames = 48;
constexpr size_t kMostText = 160;  // of a path or a name

CrashNote* crash_note = nullptr;
std::atomic_flag reporting;
constinit thread_local std::string_view loading;
constinit thread_local int own_worker = -1;

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
      add(c == '\n' || (static_cast<unsigned char>(c) >= ' ' && c != 0x7f) ? c : '?');
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
    add('\n');
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, bytes_, size_);
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
  switch (signal) {
    case SIGSEGV:
      return "SIGSEGV";
    case SIGBUS:
      return "SIGBUS";
    case SIGILL:
      return "SIGILL";
    case SIGFPE:
      return "SIGFPE";
    default:
      return "SIGABRT";
  }
}

template <size_t Size>
void put(char (&into)[Size], std::string_view text) {
  const size_t size = std::min(text.size(), Size - 1);
  std::memcpy(into, text.data(), size);
  into[size] = '\0';
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

void on_crash(int signal, siginfo_t* info, void*) {
  // The first one reports; another thread's crash meanwhile waits for the end that is near.
  if (reporting.test_and_set()) {
    for (;;) ::pause();
  }
  struct sigaction standard{};
  standard.sa_handler = SIG_DFL;
  for (const int each : kCrashes) ::sigaction(each, &standard, nullptr);

  Line line;
  line.text("leat: crash: ").text(name_of(signal));
  if (signal != SIGABRT) line.text(" at ").number(reinterpret_cast<uintptr_t>(info->si_addr), 16);
  line.text(", thread ").number(static_cast<uint64_t>(::gettid()));
  if (own_worker >= 0) line.text(", worker ").number(static_cast<uint64_t>(own_worker));
  line.write();
  if (const auto running = plugin::running_now()) {
    if (crash_note != nullptr) {
      put(crash_note->plugin, running->plugin);
      put(crash_note->route, running->route);
    }
    line.text("  in plugin ").text(running->plugin).text(" ").text(running->version);
    line.text(", build id ").text(running->build.empty() ? "none" : running->build);
    line.text(", content ").text(running->content).write();
    line.text("  on route ").text(running->route).write();
    line.text("  for path ").text(running->path).write();
  } else if (!loading.empty()) {
    if (crash_note != nullptr) put(crash_note->plugin, loading);
    line.text("  while plugin ").text(loading).text(" was loaded or started").write();
  } else {
    line.text("  in no plugin's callback").write();
  }

  void* frames[kMostFrames];
  const int count = ::backtrace(frames, kMostFrames);
  for (int i = 0; i < count; ++i) write_frame(line, reinterpret_cast<uintptr_t>(frames[i]));
  // Blocked until this returns, and then fatal.
  ::raise(signal);
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

void report_crashes(CrashNote* note) {
  crash_note = note;
  give_crash_stack();
  // The first call loads a library, which a signal handler must not do.
  void* frame = nullptr;
  ::backtrace(&frame, 1);
  struct sigaction action{};
  action.sa_sigaction = on_crash;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigemptyset(&action.sa_mask);
  for (const int signal : kCrashes) ::sigaction(signal, &action, nullptr);
}

void give_crash_stack(int worker) {
  own_worker = worker;
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
  object_count = 0;
  ::dl_iterate_phdr(note_object, nullptr);
}

LoadingScope::LoadingScope(std::string_view plugin) : outer_(loading) { loading = plugin; }
LoadingScope::~LoadingScope() { loading = outer_; }

}  // namespace leat::server
