// `leat explain-error`: what a code that messages have says, at length.
#pragma once

#include <string>

namespace leat::server {

// `code`: "LT0107", or its number. The exit code.
int explain_error(const std::string& code);

}  // namespace leat::server
