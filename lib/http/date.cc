#include "http/date.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <compare>

#include "base/text.h"

namespace leat::http {

namespace {

constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr std::array<std::string_view, 7> kDays = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                                                   "Friday", "Saturday", "Sunday"};

// Takes a date apart from its front. Once a part is not there, nothing more is.
class Parts {
 public:
  explicit Parts(std::string_view text) : rest_(text) {}

  void text(std::string_view expected) {
    if (equal_ignoring_case(rest_.substr(0, expected.size()), expected))
      rest_.remove_prefix(expected.size());
    else
      good_ = false;
  }
  // A number of so many digits.
  unsigned number(size_t digits) {
    unsigned value = 0;
    if (rest_.size() < digits) good_ = false;
    for (size_t i = 0; good_ && i < digits; ++i) {
      good_ = rest_[i] >= '0' && rest_[i] <= '9';
      value = value * 10 + static_cast<unsigned>(rest_[i] - '0');
    }
    rest_.remove_prefix(std::min(digits, rest_.size()));
    return value;
  }
  // A number of two digits, or a space and one.
  unsigned padded() {
    if (!rest_.starts_with(' ')) return number(2);
    rest_.remove_prefix(1);
    return number(1);
  }
  unsigned month() {
    for (unsigned i = 0; i < kMonths.size(); ++i)
      if (equal_ignoring_case(rest_.substr(0, 3), kMonths[i])) {
        rest_.remove_prefix(3);
        return i + 1;
      }
    good_ = false;
    return 0;
  }
  // The name of a day, its first `letters` or the whole of it.
  void day_name(size_t letters) {
    for (const std::string_view day : kDays)
      if (const std::string_view name = day.substr(0, letters);
          equal_ignoring_case(rest_.substr(0, name.size()), name)) {
        rest_.remove_prefix(name.size());
        return;
      }
    good_ = false;
  }
  void zone() { text(equal_ignoring_case(rest_.substr(0, 3), "UTC") ? "UTC" : "GMT"); }
  // Nothing went wrong, and nothing is left.
  [[nodiscard]] bool over() const { return good_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool good_ = true;
};

struct Date {
  unsigned year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  auto operator<=>(const Date&) const = default;

  void read_time(Parts& parts) {
    hour = parts.number(2);
    parts.text(":");
    minute = parts.number(2);
    parts.text(":");
    second = parts.number(2);
  }
  // Seconds since 1970; 60 seconds are one of a leap second.
  [[nodiscard]] std::optional<int64_t> seconds() const {
    const std::chrono::year_month_day when{std::chrono::year(static_cast<int>(year)),
                                           std::chrono::month(month), std::chrono::day(day)};
    if (!when.ok() || hour > 23 || minute > 59 || second > 60) return std::nullopt;
    const int64_t days = std::chrono::sys_days(when).time_since_epoch().count();
    return ((days * 24 + hour) * 60 + minute) * 60 + second;
  }
};

std::optional<int64_t> parse_current(std::string_view text) {
  Parts parts(text);
  Date date;
  parts.day_name(3);
  parts.text(", ");
  date.day = parts.number(2);
  parts.text(" ");
  date.month = parts.month();
  parts.text(" ");
  date.year = parts.number(4);
  parts.text(" ");
  date.read_time(parts);
  parts.text(" ");
  parts.zone();
  return parts.over() ? date.seconds() : std::nullopt;
}

std::optional<int64_t> parse_rfc850(std::string_view text, int64_t now_s) {
  Parts parts(text);
  Date date;
  parts.day_name(std::string_view::npos);
  parts.text(", ");
  date.day = parts.number(2);
  parts.text("-");
  date.month = parts.month();
  parts.text("-");
  const unsigned digits = parts.number(2);
  parts.text(" ");
  date.read_time(parts);
  parts.text(" ");
  parts.zone();
  if (!parts.over()) return std::nullopt;
  // The last one that is not later than this moment in 50 years.
  const std::chrono::sys_seconds now{std::chrono::seconds(now_s)};
  const auto day = std::chrono::floor<std::chrono::days>(now);
  const std::chrono::year_month_day today(day);
  const std::chrono::hh_mm_ss time(now - day);
  const Date limit{.year = static_cast<unsigned>(static_cast<int>(today.year())) + 50,
                   .month = static_cast<unsigned>(today.month()),
                   .day = static_cast<unsigned>(today.day()),
                   .hour = static_cast<unsigned>(time.hours().count()),
                   .minute = static_cast<unsigned>(time.minutes().count()),
                   .second = static_cast<unsigned>(time.seconds().count())};
  date.year = limit.year / 100 * 100 + digits;
  if (date > limit) date.year -= 100;
  return date.seconds();
}

std::optional<int64_t> parse_asctime(std::string_view text) {
  Parts parts(text);
  Date date;
  parts.day_name(3);
  parts.text(" ");
  date.month = parts.month();
  parts.text(" ");
  date.day = parts.padded();
  parts.text(" ");
  date.read_time(parts);
  parts.text(" ");
  date.year = parts.number(4);
  return parts.over() ? date.seconds() : std::nullopt;
}

}  // namespace

std::optional<int64_t> parse_date(std::string_view text, int64_t now_s) {
  const size_t comma = text.find(',');
  if (comma == std::string_view::npos) return parse_asctime(text);
  return comma == 3 ? parse_current(text) : parse_rfc850(text, now_s);
}

}  // namespace leat::http
