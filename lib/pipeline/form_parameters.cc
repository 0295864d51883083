// The fields of a multipart form by their rules, read as their bytes come.
//
// Of a body that is there as a whole texts and files stay where they are in it. Of one that comes in pieces a
// text is kept in the request's memory, FormLimits::text_bytes of it at most, and of a file its name and type
// alone: it is counted and goes on to the handler.
#include <algorithm>
#include <charconv>
#include <cstring>
#include <new>

#include "base/shared/plugin_parts.hpp"
#include "base/text.h"
#include "http/header_id.h"
#include "pipeline/parameter_taking.h"

namespace leat::pipeline {

namespace {

constexpr uint32_t kNobody = NameTable::kNone;
constexpr std::string_view kNoFile = "must be a file, which has a `filename`";
constexpr std::string_view kNoText = "must be a text and no file";
constexpr std::string_view kNested = "must not be a multipart of its own, which forms no longer have";

// RFC 7578, section 4.3: so were several files of one field sent once.
bool is_nested(std::string_view type) {
  constexpr std::string_view kMultipart = "multipart/";
  return equal_ignoring_case(type.substr(0, kMultipart.size()), kMultipart);
}

// "image/png", or "image/*"
bool is_one_of(std::string_view type, const std::vector<std::string>& wanted) {
  type = essence_of(type);
  return std::ranges::any_of(wanted, [&](std::string_view each) {
    if (!each.ends_with("/*")) return equal_ignoring_case(type, each);
    each.remove_suffix(1);
    return type.size() > each.size() && equal_ignoring_case(type.substr(0, each.size()), each);
  });
}

}  // namespace

struct ParameterSet::Form {
  Form(const FormLimits& limits, bool is_whole) : reader({.parts = limits.parts}), whole(is_whole) {}

  encoding::PartReader reader;
  const bool whole;     // what is fed stays until the request ends
  bool closed = false;  // nothing is read of it any more
  // The part that comes.
  uint32_t number = kNobody;
  std::string_view fault;  // what is wrong with it
  std::string_view name, type;
  uint64_t size = 0;
  const char* content = nullptr;
  char* kept = nullptr;  // likewise, of one in pieces
  size_t room = 0;
};

// Where the reader's parts go.
struct ParameterSet::PartSink {
  Taking& taking;
  Form& form;

  [[nodiscard]] const ParameterSpec& spec() const { return taking.set.specs_[form.number]; }
  [[nodiscard]] bool wants_file() const { return spec().type == ParameterType::File; }

  void on_part(const encoding::PartHead& part) {
    form.number = taking.set.number_of(In::Multipart, part.name);
    if (form.number == kNobody) return;
    form.fault = is_nested(part.type)              ? kNested
                 : wants_file() && !part.file_name ? kNoFile
                 : !wants_file() && part.file_name ? kNoText
                                                   : std::string_view();
    form.size = 0;
    form.content = form.kept = nullptr;
    form.room = 0;
    form.name = form.type = {};
    if (!wants_file()) return;
    form.name = taking.arena().copy(part.file_name.value_or(""));
    form.type = taking.arena().copy(part.type);
    if (form.name.data() == nullptr || form.type.data() == nullptr) taking.memory = false;
  }

  void on_part_piece(std::string_view piece) {
    if (form.number == kNobody) return;
    form.size += piece.size();
    if (!form.fault.empty()) return;
    if (!wants_file() && form.size > taking.set.limits_.text_bytes)
      form.fault = taking.set.too_long_;
    else if (form.whole)
      form.content = piece.data();  // all of it comes as one piece
    else if (!wants_file())
      keep(piece);
  }

  void on_part_end() {
    if (form.number == kNobody) return;
    // What browsers send where no file was chosen.
    const bool nothing = wants_file() && form.fault.empty() && form.name.empty() && form.size == 0;
    if (!nothing) judge();
    form.number = kNobody;
  }

 private:
  // Behind what was kept of the same part. Its size counts the piece already.
  void keep(std::string_view piece) {
    const size_t before = form.size - piece.size();
    if (form.size > form.room) {
      const size_t room = std::max<size_t>(2 * form.room, std::max<size_t>(form.size, 64));
      char* const larger = taking.arena().allocate_array<char>(room);
      if (larger == nullptr) return void(taking.memory = false);
      if (before != 0) std::memcpy(larger, form.kept, before);
      form.kept = larger;
      form.room = room;
      form.content = larger;
    }
    std::memcpy(form.kept + before, piece.data(), piece.size());
  }

  void judge() {
    const uint32_t number = form.number;
    const Rule& rule = taking.set.rules_[number];
    const uint32_t item = taking.values.slots_[number].count++;
    const std::string_view content =
        form.content == nullptr ? std::string_view("", 0) : std::string_view(form.content, form.size);
    std::string_view fault = form.fault;
    if (fault.empty() && !(wants_file() ? fits_file() : fits(spec(), rule, content)))
      fault = rule.expectation;
    if (!fault.empty()) return taking.reject(number, fault, spec().list ? item : ParameterValues::kNoItem);
    if (item != 0 && !spec().list) return;  // which check_count() tells
    if (wants_file())
      add_file(form.whole ? content : std::string_view("", 0));
    else if (void* place = taking.arena().allocate(sizeof(ParameterValue), alignof(ParameterValue)))
      taking.append(number, new (place) ParameterValue{content});
    else
      taking.memory = false;
  }
  [[nodiscard]] bool fits_file() const {
    return form.size <= spec().max_size && (spec().choices.empty() || is_one_of(form.type, spec().choices));
  }
  void add_file(std::string_view content) {
    void* place = taking.arena().allocate(sizeof(FileValue), alignof(FileValue));
    if (place == nullptr) return void(taking.memory = false);
    auto* file = new (place) FileValue{};
    file->text = content;
    file->name = form.name;
    file->type = form.type;
    file->size = form.size;
    taking.values.slots_[form.number].files = true;
    taking.append(form.number, file);
  }
};

namespace {

// "has a part with two names, at byte 57"
std::string_view told_with_place(Arena& arena, const encoding::PartReader& reader) {
  char number[20];
  const auto end = std::to_chars(number, number + sizeof number, reader.offset()).ptr;
  return joined(arena, {reader.wrong(), ", at byte ", {number, static_cast<size_t>(end - number)}});
}

// What is said of a Content-Type by which nothing can be read.
std::string_view told_of(encoding::PartReader::Begun begun) {
  return begun == encoding::PartReader::Begun::OtherType
             ? "must be multipart/form-data"
             : "must be multipart/form-data whose Content-Type names a boundary of 1 to 70 characters";
}

}  // namespace

void ParameterSet::Taking::take_form() {
  Form form(set.limits_, true);
  const auto begun = form.reader.begin(exchange.request.header(http::HeaderId::ContentType));
  if (begun != encoding::PartReader::Begun::Good) return reject_body(In::Multipart, told_of(begun));
  PartSink sink{*this, form};
  if (!form.reader.feed(exchange.request.body(), sink) || !form.reader.end())
    reject_body(In::Multipart, told_with_place(arena(), form.reader));
}

ParameterSet::Taken ParameterSet::take_piece(http::Exchange& exchange, std::string_view piece) const {
  ParameterValues* const found = values(exchange);
  if (found == nullptr) return Taken::NoMemory;
  Taking taking{*this, exchange, *found};
  auto* form = exchange.states.find<Form>(this);
  if (form == nullptr) {
    form = exchange.states.make<Form>(this, limits_, false);
    if (form == nullptr) return Taken::NoMemory;
    const auto begun = form->reader.begin(exchange.request.header(http::HeaderId::ContentType));
    form->closed = begun != encoding::PartReader::Begun::Good;
    if (form->closed) taking.reject_body(In::Multipart, told_of(begun));
  }
  PartSink sink{taking, *form};
  if (!form->closed && !form->reader.feed(piece, sink)) {
    form->closed = true;
    taking.reject_body(In::Multipart, told_with_place(exchange.arena(), form->reader));
  }
  return taking.outcome();
}

bool ParameterSet::is_broken(const http::Exchange& exchange) const {
  const auto* form = exchange.states.find<Form>(this);
  return form != nullptr && form->closed;
}

ParameterSet::Taken ParameterSet::take_end(http::Exchange& exchange) const {
  ParameterValues* const found = values(exchange);
  if (found == nullptr) return Taken::NoMemory;
  Taking taking{*this, exchange, *found};
  if (auto* form = exchange.states.find<Form>(this); form != nullptr && !form->closed && !form->reader.end())
    taking.reject_body(In::Multipart, told_with_place(exchange.arena(), form->reader));
  for (const uint32_t number : taking.numbers(In::Multipart)) taking.check(number);
  return taking.outcome();
}

}  // namespace leat::pipeline
