// A folder of configuration files for one test, gone with it; and what Leat says of them.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/config.h"

namespace leat::test {

class Folder {
 public:
  Folder();
  ~Folder();
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  // Folders in `name` are made.
  void write(const std::string& name, std::string_view text) const;
  [[nodiscard]] std::string path(const std::string& name) const { return (root_ / name).string(); }
  [[nodiscard]] config::LoadResult load(const std::string& name = "leat.toml") const {
    return config::load(path(name));
  }
  // As render() has it, with paths from this folder on.
  [[nodiscard]] std::string rendered(const Diagnostics& diagnostics) const;
  // What is wrong with `text` as the main file.
  [[nodiscard]] std::string complaint(std::string_view text) const;

 private:
  std::filesystem::path root_;
};

// A variable of the environment for as long as this lives; afterwards it is not set.
class Variable {
 public:
  Variable(std::string name, const std::string& value);
  ~Variable();
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  std::string name_;
};

std::string read_text(const std::string& path);

}  // namespace leat::test
