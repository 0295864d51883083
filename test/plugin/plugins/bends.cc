// A plugin that ends the process that it is loaded into, or changes what belongs to all of it: its locale,
// its folder, its descriptors, its signals, its memory.
//
// `at` says when: "create", "init" (of the first worker), "test" or "destroy"; `does` what. As a handler,
// `does` is the name.
#include <leat/plugin.hpp>

#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <clocale>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <fstream>
#include <iterator>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <vector>

namespace {

using Text = std::string_view;

// A stack that no tail call flattens.
[[gnu::noinline]] int overflow(int depth) {
  volatile char frame[4096];
  frame[0] = static_cast<char>(depth);
  return depth > 1 << 30 ? 0 : overflow(depth + 1) + frame[0];
}

// Writes over its own return address and its callers' frames.
[[gnu::noinline]] void smash() {
  char small[8];
  volatile size_t size = 2048;
  std::memset(small, 0x41, size);
}

// So that a test knows that it is there.
void say_hanging() { [[maybe_unused]] const auto said = ::write(2, "bends: hangs\n", 13); }

void let_through(int signal) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signal);
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

void bend(Text how) {
  if (how == "exit") std::exit(0);
  if (how == "exit3") std::exit(3);
  if (how == "_exit") ::_exit(0);
  if (how == "quick_exit") std::quick_exit(0);
  if (how == "exit_group") ::syscall(SYS_exit_group, 0);
  if (how == "terminate") std::terminate();
  if (how == "trap") ::raise(SIGTRAP);
  if (how == "segv") ::raise(SIGSEGV);
  if (how == "unheard_segv") {
    ::signal(SIGSEGV, SIG_DFL);
    ::raise(SIGSEGV);
  }
  if (how == "overflow") overflow(0);
  if (how == "smash") smash();
  if (how == "hang") {
    say_hanging();
    for (;;) ::pause();
  }
  if (how == "deaf_hang") {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, nullptr);
    say_hanging();
    for (;;) ::pause();
  }
  if (how == "slow") ::usleep(700'000);
  if (how == "locale") std::setlocale(LC_ALL, "");
  if (how == "chdir" && ::chdir("/") != 0) std::abort();
  if (how == "handlers")
    for (const int each : {SIGSEGV, SIGABRT, SIGTERM, SIGPIPE})
      ::signal(each, each == SIGPIPE ? SIG_DFL : SIG_IGN);
  if (how == "let_through") let_through(SIGTERM);
  if (how == "no_children") ::signal(SIGCHLD, SIG_IGN);
  if (how == "close_standard")
    for (int fd = 0; fd < 3; ++fd) ::close(fd);
  if (how == "close_all")
    for (int fd = 3; fd < 1024; ++fd) ::close(fd);
}

// What a child says of the signals that it blocks and ignores, and of its descriptors; started by one of the four ways
// that there are.
std::string of_a_child(Text how) {
  char path[] = "/tmp/leat-child-XXXXXX";
  ::close(::mkstemp(path));
  const std::string command =
      "grep -E '^Sig(Blk|Ign)' /proc/self/status > " + std::string(path) + "; ls -l /proc/self/fd >> " + path;
  const char* words[] = {"sh", "-c", command.c_str(), nullptr};
  pid_t child = -1;
  if (how == "system" && std::system(command.c_str()) != 0) return "system() failed";
  if (how == "popen") ::pclose(::popen(command.c_str(), "r"));
  if (how == "spawn")
    ::posix_spawn(&child, "/bin/sh", nullptr, nullptr, const_cast<char* const*>(words), environ);
  if (how == "fork" && (child = ::fork()) == 0) {
    ::execv("/bin/sh", const_cast<char* const*>(words));
    ::_exit(127);
  }
  if (child > 0) ::waitpid(child, nullptr, 0);
  std::ifstream file(path);
  std::string said(std::istreambuf_iterator<char>(file), {});
  ::unlink(path);
  return said;
}

class Bends : public leat::Plugin<Bends> {
 public:
  explicit Bends(leat::Setup& setup) : at_(setup.text("at", "")), does_(setup.text("does", "")) {
    constexpr Text kNeeds = "needs:";  // a file
    if (does_.starts_with(kNeeds) && ::access(does_.c_str() + kNeeds.size(), F_OK) != 0)
      setup.fail("does", "what it needs is not there");
    if (at_ == "create") bend(does_);
  }
  ~Bends() {
    if (at_ == "destroy") bend(does_);
  }
  void self_test() {
    if (at_ == "test") bend(does_);
  }
  struct Worker : leat::PerWorker {
    Worker(Bends& plugin, uint32_t) {
      if (plugin.at_ == "init") bend(plugin.does_);
    }
  };

  leat::Reply bends(leat::Query<Text, "how"> how) {
    bend(*how);
    return leat::text("bent");
  }
  leat::Reply child(leat::Query<Text, "how"> how) { return leat::text(of_a_child(*how)); }
  // What the C library makes of the locale, to see that there is one.
  leat::Reply locale() {
    char text[64];
    std::snprintf(text, sizeof text, "%.1f", 1.5);
    return leat::text(std::string(text));
  }
  leat::Reply number(leat::Json& json) { return json.object("half", 0.5); }
  leat::Reply allocate(leat::Query<Text, "how"> how) {
    const size_t most = size_t{1} << 60;
    struct alignas(64) Wide {
      char bytes[64];
    };
    volatile size_t sizes = most;
    if (how.value == "new") ::operator delete(::operator new(sizes));
    if (how.value == "array") delete[] new char[sizes];
    if (how.value == "aligned") delete[] new Wide[sizes / 64];
    if (how.value == "vector") std::vector<char>(sizes).at(0) = 1;
    if (how.value == "string") return leat::text(std::string(sizes, 'x'));
    if (how.value == "shared") std::make_shared<std::vector<long>>(sizes);
    const bool null = (how.value == "nothrow" && new (std::nothrow) char[sizes] == nullptr) ||
                      (how.value == "malloc" && std::malloc(sizes) == nullptr);
    return leat::text(std::string(null ? "null" : "memory"));
  }

  static constexpr auto handlers() {
    return leat::list(handler<&Bends::bends>("bends"), handler<&Bends::locale>("locale"),
                      handler<&Bends::number>("number"), handler<&Bends::allocate>("allocate"),
                      handler<&Bends::child>("child"));
  }

 private:
  std::string at_, does_;
};

}  // namespace

LEAT_PLUGIN(Bends, "bends", "1.0.0")
