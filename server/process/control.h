// Control: the thread that operators talk to while the workers serve.
//
// It reloads (on a command of the admin socket, on HUP, when a watched file changes), tells what serves, and
// tends to generations that drain. One command at a time: a second reload waits for the first.
//
//   admin socket   one line in, then an answer up to the end of the stream: "ok" or "failed" on a line of its
//                  own, and text
//     reload             read the configuration and the plugins anew
//     upgrade            start the program anew, and end when that serves
//     plugins [json]     the generations and their plugins
//     purge soft|hard target|folder|tag|all [NAME]
//                       the response cache: see cache::ResponseCache::purge
//     cache stats [json] the store, and the requests of each route with a cache
//     metrics            what is counted and measured, in the text format of Prometheus
//     status [json]      how the daemon is: since when, what listens, generations, plugins, the last reload
//     top [json]         what goes on now; nothing where that is not known yet: ask again in a moment
//     config [json]      what is in force
//
// Many may be connected; whoever says nothing keeps nobody waiting.
//
// Who may connect is the socket's permissions: its owner and group. A reload is loaded in a process of its
// own first: a file that crashes its loader must not crash the daemon.
//
// Thread: its own; the daemon's calls come on the main one.
#pragma once

#include <poll.h>

#include <atomic>
#include <expected>
#include <functional>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "cache/response_cache.h"
#include "server/generations.h"
#include "server/process/admin_socket.h"
#include "server/process/daemon.h"
#include "server/process/file_identity.h"

namespace leat::server {

class Control final : public DaemonClient {
 public:
  struct Options {
    AdminSocket socket;  // of the admin commands; no path: none
    // The program and arguments that check a configuration as a reload would load it, and exit with 0; and
    // the folder in which it runs. It ends by itself in the time that loading may take, or is killed soon after.
    std::vector<std::string> checker;
    std::string folder;
    std::function<uint32_t()> load_timeout_ms = [] { return 30'000; };
    // The configuration anew: what is to serve, and the settings with all that they need; those are taken up when the
    // rest serves. `remarks` are for whoever asked. An error is text for people.
    struct Loaded {
      Assembly assembly;
      std::function<void(Generations::Workers, const std::stop_token&, std::string& remarks)> take_up;
    };
    std::function<std::expected<Loaded, std::string>(std::string& remarks)> load;
    // What is counted and measured.
    std::function<std::string()> metrics;
    // What is to be said of the daemon beside its generations: lines, or members of an object in JSON without its braces.
    std::function<std::string(bool json)> status = [](bool) { return std::string(); };
    // Observer's; empty where there is nothing yet.
    std::function<std::string(bool json)> top = [](bool) { return std::string(); };
    // What is in force.
    std::function<std::string(bool json)> in_force = [](bool) { return std::string(); };
    // What would become of a request: the answer to a line of Question::line().
    std::function<std::expected<std::string, std::string>(std::string_view line)> explain =
        [](std::string_view) {
          return std::expected<std::string, std::string>(std::unexpect, "nothing can be explained here");
        };
    // A reload has come to its end; what was wrong, if it failed.
    std::function<void(bool good, std::string_view text)> reloaded = [](bool, std::string_view) {};
    // cache::ResponseCache::purge.
    std::function<std::string_view(cache::PurgeBy by, std::string_view what, bool hard)> purge;
    // Has another daemon take over: asks for it, and tells whether it has failed.
    std::function<std::expected<void, std::string>()> upgrade;
    std::function<bool()> upgrade_failed = [] { return false; };
    std::function<bool()> upgrading = [] { return false; };  // whoever asked
    uint32_t upgrade_more_ms = 20'000;                       // that it may take beyond loading
    // In force by now. Any thread.
    std::function<uint64_t()> drain_timeout_ms = [] { return 30'000; };
    bool takes_over = false;  // the socket's name is another daemon's as yet
    // It serves, and that is known.
    std::function<void()> serves = [] {};
    // What a reload has loaded serves, as that generation.
    std::function<void(uint64_t)> replaced = [](uint64_t) {};
    // What was loaded last serves.
    std::function<void()> last_good = [] {};
    // Generations may have ended.
    std::function<void()> tended = [] {};
    // Whatever has its time, by the clock of monotonic_ms(): asked now and then, it says when it wants to be asked again.
    std::function<uint64_t(uint64_t now_ms)> look = [](uint64_t) { return UINT64_MAX; };
    // What is to be told of plugins beside what serves, as lines.
    std::function<std::string()> plugin_remarks = [] { return std::string(); };
    // Reload when one of these changes. May name files that are not there yet.
    std::vector<std::string> watched;
  };

  Control(Options options, Generations& generations);
  ~Control() override;
  Control(const Control&) = delete;
  Control& operator=(const Control&) = delete;

  // Opens the socket. Before any worker runs.
  Expected<void> open();

  [[nodiscard]] const std::string& socket() const { return options_.socket.path; }

  // --- DaemonClient
  // Starts the thread.
  void on_serving(Generations::Workers workers) override;
  void on_reload() override;
  void on_upgrade() override;
  // Tells the plugins. No reload begins from here on, and one under way is given up.
  void on_draining(uint64_t deadline_ms, std::function<void()> begin) override;
  [[nodiscard]] uint64_t drain_timeout_ms() const override { return options_.drain_timeout_ms(); }
  void on_stopping() override;
  void on_stopped() override;

 private:
  struct Answer {
    bool good;
    std::string text;
  };

  void run(const std::stop_token& stopping);
  void wake();
  [[nodiscard]] int wait_ms(uint64_t now, const std::stop_token& stopping) const;
  void look_at_watched();
  // Who has connected and not said all.
  struct Client {
    Fd fd;
    std::string line;
    uint64_t until_ms;
  };
  void take_clients();
  void serve_clients(std::span<const pollfd> events, const std::stop_token& stopping);
  void answer(Client& client, const std::stop_token& stopping);
  Answer execute(std::string_view command, const std::stop_token& stopping);
  [[nodiscard]] Answer purge(std::string_view arguments) const;
  Answer upgrade(const std::stop_token& stopping);
  Answer reload(std::string_view why, const std::stop_token& stopping);

  Options options_;
  Generations& generations_;
  Generations::Workers workers_;
  Fd wake_;                  // an eventfd: stop, or a reload that was asked for
  Fd admin_;                 // the listening socket
  FileIdentity admin_file_;  // of its path
  std::atomic<bool> reload_wanted_ = false;
  uint64_t drain_deadline_ms_ = 0;     // of a daemon that drains; set before it is told to stop, as ...
  std::function<void()> begin_drain_;  // ... this, until plugins were told
  std::atomic<bool> ended_ = false;
  std::vector<Client> clients_;
  uint64_t look_at_ms_ = 0;        // Options::look is due
  uint64_t accepts_after_ms_ = 0;  // of want of descriptors
  std::string seen_;               // the state of the watched files at the last look
  std::string settled_;            // that of the last reload
  std::jthread thread_;
};

}  // namespace leat::server
