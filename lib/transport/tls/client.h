// TLS to a server that is asked: its certificate is verified, by the name that it was asked for, and sessions are kept, so that
// the next connection costs it less.
//
// Whom to believe is the system's affair: OpenSSL's default places, on Debian the package ca-certificates; SSL_CERT_FILE and
// SSL_CERT_DIR name others. There is no way not to verify: what is not verified is not secret.
#pragma once

#include <expected>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "transport/transport.h"

namespace leat::tls {

// Makes, for each worker on its thread, what makes transports to `host`, a name or an address, that offer `protocols` (ALPN).
// `authorities`: whom to believe, in PEM, in place of the system's, which are read once for the process. An error is a sentence.
[[nodiscard]] std::expected<std::function<transport::MakeTransport(transport::Now)>, std::string>
client_transports(std::string_view host, std::vector<std::string> protocols,
                  std::string_view authorities = {});

}  // namespace leat::tls
