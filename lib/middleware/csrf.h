// csrf: no page of another site changes anything in the name of whoever looks at it.
//
// A browser sends a user's cookies and passwords with requests of any page (cross-site request forgery). It also says whose
// page that is, by Sec-Fetch-Site, which no page can set (the Fetch Metadata standard), or, where it is older, by Origin. So a
// request that may change something (of any method but GET, HEAD and OPTIONS) passes if
//
//   its Origin is one that is let in, or
//   its Sec-Fetch-Site is same-origin or none (the user has typed it), or
//   it has no Sec-Fetch-Site, and its Origin is of the host that it asks, or
//   it has neither: no browser since 2020 leaves both out, and other programs send nobody's cookies unasked
//
// and is answered 403 otherwise. Nothing is kept, and pages need no token. With `token` they do all the same (csrf_token.h),
// beside all of this: for who has to, or has users whose browsers and proxies are not to be trusted with it.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/schema.h"
#include "middleware/api_key.h"
#include "middleware/sessions.h"
#include "pipeline/middleware_kind.h"

namespace leat::middleware {

struct CsrfOptions {
  std::vector<std::string> origins;
  bool same_site = false;
  bool token = false;
  std::string token_cookie = "__Host-csrf";
  std::string token_header = "X-CSRF-Token";
  std::string token_field = "csrf_token";
};

// A Row::Check.
std::string check_csrf_origin(std::string_view called, std::string_view text);

inline constexpr schema::Row kCsrfRows[] = {
    schema::list<&CsrfOptions::origins>(
        "origins", "origins", check_csrf_origin, 0,
        "Whose pages may change things beside one's own: `https://app.example`, or "
        "`https://*.example.com` for all hosts below that one."),
    schema::boolean<&CsrfOptions::same_site>(
        "same_site", "Pages of other hosts of the same site may, too: `a.example.com` for `b.example.com`."),
    schema::boolean<&CsrfOptions::token>(
        "token", "What may change something needs the token of its session as well, which `sessions` makes."),
    schema::text<&CsrfOptions::token_cookie>("token_cookie", check_session_cookie, 0,
                                             "The cookie in which pages find the token."),
    schema::text<&CsrfOptions::token_header>("token_header", check_header_name, 0,
                                             "The field in which scripts send it."),
    schema::text<&CsrfOptions::token_field>(
        "token_field", "The field of a form in which it may be instead. Empty: in none."),
};

std::unique_ptr<pipeline::Middleware> create_csrf(const CsrfOptions& options,
                                                  const pipeline::BuildContext& context);

}  // namespace leat::middleware
