#include "cache/key.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <set>

#include "base/text.h"
#include "cache/cache_control.h"

namespace leat::cache {

namespace {

// Plugins' values lie in the same store under keys that begin with a name.
constexpr std::string_view kBegin{"\0r", 2};

// What neither a host nor a client has in it: what comes before these.
constexpr char kBeforeScheme = '\1', kBeforeClient = '\2', kBeforeApart = '\3';

// The parameters of `query` that `names` lists, as they came; or nothing where one cannot be told.
std::optional<std::string_view> listed_part(const std::vector<std::string>& names, std::string_view query,
                                            Arena& arena) {
  char* const bytes = static_cast<char*>(arena.allocate(query.size() + 1, 1));
  if (bytes == nullptr) return std::nullopt;
  size_t size = 0;
  while (!query.empty()) {
    const std::string_view parameter = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(parameter.size() + 1, query.size()));
    const std::string_view name = parameter.substr(0, parameter.find('='));
    if (name.find_first_of("%+") != std::string_view::npos) return std::nullopt;
    if (!std::ranges::contains(names, name)) continue;
    if (size != 0) bytes[size++] = '&';
    std::memcpy(bytes + size, parameter.data(), parameter.size());
    size += parameter.size();
  }
  return std::string_view(bytes, size);
}

}  // namespace

RequestKey make_key(const Policy& policy, const http::Request& request, Arena& arena) {
  std::string_view query;
  if (policy.query == Policy::Query::All) {
    query = request.query();
  } else if (policy.query == Policy::Query::Listed) {
    const auto listed = listed_part(policy.parameters, request.query(), arena);
    if (!listed) return {};
    query = *listed;
  }
  // A handler can tell "/x?" from "/x".
  const bool has_query = policy.query == Policy::Query::All ? request.head().has_query : !query.empty();
  const std::string_view host = request.host(), path = request.path();
  const std::string_view scheme = request.scheme() == kHttps ? kHttps : std::string_view();
  const std::string_view client = policy.per_client ? request.client() : std::string_view();
  const std::string_view apart = policy.apart;
  const size_t more = (scheme.empty() ? 0 : 1 + scheme.size()) + (policy.per_client ? 1 + client.size() : 0) +
                      (apart.empty() ? 0 : 1 + apart.size());
  const size_t size = kBegin.size() + host.size() + more + 1 + path.size() + has_query + query.size();
  char* const bytes = static_cast<char*>(arena.allocate(size, 1));
  if (bytes == nullptr) return {};
  char* at = bytes;
  const auto put = [&at](std::string_view text) {
    if (!text.empty()) std::memcpy(at, text.data(), text.size());
    at += text.size();
  };
  put(kBegin);
  put(host);
  if (!scheme.empty()) {
    *at++ = kBeforeScheme;
    put(scheme);
  }
  if (policy.per_client) {
    *at++ = kBeforeClient;
    put(client);
  }
  if (!apart.empty()) {
    *at++ = kBeforeApart;
    put(apart);
  }
  *at++ = '\0';
  const char* const target = at;
  put(path);
  if (has_query) *at++ = '?';
  put(query);
  return {{bytes, size}, {target, static_cast<size_t>(at - target)}};
}

std::string vary_names(std::span<const http::Response::Field> fields) {
  std::set<std::string> names;
  for (const auto& [name, value, origin, ready] : fields) {
    if (!equal_ignoring_case(name, "Vary")) continue;
    for_each_item(value, [&](std::string_view item) {
      std::string lower(item);
      std::ranges::transform(lower, lower.begin(), ascii_lower);
      names.insert(std::move(lower));
    });
  }
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ",") + name;
  return text;
}

namespace {

// In these white space around the items means nothing, nor do empty ones. Of others nobody knows what the
// handler makes of it: "a" and "a," may be two tenants.
constexpr bool is_list(http::HeaderId id) {
  return id == http::HeaderId::Accept || id == http::HeaderId::AcceptEncoding ||
         id == http::HeaderId::AcceptLanguage;
}

}  // namespace

std::string_view variant_of(std::string_view names, const http::Request& request, Arena& arena) {
  const http::Head& head = request.head();
  const auto for_each_value = [&head](std::string_view name, auto visit) {
    const http::HeaderId id = http::find_header(name);
    for (const http::HeaderSlot& slot : head.headers())
      if (slot.id == id && (id != http::HeaderId::Unknown || equal_ignoring_case(head.view(slot.name), name)))
        visit(id, head.view(slot.value));
  };
  size_t room = 0;
  for_each_item(names, [&](std::string_view name) {
    room += name.size() + 1;
    for_each_value(name, [&](http::HeaderId, std::string_view value) { room += value.size() + 2; });
  });
  char* const bytes = static_cast<char*>(arena.allocate(room + 1, 1));
  if (bytes == nullptr) return {};
  char* at = bytes;
  const auto put = [&at](std::string_view text) { at = std::ranges::copy(text, at).out; };
  // A line begins with LF and a name ends with NUL, neither of which is in any.
  for_each_item(names, [&](std::string_view name) {
    put(name);
    for_each_value(name, [&](http::HeaderId id, std::string_view value) {
      *at++ = '\n';  // an empty field is not an absent one
      if (!is_list(id)) return put(value);
      for_each_item(value, [&](std::string_view item) {
        put(item);
        *at++ = ',';
      });
    });
    *at++ = '\0';
  });
  return {bytes, static_cast<size_t>(at - bytes)};
}

}  // namespace leat::cache
