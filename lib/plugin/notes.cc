#include "plugin/notes.h"

#include <new>

namespace leat::plugin {
namespace {

struct Note {
  std::string_view name, value;
  Note* next = nullptr;
};
struct Notes {
  Note* last = nullptr;
};
constexpr char kOwner = 0;  // its address

}  // namespace

bool add_note(http::Exchange& exchange, std::string_view name, std::string_view value) {
  Notes* notes = exchange.states.find<Notes>(&kOwner);
  if (notes == nullptr) notes = exchange.states.make<Notes>(&kOwner);
  void* memory = exchange.arena().allocate(sizeof(Note), alignof(Note));
  const std::string_view kept_name = exchange.arena().copy(name);
  const std::string_view kept_value = value.empty() ? std::string_view("") : exchange.arena().copy(value);
  if (notes == nullptr || memory == nullptr || kept_name.data() == nullptr || kept_value.data() == nullptr)
    return false;
  notes->last = new (memory) Note{kept_name, kept_value, notes->last};
  return true;
}

std::string_view find_note(const http::Exchange& exchange, std::string_view name) {
  const Notes* notes = exchange.states.find<Notes>(&kOwner);
  for (const Note* note = notes == nullptr ? nullptr : notes->last; note != nullptr; note = note->next)
    if (note->name == name) return note->value;
  return {};
}

// In the opposite order, of which only the last of each name counts.
bool copy_notes(const http::Exchange& from, http::Exchange& to) {
  const Notes* notes = from.states.find<Notes>(&kOwner);
  for (const Note* note = notes == nullptr ? nullptr : notes->last; note != nullptr; note = note->next)
    if (find_note(to, note->name).data() == nullptr && !add_note(to, note->name, note->value)) return false;
  return true;
}

}  // namespace leat::plugin
