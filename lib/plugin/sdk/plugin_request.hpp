// Part of plugin.hpp: what a handler is given. Request, Completer, and Setup for the plugin itself.
#ifndef LEAT_PLUGIN_REQUEST_HPP
#define LEAT_PLUGIN_REQUEST_HPP

#include <chrono>
#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "plugin.h"
#include "plugin_answer.hpp"
#include "plugin_fields.hpp"
#include "plugin_session.hpp"

namespace leat {
inline namespace [[gnu::visibility("hidden")]] v1 {

// The right to complete a suspended request, from any thread, once. One that is destroyed unused makes the
// request fail, rather than hang.
template <class T>
class Completer {
 public:
  Completer(const leat_host* host, leat_ticket ticket, leat_resume resume, void* callback)
      : host_(host), ticket_(ticket), resume_(resume), callback_(callback) {}
  Completer(Completer&& other) noexcept
      : host_(std::exchange(other.host_, nullptr)),
        ticket_(other.ticket_),
        resume_(other.resume_),
        callback_(other.callback_) {}
  Completer& operator=(Completer&& other) noexcept {
    if (this == &other) return *this;
    drop();
    host_ = std::exchange(other.host_, nullptr);
    ticket_ = other.ticket_;
    resume_ = other.resume_;
    callback_ = other.callback_;
    return *this;
  }
  ~Completer() { drop(); }

  // Has the callback called with `result` on the request's worker. False: the request has ended.
  bool complete(T result) { return deliver(std::move(result)); }

  struct Delivery {
    std::optional<T> result;  // none: the completer was dropped
    void* callback;
  };

 private:
  bool deliver(std::optional<T> result) {
    if (host_ == nullptr) return false;
    auto delivery = std::make_unique<Delivery>(Delivery{std::move(result), callback_});
    const leat_host* host = std::exchange(host_, nullptr);
    if (detail::api.async->complete(host, ticket_, resume_, delivery.get()) == 0) return false;
    delivery.release();  // the callback's now
    return true;
  }
  void drop() noexcept {
    try {
      deliver(std::nullopt);
    } catch (...) {  // no memory to say so: the request waits until its client leaves
    }
  }

  const leat_host* host_;
  leat_ticket ticket_;
  leat_resume resume_;
  void* callback_;
};

// The request. Good during the callback that it was given to; the texts are good until the request ends.
class Request {
 public:
  Request(leat_request* request, const leat_scope* scope) : request_(request), host_(scope->host) {}

  // For the C interface.
  [[nodiscard]] leat_request* raw() const { return request_; }

  [[nodiscard]] std::string_view method() const { return to_view(api().method(request_)); }
  [[nodiscard]] std::string_view path() const { return to_view(api().path(request_)); }
  [[nodiscard]] std::string_view query() const { return to_view(api().query(request_)); }
  [[nodiscard]] std::string_view host() const { return to_view(api().host(request_)); }
  // Who is connected, and for whom it asks by what trusted proxies say; see leat.request/1. A daemon that is too old
  // to know of proxies takes the peer for the client.
  [[nodiscard]] std::string_view peer() const { return to_view(api().peer(request_)); }
  [[nodiscard]] std::string_view client() const {
    return LEAT_HAS(&api(), leat_request_v1, client) ? to_view(api().client(request_)) : peer();
  }
  [[nodiscard]] std::string_view scheme() const {
    return LEAT_HAS(&api(), leat_request_v1, scheme) ? to_view(api().scheme(request_)) : "http";
  }
  [[nodiscard]] bool client_in_doubt() const {
    return LEAT_HAS(&api(), leat_request_v1, client_in_doubt) && api().client_in_doubt(request_) != 0;
  }
  // Who asks, as middleware has had it proved; empty where none has. Of that user beside the name: a claim of its token.
  [[nodiscard]] std::string_view user() const {
    return LEAT_HAS(&api(), leat_request_v1, user) ? to_view(api().user(request_)) : "";
  }
  [[nodiscard]] std::optional<std::string_view> claim(std::string_view name) const {
    if (!LEAT_HAS(&api(), leat_request_v1, claim)) return std::nullopt;
    const leat_str value = api().claim(request_, to_str(name));
    return value.ptr == nullptr ? std::nullopt : std::optional(to_view(value));
  }
  // What is known of the TLS connection: "version", "cipher", and of the certificate that its other end has shown "subject",
  // "cn", "names" and "sha256"; see leat.request/1. None without TLS, or without a certificate.
  [[nodiscard]] std::optional<std::string_view> tls(std::string_view name) const {
    if (!LEAT_HAS(&api(), leat_request_v1, tls)) return std::nullopt;
    const leat_str value = api().tls(request_, to_str(name));
    return value.ptr == nullptr ? std::nullopt : std::optional(to_view(value));
  }
  [[nodiscard]] std::string_view id() const { return to_view(api().id(request_)); }
  [[nodiscard]] std::string_view route() const { return to_view(api().route_id(request_)); }
  [[nodiscard]] std::string_view body() const { return to_view(api().body(request_)); }
  // As declared; none if the client did not (chunked).
  [[nodiscard]] std::optional<uint64_t> content_length() const {
    const int64_t length = api().content_length(request_);
    return length < 0 ? std::nullopt : std::optional<uint64_t>(length);
  }
  [[nodiscard]] std::optional<std::string_view> header(std::string_view name) const {
    const leat_str value = api().header(request_, to_str(name));
    return value.ptr == nullptr ? std::nullopt : std::optional(to_view(value));
  }

  // All header fields, in the order received, repeated ones apart; those after a chunked body, from
  // on_body_end on.
  [[nodiscard]] HeaderFields headers() const { return HeaderFields({request_, api().header_at}); }
  [[nodiscard]] HeaderFields trailers() const {
    return HeaderFields({request_, detail::api.body->trailer_at});
  }
  [[nodiscard]] CookieFields cookies() const {
    return CookieFields(detail::CookieSteps({request_, api().header_at}));
  }
  // The pairs of the query, of which names may come several times: queries().values("tag").
  [[nodiscard]] FormFields queries() const { return FormFields({request_, query(), "query parameter"}); }
  // Those of a body that is application/x-www-form-urlencoded; else the Problem is thrown that says so, a 415.
  // For multipart/form-data there is plugin_multipart.hpp.
  [[nodiscard]] FormFields form() const {
    if (!detail::is_media_type(header("Content-Type").value_or(""), "application/x-www-form-urlencoded"))
      throw Problem{415, "The body must be application/x-www-form-urlencoded."};
    return FormFields({request_, body(), "form field"});
  }

  // Until the daemon gives the request up, unless its answer has begun, with a 504: zero when that is due,
  // none for never.
  [[nodiscard]] std::optional<std::chrono::nanoseconds> time_left() const {
    const uint64_t deadline_ns = api().deadline_ns(request_);
    if (deadline_ns == UINT64_MAX) return std::nullopt;
    const uint64_t now_ns = detail::api.timer->now_ns(request_);
    return std::chrono::nanoseconds(deadline_ns > now_ns ? deadline_ns - now_ns : 0);
  }

  // What is known of whoever asks, from one request to the next; there may be none, which it says.
  [[nodiscard]] Session session() const { return Session(request_); }

  // The flow of a streamed body.
  void pause_body() { detail::api.body->pause(request_); }
  void resume_body() { detail::api.body->resume(request_); }
  void limit_body(uint64_t bytes) { detail::api.body->set_limit(request_, bytes); }

  // A T that lives as long as the request. It is never destroyed, so it must not need to be.
  template <class T, class... Args>
    requires(std::is_trivially_destructible_v<T> && alignof(T) <= 16)
  T& make(Args&&... args) {
    void* memory = detail::api.arena->alloc(request_, sizeof(T), alignof(T));
    if (memory == nullptr) throw detail::OutOfMemory();
    return *new (memory) T(std::forward<Args>(args)...);
  }

  // Calls `callback` after `delay`, unless the request has ended by then: return what this returns. The
  // callback has a handler's parameters (but for Path, Query and the like) and its result. It is kept in the
  // request's memory: it may capture numbers, pointers and parameters, not what needs a destructor.
  template <class Callback>
  Reply after(std::chrono::milliseconds delay, Callback callback);

  // Suspends the request until the completer is used: hand that to another thread and return pending().
  // `callback` gets the result first, then a handler's parameters as for after().
  template <class T, class Callback>
  [[nodiscard]] Completer<T> suspend(Callback callback);

  [[nodiscard]] Log log() const { return Log(host_); }
  [[nodiscard]] leat_request* handle() const { return request_; }

 private:
  static const leat_request_v1& api() { return *detail::api.request; }
  leat_request* request_;
  const leat_host* host_;
};

// What a plugin is given when it is created: its configuration. A value that is missing has its default; one
// that does not fit is reported at its line, and the plugin is not loaded.
class Setup {
 public:
  Setup(const leat_host* host, const leat_config* config, leat_error* error)
      : host_(host), config_(config), error_(error) {}

  int64_t integer(std::string_view key, int64_t fallback, Range<int64_t> range) const {
    int64_t value = fallback;
    api().integer(config_, to_str(key), fallback, range.least, range.most, &value);
    return value;
  }
  double real(std::string_view key, double fallback, Range<double> range) const {
    double value = fallback;
    api().real(config_, to_str(key), fallback, range.least, range.most, &value);
    return value;
  }
  bool boolean(std::string_view key, bool fallback) const {
    int32_t value = fallback ? 1 : 0;
    api().boolean(config_, to_str(key), value, &value);
    return value != 0;
  }
  std::string text(std::string_view key, std::string_view fallback) const {
    leat_str value{};
    api().string(config_, to_str(key), to_str(fallback), &value);
    return std::string(to_view(value));
  }
  [[nodiscard]] bool has(std::string_view key) const { return api().has(config_, to_str(key)) != 0; }
  // Calls `read(Setup)` with the table under `key`, if there is one.
  template <class Read>
  void table(std::string_view key, Read&& read) const {
    if (const leat_config* inner = api().table(config_, to_str(key))) read(Setup(host_, inner, error_));
  }
  // Lists: all items are of one type, and within the range. An absent one is `fallback`, and so is one of
  // which anything was reported.
  std::vector<std::string> texts(std::string_view key, std::vector<std::string> fallback = {}) const {
    return items(key, std::move(fallback), [&](uint32_t index, std::string& item) {
      leat_str text{};
      const int32_t found = api().string_at(config_, to_str(key), index, &text);
      if (found == LEAT_OK) item = to_view(text);
      return found;
    });
  }
  std::vector<int64_t> integers(std::string_view key, std::vector<int64_t> fallback,
                                Range<int64_t> range) const {
    return items(key, std::move(fallback), [&](uint32_t index, int64_t& item) {
      return api().integer_at(config_, to_str(key), index, range.least, range.most, &item);
    });
  }
  std::vector<double> reals(std::string_view key, std::vector<double> fallback, Range<double> range) const {
    return items(key, std::move(fallback), [&](uint32_t index, double& item) {
      return api().real_at(config_, to_str(key), index, range.least, range.most, &item);
    });
  }
  std::vector<bool> booleans(std::string_view key, std::vector<bool> fallback = {}) const {
    return items(key, std::move(fallback), [&](uint32_t index, bool& item) {
      int32_t truth = 0;
      const int32_t found = api().boolean_at(config_, to_str(key), index, &truth);
      item = truth != 0;
      return found;
    });
  }
  // Calls `read(Setup)` with each table of the array under `key`, [[plugin.config.KEY]].
  template <class Read>
  void tables(std::string_view key, Read&& read) const {
    const uint32_t count = api().count(config_, to_str(key));
    for (uint32_t i = 0; i < count; ++i)
      if (const leat_config* inner = api().table_at(config_, to_str(key), i))
        read(Setup(host_, inner, error_));
  }
  // Says what is wrong with the value of `key`; the plugin is not loaded.
  void fail(std::string_view key, std::string_view message) const {
    host_->fail(error_, to_str(key), to_str(message));
  }

  // For Upstream's constructor.
  void open_upstream(std::string_view key, std::string_view url, const leat_upstream_options& options,
                     leat_upstream** upstream) const {
    (void)detail::api.client->open(host_, to_str(url), &options, to_str(key), error_, upstream);
  }

  // For the constructors of metrics.
  [[nodiscard]] leat_metric* declare_metric(const leat_metric_options& options) const {
    leat_metric* metric = nullptr;
    (void)detail::api.metrics->declare(host_, &options, {}, error_, &metric);
    return metric;
  }

  // For the C interface; lives as long as the plugin's object.
  [[nodiscard]] const leat_host* host() const { return host_; }

  // For Service's constructor.
  [[nodiscard]] const leat_service_use* find_service(leat_str name) const {
    return detail::api.services->find(host_, name);
  }

  [[nodiscard]] uint32_t worker_count() const { return host_->worker_count; }
  [[nodiscard]] Log log() const { return Log(host_); }

 private:
  static const leat_config_v1& api() { return *detail::api.config; }

  template <class T, class Read>
  std::vector<T> items(std::string_view key, std::vector<T> fallback, Read&& read) const {
    if (!LEAT_HAS(detail::api.config, leat_config_v1, boolean_at)) {
      if (has(key)) fail(key, "this daemon is too old for lists");
      return fallback;
    }
    if (!has(key)) return fallback;
    std::vector<T> all;
    bool right = true;
    const uint32_t count = api().count(config_, to_str(key));
    for (uint32_t i = 0; i < count; ++i) {
      T item{};
      right = read(i, item) == LEAT_OK && right;
      all.push_back(std::move(item));
    }
    return right ? all : fallback;
  }

  const leat_host* host_;
  const leat_config* config_;
  leat_error* error_;
};

// Base of a plugin's per-worker class, if it has one: `struct Worker : leat::PerWorker`, constructed on each
// worker's own thread.
struct PerWorker {};

}  // namespace v1
}  // namespace leat

#endif
