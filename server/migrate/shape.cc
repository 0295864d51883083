#include "server/migrate/shape.h"

#include <algorithm>

#include "base/text.h"

namespace leat::server::migrate {

namespace {

using Kind = pipeline::Pattern::Segment::Kind;

bool has_letters(const std::string& text) {
  return std::ranges::any_of(text, [](char c) { return ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z'; });
}

}  // namespace

std::optional<Shape> Shape::of(const std::string& path) {
  auto pattern = pipeline::Pattern::parse(path);
  if (!pattern) return std::nullopt;
  Shape shape;
  shape.segments_ = std::move(pattern->segments);
  shape.optional_rest_ = pattern->optional_rest;
  shape.fixed_ = shape.segments_.size();
  if (shape.fixed_ != 0 && shape.segments_.back().kind == Kind::Rest) --shape.fixed_;
  return shape;
}

std::string Shape::key() const {
  std::string key;
  for (const Segment& each : segments_)
    key += each.kind == Kind::Text ? "/=" + each.text : each.kind == Kind::Param ? "/{}" : "/{...}";
  return optional_rest_ ? key + "?" : key;
}

size_t Shape::text_size() const {
  return static_cast<size_t>(
      std::ranges::find_if(segments_, [](const Segment& each) { return each.kind != Kind::Text; }) -
      segments_.begin());
}

std::string Shape::text_before(size_t most) const {
  std::string text;
  for (size_t i = 0; i < std::min(most, text_size()); ++i) text += "/" + segments_[i].text;
  return text;
}

bool Shape::meets(const Shape& other) const {
  for (size_t i = 0;; ++i) {
    const bool here = i < fixed_, there = i < other.fixed_;
    // What has a rest takes whatever follows; a rest that is not optional needs a segment to follow.
    if (!here && !there) return (has_rest() && other.has_rest()) || (ends_at(i) && other.ends_at(i));
    if (!here) return has_rest();
    if (!there) return other.has_rest();
    const Segment &own = segments_[i], &its = other.segments_[i];
    if (own.kind == Kind::Text && its.kind == Kind::Text && own.text != its.text) return false;
    if (own.kind != its.kind && (own.text.empty() || its.text.empty())) return false;  // {name} is not empty
  }
}

bool Shape::before(const Shape& other) const {
  for (size_t i = 0; i < segments_.size() && i < other.segments_.size(); ++i)
    if (segments_[i].kind != other.segments_[i].kind) return segments_[i].kind < other.segments_[i].kind;
  // Of the same so far, the one that ends here and takes nothing else.
  return segments_.size() < other.segments_.size();
}

bool Shape::is_beside(const Shape& other, const RoutePlace& place) const {
  bool changed = false;
  for (size_t i = 0; i < fixed_; ++i) {
    if (i == other.fixed_) return other.has_rest();
    const Segment &own = segments_[i], &its = other.segments_[i];
    if (its.kind == Kind::Param)
      changed =
          changed || (place.any_case ? has_letters(own.text) : false) || (place.goes_on && i + 1 == fixed_);
    else if (own.kind == Kind::Text && own.text != its.text)
      return false;
  }
  if (!changed) return false;
  return has_rest() || place.goes_on || other.fixed_ == fixed_;
}

}  // namespace leat::server::migrate
