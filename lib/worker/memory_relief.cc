#include "worker/memory_relief.h"

#include <fmt/core.h>

#include <algorithm>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/units.h"
#include "worker/connection.h"

namespace leat::worker {

namespace {

// When memory is short, a peer that has made no progress for so long is one that lets us wait. Half of it is
// what a line around the world takes for an answer and its acknowledgement; twice it would be time in which
// others are refused.
constexpr uint64_t kGraceMs = 250;
// All connections are looked at to find those, so not in every turn.
constexpr uint64_t kRelieveEveryMs = 100;
// The same goes for telling all of them that memory fills, where its use goes up and down around that mark.
constexpr uint64_t kSweepEveryMs = 20;
constexpr uint64_t kTellEveryMs = 1'000;

}  // namespace

// Who holds memory.
struct MemoryRelief::Holders {
  struct Sum {
    size_t connections = 0, bytes = 0;
    void add(size_t more) {
      ++connections;
      bytes += more;
    }
  };
  Sum answers;   // that are not read
  Sum requests;  // of which the rest does not come
  Sum waiting;   // input that came before its turn
  Sum others;    // that are being answered
};

MemoryRelief::MemoryRelief(net::Loop& loop, const BlockPool& memory,
                           const net::SocketTable<Connection>& connections, uint32_t worker)
    : loop_(loop), memory_(memory), connections_(connections), worker_(worker) {}

// Memory is short where more is used than is good: here, and in Protocol::wants_input().
bool MemoryRelief::look() {
  const bool changed = note_filling();
  if (memory_.refusals() != refusals_told_ || memory_.is_short()) [[unlikely]]
    relieve();
  return changed;
}

bool MemoryRelief::note_filling() {
  // It takes less to begin than to end, or all would be looked at whenever it goes up and down a little.
  const bool filling = memory_.is_filling() || (filling_ && memory_.used() > memory_.most() / 8 * 3);
  if (filling == filling_) return false;
  const uint64_t now = loop_.now_ms();
  if (now < swept_ms_ + kSweepEveryMs) {
    if (!again_.running()) loop_.timers().start(again_, swept_ms_ + kSweepEveryMs);
    return false;
  }
  filling_ = filling;
  swept_ms_ = now;
  return true;
}

// Takes memory back from those who let us wait, beginning with who has held the most for the longest, until
// a good part is free.
void MemoryRelief::relieve() {
  const uint64_t now = loop_.now_ms();
  if (!again_.running()) loop_.timers().start(again_, now + kRelieveEveryMs);
  if (now < relieved_ms_ + kRelieveEveryMs && relieved_ms_ != 0) return;
  relieved_ms_ = now;

  using Holds = Connection::HeldMemory::Holds;
  struct Candidate {
    uint64_t weight;
    Connection* connection;
    Holds holds;
    size_t bytes;
  };
  std::vector<Candidate> candidates;
  Holders holders;
  connections_.for_each([&](Connection& connection) {
    if (const size_t bytes = connection.protocol().waiting_input(); bytes > 0) {
      holders.waiting.add(bytes);
      // More than one block of it is nobody's need.
      if (memory_.is_short() && bytes > Block::kSize) {
        connection.give_up(Holds::Request);
        ++given_up_;
        return;
      }
    }
    const Connection::HeldMemory held_memory = connection.held_memory();
    if (held_memory.holds == Holds::Nothing || now < held_memory.since_ms + kGraceMs) {
      if (const size_t bytes = connection.protocol().footprint(); bytes != 0) holders.others.add(bytes);
      return;
    }
    (held_memory.holds == Holds::Answer ? holders.answers : holders.requests).add(held_memory.bytes);
    if (memory_.is_short() && held_memory.bytes != 0)
      candidates.push_back({(now - held_memory.since_ms) * held_memory.bytes, &connection, held_memory.holds,
                            held_memory.bytes});
  });
  std::ranges::sort(candidates, std::greater(), &Candidate::weight);
  // What is taken back here comes back when its sends have ended.
  const size_t enough = memory_.most() / 2;
  size_t left = memory_.used();
  for (const Candidate& candidate : candidates) {
    if (left <= enough) break;
    left -= std::min(left, candidate.bytes);
    candidate.connection->give_up(candidate.holds);
    ++given_up_;
  }
  tell(holders);
}

void MemoryRelief::tell(const Holders& holders) {
  const uint64_t now = loop_.now_ms();
  const size_t refused = memory_.refusals() - refusals_told_;
  if ((refused == 0 && given_up_ == 0) || (now < told_ms_ + kTellEveryMs && told_ms_ != 0)) return;
  told_ms_ = now;
  refusals_told_ = memory_.refusals();
  const size_t given_up = std::exchange(given_up_, 0);
  std::string text;
  const auto add = [&text](const Holders::Sum& sum, std::string_view what) {
    if (sum.bytes != 0)
      text += fmt::format("{}{} {}: {} KiB", text.empty() ? "" : ", ", counted(sum.connections, "connection"),
                          what, sum.bytes / 1024);
  };
  add(holders.answers, "with answers that are not read");
  add(holders.requests, "with requests whose rest does not come");
  add(holders.waiting, "with requests ahead of their turn");
  add(holders.others, "with requests under way");
  if (text.empty()) text = "no connection holds any now";
  log::warn(
      "out of memory: worker {} uses {} of {} KiB of limits.memory; {}; refused {} times, took back from {}",
      worker_, memory_.used() / 1024, memory_.most() / 1024, text, refused, given_up);
}

}  // namespace leat::worker
