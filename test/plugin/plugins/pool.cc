// Handlers that give work to the pool, and what is wrong with some of it.
#include <leat/plugin.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

extern "C" {
LEAT_NOTE("pool");
}

namespace {

const leat_request_v1* api_request;
const leat_response_v1* api_response;
const leat_pool_v1* api_pool;

int32_t load(const leat_host* host, leat_error* error) {
  const auto find = [host](auto*& table, leat_str name) {
    table = static_cast<std::remove_reference_t<decltype(table)>>(host->extension(host, name));
    return table != nullptr;
  };
  if (find(api_request, LEAT_STR("leat.request/1")) && find(api_response, LEAT_STR("leat.response/1")) &&
      find(api_pool, LEAT_STR("leat.pool/1")))
    return LEAT_OK;
  host->fail(error, LEAT_STR(""), LEAT_STR("needs more than this host has"));
  return LEAT_E_NOT_FOUND;
}

using Scope = const leat_scope*;

std::atomic<int> alive, works, delivered, without_request, cancels_seen;
std::atomic<bool> gate;

// A number of the query, 0 if it is not there.
int number(const leat_request* request, const char* name) {
  const leat_str text = api_request->query_param(request, {name, std::char_traits<char>::length(name)});
  return text.ptr == nullptr ? 0 : std::atoi(std::string(text.ptr, text.len).c_str());
}

int32_t answer(leat_request* request, const std::string& text) {
  api_response->send(request, {text.data(), text.size()});
  return LEAT_DONE;
}

// What a request carries to the pool and back; on the heap, so that a sanitizer sees what is lost.
struct Parcel {
  Parcel() { ++alive; }
  ~Parcel() { --alive; }
  Parcel(const Parcel&) = delete;
  Parcel& operator=(const Parcel&) = delete;
  std::vector<int> results;
  std::atomic<int> now = 0, most = 0;
  int sleep_us = 0, fail_at = -1, throw_at = -1;
  std::thread::id worker = std::this_thread::get_id();
};

void square(void* argument) {
  ++works;
  auto& parcel = *static_cast<Parcel*>(argument);
  if (parcel.worker == std::this_thread::get_id()) std::terminate();
  if (parcel.sleep_us != 0) std::this_thread::sleep_for(std::chrono::microseconds(parcel.sleep_us));
  for (int& each : parcel.results) each *= each;
}

int32_t answer_squares(Scope, leat_request* request, void* argument) {
  ++delivered;
  auto* parcel = static_cast<Parcel*>(argument);
  if (parcel->worker != std::this_thread::get_id()) std::terminate();
  std::string text;
  for (const int each : parcel->results) text += (text.empty() ? "" : " ") + std::to_string(each);
  delete parcel;
  if (request != nullptr) return answer(request, text);
  ++without_request;
  return LEAT_DONE;
}

int32_t begin(leat_request* request, void (*work)(void*), Parcel* parcel) {
  const int32_t begun = api_pool->submit(request, work, answer_squares, parcel);
  if (begun == LEAT_OK) return LEAT_PENDING;
  delete parcel;
  if (begun != LEAT_E_BUSY) return LEAT_ERROR;
  api_response->send_problem(request, 503, LEAT_STR("Too much work is waiting."), LEAT_STR(""));
  return LEAT_DONE;
}

int32_t squares(Scope, leat_request* request) {
  auto* parcel = new Parcel;
  parcel->results = {number(request, "n"), 3};
  parcel->sleep_us = number(request, "us");
  return begin(request, square, parcel);
}

// Runs until /open, or until its client has gone.
void wait_at_gate(void* argument) {
  ++works;
  static_cast<Parcel*>(argument)->results = {7};
  while (!gate && api_pool->cancelled() == 0) std::this_thread::sleep_for(std::chrono::microseconds(100));
  if (api_pool->cancelled() != 0) ++cancels_seen;
}
int32_t blocks(Scope, leat_request* request) { return begin(request, wait_at_gate, new Parcel); }
// Runs until /open, whoever has gone.
void stay_until_open(void*) {
  ++works;
  while (!gate) std::this_thread::sleep_for(std::chrono::microseconds(100));
}
int32_t stays(Scope, leat_request* request) { return begin(request, stay_until_open, new Parcel); }
int32_t opens(Scope, leat_request* request) {
  gate = true;
  return answer(request, "open");
}
int32_t closes(Scope, leat_request* request) {
  gate = false;
  return answer(request, "closed");
}

void throws_in_work(void*) {
  if (api_response->send(nullptr, LEAT_STR("from elsewhere")) != LEAT_E_THREAD) std::terminate();
  throw std::runtime_error("a broken thread");
}
int32_t throws(Scope, leat_request* request) { return begin(request, throws_in_work, new Parcel); }

// Answers while its work is out.
int32_t answers_early(Scope, leat_request* request) {
  const int32_t begun = begin(request, wait_at_gate, new Parcel);
  return begun != LEAT_PENDING ? begun : answer(request, "early");
}

// Its client may have left by the time that it throws.
int32_t throw_late(Scope, leat_request*, void* argument) {
  delete static_cast<Parcel*>(argument);
  throw std::runtime_error("too late");
}
int32_t throws_late(Scope, leat_request* request) {
  auto* parcel = new Parcel;
  if (api_pool->submit(request, wait_at_gate, throw_late, parcel) == LEAT_OK) return LEAT_PENDING;
  delete parcel;
  return LEAT_ERROR;
}

// Three at once, the last to come back answers.
struct Several {
  int left = 0;
};
void nothing(void*) {}
int32_t one_of_several(Scope, leat_request* request, void* argument) {
  auto* several = static_cast<Several*>(argument);
  if (--several->left > 0) return LEAT_PENDING;
  delete several;
  return request == nullptr ? LEAT_DONE : answer(request, "all three");
}
int32_t several(Scope, leat_request* request) {
  auto* all = new Several;
  int begun = 0;
  while (begun < 3 && api_pool->submit(request, nothing, one_of_several, all) == LEAT_OK) ++begun;
  all->left = begun;
  if (begun > 0) return LEAT_PENDING;
  delete all;
  api_response->send_problem(request, 503, LEAT_STR("Too much work is waiting."), LEAT_STR(""));
  return LEAT_DONE;
}

int32_t one_of_many(void* argument, uint32_t index) {
  ++works;
  auto& parcel = *static_cast<Parcel*>(argument);
  const int now = ++parcel.now;
  int most = parcel.most;
  while (now > most && !parcel.most.compare_exchange_weak(most, now)) {
  }
  if (parcel.sleep_us != 0) std::this_thread::sleep_for(std::chrono::microseconds(parcel.sleep_us));
  parcel.results[index] = static_cast<int>(index * index);
  --parcel.now;
  if (static_cast<int>(index) == parcel.throw_at) throw std::runtime_error("one of many");
  return static_cast<int>(index) == parcel.fail_at ? -77 : LEAT_OK;
}

int32_t answer_many(Scope, leat_request* request, void* argument, const leat_gather_result* result) {
  ++delivered;
  auto* parcel = static_cast<Parcel*>(argument);
  std::string text = std::to_string(result->count) + " failed " + std::to_string(result->failed) +
                     " skipped " + std::to_string(result->skipped);
  if (result->first_failed != UINT32_MAX)
    text += " first " + std::to_string(result->first_failed) + ": " + std::to_string(result->first_error);
  text += parcel->now == 0 ? " limit " + std::to_string(parcel->most) : " still running";
  long long sum = 0;
  for (const int each : parcel->results) sum += each;
  text += " sum " + std::to_string(sum);
  delete parcel;
  if (request != nullptr) return answer(request, text);
  ++without_request;
  return LEAT_DONE;
}

int32_t gathers(Scope, leat_request* request) {
  auto* parcel = new Parcel;
  const auto count = static_cast<uint32_t>(number(request, "count"));
  parcel->results.resize(count);
  parcel->sleep_us = number(request, "us");
  parcel->fail_at = number(request, "fail") - 1;
  parcel->throw_at = number(request, "throw") - 1;
  const int32_t begun =
      api_pool->gather(request, count, static_cast<uint32_t>(number(request, "limit")), one_of_many,
                       answer_many, parcel, number(request, "fast") != 0 ? LEAT_GATHER_FAIL_FAST : 0,
                       static_cast<uint64_t>(number(request, "deadline")));
  if (begun == LEAT_OK) return LEAT_PENDING;
  delete parcel;
  if (begun != LEAT_E_BUSY) return LEAT_ERROR;
  api_response->send_problem(request, 503, LEAT_STR("Too much work is waiting."), LEAT_STR(""));
  return LEAT_DONE;
}

int32_t misuses(Scope, leat_request* request) {
  std::string text;
  const auto note = [&text](int32_t code) { text += (text.empty() ? "" : " ") + std::to_string(code); };
  int32_t elsewhere = 0;
  std::thread([&] { elsewhere = api_pool->submit(request, nothing, one_of_several, nullptr); }).join();
  note(elsewhere);
  note(api_pool->submit(nullptr, nothing, one_of_several, nullptr));
  note(api_pool->submit(request, nullptr, one_of_several, nullptr));
  note(api_pool->submit(request, nothing, nullptr, nullptr));
  note(api_pool->gather(request, 1, 1, nullptr, answer_many, nullptr, 0, 0));
  note(api_pool->gather(request, 1, 1, one_of_many, nullptr, nullptr, 0, 0));
  note(api_pool->gather(request, 1, 1, one_of_many, answer_many, nullptr, 2, 0));
  note(api_pool->cancelled());
  answer(request, text);
  if (api_pool->submit(request, nothing, one_of_several, nullptr) != LEAT_E_STATE) std::terminate();
  return LEAT_DONE;
}

int32_t counts(Scope, leat_request* request) {
  return answer(request, "alive " + std::to_string(alive) + " works " + std::to_string(works) +
                             " delivered " + std::to_string(delivered) + " without " +
                             std::to_string(without_request) + " cancels " + std::to_string(cancels_seen));
}

int32_t create(const leat_host*, const leat_config*, void**, leat_error*) {
  works = delivered = without_request = cancels_seen = 0;
  gate = false;
  return LEAT_OK;
}
// Whatever was given to the pool has come back.
void destroy(void*) {
  if (alive != 0) std::terminate();
}

#define HANDLER(function) \
  {.struct_size = sizeof(leat_handler), .name = LEAT_STR_INIT(#function), .handle = function}
const leat_handler handlers[] = {HANDLER(squares), HANDLER(blocks),        HANDLER(opens),
                                 HANDLER(closes),  HANDLER(throws),        HANDLER(several),
                                 HANDLER(gathers), HANDLER(misuses),       HANDLER(counts),
                                 HANDLER(stays),   HANDLER(answers_early), HANDLER(throws_late)};

}  // namespace

extern "C" const leat_plugin_entry leat_plugin = {
    LEAT_ENTRY("pool", "1.0"), .load = load,         .create = create,
    .destroy = destroy,        .handlers = handlers, .handler_count = sizeof handlers / sizeof *handlers};
