// Part of plugin.hpp: what a request has several of, one after another: header fields, trailers, cookies, and
// the values of a query or a form.
//
//   for (const auto [name, value] : request.headers()) ...
//   for (const std::string_view tag : request.queries().values("tag")) ...
//
// Each is a view: it costs nothing to make, and takes its next field when it is asked for it. Texts are those
// of the request, or where something had to be decoded in its memory; all are good until it ends.
#ifndef LEAT_PLUGIN_FIELDS_HPP
#define LEAT_PLUGIN_FIELDS_HPP

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <ranges>
#include <string>
#include <string_view>
#include <utility>

#include "plugin.h"
#include "plugin_base.hpp"
#include "plugin_form.hpp"

namespace leat {
inline namespace [[gnu::visibility("hidden")]] v1 {

struct Field {
  std::string_view name, value;
};

// Steps is a state with `bool next(Field&)`, and `static bool same(name, name)`; a copy goes on from where the
// original is.
template <class Steps>
class Fields : public std::ranges::view_interface<Fields<Steps>> {
 public:
  class Iterator {
   public:
    using iterator_concept = std::forward_iterator_tag;
    using iterator_category = std::input_iterator_tag;  // it gives values and not references
    using value_type = Field;
    using difference_type = std::ptrdiff_t;

    Iterator() = default;
    explicit Iterator(const Steps& steps) : steps_(steps) { more_ = steps_.next(field_); }
    Field operator*() const { return field_; }
    const Field* operator->() const { return &field_; }
    Iterator& operator++() {
      more_ = steps_.next(field_);
      ++place_;
      return *this;
    }
    Iterator operator++(int) {
      Iterator before = *this;
      ++*this;
      return before;
    }
    bool operator==(const Iterator& other) const { return more_ == other.more_ && place_ == other.place_; }
    bool operator==(std::default_sentinel_t) const { return !more_; }

   private:
    Steps steps_;
    Field field_;
    size_t place_ = 0;
    bool more_ = false;
  };

  Fields() = default;
  explicit Fields(const Steps& steps) : steps_(steps) {}
  [[nodiscard]] Iterator begin() const { return Iterator(steps_); }
  [[nodiscard]] static std::default_sentinel_t end() { return {}; }

  // The values of that name, in their order; and the first of them. `name` must outlive the view.
  [[nodiscard]] auto values(std::string_view name) const {
    return *this | std::views::filter([name](const Field& field) { return Steps::same(field.name, name); }) |
           std::views::transform([](const Field& field) { return field.value; });
  }
  [[nodiscard]] std::optional<std::string_view> first(std::string_view name) const {
    for (const Field& field : *this)
      if (Steps::same(field.name, name)) return field.value;
    return std::nullopt;
  }

 private:
  Steps steps_;
};

namespace detail {

using encoding::is_media_type;
using encoding::same_field_name;

// Of header fields and trailers, which the host has by number.
class NumberedSteps {
 public:
  using At = int32_t (*)(const leat_request* request, uint32_t index, leat_str* name, leat_str* value);

  NumberedSteps() = default;
  NumberedSteps(const leat_request* request, At at) : request_(request), at_(at) {}
  bool next(Field& field) {
    leat_str name{}, value{};
    if (at_ == nullptr || at_(request_, index_, &name, &value) != LEAT_OK) return false;
    ++index_;
    field = {to_view(name), to_view(value)};
    return true;
  }
  static bool same(std::string_view a, std::string_view b) { return same_field_name(a, b); }

 private:
  const leat_request* request_ = nullptr;
  At at_ = nullptr;
  uint32_t index_ = 0;
};

// Of cookies. A client sends one Cookie field; a proxy may have made several of it (RFC 9113, section 8.2.3).
class CookieSteps {
 public:
  CookieSteps() = default;
  explicit CookieSteps(const NumberedSteps& headers) : headers_(headers) {}
  bool next(Field& field) {
    encoding::FormPair cookie;
    while (!encoding::take_cookie(rest_, cookie)) {
      Field header;
      do {
        if (!headers_.next(header)) return false;
      } while (!same_field_name(header.name, "Cookie"));
      rest_ = header.value;
    }
    field = {cookie.name, cookie.value};
    return true;
  }
  static bool same(std::string_view a, std::string_view b) { return a == b; }

 private:
  NumberedSteps headers_;
  std::string_view rest_;
};

// Of a query or a form. Only what holds '%' or '+' is decoded, into the request's memory.
class FormSteps {
 public:
  FormSteps() = default;
  // `kind` goes before a name: "query parameter".
  FormSteps(leat_request* request, std::string_view text, std::string_view kind)
      : request_(request), rest_(text), kind_(kind) {}
  bool next(Field& field) {
    encoding::FormPair pair;
    if (!encoding::take_form_pair(rest_, pair)) return false;
    bool malformed = false;
    field = {decode(pair.name, malformed), decode(pair.value, malformed)};
    if (malformed)
      throw Problem{400, "The " + std::string(kind_) + " `" + std::string(pair.name) + "` " +
                             std::string(encoding::kBadEscape) + "."};
    return true;
  }
  static bool same(std::string_view a, std::string_view b) { return a == b; }

 private:
  std::string_view decode(std::string_view text, bool& malformed) const {
    if (!encoding::needs_form_decoding(text)) return text;
    auto* memory = static_cast<char*>(api.arena->alloc(request_, text.size(), 1));
    if (memory == nullptr) throw OutOfMemory();
    return {memory, encoding::decode_form(memory, text, malformed)};
  }

  leat_request* request_ = nullptr;
  std::string_view rest_, kind_;
};

}  // namespace detail

using HeaderFields = Fields<detail::NumberedSteps>;
using CookieFields = Fields<detail::CookieSteps>;
// A broken escape is thrown as a Problem (400) that names the parameter, when its turn comes.
using FormFields = Fields<detail::FormSteps>;

}  // namespace v1
}  // namespace leat

#endif
