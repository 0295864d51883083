// Memory files: bytes behind a descriptor, and a path below /proc, that are in no file system. What other code
// takes by path or descriptor only, such as the dynamic linker or the reader of configurations, gets them so.
#pragma once

#include <string_view>

#include "base/error.h"
#include "base/fd.h"

namespace leat {

// One with `bytes`. `name` is what /proc shows; `flags` are MFD_* beside MFD_CLOEXEC.
Expected<Fd> memory_file(const char* name, std::string_view bytes, unsigned flags = 0);

}  // namespace leat
