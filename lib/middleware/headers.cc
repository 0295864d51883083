#include "middleware/headers.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstring>
#include <initializer_list>
#include <optional>
#include <span>
#include <utility>

#include "base/log.h"
#include "base/suggest.h"
#include "base/text.h"
#include "http/edited_head.h"
#include "middleware/fields.h"
#include "middleware/room.h"
#include "pipeline/codes.h"
#include "pipeline/site.h"

namespace leat::middleware {

namespace {

// --- Values

// What a value may say of its request.
struct Variable {
  std::string_view name;
  std::string_view (*text)(const http::Exchange& exchange);
};

std::string_view route_of(const http::Exchange& exchange) {
  return exchange.route != nullptr ? std::string_view(exchange.route->id) : std::string_view();
}

transport::TlsFacts tls_of(const http::Exchange& exchange) {
  const transport::TlsFacts* const facts = exchange.request.identity().tls;
  return facts != nullptr ? *facts : transport::TlsFacts();
}
transport::PeerCertificate certificate_of(const http::Exchange& exchange) {
  const transport::PeerCertificate* const shown = exchange.request.certificate();
  return shown != nullptr ? *shown : transport::PeerCertificate();
}

constexpr std::string_view kUserVariable = "user";
constexpr Variable kVariables[] = {
    {"client", [](const http::Exchange& exchange) { return exchange.request.client(); }},
    {"peer", [](const http::Exchange& exchange) { return exchange.request.peer(); }},
    {"scheme", [](const http::Exchange& exchange) { return exchange.request.scheme(); }},
    {"tls_version", [](const http::Exchange& exchange) { return tls_of(exchange).version; }},
    {"tls_cipher", [](const http::Exchange& exchange) { return tls_of(exchange).cipher; }},
    {"certificate_subject", [](const http::Exchange& exchange) { return certificate_of(exchange).subject; }},
    {"certificate_cn", [](const http::Exchange& exchange) { return certificate_of(exchange).common_name; }},
    {"certificate_names", [](const http::Exchange& exchange) { return certificate_of(exchange).names; }},
    {"certificate_sha256",
     [](const http::Exchange& exchange) { return certificate_of(exchange).fingerprint; }},
    {"host", [](const http::Exchange& exchange) { return exchange.request.host(); }},
    {"method", [](const http::Exchange& exchange) { return http::method_name(exchange.request.method()); }},
    {"path", [](const http::Exchange& exchange) { return exchange.request.path(); }},
    {kUserVariable, [](const http::Exchange& exchange) { return exchange.request.user(); }},
    {"listener", [](const http::Exchange& exchange) { return exchange.listener(); }},
    {"route", route_of},
    {"request_id", [](const http::Exchange& exchange) { return exchange.request.id(); }},
    {"trace_id", [](const http::Exchange& exchange) { return exchange.request.trace().id(); }},
};
constexpr std::string_view kHeaderVariable = "header:";

const Variable* find_variable(std::string_view name) {
  const auto* const found = std::ranges::find(kVariables, name, &Variable::name);
  return found == std::end(kVariables) ? nullptr : found;
}

// A text, a variable, or a field of the request.
struct ValuePart {
  std::string text;
  const Variable* variable = nullptr;
  std::string header;
  [[nodiscard]] std::string_view of(const http::Exchange& exchange) const {
    if (variable != nullptr) return variable->text(exchange);
    return header.empty() ? std::string_view(text) : exchange.request.header(header);
  }
};

// The parts of "a {client} b", or what is wrong with it.
std::string read_value(std::string_view value, std::vector<ValuePart>& parts) {
  std::string text;
  const auto end_text = [&] {
    if (!text.empty()) parts.push_back({.text = std::exchange(text, {})});
  };
  while (!value.empty()) {
    const char c = value[0];
    if (c != '{' && c != '}') {
      text += c;
      value.remove_prefix(1);
      continue;
    }
    if (value.size() > 1 && value[1] == c) {
      text += c;
      value.remove_prefix(2);
      continue;
    }
    const size_t end = value.find('}');
    if (c == '}' || end == std::string_view::npos)
      return fmt::format("`{}` stands alone: one that is meant is written twice", c);
    const std::string_view name = value.substr(1, end - 1);
    end_text();
    if (name.starts_with(kHeaderVariable)) {
      const std::string_view header = name.substr(kHeaderVariable.size());
      if (!is_token(header)) return fmt::format("`{}` names no header field", name);
      parts.push_back({.header = std::string(header)});
    } else if (const Variable* const variable = find_variable(name)) {
      parts.push_back({.variable = variable});
    } else {
      std::vector<std::string_view> names;
      for (const Variable& each : kVariables) names.push_back(each.name);
      const std::string_view near = closest(name, names);
      return fmt::format("there is no variable `{}`{}", name,
                         near.empty() ? "" : fmt::format(": did you mean `{}`?", near));
    }
    value.remove_prefix(end + 1);
  }
  end_text();
  return {};
}

// A field that is set or added.
class FieldValue {
 public:
  // Of a text that its check found good.
  explicit FieldValue(std::string_view text) : name_(text.substr(0, text.find(':'))) {
    (void)read_value(trim(text.substr(text.find(':') + 1)), parts_);
    if (std::ranges::all_of(
            parts_, [](const ValuePart& part) { return part.variable == nullptr && part.header.empty(); })) {
      constant_.emplace();
      for (const ValuePart& part : parts_) *constant_ += part.text;
    }
  }
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] bool tells_user() const {
    return std::ranges::any_of(parts_, [](const ValuePart& part) {
      return part.variable != nullptr && part.variable->name == kUserVariable;
    });
  }
  // For this request, good as long as it; empty where there is nothing to be said, more than `most` bytes of it, or what
  // must not be. False: memory is out.
  [[nodiscard]] bool make(http::Exchange& exchange, size_t most, std::string_view& value) const {
    value = {};
    if (constant_) {
      value = *constant_;
      return true;
    }
    if (parts_.size() == 1) {
      value = trim(parts_[0].of(exchange));
      if (value.size() > most || !is_field_value(value)) value = {};
      return true;
    }
    size_t size = 0;
    size_t variable = 0;
    for (const ValuePart& part : parts_) {
      const size_t bytes = part.of(exchange).size();
      size += bytes;
      if (part.text.empty()) variable += bytes;
    }
    if (variable == 0 || size > most) return true;
    char* const text = exchange.arena().allocate_array<char>(size);
    if (text == nullptr) return false;
    char* at = text;
    for (const ValuePart& part : parts_) {
      const std::string_view piece = part.of(exchange);
      if (!piece.empty()) at = static_cast<char*>(::mempcpy(at, piece.data(), piece.size()));
    }
    value = trim({text, size});
    if (!is_field_value(value)) value = {};
    return true;
  }

 private:
  std::string name_;
  std::vector<ValuePart> parts_;
  std::optional<std::string> constant_;
};

// --- What is not for a configuration to change

bool is_servers_field(std::string_view name) {
  const http::HeaderId id = http::find_header(name);
  return id == http::HeaderId::Date || id == http::HeaderId::Server;
}

std::string check_name(std::string_view name, bool answer) {
  if (!is_token(name)) return fmt::format("`{}` names no header field", name);
  if (is_transport_field(http::find_header(name)))
    return fmt::format("`{}` says how a message is sent and for whom: it is not for middleware to change",
                       name);
  if (answer && is_servers_field(name)) {
    const bool server = http::find_header(name) == http::HeaderId::Server;
    return fmt::format("`{}` is the server's own{}", name, server ? ": see server.name" : "");
  }
  return {};
}

std::string check_field(std::string_view text, bool answer) {
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos)
    return fmt::format("`{}` is no field: it is written `Name: value`", text);
  if (std::string wrong = check_name(text.substr(0, colon), answer); !wrong.empty()) return wrong;
  const std::string_view value = trim(text.substr(colon + 1));
  if (value.empty()) return fmt::format("`{}` has no value; to be without the field, remove it", text);
  if (!is_field_value(value))
    return fmt::format("the value of `{}` has a control character", text.substr(0, colon));
  std::vector<ValuePart> parts;
  const std::string wrong = read_value(value, parts);
  return wrong.empty() ? wrong : fmt::format("in `{}`: {}", text.substr(0, colon), wrong);
}

// --- The middleware

// What is done to one head.
struct HeadChange {
  HeadChange(const std::vector<std::string>& set, const std::vector<std::string>& add,
             const std::vector<std::string>& remove)
      : removed(remove) {
    for (const std::string& text : set) {
      fields.emplace_back(text);
      removed.push_back(fields.back().name());
    }
    sets = fields.size();
    for (const std::string& text : add) fields.emplace_back(text);
    for (const FieldValue& field : fields) rooms += equal_ignoring_case(field.name(), "Content-Type") ? 0 : 1;
  }
  [[nodiscard]] bool empty() const { return fields.empty() && removed.empty(); }
  std::vector<std::string> removed;  // names, those of what is set among them
  std::vector<FieldValue> fields;    // that are there afterwards
  size_t sets = 0;                   // how many of them, the first, are set and not added
  size_t rooms = 0;                  // how many of those an answer keeps among its fields
};

class Headers final : public pipeline::Middleware {
 public:
  explicit Headers(const HeadersOptions& options)
      : on_request_(options.request_set, options.request_add, options.request_remove),
        on_answer_(options.answer_set, options.answer_add, options.answer_remove),
        most_(options.value) {
    for (const std::string& name : options.if_method)
      if (const auto method = http::find_method(name)) methods_ |= http::method_bit(*method);
    for (const std::string& text : options.if_header) headers_.emplace_back(text);
    for (const std::string& text : options.if_status)
      if (const auto statuses = read_statuses(text)) statuses_ |= *statuses;
  }

  [[nodiscard]] uint8_t hooks() const override {
    return static_cast<uint8_t>((on_request_.empty() ? 0 : kRequest) | (on_answer_.empty() ? 0 : kAnswer));
  }

  // Of an answer's fields nobody does anything that would need a user.
  [[nodiscard]] std::vector<pipeline::Need> needs() const override {
    const auto& fields = on_request_.fields;
    const auto found = std::ranges::find_if(fields, &FieldValue::tells_user);
    if (found == fields.end()) return {};
    const bool set = static_cast<size_t>(found - fields.begin()) < on_request_.sets;
    return {{.finding = pipeline::kUser, .option = set ? "request_set" : "request_add"}};
  }
  [[nodiscard]] std::string explain(http::Exchange& exchange) const override {
    if (!meant(exchange.request)) return "changes nothing: its conditions do not hold";
    std::string text;
    const auto tell = [&](const HeadChange& head, std::string_view what) {
      for (const std::string& name : head.removed)
        if (std::ranges::none_of(head.fields, [&](const FieldValue& field) { return field.name() == name; }))
          text += fmt::format("{}takes {} from the {}", text.empty() ? "" : ", ", name, what);
      for (const FieldValue& field : head.fields)
        text += fmt::format("{}gives the {} {}", text.empty() ? "" : ", ", what, field.name());
    };
    tell(on_request_, "request");
    tell(on_answer_, statuses_.none() ? "answer" : "answers of some statuses");
    return text;
  }
  [[nodiscard]] pipeline::Verdict on_request(http::Exchange& exchange) override {
    if (!meant(exchange.request)) return pipeline::Verdict::Next;
    // Where the answer is changed as well, the conditions are those of the request as it came.
    const bool noted = on_answer_.empty() || exchange.states.make<Meant>(this) != nullptr;
    if (noted && change(exchange)) return pipeline::Verdict::Next;
    http::send_out_of_memory(exchange);
    return pipeline::Verdict::Done;
  }

  Wants on_answer(http::Exchange& exchange, http::AnswerBody& body) override {
    const bool is_meant =
        on_request_.empty() ? meant(exchange.request) : exchange.states.find<Meant>(this) != nullptr;
    http::Response& response = exchange.response;
    if (!is_meant || !has_status(response)) return Wants::Nothing;
    for (const std::string& name : on_answer_.removed) response.remove(name);
    if (response.room() < on_answer_.rooms) [[unlikely]] {
      make_room(exchange, body, on_answer_.rooms, "headers");
      if (!has_status(response)) return Wants::Nothing;
    }
    for (const FieldValue& field : on_answer_.fields) {
      std::string_view value;
      if (!field.make(exchange, most_, value)) [[unlikely]] {
        const std::string_view route = route_of(exchange);
        log::limited(log::Level::Error, {"headers", route},
                     "headers found no memory for a field of an answer: a 500 took its place, on {} {}",
                     route, exchange.request.id());
        exchange.fail_answer(body);
        return Wants::Nothing;
      }
      if (!value.empty()) (void)response.add(field.name(), value);
    }
    return Wants::Nothing;
  }

 private:
  struct Meant {};

  [[nodiscard]] bool meant(const http::Request& request) const {
    if (methods_ != 0 && (methods_ & http::method_bit(request.method())) == 0) return false;
    return std::ranges::all_of(
        headers_, [&](const pipeline::FieldCondition& wanted) { return wanted.fits(request.head()); });
  }
  [[nodiscard]] bool has_status(const http::Response& response) const {
    return statuses_.none() || statuses_[response.status % statuses_.size()];
  }

  // Shows a head that is changed. False: memory is out.
  [[nodiscard]] bool change(http::Exchange& exchange) const {
    const size_t count = on_request_.fields.size();
    auto* const fields = exchange.arena().allocate_array<http::HeadField>(std::max<size_t>(count, 1));
    if (fields == nullptr) return false;
    for (size_t i = 0; i < count; ++i) {
      fields[i].name = on_request_.fields[i].name();
      if (!on_request_.fields[i].make(exchange, most_, fields[i].value)) return false;
    }
    return http::show_changed_head(exchange, on_request_.removed, {fields, count});
  }

  const HeadChange on_request_, on_answer_;
  const size_t most_;
  http::MethodSet methods_ = 0;  // none: all
  std::vector<pipeline::FieldCondition> headers_;
  Statuses statuses_;  // none: all
};

}  // namespace

std::string check_request_field(std::string_view, std::string_view text) { return check_field(text, false); }
std::string check_request_name(std::string_view, std::string_view text) { return check_name(text, false); }
std::string check_answer_name(std::string_view, std::string_view text) { return check_name(text, true); }
std::string check_answer_field(std::string_view, std::string_view text) { return check_field(text, true); }

std::string check_method(std::string_view, std::string_view text) {
  return http::find_method(text) ? std::string() : fmt::format("unknown method `{}`", text);
}

std::unique_ptr<pipeline::Middleware> create_headers(const HeadersOptions& options,
                                                     const pipeline::BuildContext& context) {
  bool good = true;
  const auto fail = [&](std::string_view option, std::string message) {
    const Value* const value = context.options.find(option);
    context.diagnostics.push_back({.code = pipeline::kBadOption,
                                   .message = std::move(message),
                                   .place = value != nullptr ? value->place : context.place,
                                   .hint = {}});
    good = false;
  };
  const bool request =
      !options.request_set.empty() || !options.request_add.empty() || !options.request_remove.empty();
  // What is wrong in itself is said already, and stands for what it would have been.
  const bool changes = std::ranges::any_of(
      std::initializer_list<std::string_view>{"request_set", "request_add", "request_remove", "answer_set",
                                              "answer_add", "answer_remove"},
      [&](std::string_view option) { return context.options.find(option) != nullptr; });
  for (const std::string_view condition : {"if_method", "if_header", "if_status"})
    if (!changes && context.options.find(condition) != nullptr)
      fail(condition,
           fmt::format("`{}` is a condition of nothing: this instance sets, adds and removes no field",
                       condition));
  if (request && !options.if_status.empty())
    fail("if_status",
         "a request has no status yet: what is done to requests and what depends on a status are two "
         "instances");
  constexpr size_t kMost = 32;
  for (const auto& [name, first, second] :
       {std::tuple{"request_set", &options.request_set, &options.request_add},
        std::tuple{"answer_set", &options.answer_set, &options.answer_add}})
    if (first->size() + second->size() > kMost)
      fail(name, fmt::format("an instance sets and adds {} fields at most", kMost));
  for (const std::string& text : options.answer_add)
    if (equal_ignoring_case(text.substr(0, text.find(':')), "Content-Type"))
      fail("answer_add", "an answer has one Content-Type: set it");
  return good ? std::make_unique<Headers>(options) : nullptr;
}

}  // namespace leat::middleware
