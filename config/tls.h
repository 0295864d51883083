// [[tls]] tables: certificates by the names that they are for, read from the files that the tables name.
//
// Reading a table is one step, reading its files another, when paths are absolute (Config::tls). The files belong to the
// configuration: they are read as its own are (file.h), so that a reload that finds one wrong changes nothing.
#pragma once

#include <span>
#include <string_view>

#include "base/schema.h"
#include "base/value.h"
#include "config/config.h"

namespace leat::config {

// Of what a table names as a file: it is the text of one, which is PEM.
inline bool is_pem(std::string_view text) { return text.contains("-----BEGIN "); }

// Of what names a file as a path or is its text, what is wrong with it.
std::string check_pem(std::string_view called, std::string_view text);

// `table` is a table. False when anything was wrong with it.
bool read_tls(const Value& table, Config& config, Diagnostics& diagnostics);
std::span<const schema::Row> tls_rows();

// Reads what the tables name, for ListenerDecl::tls_server, and sees that listeners can be served with it. `running` (may be
// null) has the keys of tickets and the counts that are kept over a reload. `restarts`: what has expired since it began to serve serves on,
// with a warning.
// `kept` (may be null) has the keys of the process before this one, and gets those for the next.
void load_certificates(Config& config, const Settings* running, bool restarts, Diagnostics& diagnostics,
                       tls::KeptTicketKeys* kept = nullptr);

// That of one of its listeners, of which all have the same certificates; null where none speaks TLS.
std::shared_ptr<const tls::Server> tls_in(const Settings& settings);

}  // namespace leat::config
