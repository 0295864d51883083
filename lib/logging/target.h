// Target: where the lines of an access log go. What an operator writes, as data.
#pragma once

#include <cstdint>
#include <string>

namespace leat::logging {

struct Target {
  enum class To : uint8_t {
    Log,     // where the daemon's own log goes, wherever that is at the moment
    Stderr,  // of the daemon
    File,
    Syslog,   // datagrams to `socket`, in the form that is spoken locally
    Journald  // likewise, in the journal's own protocol
  };
  // Syslog's for daemons: those that syslog(3) numbers 3 and 16 to 23.
  enum class Facility : uint8_t { Daemon, Local0, Local1, Local2, Local3, Local4, Local5, Local6, Local7 };
  static constexpr const char* kSyslogSocket = "/dev/log";
  static constexpr const char* kJournalSocket = "/run/systemd/journal/socket";

  To to = To::Log;
  std::string path;          // of the file, or of the socket
  uint64_t rotate_size = 0;  // of a file; 0: by USR1 alone
  uint32_t rotate_keep = 7;  // how many former ones stay
  Facility facility = Facility::Daemon;
  size_t buffer_bytes = size_t{256} * 1024;  // of each worker
  bool operator==(const Target&) const = default;

  // For people: "the file /var/log/leat/access.log".
  [[nodiscard]] std::string text() const;
  // What ends each of its records, which have no such byte inside.
  [[nodiscard]] char terminator() const { return to == To::Journald ? '\0' : '\n'; }
};

}  // namespace leat::logging
