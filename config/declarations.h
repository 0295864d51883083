// [[listener]], [[plugin]], [[middleware]] and [[route]] tables into declarations.
//
// Each reader reports all that is wrong with its table. What is wrong is added to the configuration all the
// same, but for a listener: who looks at it later finds more. What could not be read is empty there, and has
// been said.
#pragma once

#include <span>

#include "base/schema.h"
#include "base/value.h"
#include "config/config.h"

namespace leat::config {

// `table` is a table. False when anything was wrong with it.
bool read_listener(const Value& table, Config& config, Diagnostics& diagnostics);
bool read_plugin(const Value& table, Config& config, Diagnostics& diagnostics);
bool read_middleware(const Value& table, Config& config, Diagnostics& diagnostics);
bool read_route(const Value& table, Config& config, Diagnostics& diagnostics);

// The keys of these tables, and of [route.cache] what is not in route_cache_settings().
std::span<const schema::Row> listener_rows();
std::span<const schema::Row> plugin_rows();
std::span<const schema::Row> middleware_rows();
std::span<const schema::Row> route_rows();
std::span<const schema::Row> route_query_rows();

}  // namespace leat::config
