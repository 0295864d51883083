// The tables in a [[route]]: `when`, `answer` and [route.cache]. Parameters are in route_parameters.h.
#pragma once

#include <span>
#include <string_view>

#include "base/schema.h"
#include "base/value.h"
#include "config/config.h"

namespace leat::config {

inline constexpr std::string_view kCacheTable = "a table, written as [route.cache]";
inline constexpr std::string_view kWhenTable = "a table, like {header = [\"X-Api: 2\"]}";
inline constexpr std::string_view kAnswerTable = "a table, like {status = 403}";

std::span<const schema::Row> route_when_rows();
std::span<const schema::Row> route_answer_rows();
std::span<const schema::Row> route_query_rows();  // of [route.cache] what is not in route_cache_settings()

// Each reads what stands at its key into the route; what is wrong is said by `reader`, the route's.
void read_route_when(schema::Reader& reader, const Value& value, pipeline::RouteSpec& spec);
void read_route_answer(schema::Reader& reader, const Value& value, RouteDecl& route);
void read_route_cache(schema::Reader& reader, const Value& value, RouteDecl& route);

}  // namespace leat::config
