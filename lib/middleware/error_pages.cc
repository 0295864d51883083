#include "middleware/error_pages.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <utility>

#include "base/text.h"
#include "http/accept.h"
#include "http/authority.h"
#include "http/problem.h"
#include "http/status.h"
#include "middleware/fields.h"
#include "pipeline/host_name.h"

namespace leat::middleware {

namespace {

// What a page may say of its request.
enum class PageFact : uint8_t { None, Status, Reason, Detail, RequestId, Host };
constexpr std::pair<std::string_view, PageFact> kPageFacts[] = {{"{status}", PageFact::Status},
                                                                {"{reason}", PageFact::Reason},
                                                                {"{detail}", PageFact::Detail},
                                                                {"{request_id}", PageFact::RequestId},
                                                                {"{host}", PageFact::Host}};

constexpr std::string_view kPlainPage = R"(<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>{status} {reason}</title>
<style>
body { max-width: 38em; margin: 20vh auto; padding: 0 1em; font: 1.05em/1.6 system-ui, sans-serif }
h1 { font-weight: 600 }
small { color: #888 }
</style>
<h1>{status} {reason}</h1>
<p>{detail}</p>
<p><small>{request_id}</small></p>
</html>
)";
constexpr std::string_view kPlainText = "{status} {reason}\n{detail}\n";

// A page, cut where something is to be put in.
class ErrorPage {
 public:
  ErrorPage(Statuses statuses, std::string type, std::string_view body)
      : statuses_(statuses), type_(std::move(type)), essence_(essence_of(type_)) {
    html_ = equal_ignoring_case(essence_, "text/html") || essence_.ends_with("xml");
    while (!body.empty()) {
      const auto* next = std::end(kPageFacts);
      size_t at = body.size();
      for (const auto* fact = std::begin(kPageFacts); fact != std::end(kPageFacts); ++fact)
        if (const size_t found = body.find(fact->first); found < at) at = found, next = fact;
      parts_.push_back(
          {std::string(body.substr(0, at)), next == std::end(kPageFacts) ? PageFact::None : next->second});
      body.remove_prefix(next == std::end(kPageFacts) ? at : at + next->first.size());
    }
  }

  [[nodiscard]] bool is_for(uint16_t status) const { return statuses_[status % statuses_.size()]; }
  [[nodiscard]] const std::string& type() const { return type_; }
  [[nodiscard]] std::string_view essence() const { return essence_; }

  // For this answer, in the exchange's arena; a null data() where that is full.
  [[nodiscard]] std::string_view make(http::Exchange& exchange, std::string_view detail) const {
    std::array<char, 8> number;
    const auto end = fmt::format_to_n(number.data(), number.size(), "{}", exchange.response.status).out;
    const std::string_view status(number.data(), static_cast<size_t>(end - number.data()));
    const auto text_of = [&](PageFact fact) -> std::string_view {
      switch (fact) {
        case PageFact::Status:
          return status;
        case PageFact::Reason:
          return http::reason_phrase(exchange.response.status);
        case PageFact::Detail:
          return detail;
        case PageFact::RequestId:
          return exchange.request.id();
        case PageFact::Host:
          return pipeline::host_name(exchange.request.host());
        default:
          return {};
      }
    };
    size_t room = 0;
    for (const Part& part : parts_) room += part.text.size() + written_size(text_of(part.fact));
    char* const begin = exchange.arena().allocate_array<char>(room + 1);
    if (begin == nullptr) return {};
    char* at = begin;
    for (const Part& part : parts_) {
      at = std::ranges::copy(part.text, at).out;
      for (const char c : text_of(part.fact)) at = std::ranges::copy(written(c), at).out;
    }
    return {begin, static_cast<size_t>(at - begin)};
  }

 private:
  struct Part {
    std::string text;
    PageFact fact;  // behind it
  };

  // A character of what a client may have said, as it stands in the page; `c` outlives the result.
  [[nodiscard]] std::string_view written(const char& c) const {
    if (html_) {
      switch (c) {
        case '&':
          return "&amp;";
        case '<':
          return "&lt;";
        case '>':
          return "&gt;";
        case '"':
          return "&quot;";
        case '\'':
          return "&#39;";
        default:
          break;
      }
    }
    return {&c, 1};
  }
  [[nodiscard]] size_t written_size(std::string_view text) const {
    size_t size = 0;
    for (const char& c : text) size += written(c).size();
    return size;
  }

  Statuses statuses_;
  std::string type_;
  std::string_view essence_;  // of it
  bool html_ = false;
  std::vector<Part> parts_;
};

class ErrorPages final : public pipeline::Middleware {
 public:
  ErrorPages(std::vector<std::unique_ptr<ErrorPage>> pages, bool handlers)
      : pages_(std::move(pages)), handlers_(handlers) {}

  [[nodiscard]] uint8_t hooks() const override { return kAnswer; }

  Wants on_answer(http::Exchange& exchange, http::AnswerBody& body) override {
    http::Response& response = exchange.response;
    if (response.status < 400) [[likely]]
      return Wants::Nothing;
    const http::Exchange::Problem* const problem = exchange.problem();
    const bool servers = problem != nullptr && problem->by != http::Origin::Handler;
    if (!servers && !handlers_) return Wants::Nothing;
    const ErrorPage* const page = page_for(exchange);
    // Another client may have another answer, and none is sent as a page that cannot say so.
    if (!response.add("Vary", "Accept") || page == nullptr) return Wants::Nothing;
    const std::string_view text =
        page->make(exchange, problem != nullptr ? problem->detail : std::string_view());
    if (text.data() == nullptr) return Wants::Nothing;
    // What was said of the content is not about this.
    for (const std::string_view name :
         {"Content-Digest", "Content-Disposition", "Content-Encoding", "Content-Language", "Content-Location",
          "Content-MD5", "Content-Range", "Digest", "ETag", "Last-Modified", "Repr-Digest"})
      response.remove(name);
    response.content_type = page->type();
    body.whole = text;
    return Wants::Nothing;
  }

 private:
  // Of those for the status the one that the client would rather have; null where that is the problem.
  [[nodiscard]] const ErrorPage* page_for(http::Exchange& exchange) const {
    const std::string_view accept = joined_field(exchange, http::HeaderId::Accept);
    const ErrorPage* best = nullptr;
    uint32_t wanted =
        std::max(http::acceptance(accept, http::kProblemType), http::acceptance(accept, "application/json"));
    for (const auto& page : pages_) {
      if (!page->is_for(exchange.response.status)) continue;
      const uint32_t its = http::acceptance(accept, page->essence());
      if (its <= wanted) continue;
      wanted = its;
      best = page.get();
    }
    return best;
  }

  const std::vector<std::unique_ptr<ErrorPage>> pages_;
  const bool handlers_;
};

Statuses all_errors() { return *read_statuses("4xx") | *read_statuses("5xx"); }

// Of a file beside the one that names it. False: that has been told.
bool read_page_file(ErrorPageKeys& keys, const Value& named, const pipeline::BuildContext& context) {
  const auto tell = [&](int code, std::string message) {
    context.diagnostics.push_back(
        {.code = code, .message = std::move(message), .place = named.place, .hint = {}});
    return false;
  };
  if (!keys.body.empty()) return tell(pipeline::kBadOption, "a page has `body` or `file`, not both");
  const std::filesystem::path folder =
      std::filesystem::path(named.place.file ? *named.place.file : std::string()).parent_path();
  auto text = context.surroundings.read_file((folder / keys.file).string());
  if (!text) return tell(pipeline::kBadOption, std::move(text.error()));
  keys.body = std::move(*text);
  return true;
}

// Nothing: there is something wrong with it, which has been said.
std::unique_ptr<ErrorPage> read_page(const Value& item, const pipeline::BuildContext& context) {
  const size_t before = context.diagnostics.size();
  if (item.table() == nullptr) {
    context.diagnostics.push_back(schema::wrong_type(item, "a page", "a table", pipeline::kBadOption));
    return nullptr;
  }
  auto keys = schema::read<ErrorPageKeys>(item, kErrorPageRows, pipeline::kOptionCodes, context.diagnostics,
                                          "a page");
  if (context.diagnostics.size() != before) return nullptr;
  if (!keys.file.empty() && !read_page_file(keys, *item.find("file"), context)) return nullptr;
  if (keys.body.empty()) {
    context.diagnostics.push_back({.code = pipeline::kBadOption,
                                   .message = "a page needs a `body`, or a `file` that holds it",
                                   .place = item.place,
                                   .hint = "without any pages plain ones are made"});
    return nullptr;
  }
  Statuses statuses;
  for (const std::string& text : keys.status)
    if (const auto some = read_statuses(text)) statuses |= *some;
  if (keys.status.empty()) statuses = all_errors();
  if ((statuses & ~all_errors()).any()) {
    context.diagnostics.push_back({.code = pipeline::kBadOption,
                                   .message = "`status` has one that is no error: they are 400 to 599",
                                   .place = item.find("status")->place,
                                   .hint = {}});
    return nullptr;
  }
  return std::make_unique<ErrorPage>(statuses, std::move(keys.type), keys.body);
}

}  // namespace

std::string check_page_type(std::string_view called, std::string_view text) {
  const std::string_view essence = essence_of(text);
  const size_t slash = essence.find('/');
  if (slash != std::string_view::npos && is_token(essence.substr(0, slash)) &&
      is_token(essence.substr(slash + 1)) && is_field_value(text))
    return {};
  return fmt::format("{} is `{}`, which is no type of content: write text/html; charset=utf-8", called, text);
}
std::string check_page_body(std::string_view, std::string_view) { return {}; }

std::unique_ptr<pipeline::Middleware> create_error_pages(const ErrorPagesOptions& options,
                                                         const pipeline::BuildContext& context) {
  std::vector<std::unique_ptr<ErrorPage>> pages;
  const size_t before = context.diagnostics.size();
  if (options.pages != nullptr) {
    if (options.pages->array() == nullptr) {
      context.diagnostics.push_back(
          schema::wrong_type(*options.pages, "`pages`", kErrorPageList, pipeline::kBadOption));
      return nullptr;
    }
    for (const Value& item : *options.pages->array())
      if (auto page = read_page(item, context)) pages.push_back(std::move(page));
  }
  if (context.diagnostics.size() != before) return nullptr;
  pages.push_back(std::make_unique<ErrorPage>(all_errors(), "text/html; charset=utf-8", kPlainPage));
  pages.push_back(std::make_unique<ErrorPage>(all_errors(), "text/plain; charset=utf-8", kPlainText));
  return std::make_unique<ErrorPages>(std::move(pages), options.handlers);
}

}  // namespace leat::middleware
