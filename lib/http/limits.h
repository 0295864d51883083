// What a peer may ask of one connection. Each is a setting; config/ fills this struct.
#pragma once

#include <cstddef>
#include <cstdint>

namespace leat::http {

struct Limits {
  uint32_t request_line_bytes = 8 * 1024;        // past it 414
  uint32_t header_bytes = 32 * 1024;             // past it 431
  uint32_t header_count = 100;                   // past it 431
  uint64_t body_bytes = uint64_t{8} << 20;       // past it 413
  uint64_t requests_per_connection = 1'000'000;  // the last one is answered with Connection: close
  uint32_t head_timeout_ms = 10'000;             // from the first byte of a head to its last, else 408
  uint32_t body_timeout_ms = 10'000;             // between two reads of a body, else 408
  uint32_t body_rate_bytes = 128;                // least average bytes a second of a body, else 408
  uint32_t answer_timeout_ms = 120'000;          // from a whole request to the start of its answer, else 504
  uint32_t idle_timeout_ms = 75'000;             // between requests, longer than a proxy's 60 s
  uint32_t half_closed_timeout_ms = 200;         // for what is owed to a peer that has ended its side
  uint32_t pipeline_turn = 64;                   // requests of one connection served in one turn
  uint32_t output_high_bytes = 256 * 1024;       // queued answer bytes at which a handler and reading pause
  uint32_t output_low_bytes = 64 * 1024;         // ... and at which they go on
  bool http1_early_hints = false;                // a 103 goes to clients of HTTP/1.1, too
  size_t request_memory_bytes = size_t{16} << 20;  // a request's arena, past it 503
};

}  // namespace leat::http
