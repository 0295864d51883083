#include "config/folder.h"

#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "config/diagnostics.h"

namespace leat::test {

namespace fs = std::filesystem;

Folder::Folder() {
  std::string name = (fs::temp_directory_path() / "leat-config-XXXXXX").string();
  REQUIRE(::mkdtemp(name.data()) != nullptr);
  root_ = fs::canonical(name);
}

Folder::~Folder() {
  std::error_code ignored;
  fs::remove_all(root_, ignored);
}

void Folder::write(const std::string& name, std::string_view text) const {
  const fs::path file = root_ / name;
  fs::create_directories(file.parent_path());
  std::ofstream out(file, std::ios::binary);
  out.write(text.data(), static_cast<std::streamsize>(text.size()));
  out.close();
  REQUIRE(out.good());
}

std::string Folder::rendered(const Diagnostics& diagnostics) const {
  std::string text = config::render(diagnostics);
  const std::string prefix = root_.string() + "/";
  for (size_t at = text.find(prefix); at != std::string::npos; at = text.find(prefix, at))
    text.erase(at, prefix.size());
  return text;
}

std::string Folder::complaint(std::string_view text) const {
  write("leat.toml", text);
  return rendered(load().diagnostics);
}

Variable::Variable(std::string name, const std::string& value) : name_(std::move(name)) {
  ::setenv(name_.c_str(), value.c_str(), 1);
}
Variable::~Variable() { ::unsetenv(name_.c_str()); }

std::string read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  INFO(path);
  REQUIRE(file.good());
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace leat::test
