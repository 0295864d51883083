#include "base/week_times.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <optional>
#include <stdexcept>

#include "base/text.h"

namespace leat {

namespace {

constexpr uint32_t kDay = 24 * 60;

std::optional<uint32_t> read_day(std::string_view text) {
  constexpr std::array<std::string_view, 7> kDays = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
  for (uint32_t i = 0; i < kDays.size(); ++i)
    if (equal_ignoring_case(text, kDays[i])) return i;
  return std::nullopt;
}

// "08:00", and "24:00" for the end of a day.
std::optional<uint32_t> read_time(std::string_view text) {
  if (text.size() != 5 || text[2] != ':') return std::nullopt;
  const auto hours = parse_number<uint32_t>(text.substr(0, 2));
  const auto minutes = parse_number<uint32_t>(text.substr(3));
  if (!hours || !minutes || *minutes > 59 || *hours * 60 + *minutes > kDay) return std::nullopt;
  return *hours * 60 + *minutes;
}

struct Range {
  uint32_t first, last;
};

template <class Read>
std::optional<Range> read_range(std::string_view text, bool single, Read read) {
  const size_t dash = text.find('-');
  if (dash == std::string_view::npos && !single) return std::nullopt;
  const auto first = read(text.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : read(text.substr(dash + 1));
  if (!first || !last) return std::nullopt;
  return Range{*first, *last};
}

}  // namespace

std::expected<WeekTimes::Minutes, std::string> WeekTimes::read(std::string_view text) {
  const auto wrong = [text] {
    return std::unexpected(
        fmt::format("`{}` is no time of the week: write Mon-Fri 08:00-18:00, Sat, or 22:00-06:00", text));
  };
  std::string_view days = trim(text), times;
  if (const size_t blank = days.find(' '); blank != std::string_view::npos) {
    times = trim(days.substr(blank));
    days = days.substr(0, blank);
  } else if (!days.empty() && is_digit(days[0])) {
    times = days;
    days = "Mon-Sun";
  }
  const auto on = read_range(days, true, read_day);
  const auto at = times.empty() ? std::optional(Range{0, kDay}) : read_range(times, false, read_time);
  if (!on || !at || at->first == kDay || at->first == at->last) return wrong();
  const uint32_t length = at->last > at->first ? at->last - at->first : kDay - at->first + at->last;
  Minutes minutes;
  for (uint32_t day = on->first;; day = (day + 1) % 7) {
    for (uint32_t i = 0; i < length; ++i) minutes.set((day * kDay + at->first + i) % kMinutes);
    if (day == on->last) return minutes;
  }
}

std::string WeekTimes::complaint(std::string_view text) {
  const auto minutes = read(text);
  return minutes ? std::string() : minutes.error();
}

std::expected<WeekTimes, std::string> WeekTimes::make(std::span<const std::string> times,
                                                      std::string_view zone) {
  Minutes all;
  for (const std::string& text : times) {
    const auto minutes = read(text);
    if (!minutes) return std::unexpected(minutes.error());
    all |= *minutes;
  }
  if (zone == "UTC") return WeekTimes(all, nullptr);
  try {
    return WeekTimes(all, std::chrono::locate_zone(zone));
  } catch (const std::runtime_error&) {
    return std::unexpected(
        fmt::format("there is no time zone `{}` here: write one of the IANA database, such as Europe/Berlin, "
                    "which the package tzdata brings",
                    zone));
  }
}

uint32_t WeekTimes::minute_of_week(std::chrono::sys_seconds now) const {
  const auto minute =
      static_cast<uint64_t>(std::chrono::floor<std::chrono::minutes>(now).time_since_epoch().count());
  constexpr unsigned kShift = 40;
  const uint64_t known = known_.load(std::memory_order_relaxed);
  if (known != 0 && (known & ((uint64_t{1} << kShift) - 1)) == minute)
    return static_cast<uint32_t>(known >> kShift) - 1;
  const std::chrono::seconds offset =
      zone_ != nullptr ? zone_->get_info(now).offset : std::chrono::seconds(0);
  const auto local = std::chrono::floor<std::chrono::minutes>(now + offset).time_since_epoch().count();
  // 1970 began on a Thursday.
  const auto of_week = static_cast<uint32_t>((local + int64_t{3} * kDay) % kMinutes);
  known_.store(uint64_t{of_week + 1} << kShift | minute, std::memory_order_relaxed);
  return of_week;
}

bool WeekTimes::contains(std::chrono::sys_seconds now) const { return minutes_[minute_of_week(now)]; }

}  // namespace leat
