#include "base/value.h"

#include <algorithm>

namespace leat {

const char* Value::type_name() const {
  constexpr const char* kNames[] = {"table", "boolean", "integer", "float", "string", "array"};
  return kNames[data_.index()];
}

const Value* Value::find(std::string_view key) const {
  const Table* entries = table();
  if (entries == nullptr) return nullptr;
  const auto found = std::ranges::find(*entries, key, &Entry::first);
  return found == entries->end() ? nullptr : &found->second;
}

bool Value::same_as(const Value& other) const {
  if (data_.index() != other.data_.index()) return false;
  if (const Table* mine = table()) {
    if (mine->size() != other.table()->size()) return false;
    return std::ranges::all_of(*mine, [&](const Entry& entry) {
      const Value* theirs = other.find(entry.first);
      return theirs != nullptr && entry.second.same_as(*theirs);
    });
  }
  if (const Array* mine = array())
    return std::ranges::equal(*mine, *other.array(),
                              [](const Value& a, const Value& b) { return a.same_as(b); });
  if (const bool* mine = boolean()) return *mine == *other.boolean();
  if (const int64_t* mine = integer()) return *mine == *other.integer();
  if (const double* mine = real()) return *mine == *other.real();
  return *string() == *other.string();
}

}  // namespace leat
