// Diagnostics as people read them: what is wrong, where, the line itself, and what may have been meant.
#pragma once

#include <string>

#include "base/value.h"

namespace leat::config {

// Every diagnostic, errors and warnings, in the form shown in base/value.h; ends with a line that counts
// them. Reads the files again for the lines to show; what cannot be read is left out. Nothing that a file or
// a variable holds can send control characters to the terminal. `color` for a terminal.
std::string render(const Diagnostics& diagnostics, bool color = false);

[[nodiscard]] bool any_error(const Diagnostics& diagnostics);

}  // namespace leat::config
