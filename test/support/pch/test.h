// What most test files include, parsed once for a program and not once for each file; see base/pch/standard.h.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "base/pch/standard.h"
