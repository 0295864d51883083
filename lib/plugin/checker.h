// Checker: what is wrong with a plugin's file, by rules that have each cost somebody a crash.
//
// The file is judged from its bytes; nothing of it runs. Whether it loads is for try_plugin(), in a process
// of its own, in which the bytes are judged as well: they may be anything.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "plugin/library.h"

namespace leat::plugin {

struct Finding {
  enum class Severity : uint8_t { Warning, Error };
  Severity severity = Severity::Error;
  std::string rule;    // "exports": a name that stays
  std::string found;   // what is so
  std::string reason;  // what comes of it
  std::string fix;     // what to do
};

// By the bytes alone. The first finding is the only one where they are no plugin at all.
std::vector<Finding> check_plugin(std::string_view bytes);

// By who may write to the file and to the folders that lead to it.
std::vector<Finding> check_place(const std::string& path);

// What was found, and what a plugin that loads says that it does for others and wants of them.
struct Trial {
  struct Need {
    std::string service;
    bool optional = false;
  };
  std::vector<Finding> findings;
  std::vector<std::string> handlers;  // as routes name them
  std::vector<std::string> kinds;     // of middleware, without the plugin's name
  std::vector<std::string> services;  // "users/1"
  std::vector<Need> needs;
};

// How long a person waits for a plugin to load.
inline constexpr uint32_t kTrialMs = 10'000;

// check_plugin() of `bytes`, and where that finds no error, loads `path`, whose bytes they are, in a child
// process; reports how that ends: refused, crashed, or not done within `timeout_ms`. The child's memory is
// bounded, it has no core file, and it and what it starts are gone by the return. What the plugin prints is
// on stderr. The calling process must have one thread.
Trial try_plugin(std::string_view bytes, const std::string& path, const LibraryOptions& options,
                 uint32_t timeout_ms);

// The same without judging the file first, as the daemon loads it.
Trial try_to_load(const std::string& path, const LibraryOptions& options, uint32_t timeout_ms);

}  // namespace leat::plugin
