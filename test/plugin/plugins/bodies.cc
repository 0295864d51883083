// Streamed bodies that do not flow by themselves: handlers that hold them up and go on later, and one that
// answers on_body with whatever verdict it is asked for.
#include <leat/plugin.hpp>

#include <chrono>
#include <cstdint>
#include <string_view>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;

// Takes a piece at a time and rests after each, the last one too.
class Paced {
 public:
  void on_request() {}
  void on_body(std::string_view piece, leat::Request& request) {
    bytes_ += piece.size();
    request.pause_body();
    (void)request.after(1ms, [](leat::Request& again) { again.resume_body(); });
  }
  leat::Reply on_body_end(leat::Json& json) { return json.object("bytes", bytes_); }

 private:
  size_t bytes_ = 0;
};

// Begins with a rest, and a timer that fires between pieces says nothing.
class Rested {
 public:
  void on_request(leat::Request& request) {
    request.pause_body();
    (void)request.after(1ms, [](leat::Request& again) { again.resume_body(); });
    (void)request.after(2ms, []() {});
  }
  void on_body(std::string_view piece) { bytes_ += piece.size(); }
  leat::Reply on_body_end(leat::Json& json) { return json.object("bytes", bytes_); }

 private:
  size_t bytes_ = 0;
};

// Holds the body up and forgets it.
class Forgotten {
 public:
  void on_request() {}
  void on_body(std::string_view, leat::Request& request) { request.pause_body(); }
  leat::Reply on_body_end() { return leat::text("never"); }
};

class Bodies : public leat::Plugin<Bodies> {
 public:
  // Has another thread say when the body goes on.
  class Elsewhere {
   public:
    void on_request() {}
    void on_body(std::string_view piece, leat::Request& request, Bodies& plugin) {
      bytes_ += piece.size();
      request.pause_body();
      auto completer = request.suspend<int>([](int, leat::Request& again) { again.resume_body(); });
      plugin.threads_.emplace_back([later = std::move(completer)]() mutable { later.complete(1); });
    }
    leat::Reply on_body_end(leat::Json& json) { return json.object("bytes", bytes_); }

   private:
    size_t bytes_ = 0;
  };

  ~Bodies() {
    for (std::thread& thread : threads_) thread.join();
  }

  static constexpr auto handlers();

 private:
  std::vector<std::thread> threads_;  // of one worker: tests have one
};

// --- Below the wrapper: "X-Do: pause timer pending" says what on_body does, "X-Then: pending" what its timer
// answers, "X-End: pending" what on_body_end answers without having answered the request.

const auto& api() { return leat::detail::api; }

std::string_view asked(const leat_request* request, const char* field) {
  const leat_str words = api().request->header(request, leat::to_str(field));
  return words.ptr == nullptr ? std::string_view() : leat::to_view(words);
}
bool says(std::string_view words, std::string_view word) {
  return words.find(word) != std::string_view::npos;
}
int32_t verdict(std::string_view words) {
  if (says(words, "next")) return LEAT_NEXT;
  if (says(words, "pending")) return LEAT_PENDING;
  if (says(words, "error")) return LEAT_ERROR;
  return says(words, "none") ? 77 : LEAT_DONE;
}
int32_t goes_on(const leat_scope*, leat_request* request, void*) {
  api().body->resume(request);
  const std::string_view words = asked(request, "X-Then");
  if (says(words, "send")) api().response->send(request, LEAT_STR("from the timer"));
  return verdict(words);
}
int32_t begins(const leat_scope*, leat_request*) { return LEAT_DONE; }
int32_t takes(const leat_scope*, leat_request* request, leat_str) {
  const std::string_view words = asked(request, "X-Do");
  if (says(words, "pause")) api().body->pause(request);
  if (says(words, "timer") && api().timer->resume_after(request, 1, goes_on, nullptr) != LEAT_OK)
    return LEAT_ERROR;
  if (says(words, "send")) api().response->send(request, LEAT_STR("early"));
  return verdict(words);
}
int32_t ends(const leat_scope*, leat_request* request) {
  const std::string_view words = asked(request, "X-End");
  if (!words.empty()) return verdict(words);
  return api().response->send(request, LEAT_STR("whole")) == LEAT_OK ? LEAT_DONE : LEAT_ERROR;
}

constexpr leat_handler told(leat_str name, int32_t (*end)(const leat_scope*, leat_request*)) {
  leat_handler handler{};
  handler.struct_size = sizeof handler;
  handler.flags = LEAT_HANDLER_STREAM_BODY;
  handler.name = name;
  handler.handle = begins;
  handler.on_body = takes;
  handler.on_body_end = end;
  return handler;
}

constexpr auto Bodies::handlers() {
  return leat::list(stream<Paced>("paced"), stream<Rested>("rested"), stream<Forgotten>("forgotten"),
                    stream<Elsewhere>("elsewhere"), told(LEAT_STR("told"), ends),
                    told(LEAT_STR("endless"), nullptr));
}

}  // namespace

LEAT_PLUGIN(Bodies, "bodies", "1.0.0")
