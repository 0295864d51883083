// Names that were declared, by which what clients send is looked up: what a lookup costs is a hash of the name, however many
// were declared and whatever is sent. A body may have a million names.
//
// A name stands within something that has a number: so one table has those of queries and of forms, and those of each object.
// Filled when a configuration is loaded; nothing is allocated by lookups.
//
// Thread: any, once it is filled.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace leat::pipeline {

class NameTable {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;

  // Of a name that comes a byte at a time (FNV-1a). Nobody who sends names gains by those that have one hash: a run of the table
  // is as long as the declared names make it.
  class Hash {
   public:
    explicit Hash(uint32_t within) : value_((kBasis ^ within) * kPrime) {}
    void add(char c) { value_ = (value_ ^ static_cast<unsigned char>(c)) * kPrime; }
    [[nodiscard]] uint32_t value() const { return value_ ^ value_ >> 15; }

   private:
    static constexpr uint32_t kBasis = 2166136261, kPrime = 16777619;
    uint32_t value_;
  };

  // One that is there already keeps its number, which is not kNone.
  void add(uint32_t within, std::string_view name, uint32_t number) {
    if (find(within, name) != kNone) return;
    names_.push_back({within, number, hash_of(within, name), std::string(name)});
    longest_ = std::max(longest_, name.size());
    // Three of four places are empty at least.
    const size_t room = std::bit_ceil(4 * names_.size());
    if (places_.size() == room) return place(static_cast<uint32_t>(names_.size() - 1));
    places_.assign(room, kNone);
    for (uint32_t i = 0; i < names_.size(); ++i) place(i);
  }

  // Its number; kNone where it is none of them.
  [[nodiscard]] uint32_t find(uint32_t within, std::string_view name) const {
    if (name.size() > longest_) return kNone;
    return find(within, hash_of(within, name), [&](std::string_view each) { return each == name; });
  }
  // Likewise of one that stands there in other words: `same(name)` says whether that is it.
  template <class Same>
  [[nodiscard]] uint32_t find(uint32_t within, uint32_t hash, Same&& same) const {
    if (places_.empty()) return kNone;
    const size_t mask = places_.size() - 1;
    for (size_t at = hash & mask; places_[at] != kNone; at = (at + 1) & mask) {
      const Name& name = names_[places_[at]];
      if (name.hash == hash && name.within == within && same(std::string_view(name.text))) return name.number;
    }
    return kNone;
  }

 private:
  struct Name {
    uint32_t within, number, hash;
    std::string text;
  };

  static uint32_t hash_of(uint32_t within, std::string_view name) {
    Hash hash(within);
    for (const char c : name) hash.add(c);
    return hash.value();
  }
  void place(uint32_t index) {
    const size_t mask = places_.size() - 1;
    size_t at = names_[index].hash & mask;
    while (places_[at] != kNone) at = (at + 1) & mask;
    places_[at] = index;
  }

  std::vector<Name> names_;
  std::vector<uint32_t> places_;  // of names_, by their hashes; a power of two
  size_t longest_ = 0;
};

}  // namespace leat::pipeline
