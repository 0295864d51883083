#include "plugin/checker.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <optional>
#include <span>

#include "base/fd.h"
#include "base/sized_text.h"
#include "base/text.h"
#include "plugin/elf_note.h"
#include "plugin/sdk/plugin.h"

namespace leat::plugin {
namespace {

using Severity = Finding::Severity;
using Symbol = ElfFile::Symbol;

// The smallest entry that any version of the interface had.
constexpr uint64_t kLeastEntry = offsetof(leat_plugin_entry, self_test);

// Functions of the C library that are a plugin's to call as little as its process is its own.
struct Import {
  std::string_view rule;
  std::string_view what;  // "it can {}: `exit`"
  std::string_view reason;
  std::string_view fix;
  std::span<const std::string_view> functions;
};
constexpr std::string_view kEnds[] = {"exit",   "_exit",   "_Exit",  "quick_exit", "pthread_exit",
                                      "execl",  "execle",  "execlp", "execv",      "execve",
                                      "execvp", "execvpe", "fexecve"};
// std::locale::global() calls setlocale() for all.
constexpr std::string_view kLocale[] = {"setlocale", "_ZNSt6locale6globalERKS_"};
constexpr std::string_view kSignals[] = {"signal",        "sigaction",  "sigset", "sigignore", "siginterrupt",
                                         "__sysv_signal", "bsd_signal", "alarm",  "setitimer", "ualarm"};
constexpr std::string_view kProcess[] = {
    "chdir",    "fchdir",    "chroot",      "umask",     "setenv",      "putenv",    "unsetenv",
    "clearenv", "setrlimit", "setrlimit64", "closefrom", "close_range", "setuid",    "setgid",
    "seteuid",  "setegid",   "setreuid",    "setregid",  "setresuid",   "setresgid", "setgroups"};
constexpr std::string_view kForks[] = {"fork", "vfork", "_Fork", "daemon"};
constexpr Import kImports[] = {
    {"exit", "end the process or a thread of the daemon",
     "all clients of the daemon lose their connections, and the plugin is blamed as for a crash",
     "answer an error (LEAT_ERROR, an exception), and in load() and create() call fail()", kEnds},
    {"locale", "set the locale of the whole process",
     "every other plugin and library would then read and write numbers and dates by it",
     "use newlocale() and functions that end with _l, or std::locale objects of its own", kLocale},
    {"signals", "change how the process takes signals",
     "the daemon uses them to stop, to reload and to report crashes", "use a timer, or a thread of its own",
     kSignals},
    {"process", "change what belongs to the whole process",
     "the daemon and other plugins depend on the folder, the environment, the identity and the limits of the "
     "process",
     "name files by whole paths or openat(), and pass settings in [plugin.config]", kProcess},
    {"fork", "fork the process",
     "a copy of one thread of many holds the locks and the connections of all others",
     "start programs with posix_spawn()", kForks},
};

class Checker {
 public:
  explicit Checker(const ElfFile& file)
      : file_(file), dynamic_(file.symbols(SHT_DYNSYM)), all_(file.symbols(SHT_SYMTAB)) {
    if (all_.size() == 0) all_ = dynamic_;
  }

  std::vector<Finding> run() {
    check_version();
    check_entry();
    check_exports();
    check_unique();
    check_bundled();
    check_threads();
    check_imports();
    check_link();
    return std::move(findings_);
  }

 private:
  void add(Severity severity, std::string_view rule, std::string found, std::string reason, std::string fix) {
    findings_.push_back({severity, std::string(rule), std::move(found), std::move(reason), std::move(fix)});
  }
  void error(std::string_view rule, std::string found, std::string reason, std::string fix) {
    add(Severity::Error, rule, std::move(found), std::move(reason), std::move(fix));
  }
  void warn(std::string_view rule, std::string found, std::string reason, std::string fix) {
    add(Severity::Warning, rule, std::move(found), std::move(reason), std::move(fix));
  }

  void check_version() {
    const auto note = read_elf_note(file_);
    if (!note)
      return error("note", note.error().message, "the daemon reads it before any code of the plugin runs",
                   note.error().hint);
    if (note->abi_major != LEAT_ABI_MAJOR || note->abi_minor > LEAT_ABI_MINOR)
      error("version",
            fmt::format("it needs plugin interface {}.{}, and this daemon has {}.{}", note->abi_major,
                        note->abi_minor, LEAT_ABI_MAJOR, LEAT_ABI_MINOR),
            "the major numbers must be the same, and the daemon's minor number not smaller",
            "build it with the plugin.h of this daemon");
  }

  void check_entry() {
    std::optional<Symbol> entry;
    for (size_t i = 0; i < dynamic_.size() && !entry; ++i)
      if (const Symbol symbol = dynamic_[i]; symbol.name == "leat_plugin") entry = symbol;
    if (!entry || !entry->defined)
      return error(
          "entry", "it does not export `leat_plugin`", "the daemon finds the plugin by this symbol",
          "define it with LEAT_PLUGIN (C++) or as LEAT_ENTRY says (C), and keep it in the version script");
    if (entry->type != STT_OBJECT || entry->size < kLeastEntry)
      error("entry", "its `leat_plugin` is not a leat_plugin_entry", "the daemon would read beyond it",
            "define it with LEAT_PLUGIN (C++) or as LEAT_ENTRY says (C)");
  }

  void check_exports() {
    const std::string others = list_names(dynamic_, [](const Symbol& symbol) {
      return symbol.defined && symbol.binding != STB_LOCAL && symbol.name != "leat_plugin" &&
             !symbol.name.empty();
    });
    if (!others.empty())
      warn("exports", "it exports " + others, "two versions of the plugin can get into each other's way",
           "compile with -fvisibility=hidden and link with the version script plugin.map");
  }

  void check_unique() {
    const std::string unique = list_unique(file_);
    if (!unique.empty())
      error("unique", "it has symbols that are unique in the process: " + unique,
            "after a reload the new version would share these variables with the old one",
            "compile with -fvisibility=hidden (and gcc with -fno-gnu-unique), link with the version script "
            "plugin.map");
  }

  void check_bundled() {
    constexpr std::array<std::string_view, 12> kAllocator = {
        "malloc", "calloc",    "realloc",   "free",      "posix_memalign", "_Znwm",
        "_ZdlPv", "mi_malloc", "je_malloc", "tc_malloc", "mi_free",        "je_free"};
    const std::string allocator = list_names(all_, [&](const Symbol& symbol) {
      return symbol.defined && std::ranges::contains(kAllocator, symbol.name);
    });
    if (!allocator.empty())
      error("allocator", "it brings an allocator of its own: " + allocator,
            "memory that one allocator gave and another frees ends the process",
            "link no allocator into a plugin");
    constexpr std::array<std::string_view, 3> kRuntime = {"__cxa_throw", "__cxa_begin_catch",
                                                          "_Unwind_RaiseException"};
    const std::string runtime = list_names(all_, [&](const Symbol& symbol) {
      return symbol.defined && std::ranges::contains(kRuntime, symbol.name);
    });
    if (!runtime.empty())
      error("runtime", "it contains the C++ runtime: " + runtime,
            "an exception that crosses from one runtime into another ends the process",
            "link without -static-libstdc++ and -static-libgcc");
  }

  void check_threads() {
    // C++ asks the C++ runtime, C by compilers' builtins the C library. Rust's standard library asks that one
    // too, for itself, in every plugin, but without insisting (weakly).
    const std::string destructors = list_names(dynamic_, [](const Symbol& symbol) {
      return !symbol.defined && (symbol.name == "__cxa_thread_atexit" ||
                                 (symbol.name == "__cxa_thread_atexit_impl" && symbol.binding != STB_WEAK));
    });
    if (!destructors.empty())
      error("thread-local", "it has a thread_local variable with a destructor: " + destructors,
            "it keeps the plugin loaded while the thread lives, and runs after the plugin's state has gone",
            "keep per-worker state in worker_init(), or in the class Worker");
  }

  // What it can call, it may call: a warning. What a library that it is linked with calls is not seen.
  void check_imports() {
    for (const Import& each : kImports) {
      const std::string found = list_names(dynamic_, [&each](const Symbol& symbol) {
        return !symbol.defined && std::ranges::contains(each.functions, symbol.name);
      });
      if (!found.empty())
        warn(each.rule, fmt::format("it can {}: {}", each.what, found), std::string(each.reason),
             std::string(each.fix));
    }
  }

  void check_link() {
    const auto flag = [this](int64_t tag, uint64_t bit) {
      return (file_.dynamic(tag).value_or(0) & bit) != 0;
    };
    const auto stack = file_.segment(PT_GNU_STACK);
    if (!stack || (stack->p_flags & PF_X) != 0)
      error("stack", "it asks for an executable stack",
            "hardened systems refuse it, and all others lose a defence",
            "link with -z noexecstack; assembly sources need a .note.GNU-stack section");
    if (file_.dynamic(DT_TEXTREL) || flag(DT_FLAGS, DF_TEXTREL))
      error("text-relocations", "its code is changed while it is loaded", "hardened systems refuse it",
            "compile everything in it with -fPIC");
    if (!file_.dynamic(DT_BIND_NOW) && !flag(DT_FLAGS, DF_BIND_NOW) && !flag(DT_FLAGS_1, DF_1_NOW))
      warn("bind-now", "its symbols are looked up when they are first called",
           "outside Leat, a missing one is noticed only in the middle of a request", "link with -z now");
    if (!file_.note("GNU", NT_GNU_BUILD_ID))
      warn("build-id", "it has no build id", "a crash report cannot say which build it was",
           "link with --build-id");
    for (const int64_t tag : {DT_RPATH, DT_RUNPATH})
      if (const auto path = file_.dynamic_text(tag); path && path->contains("$ORIGIN"))
        warn("run-path", fmt::format("its run path is `{}`", shown(*path)),
             "the plugin is loaded from a private copy: $ORIGIN is not its folder",
             "link those libraries statically, or install them where the system looks");
  }

  const ElfFile& file_;
  ElfFile::Symbols dynamic_;  // what the dynamic linker sees
  ElfFile::Symbols all_;      // with those that are hidden, if they were not stripped
  std::vector<Finding> findings_;
};

// Who else may write a file or a folder can have the daemon run what they like.
bool open_to_all(const std::string& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0 || (info.st_mode & S_IWOTH) == 0) return false;
  // In a sticky folder, such as /tmp, files can be replaced by their owner only.
  return !S_ISDIR(info.st_mode) || (info.st_mode & S_ISVTX) == 0;
}

// What the child of try_plugin() says is records: a letter, then sized texts. They may be anything, for the
// plugin's own code has run there.
constexpr char kFinding = 'f';  // severity ("e" or "w"), rule, found, reason, fix
constexpr char kLoading = 'l';  // it goes on to load
constexpr char kHandles = '/';
constexpr char kStands = '|';  // a kind of middleware
constexpr char kProvides = '+';
constexpr char kNeeds = '!';
constexpr char kWouldUse = '?';
constexpr char kEnd = '.';  // all has been said

// More than any plugin has to say of itself.
constexpr size_t kMostSaid = size_t{1} << 20;

class ReportWriter {
 public:
  explicit ReportWriter(int out) : out_(out) {}
  void say(char what, std::initializer_list<std::string_view> texts = {}) const {
    std::string record(1, what);
    for (const std::string_view text : texts) put_sized(record, text);
    (void)write_all(out_, record);  // whoever listened has gone
  }
  void say(const Finding& each) const {
    say(kFinding,
        {each.severity == Severity::Error ? "e" : "w", each.rule, each.found, each.reason, each.fix});
  }

 private:
  int out_;
};

// How far the child came, by what it said up to the first byte that makes no sense.
struct ChildReport {
  Trial trial;
  bool loading = false;
  bool ended = false;
};

ChildReport read_report(std::string_view said) {
  ChildReport report;
  while (!said.empty() && !report.ended) {
    const char what = said.front();
    said.remove_prefix(1);
    if (what == kLoading) {
      report.loading = true;
    } else if (what == kEnd) {
      report.ended = true;
    } else if (what == kFinding) {
      std::string texts[5];
      for (std::string& text : texts) {
        const auto taken = take_sized(said);
        if (!taken) return report;
        text = *taken;
      }
      report.trial.findings.push_back({texts[0] == "w" ? Severity::Warning : Severity::Error,
                                       std::move(texts[1]), std::move(texts[2]), std::move(texts[3]),
                                       std::move(texts[4])});
    } else {
      const auto name = take_sized(said);
      if (!name ||
          (what != kHandles && what != kStands && what != kProvides && what != kNeeds && what != kWouldUse))
        return report;
      if (what == kHandles)
        report.trial.handlers.emplace_back(*name);
      else if (what == kStands)
        report.trial.kinds.emplace_back(*name);
      else if (what == kProvides)
        report.trial.services.emplace_back(*name);
      else
        report.trial.needs.push_back({std::string(*name), what == kWouldUse});
    }
  }
  return report;
}

// Bytes of this process that are, or may come to be, memory of its own.
uint64_t own_memory() {
  char text[256] = {};
  const Fd file(::open("/proc/self/statm", O_RDONLY | O_CLOEXEC));
  const ssize_t size = file ? ::read(file.get(), text, sizeof text - 1) : 0;
  std::string_view left(text, size > 0 ? static_cast<size_t>(size) : 0);
  for (int i = 0; i < 5; ++i) left.remove_prefix(std::min(left.find(' '), left.size() - 1) + 1);
  return parse_number<uint64_t>(left.substr(0, left.find(' '))).value_or(0) *
         static_cast<uint64_t>(::getpagesize());
}

// The child is harmless as far as a process can be that runs unknown code as the same user: it takes no more
// memory than its file explains, leaves no core file, writes nothing to where a script reads, and goes with
// its parent.
void confine(size_t file_bytes) {
  constexpr uint64_t kRoom = uint64_t{1} << 30;  // for what constructors and load() make
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  // Whoever handles them here would tell of the parent.
  for (const int fatal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT}) ::signal(fatal, SIG_DFL);
  const uint64_t most = own_memory() + 2 * uint64_t{file_bytes} + kRoom;
  const rlimit memory{most, most};
  ::setrlimit(RLIMIT_DATA, &memory);
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  const Fd nothing(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (nothing) ::dup2(nothing.get(), STDIN_FILENO);
  ::dup2(STDERR_FILENO, STDOUT_FILENO);
}

void load_and_tell(const std::string& path, const LibraryOptions& options, const ReportWriter& report) {
  report.say(kLoading);
  const auto library = PluginLibrary::load(path, options);
  if (!library) {
    return report.say(Finding{Severity::Error, "load", library.error().message, "the daemon would refuse it",
                              library.error().hint});
  }
  const auto tell = [&report](char what, leat_str name) { report.say(what, {{name.ptr, name.len}}); };
  for (const leat_handler& each : (*library)->handlers()) tell(kHandles, each.name);
  for (const DeclaredKind& each : (*library)->middleware()) report.say(kStands, {{each.name}});
  for (const leat_service& each : (*library)->services()) tell(kProvides, each.name);
  for (const leat_need& each : (*library)->needs())
    tell((each.flags & LEAT_NEED_OPTIONAL) != 0 ? kWouldUse : kNeeds, each.name);
  report.say(kEnd);
  ::_exit(0);  // here, without its destructors: loading is what was asked
}

// What the child of a trial does.
using Work = std::function<void(const ReportWriter& report)>;

[[noreturn]] void be_child(const Work& work, size_t file_bytes, int out) {
  confine(file_bytes);
  const ReportWriter report(out);
  work(report);
  report.say(kEnd);
  ::_exit(0);
}

struct ChildOutput {
  std::string said;
  bool in_time = true;
};

// All that is written to the other end of `in` until `child` has ended, whoever else may hold that end; of
// endless talk the beginning.
ChildOutput hear(int in, pid_t child, uint32_t timeout_ms) {
  using std::chrono::steady_clock;
  const auto end = steady_clock::now() + std::chrono::milliseconds(timeout_ms);
  const Fd ending(static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));  // none before Linux 5.3
  pollfd events[] = {{in, POLLIN, 0}, {ending.get(), POLLIN, 0}};
  ChildOutput heard;
  while (heard.said.size() < kMostSaid) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - steady_clock::now()).count();
    const int ready = left > 0 ? ::poll(events, 2, static_cast<int>(left)) : 0;
    if (ready < 0 && errno == EINTR) continue;
    heard.in_time = ready > 0;
    if (ready <= 0 || events[0].revents == 0) break;
    char piece[4096];
    const ssize_t size = ::read(in, piece, sizeof piece);
    if (size > 0) {
      heard.said.append(piece, static_cast<size_t>(size));
    } else if (ending) {
      events[0] = {-1, 0, 0};  // closed, which a plugin can do and run on
    } else {
      break;
    }
  }
  return heard;
}

// Does `work` in a child process, and returns what it told, or how it ended.
Trial in_child(const Work& work, size_t file_bytes, uint32_t timeout_ms) {
  const auto fail = [](Trial trial, bool loading, std::string found, std::string reason, std::string fix) {
    trial.findings.push_back(
        {Severity::Error, loading ? "load" : "file", std::move(found), std::move(reason), std::move(fix)});
    return trial;
  };
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0)
    return fail({}, false, fmt::format("it could not be tried: {}", std::strerror(errno)),
                "a process of its own is needed", "");
  const Fd out(ends[0]);
  Fd in(ends[1]);
  std::signal(SIGCHLD, SIG_DFL);  // where it is ignored, nobody learns how a child ended
  const pid_t child = ::fork();
  if (child < 0)
    return fail({}, false, fmt::format("it could not be tried: {}", std::strerror(errno)),
                "a process of its own is needed", "");
  if (child == 0) be_child(work, file_bytes, in.get());
  ::setpgid(child, child);  // whoever of the two comes first
  in.reset();
  const ChildOutput heard = hear(out.get(), child, timeout_ms);
  // With what it may have started. Of a child that has ended this changes nothing.
  ::kill(-child, SIGKILL);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  ChildReport report = read_report(heard.said);
  const char* const doing = report.loading ? "loading it" : "judging it";
  if (!heard.in_time)
    return fail(std::move(report.trial), report.loading,
                fmt::format("{} takes longer than {} ms", doing, timeout_ms),
                "the daemon would never start serving",
                "do nothing slow in constructors of static objects and in load()");
  if (report.ended) return std::move(report.trial);
  return fail(std::move(report.trial), report.loading,
              WIFSIGNALED(status)
                  ? fmt::format("{} ends the process with signal {} ({})", doing, WTERMSIG(status),
                                ::strsignal(WTERMSIG(status)))
                  : fmt::format("{} ends the process with status {}", doing, WEXITSTATUS(status)),
              "the daemon would end with it",
              "run it in a debugger: gdb -ex 'set follow-fork-mode child' --args leat plugin check FILE");
}

}  // namespace

std::vector<Finding> check_plugin(std::string_view bytes) {
  const auto file = ElfFile::read(bytes);
  if (!file)
    return {{Severity::Error, "file", file.error().message, "it cannot be loaded here", file.error().hint}};
  return Checker(*file).run();
}

std::vector<Finding> check_place(const std::string& path) {
  std::error_code failed;
  const auto file = std::filesystem::canonical(path, failed);
  if (failed) return {};
  std::vector<Finding> findings;
  const auto look = [&](const std::string& what, std::string_view kind, std::string_view reason) {
    if (open_to_all(what))
      findings.push_back({Severity::Warning, "permissions",
                          fmt::format("every user may write to {} `{}`", kind, shown(what)),
                          std::string(reason), fmt::format("chmod o-w {}", shown(what))});
  };
  look(file, "its file", "whoever changes it can make the daemon run anything");
  for (auto folder = file.parent_path();; folder = folder.parent_path()) {
    look(folder, "the folder", "whoever puts another file in its place can make the daemon run anything");
    if (folder == folder.parent_path()) break;
  }
  return findings;
}

Trial try_plugin(std::string_view bytes, const std::string& path, const LibraryOptions& options,
                 uint32_t timeout_ms) {
  const auto judge_and_load = [&](const ReportWriter& report) {
    const std::vector<Finding> findings = check_plugin(bytes);
    for (const Finding& each : findings) report.say(each);
    // Loading runs its constructors: only what looks like a plugin deserves that.
    if (std::ranges::none_of(findings, [](const Finding& each) { return each.severity == Severity::Error; }))
      load_and_tell(path, options, report);
  };
  return in_child(judge_and_load, bytes.size(), timeout_ms);
}

Trial try_to_load(const std::string& path, const LibraryOptions& options, uint32_t timeout_ms) {
  std::error_code unknown;
  const uintmax_t size = std::filesystem::file_size(path, unknown);
  return in_child([&](const ReportWriter& report) { load_and_tell(path, options, report); },
                  unknown ? 0 : size, timeout_ms);
}

}  // namespace leat::plugin
