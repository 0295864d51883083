#include "middleware/upstream_option.h"

#include <fmt/core.h>

#include <utility>

#include "client/fetch.h"
#include "middleware/option_error.h"

namespace leat::middleware {

std::string check_upstream(std::string_view called, std::string_view text) {
  const auto parsed = client::Upstream::parse(text, {});
  return parsed ? std::string() : fmt::format("{} `{}`: {}", called, text, parsed.error());
}

std::string check_upstream_path(std::string_view called, std::string_view text) {
  const std::string_view why = client::refuse_request({.target = text});
  return why.empty() ? std::string() : fmt::format("{} `{}`: {}", called, text, why);
}

std::shared_ptr<client::Upstream> open_upstream(const pipeline::BuildContext& context,
                                                std::string_view option, std::string_view url,
                                                const client::UpstreamOptions& options) {
  if (!client::Upstream::parse(url, options)) return nullptr;
  auto opened = context.surroundings.scripted_upstreams ? client::Upstream::parse(url, options)
                                                        : client::Upstream::open(url, options);
  if (opened) return std::move(*opened);
  fail_option(context, option, fmt::format("`{}` {}: {}", option, url, opened.error()));
  return nullptr;
}

}  // namespace leat::middleware
