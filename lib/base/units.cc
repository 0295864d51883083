#include "base/units.h"

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

}  // namespace

std::optional<uint64_t> parse_duration(std::string_view text) { return parse(text, kTimes); }

std::optional<uint64_t> parse_size(std::string_view text) {
  if (const auto size = parse(text, kSizes)) return size;
  return parse(text, kDecimalSizes);
}

std::string duration_text(uint64_t ms) { return write(ms, kTimes); }
std::string size_text(uint64_t bytes) { return write(bytes, kSizes); }

}  // namespace leat
