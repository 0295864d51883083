#include "pipeline/middleware_kind.h"

namespace leat::pipeline {

std::expected<std::string, std::string> Surroundings::read_no_file(const std::string& path) {
  return std::unexpected("cannot read `" + path + "`: nothing is read here");
}

std::string_view phase_name(Phase phase) {
  constexpr std::string_view kNames[] = {"observe",   "identify", "protect", "limit",
                                         "transform", "cache",    "content"};
  return kNames[static_cast<size_t>(phase)];
}

}  // namespace leat::pipeline
