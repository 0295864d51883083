// security_headers: the fields that make browsers careful with what they get.
//
// Each option is a field's value, "" to leave it out; what a handler sets itself stays. An answer that has no room for
// them, with its 64 fields or 16 KiB, never leaves without: a 500 with them takes its place.
#pragma once

#include <memory>
#include <string>

#include "base/schema.h"
#include "pipeline/middleware_kind.h"

namespace leat::middleware {

struct SecurityHeadersOptions {
  std::string content_type_options = "nosniff";
  std::string referrer_policy = "strict-origin-when-cross-origin";
  std::string frame_options = "DENY";
  std::string content_security_policy;
  std::string strict_transport_security;
};
inline constexpr schema::Row kSecurityHeadersRows[] = {
    schema::text<&SecurityHeadersOptions::content_type_options>("content_type_options",
                                                                "X-Content-Type-Options."),
    schema::text<&SecurityHeadersOptions::referrer_policy>("referrer_policy", "Referrer-Policy."),
    schema::text<&SecurityHeadersOptions::frame_options>("frame_options", "X-Frame-Options."),
    schema::text<&SecurityHeadersOptions::content_security_policy>(
        "content_security_policy", "Content-Security-Policy; it depends on the pages."),
    schema::text<&SecurityHeadersOptions::strict_transport_security>(
        "strict_transport_security", "Strict-Transport-Security; it binds the host to TLS."),
};

// Of all lines together: half of what the head of an answer may have.
inline constexpr size_t kMostSecurityBytes = size_t{8} * 1024;

std::unique_ptr<pipeline::Middleware> create_security_headers(const SecurityHeadersOptions& options,
                                                              const pipeline::BuildContext& context);

}  // namespace leat::middleware
