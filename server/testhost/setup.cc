#include "server/testhost/setup.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "base/fd.h"
#include "base/memory_file.h"
#include "config/diagnostics.h"
#include "leat_version.h"
#include "plugin/shared_resources.h"
#include "server/commands/handler_routes.h"
#include "server/testhost/behind.h"
#include "server/testhost/refusals.h"

namespace leat::testing {

namespace {

namespace fs = std::filesystem;

// What is loaded stays loaded, so that a program with a host for each of its tests holds one copy.
plugin::PluginLibraries& libraries() {
  static plugin::PluginLibraries all;
  all.shared().exchange_table = exchange_table;
  all.shared().scripted_upstreams = true;
  return all;
}

plugin::LibraryOptions library_options() { return {.daemon_version = LEAT_VERSION, .worker_count = 1}; }

[[noreturn]] void fail(const plugin::LoadError& error) {
  throw Error(error.message + (error.hint.empty() ? "" : "\n  " + error.hint));
}

std::shared_ptr<plugin::PluginLibrary> load_library(const PluginSource& source) {
  if (const auto* entry = std::get_if<const leat_plugin_entry*>(&source)) {
    const std::string name((*entry)->name.ptr, (*entry)->name.len);
    if (!libraries().add(**entry))
      throw Error(fmt::format("two plugins in this program are named `{}`", name));
    auto added = libraries().load("static:" + name, library_options());
    if (!added) fail(added.error());
    return *added;
  }
  const auto& file = std::get<std::string>(source);
  std::error_code failed;
  const fs::path path = fs::canonical(file, failed);
  if (failed) throw Error(fmt::format("cannot open the plugin `{}`: {}", file, failed.message()));
  auto loaded = libraries().load(path.string(), library_options());
  if (!loaded) fail(loaded.error());
  return *loaded;
}

// A name for it in a configuration, where fewer characters may stand in one.
std::string instance_name(const plugin::PluginLibrary& library) {
  std::string name = library.name();
  for (char& c : name) {
    const bool fine =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    if (!fine) c = '_';
  }
  return name;
}

std::string methods_list(const std::string& methods) {
  std::string list, word;
  for (const char c : methods + ",") {
    if (c != ',' && c != ' ') {
      word += c;
    } else if (!word.empty()) {
      list += (list.empty() ? "" : ", ") + server::toml_text(std::exchange(word, {}));
    }
  }
  return "[" + list + "]";
}

// Options, routes and middleware as a configuration.
std::string configuration(const Setup& setup, const plugin::PluginLibrary& library, const std::string& file) {
  const std::string name = instance_name(library);
  std::string text = fmt::format("[[plugin]]\nname = {}\nfile = {}\n[plugin.config]\n{}\n",
                                 server::toml_text(name), server::toml_text(file), setup.options);
  if (setup.routes.empty()) {
    std::vector<std::string> handlers;
    for (const leat_handler& each : library.handlers()) handlers.emplace_back(each.name.ptr, each.name.len);
    text += server::handler_routes(handlers, name);
  }
  if (setup.sessions)
    text +=
        "[[middleware]]\nkind = \"sessions\"\nkeys = [\"a key that opens nothing but what tests have "
        "sealed\"]\n";
  for (const Middleware& each : setup.middleware)
    text += fmt::format("[[middleware]]\nkind = {}\n{}\n", server::toml_text(name + ":" + each.kind),
                        each.options);
  for (const Route& route : setup.routes)
    text += fmt::format("[[route]]\npath = {}\nmethods = {}\nhandler = {}\n", server::toml_text(route.path),
                        methods_list(route.methods), server::toml_text(name + ":" + route.handler));
  return text;
}

// A file in memory, which is how a text comes to the reader of files.
struct MemoryFile {
  explicit MemoryFile(std::string_view text) {
    auto made = memory_file("configuration", text);
    if (!made) throw Error("cannot keep a configuration in memory: " + made.error().text());
    fd = std::move(*made);
    path = fmt::format("/proc/{}/fd/{}", ::getpid(), fd.get());
  }
  Fd fd;
  std::string path;
};

// Where nothing else would answer.
void add_behind(config::Config& config, const Upstream& answer) {
  for (const char* path : {"/", "/{rest...}"}) {
    config::RouteDecl& route = config.routes.emplace_back();
    route.spec.path = path;
    route.spec.methods = {"GET", "POST", "PUT", "PATCH", "DELETE"};
    route.spec.handler_name = "(the test's)";
    route.spec.handler = make_behind(answer);
  }
}

// Of which it is known whose allocations are to fail.
const void* code_of(const plugin::PluginLibrary& library) {
  if (!library.handlers().empty()) return reinterpret_cast<const void*>(library.handlers().front().handle);
  return reinterpret_cast<const void*>(library.entry().load);
}

std::string replace_all(std::string text, std::string_view what, std::string_view with) {
  for (size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += with.size())
    text.replace(at, what.size(), with);
  return text;
}

}  // namespace

Loaded load(const PluginSource& source, const Setup& setup) {
  const bool whole = !setup.file.empty() || !setup.text.empty();
  const bool in_parts = !setup.options.empty() || !setup.routes.empty() || !setup.middleware.empty() ||
                        setup.sessions || static_cast<bool>(setup.behind);
  if (whole && (in_parts || (!setup.file.empty() && !setup.text.empty())))
    throw Error("a setup is a file, or a text, or options, routes, middleware and sessions");
  const auto library = load_library(source);
  const bool stands_alone = library->handlers().empty();
  if (setup.behind && !stands_alone) throw Error("`behind` is for plugins without handlers");
  if (const void* code = code_of(*library); code != nullptr) add_plugin_code(code);
  const auto* file = std::get_if<std::string>(&source);
  std::vector<std::string> folders;
  if (file != nullptr) folders.push_back(fs::path(library->path()).parent_path().string());

  std::optional<MemoryFile> memory;
  if (!whole) memory.emplace(configuration(setup, *library, library->path()));
  if (!setup.text.empty()) memory.emplace(setup.text);
  config::Config draft;
  auto [config, diagnostics] = config::load(memory ? memory->path : setup.file, {}, nullptr, &draft);
  if (config && !whole && stands_alone) add_behind(*config, setup.behind);
  if (config) {
    plugin::SharedResources& shared = libraries().shared();
    shared.metrics.set_limit(config->settings.shared.metric_series);
    shared.cache.configure(config->settings.shared.cache, 1 + shared.pool.limits().threads);
    shared.cache.purge_prefix("");
    shared.websockets.set_options(config->settings.shared.websocket);
  }
  auto assembly = server::assemble(config ? *config : draft, libraries(), std::move(folders), 1, diagnostics);
  if (!assembly) {
    const std::string report = config::render(diagnostics);
    throw Error(memory ? replace_all(report, memory->path, "configuration") : report);
  }
  if (!std::ranges::contains(assembly->libraries, library))
    throw Error(fmt::format("the configuration does not load the plugin {}", library->name()));
  return {std::move(*config), std::move(*assembly)};
}

std::string metrics_text() { return libraries().shared().metrics.text(); }

}  // namespace leat::testing
