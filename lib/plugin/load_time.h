// What plugins hold while the configuration is loaded: the opaque types behind leat_error, leat_route and
// leat_config, and the guard around load-time callbacks.
//
// Private to the plugin host. Thread: whichever loads (main; for worker_init the worker's), and only during
// the callback.
#pragma once

#include <fmt/core.h>

#include <deque>
#include <exception>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "base/value.h"
#include "plugin/asked_options.h"
#include "plugin/route_info.h"
#include "plugin/sdk/plugin.h"

namespace leat::plugin {

struct Failure {
  std::string key;  // dotted; empty for none
  std::string message;
};

}  // namespace leat::plugin

// What a callback says is wrong, in the order said.
struct leat_error {
  std::vector<leat::plugin::Failure> failures;

  [[nodiscard]] std::string text() const {
    std::string all;
    for (const auto& failure : failures) {
      if (!all.empty()) all += "; ";
      if (!failure.key.empty()) all += failure.key + ": ";
      all += failure.message;
    }
    return all.empty() ? "it gave no reason" : all;
  }
};

struct leat_route {
  // The number of a parameter that is declared; -1 for none.
  [[nodiscard]] int32_t find(leat::pipeline::In in, std::string_view name) const {
    if (parameters == nullptr) return -1;
    for (size_t i = 0; i < parameters->size(); ++i)
      if ((*parameters)[i].in == in && (*parameters)[i].name == name) return static_cast<int32_t>(i);
    return -1;
  }

  const leat::plugin::RouteInfo& info;
  // Those of the configuration, and what bind() adds.
  std::vector<leat::pipeline::ParameterSpec>* parameters = nullptr;
  leat::pipeline::BodySchemas* schemas = nullptr;
  bool* needs_session = nullptr;  // set where the handler cannot do without one
};

// One table of an instance's options. It remembers which keys were asked for: the others are mistakes of the
// operator's, and the asked-for ones are what can be suggested instead.
struct leat_config {
  // `notes` (may be null) learns what is asked for.
  leat_config(const leat::Value& table, leat::Diagnostics& found, leat::plugin::AskedTable* notes)
      : value(table), diagnostics(found), asked(notes) {}

  // The value under `key`, or nullptr; either way the key is known from now on.
  const leat::Value* read(std::string_view key) const;
  const leat_config* child(const leat::Value& table, leat::plugin::AskedTable* notes) const;
  // What is noted of the option; null where nobody wants to know.
  leat::plugin::AskedOption* note(std::string_view key) const {
    return asked == nullptr ? nullptr : &asked->at(key);
  }
  // Reports the keys that were never asked for, here and in the tables below.
  void report_unknown() const;

  const leat::Value& value;
  leat::Diagnostics& diagnostics;
  leat::plugin::AskedTable* asked;
  mutable std::vector<std::string> known;  // C hands out const tables, reading is not a change to its user
  mutable std::deque<leat_config> children;
};

namespace leat::plugin {

// What create() of an instance, or of a middleware, says is wrong, each at the place of its key in `config`;
// and that it failed without a reason, at `place`.
void report_failures(const leat_error& error, int32_t answer, std::string_view who, const Value& config,
                     const Place& place, Diagnostics& found);

// Calls a load-time callback; what it throws is added to `error` and is a LEAT_E_STATE.
template <class Callback>
int32_t guarded(leat_error& error, Callback&& callback) {
  try {
    return callback();
  } catch (const std::exception& thrown) {
    error.failures.push_back({"", fmt::format("threw an exception: {}", thrown.what())});
  } catch (...) {
    error.failures.push_back({"", "threw something that is not a std::exception"});
  }
  return LEAT_E_STATE;
}

}  // namespace leat::plugin
