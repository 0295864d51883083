// Undecided: what a connection has for a protocol as long as it is not known which one it speaks: while its
// transport's ends agree on it, and where the first bytes tell, until those have come.
//
// It answers nothing and keeps few bytes: a connection puts another in its place as soon as there are enough
// (Connection::decide). A peer that says too little has the time of a head for it, from its first byte on.
// What a protocol would have been told meanwhile is told to its successor.
//
// Thread: its worker's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "http/limits.h"
#include "http/protocol.h"
#include "net/loop.h"

namespace leat::worker {

class Undecided final : public http::Protocol {
 public:
  Undecided(const net::Loop& loop, const http::Limits& limits, const http::ProtocolPeer& peer,
            transport::OutputMemory memory);

  // What has come so far: the beginning of somebody's preface.
  [[nodiscard]] std::string_view first() const { return first_; }
  // Its successor is to turn its peer away.
  [[nodiscard]] bool turned_away() const { return turned_away_; }

  // --- http::Protocol
  void feed(std::string_view bytes) override;
  void feed_end() override { end(); }
  void peer_ended() override { end(); }
  void disconnect() override;
  void sent(size_t) override {}
  void resume(http::Exchange&, http::WorkerContext::Resume, void*) override;
  void take_turn() override {}
  void deadline_passed() override;
  void drain(uint64_t idle_until_ms) override;
  void give_up_input() override { disconnect(); }
  void turn_away() override { turned_away_ = true; }
  [[nodiscard]] bool keeps_input() const override { return !finished_; }
  [[nodiscard]] bool half_closed() const override { return finished_; }
  [[nodiscard]] size_t footprint() const override { return 0; }
  [[nodiscard]] size_t waiting_input() const override { return 0; }
  [[nodiscard]] uint64_t owed_since_ms() const override { return UINT64_MAX; }
  [[nodiscard]] uint64_t requests() const override { return 0; }

 private:
  void end();

  const net::Loop& loop_;
  const http::Limits& limits_;
  std::string first_;
  bool turned_away_ = false;
};

}  // namespace leat::worker
