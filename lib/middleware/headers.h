// headers: fields of requests and answers that the configuration sets, adds and removes.
//
//   request_set   = ["X-Client: {client}"]     what handlers get to see, whatever the client has sent of that name
//   answer_set    = ["Cache-Control: no-store"]
//   answer_remove = ["X-Powered-By"]
//   if_status     = ["5xx"]
//
// All conditions of an instance have to hold; for another one there is another instance. It removes first, then sets
// (which removes what there is of the name), then adds. A value is a constant or has {variables} in it. One that comes to
// nothing, or that is longer than `value`, is left out; what `set` removes is gone all the same, so that no client can
// stand in for a variable that is empty.
//
// Nothing gets out that would be a line of its own: constants are checked when they are read, values with variables when
// they are made. Fields about framing and the connection are refused when the configuration is read, as are those that
// are the server's own.
//
// Requests are not changed in place: heads are shared by all requests that look alike. Another head is shown, in the
// request's arena. If there is no memory for it, the request is answered with 503, and if an answer has no room for a
// field, a 500 takes its place: neither goes on without.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/schema.h"
#include "middleware/statuses.h"
#include "pipeline/condition.h"
#include "pipeline/middleware_kind.h"

namespace leat::middleware {

struct HeadersOptions {
  std::vector<std::string> request_set, request_add, request_remove;
  std::vector<std::string> answer_set, answer_add, answer_remove;
  std::vector<std::string> if_method, if_header, if_status;
  uint64_t value = 2048;
};

// A Row::Check each: of "Name: value" or the name alone, in a request or in an answer; and of a method.
std::string check_request_field(std::string_view called, std::string_view text);
std::string check_request_name(std::string_view called, std::string_view text);
std::string check_answer_field(std::string_view called, std::string_view text);
std::string check_answer_name(std::string_view called, std::string_view text);
std::string check_method(std::string_view called, std::string_view text);

inline constexpr schema::Row kHeadersRows[] = {
    schema::list<&HeadersOptions::request_set>(
        "request_set", "fields", check_request_field, 0,
        "Fields that requests have instead of those of the same name: `X-Client: {client}`. In values, "
        "`{variable}` stands for what is known of the request, and `{{` for a brace."),
    schema::list<&HeadersOptions::request_add>("request_add", "fields", check_request_field, 0,
                                               "Fields that requests have beside those of the same name."),
    schema::list<&HeadersOptions::request_remove>("request_remove", "names of header fields",
                                                  check_request_name, 0, "Fields that requests are without."),
    schema::list<&HeadersOptions::answer_set>("answer_set", "fields", check_answer_field, 0,
                                              "Fields that answers have instead of those of the same name."),
    schema::list<&HeadersOptions::answer_add>("answer_add", "fields", check_answer_field, 0,
                                              "Fields that answers have beside those of the same name."),
    schema::list<&HeadersOptions::answer_remove>("answer_remove", "names of header fields", check_answer_name,
                                                 0, "Fields that answers are without."),
    schema::list<&HeadersOptions::if_method>("if_method", "methods", check_method, 0,
                                             "Only for requests with one of these methods."),
    schema::list<&HeadersOptions::if_header>(
        "if_header", "fields", pipeline::check_condition_header, 0,
        "Only for requests that have each of these fields: `DNT`, or with that value: `DNT: 1`."),
    schema::list<&HeadersOptions::if_status>(
        "if_status", "statuses", check_status, 0,
        "Only for answers with one of these statuses: `404`, `5xx`, `500-503`."),
    schema::size<&HeadersOptions::value>("value", 1, 8192,
                                         "Of a value with variables, at most; a longer one is left out."),
};

std::unique_ptr<pipeline::Middleware> create_headers(const HeadersOptions& options,
                                                     const pipeline::BuildContext& context);

}  // namespace leat::middleware
