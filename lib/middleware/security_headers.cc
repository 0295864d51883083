#include "middleware/security_headers.h"

#include <utility>
#include <vector>

#include "http/service.h"

namespace leat::middleware {

namespace {

class SecurityHeaders final : public pipeline::Middleware {
 public:
  explicit SecurityHeaders(std::vector<std::pair<std::string_view, std::string>> fields)
      : fields_(std::move(fields)) {}

  [[nodiscard]] uint8_t hooks() const override { return kAnswer; }

  Wants on_answer(http::Exchange& exchange, http::AnswerBody&) override {
    for (const auto& [name, value] : fields_)
      if (exchange.response.find(name).data() == nullptr) (void)exchange.response.add(name, value);
    return Wants::Nothing;
  }

 private:
  std::vector<std::pair<std::string_view, std::string>> fields_;
};

}  // namespace

std::unique_ptr<pipeline::Middleware> create_security_headers(const SecurityHeadersOptions& options,
                                                              const pipeline::BuildContext&) {
  std::vector<std::pair<std::string_view, std::string>> fields = {
      {"X-Content-Type-Options", options.content_type_options},
      {"Referrer-Policy", options.referrer_policy},
      {"X-Frame-Options", options.frame_options},
      {"Content-Security-Policy", options.content_security_policy},
      {"Strict-Transport-Security", options.strict_transport_security}};
  std::erase_if(fields, [](const auto& field) { return field.second.empty(); });
  return std::make_unique<SecurityHeaders>(std::move(fields));
}

}  // namespace leat::middleware
