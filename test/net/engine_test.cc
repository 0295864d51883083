// The promises of net/engine.h, kept by every engine: each case runs over io_uring and over epoll.
#include "net/engine.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <deque>
#include <random>
#include <thread>
#include <vector>

#include "net/engine_choice.h"
#include "sockets.h"

namespace leat::net {

namespace {

constexpr uint64_t kPatienceNs = 10'000'000'000;  // a guard against hanging, not a measure

// An engine whose completions are asked for one by one.
class Driver {
 public:
  explicit Driver(const UringOptions& options = {}) {
    const auto choice = GENERATE(EngineChoice::Uring, EngineChoice::Epoll);
    auto chosen = create_engine(choice, options);
    if (!chosen) SKIP("no io_uring here: " << chosen.error().text());
    engine_ = std::move(chosen->engine);
  }

  Engine* operator->() { return engine_.get(); }

  // The next completion of `token`'s operation, whatever completes besides.
  Completion next(Token token) {
    const uint64_t deadline = engine_->now_ns() + kPatienceNs;
    while (true) {
      for (auto at = unread_.begin(); at != unread_.end(); ++at) {
        if (at->token != token) continue;
        const Completion found = *at;
        unread_.erase(at);
        return found;
      }
      if (engine_->now_ns() >= deadline) FAIL("no completion came");
      turn(deadline);
    }
  }

  // The next bytes of a receive, copied; its buffer goes back at once. Empty at the end of the stream.
  std::string next_bytes(Token token) {
    const Completion completion = next(token);
    REQUIRE(completion.result >= 0);
    REQUIRE(completion.buffer.size == static_cast<uint32_t>(completion.result));
    if (completion.result == 0) {
      CHECK_FALSE(completion.armed);
      return {};
    }
    std::string bytes(completion.buffer.data, completion.buffer.size);
    engine_->release(completion.buffer.id);
    return bytes;
  }

  std::string bytes_until(Token token, size_t size) {
    std::string all;
    while (all.size() < size) {
      const std::string more = next_bytes(token);
      REQUIRE_FALSE(more.empty());
      all += more;
    }
    return all;
  }

  void send(Token token, int fd, std::string_view bytes) {
    const iovec part{const_cast<char*>(bytes.data()), bytes.size()};
    engine_->send(token, fd, {&part, 1});
  }

  size_t turn(uint64_t deadline_ns, size_t most = 64) {
    std::vector<Completion> out(most);
    const size_t count = engine_->wait(out, deadline_ns);
    unread_.insert(unread_.end(), out.begin(), out.begin() + static_cast<ptrdiff_t>(count));
    return count;
  }

  // True if nothing completes although the engine was given several occasions.
  bool quiet() {
    for (int i = 0; i < 3; ++i) turn(0);
    return unread_.empty();
  }

 private:
  std::unique_ptr<Engine> engine_;
  std::deque<Completion> unread_;
};

constexpr Token kReceive(Op::Receive, 1, 1);
constexpr Token kSend(Op::Send, 1, 1);
constexpr Token kAccept(Op::Accept, 0, 1);
constexpr Token kPoll(Op::Poll, 1, 1);

std::string pattern(size_t size) {
  std::string bytes(size, '\0');
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>('a' + (i * 7 + i / 251) % 26);
  return bytes;
}

}  // namespace

TEST_CASE("engine: echoes over a socket pair") {
  Driver driver;
  const Pair pair = socket_pair();
  driver->receive(kReceive, pair.near.get());
  for (int round = 0; round < 100; ++round) {
    const std::string sent = "round " + std::to_string(round);
    write_all(pair.far.get(), sent);
    const std::string got = driver.next_bytes(kReceive);
    CHECK(got == sent);
    driver.send(kSend, pair.near.get(), got);
    const Completion completion = driver.next(kSend);
    CHECK(completion.result == static_cast<int32_t>(got.size()));
    CHECK_FALSE(completion.armed);
    CHECK(read_some(pair.far.get()) == sent);
  }
}

TEST_CASE("engine: accepts over TCP again and again, and what it accepts neither blocks nor is inherited") {
  Driver driver;
  const Fd listener = listen_on_loopback();
  driver->accept(kAccept, listener.get());
  for (uint32_t round = 0; round < 20; ++round) {
    const Fd client = connect_to(listener.get());
    const Completion accepted = driver.next(kAccept);
    REQUIRE(accepted.result >= 0);
    REQUIRE(accepted.armed);
    const Fd server(accepted.result);
    CHECK((::fcntl(server.get(), F_GETFL) & O_NONBLOCK) != 0);
    CHECK((::fcntl(server.get(), F_GETFD) & FD_CLOEXEC) != 0);

    // The number of the descriptor is used again and again; the tokens differ.
    const Token receive(Op::Receive, 1, round);
    driver->receive(receive, server.get());
    write_all(client.get(), "ping");
    CHECK(driver.next_bytes(receive) == "ping");
    driver.send(kSend, server.get(), "pong");
    CHECK(driver.next(kSend).result == 4);
    CHECK(read_some(client.get()) == "pong");
    REQUIRE(::shutdown(client.get(), SHUT_WR) == 0);
    CHECK(driver.next_bytes(receive).empty());
  }
}

TEST_CASE("engine: connects over TCP and unix sockets, and tells why where nobody is") {
  Driver driver;
  constexpr Token kConnect(Op::Connect, 1, 1);
  const Fd listener = listen_on_loopback();
  sockaddr_storage to{};
  socklen_t size = sizeof to;
  REQUIRE(::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&to), &size) == 0);
  const Fd near(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  driver->connect(kConnect, near.get(), reinterpret_cast<const sockaddr*>(&to), size);
  const Completion connected = driver.next(kConnect);
  CHECK(connected.result == 0);
  CHECK_FALSE(connected.armed);
  const Fd far(::accept(listener.get(), nullptr, nullptr));
  REQUIRE(far);
  driver->receive(kReceive, near.get());
  write_all(far.get(), "hello");
  CHECK(driver.next_bytes(kReceive) == "hello");
  driver.send(kSend, near.get(), "there");
  CHECK(driver.next(kSend).result == 5);
  CHECK(read_some(far.get()) == "there");
  driver->cancel(kReceive);
  CHECK(driver.next(kReceive).result == -ECANCELED);

  // Port 1 of loopback: nobody listens there.
  reinterpret_cast<sockaddr_in&>(to).sin_port = htons(1);
  const Fd refused(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  driver->connect(kConnect, refused.get(), reinterpret_cast<const sockaddr*>(&to), size);
  CHECK(driver.next(kConnect).result == -ECONNREFUSED);
  sockaddr_un nowhere{.sun_family = AF_UNIX, .sun_path = "/nowhere/at/all"};
  const Fd local(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  driver->connect(kConnect, local.get(), reinterpret_cast<const sockaddr*>(&nowhere), sizeof nowhere);
  CHECK(driver.next(kConnect).result == -ENOENT);
}

TEST_CASE("engine: a connect that waits can be cancelled") {
  Driver driver;
  constexpr Token kConnect(Op::Connect, 1, 1);
  // A backlog that is full: the handshake of the next one is not answered.
  const Fd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in any{.sin_family = AF_INET, .sin_port = 0, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
  REQUIRE(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any) == 0);
  REQUIRE(::listen(listener.get(), 0) == 0);
  socklen_t size = sizeof any;
  REQUIRE(::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&any), &size) == 0);
  const Fd first = connect_to(listener.get());
  const Fd waits(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  driver->connect(kConnect, waits.get(), reinterpret_cast<const sockaddr*>(&any), size);
  CHECK(driver.quiet());
  driver->cancel(kConnect);
  CHECK(driver.next(kConnect).result == -ECANCELED);
  CHECK(driver.quiet());
}

TEST_CASE("engine: many clients at once are all accepted") {
  Driver driver;
  const Fd listener = listen_on_loopback();
  std::vector<Fd> clients;
  for (int i = 0; i < 150; ++i) clients.push_back(connect_to(listener.get()));
  driver->accept(kAccept, listener.get());
  for (size_t i = 0; i < clients.size(); ++i) {
    const Completion accepted = driver.next(kAccept);
    REQUIRE(accepted.result >= 0);
    Fd(accepted.result).reset();
    if (!accepted.armed) driver->accept(kAccept, listener.get());
  }
  CHECK(driver.quiet());
}

TEST_CASE("engine: accepts one and no more when asked for one, and waits for it") {
  Driver driver;
  const Fd listener = listen_on_loopback();
  driver->accept_one(kAccept, listener.get());
  CHECK(driver.quiet());
  std::vector<Fd> clients;
  for (int i = 0; i < 3; ++i) clients.push_back(connect_to(listener.get()));
  for (size_t i = 0; i < clients.size(); ++i) {
    const Completion accepted = driver.next(kAccept);
    REQUIRE(accepted.result >= 0);
    CHECK_FALSE(accepted.armed);
    Fd(accepted.result).reset();
    CHECK(driver.quiet());
    driver->accept_one(kAccept, listener.get());
  }
  driver->cancel(kAccept);
  CHECK(driver.next(kAccept).result == -ECANCELED);
}

TEST_CASE("engine: a peer that closed one way gets its answer") {
  Driver driver;
  const Pair pair = socket_pair();
  driver->receive(kReceive, pair.near.get());
  write_all(pair.far.get(), "question");
  REQUIRE(::shutdown(pair.far.get(), SHUT_WR) == 0);
  CHECK(driver.next_bytes(kReceive) == "question");
  CHECK(driver.next_bytes(kReceive).empty());
  driver.send(kSend, pair.near.get(), "answer");
  CHECK(driver.next(kSend).result == 6);
  CHECK(read_some(pair.far.get()) == "answer");
}

TEST_CASE("engine: a reset ends the receive and fails the send") {
  Driver driver;
  const Fd listener = listen_on_loopback();
  driver->accept(kAccept, listener.get());
  Fd client = connect_to(listener.get());
  const Fd server(driver.next(kAccept).result);
  driver->receive(kReceive, server.get());
  driver.turn(0);
  const linger reset{1, 0};
  REQUIRE(::setsockopt(client.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset) == 0);
  client.reset();
  const Completion end = driver.next(kReceive);
  CHECK(end.result == -ECONNRESET);
  CHECK_FALSE(end.armed);
  driver.send(kSend, server.get(), "too late");
  CHECK(driver.next(kSend).result == -EPIPE);
}

TEST_CASE("engine: operations on what is no socket fail as completions") {
  Driver driver;
  Fd file(::open("/dev/null", O_RDWR | O_CLOEXEC));
  driver->receive(kReceive, file.get());
  driver.send(kSend, file.get(), "x");
  CHECK(driver.next(kReceive).result < 0);
  CHECK(driver.next(kSend).result == -ENOTSOCK);
  const int closed = file.get();
  file.reset();
  driver->poll(kPoll, closed);
  CHECK(driver.next(kPoll).result == -EBADF);
}

TEST_CASE("engine: out of buffers, a receive ends with ENOBUFS and loses nothing") {
  Driver driver({.buffers = {.count = 3, .size = 16}});
  const Pair pair = socket_pair();
  CHECK(driver->free_buffers() == 3);
  const std::string sent = pattern(100);
  write_all(pair.far.get(), sent);
  driver->receive(kReceive, pair.near.get());

  std::vector<Buffer> held;
  Completion completion;
  for (completion = driver.next(kReceive); completion.result > 0; completion = driver.next(kReceive))
    held.push_back(completion.buffer);
  CHECK(completion.result == -ENOBUFS);
  CHECK_FALSE(completion.armed);
  REQUIRE(held.size() == 3);
  CHECK(driver->free_buffers() == 0);

  std::string got;
  for (const Buffer& buffer : held) {
    got.append(buffer.data, buffer.size);
    driver->release(buffer.id);
  }
  CHECK(driver->free_buffers() == 3);
  driver->receive(kReceive, pair.near.get());
  while (got.size() < sent.size()) {
    completion = driver.next(kReceive);
    if (completion.result == -ENOBUFS) {  // more was ready at once than there are buffers
      driver->receive(kReceive, pair.near.get());
      continue;
    }
    REQUIRE(completion.result > 0);
    got.append(completion.buffer.data, completion.buffer.size);
    driver->release(completion.buffer.id);
  }
  CHECK(got == sent);
}

TEST_CASE("engine: a burst may use every buffer there is, and each only once") {
  Driver driver({.buffers = {.count = 256, .size = 64}});
  std::vector<Pair> pairs;
  for (uint32_t i = 0; i < 256; ++i) {
    pairs.push_back(socket_pair());
    write_all(pairs.back().far.get(), "peer " + std::to_string(i));
  }
  for (uint32_t i = 0; i < 256; ++i) driver->receive(Token(Op::Receive, i, 0), pairs[i].near.get());
  std::vector<uint32_t> lent;
  for (uint32_t i = 0; i < 256; ++i) {
    const Token token(Op::Receive, i, 0);
    Completion completion = driver.next(token);
    while (completion.result == -ENOBUFS) {  // the kernel had not been given them all yet
      REQUIRE(driver->free_buffers() > 0);
      driver->receive(token, pairs[i].near.get());
      completion = driver.next(token);
    }
    CHECK(std::string(completion.buffer.data, completion.buffer.size) == "peer " + std::to_string(i));
    lent.push_back(completion.buffer.id);
  }
  CHECK(driver->free_buffers() == 0);
  for (const uint32_t id : lent) driver->release(id);
  CHECK(driver->free_buffers() == 256);
  std::ranges::sort(lent);
  CHECK(std::ranges::adjacent_find(lent) == lent.end());
}

TEST_CASE("engine: out of descriptors, an accept ends with EMFILE and goes on when asked again") {
  Driver driver;
  const Fd listener = listen_on_loopback();
  const Fd client = connect_to(listener.get());
  rlimit before;
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  const Fd highest(::dup(listener.get()));  // the lowest number that is free is above this one's limit
  const rlimit tight{static_cast<rlim_t>(highest.get()) + 1, before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &tight) == 0);
  driver->accept(kAccept, listener.get());
  const Completion failed = driver.next(kAccept);
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
  CHECK(failed.result == -EMFILE);
  CHECK_FALSE(failed.armed);
  driver->accept(kAccept, listener.get());
  const Completion accepted = driver.next(kAccept);
  CHECK(accepted.result >= 0);
  Fd(accepted.result).reset();
}

TEST_CASE("engine: what is cancelled completes with ECANCELED, once") {
  Driver driver;
  const Pair pair = socket_pair();
  const Fd listener = listen_on_loopback();
  driver->receive(kReceive, pair.near.get());
  driver->accept(kAccept, listener.get());
  driver->poll(kPoll, pair.far.get());
  driver.turn(0);
  for (const Token token : {kReceive, kAccept, kPoll}) {
    driver->cancel(token);
    const Completion end = driver.next(token);
    CHECK(end.result == -ECANCELED);
    CHECK_FALSE(end.armed);
  }
  for (const Token token : {kReceive, kAccept, kPoll})
    driver->cancel(token);  // they are gone: nothing happens
  CHECK(driver.quiet());

  // Also within one turn, and the socket is as good as before.
  driver->receive(kReceive, pair.near.get());
  driver->cancel(kReceive);
  CHECK(driver.next(kReceive).result == -ECANCELED);
  driver->receive(kReceive, pair.near.get());
  write_all(pair.far.get(), "still there");
  CHECK(driver.next_bytes(kReceive) == "still there");
}

TEST_CASE("engine: completions carry the token they were asked for with, so stale ones are told apart") {
  Driver driver;
  const Pair pair = socket_pair();
  const Token old_one(Op::Receive, 5, 41);
  const Token new_one(Op::Receive, 5, 42);
  driver->receive(old_one, pair.near.get());
  driver.turn(0);
  driver->cancel(old_one);
  CHECK(driver.next(old_one).result == -ECANCELED);
  driver->receive(new_one, pair.near.get());
  write_all(pair.far.get(), "for the new one");
  CHECK(driver.next_bytes(new_one) == "for the new one");
  driver->cancel(old_one);  // must not hit its successor
  write_all(pair.far.get(), "again");
  CHECK(driver.next_bytes(new_one) == "again");
  CHECK(driver.quiet());
}

TEST_CASE("engine: a gathered send of as many parts as allowed arrives in order") {
  Driver driver;
  const Pair pair = socket_pair();
  const std::string bytes = pattern(64 * 100);
  std::vector<iovec> parts;
  for (size_t i = 0; i < Engine::kMostParts; ++i)
    parts.push_back({const_cast<char*>(bytes.data()) + i * 100, 100});
  driver->send(kSend, pair.near.get(), parts);
  parts.assign(parts.size(), iovec{});  // they may go when send() returns
  CHECK(driver.next(kSend).result == static_cast<int32_t>(bytes.size()));
  CHECK(read_some(pair.far.get()) == bytes);
}

TEST_CASE("engine: more gathered sends than one submission holds all arrive") {
  Driver driver({.submissions = 16});
  std::vector<Pair> pairs;
  const std::string bytes = pattern(64 * 2);
  for (uint32_t i = 0; i < 100; ++i) {
    pairs.push_back(socket_pair());
    std::vector<iovec> parts;
    for (size_t part = 0; part < Engine::kMostParts; ++part)
      parts.push_back({const_cast<char*>(bytes.data()) + part * 2, 2});
    driver->send(Token(Op::Send, i, 0), pairs[i].near.get(), parts);
  }
  for (uint32_t i = 0; i < 100; ++i) {
    CHECK(driver.next(Token(Op::Send, i, 0)).result == 128);
    CHECK(read_some(pairs[i].far.get()) == bytes);
  }
}

TEST_CASE(
    "engine: a long send through a small socket buffer arrives whole, in as many completions as it takes") {
  Driver driver;
  const Fd listener = listen_on_loopback();
  const int tiny = 4096;
  REQUIRE(::setsockopt(listener.get(), SOL_SOCKET, SO_SNDBUF, &tiny, sizeof tiny) == 0);  // inherited
  driver->accept(kAccept, listener.get());
  const Fd client = connect_to(listener.get());
  const Fd server(driver.next(kAccept).result);

  const std::string bytes = pattern(3'000'000);
  std::string got;
  size_t sent = 0;
  const auto ask = [&] {
    const std::array parts = {iovec{const_cast<char*>(bytes.data()) + sent, (bytes.size() - sent) / 2},
                              iovec{const_cast<char*>(bytes.data()) + sent + (bytes.size() - sent) / 2,
                                    bytes.size() - sent - (bytes.size() - sent) / 2}};
    driver->send(kSend, server.get(), parts);
  };
  ask();
  std::jthread reader([&] {
    while (got.size() < bytes.size()) {
      const std::string more = read_some(client.get(), 50'000);
      if (more.empty()) ::usleep(100);
      got += more;
    }
  });
  while (sent < bytes.size()) {
    const Completion completion = driver.next(kSend);
    REQUIRE(completion.result > 0);
    sent += static_cast<size_t>(completion.result);
    if (sent < bytes.size()) ask();
  }
  reader.join();
  CHECK(got == bytes);
}

TEST_CASE("engine: a send that waits for room can be cancelled") {
  Driver driver;
  const Pair pair = socket_pair();
  const std::string bytes = pattern(4'000'000);
  size_t sent = 0;
  Completion completion;
  driver.send(kSend, pair.near.get(), bytes);
  for (int i = 0; i < 3; ++i) driver.turn(0);
  driver->cancel(kSend);
  for (completion = driver.next(kSend); completion.result > 0; completion = driver.next(kSend)) {
    sent += static_cast<size_t>(completion.result);
    REQUIRE(sent < bytes.size());
    driver.send(kSend, pair.near.get(), std::string_view(bytes).substr(sent));
    driver.turn(0);
    driver->cancel(kSend);
  }
  CHECK(completion.result == -ECANCELED);
  std::string got;
  for (std::string more = read_some(pair.far.get()); !more.empty(); more = read_some(pair.far.get()))
    got += more;
  CHECK(got == bytes.substr(0, sent));
}

TEST_CASE("engine: a poll completes once, when there is something to read or the peer is gone") {
  Driver driver;
  Pair pair = socket_pair();
  driver->poll(kPoll, pair.near.get());
  CHECK(driver.quiet());
  write_all(pair.far.get(), "x");
  CHECK((driver.next(kPoll).result & POLLIN) != 0);
  write_all(pair.far.get(), "y");
  CHECK(driver.quiet());
  driver->poll(kPoll, pair.near.get());  // readable already
  CHECK((driver.next(kPoll).result & POLLIN) != 0);
  CHECK(read_some(pair.near.get()) == "xy");  // behind the engine's back
  driver->poll(kPoll, pair.near.get());
  CHECK(driver.quiet());
  pair.far.reset();
  CHECK(driver.next(kPoll).result > 0);
}

TEST_CASE("engine: a receive can be swapped for a poll and back without losing a byte") {
  Driver driver;
  const Pair pair = socket_pair();
  for (uint32_t round = 0; round < 5; ++round) {
    const Token receive(Op::Receive, 1, round);
    driver->receive(receive, pair.near.get());
    write_all(pair.far.get(), "one");
    CHECK(driver.next_bytes(receive) == "one");
    driver->cancel(receive);
    CHECK(driver.next(receive).result == -ECANCELED);
    driver->poll(kPoll, pair.near.get());
    CHECK(driver.quiet());
    write_all(pair.far.get(), "two");
    CHECK(driver.next(kPoll).result > 0);
    const Token again(Op::Receive, 2, round);
    driver->receive(again, pair.near.get());
    CHECK(driver.next_bytes(again) == "two");
    driver->cancel(again);
    CHECK(driver.next(again).result == -ECANCELED);
  }
}

TEST_CASE(
    "engine: a poll for the end sees it behind bytes that nobody reads, and tells a half from a whole one") {
  Driver driver;
  const Fd listener = listen_on_loopback();
  Fd far = connect_to(listener.get());
  const Fd near(::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  REQUIRE(near);
  write_all(far.get(), "before");
  const bool early = GENERATE(true, false);  // asked for before it comes to that
  if (early) {
    driver->poll_end(kPoll, near.get());
    CHECK(driver.quiet());
    write_all(far.get(), "after");
    CHECK(driver.quiet());
  }
  bool gone = false;
  SECTION("the peer ends its side") { ::shutdown(far.get(), SHUT_WR); }
  SECTION("the peer resets") {
    gone = true;
    const linger now{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(far.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
    far.reset();
  }
  if (!early) driver->poll_end(kPoll, near.get());
  const int32_t events = driver.next(kPoll).result;
  CHECK((events & POLLRDHUP) != 0);
  CHECK(((events & (POLLHUP | POLLERR)) != 0) == gone);
  if (gone) return;
  driver->receive(kReceive, near.get());
  CHECK(driver.bytes_until(kReceive, early ? 11 : 6) == (early ? "beforeafter" : "before"));
  CHECK(driver.next_bytes(kReceive).empty());
}

TEST_CASE("engine: a poll for the end that is cancelled leaves the bytes to the next receive") {
  Driver driver;
  const Pair pair = socket_pair();
  driver->poll_end(kPoll, pair.near.get());
  write_all(pair.far.get(), "bytes");
  CHECK(driver.quiet());
  driver->cancel(kPoll);
  CHECK(driver.next(kPoll).result == -ECANCELED);
  driver->receive(kReceive, pair.near.get());
  CHECK(driver.next_bytes(kReceive) == "bytes");
}

TEST_CASE("engine: wait ends at its deadline, at once when told so, and at a signal") {
  Driver driver;
  CHECK(driver.turn(0) == 0);
  const uint64_t deadline = driver->now_ns() + 30'000'000;
  while (driver->now_ns() < deadline) CHECK(driver.turn(deadline) == 0);
  CHECK(driver.turn(1) == 0);  // long passed

  struct sigaction action{};
  action.sa_handler = [](int) {};
  struct sigaction before;
  REQUIRE(::sigaction(SIGUSR2, &action, &before) == 0);
  std::atomic<bool> ended = false;
  const pthread_t self = ::pthread_self();
  std::jthread killer([&, self] {
    while (!ended) {
      ::pthread_kill(self, SIGUSR2);
      ::usleep(5000);
    }
  });
  CHECK(driver.turn(UINT64_MAX) == 0);
  ended = true;
  killer.join();
  ::sigaction(SIGUSR2, &before, nullptr);
}

TEST_CASE("engine: completions that do not fit come with the next calls, also past the kernel's queue") {
  constexpr uint32_t kPeers = 200;
  Driver driver({.submissions = 8, .completions = 16});
  std::vector<Pair> pairs;
  for (uint32_t i = 0; i < kPeers; ++i) {
    pairs.push_back(socket_pair());
    driver->receive(Token(Op::Receive, i, 0), pairs[i].near.get());
  }
  driver.turn(0);
  for (uint32_t i = 0; i < kPeers; ++i) write_all(pairs[i].far.get(), std::to_string(i));
  while (driver.turn(0, 3) != 0) {
  }
  for (uint32_t i = 0; i < kPeers; ++i) {
    const Token token(Op::Receive, i, 0);
    Completion completion = driver.next(token);
    while (completion.result == -ENOBUFS) {
      driver->receive(token, pairs[i].near.get());
      completion = driver.next(token);
    }
    CHECK(std::string(completion.buffer.data, completion.buffer.size) == std::to_string(i));
    driver->release(completion.buffer.id);
  }
}

TEST_CASE("engine: random traffic of many peers arrives unharmed, both ways") {
  const unsigned seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  constexpr uint32_t kPeers = 20;
  Driver driver({.buffers = {.count = 8, .size = 512}, .submissions = 16, .completions = 32});
  struct Peer {
    Pair pair;
    std::string to_engine;
    size_t written = 0;
    std::string received;
    size_t echoed = 0;
    bool sending = false;
    std::string got_back;
  };
  std::vector<Peer> peers(kPeers);
  for (uint32_t i = 0; i < kPeers; ++i) {
    peers[i].pair = socket_pair();
    peers[i].to_engine = pattern(random() % 60'000 + 1);
    driver->receive(Token(Op::Receive, i, 0), peers[i].pair.near.get());
  }
  const auto done = [&] {
    return std::ranges::all_of(peers, [](const Peer& peer) { return peer.got_back == peer.to_engine; });
  };
  const uint64_t give_up = driver->now_ns() + kPatienceNs;
  while (!done()) {
    REQUIRE(driver->now_ns() < give_up);
    for (Peer& peer : peers) {
      peer.got_back += read_some(peer.pair.far.get(), random() % 5000 + 1);
      const std::string_view rest = std::string_view(peer.to_engine).substr(peer.written);
      const ssize_t size = rest.empty()
                               ? 0
                               : ::send(peer.pair.far.get(), rest.data(),
                                        std::min<size_t>(rest.size(), random() % 3000), MSG_DONTWAIT);
      if (size > 0) peer.written += static_cast<size_t>(size);
    }
    std::vector<Completion> out(random() % 20 + 1);
    out.resize(driver->wait(out, 0));
    for (const Completion& completion : out) {
      const uint32_t slot = completion.token.slot();
      Peer& peer = peers[slot];
      if (completion.token.op() == Op::Send) {
        REQUIRE(completion.result > 0);
        peer.sending = false;
        peer.echoed += static_cast<size_t>(completion.result);
        continue;
      }
      if (completion.result > 0) {
        peer.received.append(completion.buffer.data, completion.buffer.size);
        driver->release(completion.buffer.id);
      } else {
        REQUIRE(completion.result == -ENOBUFS);
      }
      if (!completion.armed) driver->receive(completion.token, peer.pair.near.get());
    }
    for (uint32_t i = 0; i < kPeers; ++i) {
      Peer& peer = peers[i];
      if (peer.sending || peer.echoed == peer.received.size()) continue;
      peer.received.reserve(peer.to_engine.size());  // the bytes under way do not move
      peer.sending = true;
      driver.send(Token(Op::Send, i, 0), peer.pair.near.get(),
                  std::string_view(peer.received).substr(peer.echoed));
    }
  }
  CHECK(driver->free_buffers() == 8);
}

TEST_CASE("engine choice: says what was chosen and why") {
  const auto epoll = create_engine(EngineChoice::Epoll, {.buffers = {.count = 4, .size = 1024}});
  REQUIRE(epoll.has_value());
  CHECK(epoll->engine->description() == "epoll (4 buffers of 1024 bytes)");
  CHECK(epoll->reason == "as configured");
  const auto automatic = create_engine(EngineChoice::Auto, {});
  REQUIRE(automatic.has_value());
  CHECK_FALSE(automatic->reason.empty());
  CHECK_FALSE(create_engine(EngineChoice::Auto, {.buffers = {.count = 0}}).has_value());
}

TEST_CASE("engine choice: where a sandbox blocks io_uring, epoll is taken and the reason told") {
  constexpr auto kOperation = static_cast<uint32_t>(offsetof(seccomp_data, nr));
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kOperation),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_io_uring_setup, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog filter{static_cast<unsigned short>(std::size(program)), program};
  bool blocked = false;
  std::string automatic;
  std::string reason;
  Error explicit_choice{"none"};
  std::thread sandboxed([&] {  // a filter holds for the thread that sets it, and ends with it
    blocked = ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
              ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
    if (!blocked) return;
    if (const auto chosen = create_engine(EngineChoice::Auto, {})) {
      automatic = chosen->engine->description();
      reason = chosen->reason;
    }
    if (const auto chosen = create_engine(EngineChoice::Uring, {}); !chosen) explicit_choice = chosen.error();
  });
  sandboxed.join();
  if (!blocked) SKIP("no filters here");
  CHECK(automatic.starts_with("epoll ("));
  CHECK(reason.contains("io_uring_disabled"));
  CHECK(explicit_choice.number == EPERM);
}

TEST_CASE("engine choice: every way in which the kernel runs completions works where it is to be had") {
  using enum UringOptions::TaskRun;
  for (const auto task_run : {Defer, Cooperative, Interrupt}) {
    const auto engine = create_engine(EngineChoice::Uring, {.task_run = task_run});
    if (!engine) SKIP("no io_uring here: " << engine.error().text());
    CHECK(engine->engine->description().starts_with("io_uring ("));
  }
}

}  // namespace leat::net
