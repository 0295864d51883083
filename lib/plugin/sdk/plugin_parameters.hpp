// Part of plugin.hpp: the types by which a handler says what it needs of a request.
#ifndef LEAT_PLUGIN_PARAMETERS_HPP
#define LEAT_PLUGIN_PARAMETERS_HPP

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "plugin.h"

namespace leat {
inline namespace [[gnu::visibility("hidden")]] v1 {

// A name as a template argument.
template <size_t N>
struct Name {
  char text[N];
  consteval Name(const char (&name)[N]) {
    for (size_t i = 0; i < N; ++i) text[i] = name[i];
    for (size_t i = 0; i + 1 < N; ++i)
      if (name[i] < ' ' || name[i] == '"' || name[i] == '\\')
        throw "a parameter's name has no quotes or controls";
  }
  [[nodiscard]] constexpr std::string_view view() const { return {text, N - 1}; }
};

// Options of a parameter: what a number may be, and what it is when it is absent.
template <class T>
struct Range {
  T least;
  T most;
};
template <class T>
Range(T, T) -> Range<T>;  // said here for clang 16
template <class T>
struct Default {
  T value;
};
template <class T>
Default(T) -> Default<T>;

// Of a text that is absent.
template <size_t N>
struct DefaultText {
  Name<N> text;
  consteval DefaultText(const char (&value)[N]) : text(value) {}
};
// How many characters a text has.
struct Length {
  uint32_t least = 0;
  uint32_t most = UINT32_MAX;
};
// How many values a List has.
struct Count {
  uint32_t least = 0;
  uint32_t most = UINT32_MAX;
};
// A regular expression of RE2 that is found in a text: ^ and $ bind it to the ends. What is wrong with it is
// told when the plugin's routes are loaded.
template <size_t N>
struct Pattern {
  char text[N];
  consteval Pattern(const char (&pattern)[N]) {
    for (size_t i = 0; i < N; ++i) text[i] = pattern[i];
  }
  [[nodiscard]] constexpr std::string_view view() const { return {text, N - 1}; }
};
// A text is one of these: leat::OneOf{"newest", "oldest"}.
template <size_t... N>
struct OneOf {
  static constexpr size_t kCount = sizeof...(N);
  char text[(N + ... + 0)];
  size_t ends[kCount];
  consteval OneOf(const char (&... choices)[N]) {
    size_t at = 0, number = 0;
    const auto put = [&](const char* choice, size_t size) {
      for (size_t i = 0; i + 1 < size; ++i) text[at++] = choice[i];
      ends[number++] = at;
    };
    (put(choices, N), ...);
    while (at < (N + ... + 0)) text[at++] = '\0';
  }
  [[nodiscard]] constexpr std::string_view at(size_t index) const {
    const size_t begin = index == 0 ? 0 : ends[index - 1];
    return {text + begin, ends[index] - begin};
  }
};
// What a text is.
enum class Format : uint32_t {
  Uuid = LEAT_TYPE_UUID,
  DateTime = LEAT_TYPE_DATE_TIME,
  Email = LEAT_TYPE_EMAIL,
  Uri = LEAT_TYPE_URI
};

// Several values of one parameter: leat::Query<leat::List<int>, "id", leat::Count{1, 20}>. It lies in the
// request's memory. In a query, a form and cookies each comes with the name, elsewhere with commas between.
template <class T>
class List : public std::span<const T> {
 public:
  using Item = T;
  List() = default;
  explicit List(std::span<const T> values) : std::span<const T>(values) {}
};

// A file of a form that is multipart/form-data: leat::FormPart<leat::File, "photo", leat::MaxSize{1 << 20},
// leat::OneOf{"image/png", "image/jpeg"}>. What it may be of is what the client says: nobody has looked.
struct File {
  std::string_view name;  // as the client calls it; never to be used as a path: see leaf_name()
  std::string_view type;  // as the client says
  std::string_view content;
  uint64_t size = 0;
};
// How large a File is at most, in bytes.
struct MaxSize {
  uint64_t bytes;
};

enum class Where : uint8_t { Path, Query, Header, Cookie, Form, Multipart };

template <Where where, class T, Name name, auto... options>
struct Parameter {
  T value{};
  operator const T&() const { return value; }
  const T& operator*() const { return value; }
  const T* operator->() const { return &value; }
};
template <class T, Name name, auto... options>
using Path = Parameter<Where::Path, T, name, options...>;
template <class T, Name name, auto... options>
using Query = Parameter<Where::Query, T, name, options...>;
template <class T, Name name, auto... options>
using Header = Parameter<Where::Header, T, name, options...>;
template <class T, Name name, auto... options>
using Cookie = Parameter<Where::Cookie, T, name, options...>;

// A field of a body that is application/x-www-form-urlencoded.
template <class T, Name name, auto... options>
using Form = Parameter<Where::Form, T, name, options...>;

// A field of one that is multipart/form-data, a text, a number or a File.
template <class T, Name name, auto... options>
using FormPart = Parameter<Where::Multipart, T, name, options...>;

// The whole body of the request.
struct Body {
  std::string_view text;
  operator std::string_view() const { return text; }
};

// The body as a struct of LEAT_JSON, a std::vector of one, or whatever else plugin_decode.hpp reads. A
// request whose body is not that is answered 400, with "offset" (of the byte in the body) and "pointer" (to
// the value, RFC 6901) in the problem; 415 where its Content-Type is another.
template <class T>
struct JsonBody {
  T value{};
  const T& operator*() const { return value; }
  const T* operator->() const { return &value; }
};

}  // namespace v1
}  // namespace leat

#endif
