#include <fmt/core.h>

#include <algorithm>

#include "base/suggest.h"
#include "base/text.h"
#include "base/units.h"
#include "config/mistakes.h"
#include "config/settings.h"

namespace leat::config {

namespace {

using Type = Setting::Type;

// One value's way into one member.
class Applier {
 public:
  Applier(const Setting& setting, const Value& value, Settings& into, Diagnostics& diagnostics)
      : setting_(setting), value_(value), into_(into), diagnostics_(diagnostics) {}

  void run() {
    switch (setting_.type) {
      case Type::Count:
      case Type::Mode:
        count();
        break;
      case Type::Size:
      case Type::Duration:
        quantity();
        break;
      case Type::Boolean:
        if (value_.boolean() != nullptr) return setting_.set_number(into_, *value_.boolean() ? 1 : 0);
        wrong_type("true or false");
        break;
      case Type::Text:
        text();
        break;
      case Type::Choice:
        choice();
        break;
      case Type::Texts:
        texts();
        break;
      case Type::Addresses:
        addresses();
        break;
      case Type::Workers:
        if (value_.string() != nullptr && *value_.string() == "auto") return setting_.set_number(into_, 0);
        if (value_.integer() == nullptr) return wrong_type("\"auto\" or a whole number");
        count();
        break;
    }
  }

 private:
  void fail(int code, std::string message, std::string hint = {}) {
    diagnostics_.push_back(
        {.code = code, .message = std::move(message), .place = value_.place, .hint = std::move(hint)});
  }
  void fail_at(const Value& item, int code, std::string message) {
    diagnostics_.push_back({.code = code, .message = std::move(message), .place = item.place});
  }
  void wrong_type(std::string_view wanted) {
    diagnostics_.push_back(config::wrong_type(value_, setting_.path, wanted));
  }
  void in_range(uint64_t number) {
    if (number >= setting_.least && number <= setting_.most) return setting_.set_number(into_, number);
    fail(kOutOfRange, fmt::format("`{}` is {}", setting_.path, range_text(setting_)),
         setting_.type == Type::Mode ? "an octal number begins with 0o" : "");
  }
  void count() {
    if (value_.integer() == nullptr) return wrong_type("a whole number");
    if (*value_.integer() < 0) return in_range(UINT64_MAX);
    in_range(static_cast<uint64_t>(*value_.integer()));
  }
  void quantity() {
    const bool time = setting_.type == Type::Duration;
    // Zero needs no unit, and a plain number of bytes is one.
    if (value_.integer() != nullptr && *value_.integer() >= 0 && (!time || *value_.integer() == 0))
      return in_range(static_cast<uint64_t>(*value_.integer()));
    const std::string_view example =
        time ? "a time like \"10s\" or \"500ms\"" : "a size like \"64KiB\" or \"1MiB\"";
    if (value_.string() == nullptr) {
      const std::string hint = value_.integer() != nullptr && *value_.integer() >= 0
                                   ? fmt::format("did you mean \"{}{}\"?", *value_.integer(), time ? "s" : "")
                                   : "";
      return fail(kBadUnit, fmt::format("`{}` is {}", setting_.path, example), hint);
    }
    const auto parsed = time ? parse_duration(*value_.string()) : parse_size(*value_.string());
    if (!parsed) return fail(kBadUnit, fmt::format("`{}` is {}", setting_.path, example));
    in_range(*parsed);
  }
  void text() {
    if (value_.string() == nullptr) return wrong_type("text in quotes");
    if (value_.string()->size() > setting_.most)
      return fail(kOutOfRange, fmt::format("`{}` has at most {} characters", setting_.path, setting_.most));
    if (std::ranges::any_of(*value_.string(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }))
      return fail(kOutOfRange, fmt::format("`{}` has no control characters", setting_.path));
    setting_.text(into_) = *value_.string();
  }
  void choice() {
    const std::vector<std::string_view> known = words(setting_.choices);
    if (value_.string() == nullptr) return wrong_type("one of " + quoted_words(setting_.choices));
    const auto found = std::ranges::find(known, std::string_view(*value_.string()));
    if (found == known.end())
      return fail(kBadChoice, fmt::format("`{}` is one of {}", setting_.path, quoted_words(setting_.choices)),
                  did_you_mean(*value_.string(), known));
    setting_.set_number(into_, static_cast<uint64_t>(found - known.begin()));
  }
  // The strings of a list, or of one string; calls `take` with each.
  template <class Take>
  void each_text(Take take) {
    if (value_.string() != nullptr) return take(value_);
    if (value_.array() == nullptr) return wrong_type("a list of texts");
    for (const Value& item : *value_.array()) {
      if (item.string() != nullptr) {
        take(item);
      } else {
        diagnostics_.push_back(config::wrong_type(item, setting_.path, "a list of texts"));
      }
    }
  }
  void texts() {
    std::vector<std::string>& list = setting_.texts(into_);
    list.clear();
    each_text([&](const Value& item) { list.push_back(*item.string()); });
  }
  void addresses() {
    into_.listen.clear();
    each_text([&](const Value& item) {
      auto address = net::Address::parse(*item.string());
      if (!address) {
        return fail_at(item, kBadAddress, "bad address: " + address.error());
      }
      // Port 0 is another port each time.
      if ((address->kind == net::Address::Kind::Unix || address->port != 0) &&
          std::ranges::contains(into_.listen, *address, &Listen::address))
        return fail_at(item, kDefinedTwice, "`" + address->text() + "` is listened on already");
      into_.listen.push_back({std::move(*address), item.place});
    });
  }

  const Setting& setting_;
  const Value& value_;
  Settings& into_;
  Diagnostics& diagnostics_;
};

}  // namespace

void apply(const Setting& setting, const Value& value, Settings& into, Diagnostics& diagnostics) {
  Applier(setting, value, into, diagnostics).run();
}

Value value_of(const std::string& text, const Place& place) {
  if (const auto number = parse_number<int64_t>(text)) return {*number, place};
  return {text, place};
}

std::string complaint(const Setting& setting, const std::string& text) {
  Settings scratch;
  Diagnostics found;
  apply(setting, value_of(text, {}), scratch, found);
  return found.empty() ? "" : found.front().message;
}

}  // namespace leat::config
