// A request's head with other fields: what a middleware shows to those behind it.
//
// Heads are shared by all requests that look alike, so none is changed in place. Another one is shown, in the request's
// arena, with the same bytes and those of the new fields at their end.
//
// Thread: the exchange's.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "http/exchange.h"

namespace leat::middleware {

struct HeadField {
  std::string_view name;
  std::string_view value;  // without control characters; the field is left out where it is empty
};

// Shows a head without the fields of the names `removed`, in whatever case, and then with those `added`, which are copied.
// False: memory is out.
[[nodiscard]] bool show_changed_head(http::Exchange& exchange, std::span<const std::string> removed,
                                     std::span<const HeadField> added);

}  // namespace leat::middleware
