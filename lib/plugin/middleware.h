// PluginMiddleware: one instance of a kind of middleware that a plugin has, as the pipeline sees it.
//
// Like PluginHandler it judges what the plugin says: an exception, a promise that nothing will keep, what is
// no verdict all become a 500 or a cut answer, with a line in the log that names the plugin and the kind.
//
// What it keeps for a request is a RequestState of its own. While one of its callbacks runs, and for as long
// as it has the request (pending, or answering), that is exchange.handler_state, so that the extensions
// serve it as they serve a handler.
//
// Private to the plugin host, but for plugin_kinds().
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/middleware.h"
#include "pipeline/middleware_kind.h"
#include "plugin/call.h"
#include "plugin/callee.h"
#include "plugin/library.h"

namespace leat::plugin {

class PluginMiddleware final : public pipeline::Middleware, public Callee {
 public:
  // `made` is from the kind's create(), or null. `kind` must outlive the instance.
  PluginMiddleware(PluginInstance& instance, const DeclaredKind& kind, void* made);
  ~PluginMiddleware() override;

  [[nodiscard]] uint8_t hooks() const override;
  [[nodiscard]] pipeline::Verdict on_request(http::Exchange& exchange) override;
  [[nodiscard]] pipeline::Verdict on_body(http::Exchange& exchange, std::string_view& piece,
                                          bool last) override;
  void on_writable(http::Exchange& exchange) override;
  void on_cancel(http::Exchange& exchange) override;
  [[nodiscard]] Wants on_answer(http::Exchange& exchange, http::AnswerBody& body) override;
  void on_piece(http::Exchange& exchange, std::string_view piece, http::Onward& onward) override;
  void on_end(http::Exchange& exchange, http::Onward& onward) override;
  void on_done(http::Exchange& exchange) override;
  [[nodiscard]] std::string_view blame() const override { return instance().blame(); }

  void resume(http::Exchange& exchange, leat_resume callback, void* argument) const override;
  void deliver_without_request(uint32_t worker, const Completion& completion) const override;

 private:
  // What it keeps for a request that it has seen.
  struct Kept {
    RequestState state;
    bool watches = false;  // the answer's body, without changing it
  };
  // What a callback may do besides reading.
  enum class Stage : uint8_t {
    Request,  // answer, or wait
    Answer,   // change the head that is on its way, and give bytes where it may
    Ending    // nothing
  };

  [[nodiscard]] Kept* find(const http::Exchange& exchange) const;
  [[nodiscard]] Kept* keep(http::Exchange& exchange) const;
  [[nodiscard]] leat_scope scope(uint32_t worker) const override;
  template <class Callback>
  int32_t call(http::Exchange& exchange, Kept* kept, Stage stage, Callback&& callback,
               http::Onward* onward = nullptr) const;
  // Judges what was said of a request, and lets go of it, or keeps it.
  [[nodiscard]] pipeline::Verdict judge(http::Exchange& exchange, Kept& kept, int32_t verdict) const;
  [[nodiscard]] pipeline::Verdict judge_error(http::Exchange& exchange) const;
  void give_up(http::Exchange& exchange, Kept& kept) const;
  [[nodiscard]] Wants replace(http::Exchange& exchange, http::AnswerBody& body) const;
  void check_piece(http::Exchange& exchange, int32_t verdict) const;
  // `detail` differs from request to request: it does not make another cause of the line.
  void complain(const http::Exchange& exchange, std::string_view what, std::string_view detail = {}) const;

  const leat_middleware& kind_;
  void* made_;
};

// The kinds of a site: those that Leat has, and those of plugins, as "PLUGIN:NAME". They must outlive it.
class Kinds {
 public:
  // Runs `make`, code of that plugin, for whoever blames crashes.
  using Guard = void (*)(const std::string& plugin, const std::function<void()>& make);

  explicit Kinds(std::span<const pipeline::MiddlewareKind> own, Guard guard = nullptr)
      : all_(own.begin(), own.end()), guard_(guard) {}

  // Those of an instance, which must outlive the site.
  void add(PluginInstance& instance);
  [[nodiscard]] bool has(std::string_view name) const;
  // One that was named and can't be had: `make` makes what stands for it.
  void add_absent(std::string name,
                  std::unique_ptr<pipeline::Middleware> (*make)(const pipeline::BuildContext& context));
  [[nodiscard]] std::span<const pipeline::MiddlewareKind> all() const { return all_; }

 private:
  struct Source {
    PluginInstance* instance;
    const DeclaredKind* kind;
    std::string name;
    Guard guard;
  };
  static std::unique_ptr<pipeline::Middleware> create(const pipeline::BuildContext& context);

  std::vector<pipeline::MiddlewareKind> all_;
  Guard guard_;
  std::deque<Source> sources_;  // which stay where they are
};

}  // namespace leat::plugin
