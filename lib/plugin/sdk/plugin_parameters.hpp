// Part of plugin.hpp: the types by which a handler says what it needs of a request.
#ifndef LEAT_PLUGIN_PARAMETERS_HPP
#define LEAT_PLUGIN_PARAMETERS_HPP

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

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

enum class Where : uint8_t { Path, Query, Header, Cookie };

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
