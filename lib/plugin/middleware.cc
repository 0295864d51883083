#include "plugin/middleware.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <utility>

#include "base/log.h"
#include "http/problem.h"
#include "pipeline/pipeline.h"
#include "plugin/codes.h"
#include "plugin/load_time.h"
#include "plugin/resumption.h"
#include "plugin/shared_resources.h"

namespace leat::plugin {

using pipeline::Verdict;

PluginMiddleware::PluginMiddleware(PluginInstance& instance, const DeclaredKind& kind, void* made)
    : Callee(instance, {},
             instance.library().keep(fmt::format("{}: middleware {}", instance.blame(), kind.name))),
      kind_(kind.table),
      made_(made) {}

PluginMiddleware::~PluginMiddleware() {
  if (kind_.destroy == nullptr || kind_.create == nullptr) return;
  const CallScope call_scope(*this);
  leat_error error;
  guarded(error, [this] {
    kind_.destroy(instance().state(), made_);
    return LEAT_OK;
  });
  if (!error.failures.empty()) log::error("{}: destroy(): {}", title(), error.text());
}

uint8_t PluginMiddleware::hooks() const {
  unsigned hooks = kDone;  // for what it holds, also where it has no done()
  if (kind_.request != nullptr) hooks |= kRequest;
  if (kind_.body != nullptr) hooks |= kBody;
  if (kind_.head != nullptr || kind_.piece != nullptr || kind_.end != nullptr) hooks |= kAnswer;
  return static_cast<uint8_t>(hooks);
}

PluginMiddleware::Kept* PluginMiddleware::find(const http::Exchange& exchange) const {
  return exchange.states.find<Kept>(this);
}

PluginMiddleware::Kept* PluginMiddleware::keep(http::Exchange& exchange) const {
  if (Kept* kept = find(exchange)) return kept;
  void* memory = nullptr;
  if (kind_.state_size != 0) {
    memory = exchange.arena().allocate(kind_.state_size, 16);
    if (memory == nullptr) return nullptr;
    std::memset(memory, 0, kind_.state_size);
  }
  Kept* kept = exchange.states.make<Kept>(this);
  if (kept == nullptr) return nullptr;
  kept->state.handler = this;
  kept->state.user = memory;
  return kept;
}

leat_scope PluginMiddleware::scope(uint32_t worker) const {
  return {sizeof(leat_scope),
          worker,
          &instance().host(),
          instance().state(),
          instance().worker_state(worker),
          made_};
}

void PluginMiddleware::complain(const http::Exchange& exchange, std::string_view what,
                                std::string_view detail) const {
  const std::string_view route = exchange.route != nullptr ? std::string_view(exchange.route->id) : "(none)";
  log::limited(log::Level::Error, {title(), what, route}, "{} on route {}: {}{}", title(), route, what,
               detail);
}

// Runs plugin code for `exchange`. What it throws is an error; C callbacks can't, C++ ones that don't use the
// wrapper can.
template <class Callback>
int32_t PluginMiddleware::call(http::Exchange& exchange, Kept* kept, Stage stage, Callback&& callback,
                               http::Onward* onward) const {
  void* const outer = std::exchange(exchange.handler_state, kept == nullptr ? nullptr : &kept->state);
  const CallScope call_scope(exchange, *this, stage == Stage::Ending);
  current_call.answering = stage == Stage::Answer;
  current_call.onward = onward;
  const leat_scope seen = scope(exchange.worker().index());
  int32_t verdict = LEAT_ERROR;
  try {
    verdict = callback(&seen, to_request(exchange));
  } catch (const std::exception& error) {
    complain(exchange, "threw an exception: ", error.what());
  } catch (...) {
    complain(exchange, "threw something that is not a std::exception");
  }
  exchange.handler_state = outer;
  return verdict;
}

// Lets go of a request, which goes on: what it waits for is of no use any more.
void PluginMiddleware::give_up(http::Exchange& exchange, Kept& kept) const {
  end_suspensions(exchange, kept.state);
  cancel_fetches(exchange, kept.state);
  kept.state.timers_running = 0;  // those that run find another state, and do nothing
  kept.state.free_timers = nullptr;
}

Verdict PluginMiddleware::judge(http::Exchange& exchange, Kept& kept, int32_t verdict) const {
  if (exchange.cancelled()) return Verdict::Done;
  const RequestState& state = kept.state;
  const bool goes_on =
      state.suspensions != nullptr || state.timers_running > 0 || state.fetches != nullptr || state.blocked;
  // Whoever calls it back looks for its state here.
  exchange.handler_state = &kept.state;
  switch (verdict) {
    case LEAT_NEXT:
      if (!exchange.started()) {
        give_up(exchange, kept);
        exchange.handler_state = nullptr;
        return Verdict::Next;
      }
      complain(exchange, "returned NEXT although it had answered");
      return exchange.finished() ? Verdict::Done : Verdict::Error;
    case LEAT_DONE:
      if (exchange.finished() || (exchange.started() && goes_on)) return Verdict::Done;
      complain(exchange,
               exchange.started()
                   ? "returned DONE with an answer that is not complete and nothing that goes on with it"
                   : "returned DONE without an answer");
      return Verdict::Error;
    case LEAT_PENDING:
      if (exchange.finished()) return Verdict::Done;
      if (goes_on) {
        if (!exchange.suspended()) exchange.suspend();
        return Verdict::Pending;
      }
      complain(
          exchange,
          "returned PENDING, but no suspension, timer or fetch is left that could go on with the request");
      return Verdict::Error;
    case LEAT_ERROR:
      return judge_error(exchange);
    default:
      complain(exchange, "returned something that is not a verdict: ", std::to_string(verdict));
      return exchange.finished() ? Verdict::Done : Verdict::Error;
  }
}

Verdict PluginMiddleware::judge_error(http::Exchange& exchange) const {
  if (exchange.finished()) {
    complain(exchange, "failed after it had answered");
    return Verdict::Done;
  }
  if (exchange.started() || !exchange.arena().refused()) return Verdict::Error;
  // That limits.memory is used up is nothing that this middleware has done; its worker tells of it.
  if (!exchange.arena().pool_was_out())
    complain(exchange, "failed when memory was refused to it: limits.request_memory is used up");
  http::send_out_of_memory(exchange);
  return Verdict::Done;
}

Verdict PluginMiddleware::on_request(http::Exchange& exchange) {
  Kept* kept = keep(exchange);
  if (kept == nullptr) {
    http::send_out_of_memory(exchange);
    return Verdict::Done;
  }
  return judge(exchange, *kept, call(exchange, kept, Stage::Request, kind_.request));
}

Verdict PluginMiddleware::on_body(http::Exchange& exchange, std::string_view& piece, bool last) {
  Kept* kept = keep(exchange);
  if (kept == nullptr) {
    http::send_out_of_memory(exchange);
    return Verdict::Done;
  }
  const bool begun = exchange.started();  // by the handler, which streams
  leat_str shown = piece.data() == nullptr ? leat_str{"", 0} : to_str(piece);
  const int32_t verdict =
      call(exchange, kept, Stage::Request, [&](const leat_scope* seen, leat_request* request) {
        return kind_.body(seen, request, &shown, last ? 1 : 0);
      });
  // The handler has the request already, or will at once: there is no waiting here.
  give_up(exchange, *kept);
  const bool answered = !begun && exchange.started();
  switch (verdict) {
    case LEAT_NEXT:
      if (answered) {
        complain(exchange, "returned NEXT although it had answered");
        return exchange.finished() ? Verdict::Done : Verdict::Error;
      }
      if (!is_text(shown)) {
        complain(exchange, "put a body that is NULL and not empty in the place of the request's");
        return Verdict::Error;
      }
      piece = view(shown);
      return Verdict::Next;
    case LEAT_DONE:
      if (answered && exchange.finished()) return Verdict::Done;
      complain(exchange, "returned DONE from body() without a whole answer");
      return Verdict::Error;
    case LEAT_PENDING:
      complain(exchange, "returned PENDING from body(), which cannot wait");
      return Verdict::Error;
    case LEAT_ERROR:
      return judge_error(exchange);
    default:
      complain(exchange, "returned something that is not a verdict: ", std::to_string(verdict));
      return Verdict::Error;
  }
}

void PluginMiddleware::on_writable(http::Exchange& exchange) {
  Kept* kept = find(exchange);
  if (kept == nullptr) return;
  kept->state.blocked = false;
  const int32_t verdict =
      kind_.writable == nullptr ? LEAT_DONE : call(exchange, kept, Stage::Request, kind_.writable);
  if (judge(exchange, *kept, verdict) == Verdict::Error) exchange.abort();
}

void PluginMiddleware::on_cancel(http::Exchange& exchange) {
  if (kind_.cancel == nullptr) return;
  call(exchange, find(exchange), Stage::Ending, [&](const leat_scope* seen, leat_request* request) {
    kind_.cancel(seen, request);
    return LEAT_DONE;
  });
}

// A 500 in the place of an answer that it could not see through.
http::AnswerFilter::Wants PluginMiddleware::replace(http::Exchange& exchange, http::AnswerBody& body) const {
  constexpr std::string_view kProblem =
      R"({"type":"about:blank","title":"Internal Server Error","status":500,)"
      R"("detail":"The server failed to answer this request."})";
  exchange.response.reset();
  exchange.response.status = 500;
  exchange.response.content_type = "application/problem+json";
  body.whole = kProblem;
  return Wants::Nothing;
}

http::AnswerFilter::Wants PluginMiddleware::on_answer(http::Exchange& exchange, http::AnswerBody& body) {
  Kept* kept = keep(exchange);
  if (kept == nullptr) {
    complain(exchange, "cannot see an answer: limits.request_memory is used up");
    return replace(exchange, body);
  }
  const int32_t wanted =
      kind_.head == nullptr ? LEAT_BODY_CHANGE : call(exchange, kept, Stage::Answer, kind_.head);
  switch (wanted) {
    case LEAT_BODY_KEEP:
      return Wants::Nothing;
    case LEAT_BODY_CHANGE:
      return Wants::Change;
    case LEAT_BODY_WATCH:
      break;
    case LEAT_ERROR:
      complain(exchange, "failed with the head of an answer: a 500 takes its place");
      return replace(exchange, body);
    default:
      complain(exchange, "returned something that is not LEAT_BODY_* from head(): ", std::to_string(wanted));
      return replace(exchange, body);
  }
  kept->watches = true;
  if (!body.whole) return Wants::Watch;
  const auto see = [&](auto&& callback) {
    return call(exchange, kept, Stage::Answer, callback) == LEAT_NEXT;
  };
  bool fine = true;
  if (kind_.piece != nullptr && !body.whole->empty())
    fine = see([&](const leat_scope* seen, leat_request* request) {
      return kind_.piece(seen, request, to_str(*body.whole));
    });
  if (fine && kind_.end != nullptr) fine = see(kind_.end);
  if (fine) return Wants::Nothing;
  complain(exchange, "failed with the body of an answer: a 500 takes its place");
  return replace(exchange, body);
}

void PluginMiddleware::check_piece(http::Exchange& exchange, int32_t verdict) const {
  if (verdict == LEAT_NEXT) return;
  if (verdict == LEAT_ERROR)
    complain(exchange, "failed with the body of an answer: it is cut");
  else
    complain(exchange,
             "returned something that is not a verdict for a piece of a body: ", std::to_string(verdict));
  exchange.abort();
}

void PluginMiddleware::on_piece(http::Exchange& exchange, std::string_view piece, http::Onward& onward) {
  Kept* kept = find(exchange);
  const bool passes = kind_.piece == nullptr || piece.empty() || kept == nullptr;
  if (passes || kept->watches) onward.give(piece);
  if (passes) return;
  check_piece(exchange, call(
                            exchange, kept, Stage::Answer,
                            [&](const leat_scope* seen, leat_request* request) {
                              return kind_.piece(seen, request, to_str(piece));
                            },
                            kept->watches ? nullptr : &onward));
}

void PluginMiddleware::on_end(http::Exchange& exchange, http::Onward& onward) {
  Kept* kept = find(exchange);
  if (kind_.end == nullptr || kept == nullptr) return;
  check_piece(exchange, call(exchange, kept, Stage::Answer, kind_.end, kept->watches ? nullptr : &onward));
}

void PluginMiddleware::on_done(http::Exchange& exchange) {
  Kept* kept = find(exchange);
  const bool sees_more = kind_.request != nullptr || kind_.body != nullptr || kind_.head != nullptr ||
                         kind_.piece != nullptr || kind_.end != nullptr;
  if (kept == nullptr && (sees_more || kind_.done == nullptr)) return;
  if (kept == nullptr) kept = keep(exchange);
  if (kept != nullptr) {
    end_suspensions(exchange, kept->state);
    cancel_fetches(exchange, kept->state);
  }
  call(exchange, kept, Stage::Ending, [&](const leat_scope* seen, leat_request* request) {
    if (kind_.done != nullptr) kind_.done(seen, request);
    if (kept != nullptr) {
      if (kept->state.contexts != nullptr) close_contexts(exchange, kept->state);
      drop_pins(kept->state);
    }
    return LEAT_DONE;
  });
  if (kept != nullptr && exchange.handler_state == &kept->state) exchange.handler_state = nullptr;
}

void PluginMiddleware::deliver_without_request(uint32_t worker, const Completion& completion) const {
  const CallScope call_scope(*this);
  const leat_scope seen = scope(worker);
  try {
    completion.resume(&seen, nullptr, completion.argument);
  } catch (...) {
    log::limited(log::Level::Error, {title()},
                 "{}: threw an exception for a completion whose request had ended", title());
  }
}

void PluginMiddleware::resume(http::Exchange& exchange, leat_resume callback, void* argument) const {
  Kept* kept = find(exchange);
  if (kept == nullptr) return;
  const int32_t answer =
      call(exchange, kept, Stage::Request,
           [&](const leat_scope* seen, leat_request* request) { return callback(seen, request, argument); });
  const Verdict verdict = judge(exchange, *kept, answer);
  const bool begun = exchange.started();
  if (pipeline::resume_chain(exchange, verdict) || !begun) return;
  if (verdict == Verdict::Error) exchange.abort();
}

// --- Kinds

void Kinds::add(PluginInstance& instance) {
  for (const DeclaredKind& kind : instance.library().middleware()) {
    const Source& source =
        sources_.emplace_back(&instance, &kind, fmt::format("{}:{}", instance.name(), kind.name), guard_);
    all_.push_back({.name = source.name,
                    .phase = kind.table.phase == LEAT_PHASE_CONTENT
                                 ? pipeline::Phase::Content
                                 : static_cast<pipeline::Phase>(kind.table.phase),
                    .sentence = kind.sentence,
                    .options = {},
                    .create = create,
                    .origin = &source});
  }
}

bool Kinds::has(std::string_view name) const {
  return std::ranges::contains(all_, name, &pipeline::MiddlewareKind::name);
}

void Kinds::add_absent(std::string name,
                       std::unique_ptr<pipeline::Middleware> (*make)(const pipeline::BuildContext& context)) {
  const Source& source = sources_.emplace_back(nullptr, nullptr, std::move(name), nullptr);
  all_.push_back({.name = source.name,
                  .phase = pipeline::Phase::Protect,
                  .sentence = {},
                  .options = {},
                  .create = make});
}

// Reads the options of an instance as PluginInstance::create does those of a plugin.
std::unique_ptr<pipeline::Middleware> Kinds::create(const pipeline::BuildContext& context) {
  const auto& source = *static_cast<const Source*>(context.kind.origin);
  PluginInstance& instance = *source.instance;
  const leat_middleware& kind = source.kind->table;
  Diagnostics found;
  leat_config options(context.options, found, notes_of(instance.library().options().shared, source.name));
  leat_error error;
  int32_t answer = LEAT_OK;
  void* made = nullptr;
  const auto make = [&] {
    answer = guarded(
        error, [&] { return kind.create(&instance.host(), instance.state(), &options, &made, &error); });
  };
  if (kind.create != nullptr) {
    if (source.guard != nullptr)
      source.guard(instance.name(), make);
    else
      make();
  }
  // One that gave up half-way has not read all of its options.
  if (answer == LEAT_OK) options.report_unknown();
  report_failures(error, answer, fmt::format("{}: middleware {}", instance.blame(), source.kind->name),
                  context.options, context.place, found);
  if (found.empty()) return std::make_unique<PluginMiddleware>(instance, *source.kind, made);
  // With it goes what create() has made.
  if (answer == LEAT_OK) PluginMiddleware(instance, *source.kind, made);
  std::ranges::move(found, std::back_inserter(context.diagnostics));
  return nullptr;
}

}  // namespace leat::plugin
