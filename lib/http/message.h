// Request and Response: what middleware and handlers see of one exchange.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/arena.h"
#include "http/client_identity.h"
#include "http/head.h"
#include "http/trace_parent.h"

namespace leat::http {

// What is known of a user beside the name, as it was proved with it: a text as it is, all else as JSON.
struct Claim {
  std::string_view name;
  std::string_view value;
};

// A request, valid until its exchange has ended. All views point into the head, the arena or the body
// buffer and stay valid as long.
class Request {
 public:
  // Path parameters of one route; a template with more is refused at load.
  static constexpr size_t kMostParams = 16;

  [[nodiscard]] Method method() const { return head_->method; }
  [[nodiscard]] unsigned minor_version() const { return head_->minor_version; }
  [[nodiscard]] std::string_view target() const { return head_->view(head_->target); }
  // The raw path, percent-encoding kept; begins with '/', or is "*" for OPTIONS *.
  [[nodiscard]] std::string_view path() const { return head_->view(head_->path); }
  // The raw query without its '?'.
  [[nodiscard]] std::string_view query() const { return head_->view(head_->query); }
  [[nodiscard]] std::string_view host() const { return head_->view(head_->host); }
  [[nodiscard]] const Head& head() const { return *head_; }
  // Shows `head` from now on, which must stay as long as the exchange: one like the request's own but for
  // fields that say nothing about framing. For who stands before a handler.
  void show_head(const Head& head) {
    head_ = &head;
    known_ = false;
  }
  // The same for one that is made of nothing but the head shown before: where that was one for all requests that look
  // alike, this one is as well.
  void show_made_of_head(const Head& head) { head_ = &head; }
  // Whether what is shown depends on nothing but the known head that the request came with (known_heads.h).
  [[nodiscard]] bool shows_known() const { return known_; }

  // The head as its client asks with it: what is shown when set_asked() is called, before anybody changes it. For the pipeline.
  [[nodiscard]] const Head& asked_head() const { return *asked_; }
  void set_asked() { asked_ = head_; }

  // The first field of that name, or a view with a null data() when there is none.
  [[nodiscard]] std::string_view header(HeaderId id) const;
  [[nodiscard]] std::string_view header(std::string_view name) const;

  // Decoded path parameters, in the order of the route's template. Set by the router.
  [[nodiscard]] std::span<const std::string_view> params() const { return {params_.data(), param_count_}; }
  void set_params(std::span<const std::string_view> params);

  // The whole body, once a handler that does not stream is called.
  [[nodiscard]] std::string_view body() const { return body_; }
  // Shows another one, which must stay as long as the exchange. For who stands before a handler.
  void set_body(std::string_view body) { body_ = body; }
  // Trailer fields of a chunked body, complete with the last body event; slots index `trailer_bytes`.
  [[nodiscard]] std::span<const HeaderSlot> trailers() const { return trailers_; }
  [[nodiscard]] std::string_view trailer_view(Span span) const {
    return trailer_bytes_.substr(span.offset, span.size);
  }

  // Who is connected, and for whom that one asks, by what proxies that are trusted say (ClientIdentity).
  [[nodiscard]] std::string_view peer() const { return identity_->peer; }
  [[nodiscard]] std::string_view client() const { return identity_->client; }
  [[nodiscard]] std::string_view scheme() const { return identity_->scheme; }
  [[nodiscard]] bool client_in_doubt() const { return identity_->in_doubt; }
  [[nodiscard]] const ClientIdentity& identity() const { return *identity_; }
  // What the other end of the connection has proved to be (TLS); null: it has not.
  [[nodiscard]] const transport::PeerCertificate* certificate() const {
    return identity_->tls != nullptr ? identity_->tls->certificate : nullptr;
  }
  // It must stay as long as the exchange.
  void set_identity(const ClientIdentity& identity) { identity_ = &identity; }
  // Who asks, as middleware has had it proved (a key, a password, a token); empty where nobody has.
  [[nodiscard]] std::string_view user() const { return user_; }
  [[nodiscard]] std::span<const Claim> claims() const { return claims_; }
  // The value of the first of that name; a view with a null data() where there is none.
  [[nodiscard]] std::string_view claim(std::string_view name) const;
  // All of it must stay as long as the exchange.
  void set_user(std::string_view user, std::span<const Claim> claims = {}) {
    user_ = user;
    claims_ = claims;
  }
  // What it came with has been looked at to let it in, whether or not that says who asks: what it is answered may be for no other
  // (RFC 9111, section 3.5). Middleware says so that takes credentials away, or has somebody else judge them; a certificate
  // counts whether or not anybody asks for it.
  [[nodiscard]] bool had_credentials() const { return had_credentials_ || certificate() != nullptr; }
  void set_had_credentials() { had_credentials_ = true; }
  // Set by the request-id middleware, or when an error answer needs one, of token characters; may be empty.
  [[nodiscard]] std::string_view id() const { return id_; }
  void set_id(std::string_view id) { id_ = id; }
  // Set by the trace-context middleware; empty without it.
  [[nodiscard]] const TraceParent& trace() const { return trace_; }
  void set_trace(const TraceParent& trace) { trace_ = trace; }

 private:
  friend class Exchange;
  friend class StreamSide;
  void reset(const Head& head);

  static constexpr ClientIdentity kNobody{};

  const Head* head_ = nullptr;  // set for as long as the exchange is in use
  const Head* asked_ = nullptr;
  const ClientIdentity* identity_ = &kNobody;
  std::string_view body_, id_, user_;
  std::span<const Claim> claims_;
  TraceParent trace_;
  std::span<const HeaderSlot> trailers_;
  std::string_view trailer_bytes_;
  std::array<std::string_view, kMostParams> params_;
  size_t param_count_ = 0;
  bool known_ = false;
  bool had_credentials_ = false;
};

// Who a field of an answer is by. What is stored of an answer is the handler's.
enum class Origin : uint8_t {
  Handler,     // or a filter before the cache, which speaks for it
  Middleware,  // it belongs to the answer to this request
  Host         // likewise: what the server says itself
};

// Response head under construction. Framing fields (Content-Length, Transfer-Encoding, Connection), Date and
// Server belong to the writer; add() refuses them. Content-Type given as a field becomes content_type.
class Response {
 public:
  struct Field {
    std::string_view name;
    std::string_view value;
    Origin origin = Origin::Handler;
    // They lie in one run of bytes as they are sent: "Name: value" and CR LF.
    bool ready = false;
  };
  static constexpr size_t kMostFields = 64;

  uint16_t status = 200;
  // Kept apart from the fields since nearly every answer has one. Must outlive the exchange or lie in its
  // arena; empty for none.
  std::string_view content_type;

  // Appends a field. Name and value must outlive the exchange (a literal, a view into the request, arena
  // memory). False, and nothing added: not a token, a control character in the value, one of the writer's, or
  // kMostFields are there already.
  [[nodiscard]] bool add(std::string_view name, std::string_view value);
  // The same, copying both into `arena`; false also when it is full.
  [[nodiscard]] bool add_copy(Arena& arena, std::string_view name, std::string_view value);
  // Appends one that an add() took before, of this or another response. False: kMostFields are there already.
  [[nodiscard]] bool add_checked(std::string_view name, std::string_view value, Origin origin) {
    if (count_ == kMostFields) return false;
    fields_[count_++] = {name, value, origin};
    return true;
  }
  [[nodiscard]] bool add_checked(std::string_view name, std::string_view value) {
    return add_checked(name, value, author_);
  }
  // The same of one that lies ready: `line` is "Name: value" with CR LF, of which `name` bytes are the name. Lines
  // that lie behind each other and are added in that order are written in one copy.
  [[nodiscard]] bool add_ready(std::string_view line, size_t name) {
    if (count_ == kMostFields) return false;
    fields_[count_++] = {line.substr(0, name), line.substr(name + 2, line.size() - name - 4), author_, true};
    return true;
  }
  // Removes every field of that name and appends this one.
  [[nodiscard]] bool set(std::string_view name, std::string_view value);
  void remove(std::string_view name);
  // A view with a null data() when there is none.
  [[nodiscard]] std::string_view find(std::string_view name) const;
  [[nodiscard]] std::span<const Field> fields() const { return {fields_.data(), count_}; }
  // Whose fields are added from now on. For who calls handlers and middleware.
  void set_author(Origin author) { author_ = author; }
  [[nodiscard]] Origin author() const { return author_; }
  // Leaves those that are not the handler's.
  void remove_handlers();
  // Leaves what middleware says of any answer to this request: nothing about the content that another takes the place of.
  void keep_middleware();
  // How many fields it still takes.
  [[nodiscard]] size_t room() const { return kMostFields - count_; }
  // As good as new, but for its author.
  void reset();

 private:
  std::array<Field, kMostFields> fields_;
  size_t count_ = 0;
  Origin author_ = Origin::Handler;
};

}  // namespace leat::http
