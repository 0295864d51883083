// Middleware that is bad in one way each, and some that is good.
#include <leat/plugin.hpp>

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <string>

namespace {

template <int32_t (*callback)(const leat_scope*, leat_request*)>
constexpr leat_middleware on_request(leat_str name) {
  leat_middleware kind{};
  kind.struct_size = sizeof kind;
  kind.phase = LEAT_PHASE_PROTECT;
  kind.name = name;
  kind.request = callback;
  return kind;
}
template <int32_t (*callback)(const leat_scope*, leat_request*)>
constexpr leat_middleware on_head(leat_str name) {
  leat_middleware kind = on_request<nullptr>(name);
  kind.head = callback;
  return kind;
}

int32_t throws(const leat_scope*, leat_request*) { throw std::runtime_error("a broken promise"); }
int32_t done_without_answer(const leat_scope*, leat_request*) { return LEAT_DONE; }
int32_t never_answers(const leat_scope*, leat_request*) { return LEAT_PENDING; }
int32_t no_verdict(const leat_scope*, leat_request*) { return 1234; }
int32_t fails(const leat_scope*, leat_request*) { return LEAT_ERROR; }
int32_t throws_late(const leat_scope*, leat_request* request) {
  const auto late = [](const leat_scope*, leat_request*, void*) -> int32_t {
    throw std::runtime_error("late");
  };
  leat::detail::api.timer->resume_after(request, 5, late, nullptr);
  return LEAT_PENDING;
}
int32_t never_resumes(const leat_scope*, leat_request* request) {
  leat_ticket ticket{};
  leat::detail::api.async->suspend(request, &ticket);
  return LEAT_PENDING;
}
int32_t head_throws(const leat_scope*, leat_request*) { throw std::runtime_error("in the head"); }
int32_t head_nonsense(const leat_scope*, leat_request*) { return 77; }

int32_t answer(leat_request* request) { return leat::detail::api.response->send(request, LEAT_STR("once")); }
int32_t twice(const leat_scope*, leat_request* request) {
  answer(request);
  leat::detail::api.response->send(request, LEAT_STR("twice"));
  return LEAT_DONE;
}
int32_t next_after_answer(const leat_scope*, leat_request* request) {
  answer(request);
  return LEAT_NEXT;
}
int32_t error_after_answer(const leat_scope*, leat_request* request) {
  answer(request);
  return LEAT_ERROR;
}

// Ends the process for requests that ask for it.
int32_t exits(const leat_scope*, leat_request* request) {
  if (leat::detail::api.request->header(request, LEAT_STR("X-Exit")).ptr != nullptr) _exit(0);
  return LEAT_NEXT;
}

struct Waits {
  leat::Reply request(leat::Request& request) const {
    return request.after(std::chrono::milliseconds(5), [](leat::Request&) { return leat::next(); });
  }
};

int32_t throws_with_piece(const leat_scope*, leat_request*, leat_str) { throw std::runtime_error("a piece"); }
int32_t fails_with_piece(const leat_scope*, leat_request*, leat_str) { return LEAT_ERROR; }

// What it may not do while an answer is on its way, as a field of that answer.
int32_t frames(const leat_scope*, leat_request* request) {
  const leat_response_v1& response = *leat::detail::api.response;
  leat_ticket ticket{};
  std::string codes;
  for (const int32_t code : {response.set_header(request, LEAT_STR("Content-Length"), LEAT_STR("5")),
                             response.add_header(request, LEAT_STR("Transfer-Encoding"), LEAT_STR("chunked")),
                             response.send(request, LEAT_STR("mine")), response.begin(request, 4),
                             leat::detail::api.middleware->give(request, LEAT_STR("more")),
                             leat::detail::api.async->suspend(request, &ticket)})
    codes += (codes.empty() ? "" : " ") + std::to_string(code);
  response.set_header(request, LEAT_STR("X-Refused"), leat::to_str(codes));
  return LEAT_BODY_KEEP;
}

// Another body in the place of the request's.
int32_t shouts(const leat_scope*, leat_request* request, leat_str* piece, int32_t) {
  leat_str copy = leat::detail::api.arena->copy(request, *piece);
  for (size_t i = 0; i < copy.len; ++i)
    if (copy.ptr[i] >= 'a' && copy.ptr[i] <= 'z') const_cast<char*>(copy.ptr)[i] -= 'a' - 'A';
  *piece = copy;
  return LEAT_NEXT;
}
int32_t refuses_body(const leat_scope*, leat_request* request, leat_str* piece, int32_t) {
  if (leat::to_view(*piece).find("bad") == std::string_view::npos) return LEAT_NEXT;
  return leat::detail::api.response->send_problem(request, 422, LEAT_STR("Not that."), {}) == LEAT_OK
             ? LEAT_DONE
             : LEAT_ERROR;
}

// What it has noted and kept for the request, in its answer's head; also for one that waited.
struct Remembers {
  struct State : leat::PerRequest {
    int seen = 0;
  };
  leat::Reply request(leat::Request& request, State& state) const {
    ++state.seen;
    leat::set_note(request, "user", "nobody");
    leat::set_note(request, "user", "Ada");
    return request.after(std::chrono::milliseconds(5), [](leat::Request&) { return leat::next(); });
  }
  void head(leat::Head& head, leat::Request& request, State& state) const {
    head.set("X-User", leat::note_of(request, "user").value_or("(none)"));
    head.set("X-Seen", std::to_string(state.seen));
    head.set("X-Absent", leat::note_of(request, "other") ? "there" : "absent");
  }
};

// Sees bodies, and changes nothing: how long they were is in the log.
struct Watches {
  struct State : leat::PerRequest {
    size_t bytes = 0;
  };
  leat::Wants head(leat::Head&) const { return leat::Wants::Watch; }
  void piece(std::string_view piece, State& state) const { state.bytes += piece.size(); }
  void done(leat::Request& request, State& state) const {
    request.log().info("watched " + std::to_string(state.bytes));
  }
};

// Asks for a key in a coroutine.
struct Sleeps {
  leat::Task<leat::Reply> request(leat::Request& request) const {
    const bool refused = request.header("X-Refuse").has_value();
    co_await leat::sleep(std::chrono::milliseconds(5));
    if (refused) co_return leat::problem(403, "No.");
    co_return leat::next();
  }
};

struct Grows {
  void piece(std::string_view, leat::Onward& onward) const {
    const std::string much(65'536, 'x');
    for (int i = 0; i < 1'000; ++i) onward.give(much);
  }
};

// Tells how many answers have passed it.
struct Count {
  std::atomic<int> seen = 0;
  void end(leat::Onward& onward) { onward.give(" seen " + std::to_string(++seen)); }
};

class Bad : public leat::Plugin<Bad> {
 public:
  static constexpr auto middleware() {
    leat_middleware piece_throws = on_request<nullptr>(LEAT_STR_INIT("piece_throws"));
    piece_throws.piece = throws_with_piece;
    leat_middleware piece_fails = on_request<nullptr>(LEAT_STR_INIT("piece_fails"));
    piece_fails.piece = fails_with_piece;
    leat_middleware end_fails = on_request<nullptr>(LEAT_STR_INIT("end_fails"));
    end_fails.end = fails;
    leat_middleware shouting = on_request<nullptr>(LEAT_STR_INIT("shouts"));
    shouting.body = shouts;
    leat_middleware refusing = on_request<nullptr>(LEAT_STR_INIT("refuses_body"));
    refusing.body = refuses_body;
    return leat::kinds(
        shouting, refusing, kind<Remembers>("remembers", leat::Phase::Identify, "Remembers."),
        kind<Watches>("watches", leat::Phase::Observe, "Watches."),
        kind<Sleeps>("sleeps", leat::Phase::Protect, "Waits in a coroutine."),
        on_request<throws>(LEAT_STR_INIT("throws")),
        on_request<done_without_answer>(LEAT_STR_INIT("done_without_answer")),
        on_request<never_answers>(LEAT_STR_INIT("never_answers")),
        on_request<no_verdict>(LEAT_STR_INIT("no_verdict")), on_request<fails>(LEAT_STR_INIT("fails")),
        on_request<throws_late>(LEAT_STR_INIT("throws_late")),
        on_request<never_resumes>(LEAT_STR_INIT("never_resumes")), on_request<exits>(LEAT_STR_INIT("exits")),
        on_request<twice>(LEAT_STR_INIT("twice")),
        on_request<next_after_answer>(LEAT_STR_INIT("next_after_answer")),
        on_request<error_after_answer>(LEAT_STR_INIT("error_after_answer")),
        on_head<head_throws>(LEAT_STR_INIT("head_throws")),
        on_head<head_nonsense>(LEAT_STR_INIT("head_nonsense")), on_head<frames>(LEAT_STR_INIT("frames")),
        piece_throws, piece_fails, end_fails, kind<Waits>("waits", leat::Phase::Limit, "Waits."),
        kind<Grows>("grows", leat::Phase::Transform, "Gives without end."),
        kind<Count>("count", leat::Phase::Transform, "Counts."),
        kind<Count>("count_content", leat::Phase::Content, "Counts what is stored."));
  }
};

}  // namespace

LEAT_PLUGIN(Bad, "bad_middleware", "1.0.0")
