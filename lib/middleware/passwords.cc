#include "middleware/passwords.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstring>
#include <span>
#include <tuple>
#include <utility>

#include "middleware/credential_file.h"

namespace leat::middleware {

std::string Passwords::add(std::string_view line) {
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return "a name, a colon and the hash of a password are needed";
  const std::string_view name = line.substr(0, colon);
  if (std::string wrong = check_user_name(name); !wrong.empty()) return wrong;
  auto hash = crypto::PasswordHash::parse(line.substr(colon + 1));
  if (!hash) return std::move(hash.error());
  users_.push_back({.place = place_of(name), .name = std::string(name), .hash = std::move(*hash)});
  return {};
}

std::string Passwords::freeze() {
  std::ranges::sort(users_, {}, [](const User& user) { return std::tie(user.place, user.name); });
  const auto both = std::ranges::adjacent_find(users_, {}, &User::name);
  return both == users_.end() ? std::string() : fmt::format("`{}` is there twice", both->name);
}

const Passwords::User* Passwords::find(std::string_view name) const {
  const uint64_t place = place_of(name);
  for (auto at = std::ranges::lower_bound(users_, place, {}, &User::place);
       at != users_.end() && at->place == place; ++at)
    if (at->name == name) return &*at;
  return nullptr;
}

const Passwords::User& Passwords::stand_in(std::string_view name) const {
  return users_[place_of(name) % users_.size()];
}

size_t RecentPasswords::place_of(const crypto::Digest& digest) const {
  uint64_t number = 0;
  std::memcpy(&number, digest.data(), sizeof number);
  return number % (entries_.size() / kWays) * kWays;
}

const Passwords::User* RecentPasswords::find(const crypto::Digest& digest, uint64_t now_ns) const {
  if (entries_.empty()) return nullptr;
  for (const Entry& entry : std::span(entries_).subspan(place_of(digest), kWays))
    if (entry.until_ns > now_ns &&
        crypto::equal_in_constant_time(crypto::view(entry.digest), crypto::view(digest)))
      return entry.user;
  return nullptr;
}

void RecentPasswords::remember(const crypto::Digest& digest, const Passwords::User& user, uint64_t now_ns,
                               uint64_t until_ns) {
  if (entries_.empty() || find(digest, now_ns) != nullptr) return;
  auto ways = std::span(entries_).subspan(place_of(digest), kWays);
  *std::ranges::min_element(ways, {}, &Entry::until_ns) = {digest, until_ns, &user};
}

}  // namespace leat::middleware
