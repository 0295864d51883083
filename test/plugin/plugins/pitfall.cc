// A plugin that is sound, and with a definition breaks one rule that `leat plugin check` knows.
#include <leat/plugin.hpp>

#include <sys/mman.h>
#include <unistd.h>
#include <clocale>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <string>

namespace {

#ifdef THREAD_LOCAL
thread_local int calls = 0;
#endif
#ifdef THREAD_DESTRUCTOR
thread_local std::unique_ptr<std::string> last;
#endif
#ifdef CRASHES
[[gnu::constructor]] void crash() { raise(SIGSEGV); }
#endif
#ifdef EXITS
[[gnu::constructor]] void leave() { _exit(0); }
#endif
#ifdef GREEDY  // 6 GiB, written to
[[gnu::constructor]] void take() {
  constexpr size_t kSize = size_t{6} << 30;
  void* memory =
      mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) raise(SIGUSR1);
}
#endif
#ifdef LEAVES_OTHERS  // a process that holds whatever was open, and never ends
[[gnu::constructor]] void leave_one() {
  if (fork() == 0)
    for (;;) pause();
}
#endif
#ifdef CHATTY  // closes what it finds, after endless talk to whoever reads it
[[gnu::constructor]] void talk() {
  for (int fd = 3; fd < 64; ++fd)
    for (int i = 0; i < 1000 && write(fd, "+9:nonsense/1f1:e.", 18) > 0; ++i) {
    }
  for (int fd = 3; fd < 64; ++fd) close(fd);
  for (;;) pause();
}
#endif
#ifdef HANGS
[[gnu::constructor]] void hang() { pause(); }
#endif

class Pitfall : public leat::Plugin<Pitfall> {
 public:
  leat::Reply answer() {
#ifdef THREAD_LOCAL
    ++calls;
#endif
#ifdef THREAD_DESTRUCTOR
    last = std::make_unique<std::string>("answered");
#endif
#ifdef IMPORTS
    if (getpid() == 0) {
      setlocale(LC_ALL, "C");
      std::signal(SIGUSR1, SIG_IGN);
      if (chdir("/") != 0 || fork() == 0) std::exit(0);
    }
#endif
#ifdef THROWS
    if (getpid() == 0) throw std::string("never");
#endif
    return leat::text("fine");
  }
  static constexpr auto handlers() { return leat::list(handler<&Pitfall::answer>("answer")); }
};

}  // namespace

#ifdef EXPORTS
extern "C" [[gnu::visibility("default")]] int helper_for_all() { return 1; }
#endif
#ifdef UNIQUE
struct [[gnu::visibility("default")]] Shared {
  static inline std::string greeting = "hello";
};
extern "C" [[gnu::visibility("default")]] const char* greeting_of_all() { return Shared::greeting.c_str(); }
#endif
#ifdef ALLOCATOR
extern "C" [[gnu::used]] void* je_malloc(size_t size) { return sbrk(static_cast<intptr_t>(size)); }
extern "C" [[gnu::used]] void je_free(void*) {}
#endif

#ifdef REFUSES
LEAT_NOTE("pitfall");
extern "C" const leat_plugin_entry leat_plugin = {
    LEAT_ENTRY("pitfall", "1.0.0"),
    .load = [](const leat_host* host, leat_error* error) -> int32_t {
      host->fail(error, {}, LEAT_STR("not today"));
      return LEAT_E_STATE;
    },
};
#else
LEAT_PLUGIN(Pitfall, "pitfall", "1.0.0")
#endif
