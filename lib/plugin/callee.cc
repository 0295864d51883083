#include "plugin/callee.h"

#include <fmt/core.h>

#include <exception>

#include "base/log.h"

namespace leat::plugin {

void Callee::complain(std::string_view what, std::string_view detail) const {
  log::limited(log::Level::Error, {title(), what}, "{}: {}{}", title(), what, detail);
}

void Callee::complain_of_exception(std::string_view when) const {
  try {
    throw;
  } catch (const std::exception& error) {
    complain(fmt::format("threw an exception{}: ", when), error.what());
  } catch (...) {
    complain(fmt::format("threw something that is not a std::exception{}", when));
  }
}

}  // namespace leat::plugin
