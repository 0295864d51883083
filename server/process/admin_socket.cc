#include "server/process/admin_socket.h"

#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace leat::server {

namespace {

constexpr const char* kOfTheUnit = "/run/leat/admin.sock";

std::string absolute_folder(const char* variable) {
  const char* text = std::getenv(variable);
  if (text == nullptr || *text != '/') return {};
  const std::string_view all(text);
  return std::string(all.substr(0, all.find(':')));  // systemd lists several
}

// FNV-1a: the same in every build, which std::hash is not.
uint64_t hash_of(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

std::string folder_by_rule() {
  const std::string own = absolute_folder("XDG_RUNTIME_DIR");
  if (::geteuid() == 0) return "/run/leat-root";  // /run/leat is the unit's
  return own.empty() ? "" : own + "/leat";
}

std::string path_by_rule(const std::string& file) {
  const std::string folder = folder_by_rule();
  return folder.empty() ? "" : fmt::format("{}/{:016x}.sock", folder, hash_of(file));
}

}  // namespace

AdminSocket admin_socket_to_open(const std::string& configured, const std::string& file) {
  if (!configured.empty()) return {.path = configured};
  if (const std::string folder = absolute_folder("RUNTIME_DIRECTORY"); !folder.empty())
    return {.path = folder + "/admin.sock"};
  const std::string folder = folder_by_rule();
  if (folder.empty() || (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST)) return {};
  return {.path = path_by_rule(file), .by_rule = true};
}

std::vector<std::string> admin_sockets_to_try(const std::string& configured, const std::string& file) {
  if (!configured.empty()) return {configured};
  if (const std::string folder = absolute_folder("RUNTIME_DIRECTORY"); !folder.empty())
    return {folder + "/admin.sock"};
  std::vector<std::string> paths;
  if (std::string own = path_by_rule(file); !own.empty()) paths.push_back(std::move(own));
  paths.emplace_back(kOfTheUnit);
  return paths;
}

}  // namespace leat::server
