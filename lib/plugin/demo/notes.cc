#include "notes.h"

#include <charconv>
#include <stdexcept>
#include <utility>

#include <leat/plugin_rapidjson.hpp>

namespace demo {
namespace {

// Takes an object with one text named "text", and stops the reader at anything else, so that neither depth
// nor size of what a client sends matters.
class NoteReader : public rapidjson::BaseReaderHandler<rapidjson::UTF8<>, NoteReader> {
 public:
  bool Default() { return false; }  // any value that is not named below
  bool StartObject() { return !std::exchange(in_object_, true); }
  bool Key(const char* name, rapidjson::SizeType size, bool) {
    return !text_ && std::string_view(name, size) == "text";
  }
  bool String(const char* text, rapidjson::SizeType size, bool) {
    if (!in_object_) return false;
    text_.emplace(text, size);
    return true;
  }
  bool EndObject(rapidjson::SizeType) { return text_.has_value(); }

  std::optional<std::string> take() { return std::move(text_); }

 private:
  bool in_object_ = false;
  std::optional<std::string> text_;
};

}  // namespace

leat::Result<std::string> Notes::read(std::string_view json) const {
  rapidjson::MemoryStream stream(json.data(), json.size());
  rapidjson::Reader reader;
  NoteReader note;
  constexpr unsigned kFlags = rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag;
  if (!reader.Parse<kFlags>(stream, note))
    return leat::problem(400, "The body must be a JSON object with one member, \"text\", that is a string.");
  std::string text = *note.take();
  if (text.empty() || text.size() > limits_.most_bytes)
    return leat::problem(400, "The text must be 1 to " + std::to_string(limits_.most_bytes) + " bytes long.");
  return text;
}

std::optional<uint64_t> Notes::add(std::string text) {
  const std::lock_guard lock(mutex_);
  if (notes_.size() >= limits_.most_notes) return std::nullopt;
  notes_.emplace(++last_id_, std::move(text));
  return last_id_;
}

bool Notes::replace(uint64_t id, std::string text) {
  const std::lock_guard lock(mutex_);
  const auto note = notes_.find(id);
  if (note == notes_.end()) return false;
  note->second = std::move(text);
  return true;
}

bool Notes::remove(uint64_t id) {
  const std::lock_guard lock(mutex_);
  return notes_.erase(id) != 0;
}

std::optional<std::string> Notes::find(uint64_t id) const {
  const std::lock_guard lock(mutex_);
  const auto note = notes_.find(id);
  return note == notes_.end() ? std::nullopt : std::optional(note->second);
}

// "notes/1 LAST\n", then "ID SIZE\n" and SIZE bytes for each. The version is for a newer build that has to
// read it.
std::string Notes::save() const {
  const std::lock_guard lock(mutex_);
  std::string saved = "notes/1 " + std::to_string(last_id_) + "\n";
  for (const auto& [id, text] : notes_)
    saved += std::to_string(id) + " " + std::to_string(text.size()) + "\n" + text;
  return saved;
}

void Notes::restore(std::string_view saved) {
  const auto number = [&](char end) {
    uint64_t value = 0;
    const auto [at, error] = std::from_chars(saved.data(), saved.data() + saved.size(), value);
    if (error != std::errc() || at == saved.data() + saved.size() || *at != end)
      throw std::runtime_error("the saved notes are damaged");
    saved.remove_prefix(static_cast<size_t>(at - saved.data()) + 1);
    return value;
  };
  constexpr std::string_view kVersion = "notes/1 ";
  if (!saved.starts_with(kVersion)) throw std::runtime_error("the saved notes are of another version");
  saved.remove_prefix(kVersion.size());
  const uint64_t last_id = number('\n');
  std::map<uint64_t, std::string> notes;
  while (!saved.empty()) {
    const uint64_t id = number(' ');
    const uint64_t size = number('\n');
    if (size > saved.size()) throw std::runtime_error("the saved notes are damaged");
    notes.emplace(id, saved.substr(0, size));
    saved.remove_prefix(size);
  }
  const std::lock_guard lock(mutex_);
  notes_ = std::move(notes);
  last_id_ = last_id;
}

}  // namespace demo
