#include "worker/places.h"

#include <sys/eventfd.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "worker/address_counts.h"
#include "worker/connection.h"

namespace leat::worker {

namespace {

// To find those that are idle for the longest all are looked at, so some are found at a time: one in so many,
// and some at least. Where none is idle the next look is a moment later.
constexpr size_t kIdleShare = 64;
constexpr size_t kLeastIdle = 16;
constexpr uint64_t kLookForIdleEveryMs = 20;
// Descriptors that are kept to tell clients that there are none: as many as are told at a time.
constexpr size_t kReserve = 8;

}  // namespace

Places::Places(const net::Loop& loop, const net::SocketTable<Connection>& connections,
               const ConnectionOptions& options)
    : loop_(loop), connections_(connections), options_(options) {
  turning_all_away_ = !restore_reserve();
}

bool Places::take(uint64_t group, bool crowded) {
  if (options_.addresses != nullptr && !options_.addresses->enter(group, crowded)) return false;
  ++taken_;
  return true;
}

void Places::give_back(uint64_t group) {
  ENSURE(taken_ != 0);
  --taken_;
  if (options_.addresses != nullptr) options_.addresses->leave(group);
}

void Places::add(const Connection& newcomer) {
  if (!newcomer.counted() || taken_ > options_.most || turning_all_away_)
    newcomers_.push_back(newcomer.id().slot);
}

void Places::forget(const Connection& connection) {
  ENSURE(!connection.counted());
  if (connection.turned_away) --turned_away_;
}

void Places::make_room() {
  size_t gave_up = 0;
  for (const uint32_t slot : newcomers_) {
    Connection& newcomer = *connections_.at(slot);
    if (newcomer.counted() || newcomer.turned_away) continue;
    if (turning_all_away_) {
      turn_away(newcomer);
    } else {
      seek(newcomer);
    }
  }
  while (!turning_all_away_ && taken_ > options_.most && give_up_one(idle_)) ++gave_up;
  if (gave_up != 0)
    log::limited(log::Level::Warn, {},
                 "worker {}: limits.connections ({}) is reached: {} idle connection{} closed",
                 options_.worker, options_.most, gave_up, gave_up == 1 ? " was" : "s were");
  for (; taken_ > options_.most || turning_all_away_; newcomers_.pop_back()) {
    if (newcomers_.empty()) break;
    Connection& latest = *connections_.at(newcomers_.back());
    if (!latest.counted()) continue;
    if (!turning_all_away_)
      log::limited(
          log::Level::Warn, {},
          "worker {}: limits.connections ({}) is reached and none is idle: a new one is answered 503",
          options_.worker, options_.most);
    turn_away(latest);
  }
  newcomers_.clear();
}

void Places::seek(Connection& connection) {
  const uint64_t group = connection.group();
  if (idle_of_one_.group != group) idle_of_one_ = {.group = group, .look_ms = idle_of_one_.look_ms};
  // In the place of another of its address, so it does not matter whether few are left.
  if (give_up_one(idle_of_one_) && connection.enter()) {
    log::limited(
        log::Level::Warn, {},
        "worker {}: {} has as many connections as one address may have (limits.connections_per_address): an "
        "idle one was closed",
        options_.worker, connection.client());
    return;
  }
  log::limited(log::Level::Warn, {},
               "worker {}: {} has as many connections as one address may have "
               "(limits.connections_per_address) and none "
               "is idle: a new one is answered 503",
               options_.worker, connection.client());
  turn_away(connection);
}

void Places::turn_away(Connection& connection) {
  if (options_.turned_away != nullptr) options_.turned_away->add(1);
  // One address, which has enough, must not keep others from being told.
  if (!connection.counted() && turned_away_ >= options_.most_turned_away / 2) {
    connection.abandon();
    return;
  }
  connection.turned_away = true;
  ++turned_away_;
  connection.turn_away();
}

size_t Places::give_up_idle(size_t count) {
  size_t gave_up = 0;
  while (gave_up < count && give_up_one(idle_)) ++gave_up;
  return gave_up;
}

// Closes the connection that has been idle for the longest. False when none is.
bool Places::give_up_one(IdleList& list) {
  for (int look = 0; look < 2; ++look) {
    while (!list.found.empty()) {
      const Idle candidate = list.found.back();
      list.found.pop_back();
      Connection* const connection = connections_.find(candidate.id);
      // Not if it has been of use since it was found, or if it is about to be.
      if (connection == nullptr || connection->idle_since_ms() != candidate.since_ms || !connection->silent())
        continue;
      if (options_.given_up != nullptr) options_.given_up->add(1);
      connection->abandon();
      return true;
    }
    if (look == 0) find_idle(list);
  }
  list.look_ms = loop_.now_ms() + kLookForIdleEveryMs;
  return false;
}

void Places::find_idle(IdleList& list) {
  if (loop_.now_ms() < list.look_ms) return;
  connections_.for_each([&](const Connection& connection) {
    if (list.group != 0 && connection.group() != list.group) return;
    const uint64_t since_ms = connection.idle_since_ms();
    if (since_ms != UINT64_MAX) list.found.push_back({since_ms, connection.id()});
  });
  const size_t some = std::min(list.found.size(), std::max(kLeastIdle, list.found.size() / kIdleShare));
  std::ranges::partial_sort(list.found, list.found.begin() + static_cast<std::ptrdiff_t>(some), {},
                            [](const Idle& each) { return std::pair(each.since_ms, each.id.slot); });
  list.found.resize(some);
  std::ranges::reverse(list.found);
  // Of one address's that are found, those of another may take the place before they are used up.
  if (list.group != 0) list.look_ms = loop_.now_ms() + kLookForIdleEveryMs;
}

bool Places::use_reserve() {
  if (turning_all_away_) return false;
  reserve_.clear();
  turning_all_away_ = true;
  return true;
}

// All or none: what there is serves to turn clients away until then.
bool Places::restore_reserve() {
  while (reserve_.size() < kReserve) {
    Fd kept(::eventfd(0, EFD_CLOEXEC));
    if (!kept) {
      reserve_.clear();
      return false;
    }
    reserve_.push_back(std::move(kept));
  }
  turning_all_away_ = false;
  return true;
}

}  // namespace leat::worker
