#include "pipeline/parameters.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/shared/plugin_form.hpp"
#include "base/shared/plugin_number.hpp"
#include "base/text.h"

namespace leat::pipeline {

namespace {

using encoding::needs_form_decoding;
using encoding::take_form_byte;

// `text` decoded: itself where there is nothing to decode, else in the arena; a null data() without memory.
std::string_view decode(Arena& arena, std::string_view text, bool& malformed) {
  if (!needs_form_decoding(text)) return text;
  char* const decoded = arena.allocate_array<char>(text.size());
  if (decoded == nullptr) return {};
  return {decoded, encoding::decode_form(decoded, text, malformed)};
}

// Whether `text` stands for `wanted`, without keeping what it decodes to.
bool decodes_to(std::string_view text, std::string_view wanted) {
  if (!needs_form_decoding(text)) return text == wanted;
  bool malformed = false;
  for (; !text.empty(); wanted.remove_prefix(1))
    if (wanted.empty() || take_form_byte(text, malformed) != wanted.front() || malformed) return false;
  return wanted.empty();
}

template <class T>
std::expected<T, ParameterError> to_number(std::string_view text) {
  if (text.data() == nullptr) return std::unexpected(ParameterError::Missing);
  T number{};
  const auto [end, error] = [&] {
    if constexpr (std::is_floating_point_v<T>)
      return encoding::read_real(text, number);
    else
      return std::from_chars(text.data(), text.data() + text.size(), number);
  }();
  if (error == std::errc::invalid_argument || end != text.data() + text.size())
    return std::unexpected(ParameterError::NotANumber);
  if (error == std::errc::result_out_of_range) return std::unexpected(ParameterError::OutOfRange);
  return number;
}

}  // namespace

std::string_view error_text(ParameterError error) {
  switch (error) {
    case ParameterError::Missing:
      return "is missing";
    case ParameterError::BadEscape:
      return encoding::kBadEscape;
    case ParameterError::TooMany:
      return "is one of too many";
    case ParameterError::NoMemory:
      return "is too large for the memory of a request";
    case ParameterError::NotANumber:
      return "must be a number";
    case ParameterError::OutOfRange:
      return "is a number out of range";
    case ParameterError::NotABoolean:
      return "must be true or false";
  }
  return {};
}

std::expected<std::string_view, ParameterError> first_query(Arena& arena, std::string_view query,
                                                            std::string_view name) {
  for (encoding::FormPair pair; encoding::take_form_pair(query, pair);) {
    if (!decodes_to(pair.name, name)) continue;
    bool malformed = false;
    const std::string_view value = decode(arena, pair.value, malformed);
    if (value.data() == nullptr) return std::unexpected(ParameterError::NoMemory);
    if (malformed) return std::unexpected(ParameterError::BadEscape);
    return value;
  }
  return std::unexpected(ParameterError::Missing);
}

std::string_view find_query(Arena& arena, std::string_view query, std::string_view name) {
  return first_query(arena, query, name).value_or(std::string_view{});
}

std::string_view Query::first(std::string_view name) const {
  const auto found = std::ranges::find(pairs_, name, &Pair::name);
  return found != pairs_.end() ? found->value : std::string_view{};
}

std::expected<Query, ParameterError> parse_query(Arena& arena, std::string_view query, size_t most) {
  if (query.empty()) return Query{};
  // At most as many pairs as there are separators, and one.
  const size_t room = 1 + static_cast<size_t>(std::ranges::count(query, '&'));
  Pair* const pairs = arena.allocate_array<Pair>(std::min(room, most));
  if (pairs == nullptr) return std::unexpected(ParameterError::NoMemory);
  size_t count = 0;
  for (encoding::FormPair raw; encoding::take_form_pair(query, raw);) {
    if (count == most) return std::unexpected(ParameterError::TooMany);
    bool malformed = false;
    const Pair pair{decode(arena, raw.name, malformed), decode(arena, raw.value, malformed)};
    if (malformed) return std::unexpected(ParameterError::BadEscape);
    if (pair.name.data() == nullptr || pair.value.data() == nullptr)
      return std::unexpected(ParameterError::NoMemory);
    pairs[count++] = pair;
  }
  return Query(std::span<const Pair>(pairs, count));
}

std::string_view find_cookie(std::string_view field, std::string_view name) {
  for (encoding::FormPair cookie; encoding::take_cookie(field, cookie);)
    if (cookie.name == name) return cookie.value;
  return {};
}

std::string_view find_cookie(const http::Request& request, std::string_view name) {
  for (const http::HeaderSlot& slot : request.head().headers()) {
    if (slot.id != http::HeaderId::Cookie) continue;
    const std::string_view value = find_cookie(request.head().view(slot.value), name);
    if (value.data() != nullptr) return value;
  }
  return {};
}

std::expected<int64_t, ParameterError> to_integer(std::string_view text) { return to_number<int64_t>(text); }

std::expected<uint64_t, ParameterError> to_unsigned_integer(std::string_view text) {
  // A negative number is a number, so that the client is told what is wrong with it.
  if (text.starts_with('-') && to_number<uint64_t>(text.substr(1)))
    return std::unexpected(ParameterError::OutOfRange);
  return to_number<uint64_t>(text);
}

std::expected<double, ParameterError> to_real(std::string_view text) {
  const auto number = to_number<double>(text);
  // from_chars also takes "inf" and "nan".
  if (number && !std::isfinite(*number)) return std::unexpected(ParameterError::NotANumber);
  return number;
}

std::expected<bool, ParameterError> to_boolean(std::string_view text) {
  if (text.data() == nullptr) return std::unexpected(ParameterError::Missing);
  constexpr std::string_view kTrue[] = {"true", "1", "yes", "on"};
  constexpr std::string_view kFalse[] = {"false", "0", "no", "off"};
  const auto is = [text](std::string_view word) { return equal_ignoring_case(text, word); };
  if (std::ranges::any_of(kTrue, is)) return true;
  if (std::ranges::any_of(kFalse, is)) return false;
  return std::unexpected(ParameterError::NotABoolean);
}

}  // namespace leat::pipeline
