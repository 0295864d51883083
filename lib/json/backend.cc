#include "json/backend.h"

#include <algorithm>
#include <array>
#include <atomic>

#include "base/check.h"
#include "base/utf8.h"

namespace leat::json {

namespace {

constexpr Backend kBuilt[] = {
    Backend::Direct,
#ifdef LEAT_JSON_YYJSON
    Backend::Yyjson,
#endif
#ifdef LEAT_JSON_RAPIDJSON
    Backend::RapidJson,
#endif
};

std::atomic<Backend> chosen = Backend::Direct;

}  // namespace

std::span<const Backend> built_backends() { return kBuilt; }

bool is_built(Backend backend) {
  return backend == Backend::Auto || std::ranges::find(kBuilt, backend) != std::end(kBuilt);
}

std::string_view backend_name(Backend backend) {
  constexpr std::array<std::string_view, 6> kNames = {"auto",   "direct", "rapidjson",
                                                      "yyjson", "cbor",   "msgpack"};
  return kNames[static_cast<size_t>(backend)];
}

void set_default_backend(Backend backend) {
  ENSURE(is_built(backend));
  chosen.store(backend == Backend::Auto ? kBuilt[0] : backend, std::memory_order_relaxed);
}

Backend default_backend() { return chosen.load(std::memory_order_relaxed); }

EventBackend* make_backend(Backend backend, TextBuffer& out) {
#ifdef LEAT_JSON_RAPIDJSON
  if (backend == Backend::RapidJson) return make_rapidjson(out);
#endif
#ifdef LEAT_JSON_YYJSON
  if (backend == Backend::Yyjson) return make_yyjson(out);
#endif
  if (backend == Backend::Cbor) return make_cbor(out);
  if (backend == Backend::MessagePack) return make_message_pack(out);
  ENSURE(backend == Backend::Direct);
  (void)out;
  return nullptr;
}

namespace {

bool has_capital_code(std::string_view text) {
  return std::ranges::any_of(text, [](char c) {
    return static_cast<unsigned char>(c) < 0x20 && (c & 15) >= 10 && c != '\n' && c != '\f' && c != '\r';
  });
}

}  // namespace

bool needs_help(std::string_view text) { return has_capital_code(text) || !is_utf8(text); }

}  // namespace leat::json
