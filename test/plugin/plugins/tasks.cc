// Handlers that are coroutines, one for each way to wait.
#include <leat/plugin.hpp>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

using leat::Json;
using leat::Reply;
using leat::Task;
using std::chrono::milliseconds;
using namespace std::chrono_literals;

std::atomic<int> alive = 0;

// Counts its objects, so that a test sees that each was destroyed, and holds what a sanitizer would miss.
class Counted {
 public:
  explicit Counted(std::string_view text = "a text of a size that needs the heap") : text_(text) { ++alive; }
  Counted(const Counted& other) : text_(other.text_) { ++alive; }
  Counted& operator=(const Counted&) = delete;
  ~Counted() {
    if (text_.empty()) std::terminate();
    --alive;
  }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
};

// Destroyed with its request's memory still there, which it reads.
class Reader {
 public:
  explicit Reader(leat::Request& request) : request_(request) {}
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
  ~Reader() {
    if (request_.path() != "/steps/2") std::terminate();
  }

 private:
  leat::Request& request_;
};

class Tail {
 public:
  void on_request() {}
  void on_body(std::string_view piece) { bytes_ += piece.size(); }
  Task<Reply> on_body_end(Json& json) {
    const Counted counted;
    co_await leat::sleep(5ms);
    co_return json.object("bytes", bytes_);
  }

 private:
  const Counted counted_;
  size_t bytes_ = 0;
};

class Tasks : public leat::Plugin<Tasks> {
 public:
  ~Tasks() {
    for (std::thread& thread : threads_) thread.join();
  }

  Reply plain(leat::Path<uint32_t, "n"> n, Json& json) { return json.object("n", n); }
  Task<Reply> at_once(leat::Path<uint32_t, "n"> n, Json& json) { co_return json.object("n", n); }

  Task<Reply> nap(leat::Path<uint32_t, "ms"> ms, leat::Query<std::string_view, "q"> q, leat::Request& request,
                  Json& json) {
    co_await leat::sleep(request, milliseconds(*ms));
    co_return json.object("ms", ms, "q", q, "path", request.path(), "header", request.header("X-Some"));
  }

  // Waits `n` times, each in a block of its own, in a task of its own.
  Task<Reply> steps(leat::Path<int, "n"> n, leat::Request& request, Json& json) {
    const Counted first;
    std::vector<std::string> passed;
    for (int i = 0; i < n; ++i) passed.push_back(co_await step(request, i, Counted("step")));
    co_return json.object("passed", passed);
  }
  static Task<std::string> step(leat::Request& request, int number, const Counted& given) {
    const Reader reader(request);
    const Counted own("number " + std::to_string(number));
    co_await leat::sleep(1ms);
    {
      const Counted inner;
      co_await leat::sleep(2ms);
    }
    co_return given.text() + " " + own.text();
  }

  // Tasks in tasks; the innermost waits, or throws.
  Task<Reply> deep(leat::Path<int, "depth"> depth, leat::Query<std::string_view, "end"> end, Json& json) {
    co_return json.object("depth", co_await down(*depth, *end));
  }
  static Task<int> down(int left, std::string_view end) {
    const Counted counted;
    if (left > 0) co_return 1 + co_await down(left - 1, end);
    if (end == "throw") throw std::runtime_error("thrown at the bottom");
    if (end == "problem") throw leat::Problem{409, "It is deep."};
    if (end == "wait") co_await leat::sleep(1ms);
    if (end == "throw_late") {
      co_await leat::sleep(1ms);
      throw std::runtime_error("thrown late");
    }
    if (end == "problem_late") {
      co_await leat::sleep(1ms);
      throw leat::Problem{410, "It was deep."};
    }
    co_return 0;
  }

  // Many tasks, one after the other: their memory is used again.
  Task<Reply> loop(leat::Path<int, "n"> n, leat::Query<bool, "wait"> wait, Json& json) {
    uint64_t sum = 0;
    for (int i = 0; i < n; ++i) sum += co_await square(static_cast<uint64_t>(i), wait);
    co_return json.object("sum", sum);
  }
  static Task<uint64_t> square(uint64_t i, bool wait) {
    if (wait) co_await leat::sleep(0ms);
    co_return i* i;
  }

  Task<Reply> elsewhere(Json& json, leat::Query<int, "before"> before) {
    leat::Completion<Counted> completion;
    complete_soon(completion.completer());
    // It may come while this waits for something else.
    for (int i = 0; i < before; ++i) co_await leat::sleep(1ms);
    const Counted result = co_await completion;
    co_return json.object("text", result.text());
  }
  Task<Reply> unwanted() {
    leat::Completion<Counted> completion;
    complete_soon(completion.completer());
    co_return leat::text("answered without");
  }
  Task<Reply> dropped() {
    leat::Completion<int> completion;
    {
      const auto completer = completion.completer();
    }
    co_return leat::text(std::to_string(co_await completion));
  }

  Task<leat::Result<Reply>> result(leat::Query<bool, "good"> good) {
    co_await leat::sleep(1ms);
    if (!*good) co_return leat::problem(422, "not good");
    co_return leat::text("good");
  }

  // An answer in pieces, as fast as the client reads.
  Task<void> pieces(leat::Path<int, "n"> n, leat::Response& response) {
    const Counted counted;
    const std::string piece(10'000, 'p');
    response.begin();
    for (int i = 0; i < n; ++i)
      if (!response.write(piece)) co_await leat::writable();
    response.end();
  }

  // Tasks that are wrong.
  Task<Reply> empty() { return {}; }
  Task<Reply> unawaited(Json& json) {
    const Task<int> never = down(3, "");
    co_await leat::sleep(1ms);
    co_return json.object("alive", alive.load());
  }
  Task<Reply> no_room() {
    co_await leat::writable();
    co_return leat::text("never");
  }

  static Reply living(Json& json) { return json.object("alive", alive.load()); }
  static Task<Reply> living_task(Json& json) { co_return json.object("alive", alive.load()); }
  static Task<Reply> living_nested(Json& json) {
    uint64_t sum = 0;
    for (uint64_t i = 0; i < 3; ++i) sum += co_await square(i, false);
    co_return json.object("sum", sum);
  }
  static Task<Reply> heap_task(Json& json) {
    const Counted counted;
    co_return json.object("text", counted.text());
  }

  static constexpr auto handlers() {
    return leat::list(handler<&Tasks::plain>("plain"), handler<&Tasks::at_once>("at_once"),
                      handler<&Tasks::nap>("nap"), handler<&Tasks::steps>("steps"),
                      handler<&Tasks::deep>("deep"), handler<&Tasks::loop>("loop"),
                      handler<&Tasks::elsewhere>("elsewhere"), handler<&Tasks::unwanted>("unwanted"),
                      handler<&Tasks::dropped>("dropped"), handler<&Tasks::result>("result"),
                      handler<&Tasks::pieces>("pieces"), handler<&Tasks::empty>("empty"),
                      handler<&Tasks::unawaited>("unawaited"), handler<&Tasks::no_room>("no_room"),
                      handler<&Tasks::living>("living"), handler<&Tasks::living_task>("living_task"),
                      handler<&Tasks::living_nested>("living_nested"),
                      handler<&Tasks::heap_task>("heap_task"), stream<Tail>("tail"));
  }

 private:
  void complete_soon(leat::Completer<Counted> completer) {
    threads_.emplace_back(
        [completer = std::move(completer)]() mutable { completer.complete(Counted("from another thread")); });
  }
  std::vector<std::thread> threads_;
};

}  // namespace

LEAT_PLUGIN(Tasks, "tasks", "1.0")
