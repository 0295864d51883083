// The log: lines in their form, in a file that can be moved away while it is written.
#include "base/log.h"

#include <stdlib.h>

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/log_causes.h"

namespace leat::test {

namespace {

class Folder {
 public:
  Folder() { REQUIRE(::mkdtemp(path_.data()) != nullptr); }
  ~Folder() { std::filesystem::remove_all(path_); }
  [[nodiscard]] std::string path(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_ = (std::filesystem::temp_directory_path() / "leat-log-XXXXXX").string();
};

std::string read(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

TEST_CASE("log: a line has its time and level, and is one line whatever is in it") {
  const Folder folder;
  REQUIRE(log::open({.file = folder.path("log")}));
  log::info("first\nforged {}", 1);
  log::debug("too fine");
  log::write_raw("{\"raw\":true}");
  log::close();
  const std::string text = read(folder.path("log"));
  CHECK(text.size() > 30);
  CHECK(text.substr(4, 1) == "-");
  CHECK(text.contains("Z info first forged 1\n"));
  CHECK(!text.contains("too fine"));
  CHECK(text.ends_with("\n{\"raw\":true}\n"));
}

TEST_CASE("log: as JSON each line is an object, with what a peer sent escaped") {
  const Folder folder;
  REQUIRE(log::open({.level = log::Level::Debug, .format = log::Format::Json, .file = folder.path("log")}));
  log::error("say \"hi\"\\\x01");
  log::close();
  const std::string text = read(folder.path("log"));
  CHECK(text.starts_with("{\"ts\":\"2"));
  CHECK(text.ends_with("\"level\":\"error\",\"message\":\"say \\\"hi\\\"\\\\\\u0001\"}\n"));
}

TEST_CASE("log: opened anew it goes on under the old name, and stays in the old file when it can't") {
  const Folder folder;
  REQUIRE(log::open({.file = folder.path("sub/log")}));
  log::info("one");
  // In order with what is queued: a line written before reopen() may still go to either file.
  log::warn("two");
  while (!read(folder.path("sub/log")).contains("two"))
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  std::filesystem::rename(folder.path("sub/log"), folder.path("sub/log.1"));
  log::reopen();
  log::warn("three");
  while (!read(folder.path("sub/log")).contains("three"))
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  CHECK(!read(folder.path("sub/log.1")).contains("three"));
  std::filesystem::rename(folder.path("sub/log"), folder.path("log.2"));
  std::filesystem::remove_all(folder.path("sub"));
  std::ofstream(folder.path("sub")) << "in the way";
  log::reopen();
  log::close();
  CHECK(read(folder.path("log.2")).contains("the log goes on in the old file"));
}

TEST_CASE("log: other options are taken up while it is open, and what cannot be opened changes nothing") {
  const Folder folder;
  REQUIRE(log::open({.file = folder.path("one")}));
  log::info("first");
  const auto refused = log::prepare({.format = log::Format::Json, .file = folder.path("one/two")});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().contains("one/two`: Not a directory"));
  log::warn("still text");
  auto change = log::prepare({.level = log::Level::Warn,
                              .format = log::Format::Json,
                              .file = folder.path("two"),
                              .line_bytes = 300});
  REQUIRE(change);
  CHECK(read(folder.path("two")).empty());
  while (!read(folder.path("one")).contains("still text"))
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  log::take_up(std::move(*change));
  log::info("too fine");
  log::warn("second {}", std::string(1000, 'x'));
  log::close();
  CHECK(read(folder.path("one")).contains("warning still text\n"));
  CHECK_FALSE(read(folder.path("one")).contains("second"));
  const std::string second = read(folder.path("two"));
  CHECK(second.contains("\"message\":\"second xxx"));
  CHECK(second.size() < 400);
  CHECK_FALSE(second.contains("too fine"));
}

TEST_CASE("log: its file is none of a child's") {
  const Folder folder;
  REQUIRE(log::open({.file = folder.path("log")}));
  const int shown = std::system(("ls -l /proc/self/fd | grep -q " + folder.path("log")).c_str());
  log::close();
  CHECK(shown != 0);
}

TEST_CASE("log: a file that is followed shows a line that nothing follows") {
  const Folder folder;
  REQUIRE(log::open({.file = folder.path("log")}));
  log::info("alone");
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!read(folder.path("log")).contains("alone") && std::chrono::steady_clock::now() < until)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  CHECK(read(folder.path("log")).contains("alone"));
  log::close();
}

TEST_CASE("log: lines that find the queue full are dropped and counted, and nobody waits") {
  const Folder folder;
  const uint64_t before = log::dropped();
  REQUIRE(log::open({.file = folder.path("log"), .queue_lines = 16}));
  constexpr size_t kLines = 20'000;
  for (size_t i = 0; i < kLines; ++i) log::info("line {}", i);
  log::close();
  const std::string text = read(folder.path("log"));
  const auto written = static_cast<size_t>(std::count(text.begin(), text.end(), '\n'));
  CHECK(written + (log::dropped() - before) >= kLines);
  CHECK(written < kLines + 2);
}

TEST_CASE("log: of one cause there are some lines in a period, and one that says how many were left out") {
  const Folder folder;
  REQUIRE(log::open({.file = folder.path("log"), .cause_lines = 3}));
  const uint64_t before = log::left_out();
  for (int i = 0; i < 1000; ++i) {
    log::limited(log::Level::Error, {"shop", "/a"}, "it failed: {}", i);
    if (i < 2) log::limited(log::Level::Error, {"shop", "/b"}, "it failed, too: {}", i);
    log::limited(log::Level::Debug, {"shop", "/a"}, "nobody wants to know");
  }
  log::close();
  const std::string text = read(folder.path("log"));
  CHECK(text.contains("error it failed: 0\n"));
  CHECK(text.contains("error it failed: 2\n"));
  CHECK(!text.contains("it failed: 3\n"));
  CHECK(text.contains("error it failed, too: 1\n"));
  CHECK(text.contains("error 997 more lines like this were left out: it failed: 0\n"));
  CHECK(std::count(text.begin(), text.end(), '\n') == 6);
  CHECK(log::left_out() - before == 997);
}

TEST_CASE("log: what was left out is told when the period is over, also if nothing follows") {
  const Folder folder;
  REQUIRE(log::open({.file = folder.path("log"), .cause_lines = 1, .cause_period_ms = 100}));
  for (int i = 0; i < 5; ++i) log::limited(log::Level::Info, {"once"}, "again");
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!read(folder.path("log")).contains("left out") && std::chrono::steady_clock::now() < until)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  CHECK(read(folder.path("log")).contains("info 4 more lines like this were left out: again\n"));
  log::limited(log::Level::Info, {"once"}, "again");
  log::close();
  CHECK(read(folder.path("log")).ends_with("info again\n"));
}

TEST_CASE("log: a plugin's own lines have a limit of their own, for each level") {
  const Folder folder;
  REQUIRE(log::open({.file = folder.path("log"), .cause_lines = 1, .plugin_lines = 2}));
  for (int i = 0; i < 5; ++i) log::write_of_plugin(log::Level::Info, "chatty", "chatty: hello");
  log::write_of_plugin(log::Level::Error, "chatty", "chatty: help");
  log::write_of_plugin(log::Level::Info, "other", "other: hello");
  log::close();
  const std::string text = read(folder.path("log"));
  CHECK(text.contains("info 3 more lines like this were left out: chatty: hello\n"));
  CHECK(text.contains("error chatty: help\n"));
  CHECK(text.contains("info other: hello\n"));
}

TEST_CASE("log: without a limit every line is written") {
  const Folder folder;
  REQUIRE(log::open({.file = folder.path("log"), .cause_lines = 0}));
  for (int i = 0; i < 100; ++i) log::limited(log::Level::Info, {}, "line");
  log::close();
  const std::string text = read(folder.path("log"));
  CHECK(std::count(text.begin(), text.end(), '\n') == 100);
}

TEST_CASE("log: a line that is too long is cut, and not within a character") {
  const Folder folder;
  REQUIRE(log::open({.file = folder.path("log"), .line_bytes = 300}));
  log::info("{}", "x" + std::string(10'000, 'e'));
  std::string accents = "x";
  for (int i = 0; i < 500; ++i) accents += "\xc3\xa9";
  log::info("{}", accents);
  log::close();
  const std::string text = read(folder.path("log"));
  CHECK(text.contains("info x" + std::string(299, 'e') + "\n"));
  CHECK(text.ends_with("info " + accents.substr(0, 299) + "\n"));
}

namespace {

std::vector<std::string> told;
log::Causes table([](log::Level, std::string_view line) { told.emplace_back(line); });

}  // namespace

TEST_CASE("log causes: a period begins with its first line, and the next tells of the last") {
  using Answer = log::Causes::Answer;
  told.clear();
  table.set_period(1000);
  CHECK(table.admit(7, 2, 5000) == Answer::First);
  table.note(7, log::Level::Warn, "the seventh");
  CHECK(table.admit(7, 2, 5999) == Answer::Yes);
  CHECK(table.admit(7, 2, 5999) == Answer::No);
  CHECK(table.admit(8, 2, 5999) == Answer::First);
  CHECK(told.empty());
  CHECK(table.admit(7, 2, 6000) == Answer::First);
  CHECK(told == std::vector<std::string>{"1 more line like this was left out: the seventh"});
  table.sweep(UINT64_MAX);
  CHECK(told.size() == 1);
  CHECK(table.admit(7, 2, 6001) == Answer::First);
  table.sweep(UINT64_MAX);
}

TEST_CASE("log causes: more of them than there is room for share what there is") {
  told.clear();
  table.set_period(1000);
  size_t admitted = 0;
  constexpr size_t kCauses = 100'000;
  for (uint64_t cause = 0; cause < kCauses; ++cause)
    admitted += table.admit(2 + cause * 0x9e3779b97f4a7c15, 1, 5000) != log::Causes::Answer::No;
  CHECK(admitted > 200);
  CHECK(admitted <= 1000);
  const uint64_t before = table.left_out();
  table.sweep(6000);
  CHECK(table.left_out() - before == kCauses - admitted);
}

TEST_CASE("log causes: threads that log the same at the same time lose no line") {
  told.clear();
  table.set_period(1000);
  const uint64_t before = table.left_out();
  constexpr int kLines = 20'000;
  std::atomic<int> admitted = 0;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t)
      threads.emplace_back([&] {
        for (int i = 0; i < kLines; ++i)
          if (table.admit(99, 10, 5000) != log::Causes::Answer::No) ++admitted;
      });
  }
  CHECK(admitted == 10);
  table.sweep(6000);
  CHECK(table.left_out() - before == 4 * kLines - 10);
}

TEST_CASE("log: a file that cannot be opened is an error with its reason") {
  const auto opened = log::open({.file = "/proc/self/nothing/log"});
  REQUIRE(!opened);
  CHECK(opened.error().contains("/proc/self/nothing"));
}

}  // namespace leat::test
