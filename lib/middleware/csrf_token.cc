#include "middleware/csrf_token.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "base/base64.h"
#include "base/log.h"
#include "base/text.h"
#include "crypto/digest.h"
#include "http/user_session.h"
#include "middleware/room.h"
#include "middleware/sessions.h"
#include "pipeline/parameters.h"
#include "pipeline/site.h"

namespace leat::middleware {

namespace {

using http::UserSession;

constexpr size_t kTokenSize = encoded_size(Base64::Url, sizeof(crypto::Digest));
using Token = std::array<char, kTokenSize>;

// Nothing where memory is out.
std::optional<Token> token_under(std::string_view seed) {
  const auto digest = crypto::hmac_sha256(seed, {"leat csrf token 1"});
  if (!digest) return std::nullopt;
  Token token;
  encode_base64(Base64::Url, crypto::view(*digest), token.data());
  return token;
}

bool is_right(const http::Exchange& exchange, std::string_view given) {
  UserSession* const session = exchange.states.find<UserSession>();
  if (session == nullptr || session->empty()) return false;
  const auto token = token_under(session->seed());
  return token && crypto::equal_in_constant_time({token->data(), token->size()}, given);
}

bool has_type(std::string_view content_type, std::string_view type) {
  return equal_ignoring_case(essence_of(content_type), type);
}

// Its body is a form that is shown in one piece and as it is.
bool has_form(const http::Exchange& exchange) {
  const http::Request& request = exchange.request;
  return request.head().framing != http::Framing::None && exchange.route != nullptr &&
         !exchange.route->streams_body && request.header(http::HeaderId::ContentEncoding).data() == nullptr &&
         has_type(request.header(http::HeaderId::ContentType), "application/x-www-form-urlencoded");
}

// A null data(): memory is out.
std::string_view cookie_line(Arena& arena, std::string_view name, const Token& token, bool secure) {
  const std::string_view parts[] = {
      name, "=", {token.data(), token.size()}, "; Path=/; SameSite=Lax", secure ? "; Secure" : ""};
  size_t size = 0;
  for (const std::string_view part : parts) size += part.size();
  char* const line = arena.allocate_array<char>(size);
  if (line == nullptr) return {};
  char* at = line;
  for (const std::string_view part : parts) at = std::ranges::copy(part, at).out;
  return {line, size};
}

}  // namespace

CsrfToken::CsrfToken(CsrfTokenPlaces places)
    : places_(std::move(places)), prefixed_(!check_cookie_prefix(places_.cookie, false, "/").empty()) {}

CsrfToken::Outcome CsrfToken::check(const http::Exchange& exchange) const {
  const http::Head& head = exchange.request.head();
  std::string_view given;
  size_t count = 0;
  for (const http::HeaderSlot& slot : head.headers())
    if (equal_ignoring_case(head.view(slot.name), places_.header)) {
      given = head.view(slot.value);
      ++count;
    }
  if (count == 0 && !places_.field.empty() && has_form(exchange)) return Outcome::InForm;
  return count == 1 && is_right(exchange, given) ? Outcome::Good : Outcome::Wrong;
}

bool CsrfToken::check_form(http::Exchange& exchange, std::string_view body) const {
  const std::string_view given = pipeline::find_query(exchange.arena(), body, places_.field);
  return given.data() != nullptr && is_right(exchange, given);
}

void CsrfToken::give(http::Exchange& exchange, http::AnswerBody& body) const {
  http::Response& response = exchange.response;
  UserSession* const session = exchange.states.find<UserSession>();
  if (session == nullptr || exchange.internal()) return;
  // A 304 may be for a page that the client has, and not its token.
  const bool page = http::is_safe(exchange.request.method()) &&
                    (response.status == 304 || has_type(response.content_type, "text/html"));
  if (session->empty() && !page) return;
  const std::string_view seed = session->seed();
  const auto token = seed.empty() ? std::nullopt : token_under(seed);
  if (token && pipeline::find_cookie(exchange.request, places_.cookie) ==
                   std::string_view(token->data(), token->size()))
    return;
  make_room(exchange, body, 2, "csrf");
  const std::string_view line =
      token ? cookie_line(exchange.arena(), places_.cookie, *token, prefixed_ || session->rules().secure)
            : std::string_view();
  if (line.data() != nullptr && response.add("Set-Cookie", line) && response.add("Cache-Control", "private"))
    return;
  const std::string_view route =
      exchange.route != nullptr ? std::string_view(exchange.route->id) : std::string_view();
  log::limited(log::Level::Error, {"csrf", route},
               "csrf found no memory for a token: a 500 took the answer's place, on {} {}", route,
               exchange.request.id());
  exchange.fail_answer(body);
}

}  // namespace leat::middleware
