// Whether what is tested is built with a sanitizer, which LEAT_SANITIZED tells. The tests need not be: a sanitized build can have
// those of an ordinary one (the option tests_of).
#pragma once

#include <cstdlib>
#include <string_view>

namespace leat::test {

inline const bool kSanitized = std::getenv("LEAT_SANITIZED") != nullptr;
inline const bool kThreadSanitized =
    kSanitized && std::string_view(std::getenv("LEAT_SANITIZED")) == "thread";

}  // namespace leat::test
