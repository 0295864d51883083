// JSON texts into structs that LEAT_JSON declares: strict, in one pass, without a tree.
//
// Each value must be of its member's type, and keep the rules that LEAT_JSON gives the member; what does not is
// an Error (plugin_scan.hpp), and reading goes on behind that value, so that all of them are told at once, but for
// those behind what is no JSON. Members may come in any order, none twice; those that the struct lacks are read
// over, and those that it has must be there unless they are optional. Numbers must fit: whole ones into their
// type, others into a double.
//
// Of a list no more elements are made than its Count lets it have: what is behind them is read over and not judged. And
// whatever lists may have, their elements take no more than kMostSpread bytes for each of the text, beyond the first
// kFreeBytes: a text of "{},{},{}" may be a hundred times as large as structs.
//
// Members can be: bool, numbers, std::string, std::string_view, std::optional of one, std::vector and
// std::array of one, and structs of LEAT_JSON. A std::string_view is a part of the text where nothing in it
// is escaped, else memory that the decoder's owner lends.
#ifndef LEAT_PLUGIN_DECODE_HPP
#define LEAT_PLUGIN_DECODE_HPP

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "plugin_rules.hpp"
#include "plugin_scan.hpp"

namespace leat {
inline namespace [[gnu::visibility("hidden")]] v1 {

namespace detail {

template <class T>
inline constexpr bool is_vector = false;
template <class T>
inline constexpr bool is_vector<std::vector<T>> = true;
template <class T>
inline constexpr bool is_array = false;
template <class T, size_t N>
inline constexpr bool is_array<std::array<T, N>> = true;
template <class T>
inline constexpr bool is_optional_member = false;
template <class T>
inline constexpr bool is_optional_member<std::optional<T>> = true;

}  // namespace detail

class Decoder : private Scanner {
 public:
  using Scanner::Error;
  using Scanner::kMostDepth;
  // More are not looked for.
  static constexpr size_t kMostErrors = 32;
  // Members of a struct, as many as LEAT_JSON takes.
  static constexpr size_t kMostMembers = 80;

  // What the elements of lists take, in bytes: for each byte of the text, and whatever that is.
  static constexpr size_t kMostSpread = 32;
  static constexpr size_t kFreeBytes = size_t{1} << 20;

  // Lends `size` bytes for a text without its escapes; throws where there are none.
  using Lend = char* (*)(void* owner, size_t size);

  Decoder(std::string_view text, Lend lend, void* owner) : Scanner(text), lend_(lend), owner_(owner) {}

  // Reads the whole text. Throws the first Error, of those that errors() has; `value` holds some of it then.
  template <class T>
  void read(T& value) {
    try {
      skip_space();
      attempt(value);
      try {
        expect_end();
      } catch (Error& error) {
        note(std::move(error));
      }
    } catch (const Stop&) {
    }
    if (!errors_.empty()) throw Error(errors_.front());
  }
  // In the order in which they were found, kMostErrors at most.
  [[nodiscard]] const std::vector<Error>& errors() const { return errors_; }

  // --- For LEAT_JSON.

  using Seen = std::bitset<kMostMembers>;

  // Calls `member(name, seen)` for each member, at its value; it answers false for one it does not know.
  template <class Member>
  Seen object(Member&& member) {
    Seen seen;
    begin_object();
    for (bool more = !object_ends(true); more;) {
      std::string storage;
      size_t begin = 0;
      const std::string_view name = take_name(storage, begin);
      const Within place(*this, name);
      name_at_ = begin;
      if (!member(name, seen)) skip_value();
      more = !object_ends(false);
    }
    end_container();
    return seen;
  }
  template <class T>
  void member(Seen& seen, size_t number, T& value) {
    member_by(seen, number, value);
  }
  template <class T, detail::NamedRules Named>
  void member(Seen& seen, size_t number, T& value, Named) {
    [&]<size_t... I>(std::index_sequence<I...>) {
      member_by(seen, number, value, detail::ready_rule<Named, I>()...);
    }(std::make_index_sequence<std::tuple_size_v<decltype(Named::rules())>>());
  }
  template <class T>
  void need(const Seen& seen, size_t number, std::string_view name, const T&) {
    if (seen[number] || detail::is_optional_member<T>) return;
    const Within place(*this, name);
    note_failure(at_, "is missing");
  }

 private:
  // Reading is over.
  struct Stop {};

  void note(Error&& error) {
    errors_.push_back(std::move(error));
    if (errors_.size() == kMostErrors) throw Stop();
  }
  void note_failure(size_t offset, std::string message) {
    const size_t before = at_;
    try {
      fail_at(offset, std::move(message));
    } catch (Error& error) {
      at_ = before;
      note(std::move(error));
    }
  }
  // The value that begins at `begin`. Where that is no JSON, which may have been seen already, nothing behind it
  // can be read.
  void skip_whole(size_t begin) {
    at_ = begin;
    try {
      skip_value();
    } catch (Error& error) {
      if (errors_.empty() || errors_.back().offset != error.offset) note(std::move(error));
      throw Stop();
    }
  }
  // Takes a value, or notes why it cannot, and goes on behind it.
  template <class T, class... Rules>
  void attempt(T& value, const Rules&... rules) {
    const size_t begin = at_, depth = depth_;
    try {
      take(value, rules...);
      if constexpr (sizeof...(Rules) != 0) keep(begin, value, rules...);
    } catch (Error& error) {
      note(std::move(error));
      depth_ = depth;
      skip_whole(begin);
    }
  }

  template <class T, class... Rules>
  void member_by(Seen& seen, size_t number, T& value, const Rules&... rules) {
    static_assert(
        (detail::rule_fits<T, Rules>() && ...),
        "the rules of a member are leat::Range for numbers, leat::Length, leat::Pattern, leat::OneOf and "
        "leat::Format for texts, leat::Count for vectors, whose elements keep the others");
    if (seen[number]) {
      const size_t begin = at_;
      note_failure(name_at_, "must not appear twice");
      skip_whole(begin);
      return;
    }
    seen[number] = true;
    attempt(value, rules...);
  }

  // What a value that was taken must be as well.
  template <class T, class... Rules>
  void keep(size_t begin, const T& value, const Rules&... rules) {
    (keep_one(begin, value, rules), ...);
  }
  template <class T, class Rule>
  void keep_one(size_t begin, const T& value, const Rule& rule) {
    if constexpr (detail::is_optional_member<T>) {
      if (value) keep_one(begin, *value, rule);
    } else if constexpr (detail::is_count<Rule> == detail::is_vector<T>) {
      if (!detail::keeps(rule, value)) note_failure(begin, detail::demand(rule, value));
    }
  }

  template <class T, class... Rules>
  void take(T& value, const Rules&... rules) {
    if constexpr (detail::is_optional_member<T>) {
      if (skip_word("null")) {
        value.reset();
      } else {
        take(value.emplace(), rules...);
      }
    } else if constexpr (std::is_same_v<T, bool>) {
      value = take_boolean();
    } else if constexpr (std::is_integral_v<T>) {
      value = take_integer(detail::least_of<T>(rules...), detail::most_of<T>(rules...));
    } else if constexpr (std::is_floating_point_v<T>) {
      value = take_real<T>();
    } else if constexpr (std::is_same_v<T, std::string>) {
      std::string storage;
      const std::string_view found = take_string(storage);
      if (storage.empty())
        value = found;
      else
        value = std::move(storage);
    } else if constexpr (std::is_same_v<T, std::string_view>) {
      std::string storage;
      value = take_string(storage);
      if (!storage.empty()) {
        char* const kept = lend_(owner_, storage.size());
        std::memcpy(kept, storage.data(), storage.size());
        value = {kept, storage.size()};
      }
    } else if constexpr (detail::is_vector<T>) {
      value.clear();
      [[maybe_unused]] const size_t begin = at_;
      [[maybe_unused]] Place* const here = place_;
      elements([&](size_t index) {
        if constexpr ((detail::is_count<Rules> || ...)) {
          if (index >= detail::most_elements(rules...)) {
            if (index == detail::most_elements(rules...)) note_count(begin, here, value, rules...);
            return skip_value();
          }
        }
        spend(sizeof(typename T::value_type));
        if constexpr (std::is_same_v<T, std::vector<bool>>) {
          bool item = false;
          attempt(item);
          value.push_back(item);
        } else {
          attempt(value.emplace_back(), rules...);
        }
      });
    } else if constexpr (detail::is_array<T>) {
      const size_t count = elements([&](size_t index) {
        if (index >= value.size()) fail("is one too many");
        attempt(value[index]);
      });
      if (count != value.size()) fail("must have " + std::to_string(value.size()) + " elements");
    } else {
      leat_decode(*this, value);
    }
  }

  // There are more than a list may have, which begins at `begin` and lies in `here`.
  template <class T, class... Rules>
  void note_count(size_t begin, Place* here, const T& value, const Rules&... rules) {
    Place* const element = std::exchange(place_, here);
    (
        [&] {
          if constexpr (detail::is_count<Rules>) note_failure(begin, detail::demand(rules, value));
        }(),
        ...);
    place_ = element;
  }
  void spend(size_t bytes) {
    if (bytes > kFreeBytes + kMostSpread * text_.size() - spent_)
      fail("is one of more elements than a body of this size may have");
    spent_ += bytes;
  }

  template <class Element>
  size_t elements(Element&& element) {
    begin_array();
    size_t index = 0;
    for (; !array_ends(index == 0); ++index) {
      skip_space();
      const Within place(*this, index);
      element(index);
    }
    end_container();
    return index;
  }

  size_t name_at_ = 0;
  size_t spent_ = 0;  // bytes, by elements of lists
  std::vector<Error> errors_;
  Lend lend_;
  void* owner_;
};

}  // namespace v1
}  // namespace leat

#endif
