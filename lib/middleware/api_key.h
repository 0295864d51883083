// api_key: who asks is whose key the request has; without one that is known the answer is 401.
//
// Keys are long and random, and made by `leat key`. What is stored is the SHA-256 of each, so that who reads the file has
// none: a slow hash is for what people choose themselves. A key that comes is hashed and looked up by that, under a secret of
// the process, and then compared in constant time; neither tells anything of the keys there are.
//
//   alice sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08      a line of the file
//
// The name is the request's user from then on. The key is taken from the request, unless it is to be passed on, before
// anybody else sees it: also where it was wrong, since it may be one that was good yesterday.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/schema.h"
#include "pipeline/middleware_kind.h"

namespace leat::middleware {

struct ApiKeyOptions {
  std::string file;
  std::vector<std::string> keys;
  std::string header = "X-Api-Key";
  std::string query;
  std::string cookie;
  bool required = true;
  bool pass_on = false;
};

// A Row::Check each.
std::string check_key_line(std::string_view called, std::string_view text);
std::string check_header_name(std::string_view called, std::string_view text);
std::string check_cookie_name(std::string_view called, std::string_view text);

inline constexpr schema::Row kApiKeyRows[] = {
    schema::text<&ApiKeyOptions::file>("file", "Who has which key: a line each, `NAME sha256:DIGITS`.")
        .as_path(),
    schema::list<&ApiKeyOptions::keys>("keys", "names and hashes of keys", check_key_line, 0,
                                       "The same here, beside those of the file."),
    schema::text<&ApiKeyOptions::header>(
        "header", check_header_name, 0,
        "The field that has the key; in `Authorization` it stands behind `Bearer`. Empty: none has."),
    schema::text<&ApiKeyOptions::query>(
        "query", "The parameter of the query that may have it instead. Empty: none may."),
    schema::text<&ApiKeyOptions::cookie>("cookie", check_cookie_name, 0,
                                         "The cookie that may have it instead. Empty: none may."),
    schema::boolean<&ApiKeyOptions::required>(
        "required",
        "Refuse requests without a key; otherwise they pass without a user. A wrong one is refused."),
    schema::boolean<&ApiKeyOptions::pass_on>("pass_on", "Leave the key in the request."),
};

std::unique_ptr<pipeline::Middleware> create_api_key(const ApiKeyOptions& options,
                                                     const pipeline::BuildContext& context);

}  // namespace leat::middleware
