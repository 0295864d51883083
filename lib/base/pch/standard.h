// The standard headers that most files include, and fmt's, parsed once for each target (meson's cpp_pch)
// instead of once for each file: half of a file's compile time was theirs. Nothing depends on it. Each file
// includes what it uses, and a build without precompiled headers (-Db_pch=false, as that for fuzzing is) sees
// to it that it does.
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <expected>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>
