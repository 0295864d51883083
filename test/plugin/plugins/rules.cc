// Parameters and bodies with rules, as the C++ wrapper declares them.
#include <leat/plugin.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace {

using leat::Json;
using leat::Reply;

struct Line {
  std::string product;
  uint32_t count;
};
LEAT_JSON(Line, (product, leat::Length{2, 8}, leat::Pattern{"^[a-z]+$"}), (count, leat::Range{1, 99}));

struct Order {
  std::string_view id;
  std::vector<Line> lines;
  std::vector<std::string> tags;
  std::optional<double> discount;
  std::optional<std::string_view> way;
  bool gift;
};
LEAT_JSON(Order, (id, leat::Format::Uuid), (lines, leat::Count{1, 3}),
          (tags, leat::Count{0, 2}, leat::Length{1, 4}, leat::Pattern{"^[a-z]"}),
          (discount, leat::Range{0.0, 0.5}), (way, leat::OneOf{"air", "sea"}), gift);

// It holds more of itself.
struct Tree {
  int id;
  std::vector<Tree> below;
};
LEAT_JSON(Tree, (id, leat::Range{0, 9}), below);

// What would take for ever where a pattern is tried in all ways; and one that is told with what JSON escapes.
struct Texts {
  std::string slow;
  std::optional<std::string_view> quoted;
  std::vector<std::optional<std::string>> some;
};
LEAT_JSON(Texts, (slow, leat::Pattern{"^(a+)+$"}), (quoted, leat::Pattern{"^\\d \"x\"$"}),
          (some, leat::Count{0, 40}, leat::Pattern{"^\xc3\xa4$"}));

class Streamed {
 public:
  void on_request(leat::Query<uint8_t, "n"> n) { n_ = *n; }
  void on_body(std::string_view piece) { bytes_ += piece.size(); }
  Reply on_body_end(Json& json) { return json.object("n", n_, "bytes", bytes_); }

 private:
  int n_ = 0;
  size_t bytes_ = 0;
};

class Rules : public leat::Plugin<Rules> {
 public:
  static Reply texts(
      leat::Query<std::string_view, "name", leat::Length{2, 5}> name,
      leat::Query<std::optional<std::string_view>, "code", leat::Pattern{"^[a-z]+[0-9]?$"}> code,
      leat::Query<std::string_view, "sort", leat::OneOf{"newest", "oldest"}, leat::DefaultText{"newest"}>
          sort,
      leat::Header<std::optional<std::string_view>, "X-Id", leat::Format::Uuid> id,
      leat::Cookie<std::optional<std::string_view>, "since", leat::Format::DateTime> since, Json& json) {
    return json.object("name", name, "code", code, "sort", sort, "id", id, "since", since);
  }
  static Reply lists(leat::Query<leat::List<int>, "id", leat::Count{1, 4}, leat::Range{1, 50}> ids,
                     leat::Query<leat::List<bool>, "flag"> flags,
                     leat::Header<leat::List<std::string_view>, "X-Tags", leat::Length{1, 3}> tags,
                     Json& json) {
    return json.object("ids", ids, "flags", flags, "tags", tags);
  }
  static Reply numbers(leat::Query<uint64_t, "big", leat::Default{UINT64_MAX}> big,
                       leat::Query<int8_t, "small", leat::Range{-10, -1}, leat::Default{-5}> small,
                       leat::Query<double, "real", leat::Range{0.0, 1.0}, leat::Default{0.25}> real,
                       leat::Query<bool, "yes", leat::Default{true}> yes, Json& json) {
    return json.object("big", big, "small", small, "real", real, "yes", yes);
  }
  static Reply form(leat::Form<std::string_view, "name", leat::Length{1, 10}> name,
                    leat::Form<std::optional<int>, "age", leat::Range{0, 150}> age,
                    leat::Query<int, "page", leat::Default{1}> page, Json& json) {
    return json.object("name", name, "age", age, "page", page);
  }
  static Reply upload(
      leat::FormPart<std::string_view, "title", leat::Length{1, 10}> title,
      leat::FormPart<std::optional<int>, "year", leat::Range{1900, 2100}> year,
      leat::FormPart<leat::File, "photo", leat::MaxSize{16}, leat::OneOf{"image/png", "text/*"}> photo,
      leat::FormPart<leat::List<leat::File>, "more", leat::Count{0, 2}> more,
      leat::FormPart<std::optional<leat::File>, "extra"> extra,
      leat::FormPart<leat::List<std::string_view>, "tag", leat::Length{1, 3}> tags, Json& json) {
    std::string all;
    for (const leat::File& each : *more)
      all += std::string(each.name) + "=" + std::string(each.content) + ";";
    return json.object("title", title, "year", year, "name", photo->name, "type", photo->type, "content",
                       photo->content, "size", photo->size, "more", all, "extra", extra->has_value(), "tags",
                       tags);
  }
  static Order order(leat::Path<uint32_t, "shop", leat::Range{1, 9}>,
                     leat::Query<int, "page", leat::Range{1, 9}>, leat::JsonBody<Order> order) {
    return *order;
  }
  static Tree tree(leat::JsonBody<Tree> tree) { return *tree; }
  static Reply matched(leat::JsonBody<Texts> texts, Json& json) {
    return json.object("slow", texts->slow.size(), "quoted", texts->quoted, "some", texts->some.size());
  }
  // Rules that contradict those of a route, or themselves.
  static Reply bad_pattern(leat::Query<std::string_view, "a", leat::Pattern{"[a-"}>) {
    return leat::text("never");
  }
  static Reply bad_default(
      leat::Query<std::string_view, "a", leat::Length{2, 3}, leat::DefaultText{"long"}>) {
    return leat::text("never");
  }
  static Reply any(leat::Request& request) { return leat::text(std::string(request.query())); }
  leat::Task<Reply> waits(leat::Query<int, "n", leat::Range{1, 9}> n, Json& json) {
    co_await leat::sleep(std::chrono::milliseconds(1));
    co_return json.object("n", n);
  }

  static constexpr auto handlers() {
    return leat::list(
        handler<&Rules::texts>("texts"), handler<&Rules::lists>("lists"), handler<&Rules::numbers>("numbers"),
        handler<&Rules::form>("form"), handler<&Rules::upload>("upload"), handler<&Rules::order>("order"),
        handler<&Rules::tree>("tree"), handler<&Rules::matched>("matched"),
        handler<&Rules::bad_pattern>("bad_pattern"), handler<&Rules::bad_default>("bad_default"),
        handler<&Rules::any>("any"), handler<&Rules::waits>("waits"), stream<Streamed>("streamed"));
  }
};

}  // namespace

LEAT_PLUGIN(Rules, "rules", "1.0")
