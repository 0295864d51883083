// Callee: whose code a callback runs: a handler of a plugin on one route, as seen by what calls it back.
//
// Private to the plugin host.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "http/exchange.h"
#include "plugin/instance.h"
#include "plugin/suspension.h"

namespace leat::plugin {

class Callee {
 public:
  // `title` is one that PluginLibrary::keep() keeps, and ends with `route_id`; that is empty for what is not
  // bound to one route.
  Callee(PluginInstance& instance, std::string_view route_id, const std::string& title)
      : instance_(instance), title_(title), route_id_size_(static_cast<uint32_t>(route_id.size())) {}
  Callee(const Callee&) = delete;
  Callee& operator=(const Callee&) = delete;

  [[nodiscard]] PluginInstance& instance() const { return instance_; }
  [[nodiscard]] std::string_view route_id() const {
    return std::string_view(title_).substr(title_.size() - route_id_size_);
  }
  [[nodiscard]] std::string_view blame() const { return instance_.blame(); }
  // For the log; lives as long as the SharedResources.
  [[nodiscard]] const std::string& title() const { return title_; }

  // What its callbacks on that worker get.
  [[nodiscard]] virtual leat_scope scope(uint32_t worker) const = 0;
  // Whether WebSockets may be its: it is bound to a route, which holds it for as long as they are open.
  [[nodiscard]] virtual bool accepts_sockets() const { return false; }
  // Runs a timer's or a completion's callback and does what its verdict asks for.
  virtual void resume(http::Exchange& exchange, leat_resume callback, void* argument) const = 0;
  // Calls back a completion whose request has ended.
  virtual void deliver_without_request(uint32_t worker, const Completion& completion) const = 0;

  // Logs what its code did wrong, a few times.
  void complain(std::string_view what, std::string_view detail = {}) const;
  // Logs what was thrown, in the block that catches it.
  void complain_of_exception(std::string_view when = {}) const;
  static constexpr std::string_view kAfterItsEnd = " for a completion whose request had ended";

 protected:
  ~Callee() = default;

 private:
  PluginInstance& instance_;
  const std::string& title_;
  const uint32_t route_id_size_;
};

}  // namespace leat::plugin
