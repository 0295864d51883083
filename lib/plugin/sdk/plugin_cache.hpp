// Part of plugin.hpp: values by key for all workers; see leat.cache/1.
//
//   explicit Shop(leat::Setup& setup) : prices_(setup) {}
//
//   leat::Reply price(leat::Path<std::string_view, "id"> id, leat::Request& request, leat::Json& json) {
//     if (const auto cached = prices_.get(request, *id)) return leat::json_text(*cached);
//     std::string text = work_it_out(*id);
//     prices_.put(*id, text, std::chrono::minutes(5), {"prices"});
//     return leat::json_text(std::move(text));
//   }
//
//   leat::Cache prices_;
//
// and what the daemon stores of whole responses, on routes with a [route.cache]; see leat.response_cache/1.
//
//   leat::Reply user(leat::Path<uint32_t, "id"> id, leat::Request& request, leat::Json& json) {
//     leat::cache_tag(request, "user-" + std::to_string(*id));
//     ...
//   leat::Reply save(leat::Path<uint32_t, "id"> id, ...) {
//     ...
//     responses_.purge_tag("user-" + std::to_string(*id));
#ifndef LEAT_PLUGIN_CACHE_HPP
#define LEAT_PLUGIN_CACHE_HPP

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <new>
#include <optional>
#include <string_view>
#include <vector>

#include "plugin.h"
#include "plugin_base.hpp"
#include "plugin_request.hpp"

namespace leat {
inline namespace [[gnu::visibility("hidden")]] v1 {

// A member of the plugin's class, made in its constructor. Several are views of one cache.
class Cache {
 public:
  explicit Cache(const Setup& setup) : host_(setup.host()) {}

  // The value, without a copy: it stays until the request ends.
  [[nodiscard]] std::optional<std::string_view> get(const Request& request, std::string_view key) const {
    leat_str value{};
    const int32_t found = detail::api.cache->get(request.raw(), to_str(key), &value);
    if (found == LEAT_E_MEMORY) throw detail::OutOfMemory();
    return found == LEAT_OK ? std::optional(to_view(value)) : std::nullopt;
  }

  // Stores a copy, in place of what was there. Without a time, or with 0, it stays until it has to go. A time
  // below zero is over already: nothing is stored, and what was there goes. False: it is too large, or there
  // is no memory, and nothing has changed. Any thread.
  bool put(std::string_view key, std::string_view value, std::chrono::milliseconds ttl = {},
           std::initializer_list<std::string_view> tags = {}) const {
    if (ttl.count() < 0) {
      purge(key);
      return true;
    }
    std::vector<leat_str> texts;
    for (const std::string_view tag : tags) texts.push_back(to_str(tag));
    return detail::api.cache->put(host_, to_str(key), to_str(value), static_cast<uint64_t>(ttl.count()),
                                  texts.data(), static_cast<uint32_t>(texts.size())) == LEAT_OK;
  }

  // How many went. Any thread.
  uint64_t purge(std::string_view key) const { return detail::api.cache->purge(host_, to_str(key)); }
  uint64_t purge_prefix(std::string_view prefix) const {
    return detail::api.cache->purge_prefix(host_, to_str(prefix));
  }
  uint64_t purge_tag(std::string_view tag) const { return detail::api.cache->purge_tag(host_, to_str(tag)); }

 private:
  const leat_host* host_;
};

// What a plugin wishes for a response that others may get. What is not set is for its Cache-Control to say,
// and then for the route's settings.
struct CacheWishes {
  bool no_store = false;
  std::optional<std::chrono::milliseconds> ttl, stale_while_revalidate, stale_if_error;
};

// Before the request is answered. False: its answer is not stored whatever is wished.
inline bool cache_wish(const Request& request, const CacheWishes& wishes) {
  const auto said = [](const std::optional<std::chrono::milliseconds>& time) {
    return time ? static_cast<uint64_t>(time->count() > 0 ? time->count() : 0) : LEAT_UNSAID;
  };
  const leat_response_wishes table{sizeof table, wishes.no_store ? 1u : 0u, said(wishes.ttl),
                                   said(wishes.stale_while_revalidate), said(wishes.stale_if_error)};
  return detail::api.response_cache->wish(request.raw(), &table) == LEAT_OK;
}
// The same for one more tag, which is not empty.
inline bool cache_tag(const Request& request, std::string_view tag) {
  return detail::api.response_cache->tag(request.raw(), to_str(tag)) == LEAT_OK;
}

// Makes stored responses stale: they are made anew, and sent until then where the route allows it. With Hard
// they are as if they had never been stored. A member of the plugin's class. Any thread. False: the name can
// be none of that kind.
class Responses {
 public:
  enum How : int32_t { Soft, Hard };

  explicit Responses(const Setup& setup) : host_(setup.host()) {}
  // "/path", with whatever query; or "/path?query".
  bool purge(std::string_view target, How how = Soft) const { return by(LEAT_PURGE_TARGET, target, how); }
  // "/path" and all below it.
  bool purge_folder(std::string_view path, How how = Soft) const { return by(LEAT_PURGE_FOLDER, path, how); }
  bool purge_tag(std::string_view tag, How how = Soft) const { return by(LEAT_PURGE_TAG, tag, how); }
  bool purge_all(How how = Soft) const { return by(LEAT_PURGE_ALL, {}, how); }

 private:
  bool by(uint32_t kind, std::string_view name, How how) const {
    return detail::api.response_cache->purge(host_, kind, to_str(name), how) == LEAT_OK;
  }
  const leat_host* host_;
};

}  // namespace v1
}  // namespace leat

#endif
