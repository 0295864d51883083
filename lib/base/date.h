// Dates as text, whatever the locale of the process: a plugin may set one, for all threads, at any time.
//
// strftime() and its kind would write its names of days and months. Thread: any; async-signal-safe.
#pragma once

#include <array>
#include <ctime>
#include <string_view>

namespace leat {

// "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110, section 5.6.7), for years from 0 to 9999.
inline constexpr size_t kHttpDateSize = 29;
std::array<char, kHttpDateSize> http_date(std::time_t seconds);

// "1994-11-06T08:49:37", to which a zone is yet to be added (RFC 3339, in UTC).
inline constexpr size_t kIsoDateSize = 19;
std::array<char, kIsoDateSize> iso_date(std::time_t seconds);

template <size_t Size>
constexpr std::string_view view(const std::array<char, Size>& text) {
  return {text.data(), text.size()};
}

}  // namespace leat
