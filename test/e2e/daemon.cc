#include "e2e/daemon.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>
#include <thread>

namespace leat::e2e {
namespace {

constexpr std::string_view kListening = "listening on ";

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string binary() {
  const char* path = std::getenv("LEAT_BINARY");
  REQUIRE(path != nullptr);
  return path;
}

// OpenSSL writes to a client's socket as to any file: that the daemon has closed it is an error, and not this program's end.
[[maybe_unused]] const auto former_handler = ::signal(SIGPIPE, SIG_IGN);

// Starts a program with its output in files. The child dies with the test, whatever happens to the test.
int spawn(const std::string& program, const std::vector<std::string>& arguments, const std::string& output,
          const std::string& errors, uint64_t descriptors, const std::string& folder = ".") {
  std::vector<char*> words{const_cast<char*>(program.c_str())};
  for (const std::string& argument : arguments) words.push_back(const_cast<char*>(argument.c_str()));
  words.push_back(nullptr);
  const int pid = fork();
  REQUIRE(pid >= 0);
  if (pid > 0) return pid;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::signal(SIGPIPE, SIG_DFL);
  const int out = open(output.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  const int err = open(errors.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_TRUNC, 0600);
  const int in = open("/dev/null", O_RDONLY);
  if (out < 0 || err < 0 || in < 0) _exit(127);
  dup2(in, 0);
  dup2(out, 1);
  dup2(err, 2);
  close_range(3, ~0U, 0);
  if (chdir(folder.c_str()) != 0) _exit(127);
  if (descriptors != 0) {
    const rlimit limit{descriptors, descriptors};
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) _exit(127);
  }
  execv(program.c_str(), words.data());
  _exit(127);
}

int status_of(int wait_status) {
  return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
}

// The status once `pid` has ended; empty after kPatience, when it was killed.
std::optional<int> wait_for(int pid) {
  int status = 0;
  if (wait_until([&] { return waitpid(pid, &status, WNOHANG) == pid; })) return status_of(status);
  kill(pid, SIGKILL);
  waitpid(pid, &status, 0);
  return std::nullopt;
}

}  // namespace

void sleep_a_little() { std::this_thread::sleep_for(std::chrono::milliseconds(3)); }

TempFolder::TempFolder() {
  std::string name = (std::filesystem::temp_directory_path() / "leat-e2e-XXXXXX").string();
  REQUIRE(mkdtemp(name.data()) != nullptr);
  folder_ = name;
}

TempFolder::~TempFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

std::string TempFolder::write(std::string_view name, std::string_view text) const {
  const std::string file = path(name);
  std::ofstream(file, std::ios::binary) << text;
  return file;
}

Outcome run_leat(const std::vector<std::string>& arguments) { return run_program(binary(), arguments); }

Outcome run_program(const std::string& program, const std::vector<std::string>& arguments) {
  const TempFolder folder;
  const int pid = spawn(program, arguments, folder.path("out"), folder.path("err"), 0);
  const std::optional<int> status = wait_for(pid);
  Outcome outcome{status.value_or(-1), read_file(folder.path("out")), read_file(folder.path("err"))};
  INFO(outcome.errors);
  REQUIRE(status.has_value());
  return outcome;
}

Daemon::Daemon(std::string_view configuration) : Daemon(configuration, Options()) {}

Daemon::Daemon(std::string_view configuration, Options options) {
  std::vector<std::string> arguments{"run", "-c", folder_.write("leat.toml", configuration)};
  arguments.insert(arguments.end(), options.arguments.begin(), options.arguments.end());
  pid_ = spawn(options.program.empty() ? binary() : options.program, arguments, path("out"), path("err"),
               options.descriptors);
  wait_until_ready(options.listeners);
}

Daemon::Daemon(const std::vector<std::string>& arguments) {
  pid_ = spawn(binary(), arguments, path("out"), path("err"), 0);
  wait_until_ready(1);
}

Daemon::Daemon(const std::vector<std::string>& arguments, const std::string& folder,
               const std::string& log_file)
    : log_file_(log_file) {
  pid_ = spawn(binary(), arguments, path("out"), path("err"), 0, folder);
  wait_until_ready(1);
}

Daemon::~Daemon() {
  if (!status_) {
    signal(SIGTERM);
    signal(SIGTERM);
    status_ = wait_for(pid_).value_or(-1);
    if (*status_ != 0) FAIL_CHECK("the daemon ended with status " << *status_ << ":\n" << log());
  }
}

void Daemon::wait_until_ready(size_t listeners) {
  const bool ready = wait_until([&] {
    addresses_.clear();
    std::istringstream lines(log());
    for (std::string line; std::getline(lines, line);) {
      const size_t at = line.find(kListening);
      if (at == std::string::npos || lines.eof()) continue;
      const size_t from = at + kListening.size();
      addresses_.push_back(line.substr(from, line.find_first_of(" \"", from) - from));
    }
    return addresses_.size() >= listeners || !running();
  });
  if (ready && addresses_.size() >= listeners) return;
  if (!status_) {
    kill(pid_, SIGKILL);
    status_ = wait_for(pid_).value_or(-1);
  }
  FAIL("the daemon does not listen, status " << *status_ << ":\n" << log());
}

void Daemon::signal(int number) const { kill(pid_, number); }

int Daemon::wait() {
  if (!status_) {
    status_ = wait_for(pid_);
    INFO(log());
    REQUIRE(status_.has_value());
  }
  return *status_;
}

bool Daemon::running() {
  if (status_) return false;
  int status = 0;
  if (waitpid(pid_, &status, WNOHANG) != pid_) return true;
  status_ = status_of(status);
  return false;
}

std::string Daemon::log() const {
  return read_file(path("err")) + (log_file_.empty() ? "" : read_file(log_file_));
}
std::string Daemon::output() const { return read_file(path("out")); }

bool Daemon::logs(std::string_view text) const {
  return wait_until([&] { return log().contains(text); });
}

int Daemon::serving_pid() const {
  const std::string pid = std::to_string(pid_);
  std::ifstream children("/proc/" + pid + "/task/" + pid + "/children");
  int child = 0;
  return children >> child ? child : 0;
}

uint64_t Daemon::resident_kib() const {
  std::ifstream status("/proc/" + std::to_string(serving_pid()) + "/status");
  for (std::string word; status >> word;) {
    uint64_t kib = 0;
    if (word == "VmRSS:" && status >> kib) return kib;
  }
  return 0;
}

size_t Daemon::open_descriptors() const {
  const std::filesystem::directory_iterator entries("/proc/" + std::to_string(serving_pid()) + "/fd");
  return static_cast<size_t>(std::distance(begin(entries), end(entries)));
}

uint64_t raise_descriptor_limit(uint64_t wanted) {
  rlimit limit{};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &limit) == 0);
  if (limit.rlim_cur >= wanted) return limit.rlim_cur;
  limit.rlim_cur = std::min<rlim_t>(wanted, limit.rlim_max);
  REQUIRE(setrlimit(RLIMIT_NOFILE, &limit) == 0);
  return limit.rlim_cur;
}

}  // namespace leat::e2e
