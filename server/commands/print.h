// What commands say.
#pragma once

#include <cstdio>
#include <string_view>

namespace leat::server {

inline void print(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

}  // namespace leat::server
