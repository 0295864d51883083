// An option that names a server to be asked (client/upstream.h).
//
// Its name is looked up while the configuration is read, where nobody waits, and again now and then, on the pool.
//
// Used at load only.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "client/upstream.h"
#include "pipeline/middleware_kind.h"

namespace leat::middleware {

// A Row::Check each: of an upstream's URL, and of the path, with a query or without, that it is asked for.
std::string check_upstream(std::string_view called, std::string_view text);
std::string check_upstream_path(std::string_view called, std::string_view text);

// The upstream that `option` names by `url`. Null: it has no address, which is said at the option, or its check has found
// something.
std::shared_ptr<client::Upstream> open_upstream(const pipeline::BuildContext& context,
                                                std::string_view option, std::string_view url,
                                                const client::UpstreamOptions& options);

}  // namespace leat::middleware
