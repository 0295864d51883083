// What is known to go wrong with shared objects, and the test that shows it does not here:
//
//   RTLD_DEEPBIND with mimalloc in the host      every end-to-end test: the daemon's malloc is mimalloc
//   inline statics that two versions share       here
//   thread_local with a destructor               checker_test.cc, "each rule finds ..."
//   a path loaded before, after a rename         here
//   a file overwritten while it is mapped        loader_test.cc, "goes on answering when its file is
//   overwritten" missing symbols                              loader_test.cc, "an undefined symbol is named";
//   at link time here a thread left running                        here exceptions across the boundary
//   misuse_test.cc, "exceptions become a 500" a static C++ runtime in the plugin           checker_test.cc,
//   "each rule finds ..."
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "plugin/harness.h"

namespace leat::plugin::test {
namespace {

namespace fs = std::filesystem;

fs::path make_folder() {
  fs::path folder = fs::temp_directory_path() / ("leat-pitfall-" + std::to_string(::getpid()));
  fs::create_directory(folder);
  return folder;
}

std::string build(const std::string& name) { return std::string(TEST_PLUGINS) + "/" + name + ".so"; }

}  // namespace

TEST_CASE("pitfall: two builds of a plugin share no variable, not even an inline one") {
  Site first(build("generation_1"));
  Site second(build("generation_2"));
  CHECK(first.get("/version").body == "1");
  CHECK(second.get("/version").body == "2");
  CHECK(first.get("/shared").body == R"({"calls":1})");
  CHECK(first.get("/shared").body == R"({"calls":2})");
  CHECK(second.get("/shared").body == R"({"calls":1})");
}

TEST_CASE("pitfall: a path that another build was loaded from gives the build that is there now") {
  const fs::path folder = make_folder();
  const std::string path = folder / "plugin.so";
  fs::copy_file(build("generation_1"), path);
  Site first(path);
  fs::copy_file(build("generation_2"), path + ".new");
  fs::rename(path + ".new", path);
  Site second(path);
  fs::remove_all(folder);
  CHECK(first.get("/version").body == "1");
  CHECK(second.get("/version").body == "2");
}

TEST_CASE("pitfall: a thread that a plugin leaves behind runs on in code that is still there") {
  {
    const Site site("runaway");
  }
  // It works in that code meanwhile: were the object closed, this process would end.
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  Site again("runaway");
  CHECK(std::stoi(again.get("/rounds").body) >= 0);
}

TEST_CASE("pitfall: a symbol that nothing defines does not link with the plugin flags") {
  // Into a folder of its own: what fails is deleted, and of /dev/null root would be deprived.
  const fs::path folder = make_folder();
  const std::string command = std::string(PLUGIN_LINK) + " -o " + (folder / "plugin.so").string() + " " +
                              PLUGIN_SOURCES "/missing_symbol.c 2>&1";
  std::FILE* output = ::popen(command.c_str(), "r");
  REQUIRE(output != nullptr);
  std::string said;
  char piece[512];
  while (std::fgets(piece, sizeof piece, output) != nullptr) said += piece;
  const int status = ::pclose(output);
  fs::remove_all(folder);
  INFO(command << "\n" << said);
  CHECK(status != 0);
  CHECK(said.contains("undefined reference to"));
}

}  // namespace leat::plugin::test
