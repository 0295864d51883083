// SocketTable and Socket: who lives in a slot, who waits for buffers, and closing as a join.
#include "net/socket.h"

#include <catch2/catch_test_macros.hpp>
#include <cerrno>
#include <memory>
#include <vector>

#include "net/loop.h"
#include "net/sockets.h"
#include "support/fake_engine.h"

namespace leat::net {

namespace {

struct Tenant {
  Tenant(SocketId where, Engine& engine, Fd fd) : id(where), socket(engine, where, std::move(fd)) {}
  SocketId id;
  Socket socket;
};

// A table on the fake engine, as its owner drives it.
struct Stage final : LoopClient {
  Stage() { engine.accept(Token(Op::Accept, 0, 0), 1'000'000); }
  ~Stage() override { engine.cancel(Token(Op::Accept, 0, 0)), settle(); }
  void on_completion(const Completion& completion) override {
    if (completion.token.op() == Op::Accept) {
      if (completion.result < 0) return;
      newest = &table.open(
          [&](SocketId id) { return std::make_unique<Tenant>(id, engine, Fd(completion.result)); });
      return;
    }
    if (completion.buffer.id != Buffer::kNone) engine.release(completion.buffer.id);
    Tenant* const tenant = table.find(completion.token);
    if (tenant == nullptr) return;
    tenant->socket.on_completion(completion);
    if (completion.result > 0) ++told;
  }
  void on_turn_end() override {}
  void settle() { REQUIRE(test::settle(*loop, *this)); }
  Tenant& connect() {
    peer = &engine.connect();
    settle();
    return *newest;
  }

  test::FakeEngine engine;
  std::unique_ptr<Loop> loop = *Loop::create(engine);
  SocketTable<Tenant> table{0x8000'0000};
  Tenant* newest = nullptr;
  test::FakePeer* peer = nullptr;
  int told = 0;
};

}  // namespace

TEST_CASE("socket: a completion for who has gone finds nobody, and not the next in its slot") {
  Stage stage;
  const SocketId first = stage.connect().id;
  CHECK((first.slot & 0x8000'0000) != 0);
  CHECK(stage.table.find(first) == stage.newest);
  stage.table.free(first.slot);
  CHECK(stage.table.find(first) == nullptr);
  const SocketId second = stage.connect().id;
  CHECK(second.slot == first.slot);
  CHECK(second.generation != first.generation);
  CHECK(stage.table.find(first) == nullptr);
  CHECK(stage.table.find(Token(Op::Send, second.slot, second.generation)) == stage.newest);
  CHECK(stage.table.find(SocketId{second.slot + 1, 0}) == nullptr);
  stage.table.free(second.slot);
  CHECK(stage.table.count() == 0);
}

TEST_CASE("socket: closing waits for what is in flight") {
  Stage stage;
  Tenant& tenant = stage.connect();
  stage.peer->stops_reading();
  tenant.socket.receive();
  char byte = 'x';
  const iovec part{&byte, 1};
  tenant.socket.send({&part, 1});
  stage.settle();
  CHECK(tenant.socket.in_flight());
  SECTION("and ends it in an orderly way") { tenant.socket.close(false); }
  SECTION("and ends it with a reset") { tenant.socket.close(true); }
  CHECK(tenant.socket.closing());
  CHECK(tenant.socket.in_flight());
  CHECK_FALSE(stage.peer->closed());
  stage.peer->reads_again();
  stage.settle();
  CHECK_FALSE(tenant.socket.in_flight());
  stage.table.free(tenant.id.slot);
  CHECK(stage.peer->closed());
}

TEST_CASE("socket: a receive that was stopped ends once, and may begin again") {
  Stage stage;
  Tenant& tenant = stage.connect();
  tenant.socket.receive();
  tenant.socket.stop_receiving();
  tenant.socket.stop_receiving();
  CHECK(tenant.socket.stopping());
  stage.settle();
  CHECK_FALSE(tenant.socket.receiving());
  CHECK_FALSE(tenant.socket.stopping());
  tenant.socket.receive();
  stage.peer->sends("x");
  stage.settle();
  CHECK(stage.told == 1);
  tenant.socket.close(false);
  stage.settle();
  stage.table.free(tenant.id.slot);
}

TEST_CASE("socket: who waits for a buffer is told in order, and nobody in the place of one that has gone") {
  Stage stage;
  std::vector<SocketId> ids;
  for (int i = 0; i < 3; ++i) ids.push_back(stage.connect().id);
  for (const SocketId& id : ids) stage.table.park(id.slot);
  stage.table.park(ids[0].slot);
  stage.table.free(ids[0].slot);
  const SocketId next = stage.connect().id;
  CHECK(next.slot == ids[0].slot);
  CHECK_FALSE(stage.table.is_parked(next.slot));
  std::vector<uint32_t> woken;
  const auto wake = [&](Tenant& tenant) { woken.push_back(tenant.id.slot); };
  stage.table.unpark(2, wake);
  CHECK(woken == std::vector{ids[1].slot});
  CHECK(stage.table.is_parked(ids[2].slot));
  stage.table.unpark(2, wake);
  CHECK(woken == std::vector{ids[1].slot, ids[2].slot});
  CHECK_FALSE(stage.table.has_parked());
  for (const uint32_t slot : {next.slot, ids[1].slot, ids[2].slot}) stage.table.free(slot);
}

}  // namespace leat::net
