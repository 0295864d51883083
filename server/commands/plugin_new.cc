// A new plugin is the files of server/commands/templates/all and of its language's folder, and the same of the folder
// of its kind, with the words below replaced.
//
// They name the SDK that belongs to this very program, found from where it lies: the tree that it was built
// in, or the one that it was installed to. So the project builds with no further setting, and a daemon still
// being worked on can be tried with a new plugin. What always holds: no file that was there before is
// touched, and a project that can't be made whole is not made. Rejected: templates as installed files, which
// could be missing, or be of another version than the program.
#include "server/commands/plugin_new.h"

#include <fmt/core.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <expected>
#include <filesystem>
#include <string_view>
#include <utility>
#include <vector>

#include "leat_version.h"
#include "plugin/sdk/plugin.h"
#include "server/commands/templates.h"
#include "server/commands/write_file.h"
#include "server/process/exit_code.h"

namespace leat::server {

namespace {

namespace fs = std::filesystem;

// A word of the templates and what stands there instead.
using Words = std::vector<std::pair<std::string_view, std::string>>;

constexpr size_t kMostNameBytes = sizeof(leat_note{}.name) - 1;

// What meson or CMake call targets of their own; they refuse a plugin of that name.
constexpr std::array<std::string_view, 11> kTaken = {"all",   "benchmark", "clean",     "dist",
                                                     "help",  "install",   "meson-log", "package",
                                                     "phony", "test",      "uninstall"};

// Why `name` is none; empty if it is one. Narrower than what a configuration takes: it also becomes the name
// of a file, of a build target and of a Rust crate.
std::string complaint(std::string_view name) {
  constexpr auto kLetter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  const auto inside = [&](char c) { return kLetter(c) || (c >= '0' && c <= '9') || c == '-' || c == '_'; };
  if (name.empty() || !kLetter(name.front()) || !std::ranges::all_of(name, inside))
    return "a name begins with a letter and is made of letters, digits, - and _";
  if (name.size() > kMostNameBytes) return fmt::format("a name has at most {} characters", kMostNameBytes);
  if (std::ranges::contains(kTaken, name)) return "build systems use that name for a target of their own";
  return {};
}

std::expected<Words, std::string> find_sdk() {
  std::error_code failed;
  const fs::path program = fs::read_symlink("/proc/self/exe", failed);
  if (failed) return std::unexpected("cannot tell where this program lies: " + failed.message());
  struct Place {
    const char *pkg_config, *cmake, *include, *symbols;
  };
  constexpr Place kPlaces[] = {{"../packaging/sdk", "../packaging/sdk", "../lib/plugin/sdk",
                                "../packaging/sdk/plugin.map"},  // the build tree
                               {LEAT_LIBDIR "/pkgconfig", LEAT_LIBDIR "/cmake/leat-plugin", LEAT_INCLUDEDIR,
                                LEAT_DATADIR "/leat/plugin.map"}};
  std::string looked;
  for (const Place& place : kPlaces) {
    const auto folder = [&](const char* from_program) {
      return (program.parent_path() / from_program).lexically_normal().string();
    };
    const std::string pkg_config = folder(place.pkg_config);
    if (!fs::exists(fs::path(pkg_config) / "leat-plugin.pc", failed)) {
      looked += (looked.empty() ? "" : ", ") + pkg_config;
      continue;
    }
    Words words = {{"@PKG_CONFIG@", pkg_config},
                   {"@CMAKE@", folder(place.cmake)},
                   {"@INCLUDE@", folder(place.include)},
                   {"@SYMBOLS@", folder(place.symbols)},
                   {"@LEAT@", program.string()}};
    // They go into texts of several languages, each with rules of its own for quoting, and through
    // pkg-config.
    for (const auto& [word, path] : words)
      if (path.find_first_of(" \t\n'\"\\$;#") != std::string::npos)
        return std::unexpected(
            fmt::format("build files cannot name the SDK in `{}`: a space, a quote or one of "
                        "\\ $ ; # is in the path",
                        path));
    return words;
  }
  return std::unexpected("the plugin SDK is not installed with this program: no leat-plugin.pc in " + looked);
}

std::string fill_in(std::string_view text, const Words& words) {
  std::string filled;
  for (size_t at = 0; at < text.size();) {
    const std::string_view rest = text.substr(at);
    const auto word =
        std::ranges::find_if(words, [&](const auto& each) { return rest.starts_with(each.first); });
    filled += word == words.end() ? std::string(1, text[at]) : word->second;
    at += word == words.end() ? 1 : word->first.size();
  }
  return filled;
}

std::expected<void, std::string> write_project(const fs::path& folder, const NewPlugin& plugin, Words words) {
  const std::string kind = plugin.middleware ? "middleware" : "handler";
  words.emplace_back("@NAME@", plugin.name);
  words.emplace_back("@ASK@", plugin.middleware ? "-H 'X-API-Key: sesame' localhost:8080/metrics"
                                                : "'localhost:8080/hello/Ada?times=3'");
  // A part of the tests, which all languages share.
  const auto tests = std::ranges::find(kTemplates, kind, &Template::folder);
  std::string filled = fill_in(tests->text, words);
  filled.erase(filled.find_last_not_of('\n') + 1);
  words.emplace_back("@TESTS@", std::move(filled));
  for (const Template& each : kTemplates) {
    if (each.folder != "all" && each.folder != plugin.language && each.folder != kind + "/all" &&
        each.folder != kind + "/" + plugin.language)
      continue;
    const fs::path path = folder / fill_in(each.path, {{"NAME", plugin.name}});
    std::error_code failed;
    fs::create_directories(path.parent_path(), failed);
    if (failed)
      return std::unexpected(
          fmt::format("cannot make `{}`: {}", path.parent_path().string(), failed.message()));
    if (auto written = write_new_file(path.string(), fill_in(each.text, words)); !written) return written;
  }
  return {};
}

}  // namespace

int make_plugin(const NewPlugin& plugin) {
  const auto complain = [](const std::string& text, int code) {
    std::fprintf(stderr, "leat: %s\n", text.c_str());
    return code;
  };
  if (const std::string wrong = complaint(plugin.name); !wrong.empty())
    return complain(fmt::format("`{}` is not a name for a plugin: {}", plugin.name, wrong), kExitUsage);
  auto words = find_sdk();
  if (!words) return complain(words.error(), kExitFailure);
  const std::string folder = plugin.folder.empty() ? plugin.name : plugin.folder;
  if (::mkdir(folder.c_str(), 0777) != 0)
    return complain(errno == EEXIST
                        ? fmt::format("`{}` is there already; name another folder with --dir", folder)
                        : fmt::format("cannot make the folder `{}`: {}", folder, std::strerror(errno)),
                    kExitFailure);
  if (const auto written = write_project(folder, plugin, std::move(*words)); !written) {
    std::error_code ignored;
    fs::remove_all(folder, ignored);
    return complain(written.error(), kExitFailure);
  }
  std::printf("Made %s, a plugin in %s%s. Its README.md says how to build, test and serve it.\n",
              folder.c_str(), plugin.language.c_str(), plugin.middleware ? " with middleware" : "");
  return kExitFine;
}

}  // namespace leat::server
