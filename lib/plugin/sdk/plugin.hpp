// plugin.hpp: Leat plugins in C++20. Header only, over plugin.h; needs nothing but the standard library.
//
//   #include <leat/plugin.hpp>
//
//   class Hello : public leat::Plugin<Hello> {
//    public:
//     leat::Reply greet(leat::Path<std::string_view, "name"> name, leat::Json& json) {
//       return json.object("hello", name);
//     }
//     static constexpr auto handlers() { return leat::list(handler<&Hello::greet>("greet")); }
//   };
//   LEAT_PLUGIN(Hello, "hello", "1.0.0")
//
// A handler is a function that says by its parameters what it needs, in any order:
//
//   leat::Path<T, "id">                      a path parameter; the route must have one of that name
//   leat::Query<T, "limit", leat::Range{1, 100}, leat::Default{20}>
//   leat::Header<T, "X-Tenant">, leat::Cookie<T, "session">
//   leat::Body                               the whole body
//   leat::Request&, leat::Response&          the request and its answer
//   leat::Json&                              a JSON text, begun
//   leat::Session&                           what is known of whoever asks; see plugin_session.hpp
//   the plugin class &, its Worker &         what is shared by all requests, and by those of one worker
//
// T is a number, bool, std::string_view, or std::optional of one; a parameter that is missing or does not fit
// is answered with a 400 that names it, before the handler runs. What the handler returns is the answer; an
// exception is a 500, or, if it is a leat::Problem, that problem. Nothing here allocates on the heap for a
// request whose handler does not.
//
// A handler that has to wait is a coroutine: it returns leat::Task<leat::Reply>; see plugin_task.hpp. It may
// wait for other servers (plugin_client.hpp) and for work on other threads (plugin_pool.hpp). What a plugin
// counts and measures is in plugin_metrics.hpp.
//
// What a request has several of (fields, cookies, values of a query or a form) is in plugin_fields.hpp, cookies
// that an answer sets are in plugin_cookie.hpp, uploads from forms in plugin_multipart.hpp.
//
// Classes that stand between clients and the handlers of any plugin are middleware: plugin_middleware.hpp.
//
// WebSockets are classes, or coroutines that take a leat::WebSocket&: plugin_websocket.hpp. Streams of events, for pages
// that listen, are in plugin_events.hpp.
//
// A class with on_request, and on_body, on_body_end, on_writable or on_cancel, is a handler that goes on over
// several callbacks; see Plugin::stream.
//
// Thread: a request's callbacks run on one worker, one at a time; different requests' run at the same time,
// so members of the plugin class need locks, those of its Worker don't.
#ifndef LEAT_PLUGIN_HPP
#define LEAT_PLUGIN_HPP

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <new>
#include <string>
#include <string_view>

#include "plugin.h"
#include "plugin_answer.hpp"
#include "plugin_base.hpp"
#include "plugin_cache.hpp"
#include "plugin_call.hpp"
#include "plugin_check.hpp"
#include "plugin_client.hpp"
#include "plugin_cookie.hpp"
#include "plugin_events.hpp"
#include "plugin_fields.hpp"
#include "plugin_gather.hpp"
#include "plugin_handler.hpp"
#include "plugin_json.hpp"
#include "plugin_metrics.hpp"
#include "plugin_middleware.hpp"
#include "plugin_multipart.hpp"
#include "plugin_parameters.hpp"
#include "plugin_pool.hpp"
#include "plugin_request.hpp"
#include "plugin_services.hpp"
#include "plugin_session.hpp"
#include "plugin_task.hpp"
#include "plugin_websocket.hpp"

namespace leat {
inline namespace [[gnu::visibility("hidden")]] v1 {

namespace detail {

// What a Handler has, whose parameters are those of `function`; or what is wrong with them.
template <class Plugin, class Handler, auto function>
constexpr leat_handler table_of(leat_str name) {
  constexpr uint32_t kMistake = mistake<Plugin>(function);
  if constexpr (kMistake != 0) {
    return misfit<function>(kMistake);
  } else {
    using Bound = Binder<typename Handler::Args, typename Handler::Answer>;
    leat_handler made{};
    made.struct_size = sizeof made;
    made.flags = Handler::kFlags;
    made.name = name;
    made.bind = Bound::bind;
    made.unbind = Bound::unbind;
    made.handle = Handler::handle;
    if constexpr (Handler::kBody) made.on_body = Handler::on_body;
    if constexpr (Handler::kBodyEnd) made.on_body_end = Handler::on_body_end;
    if constexpr (Handler::kKeeps) made.on_writable = Handler::on_writable;
    if constexpr (Handler::kCancel) made.on_cancel = Handler::on_cancel;
    if constexpr (Handler::kKeeps) made.on_done = Handler::on_done;
    return made;
  }
}

}  // namespace detail

// Base of a plugin's class. One object is made for each instance in the configuration, from Setup& or from
// nothing; what its constructor throws is why the plugin is not loaded. All workers share it.
//
// For reloads it may have
//   void self_test()                        throws what is wrong, before the object serves
//   std::string export_state()              what the next object is to begin with; requests wait meanwhile
//   void import_state(std::string_view)     takes it; throws to refuse
//   void on_drain(uint64_t deadline_ns)     no new request will come
// and, for plugins that work with it (plugin_services.hpp), static constexpr functions services() and needs().
//
// With
//   static constexpr bool kUnloads = true;
// it says that nothing of it outlives its last object, as LEAT_PLUGIN_UNLOADS in plugin.h has it.
template <class Derived>
class Plugin : public detail::PluginTag {
 public:
  Plugin() = default;
  Plugin(const Plugin&) = delete;
  Plugin& operator=(const Plugin&) = delete;

  // A function, or a member function of the plugin.
  template <auto function, size_t N>
  static constexpr leat_handler handler(const char (&name)[N]) {
    return detail::table_of<Derived, detail::FunctionHandler<Derived, function>, function>({name, N - 1});
  }

  // A class S: an object of it is made for each request, in the request's memory, and destroyed when that
  // ends.
  //   on_request(parameters...)   required; a handler like any other. With on_body it runs when the head is
  //                               there, and may return void to go on with the body
  //   on_body(std::string_view piece, ...), on_body_end(...), on_writable(...), on_cancel(...)
  //                               may take Request&, Response&, Json&, the plugin and its Worker. Until
  //                               on_body_end void says "go on": with the next piece or, where the body is
  //                               paused, with a timer or completion that resumes it
  template <class S, size_t N>
  static constexpr leat_handler stream(const char (&name)[N]) {
    return detail::table_of<Derived, detail::StreamHandler<S>, &S::on_request>({name, N - 1});
  }

  // A class S, of which each WebSocket has an object; see plugin_websocket.hpp.
  template <class S, size_t N>
  static constexpr leat_handler websocket(const char (&name)[N]) {
    return detail::socket_table<S>({name, N - 1});
  }

  // A class that stands between clients and handlers; see plugin_middleware.hpp. `sentence` says what it does.
  template <class M, size_t N>
  static constexpr leat_middleware kind(const char (&name)[N], Phase phase, std::string_view sentence) {
    return detail::MiddlewareKind<Derived, M>::describe(name, phase, sentence);
  }
};

template <class T>
constexpr auto handlers_of() {
  if constexpr (requires { T::handlers(); }) {
    return T::handlers();
  } else {
    static_assert(detail::HasMiddleware<T>, "a plugin has a static function handlers(), or middleware()");
    return std::array<leat_handler, 0>();
  }
}

template <std::same_as<leat_handler>... Handlers>
constexpr std::array<leat_handler, sizeof...(Handlers)> list(Handlers... handlers) {
  return {handlers...};
}

namespace detail {

// The load-time callbacks of a plugin class.
template <class T>
struct Entry {
  static int32_t load(const leat_host* host, leat_error* error) noexcept {
    bool complete = true;
    const auto look_up = [&]<class Table>(const Table*& table, std::string_view name) {
      table = static_cast<const Table*>(host->extension(host, to_str(name)));
      if (table != nullptr) return;
      host->fail(error, {}, LEAT_STR("this daemon lacks the extension named next"));
      host->fail(error, {}, to_str(name));
      complete = false;
    };
    look_up(api.request, "leat.request/1");
    look_up(api.body, "leat.body/1");
    look_up(api.response, "leat.response/1");
    look_up(api.arena, "leat.arena/1");
    look_up(api.json, "leat.json/1");
    look_up(api.log, "leat.log/1");
    look_up(api.config, "leat.config/1");
    look_up(api.route, "leat.route/1");
    look_up(api.async, "leat.async/1");
    look_up(api.timer, "leat.timer/1");
    look_up(api.pool, "leat.pool/1");
    look_up(api.client, "leat.client/1");
    look_up(api.metrics, "leat.metrics/1");
    look_up(api.services, "leat.services/1");
    look_up(api.cache, "leat.cache/1");
    look_up(api.response_cache, "leat.response_cache/1");
    api.parameters =
        static_cast<const leat_parameters_v1*>(host->extension(host, LEAT_STR("leat.parameters/1")));
    api.websocket =
        static_cast<const leat_websocket_v1*>(host->extension(host, LEAT_STR("leat.websocket/1")));
    api.events = static_cast<const leat_events_v1*>(host->extension(host, LEAT_STR("leat.events/1")));
    api.session = static_cast<const leat_session_v1*>(host->extension(host, LEAT_STR("leat.session/1")));
    if (!compile_patterns(host, error)) return LEAT_E_ARGUMENT;
    if constexpr (HasMiddleware<T>) {
      look_up(api.middleware, "leat.middleware/1");
      if (!complete) return LEAT_E_NOT_FOUND;
      static constexpr auto kKinds = T::middleware();
      return api.middleware->declare(host, kKinds.data(), static_cast<uint32_t>(kKinds.size()), error);
    }
    api.middleware =
        static_cast<const leat_middleware_v1*>(host->extension(host, LEAT_STR("leat.middleware/1")));
    return complete ? LEAT_OK : LEAT_E_NOT_FOUND;
  }

  static int32_t create(const leat_host* host, const leat_config* config, void** instance,
                        leat_error* error) noexcept {
    return guarded_load(host, error, [&] {
      if constexpr (std::constructible_from<T, Setup&>) {
        Setup setup(host, config, error);
        *instance = new T(setup);
      } else {
        *instance = new T;
      }
    });
  }
  static void destroy(void* instance) noexcept { delete static_cast<T*>(instance); }

  static constexpr bool kWorkers = requires { typename T::Worker; };
  static int32_t worker_init(const leat_host* host, void* instance, uint32_t worker, void** state,
                             leat_error* error) noexcept {
    return guarded_load(host, error, [&] {
      if constexpr (kWorkers) {
        using Worker = typename T::Worker;
        static_assert(std::derived_from<Worker, PerWorker>, "derive Worker from leat::PerWorker");
        if constexpr (std::constructible_from<Worker, T&, uint32_t>)
          *state = new Worker(*static_cast<T*>(instance), worker);
        else
          *state = new Worker;
      }
    });
  }
  static void worker_fini(void*, uint32_t, void* state) noexcept {
    if constexpr (kWorkers) delete static_cast<typename T::Worker*>(state);
  }

  // Those of a reload, for the members that the class has; see Plugin.
  static constexpr uint32_t kFlags = [] {
    if constexpr (requires { T::kUnloads; })
      return T::kUnloads ? LEAT_PLUGIN_UNLOADS : 0u;
    else
      return 0u;
  }();
  static constexpr bool kTests = requires(T& plugin) { plugin.self_test(); };
  static constexpr bool kExports = requires(T& plugin) { std::string(plugin.export_state()); };
  static constexpr bool kImports = requires(T& plugin) { plugin.import_state(std::string_view()); };
  static constexpr bool kDrains = requires(T& plugin) { plugin.on_drain(uint64_t{}); };
  static int32_t self_test(const leat_host* host, void* instance, leat_error* error) noexcept {
    return guarded_load(host, error, [&] {
      if constexpr (kTests) static_cast<T*>(instance)->self_test();
    });
  }
  static int32_t export_state(const leat_host* host, void* instance, leat_sink sink, void* context,
                              leat_error* error) noexcept {
    return guarded_load(host, error, [&] {
      if constexpr (kExports) {
        const std::string state = static_cast<T*>(instance)->export_state();
        if (sink(context, to_str(state)) != LEAT_OK) throw std::bad_alloc();
      }
    });
  }
  static int32_t import_state(const leat_host* host, void* instance, leat_str state,
                              leat_error* error) noexcept {
    return guarded_load(host, error, [&] {
      if constexpr (kImports) static_cast<T*>(instance)->import_state(std::string_view(state.ptr, state.len));
    });
  }
  static void on_drain(const leat_host* host, void* instance, uint64_t deadline_ns) noexcept {
    try {
      if constexpr (kDrains) static_cast<T*>(instance)->on_drain(deadline_ns);
    } catch (...) {
      api.log->write(host, LEAT_LOG_ERROR, LEAT_STR("on_drain threw an exception"));
    }
  }

 private:
  template <class Callback>
  static int32_t guarded_load(const leat_host* host, leat_error* error, Callback&& callback) noexcept {
    try {
      callback();
      return LEAT_OK;
    } catch (const std::exception& thrown) {
      host->fail(error, {}, to_str(thrown.what()));
    } catch (...) {
      host->fail(error, {}, LEAT_STR("threw something that is not a std::exception"));
    }
    return LEAT_E_STATE;
  }
};

}  // namespace detail
}  // namespace v1
}  // namespace leat

// Once, at file scope: makes `Type` the plugin of this shared object.
#define LEAT_PLUGIN(Type, plugin_name, plugin_version)                                                 \
  LEAT_NOTE(plugin_name);                                                                              \
  static constexpr auto leat_plugin_handlers = leat::handlers_of<Type>();                              \
  LEAT_CHECK_HANDLERS_(leat_plugin_handlers)                                                           \
  static constexpr auto leat_plugin_services = leat::detail::services_of<Type>();                      \
  static constexpr auto leat_plugin_needs = leat::detail::needs_of<Type>();                            \
  extern "C" const leat_plugin_entry leat_plugin = {                                                   \
      LEAT_ENTRY(plugin_name, plugin_version),                                                         \
      .load = leat::detail::Entry<Type>::load,                                                         \
      .unload = nullptr,                                                                               \
      .create = leat::detail::Entry<Type>::create,                                                     \
      .destroy = leat::detail::Entry<Type>::destroy,                                                   \
      .worker_init = leat::detail::Entry<Type>::worker_init,                                           \
      .worker_fini = leat::detail::Entry<Type>::worker_fini,                                           \
      .handlers = leat_plugin_handlers.data(),                                                         \
      .handler_count = static_cast<uint32_t>(leat_plugin_handlers.size()),                             \
      .reserved = 0,                                                                                   \
      .self_test = leat::detail::Entry<Type>::kTests ? leat::detail::Entry<Type>::self_test : nullptr, \
      .export_state =                                                                                  \
          leat::detail::Entry<Type>::kExports ? leat::detail::Entry<Type>::export_state : nullptr,     \
      .import_state =                                                                                  \
          leat::detail::Entry<Type>::kImports ? leat::detail::Entry<Type>::import_state : nullptr,     \
      .on_drain = leat::detail::Entry<Type>::kDrains ? leat::detail::Entry<Type>::on_drain : nullptr,  \
      .services = leat_plugin_services.data(),                                                         \
      .needs = leat_plugin_needs.data(),                                                               \
      .service_count = static_cast<uint32_t>(leat_plugin_services.size()),                             \
      .need_count = static_cast<uint32_t>(leat_plugin_needs.size()),                                   \
      .flags = leat::detail::Entry<Type>::kFlags,                                                      \
      .reserved_2 = 0};

#endif
