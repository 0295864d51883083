#include "base/schema.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <ranges>

#include "base/suggest.h"
#include "base/text.h"
#include "base/units.h"

namespace leat::schema {

namespace {

std::string quantity_text(const Row& row, int64_t quantity) {
  switch (row.type) {
    case Type::Duration:
      return duration_text(static_cast<uint64_t>(quantity));
    case Type::Size:
      return size_text(static_cast<uint64_t>(quantity));
    case Type::Mode:
      return fmt::format("0o{:o}", quantity);
    default:
      return std::to_string(quantity);
  }
}

std::string in_quotes(std::string_view text) { return "\"" + std::string(text) + "\""; }

std::optional<int64_t> parse_octal(std::string_view digits) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number, 8);
  if (error != std::errc() || end != digits.data() + digits.size() || number < 0) return std::nullopt;
  return number;
}

// Reads one value.
class Parser {
 public:
  Parser(const Row& row, const Value& value, const Codes& codes, Diagnostics& diagnostics,
         std::string_view called)
      : row_(row), value_(value), codes_(codes), diagnostics_(diagnostics), called_(called) {}

  std::optional<Content> run() {
    switch (row_.type) {
      case Type::Count:
        if (!row_.zero.empty() && value_.string() != nullptr && *value_.string() == row_.zero)
          return int64_t{0};
        return whole_number();
      case Type::Mode:
        return whole_number();
      case Type::Size:
      case Type::Duration:
        return quantity();
      case Type::Real:
        return real();
      case Type::Boolean:
        if (value_.boolean() != nullptr) return int64_t{*value_.boolean()};
        if (expanded_is("true") || expanded_is("false")) return int64_t{expanded_is("true")};
        return wrong_type("true or false");
      case Type::Choice:
        return choice();
      case Type::Text:
        if (value_.string() == nullptr) return wrong_type("text in quotes");
        if (!good_text(value_)) return std::nullopt;
        return *value_.string();
      case Type::Texts:
        return texts();
      case Type::Any:
        return &value_;
    }
    return std::nullopt;
  }

 private:
  using Result = std::optional<Content>;

  std::nullopt_t fail(int code, std::string message, std::string hint = {}) {
    diagnostics_.push_back(
        {.code = code, .message = std::move(message), .place = value_.place, .hint = std::move(hint)});
    return std::nullopt;
  }
  std::nullopt_t wrong_type(std::string_view wanted) {
    diagnostics_.push_back(schema::wrong_type(value_, called_, wanted, codes_.type));
    return std::nullopt;
  }
  // What stands in the file is a number; a text may come from a secret, and is not repeated.
  std::nullopt_t out_of_range(std::string_view instead = {}) {
    return fail(
        codes_.range,
        fmt::format("{} is {}{}{}", called_, range_text(row_), instead.empty() ? "" : ", not ", instead),
        row_.type == Type::Mode ? "an octal number begins with 0o" : "");
  }
  [[nodiscard]] bool in_range(int64_t number) const { return number >= row_.least && number <= row_.most; }

  // What a variable holds is text in the file's grammar, and may be meant for what has no quotes there.
  [[nodiscard]] bool expanded_is(std::string_view word) const {
    return value_.expanded && *value_.string() == word;
  }
  [[nodiscard]] std::optional<int64_t> integer() const {
    if (value_.integer() != nullptr) return *value_.integer();
    if (!value_.expanded) return std::nullopt;
    const std::string_view text = *value_.string();
    return text.starts_with("0o") ? parse_octal(text.substr(2)) : parse_number<int64_t>(text);
  }
  [[nodiscard]] std::optional<double> number() const {
    if (value_.real() != nullptr) return *value_.real();
    if (const auto whole = integer()) return static_cast<double>(*whole);
    return value_.expanded ? parse_number<double>(*value_.string()) : std::nullopt;
  }
  Result whole_number() {
    const auto number = integer();
    if (!number)
      return wrong_type(row_.zero.empty() ? "a whole number" : in_quotes(row_.zero) + " or a whole number");
    if (in_range(*number)) return *number;
    return out_of_range(std::to_string(*number));
  }
  Result real() {
    const auto found = number();
    if (!found) return wrong_type("a number");
    if (*found >= row_.least_real && *found <= row_.most_real) return *found;  // which NaN is not
    return out_of_range(fmt::format("{}", *found));
  }
  Result quantity() {
    const bool time = row_.type == Type::Duration;
    // Zero needs no unit, and a plain number of bytes is one.
    const auto number = integer();
    const bool plain = number && *number >= 0;
    if (plain && (!time || *number == 0)) return in_range(*number) ? Result(*number) : out_of_range();
    const std::string_view example =
        time ? "a time like \"10s\" or \"500ms\"" : "a size like \"64KiB\" or \"1MiB\"";
    if (value_.string() == nullptr)
      return fail(codes_.unit, fmt::format("{} is {}", called_, example),
                  plain ? fmt::format("did you mean \"{}s\"?", *number) : "");
    const std::string& text = *value_.string();
    const auto parsed = time ? parse_duration(text) : parse_size(text);
    if (!parsed) {
      const auto meant = time ? suggest_duration(text) : suggest_size(text);
      return fail(codes_.unit, fmt::format("{} is {}", called_, example),
                  meant ? fmt::format("did you mean \"{}\"?", *meant) : "");
    }
    if (std::in_range<int64_t>(*parsed) && in_range(static_cast<int64_t>(*parsed)))
      return static_cast<int64_t>(*parsed);
    return out_of_range();
  }
  Result choice() {
    const std::vector<std::string_view> known = words(row_.choices);
    const std::string wanted = known.size() == 2 ? fmt::format("\"{}\" or \"{}\"", known[0], known[1])
                                                 : "one of " + quoted_words(row_.choices);
    if (value_.string() == nullptr) return wrong_type(wanted);
    const auto found = std::ranges::find(known, std::string_view(*value_.string()));
    if (found != known.end()) return int64_t{found - known.begin()};
    return fail(codes_.choice, fmt::format("{} is {}", called_, wanted),
                did_you_mean(*value_.string(), known));
  }
  bool good_text(const Value& item) {
    std::string wrong;
    if (std::cmp_greater(item.string()->size(), row_.most))
      wrong = fmt::format("{} has at most {} characters", called_, row_.most);
    else if (row_.check != nullptr)
      wrong = row_.check(called_, *item.string());
    if (wrong.empty()) return true;
    diagnostics_.push_back({.code = row_.code != 0 ? row_.code : codes_.range,
                            .message = std::move(wrong),
                            .place = item.place});
    return false;
  }
  Result texts() {
    constexpr std::string_view kWanted = "a list of texts";
    if (value_.string() == nullptr && value_.array() == nullptr) return wrong_type(kWanted);
    std::vector<std::string> list;
    bool good = true;
    const auto take = [&](const Value& item) {
      if (item.string() == nullptr) {
        diagnostics_.push_back(schema::wrong_type(item, called_, kWanted, codes_.type));
        good = false;
      } else if (good_text(item)) {
        list.push_back(*item.string());
      } else {
        good = false;
      }
    };
    if (value_.string() != nullptr) {
      take(value_);
    } else {
      for (const Value& item : *value_.array()) take(item);
    }
    return good ? Result(std::move(list)) : std::nullopt;
  }

  const Row& row_;
  const Value& value_;
  const Codes& codes_;
  Diagnostics& diagnostics_;
  std::string_view called_;
};

}  // namespace

Content default_of(const Row& row) {
  if (row.fallback != nullptr) return *row.fallback;
  return row.get != nullptr && !row.needed ? row.get(row.defaults()) : Content();
}

std::string default_text(const Row& row) { return content_text(row, default_of(row)); }

std::string content_text(const Row& row, const Content& content) {
  if (const auto* number = std::get_if<int64_t>(&content)) {
    if (row.type == Type::Boolean) return *number != 0 ? "true" : "false";
    if (row.type == Type::Choice) return in_quotes(words(row.choices)[static_cast<size_t>(*number)]);
    if (*number == 0 && !row.zero.empty()) return in_quotes(row.zero);
    const std::string text = quantity_text(row, *number);
    return row.type == Type::Size || row.type == Type::Duration ? in_quotes(text) : text;
  }
  if (const auto* real = std::get_if<double>(&content)) return fmt::format("{}", *real);
  if (const auto* text = std::get_if<std::string>(&content)) return in_quotes(*text);
  if (const auto* list = std::get_if<std::vector<std::string>>(&content)) {
    std::string text;
    for (const std::string& each : *list) text += (text.empty() ? "" : ", ") + in_quotes(each);
    return "[" + text + "]";
  }
  return {};
}

std::string described(const Row& row) {
  std::string text(row.sentence);
  if (!row.deprecated_since.empty())
    text += fmt::format(" Deprecated since {}: use `{}`.", row.deprecated_since, row.instead);
  return text;
}

std::string range_text(const Row& row) {
  if (row.type == Type::Real) return fmt::format("{} to {}", row.least_real, row.most_real);
  return fmt::format("{}{} to {}", row.zero.empty() ? "" : in_quotes(row.zero) + " or a number, ",
                     quantity_text(row, row.least), quantity_text(row, row.most));
}

std::string type_text(const Row& row) {
  switch (row.type) {
    case Type::Count:
      return (row.zero.empty() ? "number, " : "") + range_text(row);
    case Type::Real:
      return "number, " + range_text(row);
    case Type::Size:
      return "size, " + range_text(row);
    case Type::Duration:
      return "time, " + range_text(row);
    case Type::Mode:
      return "octal number, " + range_text(row);
    case Type::Boolean:
      return "true or false";
    case Type::Choice:
      return quoted_words(row.choices);
    case Type::Text:
      return "text";
    case Type::Texts:
      return "list of " + std::string(row.wanted);
    case Type::Any:
      return std::string(row.wanted);
  }
  return {};
}

std::vector<std::string_view> words(std::string_view text) {
  std::vector<std::string_view> list;
  while (!text.empty()) {
    const size_t end = std::min(text.find(' '), text.size());
    list.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return list;
}

std::string quoted_words(std::string_view text) {
  std::string list;
  for (const std::string_view word : words(text)) list += (list.empty() ? "" : ", ") + in_quotes(word);
  return list;
}

const Row* find(std::span<const Row> rows, std::string_view name) {
  const auto found = std::ranges::find(rows, name, &Row::name);
  return found == rows.end() ? nullptr : &*found;
}

Diagnostic wrong_type(const Value& value, std::string_view called, std::string_view wanted, int code) {
  const std::string_view name = value.type_name();
  const bool vowel = std::string_view("aeiou").contains(name[0]);
  return {.code = code,
          .message = fmt::format("{} is {}, not {} {}", called, wanted, vowel ? "an" : "a", name),
          .place = value.place};
}

std::string check_characters(std::string_view called, std::string_view text) {
  return is_field_value(text) ? std::string() : fmt::format("{} has no control characters", called);
}

std::optional<Content> parse(const Row& row, const Value& value, const Codes& codes, Diagnostics& diagnostics,
                             std::string_view called) {
  if (!row.deprecated_since.empty())
    diagnostics.push_back(
        {.severity = Diagnostic::Severity::Warning,
         .code = kDeprecated,
         .message = fmt::format("`{}` is deprecated since {}", row.name, row.deprecated_since),
         .place = value.key_place.line != 0 ? value.key_place : value.place,
         .hint = fmt::format("use `{}`", row.instead)});
  if (!called.empty()) return Parser(row, value, codes, diagnostics, called).run();
  std::string own;
  own.reserve(row.name.size() + 2);
  own.append(1, '`').append(row.name).append(1, '`');
  return Parser(row, value, codes, diagnostics, own).run();
}

void refuse_unknown(const Value& table, std::span<const std::string_view> known, const Codes& codes,
                    Diagnostics& diagnostics, HintFor hint_for) {
  if (table.table() == nullptr) return;
  for (const auto& [key, value] : *table.table()) {
    if (std::ranges::contains(known, std::string_view(key))) continue;
    std::string hint = hint_for != nullptr ? hint_for(key) : std::string();
    diagnostics.push_back({.code = codes.unknown,
                           .message = fmt::format("unknown {} `{}`", codes.noun, key),
                           .place = value.key_place.line != 0 ? value.key_place : value.place,
                           .hint = hint.empty() ? did_you_mean(key, known) : std::move(hint)});
  }
}

Value::Table Reader::others() const {
  Value::Table entries;
  if (table_.table() == nullptr) return entries;
  for (const Value::Entry& entry : *table_.table())
    if (!std::ranges::contains(known_, std::string_view(entry.first))) entries.push_back(entry);
  return entries;
}

const Place& Reader::place_of(std::string_view key) const {
  const Value* value = table_.find(key);
  return value != nullptr ? value->place : table_.place;
}

void Reader::fail(int code, std::string message, const Place& place, std::string hint) {
  diagnostics_.push_back(
      {.code = code, .message = std::move(message), .place = place, .hint = std::move(hint)});
}

void Reader::read_row(const Row& row, void* into) {
  known_.push_back(row.name);
  const Value* value = table_.find(row.name);
  if (value == nullptr) {
    if (row.needed)
      fail(codes_.missing,
           name_.empty() ? fmt::format("`{}` is missing", row.name)
                         : fmt::format("{} needs `{}`", name_, row.name),
           table_.place);
    return;
  }
  if (row.needed && value->string() != nullptr && value->string()->empty())
    return fail(codes_.missing, fmt::format("`{}` is empty", row.name), value->place);
  if (auto content = parse(row, *value, codes_, diagnostics_)) row.set(into, *std::move(content));
}

}  // namespace leat::schema
