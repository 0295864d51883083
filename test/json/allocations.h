// How many times this program asked for heap memory, by malloc and its kin or by new.
#pragma once

#include <cstddef>

namespace leat::test {

size_t allocations();

}  // namespace leat::test
