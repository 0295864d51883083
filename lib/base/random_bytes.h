// random_bytes: bytes that nobody can guess, for keys, seeds and salts. One call of the kernel for each; for numbers that need
// not be secret there are faster ones.
//
// Thread: any.
#pragma once

#include <cstddef>

namespace leat {

// Writes so many (getrandom, random(4)). False: the kernel has none.
[[nodiscard]] bool random_bytes(char* to, size_t count);

}  // namespace leat
