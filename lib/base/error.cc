#include "base/error.h"

#include <cerrno>

namespace leat {

std::unexpected<Error> system_error(const char* what) noexcept { return std::unexpected(Error{what, errno}); }

}  // namespace leat
