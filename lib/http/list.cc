#include "http/list.h"

namespace leat::http {

bool names_etag(std::string_view if_none_match, std::string_view etag) {
  const auto opaque = [](std::string_view tag) { return tag.starts_with("W/") ? tag.substr(2) : tag; };
  if (trim(if_none_match) == "*") return true;
  bool found = false;
  if (!etag.empty())
    for_each_item(
        if_none_match, [&](std::string_view item) { found = found || opaque(item) == opaque(etag); },
        Backslash::IsPlain);
  return found;
}

}  // namespace leat::http
