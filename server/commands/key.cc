#include "server/commands/key.h"

#include <fmt/core.h>

#include <array>
#include <cstdio>
#include <iostream>

#include "base/base64.h"
#include "base/random_bytes.h"
#include "crypto/digest.h"
#include "middleware/api_keys.h"
#include "middleware/credential_file.h"
#include "server/process/exit_code.h"

namespace leat::server {

namespace {

constexpr size_t kLeastKey = 16;  // bytes: what a person thinks of is seldom longer

int complain(std::string_view what) {
  fmt::print(stderr, "leat: {}\n", what);
  return kExitFailure;
}

int print_line(const std::string& name, std::string_view key) {
  // By itself: a blank in it would be the end of it.
  if (const std::string wrong = middleware::check_user_name(name); !wrong.empty()) return complain(wrong);
  const auto digest = crypto::sha256({key});
  if (!digest) return complain("there is no memory for it");
  const std::string line = fmt::format("{} {}{}", name, middleware::kKeyMethod, crypto::hex(*digest));
  if (const std::string wrong = middleware::ApiKeys().add(line); !wrong.empty()) return complain(wrong);
  fmt::print("{}\n", line);
  return kExitFine;
}

}  // namespace

int make_key(const std::string& name) {
  std::array<char, 32> bytes;
  if (!random_bytes(bytes.data(), bytes.size())) return complain("the kernel has no random bytes");
  // By its beginning, programs that look for keys where there should be none know it for one.
  const std::string key = "leat_" + encode_base64(Base64::Url, {bytes.data(), bytes.size()});
  const int code = print_line(name, key);
  if (code == kExitFine)
    fmt::print(stderr, "The key, which is shown this once and stored nowhere:\n{}\n", key);
  return code;
}

int hash_key(const std::string& name) {
  std::string key;
  std::getline(std::cin, key);
  if (key.ends_with('\r')) key.pop_back();
  if (key.size() < kLeastKey)
    return complain(
        fmt::format("a key of less than {} bytes can be guessed; `leat key new {}` makes one that cannot",
                    kLeastKey, name));
  return print_line(name, key);
}

}  // namespace leat::server
