// What the C++ wrapper offers, one handler for each.
#include <leat/plugin.hpp>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

using leat::Json;
using leat::Reply;

struct Point {
  int x, y;
};
void to_json(Json& json, const Point& point) { json.object("x", point.x, "y", point.y); }

std::atomic<int> counted_objects = 0;

// Counts its objects, so that a test sees that each was destroyed.
class Counted {
 public:
  Counted() { ++counted_objects; }
  ~Counted() { --counted_objects; }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;

  Reply on_request(leat::Path<uint32_t, "id"> id, leat::Json& json) {
    text_ = "object " + std::to_string(id) + " of a size that needs the heap";
    return json.object("text", text_, "objects", counted_objects.load());
  }

 private:
  std::string text_;
};

class Upload {
 public:
  void on_request(leat::Request& request) { request.limit_body(20); }
  void on_body(std::string_view piece) {
    if (piece == "boom") throw leat::Problem{422, "That explodes."};
    bytes_ += piece.size();
  }
  Reply on_body_end(leat::Json& json) { return json.object("bytes", bytes_); }

 private:
  size_t bytes_ = 0;
};

class Wrapper : public leat::Plugin<Wrapper> {
 public:
  struct Worker : leat::PerWorker {
    Worker(Wrapper& plugin, uint32_t index) : number(index + 100), greeting(plugin.greeting_) {}
    uint32_t number;
    std::string greeting;
  };

  explicit Wrapper(leat::Setup& setup)
      : greeting_(setup.text("greeting", "hello")),
        factor_(setup.real("factor", 1.5, {0, 10})),
        loud_(setup.boolean("loud", false)),
        count_(setup.integer("count", 3, {1, 9})),
        names_(setup.texts("names", {"nobody"})),
        ports_(setup.integers("ports", {80}, {1, 65'535})),
        ratios_(setup.reals("ratios", {}, {0, 1})) {
    for (const bool flag : setup.booleans("flags")) flags_ += flag ? '1' : '0';
    setup.tables("places",
                 [&](const leat::Setup& place) { places_.push_back(place.text("name", "nowhere")); });
    setup.table("nested", [&](const leat::Setup& nested) { depth_ = nested.integer("depth", 1, {1, 5}); });
    if (greeting_ == "forbidden") setup.fail("greeting", "is not a greeting");
    if (greeting_ == "throw") throw std::runtime_error("no such greeting");
  }
  ~Wrapper() {
    for (std::thread& thread : threads_) thread.join();
  }

  Reply settings(Json& json, Worker& worker) const {
    return json.object("greeting", greeting_, "factor", factor_, "loud", loud_, "count", count_, "depth",
                       depth_, "worker", worker.number, "worker_greeting", worker.greeting);
  }

  Reply parameters(leat::Path<uint64_t, "id"> id, leat::Path<std::string_view, "name"> name,
                   leat::Query<std::optional<int>, "limit", leat::Range{1, 100}> limit,
                   leat::Query<int, "page", leat::Default{1}> page,
                   leat::Query<double, "ratio", leat::Range{0.0, 1.0}, leat::Default{0.5}> ratio,
                   leat::Query<bool, "flag", leat::Default{false}> flag,
                   leat::Query<std::optional<std::string_view>, "q"> q,
                   leat::Header<std::optional<uint32_t>, "X-Number"> number,
                   leat::Cookie<std::optional<std::string_view>, "session"> session, Json& json) {
    return json.object("id", id, "name", name, "limit", limit, "page", page, "ratio", ratio, "flag", flag,
                       "q", q, "number", number, "session", session);
  }
  Reply required(leat::Query<int, "must">, leat::Header<std::string_view, "X-Must">) {
    return leat::text("both");
  }

  Reply values(Json& json) {
    const std::vector<Point> points = {{1, 2}, {3, 4}};
    return json.object("null", nullptr, "none", std::optional<int>(), "some", std::optional(7), "yes", true,
                       "small", int8_t{-1}, "large", UINT64_MAX, "real", 0.25, "text", std::string("t\"q"),
                       "points", points, "inner",
                       leat::members("a", 1, "b", std::vector<std::string>{"x", "y"}), "written",
                       [](Json& inner) { inner.begin_array().raw("[0]").value(1).end_array(); });
  }

  Reply lists(Json& json) const {
    return json.object("names", names_, "ports", ports_, "ratios", ratios_, "flags", flags_, "places",
                       places_);
  }
  Reply throws() { throw std::runtime_error("thrown in a handler"); }
  Reply throws_problem() { throw leat::Problem{409, "It is in use."}; }
  Reply returns_problem() { return leat::problem(418, "short and stout"); }
  static leat::Result<Reply> result(leat::Query<bool, "good"> good) {
    if (!*good) return leat::problem(400, "not good");
    return leat::text(std::string("good, and made for this answer"));
  }
  Reply bad_header(leat::Response& response) {
    response.header("X-Bad", "a\r\nX-Evil: 1");
    return leat::text("not reached");
  }
  Reply answers_twice(leat::Response& response) {
    response.begin();
    response.end();
    response.begin();
    return leat::answered();
  }
  Reply incomplete_json(Json& json) { return json.begin_object().key("a"); }
  void says_nothing() {}
  Reply later(leat::Request& request, leat::Query<int, "ms"> ms) {
    return request.after(std::chrono::milliseconds(*ms), [ms](Json& json, Wrapper& self) -> Reply {
      return json.object("ms", ms, "said", self.greeting_);
    });
  }

  Reply elsewhere(leat::Request& request) {
    auto completer =
        request.suspend<std::string>([](std::string text, Json& json, leat::Request& again) -> Reply {
          return json.object("text", text, "path", again.path());
        });
    threads_.emplace_back(
        [completer = std::move(completer)]() mutable { completer.complete("computed on another thread"); });
    return leat::pending();
  }
  Reply dropped(leat::Request& request) {
    auto completer = request.suspend<int>([](int) { return leat::text("never"); });
    return leat::pending();
  }

  static constexpr auto handlers() {
    return leat::list(handler<&Wrapper::settings>("settings"), handler<&Wrapper::lists>("lists"),
                      handler<&Wrapper::parameters>("parameters"), handler<&Wrapper::required>("required"),
                      handler<&Wrapper::values>("values"), handler<&Wrapper::throws>("throws"),
                      handler<&Wrapper::throws_problem>("throws_problem"),
                      handler<&Wrapper::returns_problem>("returns_problem"),
                      handler<&Wrapper::result>("result"), handler<&Wrapper::bad_header>("bad_header"),
                      handler<&Wrapper::answers_twice>("answers_twice"),
                      handler<&Wrapper::incomplete_json>("incomplete_json"),
                      handler<&Wrapper::says_nothing>("says_nothing"), handler<&Wrapper::later>("later"),
                      handler<&Wrapper::elsewhere>("elsewhere"), handler<&Wrapper::dropped>("dropped"),
                      stream<Counted>("counted"), stream<Upload>("upload"));
  }

 private:
  std::string greeting_;
  double factor_;
  bool loud_;
  int64_t count_;
  std::vector<std::string> names_;
  std::vector<int64_t> ports_;
  std::vector<double> ratios_;
  std::string flags_;
  std::vector<std::string> places_;
  int64_t depth_ = 0;
  std::vector<std::thread> threads_;
};

}  // namespace

LEAT_PLUGIN(Wrapper, "wrapper", "2.1")
