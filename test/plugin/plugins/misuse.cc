// Every mistake that a plugin can make with a request, one handler each, through the C interface. Each
// handler answers with what the host told it, or makes the mistake that the test looks for.
#include <leat/plugin.h>

#include <chrono>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>

LEAT_NOTE("misuse");

namespace {

const leat_request_v1* api_request;
const leat_response_v1* api_response;
const leat_async_v1* api_async;
const leat_timer_v1* api_timer;
const leat_arena_v1* api_arena;
const leat_log_v1* api_log;
leat_request* kept_request;  // what no plugin may do

leat_str text(std::string_view view) { return {view.data(), view.size()}; }
int32_t answer(leat_request* request, const std::string& body) {
  return api_response->send(request, text(body)) == LEAT_OK ? LEAT_DONE : LEAT_ERROR;
}
int32_t answer_code(leat_request* request, int32_t code) { return answer(request, std::to_string(code)); }

int32_t load(const leat_host* host, leat_error*) {
  api_request = static_cast<const leat_request_v1*>(host->extension(host, LEAT_STR("leat.request/1")));
  api_response = static_cast<const leat_response_v1*>(host->extension(host, LEAT_STR("leat.response/1")));
  api_async = static_cast<const leat_async_v1*>(host->extension(host, LEAT_STR("leat.async/1")));
  api_timer = static_cast<const leat_timer_v1*>(host->extension(host, LEAT_STR("leat.timer/1")));
  api_arena = static_cast<const leat_arena_v1*>(host->extension(host, LEAT_STR("leat.arena/1")));
  api_log = static_cast<const leat_log_v1*>(host->extension(host, LEAT_STR("leat.log/1")));
  return LEAT_OK;
}

using Scope = const leat_scope*;

int32_t throws(Scope, leat_request*) { throw std::runtime_error("a broken promise"); }
int32_t throws_a_number(Scope, leat_request*) { throw 7; }
int32_t throws_after_begin(Scope, leat_request* request) {
  api_response->begin(request, 10);
  throw std::runtime_error("half-way");
}

int32_t twice(Scope, leat_request* request) {
  answer(request, "once");
  // The second answer cannot be given; nothing of it may reach the client.
  return api_response->send(request, LEAT_STR("twice")) == LEAT_E_STATE ? LEAT_DONE : LEAT_ERROR;
}
int32_t next_after_answer(Scope, leat_request* request) {
  answer(request, "answered");
  return LEAT_NEXT;
}
int32_t error_after_answer(Scope, leat_request* request) {
  answer(request, "answered");
  return LEAT_ERROR;
}
// Keeps its worker from turning for as many milliseconds as ?ms= says.
int32_t blocks(Scope, leat_request* request) {
  const leat_str ms = api_request->query_param(request, LEAT_STR("ms"));
  std::this_thread::sleep_for(std::chrono::milliseconds(std::atoi(std::string(ms.ptr, ms.len).c_str())));
  return answer(request, "at last");
}

int32_t done_without_answer(Scope, leat_request*) { return LEAT_DONE; }
int32_t never_answers(Scope, leat_request*) { return LEAT_PENDING; }
int32_t begins_only(Scope, leat_request* request) {
  api_response->begin(request, -1);
  return LEAT_DONE;
}
int32_t no_verdict(Scope, leat_request*) { return 1234; }
int32_t fails(Scope, leat_request*) { return LEAT_ERROR; }
int32_t passes(Scope, leat_request*) { return LEAT_NEXT; }

int32_t write_before_begin(Scope, leat_request* request) {
  return answer_code(request, api_response->write(request, LEAT_STR("x")));
}
int32_t write_after_end(Scope, leat_request* request) {
  api_response->begin(request, -1);
  api_response->write(request, LEAT_STR("body"));
  api_response->end(request);
  const bool refused = api_response->write(request, LEAT_STR("more")) == LEAT_E_STATE &&
                       api_response->end(request) == LEAT_E_STATE &&
                       api_response->status(request, 500) == LEAT_E_STATE &&
                       api_response->add_header(request, LEAT_STR("A"), LEAT_STR("b")) == LEAT_E_STATE &&
                       api_response->abort(request) == LEAT_E_STATE;
  return refused ? LEAT_DONE : LEAT_ERROR;
}
int32_t writes_too_much(Scope, leat_request* request) {
  api_response->begin(request, 4);
  if (api_response->write(request, LEAT_STR("12345")) != LEAT_E_ARGUMENT) return LEAT_ERROR;
  api_response->write(request, LEAT_STR("1234"));
  return api_response->end(request) == LEAT_OK ? LEAT_DONE : LEAT_ERROR;
}
int32_t writes_too_little(Scope, leat_request* request) {
  api_response->begin(request, 4);
  api_response->write(request, LEAT_STR("123"));
  return api_response->end(request) == LEAT_E_STATE ? LEAT_DONE : LEAT_ERROR;
}
int32_t begins_badly(Scope, leat_request* request) {
  return answer_code(request, api_response->begin(request, -2));
}

int32_t injects(Scope, leat_request* request) {
  std::string codes;
  const auto add = [&](std::string_view name, std::string_view value) {
    codes += std::to_string(api_response->add_header(request, text(name), text(value))) + " ";
  };
  add("X-A", "a\r\nX-Evil: 1");
  add("X-B\r\nX-Evil", "1");
  add("X C", "1");
  add("", "1");
  add("X-D", std::string_view("a\0b", 3));
  add("Content-Length", "3");
  add("transfer-encoding", "chunked");
  add("X-E", "a\x01");
  add("X-F", "\x7f");
  add("server", "another");
  add("Date", "today");
  codes += std::to_string(api_response->content_type(request, LEAT_STR("text/plain\r\nX-Evil: 1")));
  return answer(request, codes);
}
int32_t bad_status(Scope, leat_request* request) {
  std::string codes;
  for (const uint32_t status : {0u, 100u, 199u, 600u, 65736u})
    codes += std::to_string(api_response->status(request, status)) + " ";
  codes += std::to_string(api_response->send_problem(request, 200, {}, {}));
  return answer(request, codes);
}
int32_t null_texts(Scope, leat_request* request) {
  std::string codes;
  codes += std::to_string(api_response->content_type(request, {nullptr, 0})) + " ";
  codes += std::to_string(api_response->send(request, {nullptr, 5})) + " ";
  codes += std::to_string(api_request->header(request, {nullptr, 0}).ptr == nullptr) + " ";
  codes += std::to_string(api_arena->copy(request, {nullptr, 0}).ptr != nullptr) + " ";
  codes += std::to_string(api_arena->alloc(request, 8, 3) == nullptr);
  return answer(request, codes);
}
int32_t sends_null(Scope, leat_request* request) {
  return api_response->send(request, {nullptr, 0}) == LEAT_OK ? LEAT_DONE : LEAT_ERROR;
}
int32_t adds_large(leat_request* request) {
  const std::string large(16 * 1024, 'x');
  return api_response->add_header(request, LEAT_STR("X-Large"), text(large));
}
int32_t large_head(Scope, leat_request* request) {
  return adds_large(request) == LEAT_OK ? answer(request, "never sent") : LEAT_ERROR;
}
int32_t large_head_in_pieces(Scope, leat_request* request) {
  if (adds_large(request) != LEAT_OK || api_response->begin(request, -1) != LEAT_OK) return LEAT_ERROR;
  return api_response->write(request, LEAT_STR("never sent")) == LEAT_E_STATE ? LEAT_DONE : LEAT_ERROR;
}
int32_t too_many_headers(Scope, leat_request* request) {
  int32_t code = LEAT_OK;
  for (int i = 0; i < 100 && code == LEAT_OK; ++i)
    code = api_response->add_header(request, LEAT_STR("X-Many"), LEAT_STR("1"));
  return answer_code(request, code);
}
int32_t too_much_memory(Scope, leat_request* request) {
  int chunks = 0;
  while (chunks < 100'000 && api_arena->alloc(request, 1 << 20, 16) != nullptr) ++chunks;
  return answer(request, chunks < 100'000 ? "refused" : "unlimited");
}
// Takes all the memory that a request can have, to the last byte, and fails.
int32_t hoards(Scope, leat_request* request) {
  for (const size_t size : {size_t{1} << 20, size_t{1} << 10, size_t{1}})
    while (api_arena->alloc(request, size, 1) != nullptr) {
    }
  return LEAT_ERROR;
}

// "id header count pairs... deadline", for what is asked for by number.
int32_t by_number(Scope, leat_request* request) {
  const auto view = [](leat_str text) {
    return std::string(text.ptr == nullptr ? "absent" : std::string(text.ptr, text.len));
  };
  const uint32_t agent = api_request->header_id(LEAT_STR("uSER-agent"));
  std::string found =
      std::to_string(agent != 0) + std::to_string(api_request->header_id(LEAT_STR("X-Unheard-Of"))) + " ";
  found += view(api_request->header_by_id(request, agent)) + " " +
           view(api_request->header_by_id(request, 0)) + " " +
           view(api_request->header_by_id(request, 1'000'000)) + " ";
  found += std::to_string(api_request->param_count(request));
  leat_str name{}, value{};
  int32_t code = LEAT_OK;
  for (uint32_t i = 0; code != LEAT_E_NOT_FOUND; ++i) {
    code = api_request->query_at(request, i, &name, &value);
    found += code == LEAT_OK ? " " + view(name) + "=" + view(value) : " " + std::to_string(code);
  }
  found += api_request->query_at(request, 0, nullptr, &value) == LEAT_E_ARGUMENT ? " refused" : " taken";
  const uint64_t now = api_timer->now_ns(request);
  const uint64_t deadline = api_request->deadline_ns(request);
  found += deadline > now && deadline != UINT64_MAX ? " later" : " never";
  return answer(request, found);
}

int32_t keeps_request(Scope, leat_request* request) {
  kept_request = request;
  return answer(request, "kept");
}
int32_t uses_kept_request(Scope, leat_request* request) {
  const bool refused = kept_request != request && api_request->path(kept_request).ptr == nullptr &&
                       api_response->send(kept_request, LEAT_STR("stolen")) == LEAT_E_THREAD;
  return answer(request, refused ? "refused" : "allowed");
}
int32_t uses_null_request(Scope, leat_request* request) {
  return answer_code(request, api_response->status(nullptr, 200));
}
int32_t other_thread(Scope, leat_request* request) {
  int32_t code = LEAT_OK;
  std::thread([&] { code = api_response->send(request, LEAT_STR("from elsewhere")); }).join();
  return answer_code(request, code);
}

int32_t resumed(Scope, leat_request* request, void* argument) {
  return request == nullptr ? LEAT_DONE : answer(request, static_cast<const char*>(argument));
}
char kFirst[] = "first";
char kSecond[] = "second";

int32_t completes_twice(Scope scope, leat_request* request) {
  leat_ticket ticket;
  if (api_async->suspend(request, &ticket) != LEAT_OK) return LEAT_ERROR;
  const int32_t once = api_async->complete(scope->host, ticket, resumed, kFirst);
  const int32_t again = api_async->complete(scope->host, ticket, resumed, kSecond);
  return once == 1 && again == 0 ? LEAT_PENDING : LEAT_ERROR;
}
int32_t resumed_before_the_last(Scope, leat_request* request, void* argument) {
  if (request != nullptr) ++*static_cast<int*>(argument);
  return LEAT_PENDING;
}
int32_t resumed_last(Scope, leat_request* request, void* argument) {
  return request == nullptr ? LEAT_DONE : answer_code(request, *static_cast<int*>(argument));
}
// Three at a time, completed in another order, each by its own ticket; one never is.
int32_t suspends_often(Scope scope, leat_request* request) {
  auto* resumptions = static_cast<int*>(api_arena->alloc(request, sizeof(int), alignof(int)));
  *resumptions = 0;
  leat_ticket tickets[4];
  for (leat_ticket& ticket : tickets)
    if (api_async->suspend(request, &ticket) != LEAT_OK) return LEAT_ERROR;
  int32_t accepted = 0;
  accepted += api_async->complete(scope->host, tickets[1], resumed_before_the_last, resumptions);
  accepted += api_async->complete(scope->host, tickets[0], resumed_before_the_last, resumptions);
  accepted += api_async->complete(scope->host, tickets[1], resumed_before_the_last, resumptions);
  accepted += api_async->complete(scope->host, tickets[3], resumed_last, resumptions);
  return accepted == 3 ? LEAT_PENDING : LEAT_ERROR;
}
int32_t foreign_tickets(Scope scope, leat_request* request) {
  int32_t accepted = 0;
  for (const leat_ticket ticket : {leat_ticket{0, 0, 0}, leat_ticket{99, 0, 1}, leat_ticket{0, 12345, 1},
                                   leat_ticket{0, UINT32_MAX, UINT64_MAX}})
    accepted += api_async->complete(scope->host, ticket, resumed, kFirst);
  leat_ticket mine;
  if (api_async->suspend(request, &mine) != LEAT_OK) return LEAT_ERROR;
  accepted +=
      api_async->complete(scope->host, {mine.worker, mine.slot, mine.generation + 1}, resumed, kFirst);
  accepted += api_async->complete(nullptr, mine, resumed, kFirst);
  accepted += api_async->complete(scope->host, mine, nullptr, kFirst);
  return answer_code(request, accepted);
}
int32_t suspends_after_answer(Scope, leat_request* request) {
  answer(request, "answered");
  leat_ticket ticket;
  return api_async->suspend(request, &ticket) == LEAT_E_STATE &&
                 api_timer->resume_after(request, 1, resumed, kFirst) == LEAT_E_STATE
             ? LEAT_DONE
             : LEAT_ERROR;
}
int32_t throws_when_resumed(Scope, leat_request* request) {
  const auto thrower = [](Scope, leat_request*, void*) -> int32_t { throw std::runtime_error("late"); };
  return api_timer->resume_after(request, 1, thrower, nullptr) == LEAT_OK ? LEAT_PENDING : LEAT_ERROR;
}
int32_t passes_when_resumed(Scope, leat_request* request) {
  const auto passer = [](Scope, leat_request*, void*) { return LEAT_NEXT; };
  return api_timer->resume_after(request, 1, passer, nullptr) == LEAT_OK ? LEAT_PENDING : LEAT_ERROR;
}
int32_t ticks(Scope, leat_request* request) {  // three timers, one after the other, then an answer
  static constexpr leat_resume kTick = [](Scope, leat_request* again, void* left) -> int32_t {
    const auto count = reinterpret_cast<uintptr_t>(left);
    if (count == 0) return answer(again, "three ticks");
    return api_timer->resume_after(again, 1, kTick, reinterpret_cast<void*>(count - 1)) == LEAT_OK
               ? LEAT_PENDING
               : LEAT_ERROR;
  };
  return kTick(nullptr, request, reinterpret_cast<void*>(3));
}
int32_t forges_a_log_line(Scope scope, leat_request* request) {
  api_log->write(scope->host, LEAT_LOG_WARN, LEAT_STR("line one\n2026 ERROR forged"));
  return answer(request, "logged");
}

// Answers from on_cancel, which must come to nothing.
int32_t waits_for_body(Scope, leat_request*) { return LEAT_DONE; }
void answers_in_cancel(Scope, leat_request* request) {
  leat_ticket ticket;
  if (api_response->send(request, LEAT_STR("too late")) != LEAT_E_STATE) std::terminate();
  if (api_async->suspend(request, &ticket) != LEAT_E_STATE) std::terminate();
}
void throws_in_done(Scope, leat_request*) { throw std::runtime_error("in on_done"); }

#define HANDLER(function) \
  {.struct_size = sizeof(leat_handler), .name = LEAT_STR_INIT(#function), .handle = function}
const leat_handler handlers[] = {
    HANDLER(throws),
    HANDLER(throws_a_number),
    HANDLER(throws_after_begin),
    HANDLER(twice),
    HANDLER(next_after_answer),
    HANDLER(error_after_answer),
    HANDLER(blocks),
    HANDLER(done_without_answer),
    HANDLER(never_answers),
    HANDLER(begins_only),
    HANDLER(no_verdict),
    HANDLER(fails),
    HANDLER(passes),
    HANDLER(write_before_begin),
    HANDLER(write_after_end),
    HANDLER(writes_too_much),
    HANDLER(writes_too_little),
    HANDLER(begins_badly),
    HANDLER(injects),
    HANDLER(bad_status),
    HANDLER(null_texts),
    HANDLER(sends_null),
    HANDLER(too_many_headers),
    HANDLER(large_head),
    HANDLER(large_head_in_pieces),
    HANDLER(too_much_memory),
    HANDLER(hoards),
    HANDLER(by_number),
    HANDLER(keeps_request),
    HANDLER(uses_kept_request),
    HANDLER(uses_null_request),
    HANDLER(other_thread),
    HANDLER(completes_twice),
    HANDLER(suspends_often),
    HANDLER(foreign_tickets),
    HANDLER(suspends_after_answer),
    HANDLER(throws_when_resumed),
    HANDLER(passes_when_resumed),
    HANDLER(ticks),
    HANDLER(forges_a_log_line),
    {.struct_size = sizeof(leat_handler),
     .flags = LEAT_HANDLER_STREAM_BODY | LEAT_HANDLER_ANY_THREAD,  // which contradict each other
     .name = LEAT_STR_INIT("streams_and_never_answers"),
     .handle = waits_for_body,
     .on_cancel = answers_in_cancel,
     .on_done = throws_in_done},
};

}  // namespace

extern "C" const leat_plugin_entry leat_plugin = {LEAT_ENTRY("misuse", "1.0"), .load = load,
                                                  .handlers = handlers,
                                                  .handler_count = sizeof handlers / sizeof *handlers};
