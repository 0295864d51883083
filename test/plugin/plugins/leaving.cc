// One handler for each way to wait, none of which comes to an answer by itself, and a count of who waits.
// Clients leave them; what a host does about that is seen in `left`.
#include <leat/plugin.hpp>

#include <atomic>
#include <chrono>
#include <mutex>
#include <ranges>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

using leat::Reply;
using leat::Task;
using namespace std::chrono_literals;

std::atomic<int> here = 0;  // requests, and work for them, that have not ended
std::atomic<int> told = 0;  // those that on_cancel was called for

class Here {
 public:
  Here() { ++here; }
  Here(const Here&) = delete;
  Here& operator=(const Here&) = delete;
  ~Here() { --here; }
};

class Waits {
 public:
  Reply on_request(leat::Request& request) {
    return request.after(1h, [] { return leat::text("late"); });
  }
  void on_cancel() { ++told; }

 private:
  const Here here_;
};

// Takes no more of its body for now.
class Holds {
 public:
  Reply on_request(leat::Request& request) {
    request.pause_body();
    return request.after(1h, [] { return leat::text("late"); });
  }
  void on_body(std::string_view) {}
  Reply on_body_end() { return leat::text("late"); }
  void on_cancel() { ++told; }

 private:
  const Here here_;
};

class Leaving : public leat::Plugin<Leaving> {
 public:
  explicit Leaving(leat::Setup& setup) : upstream_(setup, "upstream", "http://127.0.0.1:1") {}

  Task<Reply> sleeps() {
    const Here guard;
    co_await leat::sleep(1h);
    co_return leat::text("late");
  }
  // As server-sent events are: a first one, and nothing for long.
  Task<void> events(leat::Response& response) {
    const Here guard;
    response.type("text/event-stream").begin();
    (void)response.write("data: first\n\n");
    co_await leat::sleep(1h);
    response.end();
  }
  Task<Reply> gathers() {
    co_await leat::gather_with_limit(std::views::iota(0, 10), 5, [](int) -> Task<> {
      const Here guard;
      co_await leat::sleep(1h);
    });
    co_return leat::text("late");
  }
  Task<Reply> asks() {
    const Here guard;
    co_return leat::text((co_await upstream_.get("/sleep/60000")).body());
  }
  // Another thread is to complete it, and does not.
  Task<Reply> completes() {
    const Here guard;
    leat::Completion<int> completion;
    {
      const std::lock_guard lock(mutex_);
      completers_.push_back(completion.completer());
    }
    co_return leat::text(std::to_string(co_await completion));
  }
  Task<Reply> works() {
    co_await leat::blocking([] { block(); });
    co_return leat::text("late");
  }
  // For the pool.
  Reply blocks() {
    block();
    return leat::text("late");
  }
  Reply left(leat::Json& json) { return json.object("here", here.load(), "told", told.load()); }

  static constexpr auto handlers() {
    return leat::list(stream<Waits>("waits"), stream<Holds>("holds"), handler<&Leaving::sleeps>("sleeps"),
                      handler<&Leaving::events>("events"), handler<&Leaving::gathers>("gathers"),
                      handler<&Leaving::asks>("asks"), handler<&Leaving::completes>("completes"),
                      handler<&Leaving::works>("works"), handler<&Leaving::blocks>("blocks"),
                      handler<&Leaving::left>("left"));
  }

 private:
  static void block() {
    const Here guard;
    while (!leat::cancelled()) std::this_thread::sleep_for(1ms);
  }

  leat::Upstream upstream_;
  std::mutex mutex_;
  std::vector<leat::Completer<int>> completers_;
};

}  // namespace

LEAT_PLUGIN(Leaving, "leaving", "1.0")
