// A kind of middleware: a name in the configuration, the phase in which it runs, and a factory that reads its
// options. Leat's own are listed in middleware/kinds.cc.
#pragma once

#include <expected>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/metrics.h"
#include "base/schema.h"
#include "base/thread_pool.h"
#include "base/value.h"
#include "pipeline/codes.h"
#include "pipeline/kept_states.h"
#include "pipeline/middleware.h"

namespace leat {
class ThreadPool;
}  // namespace leat
namespace leat::logging {
class Sinks;
}  // namespace leat::logging

namespace leat::pipeline {

// When a middleware runs, relative to those of other phases: forward on the request in this order, in reverse
// on the answer.
enum class Phase : uint8_t {
  Observe,    // sees everything as the client does: the access log
  Identify,   // gives the request a name or an origin
  Protect,    // refuses, or marks the answer for the client's protection
  Limit,      // bounds how much is done at once
  Transform,  // changes request or answer
  Cache,      // the response cache itself: no kind has it
  Content  // changes answers before they are stored. A hit is not its business, nor a request (but kVaries)
};

std::string_view phase_name(Phase phase);

// What instances are made in: the daemon, a check of its configuration, a test.
struct Surroundings {
  uint32_t workers = 1;
  metrics::Registry* metrics = nullptr;  // null where nobody reads any
  KeptStates* states = nullptr;          // null where there are no reloads
  logging::Sinks* logs = nullptr;        // null where there is no daemon
  ThreadPool* pool = nullptr;  // for what blocks, while requests are served; null where nobody serves any
  // The text of the file at a path, or why it cannot be read. Not any file is: see config/file.h.
  std::expected<std::string, std::string> (*read_file)(const std::string& path) = read_no_file;
  std::string_view version = "0";   // Leat's
  bool scripted_upstreams = false;  // a test answers for them, and their names are not looked up

  static std::expected<std::string, std::string> read_no_file(const std::string& path);
};

struct MiddlewareKind;

// What an instance is made of. Good for the call of create().
struct BuildContext {
  const MiddlewareKind& kind;
  const Value& options;   // a table
  const Place& place;     // of the instance in its file
  std::string_view name;  // of the instance; may be empty
  bool optional;          // as MiddlewareSpec has it
  Diagnostics& diagnostics;
  const Surroundings& surroundings;

  // What the instance keeps over reloads; see kept_states.h. Its own where there are none. The next one has it by the same name
  // and options; by the same options, whatever its name; or by its kind alone.
  template <class T, class... Arguments>
  [[nodiscard]] std::shared_ptr<T> share(Arguments&&... arguments) const;
  template <class T, class... Arguments>
  [[nodiscard]] std::shared_ptr<T> share_by_options(Arguments&&... arguments) const;
  template <class T, class... Arguments>
  [[nodiscard]] std::shared_ptr<T> share_by_kind(Arguments&&... arguments) const;

 private:
  template <class T, class... Arguments>
  [[nodiscard]] std::shared_ptr<T> share_as(std::string_view called, const Value& by,
                                            Arguments&&... arguments) const;
};

struct MiddlewareKind {
  std::string_view name;
  Phase phase;
  std::string_view sentence;
  std::span<const schema::Row> options;
  // Reads the options; what it does not like goes to the diagnostics, and then the result may be null.
  std::unique_ptr<Middleware> (*create)(const BuildContext& context);
  const void* origin = nullptr;  // of whoever makes it: for create(), which knows what it is
};

template <class T, class... Arguments>
std::shared_ptr<T> BuildContext::share_as(std::string_view called, const Value& by,
                                          Arguments&&... arguments) const {
  if (surroundings.states == nullptr) return std::make_shared<T>(std::forward<Arguments>(arguments)...);
  return surroundings.states->share<T>(kind.name, called, by, std::forward<Arguments>(arguments)...);
}
template <class T, class... Arguments>
std::shared_ptr<T> BuildContext::share(Arguments&&... arguments) const {
  return share_as<T>(name, options, std::forward<Arguments>(arguments)...);
}
template <class T, class... Arguments>
std::shared_ptr<T> BuildContext::share_by_options(Arguments&&... arguments) const {
  return share_as<T>({}, options, std::forward<Arguments>(arguments)...);
}
template <class T, class... Arguments>
std::shared_ptr<T> BuildContext::share_by_kind(Arguments&&... arguments) const {
  return share_as<T>({}, Value(), std::forward<Arguments>(arguments)...);
}

// A kind that is made by `Make` from its own options struct, which its rows fill.
template <class Options, std::unique_ptr<Middleware> (*Make)(const Options&, const BuildContext&),
          const auto& Rows>
constexpr MiddlewareKind middleware_kind(std::string_view name, Phase phase, std::string_view sentence) {
  return {name, phase, sentence, Rows, [](const BuildContext& context) {
            return Make(schema::read<Options>(context.options, Rows, kOptionCodes, context.diagnostics),
                        context);
          }};
}

}  // namespace leat::pipeline
