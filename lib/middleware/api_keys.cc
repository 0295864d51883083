#include "middleware/api_keys.h"

#include <fmt/core.h>

#include <algorithm>
#include <iterator>
#include <tuple>

#include "base/text.h"
#include "middleware/credential_file.h"

namespace leat::middleware {

std::string ApiKeys::add(std::string_view line) {
  const size_t blank = std::min(line.find_first_of(" \t"), line.size());
  const std::string_view name = line.substr(0, blank);
  const std::string_view hash = trim(line.substr(blank));
  if (std::string wrong = check_user_name(name); !wrong.empty()) return wrong;
  if (hash.empty())
    return "a name and, behind a blank, the hash of a key are needed: `leat key new NAME` makes both";
  const auto digest =
      hash.starts_with(kKeyMethod) ? crypto::read_hex(hash.substr(kKeyMethod.size())) : std::nullopt;
  if (!digest)
    return fmt::format(
        "behind the name stands `{}` and 64 hexadecimal digits, the hash of a key: `leat key hash NAME` "
        "makes it",
        kKeyMethod);
  if (const auto nothing = crypto::sha256({}); digest == nothing) return "this is the hash of no key at all";
  entries_.push_back({.place = place_of(*digest), .digest = *digest, .name = std::string(name)});
  return {};
}

std::string ApiKeys::freeze() {
  std::ranges::sort(entries_, {},
                    [](const Entry& entry) { return std::tie(entry.place, entry.digest, entry.name); });
  const auto both = std::ranges::adjacent_find(entries_, [](const Entry& one, const Entry& other) {
    return one.digest == other.digest && one.name != other.name;
  });
  if (both == entries_.end()) return {};
  return fmt::format("`{}` and `{}` have the same key", both->name, std::next(both)->name);
}

const std::string* ApiKeys::find(std::string_view key, bool& failed) const {
  if (key.empty()) return nullptr;
  const auto digest = crypto::sha256({key});
  if (!digest) {
    failed = true;
    return nullptr;
  }
  const uint64_t place = place_of(*digest);
  for (auto at = std::ranges::lower_bound(entries_, place, {}, &Entry::place);
       at != entries_.end() && at->place == place; ++at)
    if (crypto::equal_in_constant_time(crypto::view(at->digest), crypto::view(*digest))) return &at->name;
  return nullptr;
}

}  // namespace leat::middleware
