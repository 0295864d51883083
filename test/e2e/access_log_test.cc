// Access logs of the daemon: nothing lost that was said to be kept, and the daemon serves whatever becomes of them.
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "e2e/client.h"
#include "e2e/configuration.h"
#include "e2e/daemon.h"

namespace leat::e2e {
namespace {

namespace fs = std::filesystem;

std::string read(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

size_t lines_in(const std::string& path) {
  const std::string text = read(path);
  return static_cast<size_t>(std::ranges::count(text, '\n'));
}

std::string access_log(const std::string& options) {
  return "[[middleware]]\nkind = \"access_log\"\n" + options;
}

struct Site {
  explicit Site(const std::string& options, const std::string& more = "", Daemon::Options how = {})
      : daemon(configuration(options, more), how) {}
  [[nodiscard]] std::string configuration(const std::string& options, const std::string& more) const {
    return demo_configuration(
        {.server = "admin_socket = \"" + folder.path("admin") + "\"\n", .more = access_log(options) + more});
  }
  // So many requests, pipelined.
  void ask(size_t count) const {
    Client client(daemon.address());
    for (size_t done = 0; done < count;) {
      const size_t some = std::min<size_t>(count - done, 50);
      std::string batch;
      for (size_t i = 0; i < some; ++i) batch += get("/json");
      client.send(batch);
      for (size_t i = 0; i < some; ++i) REQUIRE(client.read_response().status == 200);
      done += some;
    }
  }
  [[nodiscard]] int64_t metric(const std::string& name) const {
    const Outcome outcome = run_leat({"metrics", "--socket", folder.path("admin")});
    CHECK(outcome.status == 0);
    return number_after(outcome.output, "\n" + name + " ");
  }
  TempFolder folder;
  Daemon daemon;
};

std::string file_option(const std::string& path) { return "file = \"" + path + "\"\n"; }

}  // namespace

TEST_CASE("access log: every request is a line of the file when the daemon ends, in a few writes") {
  const TempFolder folder;
  const std::string path = folder.path("access.log");
  constexpr size_t kRequests = 20'000;
  {
    Site site(file_option(path));
    site.ask(kRequests);
    CHECK(wait_until([&] { return lines_in(path) == kRequests; }));
    CHECK(site.metric("leat_access_log_lines_total") == kRequests);
    CHECK(site.metric("leat_access_log_lines_dropped_total") == 0);
    // A write for 64 KiB or 100 ms: of a line each there would be 20,000.
    CHECK(site.metric("leat_access_log_writes_total") < static_cast<int64_t>(kRequests / 20));
    site.ask(7);
    site.daemon.signal(SIGTERM);
    CHECK(site.daemon.wait() == 0);
  }
  CHECK(lines_in(path) == kRequests + 7);
}

TEST_CASE("access log: rotated by USR1 under load no line is lost") {
  const TempFolder folder;
  const std::string path = folder.path("access.log");
  Site site(file_option(path) + "format = \"{status}\"\n");
  for (int i = 1; i <= 5; ++i) {
    site.ask(1000);
    fs::rename(path, path + "." + std::to_string(i));
    site.ask(500);
    site.daemon.signal(SIGUSR1);
    CHECK(wait_until([&] { return fs::exists(path); }));
  }
  site.ask(1);
  CHECK(wait_until([&] { return lines_in(path) == 1; }));
  size_t all = 0;
  for (int i = 1; i <= 5; ++i) all += lines_in(path + "." + std::to_string(i));
  CHECK(all == 5 * 1500);
}

TEST_CASE("access log: where the daemon's log goes it goes by default, whatever the level") {
  const TempFolder folder;
  const std::string log = folder.path("leat.log");
  const std::string address = "unix:" + folder.path("socket");
  const Daemon daemon(demo_configuration({.listen = {address},
                                          .more = access_log("fields = [\"status\", \"target\"]\n") +
                                                  "[log]\nlevel = \"error\"\nfile = \"" + log + "\"\n"}),
                      {.arguments = {"--workers", "1"},
                       .descriptors = 0,
                       .program = {},
                       .listeners = 0});  // it does not say where
  CHECK(wait_until([&] { return !Client::refused(address); }));
  const auto ask = [&] { CHECK(Client(address).ask(get("/json")).status == 200); };
  const std::string line = "{\"status\":200,\"target\":\"/json\"}\n";
  for (int i = 0; i < 3; ++i) ask();
  CHECK(wait_until([&] { return read(log) == line + line + line; }));
  // Also after a rotation, in the new one.
  fs::rename(log, log + ".1");
  daemon.signal(SIGUSR1);
  CHECK(wait_until([&] { return fs::exists(log); }));
  ask();
  CHECK(wait_until([&] { return read(log).ends_with(line); }));
}

TEST_CASE("access log: a reload takes up another file, another form, and no log at all") {
  const TempFolder folder;
  Site site(file_option(folder.path("one")) + "format = \"{status}\"\n");
  const auto reload = [&](const std::string& middleware) {
    std::string text = read(site.daemon.path("leat.toml"));
    text = text.substr(0, text.find("[[middleware]]")) + middleware;
    std::ofstream(site.daemon.path("leat.toml")) << text;
    return run_leat({"reload", "--socket", site.folder.path("admin")});
  };
  site.ask(10);
  CHECK(reload(access_log(file_option(folder.path("two")) + "format = \"{target}\"\n")).status == 0);
  site.ask(10);
  CHECK(wait_until([&] { return lines_in(folder.path("two")) == 10; }));
  CHECK(lines_in(folder.path("one")) == 10);
  CHECK(read(folder.path("two")).starts_with("/json\n"));
  // One that cannot be is refused, and the other goes on.
  const Outcome refused = reload(access_log(file_option(folder.path("no/three"))));
  CHECK(refused.status != 0);
  CHECK((refused.output + refused.errors).contains("LT0141"));
  site.ask(5);
  CHECK(wait_until([&] { return lines_in(folder.path("two")) == 15; }));
  CHECK(reload("").status == 0);
  site.ask(5);
  CHECK(lines_in(folder.path("two")) == 15);
  CHECK(site.metric("leat_access_log_lines_total") == 25);
}

TEST_CASE("access log: a check makes no file, and tells what cannot be one") {
  const TempFolder folder;
  const auto check = [&](const std::string& path) {
    return run_leat({"check", "-c",
                     folder.write("leat.toml", demo_configuration({.more = access_log(file_option(path))}))});
  };
  CHECK(check(folder.path("access.log")).status == 0);
  CHECK_FALSE(fs::exists(folder.path("access.log")));
  const Outcome missing = check(folder.path("no/access.log"));
  CHECK(missing.status == 78);
  CHECK(missing.errors.contains("error[LT0141]: the access log " + folder.path("no/access.log") +
                                " cannot be written: open: No such file or directory"));
}

TEST_CASE("access log: a reader that stalls costs lines that are counted, and neither answers nor the end") {
  const TempFolder folder;
  const std::string path = folder.path("pipe");
  REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  const int reader = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  REQUIRE(reader >= 0);
  Site site(file_option(path) + "buffer = \"64KiB\"\n");
  site.ask(5000);  // a pipe and a buffer have room for some 700
  CHECK(site.daemon.logs("of the access log " + path));
  CHECK(site.daemon.logs("dropped: "));
  const int64_t taken = site.metric("leat_access_log_lines_total");
  CHECK(taken + site.metric("leat_access_log_lines_dropped_total") == 5000);
  // It reads again: all that was taken comes.
  std::string text;
  CHECK(wait_until([&] {
    char bytes[65536];
    for (ssize_t size = 0; (size = ::read(reader, bytes, sizeof bytes)) > 0;)
      text.append(bytes, static_cast<size_t>(size));
    return std::ranges::count(text, '\n') == taken;
  }));
  for (size_t at = 0; at < text.size(); at = text.find('\n', at) + 1)
    REQUIRE(text.compare(at, 7, "{\"ts\":\"") == 0);
  site.ask(5000);
  site.daemon.signal(SIGTERM);
  CHECK(site.daemon.wait() == 0);
  CHECK(site.daemon.log().contains("stopped"));
  ::close(reader);
}

TEST_CASE("access log: a reader that has gone is told, and one that comes again is written to") {
  const TempFolder folder;
  const std::string path = folder.path("pipe");
  REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  int reader = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  Site site(file_option(path) + "buffer = \"64KiB\"\n");
  ::close(reader);
  site.ask(3000);
  CHECK(site.daemon.logs("cannot be written at the moment: write: Broken pipe"));
  reader = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  CHECK(wait_until([&] {
    char byte = 0;
    return ::read(reader, &byte, 1) == 1;
  }));
  ::close(reader);
}

TEST_CASE("access log: a full disk costs lines that are counted, and goes on when there is room") {
  if (::geteuid() != 0) SKIP("a small file system needs root");
  const TempFolder folder;
  const std::string disk = folder.path("disk");
  fs::create_directory(disk);
  const char* const leat = std::getenv("LEAT_BINARY");
  REQUIRE(leat != nullptr);
  const std::string program = folder.write(
      "leat.sh", "#!/bin/sh\nexec unshare -m --propagation private sh -c 'mount -t tmpfs -o size=64k tmpfs " +
                     disk + " && exec " + leat + " \"$@\"' sh \"$@\"\n");
  fs::permissions(program, fs::perms::owner_all);
  if (run_program("/usr/bin/env", {"unshare", "-m", "true"}).status != 0)
    SKIP("no mount namespace can be made here");
  Site site(file_option(disk + "/access.log") + "buffer = \"64KiB\"\n", "",
            {.arguments = {"--workers", "1"}, .descriptors = 0, .program = program});
  size_t asked = 0;
  CHECK(wait_until([&] {
    site.ask(500);  // some 100 KB
    asked += 500;
    return site.daemon.log().contains("cannot be written at the moment: write: No space left on device");
  }));
  CHECK(wait_until([&] {
    site.ask(500);
    asked += 500;
    return site.metric("leat_access_log_lines_dropped_total") > 500;
  }));
  CHECK(site.metric("leat_access_log_lines_dropped_total") + site.metric("leat_access_log_lines_total") ==
        static_cast<int64_t>(asked));
  // Room is made, by a rotation that keeps nothing.
  const std::string seen =
      "/proc/" + std::to_string(site.daemon.serving_pid()) + "/root" + disk + "/access.log";
  CHECK(fs::file_size(seen) > 30'000);
  fs::remove(seen);
  site.daemon.signal(SIGUSR1);
  CHECK(wait_until([&] { return fs::exists(seen) && fs::file_size(seen) > 0; }));
  site.ask(10);
  CHECK(wait_until([&] { return read(seen).ends_with("}\n"); }));
  const std::string text = read(seen);
  for (size_t at = 0; at < text.size(); at = text.find('\n', at) + 1)
    REQUIRE(text.compare(at, 7, "{\"ts\":\"") == 0);
}

TEST_CASE("access log: a path that vanishes is told, and lines go on where it was") {
  const TempFolder folder;
  fs::create_directory(folder.path("logs"));
  const std::string path = folder.path("logs/access.log");
  Site site(file_option(path));
  site.ask(1);
  CHECK(wait_until([&] { return lines_in(path) == 1; }));
  fs::rename(folder.path("logs"), folder.path("gone"));
  site.daemon.signal(SIGUSR1);
  CHECK(site.daemon.logs("the access log " + path +
                         " goes on in the file that was open: open: No such file or directory"));
  site.ask(1);
  CHECK(wait_until([&] { return lines_in(folder.path("gone/access.log")) == 2; }));
  // And deleted without a word.
  fs::remove_all(folder.path("gone"));
  CHECK(site.daemon.logs("was deleted, and cannot be made anew"));
  fs::create_directory(folder.path("logs"));
  CHECK(site.daemon.logs("was deleted: a new one is written"));
  site.ask(1);
  CHECK(wait_until([&] { return fs::exists(path) && lines_in(path) == 1; }));
}

TEST_CASE("access log: what was read of refused requests is logged, by the daemon, too") {
  const TempFolder folder;
  const std::string path = folder.path("access.log");
  Site site(file_option(path) + "format = \"{status} {method} {target} {reason}\"\n");
  Client(site.daemon.address()).ask("DELETE /accounts/7 HTTP/1.1\r\nHost: t\r\nNo colon here\r\n\r\n");
  CHECK(wait_until([&] {
    return read(path) == "400 DELETE /accounts/7 A header field has a character that is not allowed.\n";
  }));
}

TEST_CASE("access log: a crash report has the form of the log, as has what the supervisor says") {
  for (const bool json : {true, false}) {
    const TempFolder folder;
    const std::string address = "unix:" + folder.path("socket");
    const Daemon daemon(
        demo_configuration({.listen = {address},
                            .more = std::string("[log]\nformat = \"") + (json ? "json" : "text") +
                                    "\"\n[[plugin]]\nname = \"broken\"\nfile = \"" TEST_PLUGINS
                                    "/crash.so\"\n[[route]]\npath = \"/segv\"\nhandler = \"broken:segv\"\n"}),
        {.arguments = {"--workers", "1"}, .descriptors = 0, .program = {}, .listeners = 0});
    CHECK(daemon.logs("listening on"));
    Client client(address);
    client.send(get("/segv"));
    CHECK(client.hung_up());
    CHECK(daemon.logs("leat: crash: SIGSEGV"));
    CHECK(daemon.logs("in plugin broken"));
    // It serves again.
    CHECK(wait_until([&] {
      const std::string log = daemon.log();
      return log.find("listening on") != log.rfind("listening on");
    }));
    const std::string log = daemon.log();
    const size_t line = log.rfind('\n', log.find("leat: crash: SIGSEGV")) + 1;
    CHECK(log.substr(line).starts_with(json ? "{\"ts\":\"" : "leat: crash:"));
    if (!json) continue;
    for (size_t begin = 0; begin < log.size(); begin = log.find('\n', begin) + 1) {
      const std::string each = log.substr(begin, log.find('\n', begin) - begin);
      INFO(each);
      CHECK(each.starts_with("{\"ts\":\""));
      CHECK(each.ends_with("\"}"));
    }
  }
}

TEST_CASE("access log: a clock that is set is followed, and nothing takes longer by it") {
  if (kSanitized) SKIP("no library can stand before a sanitizer's");
  const TempFolder folder;
  const std::string path = folder.path("access.log");
  const std::string offset = folder.write("offset", "0");
  ::setenv("LD_PRELOAD", JUMPING_CLOCK, 1);
  ::setenv("JUMPING_CLOCK_OFFSET", offset.c_str(), 1);
  Site site(file_option(path) + "format = \"{ts} {duration_us} {request_id}\"\n",
            "[[middleware]]\nkind = \"request_id\"\n");
  ::unsetenv("LD_PRELOAD");
  ::unsetenv("JUMPING_CLOCK_OFFSET");
  const auto last = [&](size_t lines) {
    CHECK(wait_until([&] { return lines_in(path) == lines; }));
    const std::string text = read(path);
    const size_t begin = text.rfind('\n', text.size() - 2);
    return text.substr(begin == std::string::npos ? 0 : begin + 1);
  };
  const auto id_ms = [](const std::string& line) {
    const std::string id = line.substr(line.rfind(' ') + 1);
    return std::stoull(id.substr(0, 8) + id.substr(9, 4), nullptr, 16);
  };
  site.ask(1);
  const std::string now = last(1);
  constexpr uint64_t kYear = uint64_t{366} * 24 * 3600;
  // Two years ahead, then a year behind.
  folder.write("offset", std::to_string(2 * kYear));
  ::usleep(2000);  // within a millisecond the text of the time stays
  site.ask(1);
  const std::string ahead = last(2);
  CHECK(std::stoi(ahead) == std::stoi(now) + 2);
  CHECK(id_ms(ahead) > id_ms(now) + kYear * 1000);
  folder.write("offset", "-" + std::to_string(kYear));
  ::usleep(2000);
  site.ask(1);
  const std::string behind = last(3);
  CHECK(std::stoi(behind) == std::stoi(now) - 1);
  CHECK(id_ms(behind) < id_ms(now));
  for (const std::string& line : {now, ahead, behind})
    CHECK(std::stoull(line.substr(line.find(' ') + 1)) < 60'000'000);
}

}  // namespace leat::e2e
