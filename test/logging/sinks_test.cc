// Sinks: where lines go, what becomes of them when nobody takes them, and how few writes that is.
#include "logging/sinks.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/fd.h"
#include "base/log.h"

namespace leat::logging {

namespace {

namespace fs = std::filesystem;

class Folder {
 public:
  Folder() { REQUIRE(::mkdtemp(path_.data()) != nullptr); }
  ~Folder() { fs::remove_all(path_); }
  [[nodiscard]] std::string path(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_ = (fs::temp_directory_path() / "leat-sinks-XXXXXX").string();
};

std::string read(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

template <class Done>
bool wait_until(Done done) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!done()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

// What the daemon's log is told meanwhile.
class Told {
 public:
  Told() {
    text().clear();
    log::divert(+[](log::Level, std::string_view line) {
      const std::lock_guard lock(mutex());
      text() += std::string(line) + "\n";
    });
  }
  ~Told() { log::divert(nullptr); }
  [[nodiscard]] static bool contains(std::string_view what) {
    const std::lock_guard lock(mutex());
    return text().contains(what);
  }

 private:
  static std::mutex& mutex() {
    static std::mutex one;
    return one;
  }
  static std::string& text() {
    static std::string one;
    return one;
  }
};

bool put(Sink& sink, std::string_view line, uint32_t worker = 0) {
  char* const at = sink.begin(worker, 1024);
  if (at == nullptr) return false;
  std::memcpy(at, line.data(), line.size());
  at[line.size()] = sink.target().terminator();
  sink.end(worker, at + line.size() + 1);
  return true;
}

std::shared_ptr<Sink> open(Sinks& sinks, const Target& target, uint32_t workers = 1) {
  auto sink = sinks.open(target, workers);
  REQUIRE(sink);
  return std::move(*sink);
}

Target file(const std::string& path) { return {.to = Target::To::File, .path = path}; }

// The numbers that lines "NUMBER ..." begin with follow each other from 0 on.
size_t count_in_order(const std::string& text) {
  size_t next = 0;
  for (size_t at = 0; at < text.size(); at = text.find('\n', at) + 1) {
    if (!text.substr(at).starts_with(std::to_string(next) + " ")) return SIZE_MAX;
    ++next;
    if (text.find('\n', at) == std::string::npos) return SIZE_MAX;  // cut
  }
  return next;
}

Fd datagrams(const std::string& path) {
  Fd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  REQUIRE(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  return socket;
}

std::string receive(const Fd& socket) {
  char bytes[4096];
  const ssize_t size = ::recv(socket.get(), bytes, sizeof bytes, 0);
  return {bytes, static_cast<size_t>(std::max<ssize_t>(size, 0))};
}

}  // namespace

TEST_CASE("sinks: before they are started nothing is made, and what cannot be is told") {
  const Folder folder;
  Sinks sinks;
  CHECK(sinks.open(file(folder.path("access.log")), 1));
  CHECK_FALSE(fs::exists(folder.path("access.log")));
  for (const bool started : {false, true}) {
    if (started) sinks.start();
    const auto missing = sinks.open(file(folder.path("no/access.log")), 1);
    REQUIRE_FALSE(missing);
    CHECK(missing.error() == "the access log " + folder.path("no/access.log") +
                                 " cannot be written: open: No such file or directory");
    const auto directory = sinks.open(file(folder.path("")), 1);
    REQUIRE_FALSE(directory);
    CHECK(directory.error().ends_with("Is a directory"));
  }
}

TEST_CASE("sinks: lines of all workers come whole, in their order, in few writes") {
  const Folder folder;
  constexpr uint32_t kWorkers = 3;
  constexpr int kLines = 20'000;
  Sinks sinks;
  sinks.start();
  const auto sink = open(sinks, file(folder.path("access.log")), kWorkers);
  const auto begin = std::chrono::steady_clock::now();
  std::vector<std::thread> workers;
  for (uint32_t worker = 0; worker < kWorkers; ++worker)
    workers.emplace_back([&, worker] {
      for (int i = 0; i < kLines;)
        if (put(*sink, std::to_string(i) + " " + std::to_string(worker) + std::string(80, 'x'), worker))
          ++i;
        else
          std::this_thread::sleep_for(std::chrono::milliseconds(1));
    });
  for (std::thread& each : workers) each.join();
  sinks.stop();
  const auto periods =
      static_cast<uint64_t>((std::chrono::steady_clock::now() - begin) / std::chrono::milliseconds(100));
  const std::string text = read(folder.path("access.log"));
  std::vector<int> next(kWorkers);
  size_t lines = 0;
  for (size_t at = 0; at < text.size(); at = text.find('\n', at) + 1, ++lines) {
    char* end = nullptr;
    const long number = std::strtol(text.c_str() + at, &end, 10);
    const auto worker = static_cast<size_t>(end[1] - '0');
    REQUIRE(worker < kWorkers);
    REQUIRE(number == next[worker]++);
  }
  CHECK(lines == size_t{kWorkers} * kLines);
  const Sinks::Counts counts = sinks.counts();
  CHECK(counts.lines == lines);
  // Of those that found no room each was tried again.
  CHECK(counts.writes <= text.size() / Sinks::kHandOver + periods + 2);
}

TEST_CASE("sinks: the same target is the same sink, and ends with the last who has it") {
  const Folder folder;
  Sinks sinks;
  sinks.start();
  auto one = open(sinks, file(folder.path("one")));
  auto again = open(sinks, file(folder.path("one")));
  const auto other = open(sinks, file(folder.path("other")));
  CHECK(one == again);
  CHECK(one != other);
  CHECK(open(sinks, file(folder.path("one")), 2) != one);  // it has room for more workers
  put(*one, "0 last");
  one.reset();
  again.reset();
  CHECK(wait_until([&] { return read(folder.path("one")) == "0 last\n"; }));
  put(*other, "0 more");
  CHECK(wait_until([&] { return read(folder.path("other")) == "0 more\n"; }));
  CHECK(sinks.counts().lines == 2);  // also of what is gone
}

TEST_CASE("sinks: a file that was moved away is written to the end, and USR1 begins a new one") {
  const Folder folder;
  Sinks sinks;
  sinks.start();
  const auto sink = open(sinks, file(folder.path("log")));
  put(*sink, "0 before");
  CHECK(wait_until([&] { return !read(folder.path("log")).empty(); }));
  fs::rename(folder.path("log"), folder.path("log.1"));
  put(*sink, "1 moved");
  CHECK(wait_until([&] { return read(folder.path("log.1")).contains("1 moved"); }));
  put(*sink, "2 waits");
  sinks.reopen();
  CHECK(wait_until([&] { return fs::exists(folder.path("log")); }));
  put(*sink, "3 after");
  sinks.stop();
  CHECK(read(folder.path("log.1")) == "0 before\n1 moved\n2 waits\n");
  CHECK(read(folder.path("log")) == "3 after\n");
}

TEST_CASE("sinks: where the new one cannot be opened the old one goes on, and that is told") {
  const Folder folder;
  const Told told;
  Sinks sinks;
  sinks.start();
  fs::create_directory(folder.path("sub"));
  const auto sink = open(sinks, file(folder.path("sub/log")));
  fs::rename(folder.path("sub/log"), folder.path("log"));
  fs::remove_all(folder.path("sub"));
  sinks.reopen();
  CHECK(wait_until([] { return Told::contains("goes on in the file that was open"); }));
  put(*sink, "0 still");
  sinks.stop();
  CHECK(read(folder.path("log")) == "0 still\n");
}

TEST_CASE("sinks: a file that was deleted is made anew, and that is told") {
  const Folder folder;
  const Told told;
  Sinks sinks;
  sinks.start();
  const auto sink = open(sinks, file(folder.path("log")));
  put(*sink, "0 lost");
  CHECK(wait_until([&] { return !read(folder.path("log")).empty(); }));
  fs::remove(folder.path("log"));
  CHECK(wait_until([&] {
    put(*sink, "1 again");
    return fs::exists(folder.path("log"));
  }));
  CHECK(wait_until([] { return Told::contains("was deleted: a new one is written"); }));
}

TEST_CASE("sinks: a file is rotated before it is larger than it may be") {
  const Folder folder;
  Target target = file(folder.path("log"));
  target.rotate_size = 10'000;
  target.rotate_keep = 2;
  Sinks sinks;
  sinks.start();
  const auto sink = open(sinks, target);
  int number = 0;
  for (int batch = 0; batch < 9; ++batch) {
    for (int i = 0; i < 40; ++i) put(*sink, std::to_string(number++) + " " + std::string(95, 'r'));
    const std::string last = std::to_string(number - 1) + " ";
    REQUIRE(wait_until([&] { return read(folder.path("log")).contains("\n" + last); }));
  }
  sinks.stop();
  CHECK_FALSE(fs::exists(folder.path("log.3")));
  const std::string all = read(folder.path("log.2")) + read(folder.path("log.1")) + read(folder.path("log"));
  for (const char* name : {"log", "log.1", "log.2"}) CHECK(fs::file_size(folder.path(name)) <= 10'000);
  // The oldest are gone; the others follow each other.
  const size_t first = std::stoul(all);
  size_t next = first;
  for (size_t at = 0; at < all.size(); at = all.find('\n', at) + 1)
    REQUIRE(all.substr(at).starts_with(std::to_string(next++) + " "));
  CHECK(next == static_cast<size_t>(number));
  CHECK(first > 0);
}

TEST_CASE("sinks: a reader that stalls costs lines that are counted and told, and none is torn") {
  const Folder folder;
  const Told told;
  const std::string path = folder.path("pipe");
  REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  Sinks sinks;
  sinks.start();
  CHECK_FALSE(sinks.open(file(path), 1));  // nobody reads: an error and no wait
  const Fd reader(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  REQUIRE(reader);
  const auto sink = open(sinks, file(path));
  size_t taken = 0;
  size_t refused = 0;
  while (refused < 1000)
    if (put(*sink, std::to_string(taken) + " " + std::string(200, 's')))
      ++taken;
    else
      ++refused;
  CHECK(wait_until([] { return Told::contains("dropped: its reader does not keep up"); }));
  CHECK(sinks.counts().dropped == 1000);
  // It reads again: what was taken comes, and nothing else.
  std::string text;
  CHECK(wait_until([&] {
    char bytes[65536];
    for (ssize_t size = 0; (size = ::read(reader.get(), bytes, sizeof bytes)) > 0;)
      text.append(bytes, static_cast<size_t>(size));
    return static_cast<size_t>(std::ranges::count(text, '\n')) == taken;
  }));
  CHECK(count_in_order(text) == taken);
  put(*sink, std::to_string(taken) + " on it goes");
  CHECK(wait_until([&] {
    char bytes[100];
    const ssize_t size = ::read(reader.get(), bytes, sizeof bytes);
    return size > 0 && std::string_view(bytes, static_cast<size_t>(size)).ends_with("on it goes\n");
  }));
  sinks.stop();
  CHECK(sinks.counts().dropped == 1000);
  CHECK(sinks.counts().lines == taken + 1);
}

TEST_CASE("sinks: the end waits a moment for a reader that stalls, and counts what it did not take") {
  const Folder folder;
  const Told told;
  const std::string path = folder.path("pipe");
  REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  const Fd reader(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  Sinks sinks;
  sinks.start();
  const auto sink = open(sinks, file(path));
  size_t taken = 0;
  while (put(*sink, std::to_string(taken) + " " + std::string(200, 's'))) ++taken;
  sinks.stop();
  std::string text;
  char bytes[65536];
  for (ssize_t size = 0; (size = ::read(reader.get(), bytes, sizeof bytes)) > 0;)
    text.append(bytes, static_cast<size_t>(size));
  const size_t read = count_in_order(text);
  REQUIRE(read != SIZE_MAX);
  CHECK(read > 0);
  CHECK(sinks.counts().dropped == taken - read + 1);
  CHECK(Told::contains("dropped: its reader does not keep up"));
}

TEST_CASE("sinks: a full disk costs lines that are counted, with its reason") {
  const Told told;
  Sinks sinks;
  sinks.start();
  const auto sink = open(sinks, file("/dev/full"));
  for (int i = 0; i < 100; ++i) put(*sink, "a line");
  sinks.stop();
  CHECK(sinks.counts().dropped == 100);
  CHECK(Told::contains("100 lines of the access log /dev/full were dropped: write: No space left on device"));
}

TEST_CASE("sinks: a message to syslog is as its library writes it") {
  const Folder folder;
  const std::string path = folder.path("syslog");
  Sinks sinks;
  sinks.start();
  const auto sink =
      open(sinks, {.to = Target::To::Syslog, .path = path, .facility = Target::Facility::Local3});
  // Whoever listens may come later.
  put(*sink, "0 first");
  const Fd socket = datagrams(path);
  const std::string first = receive(socket);
  CHECK(first.starts_with("<158>"));  // 19 * 8 + 6
  CHECK(first.ends_with(" leat[" + std::to_string(::getpid()) + "]: 0 first"));
  CHECK(first.size() ==
        std::string_view("<158>Nov 29 10:00:00 leat[]: 0 first").size() + std::to_string(::getpid()).size());
  for (int i = 1; i <= 200; ++i) put(*sink, std::to_string(i) + " more");
  for (int i = 1; i <= 200; ++i) REQUIRE(receive(socket).ends_with(": " + std::to_string(i) + " more"));
}

TEST_CASE("sinks: a record of the journal is one datagram, as it was made") {
  const Folder folder;
  const std::string path = folder.path("journal");
  const Fd socket = datagrams(path);
  Sinks sinks;
  sinks.start();
  const auto sink = open(sinks, {.to = Target::To::Journald, .path = path});
  put(*sink, "MESSAGE=one\nLEAT_STATUS=200\n");
  put(*sink, "MESSAGE=two\n");
  CHECK(receive(socket) == "MESSAGE=one\nLEAT_STATUS=200\n");
  CHECK(receive(socket) == "MESSAGE=two\n");
}

TEST_CASE("sinks: a syslog that nobody reads drops and does not wait; another that comes is found") {
  const Folder folder;
  const Told told;
  const std::string path = folder.path("syslog");
  Sinks sinks;
  sinks.start();
  const auto sink = open(sinks, {.to = Target::To::Syslog, .path = path});
  {
    const Fd socket = datagrams(path);
    while (put(*sink, std::string(900, 'd'))) {
    }
    CHECK(wait_until([] { return Told::contains("were dropped") || Told::contains("was dropped"); }));
  }
  fs::remove(path);
  const Fd socket = datagrams(path);
  CHECK(receive(socket).ends_with("ddd"));
}

TEST_CASE("sinks: where the daemon's log goes, its lines go, too, whole among the others") {
  const Folder folder;
  REQUIRE(log::open({.file = folder.path("first")}));
  Sinks sinks;
  sinks.start();
  const auto sink = open(sinks, {});
  for (int i = 0; i < 2000; ++i) {
    put(*sink, "access");
    if (i % 10 == 0) log::warn("daemon");
  }
  CHECK(wait_until([&] { return read(folder.path("first")).contains("access\n"); }));
  REQUIRE(log::open({.file = folder.path("second")}));
  put(*sink, "moved");
  CHECK(wait_until([&] { return read(folder.path("second")) == "moved\n"; }));
  sinks.stop();
  log::close();
  const std::string text = read(folder.path("first"));
  size_t access = 0, daemon = 0;
  for (size_t at = 0; at < text.size(); at = text.find('\n', at) + 1) {
    const std::string line = text.substr(at, text.find('\n', at) - at);
    REQUIRE((line == "access" || line.ends_with("warning daemon")));
    ++(line == "access" ? access : daemon);
  }
  CHECK(access == 2000);
  CHECK(daemon == 200);
}

}  // namespace leat::logging
