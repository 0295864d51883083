// What is wrong with the options of middleware beyond what their rows can check: said at the option's place.
#pragma once

#include <string>
#include <string_view>

#include "pipeline/codes.h"
#include "pipeline/middleware_kind.h"

namespace leat::middleware {

// Says that the value of an option is wrong, at its place, or at the instance's where it was not given.
void fail_option(const pipeline::BuildContext& context, std::string_view option, std::string message,
                 std::string hint = {}, int code = pipeline::kBadOption);

}  // namespace leat::middleware
