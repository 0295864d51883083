// crud: a list of things to do, made, read, changed and removed over JSON, that survives reloads.
//
// The list is shared by all workers, under one lock that is held for a look-up or a change and never while
// JSON is read or written. What a client can make it hold is bounded by the configuration.
#include <leat/plugin_rapidjson.hpp>

#include <algorithm>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

struct Item {
  uint64_t id = 0;
  std::string title;
  bool done = false;
};
LEAT_JSON(Item, id, title, done);

constexpr size_t kMostTitleBytes = 200;

leat::Problem no_item() { return leat::problem(404, "There is no item of that id."); }

class Crud : public leat::Plugin<Crud> {
 public:
  explicit Crud(leat::Setup& setup)
      : most_items_(static_cast<size_t>(setup.integer("most_items", 1000, {1, 100'000}))) {}

  // GET /items?done=no&limit=10
  std::vector<Item> list(leat::Query<std::optional<bool>, "done"> done,
                         leat::Query<size_t, "limit", leat::Range{1, 100}, leat::Default{20}> limit) {
    std::vector<Item> found;
    const std::lock_guard lock(mutex_);
    for (const auto& [id, item] : items_) {
      if (found.size() == *limit) break;
      if (!*done || **done == item.done) found.push_back(item);
    }
    return found;
  }

  // POST /items with {"title": "buy millet"}; "done" may be said too.
  leat::Result<Item> create(leat::Request& request, leat::Response& response) {
    leat::Result<Item> item = read(request);
    if (!item) return item;
    const std::lock_guard lock(mutex_);
    if (items_.size() >= most_items_) return leat::problem(507, "The list is full; remove an item first.");
    item->id = ++last_id_;
    items_.emplace(item->id, *item);
    response.status(201).header("Location", "/items/" + std::to_string(item->id));
    return item;
  }

  // GET /items/1
  leat::Result<Item> show(leat::Path<uint64_t, "id"> id) {
    const std::lock_guard lock(mutex_);
    const auto found = items_.find(*id);
    if (found == items_.end()) return no_item();
    return found->second;
  }

  // PUT /items/1 with the whole item
  leat::Result<Item> replace(leat::Path<uint64_t, "id"> id, leat::Request& request) {
    leat::Result<Item> item = read(request);
    if (!item) return item;
    item->id = *id;
    const std::lock_guard lock(mutex_);
    const auto found = items_.find(*id);
    if (found == items_.end()) return no_item();
    found->second = *item;
    return item;
  }

  // DELETE /items/1
  leat::Result<void> remove(leat::Path<uint64_t, "id"> id) {
    const std::lock_guard lock(mutex_);
    if (items_.erase(*id) == 0) return no_item();
    return {};
  }

  // "crud/1 LAST_ID", then "ID DONE SIZE TITLE" for each item; SIZE, in bytes, because a title may hold
  // anything. The next build reads what this one wrote: hence the version.
  [[nodiscard]] std::string export_state() const {
    const std::lock_guard lock(mutex_);
    std::ostringstream out;
    out << "crud/1 " << last_id_ << '\n';
    for (const auto& [id, item] : items_)
      out << id << ' ' << item.done << ' ' << item.title.size() << ' ' << item.title << '\n';
    return std::move(out).str();
  }

  void import_state(std::string_view state) {
    std::istringstream in{std::string(state)};
    std::string version;
    uint64_t last_id = 0;
    if (!(in >> version >> last_id) || version != "crud/1")
      throw std::runtime_error("the items are of another version");
    std::map<uint64_t, Item> items;
    Item item;
    for (size_t size = 0; in >> item.id >> item.done >> size;) {
      if (size > kMostTitleBytes) throw std::runtime_error("a title is too long");
      item.title.resize(size);
      if (!in.ignore() || !in.read(item.title.data(), static_cast<std::streamsize>(size)))
        throw std::runtime_error("the items are cut off");
      items.emplace(item.id, item);
    }
    if (!in.eof()) throw std::runtime_error("the items are damaged");
    const std::lock_guard lock(mutex_);
    items_ = std::move(items);
    last_id_ = last_id;
  }

  static constexpr auto handlers() {
    return leat::list(handler<&Crud::list>("list"), handler<&Crud::create>("create"),
                      handler<&Crud::show>("show"), handler<&Crud::replace>("replace"),
                      handler<&Crud::remove>("remove"));
  }

 private:
  // The body as an item without its id, or what is wrong with it.
  static leat::Result<Item> read(const leat::Request& request) {
    leat::RapidJsonDocument body(request);
    if (!body.read(request.body()) || !body.IsObject())
      return leat::problem(400, "The body must be a JSON object.");
    const auto title = body.FindMember("title");
    if (title == body.MemberEnd() || !title->value.IsString())
      return leat::problem(400, "The body needs a member \"title\" that is a text.");
    Item item{.title = {title->value.GetString(), title->value.GetStringLength()}};
    if (item.title.empty() || item.title.size() > kMostTitleBytes)
      return leat::problem(400, "The title must be 1 to " + std::to_string(kMostTitleBytes) + " bytes long.");
    if (const auto done = body.FindMember("done"); done != body.MemberEnd()) {
      if (!done->value.IsBool()) return leat::problem(400, "The member \"done\" must be true or false.");
      item.done = done->value.GetBool();
    }
    return item;
  }

  const size_t most_items_;
  mutable std::mutex mutex_;
  std::map<uint64_t, Item> items_;  // under mutex_
  uint64_t last_id_ = 0;            // under mutex_
};

}  // namespace

LEAT_PLUGIN(Crud, "crud", "1.0.0")
