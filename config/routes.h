// [[route]], [[group]] and [[host]] tables into declarations.
//
// A route stands alone, or in a [[group]] or a [[host]], which say something for all of theirs: the beginning of their paths,
// middleware, limits. Groups stand in groups and in hosts. What they say is put into each route, so that nobody needs to know of
// them later.
//
// What is wrong is treated as in declarations.h.
#pragma once

#include <span>

#include "base/schema.h"
#include "base/value.h"
#include "config/config.h"

namespace leat::config {

// `table` is a table. False when anything was wrong with it, or with what stands in it.
bool read_route(const Value& table, Config& config, Diagnostics& diagnostics);
bool read_group(const Value& table, Config& config, Diagnostics& diagnostics);
bool read_host(const Value& table, Config& config, Diagnostics& diagnostics);

// What is wrong with the name of a host, as a schema::Row::Check.
std::string check_host_name(std::string_view called, std::string_view text);

// The keys of these tables; those of tables in a route are in route_tables.h and route_parameters.h.
std::span<const schema::Row> route_rows();
std::span<const schema::Row> group_rows();
std::span<const schema::Row> host_rows();
std::span<const schema::Row> scope_rows();  // of a group and of a host, beside those

}  // namespace leat::config
