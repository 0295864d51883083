// What the C++ wrapper shows of a request, and what it does to an answer, one handler for each.
#include <leat/plugin.hpp>

#include <chrono>
#include <cmath>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using leat::Json;
using leat::Reply;

// An array of pairs.
template <class Fields>
Json& list(Json& json, const Fields& fields) {
  json.begin_array();
  for (const leat::Field& field : fields) json.begin_array().value(field.name).value(field.value).end_array();
  return json.end_array();
}

// Its trailers are there when its body is.
class Trailers {
 public:
  void on_request(leat::Request& request) {
    before_ = request.trailers().begin() == request.trailers().end();
  }
  void on_body(std::string_view) {}
  Reply on_body_end(leat::Request& request, Json& json) {
    json.begin_object().key("none_before").value(before_).key("all");
    list(json, request.trailers()).key("sum").value(request.trailers().first("x-sum"));
    return json.end_object();
  }

 private:
  bool before_ = false;
};

class TimeLeft {
 public:
  void on_request(leat::Request& request) { early_ = request.time_left(); }
  void on_body(std::string_view) {}
  Reply on_body_end(leat::Request& request) {
    return leat::text(std::string(early_ ? "some" : "none") +
                      (request.time_left() ? ", then some" : ", then none"));
  }

 private:
  std::optional<std::chrono::nanoseconds> early_;
};

class Upload {
 public:
  void on_request(leat::Request& request) { form_.begin(request); }
  void on_body(std::string_view piece) { form_.feed(piece, *this); }
  Reply on_body_end(Json& json) {
    form_.end(*this);
    return json.object("parts", form_.parts(), "names", names_, "bytes", bytes_);
  }

  void on_part(const leat::Part& part) {
    names_.emplace_back(part.name);
    is_file_ = part.file_name.has_value();
  }
  void on_part_piece(std::string_view piece) { bytes_ += is_file_ ? piece.size() : 0; }
  void on_part_end() {}

 private:
  leat::Multipart form_{leat::MultipartLimits{.parts = 3}};
  std::vector<std::string> names_;
  bool is_file_ = false;
  size_t bytes_ = 0;
};

class Requests : public leat::Plugin<Requests> {
 public:
  Reply headers(leat::Request& request, Json& json) {
    json.begin_object().key("all");
    list(json, request.headers());
    std::vector<std::string_view> accept;
    for (const std::string_view value : request.headers().values("accept")) accept.push_back(value);
    return json.key("accept").value(accept).key("none").value(request.headers().first("X-None")).end_object();
  }
  Reply cookies(leat::Request& request, Json& json) {
    json.begin_object().key("all");
    return list(json, request.cookies()).key("b").value(request.cookies().first("b")).end_object();
  }
  Reply queries(leat::Request& request, Json& json) {
    json.begin_object().key("all");
    list(json, request.queries()).key("tags").begin_array();
    for (const std::string_view tag : request.queries().values("tag")) json.value(tag);
    return json.end_array().end_object();
  }
  Reply form(leat::Request& request, Json& json) { return list(json, request.form()); }
  Reply parts(leat::Request& request, Json& json) {
    json.begin_array();
    for (const leat::WholePart& part : leat::parts_of(request))
      json.object("name", part.name, "file", part.file_name, "type", part.type, "content", part.content);
    return json.end_array();
  }
  Reply time_left(leat::Request& request, Json& json) {
    const auto left = request.time_left();
    return json.object(
        "ms", left ? std::optional(std::chrono::duration_cast<std::chrono::milliseconds>(*left).count())
                   : std::nullopt);
  }

  Reply redirect(leat::Query<std::string_view, "to"> to,
                 leat::Query<int, "status", leat::Default{303}> status) {
    return leat::redirect(std::string(*to), status);
  }
  Reply local(leat::Query<std::string_view, "to"> to) {
    const bool good = to->starts_with('/') && leat::can_redirect(*to);
    return leat::redirect(good ? std::string(*to) : "/");
  }
  Reply sets_cookies(leat::Response& response) {
    response.cookie({.name = "plain", .value = "a=b/c"});
    response.cookie({.name = "__Host-session", .value = "x", .max_age = std::chrono::hours(1)});
    response.cookie({.name = "other",
                     .value = "",
                     .path = "/deep",
                     .domain = "example.test",
                     .secure = true,
                     .http_only = false,
                     .same_site = leat::SameSite::None,
                     .partitioned = true});
    response.forget_cookie({.name = "old", .secure = false, .same_site = leat::SameSite::Strict});
    return leat::no_content();
  }
  // Each of these has one mistake; it is what is thrown.
  Reply bad_cookie(leat::Query<size_t, "number"> number, leat::Response& response) {
    const std::string most(4096, 'x');
    const leat::SetCookie cookies[] = {
        {.name = "", .value = "x"},
        {.name = "a b", .value = "x"},
        {.name = "a=b", .value = "x"},
        {.name = "a", .value = "x; Domain=evil.test"},
        {.name = "a", .value = "x\r\nSet-Cookie: b=c"},
        {.name = "a", .value = "\xc3\xa4"},
        {.name = "a", .value = most},
        {.name = "a", .value = "x", .path = "deep"},
        {.name = "a", .value = "x", .path = "/; Secure"},
        {.name = "a", .value = "x", .domain = "a.test; Path=/"},
        {.name = "__Secure-a", .value = "x", .secure = false},
        {.name = "__host-a", .value = "x", .path = "/deep"},
        {.name = "__Host-a", .value = "x", .domain = "a.test"},
        {.name = "a", .value = "x", .secure = false, .same_site = leat::SameSite::None},
        {.name = "a", .value = "x", .secure = false, .partitioned = true},
    };
    if (*number >= std::size(cookies)) return leat::text("no more");
    try {
      response.cookie(cookies[*number]);
    } catch (const std::invalid_argument& mistake) {
      return leat::text(std::string("refused: ") + mistake.what());
    }
    return leat::text("taken");
  }
  Reply problem() {
    return leat::problem(409, "It is lent.")
        .with("until", "a \"day\"")
        .with("left", 3)
        .with("to", std::vector{"ann", "bob"});
  }
  Reply throws_problem() { throw leat::problem(429, "Later.").with("after_s", 1.5); }
  Reply bad_member(leat::Query<std::string_view, "name"> name) {
    try {
      return leat::problem(400, "").with(*name, *name == "nan" ? std::nan("") : 1.0);
    } catch (const std::logic_error&) {
      return leat::text("refused");
    }
  }
  Reply typed(leat::Query<std::string_view, "how"> how, leat::Response& response) {
    response.type("image/png");
    using namespace std::string_literals;
    if (*how == "text") return leat::text("made \0 here"s);
    if (*how == "literal") return leat::text("literal");
    if (*how == "html") return leat::html("literal");
    if (*how == "json") return leat::json_text("[]");
    if (*how == "explicit") return {"font/woff2", "literal"};
    if (*how == "kept") return leat::kept_bytes("kept");
    return leat::bytes("made \0 here"s);
  }
  Reply untyped() {
    using namespace std::string_literals;
    return leat::bytes("\x89PNG\0\xff"s);
  }

  static constexpr auto handlers() {
    return leat::list(handler<&Requests::headers>("headers"), handler<&Requests::cookies>("cookies"),
                      handler<&Requests::queries>("queries"), handler<&Requests::form>("form"),
                      handler<&Requests::parts>("parts"), handler<&Requests::time_left>("time_left"),
                      handler<&Requests::redirect>("redirect"), handler<&Requests::local>("local"),
                      handler<&Requests::sets_cookies>("sets_cookies"),
                      handler<&Requests::bad_cookie>("bad_cookie"), handler<&Requests::problem>("problem"),
                      handler<&Requests::throws_problem>("throws_problem"),
                      handler<&Requests::bad_member>("bad_member"), handler<&Requests::typed>("typed"),
                      handler<&Requests::untyped>("untyped"), stream<Trailers>("trailers"),
                      stream<TimeLeft>("time_left_early"), stream<Upload>("upload"));
  }
};

}  // namespace

LEAT_PLUGIN(Requests, "requests", "1.0")
