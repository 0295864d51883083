#include "base/date.h"

#include <algorithm>

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

// Moments beyond are those.
tm split(std::time_t seconds) {
  seconds = std::clamp(seconds, kFirst, kLast);
  tm parts{};
  ::gmtime_r(&seconds, &parts);
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
