// The host that a request asks for, as one name: what hosts are told apart by. A client may write it in
// capitals, with a port or with the root's dot, and means the same.
#pragma once

#include <cstddef>
#include <string_view>

#include "base/text.h"

namespace leat::pipeline {

// Without port and final dot. `authority` is one that http::is_authority() takes, or empty. Letters stay as they are.
inline std::string_view host_name(std::string_view authority) {
  const size_t bracket = authority.rfind(']');
  const size_t colon = authority.find(':', bracket == std::string_view::npos ? 0 : bracket);
  std::string_view name = authority.substr(0, colon);
  if (name.ends_with('.')) name.remove_suffix(1);
  return name;
}

}  // namespace leat::pipeline
