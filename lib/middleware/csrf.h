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
// and is answered 403 otherwise. Nothing is kept, and pages need no token. Rejected: tokens in forms, which need a session and
// the help of each handler, for browsers that are gone.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/schema.h"
#include "pipeline/middleware_kind.h"

namespace leat::middleware {

struct CsrfOptions {
  std::vector<std::string> origins;
  bool same_site = false;
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
};

std::unique_ptr<pipeline::Middleware> create_csrf(const CsrfOptions& options,
                                                  const pipeline::BuildContext& context);

}  // namespace leat::middleware
