// The kinds of middleware that need no plugin, all of them, in one list.
//
// To add one: write <kind>.{h,cc} beside this file and add its row in kinds.cc.
#pragma once

#include <span>

#include "pipeline/middleware_kind.h"

namespace leat::middleware {

std::span<const pipeline::MiddlewareKind> kinds();

}  // namespace leat::middleware
