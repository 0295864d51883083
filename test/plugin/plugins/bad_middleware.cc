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

// Fields that it may not set, as a field of the answer: 0 for one that it may.
int32_t fields(const leat_scope*, leat_request* request) {
  const leat_response_v1& response = *leat::detail::api.response;
  constexpr std::pair<std::string_view, std::string_view> kFields[] = {{"Connection", "close"},
                                                                       {"Keep-Alive", "timeout=5"},
                                                                       {"Upgrade", "h2c"},
                                                                       {"X-Split", "a\r\nX-Evil: b"},
                                                                       {"X-Line", "a\nb"},
                                                                       {"X-Null", {"a\0b", 3}},
                                                                       {"X Space", "a"},
                                                                       {"X-Name\r\nX-Evil", "b"},
                                                                       {"", "a"},
                                                                       {"Trailer", "X-Sum"}};
  std::string codes;
  for (const auto& [name, value] : kFields)
    codes += std::to_string(response.set_header(request, leat::to_str(name), leat::to_str(value))) + " ";
  codes += std::to_string(response.content_type(request, LEAT_STR("text/plain\r\nX-Evil: b")));
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

int32_t body_throws(const leat_scope*, leat_request*, leat_str*, int32_t) {
  throw std::runtime_error("with a body");
}
int32_t body_nonsense(const leat_scope*, leat_request*, leat_str*, int32_t) { return 99; }
int32_t body_waits(const leat_scope*, leat_request*, leat_str*, int32_t) { return LEAT_PENDING; }
int32_t body_nowhere(const leat_scope*, leat_request*, leat_str* piece, int32_t) {
  *piece = {nullptr, 7};
  return LEAT_NEXT;
}
// A body of ten times the size, and again, for as long as there is memory.
int32_t body_grows(const leat_scope*, leat_request* request, leat_str* piece, int32_t) {
  while (true) {
    const std::string more(10 * (piece->len + 1), 'x');
    const leat_str copy = leat::detail::api.arena->copy(request, leat::to_str(more));
    if (copy.ptr == nullptr) return LEAT_ERROR;
    *piece = copy;
  }
}
int32_t piece_nonsense(const leat_scope*, leat_request*, leat_str) { return 98; }
int32_t end_throws(const leat_scope*, leat_request*) { throw std::runtime_error("at the end"); }
void done_throws(const leat_scope*, leat_request*) { throw std::runtime_error("all is done"); }
void cancel_throws(const leat_scope*, leat_request*) { throw std::runtime_error("it was left"); }

// Begins an answer that is larger than is taken at once, and throws when there is room again.
int32_t begins(const leat_scope*, leat_request* request) {
  const std::string much(4'000'000, 'x');
  leat::detail::api.response->begin(request, -1);
  leat::detail::api.response->write(request, leat::to_str(much));
  return LEAT_DONE;
}
int32_t throws_now(const leat_scope*, leat_request*) { throw std::runtime_error("there is room"); }
int32_t nonsense_now(const leat_scope*, leat_request*) { return 97; }

// Waits, and then answers by itself.
struct AnswersLate {
  leat::Reply request(leat::Request& request) const {
    return request.after(std::chrono::milliseconds(5), [] { return leat::text("late"); });
  }
};
// The same in pieces, with another wait between them.
struct BeginsLate {
  leat::Reply request(leat::Request& request) const {
    return request.after(std::chrono::milliseconds(5), [](leat::Request& again, leat::Response& response) {
      response.type("text/plain").begin();
      (void)response.write("la");
      return again.after(std::chrono::milliseconds(20), [](leat::Response& rest) {
        (void)rest.write("te");
        rest.end();
      });
    });
  }
};
// A long answer of its own, which goes on whenever there is room.
struct Streams {
  struct State : leat::PerRequest {
    size_t left = 3'000'000;
  };
  void request(leat::Response& response, State& state) const {
    response.type("text/plain").begin(state.left);
    writable(response, state);
  }
  void writable(leat::Response& response, State& state) const {
    const std::string piece(10'000, 'y');
    while (state.left > 0) {
      state.left -= piece.size();
      if (!response.write(piece)) return;
    }
    response.end();
  }
};

// Requests that are suspended for ever, and have not ended.
std::atomic<int> held = 0;
struct Holds {
  struct State : leat::PerRequest {
    State() { ++held; }
    ~State() { --held; }
  };
  leat::Reply request(leat::Request& request, State&) const {
    return request.after(std::chrono::hours(100), [] { return leat::next(); });
  }
};
// For `ms`.
struct Naps {
  explicit Naps(leat::Setup& options) : ms(options.integer("ms", 5, {0, 60'000})) {}
  leat::Reply request(leat::Request& request) const {
    return request.after(std::chrono::milliseconds(ms), [] { return leat::next(); });
  }
  int64_t ms;
};

// A request's body, by the wrapper: seen by one, and changed or refused by the other.
struct Sums {
  struct State : leat::PerRequest {
    size_t bytes = 0, pieces = 0;
    bool ended = false;
  };
  void body(const leat::BodyPiece& piece, State& state) const {
    state.bytes += piece.bytes().size();
    ++state.pieces;
    state.ended = state.ended || piece.last();
  }
  void done(leat::Request& request, State& state) const {
    request.log().info("summed " + std::to_string(state.bytes) + (state.ended ? " to the end" : ""));
  }
};
struct Doubles {
  leat::Reply body(leat::BodyPiece& piece, leat::Request& request) const {
    if (piece.bytes().find("bad") != std::string_view::npos) return leat::problem(422, "Not that.");
    if (piece.bytes().find("worse") != std::string_view::npos) throw std::runtime_error("worse");
    if (request.header("X-Empty"))
      piece.replace("");
    else
      piece.replace(std::string(piece.bytes()) + std::string(piece.bytes()));
    return leat::next();
  }
};

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

// Refuses to be made.
struct Refuses {
  Refuses() { throw std::runtime_error("not here"); }
  leat::Reply request() const { return leat::next(); }
};

template <class Callback>
constexpr leat_middleware with(leat_str name, Callback leat_middleware::* member, Callback callback) {
  leat_middleware kind = on_request<nullptr>(name);
  kind.*member = callback;
  return kind;
}
constexpr leat_middleware that_begins(leat_str name, decltype(leat_middleware::writable) writable) {
  leat_middleware kind = on_request<begins>(name);
  kind.writable = writable;
  return kind;
}

class Bad;
// Counts the requests of all its plugin's objects, before and after a reload.
struct Tally {
  explicit Tally(Bad& made_by, leat::Setup&) : plugin(made_by) {}
  void head(leat::Head& head) const;
  Bad& plugin;
};

class Bad : public leat::Plugin<Bad> {
 public:
  std::string export_state() const { return std::to_string(tally.load()); }
  void import_state(std::string_view state) { tally = std::stoi(std::string(state)); }
  std::atomic<int> tally = 0;

  leat::Reply still_held(leat::Json& json) { return json.object("held", held.load()); }
  static constexpr auto handlers() { return leat::list(handler<&Bad::still_held>("held")); }

  static constexpr auto middleware() {
    using Kind = leat_middleware;
    leat_middleware cancel_throws_ = on_request<never_resumes>(LEAT_STR_INIT("cancel_throws"));
    cancel_throws_.cancel = cancel_throws;
    return leat::kinds(
        with(LEAT_STR_INIT("shouts"), &Kind::body, shouts),
        with(LEAT_STR_INIT("refuses_body"), &Kind::body, refuses_body),
        with(LEAT_STR_INIT("body_throws"), &Kind::body, body_throws),
        with(LEAT_STR_INIT("body_nonsense"), &Kind::body, body_nonsense),
        with(LEAT_STR_INIT("body_waits"), &Kind::body, body_waits),
        with(LEAT_STR_INIT("body_nowhere"), &Kind::body, body_nowhere),
        with(LEAT_STR_INIT("body_grows"), &Kind::body, body_grows),
        with(LEAT_STR_INIT("piece_throws"), &Kind::piece, throws_with_piece),
        with(LEAT_STR_INIT("piece_fails"), &Kind::piece, fails_with_piece),
        with(LEAT_STR_INIT("piece_nonsense"), &Kind::piece, piece_nonsense),
        with(LEAT_STR_INIT("end_fails"), &Kind::end, fails),
        with(LEAT_STR_INIT("end_throws"), &Kind::end, end_throws),
        with(LEAT_STR_INIT("done_throws"), &Kind::done, done_throws), cancel_throws_,
        that_begins(LEAT_STR_INIT("writable_throws"), throws_now),
        that_begins(LEAT_STR_INIT("writable_nonsense"), nonsense_now),
        on_head<fields>(LEAT_STR_INIT("fields")),
        kind<AnswersLate>("answers_late", leat::Phase::Protect, "Waits, and answers."),
        kind<BeginsLate>("begins_late", leat::Phase::Protect, "Waits, and answers in pieces."),
        kind<Streams>("streams", leat::Phase::Protect, "Answers at length."),
        kind<Holds>("holds", leat::Phase::Protect, "Waits for ever."),
        kind<Naps>("naps", leat::Phase::Protect, "Waits a while."),
        kind<Sums>("sums", leat::Phase::Observe, "Sees bodies of requests."),
        kind<Doubles>("doubles", leat::Phase::Transform, "Doubles bodies of requests."),
        kind<Tally>("tally", leat::Phase::Observe, "Counts over reloads."),
        kind<Refuses>("refuses", leat::Phase::Protect, "Is not made."),
        kind<Remembers>("remembers", leat::Phase::Identify, "Remembers."),
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
        kind<Waits>("waits", leat::Phase::Limit, "Waits."),
        kind<Grows>("grows", leat::Phase::Transform, "Gives without end."),
        kind<Count>("count", leat::Phase::Transform, "Counts."),
        kind<Count>("count_content", leat::Phase::Content, "Counts what is stored."));
  }
};

void Tally::head(leat::Head& head) const { head.set("X-Tally", std::to_string(++plugin.tally)); }

}  // namespace

LEAT_PLUGIN(Bad, "bad_middleware", "1.0.0")
