// Part of plugin.hpp: what plugins do for each other.
//
//   // users.hpp, which both plugins include: C functions only, for two plugins may be made by two compilers.
//   struct Users {
//     static constexpr char kService[] = "users/1";
//     uint32_t struct_size = sizeof(Users);
//     leat_str (*name_of)(void* context, uint64_t id) = nullptr;
//   };
//
//   // who provides it
//   leat_str name_of(uint64_t id);
//   static constexpr Users kUsers = {.name_of = leat::method<&Directory::name_of>};
//   static constexpr auto services() { return leat::list(leat::service<kUsers>()); }
//
//   // who uses it
//   explicit Shop(leat::Setup& setup) : users_(setup) {}
//   static constexpr auto needs() { return leat::list(leat::need<Users>()); }
//   leat::Reply owner(leat::Request& request) { return leat::text(users_.call<&Users::name_of>(request, 7));
//   } leat::Service<Users> users_;
//
// Exceptions don't cross from one plugin into another: a method that throws ends the process, so say errors
// by what it returns.
#ifndef LEAT_PLUGIN_SERVICES_HPP
#define LEAT_PLUGIN_SERVICES_HPP

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <new>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "plugin.h"
#include "plugin_base.hpp"
#include "plugin_request.hpp"

namespace leat {
inline namespace [[gnu::visibility("hidden")]] v1 {

namespace detail {

template <auto function>
struct Method;
template <class T, class R, class... Args, R (T::*function)(Args...)>
struct Method<function> {
  static R call(void* context, Args... args) noexcept {
    return (static_cast<T*>(context)->*function)(std::forward<Args>(args)...);
  }
};
template <class T, class R, class... Args, R (T::*function)(Args...) const>
struct Method<function> {
  static R call(void* context, Args... args) noexcept {
    return (static_cast<const T*>(context)->*function)(std::forward<Args>(args)...);
  }
};

// The table type's name for its service.
template <class Table>
constexpr leat_str service_name() {
  return {Table::kService, sizeof(Table::kService) - 1};
}

// A service whose context is an S for each request, in the request's memory.
template <class S>
struct RequestContext {
  static int32_t open(const leat_scope* scope, leat_request* request, void** context) noexcept {
    void* memory = api.arena->alloc(request, sizeof(S), alignof(S));
    if (memory == nullptr) return LEAT_E_MEMORY;
    try {
      using Plugin = typename S::Plugin;
      if constexpr (std::constructible_from<S, Plugin&>)
        *context = new (memory) S(*static_cast<Plugin*>(scope->instance));
      else
        *context = new (memory) S;
      return LEAT_OK;
    } catch (const std::bad_alloc&) {
      return LEAT_E_MEMORY;
    } catch (...) {
      api.log->write(scope->host, LEAT_LOG_ERROR,
                     LEAT_STR("a service's object for a request threw an exception"));
      return LEAT_E_STATE;
    }
  }
  static void close(const leat_scope*, leat_request*, void* context) noexcept {
    static_cast<S*>(context)->~S();
  }
};

}  // namespace detail

// A function of a service's table that calls a member function of its context: the plugin's object, its
// Worker, or its object for the request.
template <auto function>
inline constexpr auto method = &detail::Method<function>::call;

// What the plugin provides: its object is the context of all calls.
template <const auto& table>
constexpr leat_service service() {
  return {sizeof(leat_service),
          LEAT_SERVICE_SINGLETON,
          detail::service_name<std::remove_cvref_t<decltype(table)>>(),
          &table,
          nullptr,
          nullptr};
}
// The same with the plugin's Worker of the worker that calls.
template <const auto& table>
constexpr leat_service worker_service() {
  return {sizeof(leat_service),
          LEAT_SERVICE_PER_WORKER,
          detail::service_name<std::remove_cvref_t<decltype(table)>>(),
          &table,
          nullptr,
          nullptr};
}
// The same with an S for each request that calls: made from the plugin's object (S::Plugin&) or from nothing
// at the first call, destroyed when the request ends.
template <const auto& table, class S>
constexpr leat_service request_service() {
  static_assert(alignof(S) <= 16, "the request's memory is aligned to 16 bytes");
  return {sizeof(leat_service),
          LEAT_SERVICE_REQUEST_ANY_THREAD,
          detail::service_name<std::remove_cvref_t<decltype(table)>>(),
          &table,
          detail::RequestContext<S>::open,
          detail::RequestContext<S>::close};
}
template <std::same_as<leat_service>... Services>
constexpr std::array<leat_service, sizeof...(Services)> list(Services... services) {
  return {services...};
}

// What it needs.
template <class Table>
constexpr leat_need need() {
  return {sizeof(leat_need), 0, detail::service_name<Table>()};
}
template <class Table>
constexpr leat_need optional_need() {
  return {sizeof(leat_need), LEAT_NEED_OPTIONAL, detail::service_name<Table>()};
}
template <std::same_as<leat_need>... Needs>
constexpr std::array<leat_need, sizeof...(Needs)> list(Needs... needs) {
  return {needs...};
}

// A service of another plugin: a member of the class that needs it, made in its constructor.
template <class Table>
class Service {
 public:
  explicit Service(const Setup& setup) : use_(setup.find_service(detail::service_name<Table>())) {
    if (use_ != nullptr) table_ = static_cast<const Table*>(detail::api.services->table(use_));
  }

  // False for an optional one that nobody provides.
  explicit operator bool() const { return use_ != nullptr; }
  // Whether the provider's table, perhaps an older one, has the function.
  template <auto member>
  [[nodiscard]] bool has() const {
    if (table_ == nullptr) return false;
    const auto offset =
        reinterpret_cast<const char*>(&(table_->*member)) - reinterpret_cast<const char*>(table_);
    return table_->struct_size >= static_cast<size_t>(offset) + sizeof(table_->*member) &&
           table_->*member != nullptr;
  }

  // Calls a function of the table for a request. Throws a Problem (503) where its context can't be had.
  template <auto member, class... Args>
  decltype(auto) call(const Request& request, Args&&... args) const {
    if (!has<member>()) throw std::logic_error("the service has no such function here");
    void* context = nullptr;
    if (detail::api.services->context(request.raw(), use_, &context) != LEAT_OK)
      throw Problem{503, "A service that is needed here cannot be used."};
    return (table_->*member)(context, std::forward<Args>(args)...);
  }

 private:
  const leat_service_use* use_;
  const Table* table_ = nullptr;
};

namespace detail {

template <class T>
constexpr auto services_of() {
  if constexpr (requires { T::services(); })
    return T::services();
  else
    return std::array<leat_service, 0>();
}
template <class T>
constexpr auto needs_of() {
  if constexpr (requires { T::needs(); })
    return T::needs();
  else
    return std::array<leat_need, 0>();
}

}  // namespace detail

}  // namespace v1
}  // namespace leat

#endif
