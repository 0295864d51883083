// A daemon whose plugin is replaced while it serves.
#pragma once

#include <catch2/catch_test_macros.hpp>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <string>

#include "e2e/client.h"
#include "e2e/daemon.h"

namespace leat::e2e {

// A daemon that serves a plugin which says which build of it answers.
class Site {
 public:
  explicit Site(const std::string& more = "", const Daemon::Options& options = {}) : more_(more) {
    install("1");
    daemon_.emplace(configuration(""), options);
  }

  // Puts another build in the place of the plugin, as an installer does: a new file under the old name.
  void install(const std::string& build) const {
    const std::filesystem::path target = folder_.path("plugin.so");
    std::filesystem::copy_file(TEST_PLUGINS "/generation_" + build + ".so", folder_.path("new.so"),
                               std::filesystem::copy_options::overwrite_existing);
    std::filesystem::rename(folder_.path("new.so"), target);
  }
  // The configuration, with further routes.
  [[nodiscard]] std::string configuration(const std::string& routes) const {
    return "[server]\nlisten = \"127.0.0.1:0\"\nadmin_socket = \"" + folder_.path("admin") + "\"\n" + more_ +
           "\n[[plugin]]\nname = \"g\"\nfile = \"" + folder_.path("plugin.so") +
           "\"\n[[route]]\npath = \"/\"\nhandler = \"g:version\"\n"
           "[[route]]\npath = \"/slow/{ms}\"\nhandler = \"g:slow\"\n"
           "[[route]]\npath = \"/count\"\nhandler = \"g:count\"\n" +
           routes;
  }
  void configure(const std::string& text) const {
    FILE* file = fopen(daemon_->path("leat.toml").c_str(), "w");
    REQUIRE(file != nullptr);
    REQUIRE(fwrite(text.data(), 1, text.size(), file) == text.size());
    REQUIRE(fclose(file) == 0);
  }
  [[nodiscard]] Outcome reload() const { return run_leat({"reload", "--socket", folder_.path("admin")}); }
  [[nodiscard]] std::string plugins() const {
    const Outcome outcome = run_leat({"plugin", "list", "--socket", folder_.path("admin")});
    CHECK(outcome.status == 0);
    return outcome.output;
  }
  [[nodiscard]] std::string ask(const std::string& path) {
    return Client(daemon_->address()).ask(get(path)).body;
  }
  [[nodiscard]] Daemon& daemon() { return *daemon_; }
  [[nodiscard]] std::string path(const std::string& name) const { return folder_.path(name); }

 private:
  TempFolder folder_;
  std::string more_;
  std::optional<Daemon> daemon_;
};

}  // namespace leat::e2e
