// What a handler can return: structs, results, texts of RapidJSON.
#include <leat/plugin.hpp>
#include <leat/plugin_rapidjson.hpp>

#include <rapidjson/prettywriter.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace {

using leat::Reply;
using leat::Result;
using leat::Task;

struct Owner {
  std::string_view name;
  std::optional<int> age;
};
LEAT_JSON(Owner, name, age);

struct Item {
  uint64_t id;
  std::string title;
  double weight;
  bool fragile;
  std::vector<std::string> tags;
  std::optional<Owner> owner;
  std::vector<Owner> earlier;
  std::map<std::string, int64_t> counts;
};
LEAT_JSON(Item, id, title, weight, fragile, tags, owner, earlier, counts);

struct Weight {
  double weight;
};
LEAT_JSON(Weight, weight);

// It holds more of itself.
struct Tree {
  int id;
  std::vector<Tree> below;
};
LEAT_JSON(Tree, id, below);

Tree tree_of(int depth) {
  Tree tree{.id = depth};
  if (depth > 1) tree.below.push_back(tree_of(depth - 1));
  return tree;
}

// Two that hold each other.
struct Room;
struct House {
  std::string name;
  std::vector<Room> rooms;
};
struct Room {
  std::vector<House> models;
};
LEAT_JSON(House, name, rooms);
LEAT_JSON(Room, models);

// Two levels when it is empty, three when it is not.
struct Levels {
  std::vector<Owner> owners;
  std::vector<std::vector<int>> numbers;
};
LEAT_JSON(Levels, owners, numbers);

// Ranges and texts by their looks, which say themselves what their JSON is.
struct Route : std::vector<int> {
  using std::vector<int>::vector;
};
void to_json(leat::Json& json, const Route& route) { json.object("stops", route.size()); }
struct Secret {
  std::string text;
  operator std::string_view() const { return text; }
};
void to_json(leat::Json& json, const Secret&) { json.value("***"); }
// As its base, and more.
struct Tenant : Owner {
  int flat;
};
void to_json(leat::Json& json, const Tenant& tenant) {
  json.object("name", tenant.name, "flat", tenant.flat);
}
struct Own {
  Route route;
  Secret secret;
  std::vector<Tenant> tenants;
};
LEAT_JSON(Own, route, secret, tenants);

Result<Item> find(uint64_t id) {
  if (id == 0) return leat::problem(404, "There is no item 0.");
  return Item{.id = id,
              .title = "a \"title\"",
              .weight = 0.5,
              .fragile = true,
              .tags = {"a", "b"},
              .owner = id == 1 ? std::optional(Owner{"ann", 41}) : std::nullopt,
              .earlier = {{"bob", std::nullopt}, {"cy", 7}},
              .counts = {{"in", 3}, {"out", -1}}};
}

using Id = leat::Path<uint64_t, "id">;

class Answers : public leat::Plugin<Answers> {
 public:
  Result<Item> item(Id id) { return find(id); }
  std::vector<Owner> owners() { return {{"ann", 41}, {"bob", std::nullopt}}; }
  Task<Item> later(Id id) {
    co_await leat::sleep(std::chrono::milliseconds(1));
    co_return find(id).value();  // or the problem is thrown
  }
  Task<Result<leat::Vector<Item>>> all(leat::Query<uint64_t, "from"> from) {
    co_return co_await leat::gather_with_limit(std::views::iota(*from, *from + 2), 2,
                                               [](uint64_t id) -> Task<Result<Item>> { co_return find(id); });
  }
  Result<void> remove(Id id) {
    if (const Result<Item> found = find(id); !found) return found.problem();
    return {};
  }
  Task<Result<void>> remove_all(leat::Query<uint64_t, "from"> from) {
    co_return co_await leat::gather_with_limit(
        std::views::iota(*from, *from + 2), 2,
        [this](uint64_t id) -> Task<Result<void>> { co_return remove({id}); });
  }
  Reply chained(Id id) {
    return leat::text(find(id)
                          .transform([](const Item& item) { return item.title; })
                          .and_then([](std::string title) -> Result<std::string> {
                            if (title.empty()) return leat::problem(500, "no title");
                            return title + "!";
                          })
                          .value_or("none"));
  }

  Tree tree(leat::Path<int, "depth"> depth) { return tree_of(*depth); }
  House house() { return {.name = "old", .rooms = {{.models = {{.name = "new", .rooms = {}}}}, {}}}; }
  Own own() {
    Tenant tenant{};
    tenant.name = "dee";
    tenant.flat = 7;
    return {.route = {1, 2, 3}, .secret = {"word"}, .tenants = {tenant}};
  }
  // A Levels within so many arrays.
  Reply within(leat::Path<int, "depth"> depth, leat::Query<bool, "full"> full, leat::Json& json) {
    for (int i = 0; i < *depth; ++i) json.begin_array();
    json.value(*full ? Levels{.owners = {{"ann", 41}}, .numbers = {{1}}} : Levels{});
    for (int i = 0; i < *depth; ++i) json.end_array();
    return json;
  }

  Weight weighed(leat::JsonBody<Weight> body) { return *body; }
  Reply shown(leat::Path<std::string_view, "text"> text, leat::Json& json) {
    return json.object("text", text);
  }
  Reply crumb(leat::Cookie<std::string_view, "b"> b) { return leat::text(std::string(*b)); }
  Reply reset(leat::Response& response) {
    response.status(205);
    return leat::text("not to be sent");
  }

  // {"sum": of the body's array}, in RapidJSON.
  Reply sum(leat::Request& request) {
    leat::RapidJsonDocument body(request);
    if (!body.read(request.body()) || !body.IsArray())
      return leat::problem(400, "The body must be a JSON array.");
    int64_t sum = 0;
    for (const auto& each : body.GetArray()) sum += each.GetInt64();  // asserts that it is one
    leat::RapidJsonWriter writer(request);
    writer.StartObject();
    writer.Key("sum");
    writer.Int64(sum);
    writer.EndObject();
    return writer;
  }
  Reply pretty(leat::Request& request) {
    leat::RapidJsonStream stream(request);
    leat::RapidJsonAllocator allocator(request);
    rapidjson::PrettyWriter<leat::RapidJsonStream, rapidjson::UTF8<>, rapidjson::UTF8<>,
                            leat::RapidJsonAllocator>
        writer(stream, &allocator);
    writer.StartArray();
    for (int i = 0; i < 1000; ++i) writer.Int(i);
    writer.EndArray();
    return leat::json_text(stream.text());
  }
  Reply endless(leat::Request& request) {
    leat::RapidJsonWriter writer(request);
    writer.StartArray();
    for (;;) writer.String("a text that is written until the memory of the request is used up");
  }
  Reply made(leat::Query<std::string_view, "text"> text) {
    const std::string kept = "[\"" + std::string(*text) + "\"]";
    return leat::json_text(kept);  // copied
  }
  Reply unfinished(leat::Request& request) {
    leat::RapidJsonWriter writer(request);
    writer.StartArray();
    return writer;
  }
  Reply wrong_order(leat::Request& request) {
    leat::RapidJsonWriter writer(request);
    writer.EndObject();
    return writer;
  }
  Reply moved_onto_itself(leat::Request& request) {
    leat::RapidJsonDocument document(request);
    rapidjson::GenericValue<rapidjson::UTF8<>, leat::RapidJsonAllocator>& value = document;
    auto& same = value;
    value = same;
    return leat::text("not reached");
  }

  static constexpr auto handlers() {
    return leat::list(handler<&Answers::item>("item"), handler<&Answers::owners>("owners"),
                      handler<&Answers::later>("later"), handler<&Answers::all>("all"),
                      handler<&Answers::tree>("tree"), handler<&Answers::house>("house"),
                      handler<&Answers::own>("own"), handler<&Answers::within>("within"),
                      handler<&Answers::remove>("remove"), handler<&Answers::remove_all>("remove_all"),
                      handler<&Answers::chained>("chained"), handler<&Answers::sum>("sum"),
                      handler<&Answers::weighed>("weighed"), handler<&Answers::shown>("shown"),
                      handler<&Answers::crumb>("crumb"), handler<&Answers::reset>("reset"),
                      handler<&Answers::pretty>("pretty"), handler<&Answers::endless>("endless"),
                      handler<&Answers::made>("made"), handler<&Answers::unfinished>("unfinished"),
                      handler<&Answers::wrong_order>("wrong_order"),
                      handler<&Answers::moved_onto_itself>("moved_onto_itself"));
  }
};

}  // namespace

LEAT_PLUGIN(Answers, "answers", "1.0")
