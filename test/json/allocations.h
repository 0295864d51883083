// How many times this program asked for heap memory, by malloc and its kin or by new.
#pragma once

#include <cstddef>

namespace leat::test {

size_t allocations();

// That of `count` times `act()`, once a hundred times have brought everything to its size.
template <class Act>
size_t allocations_of(int count, Act act) {
  for (int i = 0; i < 100; ++i) act();
  const size_t before = allocations();
  for (int i = 0; i < count; ++i) act();
  return allocations() - before;
}

}  // namespace leat::test
