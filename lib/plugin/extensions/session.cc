// leat.session/1: what plugins read and change of a client's session.
//
// It is the request's own UserSession, which `sessions` has put there; a handler on the pool has a copy of it
// (DetachedCall).
#include <fmt/core.h>

#include <expected>

#include "http/user_session.h"
#include "pipeline/site.h"
#include "plugin/call.h"
#include "plugin/extensions/extensions.h"
#include "plugin/load_time.h"

namespace leat::plugin {
namespace {

using http::UserSession;

int32_t need(const leat_route* route) {
  if (route == nullptr || route->needs_session == nullptr)
    return refuse("leat.session/1 need", "it is for bind()", LEAT_E_ARGUMENT);
  *route->needs_session = true;
  return LEAT_OK;
}

int32_t there(const leat_request* request) {
  const http::Exchange* exchange = exchange_of(request, "leat.session/1 there");
  return exchange != nullptr && exchange->states.find<UserSession>() != nullptr ? 1 : 0;
}

// The session of the request, from here on one that was used; or why there is none.
std::expected<UserSession*, int32_t> session_of(const leat_request* request, std::string_view function) {
  const http::Exchange* exchange = exchange_of(request, function);
  if (exchange == nullptr) return std::unexpected(LEAT_E_THREAD);
  auto* const session = exchange->states.find<UserSession>();
  if (session == nullptr) {
    const std::string_view route =
        exchange->route != nullptr ? std::string_view(exchange->route->id) : current_call.handler->route_id();
    return std::unexpected(
        refuse(function, fmt::format("no `sessions` is in front of route {}", route), LEAT_E_NOT_FOUND));
  }
  // Middleware in front of the cache is asked for each request, so that what is stored may well be for all.
  if (current_call.answering || !current_call.handler->route_id().empty()) session->mark_used();
  return session;
}

int32_t get(leat_request* request, leat_str name, leat_str* value) {
  constexpr std::string_view kFunction = "leat.session/1 get";
  if (value == nullptr || !is_text(name)) return refuse(kFunction, "an argument is NULL", LEAT_E_ARGUMENT);
  *value = {};
  const auto session = session_of(request, kFunction);
  if (!session) return session.error();
  const std::string_view found = (*session)->get(view(name));
  *value = to_str(found);
  return LEAT_OK;
}

template <class Make>
int32_t change(const leat_request* request, std::string_view function, Make make) {
  const auto session = session_of(request, function);
  if (!session) return session.error();
  if (is_over(*current_call.exchange)) return LEAT_E_STATE;
  switch (make(**session)) {
    case UserSession::Change::Done:
      return LEAT_OK;
    case UserSession::Change::Late:
      return refuse(function, "the answer has begun", LEAT_E_STATE);
    case UserSession::Change::TooMuch:
      return LEAT_E_ARGUMENT;
    case UserSession::Change::NoMemory:
      break;
  }
  return LEAT_E_MEMORY;
}

int32_t set(leat_request* request, leat_str name, leat_str value) {
  constexpr std::string_view kFunction = "leat.session/1 set";
  if (!is_text(name) || !is_text(value)) return refuse(kFunction, "an argument is NULL", LEAT_E_ARGUMENT);
  return change(request, kFunction,
                [&](UserSession& session) { return session.set(view(name), view(value)); });
}

int32_t remove(leat_request* request, leat_str name) {
  constexpr std::string_view kFunction = "leat.session/1 remove";
  if (!is_text(name)) return refuse(kFunction, "an argument is NULL", LEAT_E_ARGUMENT);
  return change(request, kFunction, [&](UserSession& session) { return session.remove(view(name)); });
}

int32_t clear(leat_request* request) {
  return change(request, "leat.session/1 clear", [](UserSession& session) { return session.clear(); });
}

int32_t renew(leat_request* request) {
  return change(request, "leat.session/1 renew", [](UserSession& session) { return session.renew(); });
}

}  // namespace

const leat_session_v1 kSessionExtension = {
    .struct_size = sizeof(leat_session_v1),
    .reserved = 0,
    .need = need,
    .there = there,
    .get = get,
    .set = set,
    .remove = remove,
    .clear = clear,
    .renew = renew,
};

}  // namespace leat::plugin
