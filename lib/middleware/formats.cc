#include "middleware/formats.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <utility>

#include "base/shared/plugin_scan.hpp"
#include "base/text.h"
#include "http/accept.h"
#include "http/edited_head.h"
#include "http/problem.h"
#include "json/binary_reader.h"
#include "json/writer.h"
#include "middleware/counters.h"
#include "middleware/fields.h"
#include "middleware/option_error.h"
#include "middleware/packable.h"
#include "middleware/settled_field.h"
#include "pipeline/route.h"

namespace leat::middleware {

namespace {

using json::Backend;
using pipeline::Verdict;

constexpr http::AnswerForm kJson{Backend::Auto, "application/json"};

// A form, by the names that clients have for it: the registered one first, which answers have where several are liked as much.
struct Format {
  std::string_view name;
  Backend backend;
  std::span<const http::AnswerForm> types;
  std::string_view suffix;  // of types that are written in it (RFC 6838, section 4.2.8)
};
constexpr http::AnswerForm kCborTypes[] = {{Backend::Cbor, "application/cbor"}};
constexpr http::AnswerForm kMessagePackTypes[] = {{Backend::MessagePack, "application/vnd.msgpack"},
                                                  {Backend::MessagePack, "application/msgpack"},
                                                  {Backend::MessagePack, "application/x-msgpack"}};
constexpr Format kFormats[] = {{"cbor", Backend::Cbor, kCborTypes, "+cbor"},
                               {"msgpack", Backend::MessagePack, kMessagePackTypes, {}}};

// Behind a type in Accept, and both.
constexpr std::string_view kOrProblem = ", application/problem+json";
constexpr size_t kLongestSpelling = kMessagePackTypes[0].type.size() + kOrProblem.size();

const Format* find_format(std::string_view name) {
  const auto* const found = std::ranges::find(kFormats, name, &Format::name);
  return found == std::end(kFormats) ? nullptr : found;
}
const Format& format_of(Backend backend) { return *std::ranges::find(kFormats, backend, &Format::backend); }

// Whether a form may be named in there: an early end for nearly all clients.
bool mentions_format(std::string_view accept) {
  for (size_t i = 0; i + 4 <= accept.size(); ++i) {
    const char c = ascii_lower(accept[i]);
    if (c == 'c' && equal_ignoring_case(accept.substr(i, 4), "cbor")) return true;
    if (c == 'm' && equal_ignoring_case(accept.substr(i, 7), "msgpack")) return true;
  }
  return false;
}

// The form that is wanted more than JSON, of which `json` is what it is wanted.
const http::AnswerForm* find_wanted(std::string_view accept, std::span<const Format* const> offered,
                                    uint32_t json) {
  const http::AnswerForm* best = nullptr;
  uint32_t most = json;
  for (const Format* format : offered) {
    for (const http::AnswerForm& form : format->types) {
      // Wildcards are no word for it: who knows a form, names it.
      const uint32_t wanted = http::named_acceptance(accept, form.type).value_or(0);
      if (wanted <= most) continue;
      most = wanted;
      best = &form;
    }
  }
  return best;
}

struct FormatsCounters {
  using Counter = std::shared_ptr<metrics::Metric>;
  std::array<Counter, std::size(kFormats)> answers, bodies, refused;

  explicit FormatsCounters(const pipeline::BuildContext& context) {
    for (size_t i = 0; i < std::size(kFormats); ++i) {
      answers[i] = declare_counter(kFormatsAnswers, context, kFormats[i].name);
      bodies[i] = declare_counter(kFormatsBodies, context, kFormats[i].name);
      refused[i] = declare_counter(kFormatsRefused, context, kFormats[i].name);
    }
  }
};

// A body as JSON, while it is made.
class JsonBody {
 public:
  JsonBody(BlockPool& memory, uint64_t most) : memory_(memory), most_(most) {}

  // False, with what is wrong in `error`; no message is that it became too large, or memory is out (too_large()).
  bool read(Backend backend, std::string_view bytes, json::BinaryError& error) {
    json::GrowingText out{.grow = grow, .owner = this};
    auto wrong = json::write_as_json(backend, bytes, out);
    if (wrong) {
      error = *std::move(wrong);
      return false;
    }
    size_ = static_cast<size_t>(out.at - text_.data());
    too_large_ = size_ > most_;
    return !too_large_;
  }
  [[nodiscard]] bool too_large() const { return too_large_; }
  [[nodiscard]] CountedText& done() {
    text_.set_size(size_);
    return text_;
  }

 private:
  static bool grow(void* owner, char*& at, char*& end, size_t size) {
    return static_cast<JsonBody*>(owner)->grow(at, end, size);
  }
  bool grow(char*& at, char*& end, size_t size) {
    const auto used = static_cast<size_t>(at - text_.data());
    // Whoever asks may use less.
    constexpr size_t kSlack = 2048;
    if (used > most_) {
      too_large_ = true;
      return false;
    }
    const size_t room = std::max(used + size, std::min<size_t>(2 * used, most_) + kSlack);
    text_.set_size(used);
    if (!text_.reserve(memory_, room)) return false;
    at = text_.data() + used;
    end = text_.data() + room;
    return true;
  }

  BlockPool& memory_;
  const uint64_t most_;
  CountedText text_;
  size_t size_ = 0;
  bool too_large_ = false;
};

class Formats final : public pipeline::Middleware {
 public:
  using List = std::vector<const Format*>;

  Formats(List answers, List bodies, FormatsCounters counters)
      : answers_(std::move(answers)), bodies_(std::move(bodies)), counters_(std::move(counters)) {}

  [[nodiscard]] uint8_t hooks() const override { return kRequest | kAnswer | kBody | kVaries; }
  // Problems of those before it are written in the form that a client wants as well.
  [[nodiscard]] bool sees_all_answers() const override { return true; }

  [[nodiscard]] Verdict on_request(http::Exchange& exchange) override {
    if (answers_.empty()) return Verdict::Next;
    exchange.answer_form = &kJson;
    const std::string_view accept = joined_field(exchange, http::HeaderId::Accept);
    if (!mentions_format(accept)) [[likely]]
      return Verdict::Next;
    const http::AnswerForm* const wanted = wanted_for_answer(accept);
    if (wanted == nullptr) return Verdict::Next;
    exchange.answer_form = wanted;
    // Who likes problems in JSON as much is another client.
    char spelling[kLongestSpelling];
    char* end = std::ranges::copy(wanted->type, spelling).out;
    if (wanted_for_problem(accept) == nullptr) end = std::ranges::copy(kOrProblem, end).out;
    if (settle_field(exchange, http::HeaderId::Accept, {spelling, end})) return Verdict::Next;
    http::send_out_of_memory(exchange);
    return Verdict::Done;
  }

  [[nodiscard]] Verdict on_body(http::Exchange& exchange, std::string_view& piece, bool) override {
    if (piece.empty() || (exchange.route != nullptr && exchange.route->streams_body)) return Verdict::Next;
    const Format* const format = format_of_body(exchange);
    return format == nullptr ? Verdict::Next : read_body(exchange, *format, piece);
  }

  Wants on_answer(http::Exchange& exchange, http::AnswerBody& body) override {
    http::Response& response = exchange.response;
    if (response.content_type == http::kProblemType) {
      write_problem(exchange, body);
    } else if (response.status == 304) {
      match_304(exchange);
    } else if (const http::AnswerForm* const form = exchange.answer_form;
               form != nullptr && json::is_binary(form->backend) && response.content_type == form->type) {
      count(counters_.answers[index_of(form->backend)]);
      // The handler has given it to what may be sent in several forms.
      if (const std::string_view etag = response.find("ETag"); !etag.empty() && !is_weak(etag))
        (void)weaken(exchange, etag);
    }
    return Wants::Nothing;
  }

  void add_types(FurtherTypes& types) const override {
    for (const Format* format : answers_) types.answers.push_back(format->types.front().type);
    for (const Format* format : bodies_) types.bodies.push_back(format->types.front().type);
  }

  [[nodiscard]] std::string explain(http::Exchange& exchange) const override {
    const http::AnswerForm* const wanted = wanted_for_answer(joined_field(exchange, http::HeaderId::Accept));
    std::string text = wanted == nullptr ? std::string("leaves answers in JSON")
                                         : fmt::format("writes answers as {}", wanted->type);
    if (exchange.request.head().framing == http::Framing::None) return text;
    if (const Format* const format = format_of_body(exchange))
      text += fmt::format(", and reads the body as {}", format->name);
    return text;
  }

 private:
  static size_t index_of(Backend backend) { return static_cast<size_t>(&format_of(backend) - kFormats); }

  [[nodiscard]] const http::AnswerForm* wanted_for_answer(std::string_view accept) const {
    return find_wanted(accept, answers_, http::acceptance(accept, kJson.type));
  }

  [[nodiscard]] const http::AnswerForm* wanted_for_problem(std::string_view accept) const {
    return find_wanted(
        accept, answers_,
        std::max(http::acceptance(accept, kJson.type), http::acceptance(accept, http::kProblemType)));
  }

  // --- Bodies

  // Null: it is none of those that are taken, or there is a content coding on it that nobody has taken off.
  [[nodiscard]] const Format* format_of_body(http::Exchange& exchange) const {
    const std::string_view type = essence_of(exchange.request.header(http::HeaderId::ContentType));
    if (type.empty() || exchange.request.header(http::HeaderId::ContentEncoding).data() != nullptr)
      return nullptr;
    for (const Format* format : bodies_) {
      const bool named = std::ranges::any_of(
          format->types, [&](const http::AnswerForm& form) { return equal_ignoring_case(type, form.type); });
      const size_t suffix = format->suffix.size();
      if (named || (suffix != 0 && type.size() > suffix &&
                    equal_ignoring_case(type.substr(type.size() - suffix), format->suffix)))
        return format;
    }
    return nullptr;
  }

  Verdict read_body(http::Exchange& exchange, const Format& format, std::string_view& piece) const {
    JsonBody body(exchange.worker().blocks(), exchange.body_limit());
    json::BinaryError error;
    if (!body.read(format.backend, piece, error)) return refuse(exchange, format, body, error);
    if (!show_as_json(exchange)) return out_of_memory(exchange);
    count(counters_.bodies[index_of(format.backend)]);
    exchange.replace_body(body.done());
    piece = exchange.request.body();
    return Verdict::Next;
  }
  static Verdict out_of_memory(http::Exchange& exchange) {
    http::send_out_of_memory(exchange);
    return Verdict::Done;
  }
  Verdict refuse(http::Exchange& exchange, const Format& format, const JsonBody& body,
                 json::BinaryError& error) const {
    count(counters_.refused[index_of(format.backend)]);
    if (error.message.empty()) {
      if (!body.too_large()) return out_of_memory(exchange);
      exchange.send_problem(413, "The request's body, as JSON, is larger than this resource takes.");
      return Verdict::Done;
    }
    const Scanner::Error shown{error.offset, std::string(error.message), std::move(error.pointer)};
    exchange.send_problem(400, leat::detail::problem_detail(shown), leat::detail::problem_members(shown));
    return Verdict::Done;
  }
  // A head that says of the body what it is now. False: memory is out.
  static bool show_as_json(http::Exchange& exchange) {
    const http::Head& head = exchange.request.head();
    http::EditedHead edited(head, exchange.arena(), 0, kJson.type.size());
    if (!edited.good()) return false;
    bool said = false;
    for (const http::HeaderSlot& slot : head.headers()) {
      if (slot.id == http::HeaderId::ContentLength) continue;
      if (slot.id != http::HeaderId::ContentType)
        edited.keep(slot);
      else if (!std::exchange(said, true))
        edited.keep(slot, kJson.type);
    }
    edited.shown().length_hidden = true;
    exchange.request.show_made_of_head(edited.done());
    return true;
  }

  // --- Answers

  void write_problem(http::Exchange& exchange, http::AnswerBody& body) const {
    http::Response& response = exchange.response;
    if (!http::say_varies_by_accept(response)) return;  // what is in JSON may be kept for others
    const std::string_view accept = joined_field(exchange, http::HeaderId::Accept);
    if (!mentions_format(accept) || !body.whole || !response.find("Content-Encoding").empty()) return;
    const http::AnswerForm* const form = wanted_for_problem(accept);
    if (form == nullptr) return;
    json::Writer writer(exchange.arena(), form->backend);
    writer.raw(*body.whole);
    const auto bytes = writer.finish();
    if (!bytes) return;  // for want of memory: it stays as it is
    response.content_type = form->type;
    body.whole = *bytes;
    count(counters_.answers[index_of(form->backend)]);
  }

  // It tells what the answer would that it stands for (RFC 9110, section 15.4.5).
  static void match_304(http::Exchange& exchange) {
    const http::AnswerForm* const form = exchange.answer_form;
    if (form == nullptr || !http::say_varies_by_accept(exchange.response)) return;
    const std::string_view etag = exchange.response.find("ETag");
    if (!etag.empty() && !is_weak(etag) && asks_about_weak(exchange.request, etag))
      (void)weaken(exchange, etag);
  }

  const List answers_, bodies_;
  const FormatsCounters counters_;
};

}  // namespace

std::string check_format(std::string_view, std::string_view text) {
  if (find_format(text) != nullptr) return {};
  return fmt::format("`{}` is no form of answers or bodies: write `cbor` or `msgpack`", text);
}

std::unique_ptr<pipeline::Middleware> create_formats(const FormatsOptions& options,
                                                     const pipeline::BuildContext& context) {
  bool good = true;
  const auto read = [&](std::string_view option, const std::vector<std::string>& names) {
    Formats::List list;
    for (const std::string& name : names) {
      const Format* const format = find_format(name);
      if (format == nullptr) {
        good = false;  // which was said
      } else if (std::ranges::contains(list, format)) {
        fail_option(context, option, fmt::format("`{}` is named twice", name));
        good = false;
      } else {
        list.push_back(format);
      }
    }
    return list;
  };
  Formats::List answers = read("answers", options.answers), bodies = read("bodies", options.bodies);
  if (good && answers.empty() && bodies.empty()) {
    fail_option(context, "answers", "`answers` and `bodies` are empty: nothing would be done");
    good = false;
  }
  if (!good) return nullptr;
  return std::make_unique<Formats>(std::move(answers), std::move(bodies), FormatsCounters(context));
}

}  // namespace leat::middleware
