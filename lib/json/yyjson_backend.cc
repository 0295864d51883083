// yyjson behind json::Writer: events build one of its documents in the arena, which is written at the end.
//
// Texts are copied into the document, because those of events end with their call. As with RapidJSON, doubles
// and strings that it would write otherwise or not at all are given to it ready made.
#include <yyjson.h>

#include <array>
#include <cstring>
#include <new>

#include "json/backend.h"
#include "json/valid.h"

namespace leat::json {

namespace {

void* allocate(void* arena, size_t size) { return static_cast<Arena*>(arena)->allocate(size); }
void* reallocate(void* arena, void* old, size_t old_size, size_t size) {
  return static_cast<Arena*>(arena)->grow(old, old_size, size, alignof(std::max_align_t));
}
void release(void*, void*) {}  // with the arena

class YyjsonBackend final : public EventBackend {
 public:
  explicit YyjsonBackend(TextBuffer& out)
      : out_(out),
        allocator_{allocate, reallocate, release, &out.arena()},
        document_(yyjson_mut_doc_new(&allocator_)) {}
  [[nodiscard]] bool complete() const override { return document_ != nullptr && !full_; }

  void begin_object() override { open(yyjson_mut_obj(document_)); }
  void end_object() override { --depth_; }
  void begin_array() override { open(yyjson_mut_arr(document_)); }
  void end_array() override { --depth_; }
  bool key(std::string_view name) override { return make(name, key_); }
  bool string(std::string_view text) override {
    yyjson_mut_val* value = nullptr;
    const bool made = make(text, value);
    if (made) add(value);
    return made;
  }
  void integer(int64_t number) override { add(yyjson_mut_sint(document_, number)); }
  void unsigned_integer(uint64_t number) override { add(yyjson_mut_uint(document_, number)); }
  void real(double number) override {
    char text[kLongestReal];
    add(yyjson_mut_rawncpy(document_, text, write_real(text, number)));
  }
  void boolean(bool truth) override { add(yyjson_mut_bool(document_, truth)); }
  void null() override { add(yyjson_mut_null(document_)); }
  void raw(std::string_view json) override { add(yyjson_mut_rawncpy(document_, json.data(), json.size())); }

  std::optional<std::string_view> finish() override {
    size_t size = 0;
    const char* text =
        full_ ? nullptr : yyjson_mut_write_opts(document_, YYJSON_WRITE_NOFLAG, &allocator_, &size, nullptr);
    if (text == nullptr) return std::nullopt;
    return std::string_view(text, size);
  }

 private:
  void open(yyjson_mut_val* container) {
    add(container);
    open_[depth_++] = container;
  }
  void add(yyjson_mut_val* value) {
    if (value == nullptr) full_ = true;
    if (full_) return;
    if (depth_ == 0) {
      yyjson_mut_doc_set_root(document_, value);
    } else if (yyjson_mut_is_obj(open_[depth_ - 1])) {
      full_ = !yyjson_mut_obj_add(open_[depth_ - 1], key_, value);
    } else {
      full_ = !yyjson_mut_arr_append(open_[depth_ - 1], value);
    }
  }
  bool make(std::string_view text, yyjson_mut_val*& value) {
    if (needs_help(text)) {
      TextBuffer ready(out_.arena());
      if (!write_string(ready, text, '"')) return false;
      // Without the quotes and the byte after them, as one in which nothing is to be escaped.
      const std::string_view inner = ready.text().substr(1, ready.text().size() - 3);
      value = yyjson_mut_strn(document_, inner.data(), inner.size());
      if (value != nullptr) value->tag |= YYJSON_SUBTYPE_NOESC;
    } else {
      value = yyjson_mut_strncpy(document_, text.empty() ? "" : text.data(), text.size());
    }
    return value != nullptr;
  }

  TextBuffer& out_;
  yyjson_alc allocator_;
  yyjson_mut_doc* document_;
  std::array<yyjson_mut_val*, kMostDepth> open_;
  size_t depth_ = 0;
  yyjson_mut_val* key_ = nullptr;
  bool full_ = false;
};

}  // namespace

EventBackend* make_yyjson(TextBuffer& out) {
  void* memory = out.arena().allocate(sizeof(YyjsonBackend), alignof(YyjsonBackend));
  if (memory == nullptr) return nullptr;
  auto* backend = new (memory) YyjsonBackend(out);
  return backend->complete() ? backend : nullptr;
}

}  // namespace leat::json
