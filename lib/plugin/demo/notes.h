// Notes: a few texts by number, shared by all workers; what the demo's small API keeps.
//
// One lock: a note is a rare thing to write. Bounded in number and size, so that nobody can fill the daemon's
// memory through it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <leat/plugin.hpp>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace demo {

class Notes {
 public:
  struct Limits {
    size_t most_notes;
    size_t most_bytes;  // of one note
  };
  explicit Notes(Limits limits) : limits_(limits) {}

  // The text of `{"text":"..."}`, or the problem with it.
  [[nodiscard]] leat::Result<std::string> read(std::string_view json) const;

  // The new note's number; none when there is no room.
  std::optional<uint64_t> add(std::string text);
  // False when there is no such note.
  bool replace(uint64_t id, std::string text);
  bool remove(uint64_t id);
  [[nodiscard]] std::optional<std::string> find(uint64_t id) const;

  // Calls `visit(id, text)` for each, in the order of their numbers.
  template <class Visit>
  void each(Visit&& visit) const {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, text] : notes_) visit(id, text);
  }

  // All notes as bytes, and back: a reload hands them to the next instance of the plugin.
  [[nodiscard]] std::string save() const;
  // Throws what is wrong with `saved`; nothing is changed then.
  void restore(std::string_view saved);

 private:
  const Limits limits_;
  mutable std::mutex mutex_;
  std::map<uint64_t, std::string> notes_;
  uint64_t last_id_ = 0;
};

}  // namespace demo
