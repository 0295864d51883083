#include "pipeline/builtin/security_headers.h"

#include "base/text.h"
#include "pipeline/options.h"

namespace leat::pipeline {

namespace {

struct FieldOption {
  std::string_view key;
  std::string_view name;
  std::string_view otherwise;
};

constexpr FieldOption kFields[] = {
    {"content_type_options", "X-Content-Type-Options", "nosniff"},
    {"referrer_policy", "Referrer-Policy", "strict-origin-when-cross-origin"},
    {"frame_options", "X-Frame-Options", "DENY"},
    {"content_security_policy", "Content-Security-Policy", ""},
    {"strict_transport_security", "Strict-Transport-Security", ""},
};

class SecurityHeaders final : public Middleware {
 public:
  explicit SecurityHeaders(std::vector<std::pair<std::string_view, std::string>> fields) : fields_(std::move(fields)) {}

  [[nodiscard]] uint8_t hooks() const override { return kResponse; }

  void on_response(http::Exchange& exchange) override {
    for (const auto& [name, value] : fields_)
      if (exchange.response.find(name).data() == nullptr) (void)exchange.response.add(name, value);
  }

 private:
  std::vector<std::pair<std::string_view, std::string>> fields_;
};

}  // namespace

std::unique_ptr<Middleware> create_security_headers(const Value& options, Diagnostics& diagnostics) {
  OptionReader reader(options, diagnostics);
  std::vector<std::pair<std::string_view, std::string>> fields;
  for (const FieldOption& field : kFields) {
    std::string value = reader.string(field.key, field.otherwise);
    if (!is_field_value(value)) reader.refuse(field.key, "a header field's value has no line break");
    if (!value.empty()) fields.emplace_back(field.name, std::move(value));
  }
  reader.finish();
  return std::make_unique<SecurityHeaders>(std::move(fields));
}

}  // namespace leat::pipeline
