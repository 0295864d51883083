// The standard headers that most files include, and fmt's, parsed once for a target whose files are compiled each by
// itself (meson's cpp_pch). Nothing depends on it. Each file includes what it uses, and a build without precompiled
// headers (-Db_pch=false, as that for fuzzing is) sees to it that it does.
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
