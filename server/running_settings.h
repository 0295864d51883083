// RunningSettings: the settings that the daemon serves by, and how a reload puts others in their place.
//
// In two steps, as all of a reload: prepare() does what may fail (a log file, listening sockets) and changes nothing
// that serves; take_up() cannot fail. In between the plugins and routes are replaced (generations.h). What a row of the
// settings says to be for a start only stays what it was.
//
// A worker takes its part as a task on its loop: so requests are met between two steps of theirs, and what was decided
// for one by then (how large its body may be, which parser reads its head) holds for it.
//
// Thread: the control thread, but for drain_timeout_ms() and drain_delay_ms().
#pragma once

#include <atomic>
#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/value.h"
#include "config/config.h"
#include "server/process/listening_sockets.h"
#include "worker/address_counts.h"
#include "worker/on_workers.h"

namespace leat::plugin {
struct SharedResources;
}

namespace leat::server {

class Generations;
class OwnMetrics;
class SocketChannel;
struct LifeSigns;

// How many threads serve, and what each client address may have of all their connections.
uint32_t worker_count(const config::Settings& settings);
void set_limits(worker::AddressCounts& addresses, const config::Settings& settings, uint32_t workers);

class RunningSettings {
 public:
  struct Parts {
    plugin::SharedResources& shared;
    worker::AddressCounts& addresses;
    OwnMetrics& own;
    Generations& generations;
    ListeningSockets& sockets;
    const SocketChannel& channel;
    LifeSigns* signs;  // null without a supervisor
    uint32_t workers;
  };

  RunningSettings(config::Settings settings, const Parts& parts);
  // What TLS leaves to the next process; null where none follows.
  [[nodiscard]] tls::KeptTicketKeys* kept_tickets() const;
  RunningSettings(const RunningSettings&) = delete;
  RunningSettings& operator=(const RunningSettings&) = delete;

  [[nodiscard]] const config::Settings& now() const { return settings_; }
  [[nodiscard]] uint32_t workers() const { return parts_.workers; }
  [[nodiscard]] uint64_t drain_timeout_ms() const { return drain_timeout_ms_; }
  [[nodiscard]] uint64_t drain_delay_ms() const { return drain_delay_ms_; }

  // What the start did: has the sockets listen that `settings` wants, tells the supervisor, and has what listens where.
  // False where an address cannot be had, which is in the log.
  [[nodiscard]] bool listen();

  struct Next {
    config::Settings settings;
    ListeningChange listening;
    log::Change log;
  };
  // `settings` are what the file says, with what is fixed kept. What cannot be had of it, at its place.
  [[nodiscard]] std::expected<Next, Diagnostic> prepare(config::Settings settings);
  // `remarks` gets lines about what it did. `stopping` ends the wait for the workers.
  void take_up(Next next, worker::Workers workers, const std::stop_token& stopping, std::string& remarks);

 private:
  [[nodiscard]] worker::WorkerOptions worker_options() const;
  void take_up_listening(ListeningChange& change, std::vector<worker::WorkerChange>& by_worker,
                         std::string& remarks);

  config::Settings settings_;
  Parts parts_;
  std::atomic<uint64_t> drain_timeout_ms_, drain_delay_ms_;
};

}  // namespace leat::server
