// plugin_rapidjson.hpp: RapidJSON in the request's memory. Apart from plugin.hpp, which needs no RapidJSON;
// include it before any header of RapidJSON.
//
//   leat::Reply sum(leat::Request& request) {
//     leat::RapidJsonDocument body(request);
//     if (!body.read(request.body()) || !body.IsArray()) {
//       return leat::problem(400, "The body must be an array.");
//     }
//     leat::RapidJsonWriter writer(request);
//     writer.StartObject();
//     ...
//     return writer;
//   }
//
// RapidJSON asserts what it is asked wrongly, such as the number of a value that is a text, and by default
// ends the process. Here that throws, which fails the request and no more. Nor does it look whether there is
// memory: the allocator throws when the request's is used up.
#ifndef LEAT_PLUGIN_RAPIDJSON_HPP
#define LEAT_PLUGIN_RAPIDJSON_HPP

#ifdef RAPIDJSON_RAPIDJSON_H_
#error "include <leat/plugin_rapidjson.hpp> before any header of RapidJSON: it says what an assertion does"
#endif

#include <stdexcept>

#define RAPIDJSON_ASSERT(condition) \
  (static_cast<bool>(condition) ? void() : throw std::logic_error("RapidJSON: " #condition))
#define RAPIDJSON_ASSERT_THROWS 1
#define RAPIDJSON_HAS_CXX11_NOEXCEPT 0  // or an assertion in a move would end the process after all
#include <rapidjson/document.h>
#include <rapidjson/writer.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string_view>

#include "plugin.hpp"

namespace leat {
inline namespace [[gnu::visibility("hidden")]] v1 {

// RapidJSON's Allocator. What it gives goes with the request.
class RapidJsonAllocator {
 public:
  static constexpr bool kNeedFree = false;

  RapidJsonAllocator() = default;  // RapidJSON makes one where it was given none; it has no memory
  explicit RapidJsonAllocator(const Request& request) : request_(request.handle()) {}

  void* Malloc(size_t size) const {
    if (request_ == nullptr) throw std::logic_error("RapidJSON was not given a leat::RapidJsonAllocator");
    return size == 0 ? nullptr : detail::allocate(request_, size, alignof(std::max_align_t));
  }
  void* Realloc(void* old, size_t old_size, size_t size) const {
    if (size == 0) return nullptr;
    if (size <= old_size) return old;
    void* memory = Malloc(size);
    if (old_size > 0) std::memcpy(memory, old, old_size);
    return memory;
  }
  static void Free(void*) noexcept {}
  bool operator==(const RapidJsonAllocator&) const = default;

 private:
  leat_request* request_ = nullptr;
};

// RapidJSON's OutputStream, for its Writer and PrettyWriter.
class RapidJsonStream {
 public:
  using Ch = char;

  explicit RapidJsonStream(const Request& request) : allocator_(request) {}
  void Put(char byte) {
    if (size_ == room_) grow();
    text_[size_++] = byte;
  }
  void Flush() {}
  // Good until the request ends, or more is written.
  [[nodiscard]] std::string_view text() const { return {text_, size_}; }

 private:
  void grow() {
    const size_t room = std::max<size_t>(512, room_ * 2);
    text_ = static_cast<char*>(allocator_.Realloc(text_, room_, room));
    room_ = room;
  }
  RapidJsonAllocator allocator_;
  char* text_ = nullptr;
  size_t size_ = 0;
  size_t room_ = 0;
};

namespace detail {

struct RapidJsonMemory {
  explicit RapidJsonMemory(const Request& request) : allocator(request), stream(request) {}
  RapidJsonAllocator allocator;
  RapidJsonStream stream;
};

using RapidJsonWriterBase =
    rapidjson::Writer<RapidJsonStream, rapidjson::UTF8<>, rapidjson::UTF8<>, RapidJsonAllocator>;
using RapidJsonDocumentBase =
    rapidjson::GenericDocument<rapidjson::UTF8<>, RapidJsonAllocator, RapidJsonAllocator>;

}  // namespace detail

// A Writer whose text a handler can return.
class RapidJsonWriter : private detail::RapidJsonMemory, public detail::RapidJsonWriterBase {
 public:
  explicit RapidJsonWriter(const Request& request)
      : RapidJsonMemory(request), detail::RapidJsonWriterBase(stream, &allocator) {}
  operator Reply() const {
    if (!IsComplete()) throw std::logic_error("the JSON of a RapidJSON writer is not complete");
    return json_text(stream.text());
  }
};

// A Document, and values, in the request's memory.
class RapidJsonDocument : private detail::RapidJsonMemory, public detail::RapidJsonDocumentBase {
 public:
  explicit RapidJsonDocument(const Request& request)
      : RapidJsonMemory(request), detail::RapidJsonDocumentBase(&allocator, kStack, &allocator) {}
  // Parses what a client has sent, however deep. False where that is not JSON in UTF-8: GetParseError() says
  // what it is then.
  bool read(std::string_view text) {
    constexpr unsigned kFlags = rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag;
    Parse<kFlags>(text.data(), text.size());
    return !HasParseError();
  }

 private:
  static constexpr size_t kStack = 1024;
};

}  // namespace v1
}  // namespace leat

#endif
