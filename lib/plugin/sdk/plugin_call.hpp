// Part of plugin.hpp: from the parameters of a function to its arguments. Nothing in here is meant to be used
// by name.
//
// What can be known when the plugin is loaded (the number of a path parameter) is a Binding, made once for
// each route; what must be done for a request is a Source, on the stack.
#ifndef LEAT_PLUGIN_CALL_HPP
#define LEAT_PLUGIN_CALL_HPP

#include <charconv>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <limits>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "plugin.h"
#include "plugin_answer.hpp"
#include "plugin_guard.hpp"
#include "plugin_parameters.hpp"
#include "plugin_request.hpp"
#include "plugin_schema.hpp"
#include "plugin_session.hpp"

namespace leat {
inline namespace [[gnu::visibility("hidden")]] v1 {

class WebSocket;  // plugin_websocket.hpp

namespace detail {

struct PluginTag {};

// Outside of the class, for gcc 12 takes no partial specialization within.
template <template <class> class Option, class T>
inline constexpr bool is_option = false;
template <template <class> class Option, class T>
inline constexpr bool is_option<Option, Option<T>> = true;

template <template <class> class Option, auto... options>
struct FindOption {
  static constexpr bool exists = (is_option<Option, std::remove_const_t<decltype(options)>> || ...);
  static constexpr auto get() {
    if constexpr (exists) {
      return std::get<0>(std::tuple_cat([] {
        if constexpr (is_option<Option, std::remove_const_t<decltype(options)>>)
          return std::tuple(options);
        else
          return std::tuple<>();
      }()...));
    }
  }
};

template <class T>
struct Unwrapped {
  using Type = T;
};
template <class T>
struct Unwrapped<std::optional<T>> {
  using Type = T;
};

inline bool parse(std::string_view text, bool& out) {
  for (const std::string_view yes : {"true", "1", "yes", "on"})
    if (same_field_name(text, yes)) return out = true, true;
  for (const std::string_view no : {"false", "0", "no", "off"})
    if (same_field_name(text, no)) return out = false, true;
  return false;
}
inline bool parse(std::string_view text, std::string_view& out) { return out = text, true; }
template <class T>
  requires(std::is_arithmetic_v<T>)
bool parse(std::string_view text, T& out) {
  const auto [end, error] = [&] {
    if constexpr (std::is_floating_point_v<T>)
      return encoding::read_real(text, out);
    else
      return std::from_chars(text.data(), text.data() + text.size(), out);
  }();
  return error == std::errc{} && end == text.data() + text.size();
}

// As people read it, whatever the process's locale is.
template <class T>
std::string number_text(T number) {
  if constexpr (std::is_integral_v<T>) {
    return std::to_string(number);
  } else {
    if (!std::isfinite(number)) return number > 0 ? "infinity" : "-infinity";
    char text[encoding::kLongestReal];
    return {text, encoding::write_real(text, static_cast<double>(number))};
  }
}

// "a whole number from 1 to 100"
template <class T>
std::string expectation(T least, T most) {
  if constexpr (std::is_same_v<T, bool>) {
    return "true or false";
  } else if constexpr (std::is_arithmetic_v<T>) {
    std::string text = std::is_integral_v<T> ? "a whole number" : "a number";
    if (std::is_integral_v<T> || least != std::numeric_limits<T>::lowest())
      text += " from " + number_text(least) + " to " + number_text(most);
    return text;
  } else {
    return "a text";
  }
}

// How an argument of type A comes about. bind() at load: false with `error` filled when it never can. take()
// for a request: false when the request was answered instead. pass() gives it to the handler.
template <class A>
struct Source;

struct NoBinding {
  template <class... Ignored>
  static bool bind(Ignored&&...) {
    return true;
  }
};

template <class T>
inline constexpr bool is_list = false;
template <class T>
inline constexpr bool is_list<List<T>> = true;
template <class T>
struct ItemOf {
  using Type = T;
};
template <class T>
struct ItemOf<List<T>> {
  using Type = T;
};

// What an option adds to the declaration of a parameter whose values are of the type Value.
template <class Value>
struct Declaration {
  leat_parameter table{};
  std::string fallback;  // the text of a Default
  std::vector<leat_str> choices;

  template <class T>
  void add(const Range<T>& range) {
    table.flags |= LEAT_PARAMETER_RANGE;
    if constexpr (std::is_floating_point_v<Value>) {
      table.least_number = static_cast<double>(range.least);
      table.most_number = static_cast<double>(range.most);
    } else {
      table.least = static_cast<int64_t>(static_cast<Value>(range.least));
      table.most = static_cast<int64_t>(static_cast<Value>(range.most));
    }
  }
  template <class T>
  void add(const Default<T>& value) {
    if constexpr (std::is_same_v<Value, bool>)
      fallback = value.value ? "true" : "false";
    else
      fallback = number_text(static_cast<Value>(value.value));
    table.fallback = to_str(fallback);
  }
  template <size_t N>
  void add(const DefaultText<N>& value) {
    fallback = value.text.view();
    table.fallback = to_str(fallback);
  }
  void add(const Length& length) {
    table.min_length = length.least;
    table.max_length = length.most == UINT32_MAX ? 0 : length.most;
  }
  void add(const Count& count) {
    table.min_items = count.least;
    table.max_items = count.most == UINT32_MAX ? 0 : count.most;
  }
  template <size_t N>
  void add(const Pattern<N>& pattern) {
    table.pattern = to_str(pattern.view());
  }
  template <size_t... N>
  void add(const OneOf<N...>& one_of) {
    for (size_t i = 0; i < one_of.kCount; ++i) choices.push_back(to_str(one_of.at(i)));
    table.choices = choices.data();
    table.choice_count = static_cast<uint32_t>(choices.size());
  }
  void add(const MaxSize& size) { table.max_size = size.bytes; }
  void add(const Format& format) { table.type = static_cast<uint32_t>(format); }
};

// Options that only the host can judge: of a parameter that is declared.
template <class T>
inline constexpr bool is_old_option = is_option<Range, T> || is_option<Default, T>;

template <Where where, class T, Name name, auto... options>
struct Source<Parameter<where, T, name, options...>> {
  using Value = typename Unwrapped<T>::Type;
  using Item = typename ItemOf<Value>::Type;
  using RangeOption = FindOption<Range, options...>;
  using DefaultOption = FindOption<Default, options...>;
  // It needs a daemon that declares parameters, and a route.
  static constexpr bool kDeclaredOnly = where == Where::Form || where == Where::Multipart || is_list<Value> ||
                                        !(is_old_option<std::remove_const_t<decltype(options)>> && ...);
  static constexpr bool kIsFile = std::is_same_v<Item, File>;
  static_assert(!kIsFile || where == Where::Multipart, "a file is a leat::FormPart");

  struct Binding {
    static constexpr uint32_t kUndeclared = UINT32_MAX;
    uint32_t number = kUndeclared;  // as it was declared
    uint32_t index = 0;             // of a path parameter of which the daemon knows no more

    bool bind(const leat_host* host, const leat_route* route, leat_error* error) {
      const bool old = kIsFile && api.parameters != nullptr &&
                       api.parameters->struct_size <= offsetof(leat_parameters_v1, file);
      if (api.parameters != nullptr && !old) return declare(host, route, error);
      if (kDeclaredOnly) {
        const std::string message =
            "this daemon is too old for the rules of `" + std::string(name.view()) + "`";
        host->fail(error, {}, to_str(message));
        return false;
      }
      if constexpr (where == Where::Path) {
        const int32_t found = api.route->param_index(route, to_str(name.view()));
        if (found < 0) {
          const std::string message = "the handler needs a path parameter {" + std::string(name.view()) + "}";
          host->fail(error, {}, to_str(message));
          return false;
        }
        index = static_cast<uint32_t>(found);
      }
      return true;
    }

   private:
    bool declare(const leat_host* host, const leat_route* route, leat_error* error) {
      Declaration<Item> made;
      made.table.struct_size = sizeof made.table;
      made.table.in = static_cast<uint32_t>(where);
      made.table.name = to_str(name.view());
      if constexpr (kIsFile) {
        made.table.type = LEAT_TYPE_FILE;
      } else if constexpr (std::is_same_v<Item, bool>) {
        made.table.type = LEAT_TYPE_BOOLEAN;
      } else if constexpr (std::is_floating_point_v<Item>) {
        made.table.type = LEAT_TYPE_NUMBER;
      } else if constexpr (std::is_integral_v<Item>) {
        made.table.type = LEAT_TYPE_INTEGER;
        made.table.flags |= LEAT_PARAMETER_RANGE | (std::is_unsigned_v<Item> ? LEAT_PARAMETER_UNSIGNED : 0u);
        made.table.least = static_cast<int64_t>(std::numeric_limits<Item>::min());
        made.table.most = static_cast<int64_t>(std::numeric_limits<Item>::max());
      }
      (made.add(options), ...);
      if (is_list<Value>) made.table.flags |= LEAT_PARAMETER_LIST;
      const bool needed = !is_optional_value<T> && !is_list<Value> && made.table.fallback.ptr == nullptr;
      if (needed) made.table.flags |= LEAT_PARAMETER_REQUIRED;
      const int32_t declared = api.parameters->declare(host, route, &made.table, error);
      if (declared < 0) return false;
      number = static_cast<uint32_t>(declared);
      return true;
    }
  };

  static constexpr Item kLeast = [] {
    if constexpr (RangeOption::exists)
      return static_cast<Item>(RangeOption::get().least);
    else
      return std::numeric_limits<Item>::lowest();
  }();
  static constexpr Item kMost = [] {
    if constexpr (RangeOption::exists)
      return static_cast<Item>(RangeOption::get().most);
    else
      return std::numeric_limits<Item>::max();
  }();

  bool take(const Frame& frame, const Binding& binding) {
    if constexpr (is_list<Value>) {
      return take_list(frame, binding);
    } else if constexpr (kIsFile) {
      File file;
      if (take_file(frame, binding.number, 0, file))
        parameter.value = file;
      else if constexpr (!is_optional_value<T>)
        return refuse(frame, " is missing.");
      return true;
    } else {
      const bool declared = binding.number != Binding::kUndeclared;
      if (!declared && kDeclaredOnly)
        throw std::logic_error("a parameter with such rules belongs to a route: it is for handlers");
      const leat_str found =
          declared ? api.parameters->value(frame.request, binding.number) : look_up(frame, binding);
      if (found.ptr == nullptr) {
        if constexpr (DefaultOption::exists)
          parameter.value = static_cast<Value>(DefaultOption::get().value);
        else if constexpr (!is_optional_value<T>)
          return refuse(frame, " is missing.");
        return true;
      }
      Value value{};
      bool fits = parse(to_view(found), value);
      if constexpr (std::is_arithmetic_v<Value>) fits = fits && value >= kLeast && value <= kMost;
      if (!fits) return refuse(frame, " must be " + expectation(kLeast, kMost) + ".");
      parameter.value = value;
      return true;
    }
  }
  const Parameter<where, T, name, options...>& pass() { return parameter; }

  Parameter<where, T, name, options...> parameter;

 private:
  bool take_list(const Frame& frame, const Binding& binding) {
    const uint32_t number = binding.number;
    if (number == Binding::kUndeclared)
      throw std::logic_error("a parameter with several values belongs to a route: it is for handlers");
    const uint32_t count = api.parameters->values(frame.request, number, nullptr, 0);
    if (count == 0) return true;
    auto* texts =
        static_cast<leat_str*>(allocate(frame.request, count * sizeof(leat_str), alignof(leat_str)));
    auto* items = static_cast<Item*>(allocate(frame.request, count * sizeof(Item), alignof(Item)));
    (void)api.parameters->values(frame.request, number, texts, count);
    for (uint32_t i = 0; i < count; ++i) {
      Item* item = new (items + i) Item{};
      if constexpr (kIsFile)
        (void)take_file(frame, number, i, *item);
      else if (!parse(to_view(texts[i]), *item))
        return refuse(frame, " must be " + expectation(kLeast, kMost) + ".");
    }
    parameter.value = Value(std::span<const Item>(items, count));
    return true;
  }
  // False: there is none.
  static bool take_file(const Frame& frame, uint32_t number, uint32_t index, File& file) {
    leat_file found{};
    found.struct_size = sizeof found;
    if (api.parameters->file(frame.request, number, index, &found) != LEAT_OK) return false;
    file = {to_view(found.name), to_view(found.type), to_view(found.content), found.size};
    return true;
  }
  static leat_str look_up(const Frame& frame, const Binding& binding) {
    if constexpr (where == Where::Path) return api.request->param(frame.request, binding.index);
    if constexpr (where == Where::Query) return api.request->query_param(frame.request, to_str(name.view()));
    if constexpr (where == Where::Header) return api.request->header(frame.request, to_str(name.view()));
    if constexpr (where == Where::Cookie) return api.request->cookie(frame.request, to_str(name.view()));
    return {};
  }
  static bool refuse(const Frame& frame, std::string_view why) {
    constexpr std::string_view kinds[] = {"path parameter", "query parameter", "header",
                                          "cookie",         "form field",      "form field"};
    std::string detail = "The " + std::string(kinds[static_cast<size_t>(where)]) + " `";
    detail.append(name.view()).append("`").append(why);
    const std::string extra = "\"parameter\":\"" + std::string(name.view()) + "\"";
    api.response->send_problem(frame.request, 400, to_str(detail), to_str(extra));
    return false;
  }
};

template <>
struct Source<Body> {
  using Binding = NoBinding;
  bool take(const Frame& frame, const Binding&) {
    body.text = to_view(api.request->body(frame.request));
    return true;
  }
  const Body& pass() { return body; }
  Body body;
};

template <class T>
struct Source<JsonBody<T>> {
  struct Binding {
    static bool bind(const leat_host*, const leat_route* route, leat_error*) {
      if (api.parameters == nullptr) return true;
      const std::string schema = schema_text<T>();
      return api.parameters->describe(route, LEAT_DESCRIBES_BODY, to_str(schema)) == LEAT_OK;
    }
  };
  bool take(const Frame& frame, const Binding&) {
    // One that says nothing is taken at its word.
    const leat_str type = api.request->header(frame.request, LEAT_STR("Content-Type"));
    if (type.ptr != nullptr && !says_json(to_view(type))) {
      api.response->send_problem(frame.request, 415, to_str(kNotJson), {});
      return false;
    }
    const auto lend = [](void* request, size_t size) {
      return static_cast<char*>(allocate(static_cast<leat_request*>(request), size, 1));
    };
    Decoder decoder(to_view(api.request->body(frame.request)), lend, frame.request);
    const bool good_so_far = api.parameters == nullptr || api.parameters->wrong(frame.request) == 0;
    try {
      decoder.read(body.value);
      return true;
    } catch (const Decoder::Error& error) {
      if (good_so_far && (api.parameters == nullptr || decoder.errors().size() == 1)) {
        api.response->send_problem(frame.request, 400, to_str(problem_detail(error)),
                                   to_str(problem_members(error)));
        return false;
      }
    }
    for (const Decoder::Error& error : decoder.errors())
      if (api.parameters->reject(frame.request, to_str(error.pointer), to_str(error.message)) != LEAT_OK)
        throw OutOfMemory();
    if (good_so_far && api.parameters->refuse(frame.request) != LEAT_OK)
      throw std::logic_error("a body that is wrong was not refused");
    return false;
  }
  const JsonBody<T>& pass() { return body; }
  using Body = T;
  JsonBody<T> body;
};

template <>
struct Source<std::string_view> {  // the piece, in on_body
  using Binding = NoBinding;
  bool take(const Frame& frame, const Binding&) {
    piece = frame.piece;
    return true;
  }
  std::string_view pass() { return piece; }
  std::string_view piece;
};

template <>
struct Source<Request> {
  using Binding = NoBinding;
  bool take(const Frame& frame, const Binding&) {
    request.emplace(frame.request, frame.scope);
    return true;
  }
  Request& pass() { return *request; }
  std::optional<Request> request;
};

template <>
struct Source<Response> {
  using Binding = NoBinding;
  bool take(const Frame& frame, const Binding&) {
    response.emplace(frame.request);
    return true;
  }
  Response& pass() { return *response; }
  std::optional<Response> response;
};

template <>
struct Source<Session> {
  struct Binding {
    static bool bind(const leat_host* host, const leat_route* route, leat_error* error) {
      if (api.session != nullptr) return api.session->need(route) == LEAT_OK;
      host->fail(error, {}, LEAT_STR("this daemon is too old for sessions"));
      return false;
    }
  };
  bool take(const Frame& frame, const Binding&) {
    session.emplace(frame.request);
    return true;
  }
  Session& pass() { return *session; }
  std::optional<Session> session;
};

template <>
struct Source<Json> {
  using Binding = NoBinding;
  bool take(const Frame& frame, const Binding&) {
    json.emplace(start_json(frame.request));
    return true;
  }
  Json& pass() { return *json; }
  std::optional<Json> json;
};

template <std::derived_from<PluginTag> Plugin>
struct Source<Plugin> {
  using Binding = NoBinding;
  bool take(const Frame& frame, const Binding&) {
    plugin = static_cast<Plugin*>(frame.scope->instance);
    return true;
  }
  Plugin& pass() { return *plugin; }
  Plugin* plugin = nullptr;
};

template <std::derived_from<PerWorker> Worker>
struct Source<Worker> {
  using Binding = NoBinding;
  bool take(const Frame& frame, const Binding&) {
    worker = static_cast<Worker*>(frame.scope->worker_state);
    return true;
  }
  Worker& pass() { return *worker; }
  Worker* worker = nullptr;
};

template <class T>
inline constexpr bool is_json_body = false;
template <class T>
inline constexpr bool is_json_body<JsonBody<T>> = true;

// The parameters of a callback, wherever it is a member of.
template <class... Args>
struct Arguments {
  using Bindings = std::tuple<typename Source<std::remove_cvref_t<Args>>::Binding...>;
  using Sources = std::tuple<Source<std::remove_cvref_t<Args>>...>;
  static constexpr bool kPerWorker = (std::derived_from<std::remove_cvref_t<Args>, PerWorker> || ...);
  // What is wrong with its body it tells with what is wrong with parameters.
  static constexpr bool kJsonBody = (is_json_body<std::remove_cvref_t<Args>> || ...);
  static constexpr bool kSocket = (std::same_as<std::remove_cvref_t<Args>, WebSocket> || ...);

  static bool bind(Bindings& bindings, const leat_host* host, const leat_route* route, leat_error* error) {
    // All of them, so that all that is wrong is said: no &&.
    bool good = true;
    std::apply([&](auto&... each) { ((good = each.bind(host, route, error) && good), ...); }, bindings);
    return good;
  }
  // False when the request was answered instead.
  static bool take(Sources& sources, const Frame& frame, const Bindings& bindings) {
    return take_each(std::index_sequence_for<Args...>(), sources, frame, bindings);
  }
  // Calls `function(first..., arguments...)`.
  template <class Function, class... First>
  static decltype(auto) pass(Sources& sources, Function&& function, First&&... first) {
    return pass_each(std::index_sequence_for<Args...>(), sources, function, std::forward<First>(first)...);
  }
  // Both, and gives what the function returns; the verdict.
  template <class Function, class... First>
  static int32_t call(const Frame& frame, const Bindings& bindings, Function&& function, First&&... first) {
    [[maybe_unused]] Sources sources;
    if (!take(sources, frame, bindings)) return LEAT_DONE;
    using Answer = decltype(pass(sources, function, std::forward<First>(first)...));
    if constexpr (std::is_void_v<Answer>) {
      pass(sources, function, std::forward<First>(first)...);
      return LEAT_DONE;
    } else {
      return give(frame.request, pass(sources, function, std::forward<First>(first)...));
    }
  }

 private:
  template <size_t... I>
  static bool take_each(std::index_sequence<I...>, [[maybe_unused]] Sources& sources, const Frame& frame,
                        [[maybe_unused]] const Bindings& bindings) {
    if constexpr (kJsonBody) {
      if (api.parameters != nullptr && api.parameters->wrong(frame.request) != 0) {
        (take_body(std::get<I>(sources), frame, std::get<I>(bindings)), ...);
        if (api.response->started(frame.request) == 0 && api.parameters->refuse(frame.request) != LEAT_OK)
          throw std::logic_error("parameters that are wrong were not refused");
        return false;
      }
    }
    return (std::get<I>(sources).take(frame, std::get<I>(bindings)) && ...);
  }
  // Parameters are known to be wrong: so may the body be, which is told then as well.
  template <class Any, class Binding>
  static void take_body(Any& source, const Frame& frame, const Binding& binding) {
    if constexpr (requires { typename Any::Body; }) (void)source.take(frame, binding);
  }
  template <size_t... I, class Function, class... First>
  static decltype(auto) pass_each(std::index_sequence<I...>, [[maybe_unused]] Sources& sources,
                                  Function& function, First&&... first) {
    return function(std::forward<First>(first)..., std::get<I>(sources).pass()...);
  }
};

template <class Function>
struct Signature;
template <class R, class... A>
struct Signature<R (*)(A...)> {
  using Args = Arguments<A...>;
  using Answer = R;
  using Class = void;
};
template <class C, class R, class... A>
struct Signature<R (C::*)(A...)> {
  using Args = Arguments<A...>;
  using Answer = R;
  using Class = C;
};
template <class C, class R, class... A>
struct Signature<R (C::*)(A...) const> : Signature<R (C::*)(A...)> {};
template <class R, class... A>
struct Signature<R (*)(A...) noexcept> : Signature<R (*)(A...)> {};
template <class C, class R, class... A>
struct Signature<R (C::*)(A...) noexcept> : Signature<R (C::*)(A...)> {};
template <class C, class R, class... A>
struct Signature<R (C::*)(A...) const noexcept> : Signature<R (C::*)(A...)> {};

// Of a callback whose first parameter comes from elsewhere.
template <class Function>
struct TailSignature;
template <class C, class R, class First, class... A>
struct TailSignature<R (C::*)(First, A...)> {
  using Args = Arguments<A...>;
};
template <class C, class R, class First, class... A>
struct TailSignature<R (C::*)(First, A...) const> : TailSignature<R (C::*)(First, A...)> {};

}  // namespace detail
}  // namespace v1
}  // namespace leat

#endif
