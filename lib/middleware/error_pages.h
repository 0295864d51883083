// error_pages: what people see where something went wrong, in the place of a problem in JSON.
//
// Whoever asks says in Accept what it reads: a program goes on getting the problem (RFC 9457), a browser a page. A page is that of
// the site for the status, or a plain one that is made here. Errors that handlers answer themselves are left alone unless that is
// asked for.
//
// It stands behind all that refuses requests, and its answers pass what marks them for the client.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/schema.h"
#include "middleware/statuses.h"
#include "pipeline/middleware_kind.h"

namespace leat::middleware {

struct ErrorPagesOptions {
  const Value* pages = nullptr;
  bool handlers = false;
};

// A page as it is written.
struct ErrorPageKeys {
  std::vector<std::string> status;
  std::string type = "text/html; charset=utf-8";
  std::string body;
  std::string file;
};

std::string check_page_type(std::string_view called, std::string_view text);
std::string check_page_body(std::string_view called, std::string_view text);

inline constexpr schema::Row kErrorPageRows[] = {
    schema::list<&ErrorPageKeys::status>("status", "statuses", check_status, 0,
                                         "Which errors: `404`, `5xx`, `500-503`. With none, all."),
    schema::text<&ErrorPageKeys::type>("type", check_page_type, 0, "Its type of content."),
    schema::text<&ErrorPageKeys::body>("body", check_page_body, 0, "The page."),
    schema::text<&ErrorPageKeys::file>("file", "In place of `body`: the file that holds it."),
};

inline constexpr std::string_view kErrorPageList = "a list of pages";
inline constexpr schema::Row kErrorPagesRows[] = {
    schema::any<&ErrorPagesOptions::pages>(
        "pages", kErrorPageList,
        "Pages of the site, the first that is for the status and that the client reads best. Each has a "
        "`body`, or a `file` that holds it, which is read with the configuration, and may have the lists "
        "`status` (`404`, "
        "`5xx`, `500-503`; with none, all) and a `type` (`text/html; charset=utf-8`). `{status}`, "
        "`{reason}`, "
        "`{detail}`, `{request_id}` and `{host}` in it stand for what they say."),
    schema::boolean<&ErrorPagesOptions::handlers>(
        "handlers", "Errors that handlers answer themselves get pages as well."),
};

std::unique_ptr<pipeline::Middleware> create_error_pages(const ErrorPagesOptions& options,
                                                         const pipeline::BuildContext& context);

}  // namespace leat::middleware
