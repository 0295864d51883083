// Handlers that ask another server, or have work done on the pool, one for each way in which that may go.
#include <leat/plugin.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace {

using leat::Fetched;
using leat::Json;
using leat::Reply;
using leat::Task;
using namespace std::chrono_literals;

class Fetches : public leat::Plugin<Fetches> {
 public:
  explicit Fetches(leat::Setup& setup)
      : upstream_(setup, "upstream", "http://127.0.0.1:1",
                  {.connections = static_cast<uint32_t>(setup.integer("connections", 0, {0, 1000})),
                   .waiting = static_cast<uint32_t>(setup.integer("waiting", 0, {0, 1000})),
                   .body_bytes = static_cast<uint64_t>(setup.integer("body_bytes", 0, {0, 1 << 30})),
                   .protocol = static_cast<leat::Upstream::Protocol>(setup.integer("protocol", 0, {0, 3}))}),
        nobody_(setup, "nobody", "http://127.0.0.1:1") {}

  // What the upstream says to the rest of the path, passed on.
  Task<Reply> pass(leat::Path<std::string_view, "rest"> rest, Json& json) {
    const Fetched fetched = co_await upstream_.get("/" + std::string(*rest));
    co_return json.object("status", fetched.status(), "type", fetched.header("CONTENT-TYPE").value_or("none"),
                          "size", fetched.body().size(), "body", fetched.body().substr(0, 64));
  }

  Task<Reply> post(leat::Body body) {
    const Fetched fetched = co_await upstream_.post("/echo", "text/plain", body);
    co_return leat::text(std::string(fetched.header("content-type").value_or("none")) + ": " +
                         std::string(fetched.body()));
  }

  // Many at once, over a few connections, in order.
  Task<Reply> many(leat::Path<uint32_t, "count"> count) {
    std::vector<uint32_t> items(*count);
    for (uint32_t i = 0; i < *count; ++i) items[i] = i;
    const auto sizes = co_await leat::gather_with_limit(items, 64, [this](uint32_t i) -> Task<size_t> {
      const Fetched fetched = co_await upstream_.get("/bytes/" + std::to_string(i));
      co_return fetched.body().size();
    });
    std::string text;
    for (const size_t size : sizes) text += std::to_string(size) + " ";
    co_return leat::text(text);
  }

  // What is said where no answer comes.
  Task<Reply> down() {
    const Fetched fetched = co_await nobody_.get("/");
    co_return leat::text(std::to_string(fetched.error()) + " " + std::string(fetched.message()));
  }
  Task<Reply> down_unhandled() { co_return leat::text((co_await nobody_.get("/")).body()); }
  Task<Reply> late() {
    const Fetched fetched = co_await upstream_.fetch({.target = "/sleep/10000", .timeout = 20ms});
    co_return leat::text(std::to_string(fetched.error()) + " " + std::string(fetched.message()));
  }
  // Given up by its own request: what was awaited is destroyed.
  Task<Reply> given_up() {
    auto task = [](const leat::Upstream& upstream) -> Task<int> {
      co_return (co_await upstream.get("/sleep/10000")).status();
    };
    const auto status = co_await leat::within(20ms, task(upstream_));
    co_return leat::text(std::string_view(status ? "answered" : "given up"));
  }
  // The same, and another one is asked for, which takes longer than the first would have.
  Task<Reply> given_up_and_on() {
    auto task = [](const leat::Upstream& upstream) -> Task<int> {
      co_return (co_await upstream.get("/sleep/100")).status();
    };
    const auto status = co_await leat::within(20ms, task(upstream_));
    const Fetched next = co_await upstream_.get("/sleep/200");
    co_return leat::text((status ? "answered " : "given up ") + std::to_string(next.status()));
  }
  Task<Reply> unfit() { co_return leat::text((co_await upstream_.get("/a b")).body()); }

  Task<Reply> blocking(leat::Path<std::string_view, "how"> how) {
    const std::string kind(*how);
    const std::string result = co_await leat::blocking([kind]() -> std::string {
      if (kind == "throw") throw leat::Problem{409, "the work says no"};
      return "worked on " + kind;
    });
    co_await leat::blocking([] { return; });
    co_return leat::text(result);
  }
  // The client leaves; the work ends when it sees that.
  Task<Reply> endless() {
    co_await leat::blocking([] {
      ++working;
      while (!leat::cancelled()) {
      }
      --working;
    });
    co_return leat::text("never");
  }
  Reply at_work(Json& json) { return json.object("working", working.load()); }

  static constexpr auto handlers() {
    return leat::list(handler<&Fetches::pass>("pass"), handler<&Fetches::post>("post"),
                      handler<&Fetches::many>("many"), handler<&Fetches::down>("down"),
                      handler<&Fetches::down_unhandled>("down_unhandled"), handler<&Fetches::late>("late"),
                      handler<&Fetches::given_up>("given_up"), handler<&Fetches::unfit>("unfit"),
                      handler<&Fetches::given_up_and_on>("given_up_and_on"),
                      handler<&Fetches::blocking>("blocking"), handler<&Fetches::endless>("endless"),
                      handler<&Fetches::at_work>("at_work"));
  }

 private:
  static inline std::atomic<int> working = 0;
  leat::Upstream upstream_;
  leat::Upstream nobody_;
};

}  // namespace

LEAT_PLUGIN(Fetches, "fetches", "1.0.0")
