// access_log: one line for each request that has ended, however it did.
//
// What a line says is compiled once (access_line.h); where it goes is a sink that instances with the same target
// share, over reloads (logging/sinks.h). So the declaration is the middleware's: routes may have logs of their own, and
// two of them may go into one file.
//
// The daemon's log.level says nothing about it. No header field is in a line that was not asked for, so that it does not
// leak what Authorization or cookies say.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/schema.h"
#include "logging/target.h"
#include "middleware/statuses.h"
#include "pipeline/middleware_kind.h"

namespace leat::middleware {

struct AccessLogOptions {
  std::optional<logging::Target::To> to;
  std::string file;
  std::string socket;
  logging::Target::Facility facility = logging::Target().facility;
  uint64_t rotate_size = 0;
  uint32_t rotate_keep = logging::Target().rotate_keep;
  uint64_t buffer = logging::Target().buffer_bytes;

  std::optional<std::string> format;
  // What most want to know, and what a line of it costs little to keep.
  std::vector<std::string> fields = {"ts",     "client",     "method",  "host",      "target",
                                     "status", "route",      "reason",  "bytes_out", "duration_us",
                                     "cache",  "request_id", "trace_id"};
  std::vector<std::string> redact_headers = {"authorization", "proxy-authorization", "cookie"};
  std::vector<std::string> redact_query = {"access_token", "api_key", "apikey",
                                           "password",     "secret",  "token"};

  std::vector<std::string> status;
  std::optional<uint64_t> slower_than_ms;
  double sample = 1;
};

// A Row::Check each: of a name of a field, and of a format.
std::string check_log_field(std::string_view called, std::string_view text);
std::string check_log_format(std::string_view called, std::string_view text);

inline constexpr schema::Row kAccessLogRows[] = {
    schema::choice<&AccessLogOptions::to>(
        "to", "log stderr file syslog journald",
        "Where lines go: where the daemon's own log goes, to its stderr, into `file`, or as messages to the "
        "local "
        "syslog or journal. `file` alone says so, too; otherwise it is `log`."),
    schema::text<&AccessLogOptions::file>("file", "The file that they go into.").as_path(),
    schema::size<&AccessLogOptions::rotate_size>("rotate_size", 0, int64_t{1} << 40,
                                                 "The file becomes `FILE.1` before it is larger, and a new "
                                                 "one is begun; 0: only when USR1 asks for it."),
    schema::count<&AccessLogOptions::rotate_keep>("rotate_keep", 1, 1000, "How many former files stay."),
    schema::text<&AccessLogOptions::socket>("socket", 107,
                                            "Of the syslog or journal, in place of its usual one."),
    schema::choice<&AccessLogOptions::facility>(
        "facility", "daemon local0 local1 local2 local3 local4 local5 local6 local7",
        "Syslog's word for who logs."),
    schema::size<&AccessLogOptions::buffer>(
        "buffer", int64_t{64} * 1024, int64_t{1} << 30,
        "Of each worker: what waits there to be written. Lines beyond are dropped and counted."),
    schema::text<&AccessLogOptions::format>(
        "format", check_log_format, 0,
        "`json`: an object of `fields`; `combined`, as other web servers have it; `text`, for people; or a "
        "text with "
        "`{field}` in it. Of the journal, its message; then `text` is the default, and otherwise `json`."),
    schema::list<&AccessLogOptions::fields>("fields", "names of fields", check_log_field, 0,
                                            "Of `json`, and of the journal, in that order; `header:NAME` is "
                                            "a header field of the request, and `all` are "
                                            "all but those. What is empty is left out."),
    schema::texts<&AccessLogOptions::redact_headers>("redact_headers",
                                                     "Header fields of which no line shows the value."),
    schema::texts<&AccessLogOptions::redact_query>(
        "redact_query", "Parameters of a query, in targets and referers, of which no line shows the value."),
    schema::list<&AccessLogOptions::status>(
        "status", "statuses", check_status, 0,
        "Requests that end with one of these are logged: `404`, `5xx`, `500-503`."),
    schema::duration<&AccessLogOptions::slower_than_ms>("slower_than", 1, 86'400'000,
                                                        "Requests that took longer are logged."),
    schema::real<&AccessLogOptions::sample>("sample", 0, 1,
                                            "The share of the others that is logged, chosen at random. With "
                                            "`status` or `slower_than` it is 0 unless it is "
                                            "said here."),
};

std::unique_ptr<pipeline::Middleware> create_access_log(const AccessLogOptions& options,
                                                        const pipeline::BuildContext& context);

}  // namespace leat::middleware
