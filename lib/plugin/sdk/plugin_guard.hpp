// Part of plugin.hpp: a callback in progress, and what becomes of the exceptions that it throws. Nothing in
// here is meant to be used by name.
#ifndef LEAT_PLUGIN_GUARD_HPP
#define LEAT_PLUGIN_GUARD_HPP

#include <cstddef>
#include <cstdint>
#include <exception>
#include <new>
#include <string_view>

#include "plugin.h"
#include "plugin_answer.hpp"

namespace leat {
inline namespace [[gnu::visibility("hidden")]] v1 {

namespace detail {

// One callback in progress.
struct Frame {
  const leat_scope* scope;
  leat_request* request;
  std::string_view piece;  // in on_body
};

inline int32_t log_failure(const Frame& frame, std::string_view what) noexcept {
  const std::string_view route =
      frame.request == nullptr ? "(its request has ended)" : to_view(api.request->route_id(frame.request));
  char line[512];  // no std::string: memory may be what is lacking
  size_t size = 0;
  for (const std::string_view part : {std::string_view("route "), route, std::string_view(": threw "), what})
    size += part.copy(line + size, sizeof line - size);
  api.log->write(frame.scope->host, LEAT_LOG_ERROR, {line, size});
  return LEAT_ERROR;
}

// Runs a request callback; what it throws becomes an answer, or a line in the log and a failure.
template <class Callback>
int32_t guarded(const Frame& frame, Callback&& callback) noexcept {
  try {
    return callback();
  } catch (const Problem& problem) {
    return Reply(problem).give(frame.request);
  } catch (const OutOfMemory&) {
    return LEAT_ERROR;  // the host knows why, and tells of it
  } catch (const std::exception& error) {
    return log_failure(frame, error.what());
  } catch (...) {
    return log_failure(frame, "something that is not a std::exception");
  }
}

// `size` bytes of the request's memory.
inline void* allocate(leat_request* request, size_t size, size_t align) {
  void* memory = api.arena->alloc(request, size, align);
  if (memory == nullptr) throw detail::OutOfMemory();
  return memory;
}

}  // namespace detail
}  // namespace v1
}  // namespace leat

#endif
