#include "middleware/security_headers.h"

#include <iterator>

#include "base/text.h"

namespace leat::middleware {

namespace {

// The fields, in the order of the options.
constexpr std::string_view kFields[] = {"X-Content-Type-Options", "Referrer-Policy", "X-Frame-Options",
                                        "Content-Security-Policy", "Strict-Transport-Security"};
static_assert(std::size(kFields) == std::size(kSecurityHeadersOptions));

class SecurityHeaders final : public pipeline::Middleware {
 public:
  explicit SecurityHeaders(std::vector<std::pair<std::string_view, std::string>> fields)
      : fields_(std::move(fields)) {}

  [[nodiscard]] uint8_t hooks() const override { return kResponse; }

  void on_response(http::Exchange& exchange) override {
    for (const auto& [name, value] : fields_)
      if (exchange.response.find(name).data() == nullptr) (void)exchange.response.add(name, value);
  }

 private:
  std::vector<std::pair<std::string_view, std::string>> fields_;
};

}  // namespace

std::unique_ptr<pipeline::Middleware> create_security_headers(const Value& options,
                                                              Diagnostics& diagnostics) {
  pipeline::OptionReader reader(options, kSecurityHeadersOptions, diagnostics);
  std::vector<std::pair<std::string_view, std::string>> fields;
  for (size_t i = 0; i < std::size(kFields); ++i) {
    const std::string_view key = kSecurityHeadersOptions[i].name;
    const std::string_view value = reader.text(key);
    if (!is_field_value(value)) reader.refuse(key, "a header field's value has no line break");
    if (!value.empty()) fields.emplace_back(kFields[i], value);
  }
  return std::make_unique<SecurityHeaders>(std::move(fields));
}

}  // namespace leat::middleware
