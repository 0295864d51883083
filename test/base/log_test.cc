// The log: lines in their form, in a file that can be moved away while it is written.
#include "base/log.h"

#include <stdlib.h>

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>

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

TEST_CASE("log: a file that cannot be opened is an error with its reason") {
  const auto opened = log::open({.file = "/proc/self/nothing/log"});
  REQUIRE(!opened);
  CHECK(opened.error().contains("/proc/self/nothing"));
}

}  // namespace leat::test
