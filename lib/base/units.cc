#include "base/units.h"

#include <fmt/core.h>

#include <algorithm>
#include <span>

#include "base/text.h"

namespace leat {

namespace {

struct Unit {
  std::string_view name;
  uint64_t factor;
};

// Largest first: the first that divides a quantity is the one to write it with.
constexpr Unit kTimes[] = {{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1000}, {"ms", 1}};
constexpr Unit kSizes[] = {{"GiB", uint64_t{1} << 30}, {"MiB", uint64_t{1} << 20}, {"KiB", 1024}, {"B", 1}};
constexpr Unit kDecimalSizes[] = {{"GB", 1'000'000'000}, {"MB", 1'000'000}, {"KB", 1000}, {"", 1}};

std::optional<uint64_t> parse(std::string_view text, std::span<const Unit> units) {
  const size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto number = parse_number<uint64_t>(text.substr(0, digits));
  const auto unit = std::ranges::find(units, text.substr(digits), &Unit::name);
  uint64_t product = 0;
  if (!number || unit == units.end() || __builtin_mul_overflow(*number, unit->factor, &product))
    return std::nullopt;
  return product;
}

std::string write(uint64_t quantity, std::span<const Unit> units) {
  for (const Unit& unit : units)
    if (quantity % unit.factor == 0 && quantity >= unit.factor)
      return std::to_string(quantity / unit.factor) + std::string(unit.name);
  return "0" + std::string(units.back().name);
}

// What people call a unit, in small letters, and how Leat spells it.
struct Alias {
  std::string_view said;
  std::string_view unit;
};
constexpr Alias kTimeAliases[] = {
    {"ms", "ms"},     {"msec", "ms"}, {"msecs", "ms"}, {"milliseconds", "ms"}, {"millisecond", "ms"},
    {"millis", "ms"}, {"s", "s"},     {"sec", "s"},    {"secs", "s"},          {"second", "s"},
    {"seconds", "s"}, {"m", "m"},     {"min", "m"},    {"mins", "m"},          {"minute", "m"},
    {"minutes", "m"}, {"h", "h"},     {"hr", "h"},     {"hrs", "h"},           {"hour", "h"},
    {"hours", "h"},   {"d", "d"},     {"day", "d"},    {"days", "d"},          {"", "s"}};
// A single letter is what other servers have, and means powers of two there.
constexpr Alias kSizeAliases[] = {{"b", "B"},     {"byte", "B"},  {"bytes", "B"}, {"k", "KiB"},
                                  {"ki", "KiB"},  {"kib", "KiB"}, {"m", "MiB"},   {"mi", "MiB"},
                                  {"mib", "MiB"}, {"g", "GiB"},   {"gi", "GiB"},  {"gib", "GiB"},
                                  {"kb", "KB"},   {"mb", "MB"},   {"gb", "GB"}};

// The same with a unit that is known by another name, with a blank before it, or with a fraction, which then
// goes into a smaller unit of `units`.
std::optional<std::string> suggest(std::string_view text, std::span<const Alias> aliases,
                                   std::span<const Unit> units) {
  const auto trim = [](std::string_view part) {
    const size_t begin = std::min(part.find_first_not_of(' '), part.size());
    return part.substr(begin, part.find_last_not_of(' ') + 1 - begin);
  };
  text = trim(text);
  const size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto whole = parse_number<uint64_t>(text.substr(0, digits));
  std::string_view rest = text.substr(digits);
  std::string_view fraction;
  if (rest.starts_with('.')) {
    fraction = rest.substr(1, std::min(rest.find_first_not_of("0123456789", 1), rest.size()) - 1);
    rest.remove_prefix(1 + fraction.size());
    while (fraction.ends_with('0')) fraction.remove_suffix(1);
  }
  std::string word(trim(rest));
  std::ranges::transform(word, word.begin(), ascii_lower);
  const auto alias = std::ranges::find(aliases, std::string_view(word), &Alias::said);
  if (!whole || alias == aliases.end()) return std::nullopt;
  if (fraction.empty()) return std::to_string(*whole) + std::string(alias->unit);
  const auto unit = std::ranges::find(units, alias->unit, &Unit::name);
  // Three digits behind the point are all that people write.
  if (unit == units.end() || fraction.size() > 3 || *whole > 1'000'000) return std::nullopt;
  uint64_t thousandths = *parse_number<uint64_t>(fraction);
  for (size_t i = fraction.size(); i < 3; ++i) thousandths *= 10;
  const uint64_t scaled = (*whole * 1000 + thousandths) * unit->factor;
  if (scaled % 1000 != 0) return std::nullopt;
  for (const Unit& smaller : units)
    if (smaller.factor <= unit->factor && !smaller.name.empty() && scaled / 1000 % smaller.factor == 0)
      return std::to_string(scaled / 1000 / smaller.factor) + std::string(smaller.name);
  return std::nullopt;
}

}  // namespace

std::optional<std::string> suggest_duration(std::string_view text) {
  return suggest(text, kTimeAliases, kTimes);
}
std::optional<std::string> suggest_size(std::string_view text) {
  if (auto binary = suggest(text, kSizeAliases, kSizes)) return binary;
  return suggest(text, kSizeAliases, kDecimalSizes);
}

std::string counted(uint64_t count, std::string_view what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

std::optional<uint64_t> parse_duration(std::string_view text) { return parse(text, kTimes); }

std::optional<uint64_t> parse_size(std::string_view text) {
  if (const auto size = parse(text, kSizes)) return size;
  return parse(text, kDecimalSizes);
}

std::string duration_text(uint64_t ms) { return write(ms, kTimes); }
std::string size_text(uint64_t bytes) { return write(bytes, kSizes); }

}  // namespace leat
