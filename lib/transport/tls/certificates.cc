#include "transport/tls/certificates.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace leat::tls {

namespace {

// RFC 1035, section 2.3.4. A name that is longer is nobody's.
constexpr size_t kMostName = 255;

bool add_to(Certificates::Choice& choice, const std::shared_ptr<const Certificate>& certificate) {
  if (std::ranges::contains(choice, certificate->key_kind(), &Certificate::key_kind)) return false;
  choice.push_back(certificate);
  return true;
}

}  // namespace

bool Certificates::add(const std::string& name, const std::shared_ptr<const Certificate>& certificate) {
  return add_to(by_name_[name], certificate);
}

bool Certificates::add_default(const std::shared_ptr<const Certificate>& certificate) {
  return add_to(fallback_, certificate);
}

const Certificates::Choice* Certificates::find(std::string_view name) const {
  if (name.ends_with('.')) name.remove_suffix(1);
  if (name.empty() || name.size() > kMostName) return nullptr;
  std::array<char, kMostName + 1> bytes;
  std::ranges::transform(name, bytes.begin(), ascii_lower);
  const std::string_view small(bytes.data(), name.size());
  if (const auto found = by_name_.find(small); found != by_name_.end()) return &found->second;
  const size_t dot = small.find('.');
  if (dot == small.npos || dot == 0) return nullptr;
  bytes[dot - 1] = '*';
  const auto found = by_name_.find(small.substr(dot - 1));
  return found == by_name_.end() ? nullptr : &found->second;
}

}  // namespace leat::tls
