// cors: lets pages of other origins read what is answered here, by the Fetch standard ("HTTP-CORS protocol").
//
//   origins      = ["https://app.example", "https://*.example.com"]      or ["*"]
//   methods      = ["GET", "PUT"]                                        or ["*"]: whichever is asked about
//   headers      = ["Content-Type", "Authorization"]                     or ["*"]: likewise
//
// A preflight request, one that asks whether a page may send another one, is answered here and comes to no handler; also
// on routes that do not take OPTIONS (pipeline/preflight.h). It has no credentials, so cors stands before whatever asks
// for some: in the phase identify. There it sees the answers of those as well, so that a page can read their refusals.
//
// What an answer says of origins is this middleware's: fields that a handler has set are taken away, since browsers
// refuse two, and since a handler must not open what the configuration keeps shut. Where it depends on the origin who may
// read, the answer says Vary: Origin, whoever asks. Nobody is refused by it but preflight requests: what is not for a
// page to read is kept from it by its browser.
//
// Rejected: the origin of the request itself for ["*"] with credentials, which would let any page act for whoever looks
// at it; a 200 or 204 without fields for a preflight that is refused, which looks in a log as if all were well.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/schema.h"
#include "pipeline/middleware_kind.h"

namespace leat::middleware {

struct CorsOptions {
  std::vector<std::string> origins;
  std::vector<std::string> methods = {"GET", "HEAD", "POST"};
  std::vector<std::string> headers;
  std::vector<std::string> expose;
  bool credentials = false;
  bool private_network = false;
  uint64_t max_age_ms = 600'000;
  uint64_t mirrored = 1024;
};

// A Row::Check each: of an origin, "https://a.example", "https://*.a.example", "null" or "*"; of a method, or "*"; of the
// name of a header field, or "*".
std::string check_cors_origin(std::string_view called, std::string_view text);
std::string check_cors_method(std::string_view called, std::string_view text);
std::string check_cors_header(std::string_view called, std::string_view text);

inline constexpr schema::Row kCorsRows[] = {
    schema::list<&CorsOptions::origins>("origins", "origins", check_cors_origin, 0,
                                        "Whose pages may read the answers: `https://app.example`, "
                                        "`https://*.example.com` for all hosts below "
                                        "that one, `null` for pages without an origin (files, sandboxes: "
                                        "anybody can be one), or `*` for all.")
        .as_needed(),
    schema::list<&CorsOptions::methods>(
        "methods", "methods", check_cors_method, 0,
        "Methods that they may use; `*`: whichever. GET, HEAD and POST need nobody's leave."),
    schema::list<&CorsOptions::headers>(
        "headers", "names of header fields", check_cors_header, 0,
        "Header fields that they may send, beyond those that forms can; `*`: whichever."),
    schema::list<&CorsOptions::expose>(
        "expose", "names of header fields", check_cors_header, 0,
        "Header fields of answers that they may read, beyond the usual; `*`, without `credentials`: all."),
    schema::boolean<&CorsOptions::credentials>(
        "credentials",
        "They may send cookies and the like, and read what is answered to those. Not with `*`."),
    schema::boolean<&CorsOptions::private_network>("private_network",
                                                   "Pages from the public network may ask, where this server "
                                                   "is in a private one (Private Network Access)."),
    schema::duration<&CorsOptions::max_age_ms>("max_age", 0, 86'400'000,
                                               "How long browsers may keep what a preflight was told, in "
                                               "whole seconds; most keep it for 2h or less."),
    schema::size<&CorsOptions::mirrored>("mirrored", 64, 4096,
                                         "With `*` in `headers` or `methods`: of a list that is asked about, "
                                         "in bytes; a longer one is refused."),
};

std::unique_ptr<pipeline::Middleware> create_cors(const CorsOptions& options,
                                                  const pipeline::BuildContext& context);

}  // namespace leat::middleware
