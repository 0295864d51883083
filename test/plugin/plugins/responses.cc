// Answers as its query says, and with how often it has answered, so that a test sees whether an answer was
// made or had been stored.
//
//   /path?status=404&header=Cache-Control:max-age=5&header=Vary:Accept&wait=20&size=5000&pieces=3&etag=a
#include <leat/plugin.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace {

std::atomic<int> runs = 0;
std::atomic<int> failing = 0;  // this status, instead of what is asked for
std::atomic<bool> stuck = false;

struct Point {
  int x;
  double y;
};
LEAT_JSON(Point, x, y);
struct Shape {
  std::string name;
  std::string_view note;
  uint8_t sides;
  bool closed;
  std::optional<int64_t> id;
  std::vector<Point> points;
  std::array<int, 2> size;
};
LEAT_JSON(Shape, name, note, sides, closed, id, points, size);

class Responses : public leat::Plugin<Responses> {
 public:
  explicit Responses(leat::Setup& setup) : responses_(setup) {}

  leat::Task<leat::Reply> make(leat::Request& request, leat::Response& response) {
    const int run = ++runs;
    const std::string query(request.query());
    if (const int wait = number(query, "wait", 0); wait != 0)
      co_await leat::sleep(request, std::chrono::milliseconds(wait));
    while (stuck) co_await leat::sleep(request, std::chrono::milliseconds(5));
    if (const int status = failing; status != 0) {
      response.status(status);
      co_return leat::text("failure " + std::to_string(run));
    }
    if (const int ttl = number(query, "ttl", -1); ttl >= 0)
      leat::cache_wish(request, {.ttl = std::chrono::milliseconds(ttl)});
    each(query, "tag", [&](std::string_view tag) { leat::cache_tag(request, tag); });
    response.status(number(query, "status", 200));
    each(query, "header", [&](std::string_view field) {
      const size_t colon = field.find(':');
      response.header(field.substr(0, colon), field.substr(colon + 1));
    });
    bool same = false;
    each(query, "etag", [&](std::string_view text) {
      const std::string tag = "\"" + std::string(text) + "\"";
      response.header("ETag", tag).header("X-Run", std::to_string(run));
      same = request.header("If-None-Match") == tag;
    });
    if (same) {
      response.status(304);
      co_return leat::text("");
    }
    std::string body =
        "run " + std::to_string(run) + " " + std::string(request.header("X-Echo").value_or(""));
    body.resize(std::max<size_t>(body.size(), static_cast<size_t>(number(query, "size", 0))), '.');
    co_return leat::text(std::move(body));
  }
  // How its other handlers behave from now on.
  leat::Reply set(leat::Query<std::optional<int>, "fail"> fail,
                  leat::Query<std::optional<bool>, "stick"> stick) {
    if (*fail) failing = **fail;
    if (*stick) stuck = **stick;
    return leat::text(std::string("set"));
  }
  leat::Reply purge(leat::Query<std::string_view, "tag"> tag) {
    return leat::text(
        std::string(responses_.purge_tag(*tag) && !responses_.purge("no path") ? "purged" : "refused"));
  }
  // What it was sent, as it was understood.
  Shape read(leat::JsonBody<Shape> shape) { return *shape; }
  leat::Reply post() { return leat::text(std::string("posted")); }

  // With hints before it, as often as is asked for, and with what is no hint.
  leat::Reply hinted(leat::Response& response, leat::Query<int, "times"> times,
                     leat::Query<bool, "wrong"> wrong) {
    for (int i = 0; i < *times; ++i)
      response.early_hints({"</a.css>; rel=preload; as=style", "<https://b.example>; rel=preconnect"});
    if (*wrong) response.early_hints({"</a.css>; rel=preload\r\nx: y"});
    response.header("Link", "</a.css>; rel=preload; as=style");
    return leat::text("hinted " + std::to_string(++runs));
  }

  static constexpr auto handlers() {
    return leat::list(handler<&Responses::make>("make"), handler<&Responses::set>("set"),
                      handler<&Responses::purge>("purge"), handler<&Responses::post>("post"),
                      handler<&Responses::read>("read"), handler<&Responses::hinted>("hinted"));
  }

 private:
  template <class Visit>
  static void each(std::string_view query, std::string_view name, Visit visit) {
    while (!query.empty()) {
      const std::string_view pair = query.substr(0, query.find('&'));
      query.remove_prefix(std::min(pair.size() + 1, query.size()));
      if (pair.starts_with(name) && pair.substr(name.size()).starts_with('='))
        visit(pair.substr(name.size() + 1));
    }
  }
  static int number(std::string_view query, std::string_view name, int otherwise) {
    each(query, name, [&](std::string_view value) { otherwise = std::stoi(std::string(value)); });
    return otherwise;
  }

  leat::Responses responses_;
};

}  // namespace

LEAT_PLUGIN(Responses, "responses", "1.0")
