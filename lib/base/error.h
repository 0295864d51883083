// Error: what the system refused, carried without an allocation.
//
// Used as std::expected<T, Error> wherever a peer or the kernel can say no. `what` names the attempted
// operation and is a string literal, so an Error can be copied and logged from any thread. Mistakes in a
// configuration are not Errors but config::Diagnostic, which carry a place in a file.
#pragma once

#include <expected>
#include <string>
#include <system_error>

namespace leat {

struct Error {
  const char* what;  // what was tried, a literal such as "bind"
  int number = 0;    // errno value, 0 where the system had no part in it

  // "bind: Address already in use"
  [[nodiscard]] std::string text() const {
    return number == 0 ? what : std::string(what) + ": " + std::generic_category().message(number);
  }
};

template <class T>
using Expected = std::expected<T, Error>;

// An Expected's failure from the calling thread's errno.
std::unexpected<Error> system_error(const char* what) noexcept;

}  // namespace leat
