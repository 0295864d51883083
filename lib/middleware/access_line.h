// AccessLine: what a line of the access log consists of, compiled once from the configuration, and its writer.
//
// A line is a list of parts, each a constant text and a field behind it. Writing one is a loop over them, with one
// call for each field. Most requests have a head that came before, and all of them one of few outcomes: what parts in a
// row make of a known head, or of an outcome, is kept as it is and copied for the next request.
//
//   {"ts":"..","client":".."  ,"method":"GET","host":"..","target":".."  ,"status":200,"route":".."  ,"bytes_out":27}
//    each time                 of the head                                of the outcome               each time
//
// Thread: an AccessLine is read by all workers; an AccessLineWriter is one worker's.
#pragma once

#include <array>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/escape.h"
#include "middleware/access_fields.h"

namespace leat::middleware {

// What is hidden of fields, whatever they are shown as.
struct Redaction {
  std::vector<std::string> headers;     // names of header fields
  std::vector<std::string> parameters;  // names of parameters of a query
  [[nodiscard]] bool hides_header(std::string_view name) const;
  [[nodiscard]] bool hides_parameter(std::string_view name) const;
};

class AccessLine {
 public:
  // No line is longer. What texts have more is cut, never within a character, and the line stays whole.
  static constexpr size_t kMostBytes = size_t{16} * 1024;
  // Bytes behind its end that are written to as well.
  static constexpr size_t kBeyond = 64;
  // Of one text.
  static constexpr size_t kMostText = 2048;
  // Of one line.
  static constexpr size_t kMostFields = 64;

  struct Part {
    // What stands before it, with as many bytes more as are copied at a time.
    static constexpr size_t kCopied = 32;
    std::array<char, kCopied> begin;     // of `before`
    uint32_t size;                       // of `before`
    char after = '\0';                   // '\0': nothing
    bool optional = false;               // nothing of it is written where it is empty; else "-" is
    bool hidden = false;                 // for the log it is always the same
    const AccessField* field = nullptr;  // null: that header, or, without one, nothing
    uint32_t behind = 0;                 // bytes that the rest of the line has at least room for
    std::string before;
    std::string header;
    [[nodiscard]] AccessField::Scope scope() const {
      if (field != nullptr) return field->scope;
      return header.empty() ? AccessField::Scope::Request : AccessField::Scope::Head;
    }
  };
  // Parts in a row of one scope.
  struct Run {
    AccessField::Scope scope;
    uint32_t first, last;  // behind the last
  };

  // An object, with members named as the fields.
  static AccessLine object(std::span<const std::string> fields, Redaction redaction);
  // A text with {field} in it.
  static AccessLine words(std::string_view pattern, Redaction redaction);
  // A record of the journal: its message by a pattern, and fields.
  static AccessLine record(std::string_view pattern, std::span<const std::string> fields,
                           Redaction redaction);
  // What is wrong with a name of a field; empty when nothing is.
  static std::string check_field(std::string_view name);
  // Likewise with a pattern.
  static std::string check_pattern(std::string_view pattern);

  // What is the same in all lines leaves room for what is not.
  [[nodiscard]] bool fits() const { return least_ <= kMostBytes / 2; }
  // It wants Exchange::handler_ns and answer_ns.
  [[nodiscard]] bool timed() const;

 private:
  friend class AccessLineWriter;
  explicit AccessLine(Redaction redaction, Escapes escapes)
      : redaction_(std::move(redaction)), escapes_(escapes) {}
  void add(std::string before, std::string_view name, char after, bool optional);
  void add_words(std::string_view pattern);
  void add_members(std::span<const std::string> fields, bool journal);
  void compile();

  Redaction redaction_;
  Escapes escapes_;
  bool object_ = false;
  std::vector<Part> parts_;
  std::string tail_;  // behind the last part, with what ends the line
  std::vector<Run> runs_;
  size_t least_ = 0;  // room that the whole line takes with nothing but numbers
};

class AccessLineWriter {
 public:
  explicit AccessLineWriter(const AccessLine& line);
  // Writes the line to `at`, where there is room for AccessLine::kMostBytes and kBeyond. Returns its end, behind what ends it.
  char* write(char* at, const AccessFacts& facts);

 private:
  // Of a known head: what up to so many runs make of it.
  static constexpr size_t kRuns = 4;
  static constexpr size_t kHeads = 128;
  static constexpr size_t kOutcomes = 64;
  struct Kept {
    static constexpr size_t kRoom = 1536;
    bool whole;  // it had room
    std::array<uint32_t, kRuns> ends;
    char text[kRoom];
  };
  struct KeptHead : Kept {
    uint64_t number;  // of the KnownHead; 0 for none
  };
  struct KeptOutcome : Kept {
    const void* route;
    const char* cut;
    const char* cache;
    uint16_t status;
    bool used;
  };

  char* write_parts(char* at, const AccessLine::Run& run, const AccessFacts& facts);
  char* write_part(char* at, const AccessLine::Part& part, const AccessFacts& facts);
  char* write_text(char* at, const AccessLine::Part& part, std::string_view text);
  char* write_header(char* at, const AccessLine::Part& part, const AccessFacts& facts);
  char* write_query(char* at, const AccessLine::Part& part, std::string_view text);
  [[nodiscard]] size_t room_at(const char* at, const AccessLine::Part& part) const;
  void see_moment(uint64_t now_ns);
  const Kept* kept_head(const AccessFacts& facts);
  const Kept* kept_outcome(const AccessFacts& facts);
  void fill(Kept& kept, AccessField::Scope scope, const AccessFacts& facts);

  const AccessLine& line_;
  const char* end_ = nullptr;  // of the room that there is
  struct Free {
    void operator()(void* memory) const { std::free(memory); }
  };
  std::unique_ptr<KeptHead[], Free> heads_;        // null where none are kept
  std::unique_ptr<KeptOutcome[], Free> outcomes_;  // likewise
  // When it is: the text of a millisecond, made when that begins.
  uint64_t moment_ms_ = 0;  // CLOCK_MONOTONIC
  int64_t second_ = -1;     // of CLOCK_REALTIME
  char moment_[24];         // "2026-11-29T10:00:00.123Z"
  char clock_[26];          // "29/Nov/2026:10:00:00 +0000"
};

}  // namespace leat::middleware
