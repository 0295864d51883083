// Handlers that block, for routes with executor = "pool", and some that cannot run there.
#include <leat/plugin.hpp>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>

namespace {

using leat::Reply;

std::atomic<int> begun, ended, cancels_seen, failed_writes, counted, raw_ended;
std::atomic<bool> gate;

// In C, with a state that its on_done frees on the same thread.
int32_t raw(const leat_scope* scope, leat_request* request) noexcept {
  const auto& api = leat::detail::api;
  if (scope->worker_state != nullptr || scope->worker < scope->host->worker_count) return LEAT_ERROR;
  api.request->set_state(request, new std::thread::id(std::this_thread::get_id()));
  api.response->begin(request, -1);
  return api.response->end(request) == LEAT_OK ? LEAT_DONE : LEAT_ERROR;
}
void end_raw(const leat_scope*, leat_request* request) noexcept {
  auto* const thread = static_cast<std::thread::id*>(leat::detail::api.request->state(request));
  if (thread != nullptr && *thread == std::this_thread::get_id()) ++raw_ended;
  delete thread;
}

class Blocking : public leat::Plugin<Blocking> {
 public:
  explicit Blocking(leat::Setup& setup) : responses_(setup) {}

  struct Worker : leat::PerWorker {
    std::thread::id thread = std::this_thread::get_id();
  };

  // All that there is to see of a request.
  Reply show(leat::Request& request, leat::Path<std::string_view, "id"> id,
             leat::Query<std::optional<int>, "page"> page,
             leat::Cookie<std::optional<std::string_view>, "a"> cookie, leat::Response& response,
             leat::Json& json) {
    response.status(201).header("X-Made", "here").set("X-Before", "and after");
    return json.object("id", *id, "page", *page, "method", request.method(), "path", request.path(), "host",
                       request.host(), "peer", request.peer(), "echo",
                       request.header("X-Echo").value_or("none"), "cookie", *cookie, "body", request.body());
  }

  // Takes its time.
  Reply sleep(leat::Query<int, "ms"> ms) {
    ++begun;
    std::this_thread::sleep_for(std::chrono::milliseconds(*ms));
    ++ended;
    return leat::text("slept");
  }
  // Until the gate opens or its client leaves.
  Reply wait() {
    ++begun;
    while (!gate && !leat::cancelled()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    if (leat::cancelled()) ++cancels_seen;
    ++ended;
    return leat::text("through");
  }
  Reply open() {
    gate = true;
    return leat::no_content();
  }
  Reply close() {
    gate = false;
    return leat::no_content();
  }
  Reply counts(leat::Json& json) {
    return json.object("begun", begun.load(), "ended", ended.load(), "cancels_seen", cancels_seen.load(),
                       "failed_writes", failed_writes.load(), "raw_ended", raw_ended.load());
  }

  // `pieces` of `size` bytes each, with a length or without; `cut` ends it half-way.
  void pieces(leat::Response& response, leat::Query<int, "pieces"> pieces, leat::Query<int, "size"> size,
              leat::Query<bool, "length"> length, leat::Query<bool, "cut"> cut) {
    response.type("text/plain");
    if (*length)
      response.begin(static_cast<uint64_t>(*pieces) * static_cast<uint64_t>(*size));
    else
      response.begin();
    for (int i = 0; i < *pieces; ++i) {
      const std::string piece(static_cast<size_t>(*size), static_cast<char>('a' + i % 26));
      if (!response.write(piece)) {
        ++failed_writes;
        return;
      }
    }
    if (*cut) return response.abort();
    if (!*length) response.trailer("X-Pieces", std::to_string(*pieces));
    response.end();
  }
  Reply large(leat::Query<int, "size"> size) {
    return leat::text(std::string(static_cast<size_t>(*size), 'l'));
  }

  Reply throws() { throw std::runtime_error("on purpose"); }
  Reply missing() { return leat::next(); }
  Reply refused() { return leat::problem(409, "Not now."); }
  // What waits in another way than by blocking is refused.
  Reply later(leat::Request& request) {
    return request.after(std::chrono::milliseconds(1), [] { return leat::text("late"); });
  }
  Reply nothing() { return leat::no_content(); }
  // Begins at once, and goes on when the gate opens.
  void slow_begin(leat::Response& response) {
    response.begin();
    while (!gate && !leat::cancelled()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    (void)response.write("at last");
    response.end();
  }
  void gives_up(leat::Response& response) { response.abort(); }
  // How often it ran, for a cache in front of it.
  Reply count(leat::Request& request, leat::Query<std::optional<int>, "ms"> ms) {
    if (*ms) std::this_thread::sleep_for(std::chrono::milliseconds(**ms));
    leat::cache_tag(request, "count");
    leat::cache_wish(request, {.ttl = std::chrono::minutes(1)});
    return leat::text("run " + std::to_string(++counted));
  }
  Reply purge() {
    responses_.purge_tag("count");
    return leat::no_content();
  }

  // Not for the pool.
  leat::Task<Reply> task() { co_return leat::text("task"); }
  Reply per_worker(Worker& worker) {
    return leat::text(std::string(worker.thread == std::this_thread::get_id() ? "same" : "another"));
  }
  struct Stream {
    void on_request() {}
    void on_body(std::string_view) {}
    Reply on_body_end() { return leat::no_content(); }
  };

  static constexpr auto handlers() {
    return leat::list(handler<&Blocking::show>("show"), handler<&Blocking::sleep>("sleep"),
                      handler<&Blocking::wait>("wait"), handler<&Blocking::open>("open"),
                      handler<&Blocking::close>("close"), handler<&Blocking::counts>("counts"),
                      handler<&Blocking::pieces>("pieces"), handler<&Blocking::large>("large"),
                      handler<&Blocking::throws>("throws"), handler<&Blocking::missing>("missing"),
                      handler<&Blocking::refused>("refused"), handler<&Blocking::later>("later"),
                      handler<&Blocking::count>("count"), handler<&Blocking::nothing>("nothing"),
                      handler<&Blocking::slow_begin>("slow_begin"), handler<&Blocking::gives_up>("gives_up"),
                      leat_handler{.struct_size = sizeof(leat_handler),
                                   .flags = LEAT_HANDLER_ANY_THREAD,
                                   .name = LEAT_STR("raw"),
                                   .bind = nullptr,
                                   .unbind = nullptr,
                                   .handle = raw,
                                   .on_body = nullptr,
                                   .on_body_end = nullptr,
                                   .on_writable = nullptr,
                                   .on_cancel = nullptr,
                                   .on_done = end_raw},
                      handler<&Blocking::purge>("purge"), handler<&Blocking::task>("task"),
                      handler<&Blocking::per_worker>("per_worker"), stream<Stream>("stream"));
  }

 private:
  leat::Responses responses_;
};

}  // namespace

LEAT_PLUGIN(Blocking, "blocking", "1.0")
