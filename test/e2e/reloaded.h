// Reloaded: a daemon with an admin socket, whose configuration is changed while it serves.
#pragma once

#include <catch2/catch_test_macros.hpp>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "e2e/configuration.h"
#include "e2e/daemon.h"

namespace leat::e2e {

class Reloaded {
 public:
  explicit Reloaded(const Wanted& wanted, std::vector<std::string> arguments = {"--workers", "1"},
                    size_t listeners = 1)
      : daemon_(text(wanted), {.arguments = std::move(arguments), .listeners = listeners}) {}

  // The file as it is for this.
  [[nodiscard]] std::string text(Wanted wanted) const {
    wanted.server += "admin_socket = \"" + admin() + "\"\n";
    return demo_configuration(wanted);
  }
  void write(std::string_view text) const {
    std::ofstream file(daemon_.path("leat.toml"), std::ios::trunc);
    file << text;
    REQUIRE(file.flush().good());
  }
  void write(const Wanted& wanted) const { write(text(wanted)); }
  [[nodiscard]] Outcome reload() const { return run_leat({"reload", "--socket", admin()}); }
  // Both.
  Outcome change(const Wanted& wanted) const {
    write(wanted);
    return reload();
  }
  [[nodiscard]] std::string metrics() const { return run_leat({"metrics", "--socket", admin()}).output; }
  [[nodiscard]] Daemon& daemon() { return daemon_; }
  [[nodiscard]] std::string admin() const { return folder_.path("admin"); }
  [[nodiscard]] std::string path(std::string_view name) const { return folder_.path(name); }

 private:
  TempFolder folder_;
  Daemon daemon_;
};

}  // namespace leat::e2e
