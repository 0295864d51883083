// Keeps texts in the cache, through C++ and through the table itself.
#include <leat/plugin.hpp>

#include <chrono>
#include <string>
#include <thread>

namespace {

class Cached : public leat::Plugin<Cached> {
 public:
  explicit Cached(leat::Setup& setup) : cache_(setup), host_(setup.host()) {
    cache_.put("made", "in the constructor");
  }

  // What was stored under the name, or else the text, which is stored: "stored: x", then "found: x".
  leat::Reply remember(leat::Path<std::string_view, "name"> name, leat::Query<std::string_view, "text"> text,
                       leat::Query<std::optional<int64_t>, "ms"> ms, leat::Request& request) {
    const std::chrono::milliseconds ttl(ms->value_or(0));
    if (const auto found = cache_.get(request, *name)) {
      // It stays, whatever becomes of the entry.
      cache_.purge(*name);
      cache_.put(*name, *found, ttl, {"all", "remembered"});
      return leat::text("found: " + std::string(*found));
    }
    const bool stored = cache_.put(*name, *text, ttl, {"all", "remembered"});
    return leat::text((stored ? "stored: " : "refused: ") + std::string(*text));
  }
  // The same through the table, with the time as it is passed there.
  leat::Reply remember_raw(leat::Path<std::string_view, "name"> name,
                           leat::Query<std::string_view, "text"> text, leat::Query<int64_t, "ms"> ms) {
    const int32_t stored = leat::detail::api.cache->put(host_, leat::to_str(*name), leat::to_str(*text),
                                                        static_cast<uint64_t>(*ms), nullptr, 0);
    return leat::text(std::to_string(stored));
  }
  leat::Reply find(leat::Path<std::string_view, "name"> name, leat::Request& request) {
    return leat::text(std::string(cache_.get(request, *name).value_or("nothing")));
  }
  leat::Reply large(leat::Query<int, "size"> size) {
    const std::string value(static_cast<size_t>(*size), 'x');
    return leat::text(std::string(cache_.put("large", value) ? "stored" : "refused"));
  }
  leat::Reply purge(leat::Query<std::string_view, "how"> how, leat::Query<std::string_view, "what"> what) {
    uint64_t count = 0;
    std::thread([&] {  // any thread may
      count = *how == "key"   ? cache_.purge(*what)
              : *how == "tag" ? cache_.purge_tag(*what)
                              : cache_.purge_prefix(*what);
    })
        .join();
    return leat::text(std::to_string(count));
  }
  // The value as the answer, without a copy.
  leat::Reply serve(leat::Path<std::string_view, "name"> name, leat::Request& request) {
    const leat_cache_v1& api = *leat::detail::api.cache;
    const int32_t sent = api.send(request.raw(), leat::to_str(*name));
    if (sent == LEAT_E_NOT_FOUND) return leat::next();
    if (api.send(request.raw(), leat::to_str(*name)) != LEAT_E_STATE) std::terminate();
    cache_.purge(*name);
    return leat::answered();
  }
  leat::Reply misuse(leat::Request& request) {
    const leat_cache_v1& api = *leat::detail::api.cache;
    leat_str value{};
    std::string said;
    const auto note = [&said](auto code) { said += (said.empty() ? "" : " ") + std::to_string(code); };
    note(api.get(nullptr, LEAT_STR("x"), &value));
    note(api.get(request.raw(), {nullptr, 3}, &value));
    note(api.get(request.raw(), LEAT_STR("x"), nullptr));
    note(api.send(request.raw(), {nullptr, 3}));
    note(api.put(host_, {nullptr, 3}, {}, 0, nullptr, 0));
    note(api.put(host_, {}, {}, 0, nullptr, 2));
    note(api.put(nullptr, {}, {}, 0, nullptr, 0));
    note(api.purge(nullptr, {}));
    note(api.purge_tag(host_, {nullptr, 3}));
    return leat::text(said);
  }

  static constexpr auto handlers() {
    return leat::list(handler<&Cached::remember>("remember"), handler<&Cached::remember_raw>("remember_raw"),
                      handler<&Cached::find>("find"), handler<&Cached::large>("large"),
                      handler<&Cached::purge>("purge"), handler<&Cached::serve>("serve"),
                      handler<&Cached::misuse>("misuse"));
  }

 private:
  leat::Cache cache_;
  const leat_host* host_;
};

}  // namespace

LEAT_PLUGIN(Cached, "cached", "1.0")
