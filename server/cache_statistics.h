// What `leat cache stats` shows: the store, and how the requests to each cached route were answered.
//
// It is read from the text of the metrics, so that both cannot tell two stories.
#pragma once

#include <string>
#include <string_view>

namespace leat::server {

// `metrics` is what metrics::Registry::text() says. As a table for people, or as JSON.
std::string describe_cache(std::string_view metrics, bool json);

}  // namespace leat::server
