#include "middleware/option_error.h"

#include <utility>

namespace leat::middleware {

void fail_option(const pipeline::BuildContext& context, std::string_view option, std::string message,
                 std::string hint, int code) {
  const Value* const value = context.options.find(option);
  context.diagnostics.push_back({.code = code,
                                 .message = std::move(message),
                                 .place = value != nullptr ? value->place : context.place,
                                 .hint = std::move(hint)});
}

}  // namespace leat::middleware
