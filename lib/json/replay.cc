#include "json/replay.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <string>

#include "base/shared/plugin_number.hpp"
#include "json/members.h"
#include "json/valid.h"

namespace leat::json {

namespace {

class Player {
 public:
  Player(std::string_view json, EventBackend& events) : left_(json), events_(events) {}

  bool play() {
    do {
      skip_space();
      if (take('{')) {
        begin(true);
      } else if (take('[')) {
        begin(false);
      } else if (!play_scalar()) {
        return false;
      }
      if (!go_on()) return false;
    } while (depth_ != 0);
    return events_.complete();
  }

 private:
  // The text is well-formed, so that nothing is looked for but what tells one thing from another.
  void skip_space() { left_.remove_prefix(std::min(left_.find_first_not_of(" \t\r\n"), left_.size())); }
  bool take(char c) {
    if (!left_.starts_with(c)) return false;
    left_.remove_prefix(1);
    return true;
  }
  void begin(bool object) {
    is_object_[depth_++] = object;
    empty_ = true;
    object ? events_.begin_object() : events_.begin_array();
  }
  // Behind a value, or the beginning of a container: ends what ends here, and plays the name of the next member.
  bool go_on() {
    for (; depth_ != 0; empty_ = false) {
      const bool object = is_object_[depth_ - 1];
      skip_space();
      if (take(object ? '}' : ']')) {
        --depth_;
        object ? events_.end_object() : events_.end_array();
        continue;
      }
      if (!empty_) take(',');
      empty_ = false;
      return !object || play_name();
    }
    return true;
  }
  bool play_name() {
    skip_space();
    std::string storage;
    if (!events_.key(take_string(storage))) return false;
    skip_space();
    return take(':');
  }
  bool play_scalar() {
    switch (left_.front()) {
      case '"': {
        std::string storage;
        return events_.string(take_string(storage));
      }
      case 't':
        left_.remove_prefix(4);
        events_.boolean(true);
        return true;
      case 'f':
        left_.remove_prefix(5);
        events_.boolean(false);
        return true;
      case 'n':
        left_.remove_prefix(4);
        events_.null();
        return true;
      default:
        play_number();
        return true;
    }
  }
  std::string_view take_string(std::string& storage) {
    size_t end = 1;
    bool plain = true;
    for (; left_[end] != '"'; ++end) {
      if (left_[end] != '\\') continue;
      plain = false;
      ++end;
    }
    const std::string_view inside = left_.substr(1, end - 1);
    left_.remove_prefix(end + 1);
    return plain ? inside : storage = unescape(inside);
  }
  void play_number() {
    const size_t size = std::min(left_.find_first_not_of("0123456789+-.eE"), left_.size());
    const std::string_view number = left_.substr(0, size);
    left_.remove_prefix(size);
    const auto whole = [number](auto& value) {
      const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
      return error == std::errc{} && end == number.data() + number.size();
    };
    int64_t integer = 0;
    uint64_t natural = 0;
    // A zero with a sign is a real number's.
    if (number != "-0" && whole(integer)) return events_.integer(integer);
    if (whole(natural)) return events_.unsigned_integer(natural);
    double real = 0;
    if (encoding::read_real(number, real).ec != std::errc{})
      real = std::copysign(std::numeric_limits<double>::infinity(), number.front() == '-' ? -1.0 : 1.0);
    events_.real(real);
  }

  std::string_view left_;
  EventBackend& events_;
  std::array<bool, kMostDepth> is_object_;
  uint32_t depth_ = 0;
  bool empty_ = false;  // nothing has come in the innermost container
};

}  // namespace

bool replay(std::string_view json, EventBackend& events) { return Player(json, events).play(); }

}  // namespace leat::json
