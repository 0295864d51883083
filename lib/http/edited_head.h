// EditedHead: the head of a request with other fields, or another target, which is shown in the place of the one that came.
//
// Heads are shared by all requests that look alike, so they are never changed: another one is made, in the request's
// arena, with the same bytes and what is new behind them (Head::added), so that all spans stay right. First each field that
// stays is kept, then others are added; done() is the end.
//
// Thread: the exchange's. One request's; nothing of it outlives that.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/arena.h"
#include "http/head.h"

namespace leat::http {

class Exchange;

class EditedHead {
 public:
  // What a field takes besides its name and value.
  static constexpr size_t kFieldBytes = 4;
  // For `more_fields`: the fields stay as they are, and none is kept or added.
  static constexpr size_t kSameFields = SIZE_MAX;

  // With room for so many fields more than there are, and for so many bytes.
  EditedHead(const Head& head, Arena& arena, size_t more_fields, size_t more_bytes);
  // False: memory is out, and nothing else may be called.
  [[nodiscard]] bool good() const { return shown_ != nullptr; }

  void keep(const HeaderSlot& slot) { *next_++ = slot; }
  // The same field with another value, which is copied ...
  void keep(const HeaderSlot& slot, std::string_view value) { keep(slot, put(value)); }
  // ... or lies in the head already.
  void keep(const HeaderSlot& slot, Span value);
  void add(std::string_view name, std::string_view value);
  // In place of the query; none at all where it is empty.
  void set_query(std::string_view query);
  // In place of path and query: "/path?query". What the client sent stays the target.
  void set_path(std::string_view path_and_query);
  // For what else is another; it is the head that came as yet.
  [[nodiscard]] Head& shown() { return *shown_; }

  // To be shown: see Request::show_head.
  [[nodiscard]] const Head& done();

 private:
  Span put(std::string_view text);

  const Head& head_;
  Head* shown_ = nullptr;
  HeaderSlot* slots_ = nullptr;  // null where the fields are the same
  HeaderSlot* next_ = nullptr;
  char* bytes_ = nullptr;  // null where there are no more than there were
  size_t size_;
};

struct HeadField {
  std::string_view name;
  std::string_view value;  // without control characters; the field is left out where it is empty
};

// Shows a head without the fields of the names `removed`, in whatever case, and then with those `added`, which are copied.
// False: memory is out.
[[nodiscard]] bool show_changed_head(Exchange& exchange, std::span<const std::string> removed,
                                     std::span<const HeadField> added);

}  // namespace leat::http
