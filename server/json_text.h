// JsonText: JSON that the daemon and its commands tell of themselves, in memory of its own.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/arena.h"
#include "base/block_pool.h"
#include "json/writer.h"

namespace leat::server {

// What it writes into; before the writer, which needs it.
class JsonMemory {
 protected:
  BlockPool pool_{BlockPool::kUnbounded, 0};
  Arena arena_{pool_, SIZE_MAX};
};

class JsonText : private JsonMemory, public json::Writer {
 public:
  JsonText() : Writer(arena_) {}

  // Members of an object.
  void text(std::string_view name, std::string_view value) {
    key(name);
    string(value);
  }
  void whole(std::string_view name, uint64_t value) {
    key(name);
    unsigned_integer(value);
  }
  void decimal(std::string_view name, double value) {
    key(name);
    real(value);
  }
  void truth(std::string_view name, bool value) {
    key(name);
    boolean(value);
  }
  // All of it, or `otherwise` where it cannot be.
  [[nodiscard]] std::string take(std::string_view otherwise) {
    return std::string(finish().value_or(otherwise));
  }
};

}  // namespace leat::server
