#include "middleware/security_headers.h"

#include <fmt/core.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "middleware/room.h"
#include "pipeline/codes.h"

namespace leat::middleware {

namespace {

class SecurityHeaders final : public pipeline::Middleware {
 public:
  // The lines lie behind each other as they are sent, so that all of them are one copy.
  explicit SecurityHeaders(const std::vector<std::pair<std::string_view, std::string>>& fields) {
    for (const auto& [name, value] : fields) bytes_ += std::string(name) + ": " + value + "\r\n";
    size_t at = 0;
    for (const auto& [name, value] : fields) {
      const size_t size = name.size() + value.size() + 4;
      lines_.push_back({std::string_view(bytes_).substr(at, size), name.size()});
      sizes_ |= uint64_t{1} << (name.size() % 64);
      at += size;
    }
  }

  [[nodiscard]] uint8_t hooks() const override { return kAnswer; }

  Wants on_answer(http::Exchange& exchange, http::AnswerBody& body) override {
    http::Response& response = exchange.response;
    if (response.room() < lines_.size()) [[unlikely]]
      make_room(exchange, body, missing_from(response), "security_headers");
    // Whether one of those that are there may have the name of one of ours.
    bool alike = false;
    for (const http::Response::Field& field : response.fields())
      alike |= (sizes_ >> (field.name.size() % 64) & 1) != 0;
    for (const Line& line : lines_)
      if (!alike || response.find(line.name()).data() == nullptr)
        (void)response.add_ready(line.text, line.name_size);
    return Wants::Nothing;
  }

 private:
  [[nodiscard]] size_t missing_from(const http::Response& response) const {
    return static_cast<size_t>(std::ranges::count_if(
        lines_, [&](const Line& line) { return response.find(line.name()).data() == nullptr; }));
  }

  struct Line {
    std::string_view text;  // with CR LF
    size_t name_size;
    [[nodiscard]] std::string_view name() const { return text.substr(0, name_size); }
  };
  std::string bytes_;
  std::vector<Line> lines_;
  uint64_t sizes_ = 0;  // of their names, a bit each
};

}  // namespace

std::unique_ptr<pipeline::Middleware> create_security_headers(const SecurityHeadersOptions& options,
                                                              const pipeline::BuildContext& context) {
  std::vector<std::pair<std::string_view, std::string>> fields = {
      {"X-Content-Type-Options", options.content_type_options},
      {"Referrer-Policy", options.referrer_policy},
      {"X-Frame-Options", options.frame_options},
      {"Content-Security-Policy", options.content_security_policy},
      {"Strict-Transport-Security", options.strict_transport_security}};
  std::erase_if(fields, [](const auto& field) { return field.second.empty(); });
  size_t bytes = 0;
  for (const auto& [name, value] : fields) bytes += name.size() + value.size() + 4;
  if (bytes > kMostSecurityBytes)
    context.diagnostics.push_back(
        {.code = pipeline::kBadOption,
         .message =
             fmt::format("these fields take {} bytes of each answer's head, which has 16 KiB in all; {} "
                         "is the most",
                         bytes, kMostSecurityBytes),
         .place = context.place,
         .hint = {}});
  return std::make_unique<SecurityHeaders>(fields);
}

}  // namespace leat::middleware
