// Rules of parameters: what a handler, or its route, asks of a request besides its path. They are declared
// when the configuration is loaded, by the plugin's types and by [[route.parameter]], and are one list then,
// of which a route's is a ParameterSet.
//
//   ParameterSpec    one parameter as it was declared; two of the same name and place become one (narrow)
//   ParameterSet     those of a route, made ready: take() looks each up in one pass over the request, checks
//                    it, and keeps it under its number, or tells all that is wrong in one 400
//   ParameterValues  what it has found in a request, in its arena
//
// What is asked of a body is taken when that is there as a whole, but for the fields of a multipart form of a
// handler that takes its body in pieces: those are read as they come (take_piece, take_end), and nothing is kept
// of them but texts.
//
// Nothing of it asks the heap for anything while requests are served, but for texts with escapes in JSON.
#pragma once

#include <cstdint>
#include <expected>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/value.h"
#include "http/exchange.h"
#include "pipeline/name_table.h"
#include "pipeline/text_pattern.h"

namespace leat::pipeline {

// Where it stands. The numbers are those of LEAT_IN_PATH and so on.
enum class In : uint8_t { Path, Query, Header, Cookie, Form, Multipart, Json };
inline constexpr std::string_view kInWords = "path query header cookie form multipart json";
inline constexpr size_t kInCount = 7;
// The numbers are those of LEAT_TYPE_TEXT and so on.
enum class ParameterType : uint8_t { Text, Integer, Number, Boolean, Uuid, DateTime, Email, Uri, File };
inline constexpr std::string_view kTypeWords = "text integer number boolean uuid date-time email uri file";

// Holds both ends of what int64_t and uint64_t can.
__extension__ using WideInteger = __int128;

struct ParameterSpec {
  std::string name;  // of In::Json: a member of the object that the body is, or a pointer to it (RFC 6901)
  In in = In::Query;
  ParameterType type = ParameterType::Text;
  bool required = false;
  // Several values: in a query, forms and cookies each with its name, in JSON an array, elsewhere with commas
  // between.
  bool list = false;
  std::string sentence;                                     // for people
  WideInteger least = std::numeric_limits<int64_t>::min();  // of an Integer
  WideInteger most = std::numeric_limits<uint64_t>::max();
  double least_number = -std::numeric_limits<double>::infinity();  // of a Number
  double most_number = std::numeric_limits<double>::infinity();
  uint32_t min_length = 0, max_length = UINT32_MAX;  // characters of a Text
  uint32_t min_items = 0, max_items = UINT32_MAX;    // of a list
  std::string pattern;                               // of a Text; empty for none
  std::vector<std::string> choices;                  // of a Text; empty: whatever. Of a File: its types
  uint64_t max_size = UINT64_MAX;                    // bytes of a File
  std::optional<std::string> fallback;               // where it is absent
  uint32_t path_index = 0;                           // of In::Path, among Request::params()
  Place place = {};                                  // where a file declares it
};

// "query parameter", to go before its name.
std::string_view kind_text(In in);
// What it must be, to follow "must be ": "a whole number from 1 to 100".
std::string expectation_text(const ParameterSpec& spec);
// All that is asked of it: "a whole number from 1 to 100; required".
std::string rule_text(const ParameterSpec& spec);
// What contradicts itself in it, as a sentence about what is called by its name; empty when nothing does.
std::string mistake_in(const ParameterSpec& spec);
// Has `spec` ask what `other`, of the same name and place, asks as well. What they cannot both have, as a
// sentence; empty when it is done.
std::string narrow(ParameterSpec& spec, const ParameterSpec& other);

// The names on the way to a member of a JSON body, which is named by its own name or a pointer (RFC 6901).
std::vector<std::string> steps_of(std::string_view name);

// Whether a text is what a type says, without further rules.
bool is_of_type(ParameterType type, std::string_view text);

// What a handler says of its bodies, as JSON Schemas; empty for nothing.
struct BodySchemas {
  std::string body, answer;
};

struct ParameterValue {
  std::string_view text;  // of a File: its content, where the body is there as a whole
  ParameterValue* next = nullptr;
};
// Of a File.
struct FileValue : ParameterValue {
  std::string_view name;  // as the client calls it
  std::string_view type;  // as the client says
  uint64_t size = 0;
};

// What a form may have, whatever is asked of its fields. Each is a setting.
struct FormLimits {
  uint32_t parts = 1000;                     // of a multipart form; of another, its fields
  uint64_t text_bytes = uint64_t{64} << 10;  // of a multipart form's field that is no file
};

class ParameterSet;

// In the arena of a request.
class ParameterValues {
 public:
  // More are not told: each is a line that somebody has to read.
  static constexpr uint32_t kMostViolations = 32;

  // The values of parameter number `index`, in their order; null where it is absent or wrong.
  [[nodiscard]] const ParameterValue* first(uint32_t index) const {
    return index < slots_.size() && !slots_[index].wrong ? slots_[index].first : nullptr;
  }
  // One of the files that were given for it, from 0; null for what is no file.
  [[nodiscard]] const FileValue* file(uint32_t index, uint32_t item) const {
    const ParameterValue* value = index < slots_.size() && slots_[index].files ? first(index) : nullptr;
    for (; value != nullptr && item != 0; --item) value = value->next;
    return static_cast<const FileValue*>(value);
  }
  [[nodiscard]] uint32_t violations() const { return violation_count_; }
  // The handler is called: with what is wrong, where that is its own business.
  void admit() { admitted_ = true; }
  [[nodiscard]] bool admitted() const { return admitted_; }
  // Says that something in the body is wrong: `pointer` is its place (RFC 6901), `message` goes on from "The
  // body's `/title` ". Both are copied. False: memory is out.
  [[nodiscard]] bool reject(Arena& arena, std::string_view pointer, std::string_view message);
  // Answers with a 400 that tells all that is wrong. False where nothing can be answered any more.
  [[nodiscard]] bool refuse(http::Exchange& exchange) const;

 private:
  friend class ParameterSet;

  struct Slot {
    ParameterValue* first = nullptr;
    ParameterValue* last = nullptr;
    uint32_t count = 0;
    bool present = false;  // of a list, which may be empty
    bool files = false;    // its values are FileValues
    bool wrong = false;
  };
  struct Violation {
    const ParameterSpec* spec;  // null: the body. Of a body's members `pointer` says where
    std::string_view pointer, message;
    uint32_t item;  // of a list, from 0; kNoItem
    Violation* next;
  };
  static constexpr uint32_t kNoItem = UINT32_MAX;

  bool add(Arena& arena, const Violation& violation);

  std::span<Slot> slots_;
  Violation* violations_ = nullptr;
  Violation* last_ = nullptr;
  uint32_t violation_count_ = 0;
  bool admitted_ = false;
};

class ParameterSet {
 public:
  // More than a form that people fill in has.
  static constexpr size_t kMost = 128;

  // What is wrong, as sentences; each spec was found to be right by itself.
  static std::expected<std::unique_ptr<const ParameterSet>, std::string> make(
      std::vector<ParameterSpec> specs, const FormLimits& limits = {});

  [[nodiscard]] std::span<const ParameterSpec> specs() const { return specs_; }
  // Of the body, which must be complete.
  [[nodiscard]] bool needs_whole_body() const { return has(In::Form) || has(In::Json); }
  // Of the body, which may come in pieces.
  [[nodiscard]] bool reads_parts() const { return has(In::Multipart); }

  enum class Taken : uint8_t { Good, Wrong, NoMemory };
  // Looks all of them up and keeps them as the exchange's ParameterValues, which Wrong has violations in.
  // `streams`: the body is still to come, and what is asked of it is left to the two below.
  [[nodiscard]] Taken take(http::Exchange& exchange, bool streams = false) const;
  // The next piece of a multipart form. Wrong as soon as anything was found wrong: the rest is read all the
  // same, so that all of it can be told at the end.
  [[nodiscard]] Taken take_piece(http::Exchange& exchange, std::string_view piece) const;
  // No more is read of it: it is no form.
  [[nodiscard]] bool is_broken(const http::Exchange& exchange) const;
  // The form is complete.
  [[nodiscard]] Taken take_end(http::Exchange& exchange) const;
  // What take() has kept; null before.
  [[nodiscard]] ParameterValues* values(const http::Exchange& exchange) const {
    return exchange.states.find<ParameterValues>(this);
  }

 private:
  // What was computed of a spec.
  struct Rule {
    std::string expectation;  // "must be a whole number from 1 to 100"
    std::string item_count;   // "must have 1 to 5 values"
    std::optional<TextPattern> pattern;
    std::vector<std::string> steps;  // of In::Json: the names on the way to it
    std::string pointer;             // likewise
  };
  // A name on the way to members of a JSON body: where it stands, what is asked of lies.
  struct Step {
    uint32_t first;  // of the numbers of those that lie there
    bool last;       // it is that one's own name
  };
  // Where the names in a JSON body stand for names_: in the body, or in what step number `step` names.
  static constexpr uint32_t kInBody = kInCount;
  static constexpr uint32_t in_step(uint32_t step) { return kInBody + 1 + step; }
  struct Taking;                                  // parameter_taking.h
  struct [[gnu::visibility("hidden")]] Form;      // form_parameters.cc
  struct [[gnu::visibility("hidden")]] PartSink;  // likewise
  class [[gnu::visibility("hidden")]] Members;    // json_parameters.cc

  ParameterSet() = default;
  [[nodiscard]] bool has(In in) const {
    return begins_[static_cast<size_t>(in)] != ends_[static_cast<size_t>(in)];
  }
  void add_names();
  // The number of the one that is called so there; NameTable::kNone.
  [[nodiscard]] uint32_t number_of(In in, std::string_view name) const {
    return names_.find(static_cast<uint32_t>(in), name);
  }
  // Likewise of a name as it stands in a query or a form.
  [[nodiscard]] uint32_t number_of_encoded(In in, std::string_view name) const;
  [[nodiscard]] static bool fits(const ParameterSpec& spec, const Rule& rule, std::string_view text);

  std::vector<ParameterSpec> specs_;
  std::vector<Rule> rules_;
  std::vector<uint32_t> order_;                           // numbers of specs, by where they stand
  uint32_t begins_[kInCount] = {}, ends_[kInCount] = {};  // in order_, of each In
  NameTable names_;  // numbers of specs within their In; within a JSON body, of steps_
  std::vector<Step> steps_;
  FormLimits limits_;
  std::string too_long_;  // what is said of a text that is longer than limits_ has it
  std::string too_many_;  // and of a form with more fields
};

}  // namespace leat::pipeline
