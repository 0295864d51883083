// EditedHead: the head of a request with other fields, which its handler is shown in the place of the one that came.
//
// Heads are shared by all requests that look alike, so they are never changed: another one is made, in the request's
// arena, with the same bytes and what is new behind them (Head::added). First each field that stays is kept, then others
// are added; show() is the end.
//
// Thread: the exchange's. One request's; nothing of it outlives that.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "http/exchange.h"

namespace leat::middleware {

class EditedHead {
 public:
  // With room for so many fields more than there are, and for so many bytes. What a field takes besides its name and
  // value is kFieldBytes.
  static constexpr size_t kFieldBytes = 4;
  EditedHead(http::Exchange& exchange, size_t more_fields, size_t more_bytes);
  // False: memory is out, and nothing else may be called.
  [[nodiscard]] bool good() const { return good_; }

  void keep(const http::HeaderSlot& slot) { *next_++ = slot; }
  // The same field with another value.
  void keep(const http::HeaderSlot& slot, std::string_view value);
  void add(std::string_view name, std::string_view value);
  // In place of the query; none at all where it is empty.
  void set_query(std::string_view query);
  void show();

 private:
  http::Span put(std::string_view text);

  http::Exchange& exchange_;
  http::Head* shown_ = nullptr;
  http::HeaderSlot* slots_ = nullptr;
  http::HeaderSlot* next_ = nullptr;
  char* bytes_ = nullptr;  // null where there are no more than there were
  size_t size_ = 0;
  bool good_ = false;
};

struct HeadField {
  std::string_view name;
  std::string_view value;  // without control characters; the field is left out where it is empty
};

// Shows a head without the fields of the names `removed`, in whatever case, and then with those `added`, which are copied.
// False: memory is out.
[[nodiscard]] bool show_changed_head(http::Exchange& exchange, std::span<const std::string> removed,
                                     std::span<const HeadField> added);

}  // namespace leat::middleware
