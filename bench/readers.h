// Ways of reading a JSON body into a struct of LEAT_JSON: Leat's, and those of the libraries at their best
// use. An object each, which is used again for every body; all throw where the body is not what was wanted.
//
// Members are looked up by the names that LEAT_JSON knows: leat_encode() names each member of a struct
// together with it.
#pragma once

#include <rapidjson/document.h>
#include <rapidjson/reader.h>
#include <yyjson.h>

#ifdef LEAT_BENCH_SIMDJSON
#include <simdjson.h>
#endif

#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

#include "bench/payloads.h"

namespace leat::bench {

inline constexpr size_t kRoom = size_t{1} << 18;  // for what a peer makes of one body

inline void need(bool fine) {
  if (!fine) [[unlikely]]
    throw std::runtime_error("the body is not what was wanted");
}

template <class T>
inline constexpr bool is_text = std::is_same_v<T, std::string> || std::is_same_v<T, std::string_view>;

// Reads items into a list until `next(item)` says that there is none.
template <class List, class Next>
void fill(List& list, Next next) {
  if constexpr (requires { list.clear(); }) {
    list.clear();
    while (next(list.emplace_back())) {
    }
    list.pop_back();
  } else {
    for (auto& item : list) need(next(item));
    typename List::value_type more{};
    need(!next(more));
  }
}

// What leat_encode() shows members to, where no text is written and there is no place in it.
struct Visitor {
  struct Place {};
  static Place open(Place, auto) { return {}; }
  static Place close(Place) { return {}; }
};

// Calls `reader.take(found, member)` for each member of a struct with what `object` has under its name.
template <class Reader, class Object>
struct Members : Visitor {
  Members(Reader& by, Object& of) : reader(by), object(of) {}
  Reader& reader;
  Object& object;
  template <size_t N, class T>
  Place member(Place, const char (&name)[N], const T& value) {
    const std::string_view plain(name + 1, N - 4);  // between the quotes, before the colon
    reader.take(reader.look_up(object, plain), const_cast<T&>(value));
    return {};
  }
};

class Leat {
 public:
  template <class T>
  void operator()(const std::string& text, T& value) {
    const auto lend = [](void*, size_t) -> char* { throw std::bad_alloc(); };
    Decoder(text, lend, nullptr).read(value);
  }
};

#ifdef LEAT_BENCH_SIMDJSON
class Simdjson {
 public:
  template <class T>
  void operator()(const std::string& text, T& value) {
    need(text.capacity() >= text.size() + simdjson::SIMDJSON_PADDING);
    auto document = parser_.iterate(text.data(), text.size(), text.capacity()).value();
    take(document.get_value(), value);
  }
  using Found = simdjson::ondemand::value;
  static Found look_up(simdjson::ondemand::object& object, std::string_view name) { return object[name]; }
  template <class T>
  void take(Found found, T& value) {
    if constexpr (std::is_same_v<T, bool>) {
      value = found.get_bool();
    } else if constexpr (std::is_integral_v<T>) {
      const int64_t number = found.get_int64();
      need(std::in_range<T>(number));
      value = static_cast<T>(number);
    } else if constexpr (std::is_floating_point_v<T>) {
      value = found.get_double();
    } else if constexpr (is_text<T>) {
      value = std::string_view(found.get_string());
    } else if constexpr (requires { value.size(); }) {
      simdjson::ondemand::array array = found.get_array();
      auto at = simdjson::ondemand::array_iterator(array.begin());
      const auto end = simdjson::ondemand::array_iterator(array.end());
      bool first = true;
      fill(value, [&](auto& item) {
        if (!std::exchange(first, false)) ++at;
        if (!(at != end)) return false;
        take(Found(*at), item);
        return true;
      });
    } else {
      simdjson::ondemand::object object = found.get_object();
      Members<Simdjson, simdjson::ondemand::object> members(*this, object);
      leat_encode(members, Visitor::Place(), std::as_const(value));
    }
  }

 private:
  simdjson::ondemand::parser parser_;
};
#endif

inline constexpr unsigned kRapidJson =
    rapidjson::kParseValidateEncodingFlag | rapidjson::kParseFullPrecisionFlag;

// A stack of what is open, each with the function that takes its next event.
class RapidJsonReader {
 public:
  template <class T>
  void operator()(const std::string& text, T& value) {
    std::memcpy(body_.get(), text.c_str(), text.size() + 1);  // its texts are made where they lie
    rapidjson::InsituStringStream stream(body_.get());
    depth_ = 0;
    next_ = {&value, take<T>};
    need(!reader_.Parse < kRapidJson | rapidjson::kParseInsituFlag > (stream, *this).IsError());
  }

  bool Null() { return false; }
  bool Bool(bool value) { return event({.kind = Kind::Truth, .truth = value}); }
  bool Int(int value) { return Int64(value); }
  bool Uint(unsigned value) { return Int64(value); }
  bool Int64(int64_t value) { return event({.kind = Kind::Integer, .integer = value}); }
  bool Uint64(uint64_t value) { return std::in_range<int64_t>(value) && Int64(static_cast<int64_t>(value)); }
  bool Double(double value) { return event({.kind = Kind::Real, .real = value}); }
  bool RawNumber(const char*, rapidjson::SizeType, bool) { return false; }
  bool String(const char* bytes, rapidjson::SizeType size, bool) {
    return event({.kind = Kind::Text, .text = {bytes, size}});
  }
  bool Key(const char* bytes, rapidjson::SizeType size, bool) {
    Open& open = open_[depth_ - 1];
    next_.place = nullptr;
    open.find(*this, open.place, {bytes, size});
    ++open.count;
    return next_.place != nullptr;
  }
  bool StartObject() { return event({.kind = Kind::Object}); }
  bool EndObject(rapidjson::SizeType) { return close(); }
  bool StartArray() { return event({.kind = Kind::Array}); }
  bool EndArray(rapidjson::SizeType) { return close(); }

 private:
  enum class Kind { Truth, Integer, Real, Text, Object, Array };
  struct Event {
    Kind kind;
    bool truth = false;
    int64_t integer = 0;
    double real = 0;
    std::string_view text = {};
  };
  using Take = bool (*)(RapidJsonReader& reader, void* place, const Event& event);
  struct Next {
    void* place;
    Take take;
  };
  struct Open {
    void* place;
    Take item;                                                                  // of a list
    void (*find)(RapidJsonReader& reader, void* place, std::string_view name);  // of a struct
    size_t count = 0, wanted = 0;                                               // SIZE_MAX: any number
  };

  bool event(const Event& event) {
    if (depth_ != 0 && open_[depth_ - 1].item != nullptr) {
      Open& open = open_[depth_ - 1];
      return open.count++ < open.wanted && open.item(*this, open.place, event);
    }
    return next_.take(*this, next_.place, event);
  }
  bool open(const Open& open) { return depth_ < std::size(open_) && (open_[depth_++] = open, true); }
  bool close() {
    const Open& open = open_[--depth_];
    return open.wanted == SIZE_MAX || open.count == open.wanted;
  }

  struct Finder : Visitor {
    Finder(RapidJsonReader& by, std::string_view name) : reader(by), wanted(name) {}
    RapidJsonReader& reader;
    std::string_view wanted;
    template <size_t N, class T>
    Place member(Place, const char (&name)[N], const T& value) {
      if (wanted == std::string_view(name + 1, N - 4)) reader.next_ = {const_cast<T*>(&value), take<T>};
      return {};
    }
  };
  struct Counter : Visitor {
    size_t count = 0;
    template <size_t N, class T>
    Place member(Place, const char (&)[N], const T&) {
      ++count;
      return {};
    }
  };
  template <class T>
  static void find(RapidJsonReader& reader, void* place, std::string_view name) {
    Finder finder{reader, name};
    leat_encode(finder, Visitor::Place(), *static_cast<const T*>(place));
  }
  template <class List>
  static bool take_item(RapidJsonReader& reader, void* place, const Event& event) {
    auto& list = *static_cast<List*>(place);
    using Item = typename List::value_type;
    if constexpr (requires { list.clear(); })
      return take<Item>(reader, &list.emplace_back(), event);
    else
      return take<Item>(reader, &list[reader.open_[reader.depth_ - 1].count - 1], event);
  }

  template <class T>
  static bool take(RapidJsonReader& reader, void* place, const Event& event) {
    T& value = *static_cast<T*>(place);
    if constexpr (std::is_same_v<T, bool>) {
      value = event.truth;
      return event.kind == Kind::Truth;
    } else if constexpr (std::is_integral_v<T>) {
      value = static_cast<T>(event.integer);
      return event.kind == Kind::Integer && std::in_range<T>(event.integer);
    } else if constexpr (std::is_floating_point_v<T>) {
      value = event.kind == Kind::Real ? event.real : static_cast<double>(event.integer);
      return event.kind == Kind::Real || event.kind == Kind::Integer;
    } else if constexpr (is_text<T>) {
      value = event.text;
      return event.kind == Kind::Text;
    } else if constexpr (requires { value.clear(); }) {
      value.clear();
      return event.kind == Kind::Array && reader.open({place, take_item<T>, nullptr, 0, SIZE_MAX});
    } else if constexpr (requires { value.size(); }) {
      return event.kind == Kind::Array && reader.open({place, take_item<T>, nullptr, 0, value.size()});
    } else {
      Counter members;
      leat_encode(members, Visitor::Place(), std::as_const(value));
      return event.kind == Kind::Object && reader.open({place, nullptr, find<T>, 0, members.count});
    }
  }

  std::unique_ptr<char[]> body_{new char[kRoom]};
  rapidjson::Reader reader_;
  Next next_{};
  Open open_[16];
  size_t depth_ = 0;
};

class RapidJsonDom {
 public:
  template <class T>
  void operator()(const std::string& text, T& value) {
    rapidjson::MemoryPoolAllocator<> values(values_.get(), kRoom), stack(stack_.get(), kRoom);
    Document document(&values, 1024, &stack);
    need(!document.Parse<kRapidJson>(text.data(), text.size()).HasParseError());
    take(document, value);
  }
  using Document = rapidjson::GenericDocument<rapidjson::UTF8<>, rapidjson::MemoryPoolAllocator<>,
                                              rapidjson::MemoryPoolAllocator<>>;
  using Found = Document::ValueType;
  static const Found& look_up(const Found& object, std::string_view name) {
    const auto size = static_cast<rapidjson::SizeType>(name.size());
    const auto found = object.FindMember(Found(rapidjson::StringRef(name.data(), size)));
    need(found != object.MemberEnd());
    return found->value;
  }
  template <class T>
  void take(const Found& found, T& value) {
    if constexpr (std::is_same_v<T, bool>) {
      need(found.IsBool());
      value = found.GetBool();
    } else if constexpr (std::is_integral_v<T>) {
      need(found.IsInt64() && std::in_range<T>(found.GetInt64()));
      value = static_cast<T>(found.GetInt64());
    } else if constexpr (std::is_floating_point_v<T>) {
      need(found.IsNumber());
      value = found.GetDouble();
    } else if constexpr (is_text<T>) {
      need(found.IsString());
      value = std::string_view(found.GetString(), found.GetStringLength());
    } else if constexpr (requires { value.size(); }) {
      need(found.IsArray());
      auto at = found.Begin();
      fill(value, [&](auto& item) { return at != found.End() && (take(*at++, item), true); });
    } else {
      need(found.IsObject());
      Members<RapidJsonDom, const Found> members(*this, found);
      leat_encode(members, Visitor::Place(), std::as_const(value));
    }
  }

 private:
  std::unique_ptr<char[]> values_{new char[kRoom]}, stack_{new char[kRoom]};
};

class Yyjson {
 public:
  template <class T>
  void operator()(const std::string& text, T& value) {
    yyjson_alc allocator;
    yyjson_alc_pool_init(&allocator, room_.get(), kRoom);
    // It takes a pointer to bytes that it may change for one of its flags only, which is not this one.
    yyjson_doc* document =
        yyjson_read_opts(const_cast<char*>(text.data()), text.size(), 0, &allocator, nullptr);
    need(document != nullptr);
    take(yyjson_doc_get_root(document), value);
    yyjson_doc_free(document);
  }
  // Goes on from the member that was found last.
  static yyjson_val* look_up(yyjson_obj_iter& object, std::string_view name) {
    yyjson_val* const found = yyjson_obj_iter_getn(&object, name.data(), name.size());
    need(found != nullptr);
    return found;
  }
  template <class T>
  void take(yyjson_val* found, T& value) {
    if constexpr (std::is_same_v<T, bool>) {
      need(yyjson_is_bool(found));
      value = yyjson_get_bool(found);
    } else if constexpr (std::is_integral_v<T>) {
      need(yyjson_is_int(found) && std::in_range<T>(yyjson_get_sint(found)));
      value = static_cast<T>(yyjson_get_sint(found));
    } else if constexpr (std::is_floating_point_v<T>) {
      need(yyjson_is_num(found));
      value = yyjson_get_num(found);
    } else if constexpr (is_text<T>) {
      need(yyjson_is_str(found));
      value = std::string_view(yyjson_get_str(found), yyjson_get_len(found));
    } else if constexpr (requires { value.size(); }) {
      yyjson_arr_iter items;
      need(yyjson_arr_iter_init(found, &items));
      fill(value, [&](auto& item) {
        yyjson_val* const each = yyjson_arr_iter_next(&items);
        return each != nullptr && (take(each, item), true);
      });
    } else {
      yyjson_obj_iter object;
      need(yyjson_obj_iter_init(found, &object));
      Members<Yyjson, yyjson_obj_iter> members(*this, object);
      leat_encode(members, Visitor::Place(), std::as_const(value));
    }
  }

 private:
  std::unique_ptr<char[]> room_{new char[kRoom]};
};

}  // namespace leat::bench
