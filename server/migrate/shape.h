// What a route's path takes, and which of two paths that take a request has it in Leat.
//
// A shape is a pattern without the names of its parameters: two routes with one shape are for the same paths.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/pattern.h"
#include "server/migrate/places.h"

namespace leat::server::migrate {

class Shape {
 public:
  // Of a path as a route has it; nothing where none can.
  static std::optional<Shape> of(const std::string& path);

  // The same for the same paths.
  [[nodiscard]] std::string key() const;
  // The text before the first parameter, of at most `most` segments.
  [[nodiscard]] std::string text_before(size_t most) const;
  // How many segments are before its rest, and of those how many are text before the first parameter.
  [[nodiscard]] size_t size() const { return fixed_; }
  [[nodiscard]] size_t text_size() const;
  [[nodiscard]] bool is_one_path() const { return text_size() == segments_.size(); }

  // Whether there are paths that both take.
  [[nodiscard]] bool meets(const Shape& other) const;
  // Of those whether this one has them. False where they are the same.
  [[nodiscard]] bool before(const Shape& other) const;
  // Whether `other` takes a path that is like one of this, but for its last segment, which goes on (`goes_on`), or for
  // capitals in any of its text.
  [[nodiscard]] bool is_beside(const Shape& other, const RoutePlace& place) const;

 private:
  using Segment = pipeline::Pattern::Segment;
  std::vector<Segment> segments_;
  size_t fixed_ = 0;
  bool optional_rest_ = false;

  [[nodiscard]] bool has_rest() const { return fixed_ != segments_.size(); }
  // Whether it takes a path of so many segments.
  [[nodiscard]] bool ends_at(size_t size) const { return size == fixed_ && (!has_rest() || optional_rest_); }
};

}  // namespace leat::server::migrate
