// What TLS is spoken with: versions, ciphers and groups, by their names, and how much of it there may be at a time.
//
// The defaults are Mozilla's intermediate list (server side TLS, version 5.8): clients of the last ten years, forward
// secrecy and authenticated encryption alone, and a hybrid group against those who record now to decrypt later.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace leat::tls {

struct Options {
  enum class Version : uint8_t { Tls12, Tls13 } min_version = Version::Tls12;
  // Of TLS 1.3 those whose names begin with TLS_, of 1.2 all others. The client's order counts: it knows which its processor
  // is good at.
  std::vector<std::string> ciphers = {
      "TLS_AES_128_GCM_SHA256",        "TLS_AES_256_GCM_SHA384",        "TLS_CHACHA20_POLY1305_SHA256",
      "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256",   "ECDHE-ECDSA-AES256-GCM-SHA384",
      "ECDHE-RSA-AES256-GCM-SHA384",   "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305"};
  // For key exchange, what is best first.
  std::vector<std::string> groups = {"X25519MLKEM768", "X25519", "P-256", "P-384"};
  // A client that asks for a name that no certificate is for gets the default one, or the alert unrecognized_name (RFC 6066).
  enum class UnknownName : uint8_t { Default, Refuse } unknown_name = UnknownName::Default;
  // A session can be resumed for so long, and keys of tickets are used for as long again at most. 0: there are no tickets.
  uint64_t ticket_lifetime_ms = 8 * 3600 * 1000;
  // Handshakes that one worker has under way, of some 50 KiB each: 200 MiB at the worst.
  uint32_t handshakes = 4096;
  // ... and begins in one turn. A signature of RSA takes half a millisecond, and nobody else is served meanwhile.
  uint32_t handshakes_per_turn = 8;
  // What connections and handshakes of all workers may have of memory: some 35,000 connections.
  uint64_t memory_bytes = uint64_t{1} << 30;
};

// What is wrong with the name of a cipher, or of a group, as a schema::Row::Check; empty: nothing.
std::string check_cipher(std::string_view called, std::string_view text);
std::string check_group(std::string_view called, std::string_view text);

}  // namespace leat::tls
