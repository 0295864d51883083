#include "base/date.h"

#include <algorithm>
#include <chrono>

namespace leat {

namespace {

constexpr std::string_view kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::string_view kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

// Writes from the left into a text whose size is known.
class Pen {
 public:
  explicit Pen(char* at) : at_(at) {}
  Pen& text(std::string_view piece) {
    at_ = std::ranges::copy(piece, at_).out;
    return *this;
  }
  Pen& number(int value, int digits) {
    for (int i = digits; i-- > 0; value /= 10) at_[i] = static_cast<char>('0' + value % 10);
    at_ += digits;
    return *this;
  }
  Pen& clock(const tm& parts) {
    return number(parts.tm_hour, 2).text(":").number(parts.tm_min, 2).text(":").number(parts.tm_sec, 2);
  }

 private:
  char* at_;
};

constexpr std::time_t kFirst = -62'167'219'200;  // 0000-01-01T00:00:00Z
constexpr std::time_t kLast = 253'402'300'799;   // 9999-12-31T23:59:59Z

// Moments beyond are those. Without gmtime_r(), which takes a lock: a crash may have come while another held it.
tm split(std::time_t seconds) {
  using namespace std::chrono;
  const sys_seconds moment{std::chrono::seconds(std::clamp(seconds, kFirst, kLast))};
  const sys_days day = floor<days>(moment);
  const year_month_day date(day);
  const hh_mm_ss clock(moment - day);
  tm parts{};
  parts.tm_year = static_cast<int>(date.year()) - 1900;
  parts.tm_mon = static_cast<int>(static_cast<unsigned>(date.month())) - 1;
  parts.tm_mday = static_cast<int>(static_cast<unsigned>(date.day()));
  parts.tm_wday = static_cast<int>(weekday(day).c_encoding());
  parts.tm_hour = static_cast<int>(clock.hours().count());
  parts.tm_min = static_cast<int>(clock.minutes().count());
  parts.tm_sec = static_cast<int>(clock.seconds().count());
  return parts;
}

}  // namespace

std::array<char, kHttpDateSize> http_date(std::time_t seconds) {
  const tm parts = split(seconds);
  std::array<char, kHttpDateSize> text;
  Pen pen(text.data());
  pen.text(kDays[parts.tm_wday]).text(", ").number(parts.tm_mday, 2).text(" ");
  pen.text(kMonths[parts.tm_mon]).text(" ").number(parts.tm_year + 1900, 4).text(" ");
  pen.clock(parts).text(" GMT");
  return text;
}

std::array<char, kIsoDateSize> iso_date(std::time_t seconds) {
  const tm parts = split(seconds);
  std::array<char, kIsoDateSize> text;
  Pen pen(text.data());
  pen.number(parts.tm_year + 1900, 4)
      .text("-")
      .number(parts.tm_mon + 1, 2)
      .text("-")
      .number(parts.tm_mday, 2);
  pen.text("T").clock(parts);
  return text;
}

}  // namespace leat
