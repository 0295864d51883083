// basic_auth: who asks is whose name and password the request has (RFC 7617); without them the answer is 401, and a browser
// asks for them.
//
// A password is verified by a slow hash on the pool (verifier.h), while the request waits and its worker serves others.
// Some at a time, and some in the line: then the answer is 503. What was right is remembered for a while (passwords.h). A
// name that is not known takes as long as one that is.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/schema.h"
#include "pipeline/middleware_kind.h"

namespace leat::middleware {

struct BasicAuthOptions {
  std::string file;
  std::vector<std::string> users;
  std::string realm = "leat";
  bool required = true;
  bool pass_on = false;
  uint32_t concurrency = 2;
  uint32_t queue = 64;
  uint64_t remember_ms = 300'000;
  uint32_t remembered = 1024;
  uint64_t size = 1024;
};

// A Row::Check each.
std::string check_password_line(std::string_view called, std::string_view text);
std::string check_realm(std::string_view called, std::string_view text);

inline constexpr schema::Row kBasicAuthRows[] = {
    schema::text<&BasicAuthOptions::file>(
        "file", "Who has which password: a line each, `NAME:HASH`, as `htpasswd -B` makes it.")
        .as_path(),
    schema::list<&BasicAuthOptions::users>("users", "names and hashes of passwords", check_password_line, 0,
                                           "The same here, beside those of the file."),
    schema::text<&BasicAuthOptions::realm>("realm", check_realm, 0, "What browsers call what is asked for."),
    schema::boolean<&BasicAuthOptions::required>(
        "required",
        "Refuse requests without a name and password; otherwise they pass "
        "without a user. Wrong ones are refused."),
    schema::boolean<&BasicAuthOptions::pass_on>("pass_on", "Leave name and password in the request."),
    schema::count<&BasicAuthOptions::concurrency>(
        "concurrency", 1, 256, "How many passwords are verified at a time, each on a thread of the pool."),
    schema::count<&BasicAuthOptions::queue>("queue", 0, 65'536,
                                            "How many requests may wait for that; more are answered 503."),
    schema::duration<&BasicAuthOptions::remember_ms>(
        "remember", 0, 86'400'000,
        "How long a password that was right is not verified again; 0: it always is."),
    schema::count<&BasicAuthOptions::remembered>("remembered", 1, 1'048'576,
                                                 "How many are remembered by each worker, 48 bytes each."),
    schema::size<&BasicAuthOptions::size>(
        "size", 64, 65'536, "Of name and password as they are sent; longer ones are refused unread."),
};

std::unique_ptr<pipeline::Middleware> create_basic_auth(const BasicAuthOptions& options,
                                                        const pipeline::BuildContext& context);

}  // namespace leat::middleware
