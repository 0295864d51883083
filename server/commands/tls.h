// `leat tls`: what a configuration's listeners speak TLS with, and `leat tls init`: certificates for a developer's own machine.
#pragma once

#include <expected>
#include <string>

#include <string>
#include <vector>

#include "server/commands/command_line.h"

namespace leat::server {

// Certificates with their names, keys and times, what is spoken, and where. The exit code.
int show_tls(const Command& command);

// Makes, in `folder`, an authority, where there is none yet, and a certificate for `names` that it vouches for, and says what to
// do with both. The exit code.
int make_certificates(const NewCertificates& wanted);

// The authority and certificate of `leat tls init`; an error is a sentence. The second takes a certificate that is there.
std::expected<CertificatePaths, std::string> write_certificates(const NewCertificates& wanted);
std::expected<CertificatePaths, std::string> find_or_write_certificates(const NewCertificates& wanted);

}  // namespace leat::server
