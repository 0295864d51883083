#include "config/accounts.h"

#include <fmt/core.h>
#include <grp.h>
#include <pwd.h>

#include <cerrno>
#include <vector>

#include "base/text.h"

namespace leat::config {

namespace {

// What an entry may take: a group has all its members in it.
constexpr size_t kMostBytes = size_t{1} << 20;

// Asks by `look_up(entry, buffer, size, found)`, as getpwnam_r(3) is, with as much room as it takes.
template <class Entry, class LookUp>
std::optional<Entry> look_up_with_room(LookUp look_up) {
  for (std::vector<char> room(1024); room.size() <= kMostBytes; room.resize(room.size() * 4)) {
    Entry entry{};
    Entry* found = nullptr;
    const int failed = look_up(&entry, room.data(), room.size(), &found);
    if (failed == ERANGE) continue;
    return failed == 0 && found != nullptr ? std::optional(entry) : std::nullopt;
  }
  return std::nullopt;
}

// -1 stands for none where numbers are handed to the kernel.
std::optional<uint32_t> number_of(std::string_view name) {
  const auto number = parse_number<uint32_t>(name);
  return number && *number != UINT32_MAX ? number : std::nullopt;
}

}  // namespace

std::optional<uint32_t> find_user(std::string_view name) {
  if (const auto number = number_of(name)) return number;
  const std::string text(name);
  const auto entry = look_up_with_room<passwd>([&](passwd* into, char* room, size_t size, passwd** found) {
    return ::getpwnam_r(text.c_str(), into, room, size, found);
  });
  return entry ? std::optional<uint32_t>(entry->pw_uid) : std::nullopt;
}

std::optional<uint32_t> find_group(std::string_view name) {
  if (const auto number = number_of(name)) return number;
  const std::string text(name);
  const auto entry = look_up_with_room<group>([&](group* into, char* room, size_t size, group** found) {
    return ::getgrnam_r(text.c_str(), into, room, size, found);
  });
  return entry ? std::optional<uint32_t>(entry->gr_gid) : std::nullopt;
}

std::string check_user(std::string_view, std::string_view name) {
  return find_user(name) ? std::string() : fmt::format("there is no user `{}`", name);
}

std::string check_group(std::string_view, std::string_view name) {
  return find_group(name) ? std::string() : fmt::format("there is no group `{}`", name);
}

}  // namespace leat::config
