#include "support/staged_engine.h"

#include <poll.h>
#include <sys/stat.h>

#include "base/check.h"

namespace leat::test {

namespace {

// Megabytes through the small buffers of real sockets take thousands of them; what never settles still fails
// within seconds.
constexpr int kMostTurns = 20'000;

}  // namespace

uint64_t StagedEngine::inode_of(int fd) {
  struct stat status{};
  return ::fstat(fd, &status) == 0 ? status.st_ino : 0;
}

bool FakePeer::closed() const {
  struct stat status{};
  return fd_ != -1 && (::fstat(fd_, &status) != 0 || status.st_ino != inode_);
}

bool FakePeer::shut_down() const {
  if (closed()) return true;
  pollfd query{far_.get(), POLLRDHUP, 0};
  ENSURE(::poll(&query, 1, 0) >= 0);
  return (query.revents & (POLLHUP | POLLRDHUP)) != 0;
}

bool settle(net::Loop& loop, net::LoopClient& client) {
  auto& engine = dynamic_cast<StagedEngine&>(loop.engine());
  loop.turn(client, 0);
  for (int turns = 0; !engine.idle(); ++turns) {
    if (turns == kMostTurns) return false;
    loop.turn(client, 0);
  }
  return true;
}

void pass_time(net::Loop& loop, net::LoopClient& client, uint64_t ms) {
  const uint64_t until = loop.engine().now_ns() + ms * 1'000'000;
  for (int turns = 0; loop.engine().now_ns() < until; ++turns) {
    ENSURE(turns < 1'000'000);  // something completes without end, so that time stands still
    loop.turn(client, until);
  }
  settle(loop, client);
}

}  // namespace leat::test
