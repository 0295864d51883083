#include "plugin/json_reader.h"

#include <bit>
#include <type_traits>

#include "plugin/text.h"

namespace leat::plugin {

static_assert(std::is_trivially_destructible_v<JsonReader>);

// What `call` answers; `otherwise` once something is wrong. Here ends what the Scanner throws.
template <class T, class Call>
T JsonReader::ask(T otherwise, Call call) {
  if (state_ != State::Fine) return otherwise;
  try {
    try {
      const T answer = call();
      return state_ == State::Fine ? answer : otherwise;
    } catch (const Error& error) {
      keep(error);
    }
  } catch (const std::bad_alloc&) {
    state_ = State::NoMemory;
  }
  return otherwise;
}

template <class T, class Take>
T JsonReader::take(Take take) {
  return ask(T{}, [&]() -> T {
    if (!value_comes()) return {};
    const T taken = take();
    next_ = after_value();
    return taken;
  });
}

void JsonReader::keep(const Error& error) {
  state_ = State::BadText;
  offset_ = error.offset;
  message_ = kept(error.message);
  pointer_ = kept(error.pointer);
}
void JsonReader::set_bad_type() {
  state_ = State::BadType;
  message_ = "must be application/json";
}
void JsonReader::misused(const char* why) {
  state_ = State::Misused;
  misuse_ = why;
}
std::string_view JsonReader::kept(std::string_view text) {
  const std::string_view copy = arena_.copy(text);
  if (copy.data() == nullptr) throw std::bad_alloc();
  return copy;
}

uint32_t JsonReader::kind() const {
  if (state_ != State::Fine || next_ != Next::Value) return LEAT_JSON_IS_NOTHING;
  switch (peek()) {
    case '{':
      return LEAT_JSON_IS_OBJECT;
    case '[':
      return LEAT_JSON_IS_ARRAY;
    case '"':
      return LEAT_JSON_IS_STRING;
    case 't':
    case 'f':
      return LEAT_JSON_IS_BOOLEAN;
    case 'n':
      return LEAT_JSON_IS_NULL;
    case '-':
      return LEAT_JSON_IS_NUMBER;
    default:
      return peek() >= '0' && peek() <= '9' ? LEAT_JSON_IS_NUMBER : LEAT_JSON_IS_NOTHING;
  }
}

// --- Containers

bool JsonReader::value_comes() {
  if (next_ != Next::Value) return misused("no value comes next"), false;
  value_at_ = at_;
  return true;
}
// Onwards in the innermost container; a value that nobody wanted is read over.
bool JsonReader::step(bool is_object) {
  if (frame_ == nullptr || frame_->is_object != is_object)
    return misused(is_object ? "this is not in an object" : "this is not in an array"), false;
  if (next_ == Next::Value) skip_value();
  next_ = Next::Step;
  return true;
}
void JsonReader::enter(Frame begun) {
  Frame*& spare = frame_ == nullptr ? frames_ : frame_->inner;
  if (spare == nullptr) {
    void* const memory = arena_.allocate(sizeof(Frame), alignof(Frame));
    if (memory == nullptr) throw std::bad_alloc();
    spare = new (memory) Frame();
  }
  begun.begin = value_at_;
  begun.place.outer = place_;
  begun.outer = frame_;
  begun.inner = spare->inner;
  frame_ = spare;
  *frame_ = begun;
  next_ = Next::Step;
}
void JsonReader::left() {
  end_container();
  value_at_ = frame_->begin;
  frame_ = frame_->outer;
  next_ = after_value();
}

bool JsonReader::object(std::span<const leat_str> names, uint64_t required) {
  return ask(false, [&] {
    if (!value_comes()) return false;
    if (names.size() > kMostNames || (!names.empty() && names.data() == nullptr))
      return misused("more than 64 names, or NULL"), false;
    begin_object();
    enter({.is_object = true, .names = names, .required = required});
    return true;
  });
}
int32_t JsonReader::member() {
  return ask(int32_t{-1}, [&] { return step(true) ? next_member() : -1; });
}
int32_t JsonReader::next_member() {
  while (!object_ends(frame_->first)) {
    frame_->first = false;
    place_ = frame_->place.outer;
    std::string storage;
    size_t begin = 0;
    const std::string_view name = take_name(storage, begin);
    frame_->place = {.outer = frame_->place.outer, .name = storage.empty() ? name : kept(name)};
    place_ = &frame_->place;
    if (const int32_t number = number_of(name, begin); number >= 0) {
      next_ = Next::Value;
      return number;
    }
    skip_value();
  }
  place_ = frame_->place.outer;
  for (uint64_t missing = frame_->required & ~frame_->seen; missing != 0; missing &= missing - 1) {
    const auto number = static_cast<size_t>(std::countr_zero(missing));
    if (number >= frame_->names.size()) break;
    const Within place(*this, view(frame_->names[number]));
    fail("is missing");
  }
  left();
  return -1;
}
// Of the member whose name stands at `begin`; -1 if it is not known.
int32_t JsonReader::number_of(std::string_view name, size_t begin) {
  if (frame_->names.empty()) return 0;
  for (uint32_t number = 0; number < frame_->names.size(); ++number) {
    if (view(frame_->names[number]) != name) continue;
    if ((frame_->seen >> number & 1) != 0) fail_at(begin, "must not appear twice");
    frame_->seen |= uint64_t{1} << number;
    return static_cast<int32_t>(number);
  }
  return -1;
}
std::string_view JsonReader::name() const {
  const bool at_member =
      state_ == State::Fine && frame_ != nullptr && frame_->is_object && place_ == &frame_->place;
  return at_member ? frame_->place.name : std::string_view();
}

bool JsonReader::array() {
  return ask(false, [&] {
    if (!value_comes()) return false;
    begin_array();
    enter({.is_object = false});
    return true;
  });
}
bool JsonReader::element() {
  return ask(false, [&] { return step(false) && next_element(); });
}
bool JsonReader::next_element() {
  place_ = frame_->place.outer;
  if (array_ends(frame_->first)) return left(), false;
  skip_space();
  const size_t index = frame_->first ? 0 : frame_->place.index + 1;
  frame_->first = false;
  frame_->place = {.outer = frame_->place.outer, .name = {}, .index = index, .is_element = true};
  place_ = &frame_->place;
  next_ = Next::Value;
  return true;
}

void JsonReader::leave() {
  if (state_ != State::Fine) return;
  if (frame_ == nullptr) return misused("no object or array was entered");
  if (frame_->is_object)
    while (member() >= 0) continue;
  else
    while (element()) continue;
}

// --- Values

bool JsonReader::boolean() {
  return take<bool>([&] { return take_boolean(); });
}
int64_t JsonReader::integer(int64_t least, int64_t most) {
  return take<int64_t>([&] { return take_integer(least, most); });
}
uint64_t JsonReader::unsigned_integer(uint64_t least, uint64_t most) {
  return take<uint64_t>([&] { return take_integer(least, most); });
}
double JsonReader::real() {
  return take<double>([&] { return take_real<double>(); });
}
std::string_view JsonReader::string() {
  return take<std::string_view>([&] {
    std::string storage;
    const std::string_view found = take_string(storage);
    return storage.empty() ? found : kept(found);
  });
}
std::string_view JsonReader::raw() {
  return take<std::string_view>([&] {
    const size_t begin = at_;
    skip_value();
    return text_.substr(begin, at_ - begin);
  });
}
bool JsonReader::null() {
  return ask(false, [&] {
    if (!value_comes() || !skip_word("null")) return false;
    next_ = after_value();
    return true;
  });
}

void JsonReader::reject(std::string_view message) {
  ask(0, [&]() -> int { fail_at(value_at_, std::string(message)); });
}
void JsonReader::finish() {
  ask(0, [&] {
    if (frame_ != nullptr) return misused("an object or array was entered and not left"), 0;
    if (next_ == Next::Value) skip_value();
    next_ = Next::End;
    expect_end();
    return 0;
  });
}

}  // namespace leat::plugin
