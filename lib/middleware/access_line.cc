#include "middleware/access_line.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstring>
#include <ctime>
#include <utility>

#include "base/date.h"
#include "base/suggest.h"
#include "base/text.h"
#include "http/bytes.h"
#include "pipeline/request_counts.h"

namespace leat::middleware {

namespace {

using Kind = AccessField::Kind;
using Scope = AccessField::Scope;

constexpr std::string_view kHeader = "header:";
constexpr std::string_view kHidden = "[redacted]";
// Room for a number, or a moment.
constexpr size_t kMostNumber = 32;

// Two digits at a time.
constexpr auto kPairs = [] {
  std::array<char, 200> pairs{};
  for (size_t i = 0; i < 100; ++i) {
    pairs[2 * i] = static_cast<char>('0' + i / 10);
    pairs[2 * i + 1] = static_cast<char>('0' + i % 10);
  }
  return pairs;
}();

// Up to 32 bytes in one go, whatever they are fewer.
char* put_word(char* at, std::string_view word) {
  if (word.size() <= 32) [[likely]]
    return http::put_bytes(at, word);
  return static_cast<char*>(::mempcpy(at, word.data(), word.size()));
}

char* put_number(char* at, uint64_t number) {
  const auto pair = [](char* to, uint64_t value) { std::memcpy(to, &kPairs[value * 2], 2); };
  if (number < 10) {
    *at = static_cast<char>('0' + number);
    return at + 1;
  }
  if (number < 100) {
    pair(at, number);
    return at + 2;
  }
  if (number < 1000) {
    *at = static_cast<char>('0' + number / 100);
    pair(at + 1, number % 100);
    return at + 3;
  }
  if (number < 10'000) {
    pair(at, number / 100);
    pair(at + 2, number % 100);
    return at + 4;
  }
  at = put_number(at, number / 10'000);
  pair(at, number / 100 % 100);
  pair(at + 2, number % 100);
  return at + 4;
}

std::string key_of(std::string_view name, bool journal) {
  std::string key(name.starts_with(kHeader) ? "header_" : "");
  key += name.starts_with(kHeader) ? name.substr(kHeader.size()) : name;
  for (char& c : key) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    c = letter ? ascii_lower(c) : '_';
    if (journal && c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return journal ? "LEAT_" + key : key;
}

bool is_quoted(const AccessField* field) {
  return field == nullptr || (field->kind != Kind::Number && field->kind != Kind::Boolean);
}

// The header field that a field shows; empty for others.
std::string_view header_behind(std::string_view name) {
  if (name.starts_with(kHeader)) return name.substr(kHeader.size());
  if (name == "referer") return "Referer";
  if (name == "user_agent") return "User-Agent";
  return name == "host" ? "Host" : "";
}

// Calls `text` and `field` for the pieces of a pattern, in order. What is wrong with it; empty when nothing is.
template <class OnText, class OnField>
std::string read_pattern(std::string_view pattern, OnText on_text, OnField on_field) {
  while (!pattern.empty()) {
    const size_t brace = std::min(pattern.find_first_of("{}"), pattern.size());
    if (brace != 0) on_text(pattern.substr(0, brace));
    pattern.remove_prefix(brace);
    if (pattern.empty()) break;
    if (pattern.starts_with("{{") || pattern.starts_with("}}")) {
      on_text(pattern.substr(0, 1));
      pattern.remove_prefix(2);
      continue;
    }
    const size_t end = pattern.find('}');
    if (pattern[0] == '}' || end == std::string_view::npos)
      return fmt::format("has a `{}` that stands alone; one that is meant is written twice", pattern[0]);
    const std::string_view name = pattern.substr(1, end - 1);
    if (std::string wrong = AccessLine::check_field(name); !wrong.empty()) return wrong;
    on_field(name);
    pattern.remove_prefix(end + 1);
  }
  return {};
}

// A parameter's name, decoded.
std::string decoded(std::string_view name) {
  std::string text;
  const auto digit = [](char c) -> int {
    if (c >= '0' && c <= '9') return c - '0';
    const char lower = ascii_lower(c);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
  };
  for (size_t i = 0; i < name.size(); ++i) {
    if (name[i] == '%' && i + 2 < name.size() && digit(name[i + 1]) >= 0 && digit(name[i + 2]) >= 0) {
      text += static_cast<char>(digit(name[i + 1]) * 16 + digit(name[i + 2]));
      i += 2;
    } else {
      text += name[i] == '+' ? ' ' : name[i];
    }
  }
  return text;
}

}  // namespace

bool Redaction::hides_header(std::string_view name) const {
  return std::ranges::any_of(headers,
                             [&](const std::string& each) { return equal_ignoring_case(each, name); });
}

bool Redaction::hides_parameter(std::string_view name) const {
  const std::string meant =
      name.find_first_of("%+") == std::string_view::npos ? std::string() : decoded(name);
  return std::ranges::any_of(parameters, [&](const std::string& each) {
    return equal_ignoring_case(each, meant.empty() ? name : std::string_view(meant));
  });
}

std::string AccessLine::check_field(std::string_view name) {
  if (name.starts_with(kHeader)) {
    if (is_token(name.substr(kHeader.size()))) return {};
    return fmt::format("`{}` names no header field", name);
  }
  if (find_access_field(name) != nullptr) return {};
  std::vector<std::string_view> names;
  for (const AccessField& each : access_fields()) names.push_back(each.name);
  const std::string_view near = closest(name, names);
  return fmt::format("there is no field `{}`{}", name,
                     near.empty() ? "" : fmt::format(": did you mean `{}`?", near));
}

std::string AccessLine::check_pattern(std::string_view pattern) {
  size_t fields = 0;
  std::string wrong = read_pattern(pattern, [](std::string_view) {}, [&](std::string_view) { ++fields; });
  if (wrong.empty() && fields > kMostFields) wrong = fmt::format("has more than {} fields", kMostFields);
  return wrong;
}

AccessLine AccessLine::object(std::span<const std::string> fields, Redaction redaction) {
  AccessLine line(std::move(redaction), Escapes::Json);
  line.object_ = true;
  line.add_members(fields, false);
  line.tail_ = "}\n";
  line.compile();
  return line;
}

AccessLine AccessLine::words(std::string_view pattern, Redaction redaction) {
  AccessLine line(std::move(redaction), Escapes::Plain);
  line.add_words(pattern);
  line.tail_ += '\n';
  line.compile();
  return line;
}

AccessLine AccessLine::record(std::string_view pattern, std::span<const std::string> fields,
                              Redaction redaction) {
  AccessLine line(std::move(redaction), Escapes::Plain);
  line.tail_ = "PRIORITY=6\nSYSLOG_IDENTIFIER=leat\nMESSAGE=";
  line.add_words(pattern);
  AccessLine::Part rest;
  rest.before = std::exchange(line.tail_, {}) + '\n';
  line.parts_.push_back(std::move(rest));
  line.add_members(fields, true);
  line.tail_ += '\0';
  line.compile();
  return line;
}

bool AccessLine::timed() const {
  return std::ranges::any_of(parts_,
                             [](const Part& part) { return part.field != nullptr && part.field->timed; });
}

void AccessLine::add(std::string before, std::string_view name, char after, bool optional) {
  Part part;
  part.before = std::exchange(tail_, {}) + std::move(before);
  part.after = after;
  part.field = find_access_field(name);
  if (part.field == nullptr) part.header = name.substr(kHeader.size());
  part.optional = optional;
  const std::string_view header = header_behind(name);
  part.hidden = !header.empty() && redaction_.hides_header(header);
  parts_.push_back(std::move(part));
}

void AccessLine::add_words(std::string_view pattern) {
  // What is wrong with it was said before.
  (void)read_pattern(
      pattern, [this](std::string_view text) { tail_ += text; },
      [this](std::string_view name) { add({}, name, '\0', false); });
}

void AccessLine::add_members(std::span<const std::string> fields, bool journal) {
  for (const std::string& name : fields) {
    const bool quoted = !journal && is_quoted(find_access_field(name));
    const std::string key = key_of(name, journal);
    if (journal)
      add(key + "=", name, '\n', true);
    else
      add(fmt::format(",\"{}\":{}", key, quoted ? "\"" : ""), name, quoted ? '"' : '\0', true);
  }
}

void AccessLine::compile() {
  size_t behind = tail_.size() + 1;
  for (auto part = parts_.rbegin(); part != parts_.rend(); ++part) {
    const bool word = part->field != nullptr && part->field->kind == Kind::Word;
    part->behind = static_cast<uint32_t>(behind + 1);
    part->size = static_cast<uint32_t>(part->before.size());
    part->begin = {};
    part->before.copy(part->begin.data(), Part::kCopied);
    behind = part->behind + (word ? AccessField::kMostWord : kMostNumber) + part->before.size();
  }
  least_ = behind;
  for (uint32_t i = 0; i < parts_.size(); ++i) {
    if (runs_.empty() || runs_.back().scope != parts_[i].scope()) runs_.push_back({parts_[i].scope(), i, i});
    runs_.back().last = i + 1;
  }
}

AccessLineWriter::AccessLineWriter(const AccessLine& line) : line_(line) {
  const auto has = [&](Scope scope) {
    return std::ranges::contains(line.runs_, scope, &AccessLine::Run::scope);
  };
  // All zeros; it becomes memory only where it is used. Where there is none, nothing is kept.
  if (has(Scope::Head)) heads_.reset(static_cast<KeptHead*>(std::calloc(kHeads, sizeof(KeptHead))));
  if (has(Scope::Outcome))
    outcomes_.reset(static_cast<KeptOutcome*>(std::calloc(kOutcomes, sizeof(KeptOutcome))));
}

char* AccessLineWriter::write(char* at, const AccessFacts& facts) {
  char* const start = at;
  end_ = start + AccessLine::kMostBytes;
  if (facts.ended_ns / 1'000'000 != moment_ms_) [[unlikely]]
    see_moment(facts.ended_ns);
  const Kept* const head = heads_ != nullptr ? kept_head(facts) : nullptr;
  const Kept* const outcome = outcomes_ != nullptr ? kept_outcome(facts) : nullptr;
  size_t head_run = 0;
  size_t outcome_run = 0;
  // False: it has to be made, since nothing is kept of it, or the line is so long that it must be cut.
  const auto put_kept = [&](const Kept* kept, size_t& number) {
    const size_t run = number++;
    if (kept == nullptr || run >= kRuns || static_cast<size_t>(end_ - at) < Kept::kRoom + line_.least_)
      return false;
    const uint32_t from = run == 0 ? 0 : kept->ends[run - 1];
    at = static_cast<char*>(::mempcpy(at, kept->text + from, kept->ends[run] - from));
    return true;
  };
  for (const AccessLine::Run& run : line_.runs_) {
    if (run.scope == Scope::Head && put_kept(head, head_run)) continue;
    if (run.scope == Scope::Outcome && put_kept(outcome, outcome_run)) continue;
    at = write_parts(at, run, facts);
  }
  if (line_.object_) {
    // In place of the first member's comma.
    if (at == start) ++at;
    *start = '{';
  }
  return http::put_bytes(at, line_.tail_);
}

char* AccessLineWriter::write_parts(char* at, const AccessLine::Run& run, const AccessFacts& facts) {
  for (uint32_t i = run.first; i < run.last; ++i) at = write_part(at, line_.parts_[i], facts);
  return at;
}

namespace {

char* put_before(char* at, const AccessLine::Part& part) {
  std::memcpy(at, part.begin.data(), AccessLine::Part::kCopied);
  if (part.size > AccessLine::Part::kCopied) [[unlikely]]
    return http::put_bytes(at, part.before);
  return at + part.size;
}

char* put_after(char* at, const AccessLine::Part& part) {
  *at = part.after;
  return at + (part.after != '\0' ? 1 : 0);
}

}  // namespace

char* AccessLineWriter::write_part(char* at, const AccessLine::Part& part, const AccessFacts& facts) {
  if (part.field == nullptr) [[unlikely]]
    return part.header.empty() ? put_before(at, part) : write_header(at, part, facts);
  switch (part.field->kind) {
    case Kind::Text:
      return write_text(at, part, part.field->text(facts));
    case Kind::Word: {
      const std::string_view word = part.field->text(facts);
      if (word.empty()) return write_text(at, part, word);
      at = put_before(at, part);
      return put_after(put_word(at, word.substr(0, AccessField::kMostWord)), part);
    }
    case Kind::Number:
      at = put_before(at, part);
      return put_after(put_number(at, part.field->number(facts)), part);
    case Kind::Boolean:
      at = put_before(at, part);
      return put_after(
          http::put_bytes(at, part.field->number(facts) != 0 ? std::string_view("true") : "false"), part);
    case Kind::Moment:
      at = put_before(at, part);
      std::memcpy(at, moment_, sizeof moment_);
      return put_after(at + sizeof moment_, part);
    case Kind::Clock:
      at = put_before(at, part);
      std::memcpy(at, clock_, sizeof clock_);
      return put_after(at + sizeof clock_, part);
  }
  return at;
}

// For a text of this part, when all behind it has its least room.
size_t AccessLineWriter::room_at(const char* at, const AccessLine::Part& part) const {
  constexpr size_t kMore = 16;  // see put_escaped()
  const auto room = static_cast<size_t>(end_ - at);
  return room > part.behind + kMore ? (room - part.behind - kMore) / kMostEscaped : 0;
}

char* AccessLineWriter::write_text(char* at, const AccessLine::Part& part, std::string_view text) {
  if (text.empty() && part.optional) return at;
  at = put_before(at, part);
  if (text.empty()) {
    *at++ = '-';
  } else if (part.hidden) {
    at = http::put_bytes(at, kHidden);
  } else if (part.field != nullptr && part.field->queried && !line_.redaction_.parameters.empty()) {
    at = write_query(at, part, text);
  } else {
    at = put_escaped(at, text_prefix(text, std::min(room_at(at, part), AccessLine::kMostText)),
                     line_.escapes_);
  }
  return put_after(at, part);
}

// All fields of the name, as one (RFC 9110, section 5.3).
char* AccessLineWriter::write_header(char* at, const AccessLine::Part& part, const AccessFacts& facts) {
  const http::HeaderId id = http::find_header(part.header);
  bool any = false;
  for (const http::HeaderSlot& slot : facts.head.headers()) {
    if (slot.id != id) continue;
    if (id == http::HeaderId::Unknown && !equal_ignoring_case(facts.head.view(slot.name), part.header))
      continue;
    at = http::put_bytes(at, any ? std::string_view(", ") : std::string_view(part.before));
    any = true;
    const std::string_view value = part.hidden ? kHidden : facts.head.view(slot.value);
    const size_t room = std::min(room_at(at, part), AccessLine::kMostText);
    at = put_escaped(at, text_prefix(value, room), line_.escapes_);
    if (part.hidden || room_at(at, part) < 8) break;
  }
  if (!any) return write_text(at, part, {});
  return put_after(at, part);
}

// The values of some parameters are hidden.
char* AccessLineWriter::write_query(char* at, const AccessLine::Part& part, std::string_view text) {
  // A value that is hidden takes more room than one of a byte: still less than if that were escaped.
  std::string_view rest = text_prefix(text, std::min(room_at(at, part), AccessLine::kMostText));
  const bool whole = part.field->name == "query";
  const size_t begin = whole ? 0 : std::min(rest.find('?'), rest.size() - 1) + 1;
  at = put_escaped(at, rest.substr(0, begin), line_.escapes_);
  rest.remove_prefix(begin);
  while (!rest.empty()) {
    const size_t end = std::min(rest.find_first_of("&;"), rest.size());
    const std::string_view parameter = rest.substr(0, end);
    const size_t equals = parameter.find('=');
    if (equals != std::string_view::npos && line_.redaction_.hides_parameter(parameter.substr(0, equals))) {
      at = put_escaped(at, parameter.substr(0, equals + 1), line_.escapes_);
      at = http::put_bytes(at, kHidden);
    } else {
      at = put_escaped(at, parameter, line_.escapes_);
    }
    if (end < rest.size()) *at++ = rest[end];
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return at;
}

// The clock of the date is looked at once a millisecond: it may be set at any time.
void AccessLineWriter::see_moment(uint64_t now_ns) {
  moment_ms_ = now_ns / 1'000'000;
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  if (now.tv_sec != second_) {
    second_ = now.tv_sec;
    const auto date = iso_date(now.tv_sec);
    std::memcpy(moment_, date.data(), date.size());
    const auto http = http_date(now.tv_sec);  // "Sun, 29 Nov 2026 10:00:00 GMT"
    const std::string_view text = view(http);
    const std::string clock = fmt::format("{}/{}/{}:{} +0000", text.substr(5, 2), text.substr(8, 3),
                                          text.substr(12, 4), text.substr(17, 8));
    std::memcpy(clock_, clock.data(), sizeof clock_);
  }
  const auto ms = static_cast<unsigned>(now.tv_nsec / 1'000'000);
  moment_[19] = '.';
  moment_[20] = static_cast<char>('0' + ms / 100);
  std::memcpy(moment_ + 21, &kPairs[size_t{ms % 100} * 2], 2);
  moment_[23] = 'Z';
}

// Null: the head is none that is known, or makes too much.
const AccessLineWriter::Kept* AccessLineWriter::kept_head(const AccessFacts& facts) {
  const http::KnownHead* const known = facts.exchange.known_head();
  if (known == nullptr || &known->head != &facts.head) return nullptr;
  KeptHead& kept = heads_[known->number % kHeads];
  if (kept.number != known->number) [[unlikely]] {
    kept.number = known->number;
    fill(kept, Scope::Head, facts);
  }
  return kept.whole ? &kept : nullptr;
}

const AccessLineWriter::Kept* AccessLineWriter::kept_outcome(const AccessFacts& facts) {
  if (facts.refused != nullptr) return nullptr;
  const http::Exchange& exchange = facts.exchange;
  const uint16_t status = pipeline::recorded_status(exchange);
  const char* const cut = exchange.cut().detail.data();
  const char* const cache = exchange.cache_result.data();
  const auto mix = (reinterpret_cast<uintptr_t>(exchange.route) >> 6) + status * 31U +
                   (reinterpret_cast<uintptr_t>(cache) >> 3);
  KeptOutcome& kept = outcomes_[mix % kOutcomes];
  if (!kept.used || kept.route != exchange.route || kept.status != status || kept.cut != cut ||
      kept.cache != cache) [[unlikely]] {
    kept.used = true;
    kept.route = exchange.route;
    kept.status = status;
    kept.cut = cut;
    kept.cache = cache;
    fill(kept, Scope::Outcome, facts);
  }
  return kept.whole ? &kept : nullptr;
}

// Where it is too much for the room nothing is kept.
void AccessLineWriter::fill(Kept& kept, Scope scope, const AccessFacts& facts) {
  kept.whole = false;
  char text[AccessLine::kMostBytes + AccessLine::kBeyond];
  const char* const outer = std::exchange(end_, text + AccessLine::kMostBytes);
  char* at = text;
  std::array<uint32_t, kRuns> ends{};
  size_t count = 0;
  for (const AccessLine::Run& run : line_.runs_) {
    if (run.scope != scope || count == kRuns) continue;
    at = write_parts(at, run, facts);
    ends[count++] = static_cast<uint32_t>(at - text);
  }
  end_ = outer;
  if (static_cast<size_t>(at - text) > Kept::kRoom) return;
  std::memcpy(kept.text, text, static_cast<size_t>(at - text));
  kept.ends = ends;
  kept.whole = true;
}

}  // namespace leat::middleware
