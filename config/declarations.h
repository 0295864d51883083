// [[listener]], [[plugin]] and [[middleware]] tables into declarations; those of routes are in routes.h.
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
// An instance, wherever it is declared. Everything but its own keys are options of the kind, which judges them.
pipeline::MiddlewareSpec read_middleware_spec(const Value& table, schema::Reader& reader);

// The keys of these tables.
std::span<const schema::Row> listener_rows();
std::span<const schema::Row> plugin_rows();
std::span<const schema::Row> middleware_rows();

// A reader of a table within another's, and a value that is of another type than it must be.
schema::Reader reader_of(const Value& table, std::string_view header, Diagnostics& diagnostics);
void wrong_type(schema::Reader& reader, const Value& value, std::string_view key, std::string_view wanted);

}  // namespace leat::config
