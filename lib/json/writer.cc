#include "json/writer.h"

#include <cmath>

namespace leat::json {

void Writer::real(double number) {
  if (!std::isfinite(number)) return fail("a number that is not finite");
  if (!take_value()) return;
  if (rapid_ != nullptr) return rapid_->real(number);
  if (!need(kLongestReal + 1)) return;
  out_.at += write_real(out_.at, number);
  out_.put(',');
}

void Writer::raw(std::string_view json) {
  if (!take_value()) return;
  if (!is_json_value(json, kMostDepth - depth_)) return fail("raw text that is not one JSON value");
  if (rapid_ != nullptr) return rapid_->raw(json);
  if (!need(json.size() + 1)) return;
  out_.put(json);
  out_.put(',');
}

std::optional<std::string_view> Writer::finish() {
  if (rapid_ != nullptr && !rapid_->complete()) settle(StringResult::NoMemory);
  if (error_ == nullptr && (expect_ != Expect::Nothing)) fail("a text that is not complete");
  if (error_ != nullptr) return std::nullopt;
  std::string_view text = out_.text();
  if (rapid_ == nullptr) text.remove_suffix(1);  // the comma after the last value
  return text;
}

void Writer::use_rapidjson() {
  rapid_ = RapidJsonBackend::make(out_);
  if (rapid_ == nullptr) settle(StringResult::NoMemory);
}

void Writer::fail_value() {
  fail(expect_ == Expect::Key ? "a value without a key in an object" : "a value after the end of the text");
}

// Nothing may come after a mistake, so every later event fails too, and the first reason stays.
void Writer::fail(const char* why) {
  if (error_ == nullptr) error_ = why;
  expect_ = Expect::Nothing;
  depth_ = 0;
}

}  // namespace leat::json
