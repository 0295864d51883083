// What a new configuration says stands in config/sites, one file for each kind, and nowhere here. Of such a file an answer
// replaces the line where it listens, and all from the line on that says that plugins follow.
#include "server/commands/init.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstdio>
#include <expected>
#include <filesystem>
#include <functional>
#include <iostream>
#include <optional>
#include <string_view>
#include <vector>

#include "config/format.h"
#include "config/settings.h"
#include "leat_version.h"
#include "plugin/checker.h"
#include "server/commands/handler_routes.h"
#include "server/commands/templates.h"
#include "server/commands/tls.h"
#include "server/commands/write_file.h"
#include "server/process/exit_code.h"

namespace leat::server {

namespace {

namespace fs = std::filesystem;

struct ReadySite {
  std::string_view kind, sentence;
  std::string_view path;  // of a route that its plugin demo has
};
constexpr ReadySite kReadySites[] = {
    {"api", "an API behind nginx, HAProxy or Caddy", "/users/42"},
    {"public", "a public site for browsers", "/"},
    {"internal", "an internal service", "/users/42"},
    {"development", "for work on a plugin", "/json"},
};

constexpr std::string_view kListenLine = "\nlisten = [\"";
constexpr std::string_view kPluginLine = "\n# What answers: a plugin and its routes.";
constexpr std::string_view kDemo = "demo";

std::string_view template_of(std::string_view kind) {
  const auto found = std::ranges::find_if(kTemplates, [&](const Template& each) {
    return each.folder == std::string_view("sites") && each.path == std::string(kind) + ".toml";
  });
  return found == kTemplates.end() ? std::string_view() : std::string_view(found->text);
}

// Where the site listens by itself.
std::string_view listened_in(std::string_view site) {
  const size_t begin = site.find(kListenLine) + kListenLine.size();
  return site.substr(begin, site.find('"', begin) - begin);
}

// What is wrong with an answer; empty when nothing is.
using Judge = std::function<std::string(const std::string& answer)>;

// Asks until an answer is right. Nothing where nobody answers: standard input has ended.
std::optional<std::string> ask(std::string_view question, std::string_view fallback, const Judge& judge) {
  for (;;) {
    std::fputs(fmt::format("{} [{}] ", question, fallback).c_str(), stdout);
    std::fflush(stdout);
    std::string answer;
    if (!std::getline(std::cin, answer)) {
      std::fputs("\n", stdout);
      return std::nullopt;
    }
    if (answer.empty()) return std::string(fallback);
    const std::string wrong = judge(answer);
    if (wrong.empty()) return answer;
    std::fputs(fmt::format("  {}\n", wrong).c_str(), stdout);
  }
}

std::string judge_kind(const std::string& answer) {
  if (std::ranges::contains(kReadySites, answer, &ReadySite::kind)) return {};
  const bool number =
      answer.size() == 1 && answer[0] >= '1' && answer[0] < static_cast<char>('1' + std::size(kReadySites));
  return number ? std::string() : "one of these words, or its number";
}
std::string judge_address(const std::string& answer) {
  return config::complaint(*config::find_setting("server.listen"), answer);
}

// A plugin that there is, and what it has.
struct FoundPlugin {
  std::string name, file;
  std::vector<std::string> handlers;
};

std::expected<FoundPlugin, std::string> find_plugin(const std::string& path) {
  std::error_code failed;
  const fs::path file = fs::canonical(path, failed);
  if (failed) return std::unexpected(fmt::format("cannot open {}: {}", path, failed.message()));
  const plugin::Trial trial = plugin::try_to_load(file, {.daemon_version = LEAT_VERSION}, plugin::kTrialMs);
  if (!trial.findings.empty()) return std::unexpected(trial.findings.front().found);
  FoundPlugin found{.name = file.stem().string(), .file = file.string(), .handlers = trial.handlers};
  const auto in_name = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  };
  std::ranges::replace_if(found.name, std::not_fn(in_name), '-');
  if (found.name == config::kOwnHandlers) found.name = "plugin";
  return found;
}
std::string judge_plugin(const std::string& answer) {
  if (answer == kDemo) return {};
  const auto found = find_plugin(answer);
  return found ? std::string() : found.error();
}

std::string plugin_part(const FoundPlugin& plugin, std::string_view site) {
  std::string part = fmt::format("{}\n\n[[plugin]]\nname = {}\nfile = {}\n", kPluginLine,
                                 toml_text(plugin.name), toml_text(plugin.file));
  for (const std::string& handler : plugin.handlers) {
    // A path of the site itself stays its own.
    if (site.contains(fmt::format("\npath = \"/{}\"\n", handler)))
      part += fmt::format("\n# The path /{0} is taken: the handler {0} needs another.\n", handler);
    else
      part += "\n" + handler_routes(std::span(&handler, 1), plugin.name);
  }
  return part;
}

struct Answers {
  std::string kind, listen, plugin;
};

std::optional<Answers> collect(const NewSite& wanted) {
  Answers answers{wanted.kind, wanted.listen, wanted.plugin};
  const auto complete = [&](std::string& answer, std::string_view question, std::string_view fallback,
                            const Judge& judge) {
    if (answer.empty() && wanted.yes) answer = fallback;
    if (!answer.empty()) return true;
    const auto given = ask(question, fallback, judge);
    answer = given.value_or("");
    return given.has_value();
  };
  if (answers.kind.empty() && !wanted.yes) {
    std::fputs("What is it?\n", stdout);
    for (size_t i = 0; i < std::size(kReadySites); ++i)
      std::fputs(
          fmt::format("  {}  {:<12} {}\n", i + 1, kReadySites[i].kind, kReadySites[i].sentence).c_str(),
          stdout);
  }
  if (!complete(answers.kind, "Which?", kReadySites[0].kind, judge_kind)) return std::nullopt;
  if (answers.kind.size() == 1) answers.kind = kReadySites[answers.kind[0] - '1'].kind;
  const std::string_view site = template_of(answers.kind);
  if (!complete(answers.listen, "Where does it listen?", listened_in(site), judge_address))
    return std::nullopt;
  if (!complete(answers.plugin, "Which plugin answers: the path of one, or demo?", kDemo, judge_plugin))
    return std::nullopt;
  return answers;
}

std::expected<std::string, std::string> fill_in_site(const Answers& answers) {
  std::string site(template_of(answers.kind));
  if (answers.plugin != kDemo) {
    const auto plugin = find_plugin(answers.plugin);
    if (!plugin) return std::unexpected(plugin.error());
    site.erase(site.find(kPluginLine));
    site += plugin_part(*plugin, site);
  }
  const std::string_view listened = listened_in(site);
  site.replace(static_cast<size_t>(listened.data() - site.data()), listened.size(), answers.listen);
  return config::format_toml(site).value_or(site);
}

// Beside where it listens in the clear: at the same address, or, of a unix socket, on this machine.
std::string https_address(const std::string& listen) {
  constexpr std::string_view kPort = ":8443";
  if (listen.starts_with("unix:")) return "127.0.0.1" + std::string(kPort);
  return listen.substr(0, listen.rfind(':')) + std::string(kPort);
}

// Before what answers.
void add_https(std::string& site, const std::string& address, const CertificatePaths& files) {
  const size_t at = site.find(kPluginLine);
  site.insert(at == site.npos ? site.size() : at,
              fmt::format("\n# https, by an authority of your own: docs/tls.md.\n\n"
                          "[[listener]]\naddress = {}\ntls = true\n\n[[tls]]\ncertificate = {}\nkey = {}\n",
                          toml_text(address), toml_text(files.certificate), toml_text(files.key)));
}

// What a browser or curl asks, where that is clear.
std::string url_of(const std::string& listen, std::string_view path) {
  if (listen.starts_with("unix:"))
    return fmt::format("curl --unix-socket {} http://localhost{}", listen.substr(5), path);
  const bool all = listen.starts_with("*:") || listen.starts_with("0.0.0.0:") || listen.starts_with("[::]:");
  return fmt::format("curl http://{}{}", all ? "127.0.0.1" + listen.substr(listen.rfind(':')) : listen, path);
}

int fail_init(std::string_view why, int code = kExitFailure) {
  std::fputs(fmt::format("leat: {}\n", why).c_str(), stderr);
  return code;
}

}  // namespace

int make_site(const NewSite& wanted) {
  std::error_code failed;
  fs::path file(wanted.target);
  if (fs::is_directory(file, failed)) file /= "leat.toml";
  // Before anything is asked.
  if (fs::exists(fs::symlink_status(file, failed)))
    return fail_init(fmt::format("`{}` is there already, and stays as it is", file.string()));
  if (!wanted.listen.empty())
    if (const std::string wrong = judge_address(wanted.listen); !wrong.empty())
      return fail_init(wrong, kExitUsage);
  if (!wanted.plugin.empty())
    if (const std::string wrong = judge_plugin(wanted.plugin); !wrong.empty()) return fail_init(wrong);
  const auto answers = collect(wanted);
  if (!answers) return fail_init("nobody answers: --yes takes what is in brackets", kExitUsage);
  auto site = fill_in_site(*answers);
  if (!site) return fail_init(site.error());
  std::string by_https;
  if (wanted.https) {
    const auto files =
        find_or_write_certificates({.folder = fs::absolute(file, failed).parent_path() / "tls"});
    if (!files) return fail_init(files.error());
    add_https(*site, https_address(answers->listen), *files);
    *site = config::format_toml(*site).value_or(*site);
    by_https = fmt::format("  curl --cacert {} https://localhost:8443/\n", files->authority);
  }
  if (const auto written = write_new_file(file.string(), *site); !written) return fail_init(written.error());
  const auto* const ready = std::ranges::find(kReadySites, answers->kind, &ReadySite::kind);
  const bool demo = answers->plugin == kDemo;
  std::fputs(fmt::format("Wrote {0}: {1}, with {2}. What it promises stands in its first lines.\n\n"
                         "  leat check -c {0}     looks for mistakes, and whether it could serve here\n"
                         "  leat run -c {0}       serves\n"
                         "  {3}\n{4}\n"
                         "As a service it is /etc/leat/leat.toml: `systemctl reload leat` takes it up.\n"
                         "For editors: leat schema -c {0} > leat.schema.json, and `#:schema "
                         "./leat.schema.json` as its first line.\n",
                         file.string(), ready->sentence, demo ? "the plugin demo" : "your plugin",
                         url_of(answers->listen, demo ? ready->path : "/"), by_https)
                 .c_str(),
             stdout);
  return kExitFine;
}

}  // namespace leat::server
