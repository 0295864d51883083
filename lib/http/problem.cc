#include "http/problem.h"

#include <cstring>

#include "http/status.h"
#include "json/writer.h"

namespace leat::http {

std::string_view problem_body(Arena& arena, uint16_t status, std::string_view detail,
                              std::string_view request_id, std::string_view extra) {
  json::Writer json(arena);
  json.begin_object();
  json.key("type");
  json.string("about:blank");
  json.key("title");
  json.string(reason_phrase(status));
  json.key("status");
  json.unsigned_integer(status);
  if (!detail.empty()) {
    json.key("detail");
    json.string(detail);
  }
  if (!request_id.empty()) {
    json.key("request_id");
    json.string(request_id);
  }
  json.end_object();
  const auto text = json.finish();
  if (!text) return R"({"type":"about:blank"})";
  if (extra.empty()) return *text;
  // The caller's members go before the closing brace.
  const size_t head = text->size() - 1;
  char* joined = arena.allocate_array<char>(head + 1 + extra.size() + 1);
  if (joined == nullptr) return *text;
  std::memcpy(joined, text->data(), head);
  joined[head] = ',';
  std::memcpy(joined + head + 1, extra.data(), extra.size());
  joined[head + 1 + extra.size()] = '}';
  return {joined, head + extra.size() + 2};
}

}  // namespace leat::http
