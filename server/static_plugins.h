// The plugins that are a part of this program (meson option static_plugins): `file = "static:NAME"` asks for
// one.
//
// The list is written by the build, server/static_plugins.cc.in. Rejected: constructors that register
// plugins, which a linker leaves out with the archive that nothing refers to.
#pragma once

#include <span>

#include "plugin/sdk/plugin.h"

namespace leat::server {

std::span<const leat_plugin_entry* const> static_plugins();

}  // namespace leat::server
