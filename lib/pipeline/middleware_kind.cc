#include "pipeline/middleware_kind.h"

namespace leat::pipeline {

std::string_view phase_name(Phase phase) {
  constexpr std::string_view kNames[] = {"observe",   "identify", "protect", "limit",
                                         "transform", "cache",    "content"};
  return kNames[static_cast<size_t>(phase)];
}

}  // namespace leat::pipeline
