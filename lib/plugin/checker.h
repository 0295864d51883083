// Checker: what is wrong with a plugin's file, by rules that have each cost somebody a crash.
//
// The file is judged from its bytes; nothing of it runs. Whether it loads is for try_to_load(), in a process
// of its own.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "plugin/host.h"

namespace leat::plugin {

struct Finding {
  enum class Severity : uint8_t { Warning, Error };
  Severity severity = Severity::Error;
  std::string_view rule;  // "exports": a name that stays
  std::string found;      // what is so
  std::string reason;     // what comes of it
  std::string fix;        // what to do
};

// By the bytes alone. The first finding is the only one where they are no plugin at all.
std::vector<Finding> check_plugin(std::string_view bytes);

// How loading went, and what the plugin then says that it does for others and wants of them.
struct Trial {
  struct Need {
    std::string service;
    bool optional = false;
  };
  std::vector<Finding> findings;
  std::vector<std::string> services;  // "users/1"
  std::vector<Need> needs;
};

// Loads `path` in a child process and reports how that ends: refused, crashed, or not done within
// `timeout_ms`. The calling process must have one thread.
Trial try_to_load(const std::string& path, const LibraryOptions& options, uint32_t timeout_ms);

}  // namespace leat::plugin
