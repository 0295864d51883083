// What a successful request may have changed: which stored responses are invalid from then on.
#include <algorithm>
#include <string>

#include "base/text.h"
#include "cache/response_cache.h"
#include "http/worker_context.h"
#include "pipeline/path.h"

namespace leat::cache {

namespace {

// A path as all spell it that are the same to the router; null for what is none, or where `arena` is out.
std::string_view spelled(std::string_view path, Arena& arena) {
  if (!path.starts_with('/') || !pipeline::well_encoded(path)) return {};
  if (!pipeline::needs_normalising(path)) return path;
  char* const bytes = static_cast<char*>(arena.allocate(path.size() + 1, 1));
  if (bytes == nullptr) return {};
  return {bytes, pipeline::spell_path(path, bytes)};
}

// Host and port, without one that is the usual one: who is asked does not know by which scheme it was.
std::string_view without_usual_port(std::string_view authority) {
  for (const std::string_view port : {":80", ":443", ":"})
    if (authority.ends_with(port)) return authority.substr(0, authority.size() - port.size());
  return authority;
}

// The path that a reference in an answer to `request` names (RFC 3986, section 5.2), as it is written; null
// where it is on another host.
std::string_view path_of(std::string_view reference, const http::Request& request, Arena& arena) {
  reference = reference.substr(0, reference.find_first_of("?#"));
  const size_t colon = reference.find(':');
  if (colon < reference.find('/')) {
    const std::string_view scheme = reference.substr(0, colon);
    if (!equal_ignoring_case(scheme, "http") && !equal_ignoring_case(scheme, "https")) return {};
    reference.remove_prefix(colon + 1);
    if (!reference.starts_with("//")) return {};
  }
  if (reference.starts_with("//")) {
    reference.remove_prefix(2);
    const size_t end = std::min(reference.find('/'), reference.size());
    if (!equal_ignoring_case(without_usual_port(reference.substr(0, end)),
                             without_usual_port(request.host())))
      return {};
    return end == reference.size() ? "/" : reference.substr(end);
  }
  if (reference.starts_with('/')) return reference;
  const std::string_view base = request.path();
  if (reference.empty()) return base;
  const std::string_view folder = base.substr(0, base.rfind('/') + 1);
  char* const bytes = static_cast<char*>(arena.allocate(folder.size() + reference.size(), 1));
  if (bytes == nullptr) return {};
  std::ranges::copy(reference, std::ranges::copy(folder, bytes).out);
  return {bytes, folder.size() + reference.size()};
}

// Whether Location names something that has become, or may have become, another by that (RFC 9111, section 4.4): where a client is
// only sent elsewhere, nothing has happened there.
bool tells_of_change(uint16_t status) { return status < 300 || status == 303; }

}  // namespace

std::string ResponseCache::page_of(std::string_view host, std::string_view path) {
  std::string name(without_usual_port(host));
  std::ranges::transform(name, name.begin(), ascii_lower);
  return name.append(1, '\0').append(path);
}

void ResponseCache::on_change(http::Exchange& exchange) {
  const uint64_t now_ms = exchange.worker().now_ns() / 1'000'000;
  const auto invalidate = [&](std::string_view path) {
    const std::string_view own = spelled(path, exchange.arena());
    if (own.data() != nullptr)
      invalidations_.purge(
          invalidations_.slot(Invalidations::Kind::Page, page_of(exchange.request.host(), own)), true,
          now_ms);
  };
  invalidate(exchange.request.path());
  if (!tells_of_change(exchange.response.status)) return;
  for (const auto& [name, value, origin, ready] : exchange.response.fields())
    if (equal_ignoring_case(name, "Location") || equal_ignoring_case(name, "Content-Location"))
      invalidate(path_of(trim(value), exchange.request, exchange.arena()));
}

}  // namespace leat::cache
