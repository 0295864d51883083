// [[listener]], [[plugin]], [[middleware]] and [[route]] tables into declarations.
//
// Each reader reports all that is wrong with its table. A listener, middleware or route that is wrong is not
// added to the configuration, so that nothing is said twice by those who look at it later; a plugin is, by
// name.
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
