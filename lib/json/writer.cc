#include "json/writer.h"

#include <cmath>

namespace leat::json {

void Writer::real(double number) {
  if (!std::isfinite(number)) return fail("a number that is not finite");
  if (!take_value()) return;
  if (other_ != nullptr) return other_->real(number);
  if (!need(kLongestReal + 1)) return;
  out_.at += write_real(out_.at, number);
  out_.put(',');
}

void Writer::raw(std::string_view json) {
  if (!take_value()) return;
  if (!is_json_value(json, kMostDepth - depth_)) return fail("raw text that is not one JSON value");
  if (other_ != nullptr) return other_->raw(json);
  if (!need(json.size() + 1)) return;
  out_.put(json);
  out_.put(',');
}

std::optional<std::string_view> Writer::finish() {
  if (other_ != nullptr && !other_->complete()) settle(false);
  if (error_ == nullptr && expect_ != Expect::Nothing) fail("a text that is not complete");
  if (error_ != nullptr) return std::nullopt;
  if (other_ != nullptr) {
    const auto text = other_->finish();
    if (!text) settle(false);
    return text;
  }
  std::string_view text = out_.text();
  text.remove_suffix(1);  // the comma after the last value
  return text;
}

void Writer::use(Backend backend) {
  other_ = make_backend(backend, out_);
  if (other_ == nullptr) settle(false);
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
