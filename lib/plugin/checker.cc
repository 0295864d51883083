#include "plugin/checker.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>

#include "base/fd.h"
#include "plugin/elf_note.h"
#include "plugin/sdk/plugin.h"

namespace leat::plugin {
namespace {

using Severity = Finding::Severity;
using Symbol = ElfFile::Symbol;

constexpr size_t kMostNamed = 5;

// The smallest entry that any version of the interface had.
constexpr uint64_t kLeastEntry = offsetof(leat_plugin_entry, self_test);

class Checker {
 public:
  explicit Checker(const ElfFile& file)
      : file_(file), dynamic_(file.symbols(SHT_DYNSYM)), all_(file.symbols(SHT_SYMTAB)) {
    all_.insert(all_.end(), dynamic_.begin(), dynamic_.end());
  }

  std::vector<Finding> run() {
    check_version();
    check_entry();
    check_exports();
    check_unique();
    check_bundled();
    check_threads();
    check_link();
    return std::move(findings_);
  }

 private:
  void add(Severity severity, std::string_view rule, std::string found, std::string reason, std::string fix) {
    findings_.push_back({severity, rule, std::move(found), std::move(reason), std::move(fix)});
  }
  void error(std::string_view rule, std::string found, std::string reason, std::string fix) {
    add(Severity::Error, rule, std::move(found), std::move(reason), std::move(fix));
  }
  void warn(std::string_view rule, std::string found, std::string reason, std::string fix) {
    add(Severity::Warning, rule, std::move(found), std::move(reason), std::move(fix));
  }

  // The names for which `is` holds, as "a, b and 3 more"; empty for none.
  template <class Is>
  static std::string names(const std::vector<Symbol>& symbols, Is is) {
    std::vector<std::string_view> found;
    for (const Symbol& symbol : symbols)
      if (is(symbol) && !std::ranges::contains(found, symbol.name)) found.push_back(symbol.name);
    std::string text;
    for (size_t i = 0; i < std::min(found.size(), kMostNamed); ++i)
      text += (i == 0 ? "`" : ", `") + std::string(found[i]) + "`";
    if (found.size() > kMostNamed) text += fmt::format(" and {} more", found.size() - kMostNamed);
    return text;
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
    const auto entry = std::ranges::find(dynamic_, "leat_plugin", &Symbol::name);
    if (entry == dynamic_.end() || !entry->defined)
      return error(
          "entry", "it does not export `leat_plugin`", "the daemon finds the plugin by this symbol",
          "define it with LEAT_PLUGIN (C++) or as LEAT_ENTRY says (C), and keep it in the version script");
    if (entry->type != STT_OBJECT || entry->size < kLeastEntry)
      error("entry", "its `leat_plugin` is no leat_plugin_entry", "the daemon would read beyond it",
            "define it with LEAT_PLUGIN (C++) or as LEAT_ENTRY says (C)");
  }

  void check_exports() {
    const std::string others = names(dynamic_, [](const Symbol& symbol) {
      return symbol.defined && symbol.binding != STB_LOCAL && symbol.name != "leat_plugin" &&
             !symbol.name.empty();
    });
    if (!others.empty())
      warn("exports", "it exports " + others, "two versions of the plugin can get into each other's way",
           "compile with -fvisibility=hidden and link with the version script plugin.map");
  }

  void check_unique() {
    const std::string unique =
        names(dynamic_, [](const Symbol& symbol) { return symbol.binding == STB_GNU_UNIQUE; });
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
    const std::string allocator = names(all_, [&](const Symbol& symbol) {
      return symbol.defined && std::ranges::contains(kAllocator, symbol.name);
    });
    if (!allocator.empty())
      error("allocator", "it brings an allocator of its own: " + allocator,
            "memory that one allocator gave and another frees ends the process",
            "link no allocator into a plugin");
    constexpr std::array<std::string_view, 3> kRuntime = {"__cxa_throw", "__cxa_begin_catch",
                                                          "_Unwind_RaiseException"};
    const std::string runtime = names(all_, [&](const Symbol& symbol) {
      return symbol.defined && std::ranges::contains(kRuntime, symbol.name);
    });
    if (!runtime.empty())
      error("runtime", "it contains the C++ runtime: " + runtime,
            "an exception that crosses from one runtime into another ends the process",
            "link without -static-libstdc++ and -static-libgcc");
  }

  void check_threads() {
    const std::string destructors = names(dynamic_, [](const Symbol& symbol) {
      return !symbol.defined &&
             (symbol.name == "__cxa_thread_atexit" || symbol.name == "__cxa_thread_atexit_impl");
    });
    if (!destructors.empty())
      error("thread-local", "it has a thread_local variable with a destructor: " + destructors,
            "it keeps the plugin loaded while the thread lives, and runs after the plugin's state has gone",
            "keep per-worker state in worker_init(), or in the class Worker");
  }

  void check_link() {
    const auto flag = [this](int64_t tag, uint64_t bit) {
      return std::ranges::any_of(file_.dynamic(tag), [bit](uint64_t value) { return (value & bit) != 0; });
    };
    const auto stack = file_.segment(PT_GNU_STACK);
    if (!stack || (stack->p_flags & PF_X) != 0)
      error("stack", "it asks for an executable stack",
            "hardened systems refuse it, and all others lose a defence",
            "link with -z noexecstack; assembly sources need a .note.GNU-stack section");
    if (!file_.dynamic(DT_TEXTREL).empty() || flag(DT_FLAGS, DF_TEXTREL))
      error("text-relocations", "its code is changed while it is loaded", "hardened systems refuse it",
            "compile everything in it with -fPIC");
    if (file_.dynamic(DT_BIND_NOW).empty() && !flag(DT_FLAGS, DF_BIND_NOW) && !flag(DT_FLAGS_1, DF_1_NOW))
      warn("bind-now", "its symbols are looked up when they are first called",
           "elsewhere than in Leat, a missing one shows in the midst of a request", "link with -z now");
    if (!file_.note("GNU", NT_GNU_BUILD_ID))
      warn("build-id", "it has no build id", "a crash report cannot say which build it was",
           "link with --build-id");
    for (const int64_t tag : {DT_RPATH, DT_RUNPATH})
      for (const std::string_view path : file_.dynamic_text(tag))
        if (path.contains("$ORIGIN"))
          warn("run-path", fmt::format("its run path is `{}`", path),
               "the plugin is loaded from a private copy: $ORIGIN is not its folder",
               "link those libraries statically, or install them where the system looks");
  }

  const ElfFile& file_;
  std::vector<Symbol> dynamic_;  // what the dynamic linker sees
  std::vector<Symbol> all_;      // with those that are hidden, if they were not stripped
  std::vector<Finding> findings_;
};

// What the child of try_to_load() says of a plugin that loads: a line for each name, after one of these.
constexpr char kProvides = '+';
constexpr char kNeeds = '!';
constexpr char kWouldUse = '?';

std::string tell(const PluginLibrary& library) {
  std::string text;
  const auto add = [&text](char what, leat_str name) {
    text += what + std::string(name.ptr, name.len) + "\n";
  };
  for (const leat_service& each : library.services()) add(kProvides, each.name);
  for (const leat_need& each : library.needs())
    add((each.flags & LEAT_NEED_OPTIONAL) != 0 ? kWouldUse : kNeeds, each.name);
  return text;
}

Trial read_telling(std::string_view text) {
  Trial trial;
  while (!text.empty()) {
    const size_t line = std::min(text.find('\n'), text.size());
    std::string name(text.substr(1, line - 1));
    if (text[0] == kProvides)
      trial.services.push_back(std::move(name));
    else
      trial.needs.push_back({std::move(name), text[0] == kWouldUse});
    text.remove_prefix(std::min(line + 1, text.size()));
  }
  return trial;
}

// The child of try_to_load(): its status is 0 where the plugin loads, else its text is an error's.
[[noreturn]] void load_and_tell(const std::string& path, const LibraryOptions& options, uint32_t timeout_ms,
                                int out) {
  // Whoever handles them here would tell of the parent.
  for (const int fatal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT}) ::signal(fatal, SIG_DFL);
  ::alarm(timeout_ms / 1000 + 1);  // should the parent die
  const auto library = PluginLibrary::load(path, options);
  const std::string text = library ? tell(**library) : library.error().message + "\n" + library.error().hint;
  [[maybe_unused]] const auto written = ::write(out, text.data(), text.size());
  ::_exit(library ? 0 : 1);  // without its destructors: loading is what was asked
}

// All that is written to the other end until it is closed; nothing where that takes longer.
std::optional<std::string> hear(int in, uint32_t timeout_ms) {
  using std::chrono::steady_clock;
  const auto end = steady_clock::now() + std::chrono::milliseconds(timeout_ms);
  std::string said;
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - steady_clock::now()).count();
    pollfd event{in, POLLIN, 0};
    const int ready = left > 0 ? ::poll(&event, 1, static_cast<int>(left)) : 0;
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return std::nullopt;
    char piece[4096];
    const ssize_t size = ::read(in, piece, sizeof piece);
    if (size <= 0) return said;
    said.append(piece, static_cast<size_t>(size));
  }
}

}  // namespace

std::vector<Finding> check_plugin(std::string_view bytes) {
  const auto file = ElfFile::read(bytes);
  if (!file)
    return {{Severity::Error, "file", file.error().message, "it cannot be loaded here", file.error().hint}};
  return Checker(*file).run();
}

Trial try_to_load(const std::string& path, const LibraryOptions& options, uint32_t timeout_ms) {
  const auto finding = [](std::string found, std::string reason, std::string fix) {
    return Trial{
        .findings = {{Severity::Error, "load", std::move(found), std::move(reason), std::move(fix)}}};
  };
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0)
    return finding(fmt::format("it could not be tried: {}", std::strerror(errno)),
                   "a process of its own is needed", "");
  const Fd out(ends[0]);
  Fd in(ends[1]);
  const pid_t child = ::fork();
  if (child < 0)
    return finding(fmt::format("it could not be tried: {}", std::strerror(errno)),
                   "a process of its own is needed", "");
  if (child == 0) load_and_tell(path, options, timeout_ms, in.get());
  in.reset();
  const std::optional<std::string> said = hear(out.get(), timeout_ms);
  if (!said) ::kill(child, SIGKILL);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!said)
    return finding(fmt::format("loading it takes longer than {} ms", timeout_ms),
                   "the daemon would not come to serve",
                   "do nothing slow in constructors of static objects and in load()");
  if (WIFSIGNALED(status))
    return finding(fmt::format("loading it ends the process with signal {} ({})", WTERMSIG(status),
                               ::strsignal(WTERMSIG(status))),
                   "the daemon would end with it", "run it in a debugger: gdb --args leat plugin check FILE");
  if (WEXITSTATUS(status) == 0) return read_telling(*said);
  const size_t line = std::min(said->find('\n'), said->size());
  return finding(said->substr(0, line), "the daemon would refuse it",
                 said->substr(std::min(line + 1, said->size())));
}

}  // namespace leat::plugin
