#include "server/commands/plugin_check.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "base/units.h"
#include "config/file.h"
#include "leat_version.h"
#include "plugin/checker.h"
#include "server/commands/print.h"
#include "server/json_text.h"
#include "server/process/exit_code.h"

namespace leat::server {

namespace {

using plugin::Finding;
using plugin::Trial;

bool is_error(const Finding& finding) { return finding.severity == Finding::Severity::Error; }

std::string as_text(const std::string& file, const Trial& trial, bool color) {
  const std::vector<Finding>& findings = trial.findings;
  std::string text;
  for (const std::string& kind : trial.kinds) text += "middleware " + kind + "\n";
  for (const std::string& service : trial.services) text += "provides " + service + "\n";
  for (const Trial::Need& need : trial.needs)
    text += "needs " + need.service + (need.optional ? ", if it is there\n" : "\n");
  for (const Finding& each : findings) {
    const char* paint = !color ? "" : is_error(each) ? "\033[1;31m" : "\033[1;33m";
    text += fmt::format("{}{}[{}]{}: {}\n", paint, is_error(each) ? "error" : "warning", each.rule,
                        color ? "\033[0m" : "", each.found);
    if (!each.reason.empty()) text += "  why: " + each.reason + "\n";
    if (!each.fix.empty()) text += "  fix: " + each.fix + "\n";
  }
  const auto errors = std::ranges::count_if(findings, is_error);
  const auto warnings = static_cast<std::ptrdiff_t>(findings.size()) - errors;
  if (findings.empty()) return text + file + ": nothing is wrong\n";
  return text + fmt::format("{}: {}, {}\n", file, counted(static_cast<uint64_t>(errors), "error"),
                            counted(static_cast<uint64_t>(warnings), "warning"));
}

std::string as_json(const std::string& file, const Trial& trial) {
  JsonText json;
  const auto list = [&json](std::string_view name, const std::vector<std::string>& names) {
    json.key(name);
    json.begin_array();
    for (const std::string& each : names) json.string(each);
    json.end_array();
  };
  json.begin_object();
  json.text("file", file);
  json.key("findings");
  json.begin_array();
  for (const Finding& each : trial.findings) {
    json.begin_object();
    json.text("rule", each.rule);
    json.text("severity", is_error(each) ? "error" : "warning");
    json.text("found", each.found);
    json.text("reason", each.reason);
    json.text("fix", each.fix);
    json.end_object();
  }
  json.end_array();
  list("middleware", trial.kinds);
  list("provides", trial.services);
  json.key("needs");
  json.begin_array();
  for (const Trial::Need& need : trial.needs) {
    json.begin_object();
    json.text("service", need.service);
    json.truth("optional", need.optional);
    json.end_object();
  }
  json.end_array();
  json.end_object();
  return json.take("{\"error\":\"there are too many names in the file\"}") + "\n";
}

}  // namespace

int check_plugin_file(const std::string& file, bool json) {
  constexpr size_t kMostBytes = size_t{1} << 30;
  const auto bytes = config::read_binary(file, kMostBytes);
  if (!bytes) {
    std::fprintf(stderr, "leat: %s\n", bytes.error().reason.c_str());
    return kExitFailure;
  }
  const std::string path = file.contains('/') ? file : "./" + file;
  Trial trial = plugin::try_plugin(*bytes, path, {.daemon_version = LEAT_VERSION}, plugin::kTrialMs);
  std::ranges::move(plugin::check_place(path), std::back_inserter(trial.findings));
  print(json ? as_json(file, trial) : as_text(file, trial, ::isatty(STDOUT_FILENO) != 0));
  return std::ranges::any_of(trial.findings, is_error) ? kExitFailure : kExitFine;
}

}  // namespace leat::server
