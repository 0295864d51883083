#include "pipeline/pipeline.h"

#include <algorithm>
#include <atomic>
#include <functional>
#include <span>
#include <utility>

#include "base/log.h"
#include "base/quick_clock.h"
#include "http/problem.h"

namespace leat::pipeline {

namespace {

// Exchange::chain_position while a request is under way: how far its chain was run forward, and above that
// whether it was run to its end; whether handle() was called, after which on_cancel and on_done are owed; that
// the step which it has reached has suspended it, and that its body came to its end meanwhile; that its protocol has
// ended it.
constexpr uint32_t kHandled = 1U << 31;
constexpr uint32_t kForwarded = 1U << 30;
constexpr uint32_t kSuspended = 1U << 29;
constexpr uint32_t kBodyEnded = 1U << 28;
constexpr uint32_t kCancelled = 1U << 27;
constexpr uint32_t kPosition = kCancelled - 1;

bool was_handled(const http::Exchange& exchange) { return (exchange.chain_position & kHandled) != 0; }
// The request is the handler's: no middleware has answered it.
bool was_forwarded(const http::Exchange& exchange) { return (exchange.chain_position & kForwarded) != 0; }
// A middleware has suspended it.
bool waits_in_chain(const http::Exchange& exchange) { return (exchange.chain_position & kSuspended) != 0; }
uint32_t position_of(const http::Exchange& exchange) { return exchange.chain_position & kPosition; }

// The step whose middleware has the request: it is suspended there, or that has answered it. Null where there
// is none.
const Step* holder_of(const http::Exchange& exchange) {
  const uint32_t position = position_of(exchange);
  const bool held = exchange.route != nullptr && !was_forwarded(exchange) && position != 0;
  return held ? &exchange.route->chain->steps[position - 1] : nullptr;
}

std::string_view blame_of(const Step& step) {
  if (step.instance == nullptr) return step.kind->name;
  const std::string_view said = step.instance->blame();
  return said.empty() ? step.kind->name : said;
}

// `body_follows`: the handler streams, and may answer once it has seen the body.
void call_handler(http::Exchange& exchange, Handler& handler, bool body_follows) {
  exchange.chain_position |= kHandled;
  if (exchange.route->chain->moments) exchange.handler_ns = quick_ns();
  const Verdict verdict = handler.handle(exchange);
  if (verdict != Verdict::Done || !body_follows) apply_verdict(exchange, handler, verdict);
}

void fail(http::Exchange& exchange, std::string_view blame, std::string_view what) {
  const std::string_view id = exchange.request.id();
  const std::string_view route = exchange.route != nullptr ? std::string_view(exchange.route->id) : "";
  log::limited(log::Level::Error, {blame, what, route}, "{} {} {}{}{}", blame, what, route,
               id.empty() ? "" : " ", id);
  if (exchange.started()) {
    exchange.abort();
  } else {
    exchange.send_problem(500, "The server failed to answer this request.");
  }
}

}  // namespace

void apply_verdict(http::Exchange& exchange, const Handler& handler, Verdict verdict) {
  switch (verdict) {
    case Verdict::Done:
      if (!exchange.started() && !exchange.suspended() && !exchange.cancelled())
        fail(exchange, handler.blame(), "ended without an answer on");
      break;
    case Verdict::Pending:
      if (!exchange.started() && !exchange.suspended() && !exchange.cancelled())
        fail(exchange, handler.blame(), "left a request pending without suspending it on");
      break;
    case Verdict::Next:
      if (!exchange.started()) exchange.send_problem(404, "Nothing was found here.");
      break;
    case Verdict::Error:
      fail(exchange, handler.blame(), "failed on");
      break;
  }
}

namespace {

// What a middleware says of a request, which has come to its step. True: on to the next.
bool passes(http::Exchange& exchange, const Step& step, Verdict verdict) {
  if (verdict == Verdict::Next) return true;
  const bool begun = exchange.started() || exchange.cancelled();
  switch (verdict) {
    case Verdict::Done:
      if (!begun) fail(exchange, blame_of(step), "ended without an answer on");
      break;
    case Verdict::Pending:
      if (exchange.suspended()) {
        exchange.chain_position |= kSuspended;
      } else if (!begun) {
        fail(exchange, blame_of(step), "left a request pending without suspending it on");
      }
      break;
    default:
      fail(exchange, blame_of(step), "failed on");
  }
  return false;
}

// Runs the chain's request hooks from where it has come to. False when one has answered, failed to, or
// suspended the request.
bool run_forward(http::Exchange& exchange, const Route& route) {
  if (!route.chain->on_request.empty()) {
    const uint32_t reached = position_of(exchange);
    exchange.response.set_author(http::Origin::Middleware);
    for (const Chain::Hook& hook : route.chain->on_request) {
      if (hook.position <= reached || (hook.for_clients && exchange.internal())) continue;
      exchange.chain_position = (exchange.chain_position & ~kPosition) | hook.position;
      if (!passes(exchange, route.chain->steps[hook.position - 1], hook.instance->on_request(exchange)))
        return false;
    }
    exchange.response.set_author(http::Origin::Handler);
  }
  exchange.chain_position =
      (exchange.chain_position & ~kPosition) | kForwarded | static_cast<uint32_t>(route.chain->steps.size());
  return true;
}

// Shows a piece of the request's body to those who asked for it, from the one at that place on, and gives `sink` what they
// make of it; each may make several of one. False: one of them has answered, or failed to, or `sink` says that it is
// enough.
template <class Sink>
bool show_piece(http::Exchange& exchange, size_t at, std::string_view piece, bool last, Sink& sink) {
  const Route& route = *exchange.route;
  if (at == route.chain->on_body.size()) {
    exchange.response.set_author(http::Origin::Handler);
    return sink(piece);
  }
  Middleware& instance = *route.chain->on_body[at].instance;
  for (bool more = true; more; piece = {}) {
    if (exchange.body_kept()) return true;  // one behind this one has more, and the handler pauses
    std::string_view shown = piece;
    exchange.response.set_author(http::Origin::Middleware);
    const Verdict verdict = instance.on_body(exchange, shown, last);
    if (verdict != Verdict::Next) {
      if (verdict != Verdict::Done || !exchange.started())
        fail(exchange, blame_of(*std::ranges::find(route.chain->steps, &instance, &Step::instance)),
             "failed on");
      return false;
    }
    more = instance.has_more(exchange);
    if (!show_piece(exchange, at + 1, shown, last && !more, sink)) return false;
    if (more && !last && exchange.body_stopped()) {
      exchange.set_body_kept(true);
      return true;
    }
  }
  return true;
}

// Gives the handler a piece of a body that it streams. False: it has answered.
bool give_piece(http::Exchange& exchange, std::string_view piece) {
  Handler& handler = *exchange.route->handler;
  const Verdict verdict = handler.on_body(exchange, piece);
  if (verdict != Verdict::Done) apply_verdict(exchange, handler, verdict);
  return !exchange.finished();
}

// Answers in place of a route.
void answer_unmatched(http::Exchange& exchange, const FoundRoute& found) {
  // There is room: a response takes 64 fields, and only middleware has had a chance to add some.
  if (!found.match.allow.empty()) (void)exchange.response.add("Allow", found.match.allow);
  if (found.moved.data() != nullptr) {
    // A path's bytes are as they were sent, and a request line has none that a field cannot have.
    (void)exchange.response.add("Location", found.moved);
    exchange.response.status = 308;
    exchange.send({});
    return;
  }
  switch (found.match.kind) {
    case Router::Match::Kind::Options:
      exchange.response.status = 204;
      exchange.send({});
      break;
    case Router::Match::Kind::MethodNotAllowed:
      exchange.send_problem(405, "This resource does not take that method; see Allow.");
      break;
    case Router::Match::Kind::BadPath:
      exchange.send_problem(400, "The path has a malformed percent-encoding.");
      break;
    case Router::Match::Kind::NoMemory:
      http::send_out_of_memory(exchange);
      break;
    case Router::Match::Kind::WrongType:
      exchange.send_problem(415, "This resource does not take content of that type.");
      break;
    case Router::Match::Kind::Circle:
      log::limited(log::Level::Error, {found.match.route->id},
                   "more than {} rewrites follow each other, the last is that of {}", kMostRewrites,
                   found.match.route->id);
      exchange.send_problem(500, "The server failed to answer this request.");
      break;
    default:
      exchange.send_problem(404, "No route leads here.");
  }
}

}  // namespace

Pipeline::Pipeline(const Site& site, Owner* owner, RequestCounts::Lane* counts)
    : owner_(owner), counts_(counts) {
  uses_.push_back({.site = &site});
}

uint64_t Pipeline::next_epoch() {
  static std::atomic<uint64_t> last = 0;
  return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

// Not with parameters that had to be decoded: those lie in the arena of one request.
void Pipeline::remember_route(http::KnownHead& known, const Router::Match& match) const {
  const std::span params(match.params, match.param_count);
  const std::less_equal<> before;
  const auto is_in_head = [&](std::string_view param) {
    return before(known.bytes, param.data()) &&
           before(param.data() + param.size(), known.bytes + known.head.size);
  };
  if (params.size() > known.params.size() || !std::ranges::all_of(params, is_in_head)) return;
  std::ranges::copy(params, known.params.begin());
  known.param_count = static_cast<uint32_t>(params.size());
  known.route = match.route;
  known.route_epoch = epoch_;
}

http::Service::BodyMode Pipeline::on_request(http::Exchange& exchange) {
  exchange.request.set_asked();
  // A head that comes again leads to the same route again, so that is remembered with it: not where another is shown in its
  // place, as to whom a proxy names a host.
  http::KnownHead* const known = exchange.request.shows_known() ? exchange.known_head() : nullptr;
  if (known != nullptr && known->route_epoch == epoch_)
    return begin(exchange, *known->route, {known->params.data(), known->param_count});
  const FoundRoute found = find_route(site(), exchange.request, exchange.listener(), exchange.arena());
  const Router::Match& match = found.match;
  if (match.kind != Router::Match::Kind::Found || found.moved.data() != nullptr) {
    const Route& route = found.host->unmatched;
    start(exchange, route);
    if (run_forward(exchange, route)) answer_unmatched(exchange, found);
    return BodyMode::Discard;
  }
  if (!held_.empty() && match.route->is_of(held_)) {
    exchange.hold();
    return BodyMode::Discard;
  }
  if (known != nullptr && !found.by_connection && !found.rewritten) remember_route(*known, match);
  return begin(exchange, *match.route, {match.params, match.param_count});
}

void Pipeline::start(http::Exchange& exchange, const Route& route) {
  exchange.route = &route;
  exchange.set_filters(route.chain->filters);
  ++uses_.front().requests;
}

http::Service::BodyMode Pipeline::begin(http::Exchange& exchange, const Route& route,
                                        std::span<const std::string_view> params) {
  http::Request& request = exchange.request;
  start(exchange, route);
  request.set_params(params);
  if (route.body_limit != 0) exchange.set_body_limit(route.body_limit);
  if (route.timeout_ms != 0) exchange.set_answer_timeout(route.timeout_ms);
  if (!run_forward(exchange, route)) {
    if (!waits_in_chain(exchange)) return BodyMode::Discard;
    if (!route.streams_body) return BodyMode::Buffer;
    if (request.head().framing != http::Framing::None) exchange.hold_body();
    return BodyMode::Stream;
  }
  if (!route.streams_body) return BodyMode::Buffer;
  // The protocol refuses a body that is announced too large; the handler must not have begun by then.
  if (!exchange.body_over_limit()) call_handler(exchange, *route.handler, true);
  return BodyMode::Stream;
}

void Pipeline::on_body(http::Exchange& exchange, std::string_view piece) {
  if (!was_handled(exchange)) return;
  if (exchange.route->chain->on_body.empty()) [[likely]] {
    give_piece(exchange, piece);
    return;
  }
  exchange.set_body_kept(false);
  const auto give = [&](std::string_view made) { return made.empty() || give_piece(exchange, made); };
  show_piece(exchange, 0, piece, false, give);
}

namespace {

// The body is complete: of a handler that streams it, or of one that is called with it.
void end_body(http::Exchange& exchange) {
  const Route& route = *exchange.route;
  Handler& handler = *route.handler;
  const bool streams = was_handled(exchange);
  if (!route.chain->on_body.empty() && exchange.request.head().framing != http::Framing::None) [[unlikely]] {
    const auto give = [&](std::string_view made) {
      if (streams) return made.empty() || give_piece(exchange, made);
      exchange.request.set_body(made);
      return true;
    };
    exchange.set_body_kept(false);
    if (!show_piece(exchange, 0, streams ? std::string_view() : exchange.request.body(), true, give)) return;
  }
  if (streams) {
    apply_verdict(exchange, handler, handler.on_body_end(exchange));
  } else {
    call_handler(exchange, handler, false);
  }
}

// The chain was run to its end, after it had been suspended: what on_request() and what came since would have
// done.
void go_on(http::Exchange& exchange) {
  const Route& route = *exchange.route;
  if (route.handler == nullptr) {
    answer_unmatched(exchange,
                     find_route(*route.site, exchange.request, exchange.listener(), exchange.arena()));
    return;
  }
  if (route.streams_body) {
    exchange.resume_body();
    call_handler(exchange, *route.handler, true);
    if (exchange.finished()) return;
  }
  if ((exchange.chain_position & kBodyEnded) != 0) end_body(exchange);
}

}  // namespace

bool resume_chain(http::Exchange& exchange, Verdict verdict) {
  if (!waits_in_chain(exchange) || exchange.started() || exchange.cancelled()) {
    // Somebody else's suspension, if it is one, goes on. A middleware that has begun an answer by itself
    // has no use for the rest of the request's body: it is read over meanwhile.
    if (waits_in_chain(exchange)) {
      exchange.chain_position &= ~kSuspended;
      exchange.resume_body();
    }
    return false;
  }
  exchange.chain_position &= ~kSuspended;
  const Route& route = *exchange.route;
  if (!passes(exchange, *holder_of(exchange), verdict)) {
    if (!waits_in_chain(exchange)) exchange.resume_body();  // what is left of it is read over
    return true;
  }
  if (run_forward(exchange, route))
    go_on(exchange);
  else if (!waits_in_chain(exchange))
    exchange.resume_body();
  return true;
}

void Pipeline::on_body_end(http::Exchange& exchange) {
  if (exchange.route->handler != nullptr && was_forwarded(exchange)) {
    end_body(exchange);
  } else if (waits_in_chain(exchange)) {
    exchange.chain_position |= kBodyEnded;
  }
}

void Pipeline::on_writable(http::Exchange& exchange) {
  if (const Step* step = holder_of(exchange)) return step->instance->on_writable(exchange);
  if (!was_handled(exchange)) return;
  Handler& handler = *exchange.route->handler;
  const Verdict verdict = handler.on_writable(exchange);
  if (verdict != Verdict::Done) apply_verdict(exchange, handler, verdict);
}

void Pipeline::on_response(http::Exchange& exchange) {
  if (exchange.route == nullptr) return;  // refused before it came here
  // Of one that is whole it is counted when it ends, which is at once.
  if (exchange.route->chain->moments || !exchange.answers_whole()) [[unlikely]]
    exchange.answer_ns = quick_ns();
  // Middleware that answers in a handler's place has changed nothing.
  if (!http::is_safe(exchange.request.method()) && exchange.response.status < 400 &&
      exchange.response.author() == http::Origin::Handler) [[unlikely]]
    if (ChangeListener* listener = exchange.route->site->change_listener()) listener->on_change(exchange);
  exchange.filter_answer(position_of(exchange));
}

void Pipeline::on_endless(http::Exchange& exchange, uint32_t filter) {
  const Route& route = *exchange.route;
  const http::AnswerFilter* endless = route.chain->filters[filter].filter;
  const auto step = std::ranges::find_if(route.chain->steps, [&](const Step& each) {
    return each.instance == endless || each.filter == endless;
  });
  const std::string_view blame = blame_of(*step);
  log::limited(log::Level::Error, {blame, route.id},
               "{} made more of an answer than its client took, and did not wait, on {} {}", blame, route.id,
               exchange.request.id());
}

void Pipeline::on_large_head(http::Exchange& exchange) {
  const Route* route = exchange.route;
  const Step* step = holder_of(exchange);
  const std::string_view blame = was_handled(exchange) ? route->handler->blame()
                                 : step != nullptr     ? blame_of(*step)
                                                       : "the server";
  log::error("{} gave an answer whose head is larger than 16 KiB, with what middleware adds, on {} {}", blame,
             route != nullptr ? route->id : "", exchange.request.id());
}

void Pipeline::on_late(http::Exchange& exchange) {
  const Step* step = holder_of(exchange);
  if (step == nullptr && !was_handled(exchange)) return;
  const Route& route = *exchange.route;
  const std::string_view blame = step != nullptr ? blame_of(*step) : route.handler->blame();
  log::limited(log::Level::Error, {blame, route.id}, "{} did not answer in time on {} {}", blame, route.id,
               exchange.request.id());
}

void Pipeline::on_cancel(http::Exchange& exchange) {
  exchange.chain_position |= kCancelled;
  if (const Step* step = holder_of(exchange)) step->instance->on_cancel(exchange);
  if (was_handled(exchange)) exchange.route->handler->on_cancel(exchange);
}

void Pipeline::on_done(http::Exchange& exchange) {
  if (exchange.route == nullptr) {
    if (counts_ != nullptr) counts_->add(exchange, RequestCounts::kNone, true);
    // Refused by the HTTP layer: observers see it all the same.
    for (const Chain::Hook& hook : site().unmatched().chain->on_done) hook.instance->on_done(exchange);
    return;
  }
  if (counts_ != nullptr)
    counts_->add(exchange, exchange.route->number, (exchange.chain_position & kCancelled) != 0);
  if (was_handled(exchange)) exchange.route->handler->on_done(exchange);
  const uint32_t reached = position_of(exchange);
  for (const Chain::Hook& hook : exchange.route->chain->on_done)
    if (hook.position <= reached) hook.instance->on_done(exchange);
  leave(*exchange.route->site);
}

bool Pipeline::on_tunnel(http::Exchange& exchange, http::TunnelUser& user) {
  user.enlist(tunnels_, exchange.route);
  if (!exchange.left_for_tunnel()) return false;
  // It holds its site as a request does.
  ++use_of(*exchange.route->site)->requests;
  return std::ranges::any_of(exchange.route->chain->on_done,
                             [](const Chain::Hook& hook) { return hook.instance->watches_tunnels(); });
}

void Pipeline::on_tunnel_end(const Route* route, http::Exchange* exchange) {
  if (exchange != nullptr)
    for (const Chain::Hook& hook : route->chain->on_done)
      if (hook.instance->watches_tunnels()) hook.instance->on_tunnel_end(*exchange);
  leave(*route->site);
}

void Pipeline::drain_tunnels(const Site& drained, uint64_t until_ms) {
  for (http::TunnelUser* user = tunnels_; user != nullptr;) {
    http::TunnelUser* const next = user->next();
    if (user->route()->site == &drained) user->on_drain(until_ms);
    user = next;
  }
}

Pipeline::Use* Pipeline::use_of(const Site& used) {
  const auto use = std::ranges::find(uses_, &used, &Use::site);
  return use == uses_.end() ? nullptr : &*use;
}

void Pipeline::leave(const Site& left) {
  if (&left == uses_.front().site) [[likely]]
    --uses_.front().requests;
  else
    leave_former(left);
}

void Pipeline::leave_former(const Site& left) {
  Use* const use = use_of(left);
  if (--use->requests != 0) return;
  uses_.erase(uses_.begin() + (use - uses_.data()));
  on_turn_end();  // what of its routes is not counted yet
  if (owner_ != nullptr) owner_->on_site_unused(left);
}

bool Pipeline::handled(const http::Exchange& exchange) { return was_handled(exchange); }

void Pipeline::hold(std::vector<std::string> owners) {
  held_ = std::move(owners);
  epoch_ = next_epoch();
}

uint64_t Pipeline::requests(const Site& asked) const {
  const auto use = std::ranges::find(uses_, &asked, &Use::site);
  return use == uses_.end() ? 0 : use->requests;
}

void Pipeline::on_start(http::WorkerContext& worker) {
  worker_ = &worker;
  site().begin(worker);
}

void Pipeline::replace_site(const Site& next) {
  const Site& last = site();
  // Counted as one more, so that an idle one is left in the same way.
  ++uses_.front().requests;
  epoch_ = next_epoch();
  release();
  uses_.insert(uses_.begin(), {.site = &next});
  drain_tunnels(last, UINT64_MAX);
  leave_former(last);
  if (worker_ != nullptr) next.begin(*worker_);
}

}  // namespace leat::pipeline
