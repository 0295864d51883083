// AnswerForm: what the answer to a request is encoded in, where its handler leaves that to its client.
//
// Who chooses (middleware) sets Exchange::answer_form to one of these; who writes an answer by events looks there.
#pragma once

#include <cstdint>
#include <string_view>

namespace leat::json {
enum class Backend : uint8_t;
}

namespace leat::http {

struct AnswerForm {
  json::Backend backend;  // Auto: JSON
  std::string_view type;  // a literal
};

}  // namespace leat::http
