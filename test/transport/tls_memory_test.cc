// What OpenSSL takes of the heap for a connection, as this side has it: what is counted for one is no less, and not much more.
#include <malloc.h>
#include <openssl/crypto.h>

#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "support/output_memory.h"
#include "support/tls_peer.h"
#include "transport/tls/memory.h"
#include "transport/tls/server.h"

namespace leat::test {
namespace {

// Of this thread, as all of a test's is.
thread_local ptrdiff_t live = 0;

void* counted(void* memory) {
  if (memory != nullptr) live += static_cast<ptrdiff_t>(malloc_usable_size(memory));
  return memory;
}
void forget(void* memory) {
  if (memory != nullptr) live -= static_cast<ptrdiff_t>(malloc_usable_size(memory));
}
void* take(size_t size, const char*, int) { return counted(std::malloc(size)); }
void* take_more(void* memory, size_t size, const char*, int) {
  forget(memory);
  return counted(std::realloc(memory, size));
}
void give(void* memory, const char*, int) {
  forget(memory);
  std::free(memory);
}
// Before OpenSSL has taken anything, or it would be too late.
const bool hooked = CRYPTO_set_mem_functions(take, take_more, give) == 1;

using State = transport::Transport::State;
using Demand = tls::ClientTrust::Demand;

tls::Server server_with(std::shared_ptr<tls::TlsMemory> memory,
                        std::shared_ptr<const tls::ClientTrust> clients) {
  auto certificates = std::make_shared<tls::Certificates>();
  const tls::CertificateFiles files = test_certificate({"a.example"});
  certificates->add_default(*tls::Certificate::read(files.certificate, files.key));
  tls::Server server;
  server.protocols = {"http/1.1"};
  server.certificates = std::move(certificates);
  server.tickets = std::make_shared<tls::TicketKeys>();
  server.memory = std::move(memory);
  server.clients = std::move(clients);
  return server;
}

// One end, of which it is known what it makes OpenSSL take.
struct Measured final : transport::PlainSink {
  Measured(const transport::MakeTransport& make, Memory& memory)
      : transport(make()), output(memory.both), wire(memory.both) {}
  void plain(std::string_view) override {}
  template <class Call>
  auto measure(Call call) {
    const ptrdiff_t before = live;
    auto result = call();
    heap += live - before;
    most = std::max(most, heap);
    return result;
  }
  std::string talks(std::string_view heard) {
    return measure([&] {
      transport->received(heard, *this);
      (void)transport->seal(output, wire);
      std::string said = contents(wire);
      wire.clear();
      return said;
    });
  }
  void talk(TlsPeer& peer) {
    for (;;) {
      const std::string said = peer.says();
      const std::string answered = talks(said);
      if (said.empty() && answered.empty()) return;
      peer.hears(answered);
    }
  }
  std::unique_ptr<transport::Transport> transport;
  transport::Output output, wire;
  ptrdiff_t heap = 0, most = 0;
};

}  // namespace

TEST_CASE("tls memory: what is counted for a connection is what OpenSSL has, or a little more") {
  REQUIRE(hooked);
  Memory memory;
  const auto account = std::make_shared<tls::TlsMemory>();
  const tls::CertificateFiles alice = test_client("alice", {"spiffe://example/alice"});
  for (const bool shown : {false, true})
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION})
      for (const char* const group : {"X25519", "X25519MLKEM768"}) {
        INFO(version << " " << group << (shown ? " with a certificate" : ""));
        auto clients = *tls::ClientTrust::read(test_authority().certificate, {}, Demand::Optional);
        tls::Server server = server_with(account, shown ? clients : nullptr);
        server.options.groups = {"X25519MLKEM768", "X25519", "P-256"};
        const auto make =
            tls::transports(std::make_shared<const tls::Server>(server))([] { return uint64_t{1}; });
        // What the first of a context makes it keep is not the connection's.
        for (const bool first : {true, false}) {
          TlsPeer peer({.version = version, .identity = shown ? &alice : nullptr});
          if (version == TLS1_3_VERSION) SSL_set1_groups_list(peer.ssl(), group);
          {
            Measured end(make, memory);
            (void)end.talks(peer.says().substr(0, 100));
            CHECK(account->used() == tls::TlsMemory::kHandshake);
          }
          CHECK(account->used() == 0);
          TlsPeer whole({.version = version, .identity = shown ? &alice : nullptr});
          if (version == TLS1_3_VERSION) SSL_set1_groups_list(whole.ssl(), group);
          Measured end(make, memory);
          end.talk(whole);
          REQUIRE(end.transport->state() == State::Open);
          const size_t counted_for_it = tls::TlsMemory::kOpen + (shown ? tls::TlsMemory::kClient : 0);
          CHECK(account->used() == counted_for_it);
          if (first) continue;
          INFO("at most " << end.most << ", at rest " << end.heap);
          CHECK(end.most <= static_cast<ptrdiff_t>(tls::TlsMemory::kHandshake));
          CHECK(end.heap <= static_cast<ptrdiff_t>(counted_for_it));
          CHECK(end.heap * 2 >= static_cast<ptrdiff_t>(counted_for_it));
        }
        CHECK(account->used() == 0);
      }
}

TEST_CASE("tls memory: past the limit no handshake begins, and who is connected stays") {
  Memory memory;
  const auto account = std::make_shared<tls::TlsMemory>();
  tls::Server server = server_with(account, nullptr);
  server.counts = std::make_shared<tls::HandshakeCounts>();
  server.options.memory_bytes = tls::TlsMemory::kHandshake + 2 * tls::TlsMemory::kOpen;
  const auto make = tls::transports(std::make_shared<const tls::Server>(server))([] { return uint64_t{1}; });
  std::vector<std::unique_ptr<TlsPeer>> peers;
  std::vector<std::unique_ptr<Measured>> ends;
  const auto come = [&] {
    peers.push_back(std::make_unique<TlsPeer>());
    ends.push_back(std::make_unique<Measured>(make, memory));
    ends.back()->talk(*peers.back());
    return ends.back()->transport->state() == State::Open;
  };
  for (int i = 0; i < 3; ++i) CHECK(come());
  CHECK_FALSE(come());
  CHECK(ends.back()->transport->failure() == "there is no room for its handshake (limits.tls_memory)");
  CHECK(server.counts->failed(tls::Failure::Memory) == 1);
  CHECK(account->used() == 3 * tls::TlsMemory::kOpen);
  // The others go on, and one that goes leaves its place.
  ends[0]->talk(*peers[0]);
  CHECK(ends[0]->transport->state() == State::Open);
  ends.erase(ends.begin(), ends.begin() + 1);
  CHECK(come());
  ends.clear();
  CHECK(account->used() == 0);
}

}  // namespace leat::test
