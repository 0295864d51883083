// WeekTimes: times of the week in a time zone, "Mon-Fri 08:00-18:00": whether it is one of them now.
//
// A minute of the week is a bit. What the clock of the zone says is looked up once a minute, by whoever comes first.
//
// Thread: made on one, then any.
#pragma once

#include <atomic>
#include <bitset>
#include <chrono>
#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>

namespace leat {

class WeekTimes {
 public:
  // Each of `times` is DAYS, TIMES or both: "Sat", "Mon-Fri 08:00-18:00", "22:00-06:00" (over midnight, on into the next day). `zone`: a name of
  // the IANA time zone database, "Europe/Berlin", or "UTC", for which none is needed. On failure a sentence.
  static std::expected<WeekTimes, std::string> make(std::span<const std::string> times,
                                                    std::string_view zone);
  // What is wrong with one, as a sentence; empty where nothing is.
  static std::string complaint(std::string_view text);

  WeekTimes(WeekTimes&& other) noexcept : minutes_(other.minutes_), zone_(other.zone_) {}

  [[nodiscard]] bool contains(std::chrono::sys_seconds now) const;

 private:
  static constexpr uint32_t kMinutes = 7 * 24 * 60;
  using Minutes = std::bitset<kMinutes>;

  WeekTimes(const Minutes& minutes, const std::chrono::time_zone* zone) : minutes_(minutes), zone_(zone) {}
  static std::expected<Minutes, std::string> read(std::string_view text);
  [[nodiscard]] uint32_t minute_of_week(std::chrono::sys_seconds now) const;

  Minutes minutes_;                     // from Monday, 00:00, on
  const std::chrono::time_zone* zone_;  // null for UTC
  mutable std::atomic<uint64_t> known_ =
      0;  // a minute since 1970, and above it that of the week; 0: none yet
};

}  // namespace leat
