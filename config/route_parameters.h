// [[route.parameter]]: what a route asks of a parameter.
#pragma once

#include <span>
#include <string_view>

#include "base/schema.h"
#include "base/value.h"
#include "config/config.h"

namespace leat::config {

std::span<const schema::Row> route_parameter_rows();

inline constexpr std::string_view kParameterTables = "tables, written as [[route.parameter]]";

// Adds what is right of them to the route, which has a plugin's handler; what is wrong is said.
void read_route_parameters(const Value& list, RouteDecl& route, Diagnostics& diagnostics);

}  // namespace leat::config
