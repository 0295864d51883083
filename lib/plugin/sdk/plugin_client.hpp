// Part of plugin.hpp: asking other servers.
//
//   explicit Shop(leat::Setup& setup) : users_(setup, "users", "http://127.0.0.1:9000") {}
//
//   leat::Task<leat::Reply> profile(leat::Path<uint64_t, "id"> id) {
//     const leat::Fetched user = co_await users_.get("/users/" + std::to_string(*id));
//     if (user.status() == 404) throw leat::Problem{404, "there is no such user"};
//     co_return leat::text(user.body());
//   }
//
// A fetch that is awaited no more (its task was destroyed) is cancelled.
#ifndef LEAT_PLUGIN_CLIENT_HPP
#define LEAT_PLUGIN_CLIENT_HPP

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "plugin.h"
#include "plugin_base.hpp"
#include "plugin_request.hpp"
#include "plugin_task.hpp"

namespace leat {
inline namespace [[gnu::visibility("hidden")]] v1 {

// What came of a fetch. Its texts are the request's: good until that ends.
class Fetched {
 public:
  // LEAT_OK, or why there is no answer; see leat_fetched.
  [[nodiscard]] int32_t error() const { return error_; }
  explicit operator bool() const { return error_ == LEAT_OK; }
  // For the log; empty where there is an answer.
  [[nodiscard]] std::string_view message() const { return seen_ == nullptr ? "" : to_view(seen_->message); }

  // Of the answer; without one, the Problem is thrown that tells the client: a 502, 503 or 504.
  [[nodiscard]] int status() const { return static_cast<int>(answer().status); }
  [[nodiscard]] std::string_view body() const { return to_view(answer().body); }
  // The first field of that name, any case.
  [[nodiscard]] std::optional<std::string_view> header(std::string_view name) const {
    for (uint32_t i = 0; i < answer().field_count; ++i)
      if (same_name(to_view(seen_->fields[i].name), name)) return to_view(seen_->fields[i].value);
    return std::nullopt;
  }

  [[nodiscard]] Problem problem() const {
    switch (error_) {
      case LEAT_E_TIMEOUT:
        return {504, "Another server did not answer in time."};
      case LEAT_E_BUSY:
        return {503, "Too many requests wait for another server."};
      case LEAT_E_MEMORY:
        return {503, "The server is out of memory for this request."};
      default:
        return {502, "Another server gave no usable answer."};
    }
  }

 private:
  friend class Upstream;
  Fetched(int32_t error, const leat_fetched* seen) : error_(error), seen_(seen) {}

  const leat_fetched& answer() const {
    if (error_ != LEAT_OK) throw problem();
    return *seen_;
  }
  static bool same_name(std::string_view a, std::string_view b) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; };
    if (a.size() != b.size()) return false;
    for (size_t i = 0; i < a.size(); ++i)
      if (lower(a[i]) != lower(b[i])) return false;
    return true;
  }

  int32_t error_;
  const leat_fetched* seen_;
};

// A request to an upstream, for those that are more than a GET.
struct Fetch {
  std::string_view method = "GET";
  std::string_view target = "/";  // path and query, percent-encoded
  std::initializer_list<leat_field> fields = {};
  std::string_view body = {};
  std::chrono::milliseconds timeout{0};  // 0: the upstream's
};

// A server that the plugin asks: a member of its class, made in its constructor.
class Upstream {
 public:
  enum class Protocol : uint32_t {
    Any = LEAT_UPSTREAM_ANY,
    Http1 = LEAT_UPSTREAM_HTTP1,
    Http2 = LEAT_UPSTREAM_HTTP2
  };
  // 0 anywhere: the default of leat_upstream_options.
  struct Options {
    uint32_t connections = 0;
    uint32_t waiting = 0;
    std::chrono::milliseconds connect_timeout{0};
    std::chrono::milliseconds timeout{0};
    std::chrono::milliseconds idle_timeout{0};
    uint64_t body_bytes = 0;
    Protocol protocol = Protocol::Any;
  };

  // At the URL that the configuration has under `key`, or else at `fallback`. A URL that is none, or whose
  // host has no address, is reported at its line, and the plugin is not loaded.
  Upstream(const Setup& setup, std::string_view key, std::string_view fallback)
      : Upstream(setup, key, fallback, Options()) {}
  Upstream(const Setup& setup, std::string_view key, std::string_view fallback, const Options& options) {
    const auto ms = [](std::chrono::milliseconds time) { return static_cast<uint32_t>(time.count()); };
    const leat_upstream_options wanted = {.struct_size = sizeof(leat_upstream_options),
                                          .connections = options.connections,
                                          .waiting = options.waiting,
                                          .connect_timeout_ms = ms(options.connect_timeout),
                                          .timeout_ms = ms(options.timeout),
                                          .idle_timeout_ms = ms(options.idle_timeout),
                                          .body_bytes = options.body_bytes,
                                          .protocol = static_cast<uint32_t>(options.protocol),
                                          .reserved = 0};
    setup.open_upstream(key, setup.text(key, fallback), wanted, &upstream_);
  }

  // To be awaited in a task of a request: comes to a Fetched.
  [[nodiscard]] auto fetch(const Fetch& what) const { return Fetching(upstream_, what); }
  // The texts must stay until then; a temporary in the expression of co_await does.
  [[nodiscard]] auto get(std::string_view target) const {
    return Fetching(upstream_, Fetch{.target = target});
  }
  [[nodiscard]] auto post(std::string_view target, std::string_view type, std::string_view body) const {
    return Fetching(upstream_, Fetch{.method = "POST", .target = target, .body = body}, type);
  }

 private:
  class [[nodiscard]] Fetching {
   public:
    Fetching(leat_upstream* upstream, const Fetch& what, std::string_view type = {})
        : upstream_(upstream), what_(what), type_{LEAT_STR("Content-Type"), to_str(type)} {}
    Fetching(const Fetching&) = delete;
    Fetching& operator=(const Fetching&) = delete;
    ~Fetching() {
      if (wait_ == nullptr) return;
      (void)detail::api.client->cancel(wait_->run->request(), seen_);
      wait_->run->release(wait_, sizeof(detail::Wait));
    }

    static bool await_ready() noexcept { return false; }
    bool await_suspend(std::coroutine_handle<> waiter) {
      detail::TaskRun& run = detail::TaskRun::current();
      run.keep();
      const bool typed = type_.value.ptr != nullptr;
      const leat_fetch wanted = {
          .struct_size = sizeof(leat_fetch),
          .field_count = typed ? 1u : static_cast<uint32_t>(what_.fields.size()),
          .method = to_str(what_.method),
          .target = to_str(what_.target),
          .fields = typed ? &type_ : what_.fields.begin(),
          .body = to_str(what_.body),
          .timeout_ms = static_cast<uint64_t>(what_.timeout.count() < 0 ? 0 : what_.timeout.count())};
      auto* wait = new (run.allocate(sizeof(detail::Wait))) detail::Wait{&run, waiter};
      error_ = detail::api.client->fetch(run.request(), upstream_, &wanted, detail::Wait::wake, wait, &seen_);
      if (error_ == LEAT_OK) {
        wait_ = wait;
        return true;
      }
      run.release(wait, sizeof(detail::Wait));
      if (error_ == LEAT_E_ARGUMENT) throw std::invalid_argument("a fetch that cannot be sent as HTTP");
      if (error_ != LEAT_E_BUSY) detail::throw_refusal(error_);
      return false;
    }
    Fetched await_resume() noexcept {
      wait_ = nullptr;
      return {error_ == LEAT_OK ? seen_->error : error_, seen_};
    }

   private:
    leat_upstream* upstream_;
    Fetch what_;
    leat_field type_;
    detail::Wait* wait_ = nullptr;
    const leat_fetched* seen_ = nullptr;
    int32_t error_ = LEAT_OK;
  };

  leat_upstream* upstream_ = nullptr;
};

}  // namespace v1
}  // namespace leat

#endif
