// The scripts by which shells complete what is typed after `leat`: commands, options, and what those take.
//
// They are made from the command tree and know it whole, so that completing runs nothing. A package installs them where
// each shell looks (packaging/meson.build); `source <(leat completion bash)` takes one up by hand.
#pragma once

#include <string>
#include <string_view>

#include "server/commands/command_tree.h"

namespace leat::server {

// `shell` is bash, zsh or fish.
std::string completion_script(const CommandTree& tree, std::string_view shell);

}  // namespace leat::server
