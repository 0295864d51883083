// What `leat tls init` is to make.
#pragma once

#include <string>
#include <vector>

namespace leat::server {

struct NewCertificates {
  std::string folder = "tls";
  std::vector<std::string> names = {"localhost", "127.0.0.1", "::1"};
};

// Where they lie, by whole paths.
struct CertificatePaths {
  std::string certificate, key, authority;
};

}  // namespace leat::server
