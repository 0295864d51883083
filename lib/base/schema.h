// Rows: one for each fact that a configuration can hold, whoever it is for: settings, keys of [[route]] and
// the like, options of middleware and of plugins. From the rows come the reader, what it says is wrong, and
// the reference.
//
//   struct Options {
//     bool trust = false;
//     uint32_t most = 128;
//   };
//   constexpr schema::Row kRows[] = {
//       schema::boolean<&Options::trust>("trust", "Take the identifier that the request came with."),
//       schema::count<&Options::most>("most", 1, 1024, "Characters of one that is taken."),
//   };
//   const auto options = schema::read<Options>(table, kRows, kCodes, diagnostics);
//
// A row points into its module's own struct, and that member's initialiser is the only place of the default.
// A default that is out of the row's range does not compile, nor does a range that the member cannot hold.
//
// What a plugin declares is known only when it is loaded: such rows point nowhere, and are read by parse().
//
// Used at load only.
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "base/check.h"
#include "base/value.h"

namespace leat::schema {

enum class Type : uint8_t {
  Count,     // a whole number
  Size,      // bytes: "64KiB"
  Duration,  // milliseconds: "10s"
  Mode,      // permission bits: 0o660
  Real,
  Boolean,
  Choice,  // one of some words; its number among them is what is stored
  Text,
  Texts,  // a list, which may be written as one text
  Any     // whatever it is: somebody else reads it
};

// What is written, once it is known to be right: nothing; a number (also a Boolean and a Choice); a fraction;
// a text; a list; or what was not looked at.
using Content =
    std::variant<std::monostate, int64_t, double, std::string, std::vector<std::string>, const Value*>;

struct Row {
  std::string_view name;  // of a setting with its group: "limits.body"
  Type type = Type::Any;
  std::string_view sentence;
  int64_t least = 0;  // of numbers in their unit; `most` also of the bytes of a text
  int64_t most = INT64_MAX;
  double least_real = 0;
  double most_real = 0;
  std::string_view zero;     // of a Count, the word that stands for 0: "auto"
  std::string_view choices;  // words with spaces between
  std::string_view wanted;   // what the texts of a list are, or what an Any has to be: "addresses", "a table"
  // What is wrong with a text, or with one of a list, as a sentence about what is called `called`; empty when
  // nothing is. `code` is that mistake's, or 0 for that of a value out of range.
  using Check = std::string (*)(std::string_view called, std::string_view text);
  Check check = nullptr;
  int code = 0;
  bool needed = false;   // there is no default
  bool path = false;     // a text names a file: one that is no absolute path is below where the process began
  bool restart = false;  // of a setting: a change waits for the next start, since no reload can take it up
  // Where it is still taken, and will not be for ever: since which version, and what is to be written in its place.
  std::string_view deprecated_since;
  std::string_view instead;

  // The way to the member in an options struct, and a struct with defaults. All null in a row that was made
  // at run time; what is its default is then here.
  Content (*get)(const void* options) = nullptr;
  void (*set)(void* options, Content&& content) = nullptr;
  const void* (*defaults)() = nullptr;
  const Content* fallback = nullptr;  // also of an Any

  [[nodiscard]] consteval Row as_needed() const {
    Row row = *this;
    row.needed = true;
    return row;
  }
  [[nodiscard]] consteval Row as_path() const {
    Row row = *this;
    row.path = true;
    return row;
  }
  [[nodiscard]] consteval Row at_start_only() const {
    Row row = *this;
    row.restart = true;
    return row;
  }
  // Whoever writes it is warned, with `replacement`, the name of another one; the reference and the JSON Schema say so, too.
  [[nodiscard]] consteval Row deprecated(std::string_view since, std::string_view replacement) const {
    ENSURE(!since.empty() && !replacement.empty() && !needed);
    Row row = *this;
    row.deprecated_since = since;
    row.instead = replacement;
    return row;
  }
  [[nodiscard]] consteval Row with_default(const Content* content) const {
    Row row = *this;
    row.fallback = content;
    return row;
  }
};

// The number of the warning about a row that is deprecated, the same in all modules.
inline constexpr int kDeprecated = 129;

// The numbers that mistakes have in a module, and its word for what rows name.
struct Codes {
  int unknown, type, range, unit, choice, missing;
  std::string_view noun = "key";
  static constexpr Codes one(int code, std::string_view noun = "key") {
    return {code, code, code, code, code, code, noun};
  }
};

// --- What is said of rows

[[nodiscard]] Content default_of(const Row& row);
// As it would be written, in TOML and in JSON but for a Mode; empty where there is none.
[[nodiscard]] std::string default_text(const Row& row);
// The same of what is not the default. Texts stand in quotes as they are.
[[nodiscard]] std::string content_text(const Row& row, const Content& content);
// Its sentence, and where it is deprecated that it is, and what takes its place.
[[nodiscard]] std::string described(const Row& row);
// "1ms to 1d"
[[nodiscard]] std::string range_text(const Row& row);
// "time, 1ms to 1d"
[[nodiscard]] std::string type_text(const Row& row);
// The words of a Choice, alone and as "a", "b".
[[nodiscard]] std::vector<std::string_view> words(std::string_view choices);
[[nodiscard]] std::string quoted_words(std::string_view choices);
// nullptr when there is none of this name.
[[nodiscard]] const Row* find(std::span<const Row> rows, std::string_view name);

// --- Reading

// "`log.level` is text in quotes, not an array", at the value. `called`: how what is wrong is named.
[[nodiscard]] Diagnostic wrong_type(const Value& value, std::string_view called, std::string_view wanted,
                                    int code);

// What `value` is by its row; nothing where it is wrong, which is said. `called` is its name for people where
// that is not the row's in backquotes.
std::optional<Content> parse(const Row& row, const Value& value, const Codes& codes, Diagnostics& diagnostics,
                             std::string_view called = {});

// A Check: no control character but the tab.
std::string check_characters(std::string_view called, std::string_view text);

// What helps whoever wrote a name that is not known; empty where it says nothing.
using HintFor = std::string (*)(std::string_view name);

// Reports the entries of `table` whose names are not `known`, with what helps (may be null), or the one that
// may have been meant.
void refuse_unknown(const Value& table, std::span<const std::string_view> known, const Codes& codes,
                    Diagnostics& diagnostics, HintFor hint_for = nullptr);

// An options struct that holds its defaults, one for each type.
template <class Options>
const void* defaults() {
  static const Options options{};
  return &options;
}

// One table, of which several may read their parts.
class Reader {
 public:
  // `name` is the table's, as in "[[plugin]] needs `file`". All must outlive the reader.
  Reader(const Value& table, std::string_view name, const Codes& codes, Diagnostics& diagnostics)
      : table_(table), name_(name), codes_(codes), diagnostics_(diagnostics), before_(diagnostics.size()) {}

  // What stands in the table into the members that `rows` point to. All of them lie in an Options.
  template <class Options>
  void read(std::span<const Row> rows, Options& into) {
    for (const Row& row : rows) {
      ENSURE(row.defaults == &schema::defaults<Options>);
      read_row(row, &into);
    }
  }
  // The entries that no row named so far.
  [[nodiscard]] Value::Table others() const;
  void refuse_others(HintFor hint_for = nullptr) {
    refuse_unknown(table_, known_, codes_, diagnostics_, hint_for);
  }
  [[nodiscard]] bool has(std::string_view key) const { return table_.find(key) != nullptr; }
  // Of the value at `key`, or of the table where it is absent.
  [[nodiscard]] const Place& place_of(std::string_view key) const;
  // Nothing was wrong so far.
  [[nodiscard]] bool good() const { return !any_error_since(diagnostics_, before_); }
  void fail(int code, std::string message, const Place& place, std::string hint = {});
  Diagnostics& diagnostics() { return diagnostics_; }

 private:
  void read_row(const Row& row, void* into);

  const Value& table_;
  std::string_view name_;
  const Codes& codes_;
  Diagnostics& diagnostics_;
  size_t before_;
  std::vector<std::string_view> known_;
};

// A table that is all one's own. Where something is wrong, which is said, the default stands in its place.
template <class Options>
Options read(const Value& table, std::span<const Row> rows, const Codes& codes, Diagnostics& diagnostics,
             std::string_view name = {}) {
  Options options;
  Reader reader(table, name, codes, diagnostics);
  reader.read(rows, options);
  reader.refuse_others();
  return options;
}

// --- Making rows. At says where the member is: a pointer to it, or, for one in a struct of a struct, a
// lambda without captures that takes the outer one: [](Settings& s) -> auto& { return s.limits.header_count;
// }.

namespace detail {

template <class T>
struct OwnerOf;
template <class Member, class Owner>
struct OwnerOf<Member Owner::*> {
  using type = Owner;
};
template <class Result, class Lambda, class Owner>
struct OwnerOf<Result (Lambda::*)(Owner&) const> {
  using type = Owner;
};
template <class Lambda>
  requires requires { &Lambda::operator(); }
struct OwnerOf<Lambda> : OwnerOf<decltype(&Lambda::operator())> {};

template <auto At>
using Owner = OwnerOf<std::remove_const_t<decltype(At)>>::type;
template <auto At>
using Member = std::remove_cvref_t<std::invoke_result_t<decltype(At), Owner<At>&>>;

template <class T>
struct Inner {
  using type = T;
  static constexpr bool optional = false;
};
template <class T>
struct Inner<std::optional<T>> {
  using type = T;
  static constexpr bool optional = true;
};

template <class T>
concept Number = std::integral<T> || std::is_enum_v<T>;
// What a text can stand for: T::parse() takes it, and text() gives it back.
template <class T>
concept Written = requires(const T& value, std::string_view text) {
  { value.text() } -> std::convertible_to<std::string>;
  { T::parse(text).error() } -> std::convertible_to<std::string>;
};

template <class T>
Content content_of(const T& member) {
  if constexpr (Inner<T>::optional) {
    return member ? content_of(*member) : Content();
  } else if constexpr (Number<T>) {
    return static_cast<int64_t>(member);
  } else {
    return member;
  }
}
template <Written T>
Content content_of(const std::vector<T>& member) {
  std::vector<std::string> texts;
  for (const T& each : member) texts.push_back(each.text());
  return texts;
}

template <class T>
void store(T& member, Content&& content) {
  using Kind = Inner<T>::type;
  if constexpr (Number<Kind>) {
    member = static_cast<Kind>(std::get<int64_t>(content));
  } else {
    member = std::get<Kind>(std::move(content));
  }
}
template <Written T>
void store(std::vector<T>& member, Content&& content) {
  member.clear();
  for (const std::string& text : std::get<std::vector<std::string>>(content))
    member.push_back(*T::parse(text));  // the row's check() has found nothing
}

// `row`, pointing at its member, whose default is one that could be written.
template <auto At>
consteval Row point(Row row) {
  row.get = [](const void* options) {
    // A lambda takes what it could change; here it is only read.
    return content_of(std::invoke(At, *static_cast<Owner<At>*>(const_cast<void*>(options))));
  };
  row.set = [](void* options, Content&& content) {
    store(std::invoke(At, *static_cast<Owner<At>*>(options)), std::move(content));
  };
  row.defaults = &defaults<Owner<At>>;
  return row;
}

// Of a member that is no optional: what it holds before anything is read.
template <auto At>
consteval Member<At> default_member() {
  Owner<At> options{};
  return std::invoke(At, options);
}

template <auto At>
consteval void check_default(int64_t least, int64_t most, bool zero = false) {
  using Kind = Inner<Member<At>>::type;
  for (const int64_t bound : {least, most}) ENSURE(static_cast<int64_t>(static_cast<Kind>(bound)) == bound);
  if constexpr (!Inner<Member<At>>::optional) {
    const auto value = static_cast<int64_t>(default_member<At>());
    ENSURE((value >= least && value <= most) || (zero && value == 0));
  }
}

template <auto At>
consteval Row number(Type type, std::string_view name, int64_t least, int64_t most,
                     std::string_view sentence) {
  check_default<At>(least, most);
  return point<At>({.name = name, .type = type, .sentence = sentence, .least = least, .most = most});
}

consteval int64_t word_count(std::string_view words) {
  int64_t count = words.empty() ? 0 : 1;
  for (const char c : words) count += c == ' ' ? 1 : 0;
  return count;
}

}  // namespace detail

template <auto At>
consteval Row count(std::string_view name, int64_t least, int64_t most, std::string_view sentence) {
  return detail::number<At>(Type::Count, name, least, most, sentence);
}
template <auto At>
consteval Row size(std::string_view name, int64_t least, int64_t most, std::string_view sentence) {
  return detail::number<At>(Type::Size, name, least, most, sentence);
}
template <auto At>
consteval Row duration(std::string_view name, int64_t least, int64_t most, std::string_view sentence) {
  return detail::number<At>(Type::Duration, name, least, most, sentence);
}
template <auto At>
consteval Row mode(std::string_view name, int64_t least, int64_t most, std::string_view sentence) {
  return detail::number<At>(Type::Mode, name, least, most, sentence);
}
// A number, or the word "auto", which is 0 in the struct.
template <auto At>
consteval Row automatic(std::string_view name, int64_t least, int64_t most, std::string_view sentence) {
  detail::check_default<At>(least, most, true);
  return detail::point<At>({.name = name,
                            .type = Type::Count,
                            .sentence = sentence,
                            .least = least,
                            .most = most,
                            .zero = "auto"});
}
template <auto At>
consteval Row real(std::string_view name, double least, double most, std::string_view sentence) {
  const double value = detail::default_member<At>();
  ENSURE(value >= least && value <= most);
  return detail::point<At>(
      {.name = name, .type = Type::Real, .sentence = sentence, .least_real = least, .most_real = most});
}
template <auto At>
consteval Row boolean(std::string_view name, std::string_view sentence) {
  static_assert(std::same_as<typename detail::Inner<detail::Member<At>>::type, bool>);
  return detail::number<At>(Type::Boolean, name, 0, 1, sentence);
}
// The words in the order of the enumeration.
template <auto At>
consteval Row choice(std::string_view name, std::string_view choices, std::string_view sentence) {
  Row row = detail::number<At>(Type::Choice, name, 0, detail::word_count(choices) - 1, sentence);
  row.choices = choices;
  return row;
}
// `most`: bytes.
template <auto At>
consteval Row text(std::string_view name, int64_t most, std::string_view sentence) {
  if constexpr (!detail::Inner<detail::Member<At>>::optional)
    ENSURE(std::cmp_less_equal(detail::default_member<At>().size(), most));
  return detail::point<At>(
      {.name = name, .type = Type::Text, .sentence = sentence, .most = most, .check = check_characters});
}
template <auto At>
consteval Row text(std::string_view name, std::string_view sentence) {
  return text<At>(name, INT64_MAX, sentence);
}
// One that stands for something: `check` says what is wrong with it, and `code` is that mistake's.
template <auto At>
consteval Row text(std::string_view name, Row::Check check, int code, std::string_view sentence) {
  return detail::point<At>(
      {.name = name, .type = Type::Text, .sentence = sentence, .check = check, .code = code});
}
template <auto At>
consteval Row texts(std::string_view name, std::string_view sentence) {
  return detail::point<At>({.name = name, .type = Type::Texts, .sentence = sentence, .wanted = "texts"});
}
// Of a type that is made of a text. `wanted` is what such are called, `check` says what is none, and `code`
// is that mistake's.
template <auto At>
consteval Row list(std::string_view name, std::string_view wanted, Row::Check check, int code,
                   std::string_view sentence) {
  return detail::point<At>({.name = name,
                            .type = Type::Texts,
                            .sentence = sentence,
                            .wanted = wanted,
                            .check = check,
                            .code = code});
}
// For a `const Value*`, which is where it stands in the table.
template <auto At>
consteval Row any(std::string_view name, std::string_view wanted, std::string_view sentence) {
  return detail::point<At>({.name = name, .type = Type::Any, .sentence = sentence, .wanted = wanted});
}

}  // namespace leat::schema
