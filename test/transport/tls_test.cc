// TLS: the server's end, with a client of OpenSSL's at the other.
#include "transport/tls/server.h"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <chrono>
#include <ctime>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/output_memory.h"
#include "support/tls_peer.h"
#include "transport/tls/client.h"
#include "transport/transport.h"

namespace leat::test {

namespace {

using State = transport::Transport::State;
using tls::Certificate;

std::shared_ptr<const Certificate> read(const tls::CertificateFiles& files) {
  auto made = Certificate::read(files.certificate, files.key);
  REQUIRE(made.has_value());
  return *made;
}

tls::Server server_for(const std::vector<std::string>& names = {"a.example"}) {
  auto certificates = std::make_shared<tls::Certificates>();
  const auto certificate = read(test_certificate(names));
  for (const std::string& name : names) certificates->add(name, certificate);
  certificates->add_default(certificate);
  return {.options = {},
          .protocols = {"h2", "http/1.1"},
          .certificates = std::move(certificates),
          .tickets = std::make_shared<tls::TicketKeys>(),
          .counts = nullptr,
          .memory = nullptr,
          .clients = nullptr};
}

// The transports of one worker's listening socket.
struct Worker {
  explicit Worker(const tls::Server& server)
      : make(tls::transports(std::make_shared<const tls::Server>(server))([this] { return now_ns; })) {}
  uint64_t now_ns = 1;
  transport::MakeTransport make;
};

// One end of a connection, with what would be its socket and its protocol.
struct End final : transport::PlainSink {
  End(Worker& worker, Memory& memory) : End(worker.make(), memory) {}
  End(std::unique_ptr<transport::Transport> made, Memory& memory)
      : transport(std::move(made)), output(memory.both), wire(memory.both) {}
  void plain(std::string_view bytes) override { came += bytes; }

  void hears(std::string_view bytes, size_t piece = SIZE_MAX) {
    heard += bytes.size();
    for (; !bytes.empty(); bytes.remove_prefix(std::min(piece, bytes.size())))
      transport->received(bytes.substr(0, piece), *this);
  }
  // Sends all that is owed: each seal is one send.
  std::string says() {
    std::string sent;
    for (;;) {
      const size_t sealed = transport->seal(output, wire);
      sends += wire.empty() ? 0 : 1;
      sent += contents(wire);
      wire.clear();
      output.consume(sealed);
      if (sealed == 0) return sent;
    }
  }

  std::unique_ptr<transport::Transport> transport;
  transport::Output output, wire;
  std::string came;
  size_t sends = 0;
  size_t heard = 0;  // bytes of the wire
};

// Until neither has anything to say.
void talk(End& end, TlsPeer& peer, size_t piece = SIZE_MAX) {
  for (;;) {
    const std::string said = peer.says();
    end.hears(said, piece);
    const std::string answered = end.says();
    for (std::string_view left = answered; !left.empty(); left.remove_prefix(std::min(piece, left.size())))
      peer.hears(left.substr(0, piece));
    if (said.empty() && answered.empty()) return;
  }
}

int any_version() { return GENERATE(TLS1_2_VERSION, TLS1_3_VERSION); }

}  // namespace

TEST_CASE("tls: a handshake and what follows may come in pieces of any size") {
  Memory memory;
  Worker worker(server_for());
  TlsPeer peer({.name = "a.example", .version = any_version()});
  End end(worker, memory);
  const size_t piece = GENERATE(size_t{1}, size_t{2}, size_t{5}, size_t{700}, SIZE_MAX);
  talk(end, peer, piece);
  REQUIRE(peer.open);
  CHECK(peer.trusts("a.example"));
  CHECK(end.transport->state() == State::Open);
  CHECK(end.transport->secure());
  end.hears(peer.says("question"), piece);
  CHECK(end.came == "question");
  REQUIRE(end.output.append("answer"));
  talk(end, peer, piece);
  CHECK(peer.plain == "answer");
}

TEST_CASE("tls: a record that is cut at any byte waits for its rest, and is whole then") {
  Memory memory;
  Worker worker(server_for());
  TlsPeer peer({.version = any_version()});
  End end(worker, memory);
  talk(end, peer);
  for (size_t cut = 1; cut < 30; ++cut) {
    const std::string record = peer.says("some bytes");
    REQUIRE(cut < record.size());
    end.hears(record.substr(0, cut));
    CHECK(end.came.empty());
    end.hears(record.substr(cut));
    CHECK(std::exchange(end.came, {}) == "some bytes");
  }
}

TEST_CASE("tls: a byte that is not the peer's ends the connection, wherever it is") {
  Memory memory;
  Worker worker(server_for());
  const int version = any_version();
  for (const size_t at : {0, 3, 7, 20}) {
    TlsPeer peer({.version = version});
    End end(worker, memory);
    talk(end, peer);
    std::string record = peer.says("some bytes");
    record[at] = static_cast<char>(record[at] ^ 4);
    end.hears(record + std::string(70'000, 'x'));
    CHECK(end.transport->state() == State::Failed);
    CHECK(end.came.empty());
    peer.hears(end.says());
    CHECK_FALSE(peer.failure.empty());
  }
}

TEST_CASE("tls: large answers leave whole, in sends of a bounded size, and give all memory back") {
  Memory memory;
  Worker worker(server_for());
  TlsPeer peer({.version = any_version()});
  End end(worker, memory);
  talk(end, peer);
  end.sends = 0;
  std::string body(1'000'000, ' ');
  for (size_t i = 0; i < body.size(); ++i) body[i] = static_cast<char>(i * 31 >> 3);
  REQUIRE(end.output.append("head"));
  bool released = false;
  REQUIRE(end.output.append_pinned(body, {[](void* flag) { *static_cast<bool*>(flag) = true; }, &released}));
  REQUIRE(end.output.append("tail"));
  peer.hears(end.says());
  CHECK(peer.plain == "head" + body + "tail");
  CHECK(end.sends == 4);
  CHECK(released);
}

TEST_CASE("tls: small pieces become one record") {
  Memory memory;
  Worker worker(server_for());
  TlsPeer peer;
  End end(worker, memory);
  talk(end, peer);
  const std::string pieces[] = {"one", "two", "three"};
  for (const std::string& each : pieces) REQUIRE(end.output.append_pinned(each, {}));
  const std::string sent = end.says();
  CHECK(sent.size() == 5 + 11 + 1 + 16);
  peer.hears(sent);
  CHECK(peer.plain == "onetwothree");
}

TEST_CASE("tls: where memory is short less is sealed, and nothing is lost") {
  Memory memory(16);
  Worker worker(server_for());
  TlsPeer peer;
  End end(worker, memory);
  talk(end, peer);
  const std::string body(200'000, 'b');
  REQUIRE(end.output.append_pinned(body, {}));
  peer.hears(end.says());
  CHECK(peer.plain == body);
  CHECK(end.transport->state() == State::Open);
  SECTION("where there is none at all, it is cut") {
    std::vector<Block*> taken;
    while (Block* const block = memory.pool.take()) taken.push_back(block);
    REQUIRE(end.output.append_pinned(body, {}));
    CHECK(end.says().empty());
    CHECK(end.transport->state() == State::Failed);
    for (Block* const block : taken) memory.pool.give(block);
    end.output.clear();
  }
}

TEST_CASE("tls: both ends say that nothing follows") {
  Memory memory;
  Worker worker(server_for());
  TlsPeer peer({.version = any_version()});
  End end(worker, memory);
  talk(end, peer);
  end.hears(peer.says("last question"));
  end.hears(peer.ends());
  CHECK(end.came == "last question");
  CHECK(end.transport->state() == State::Ended);
  REQUIRE(end.output.append("last answer"));
  std::string sent = end.says();
  end.transport->close_notify(end.wire);
  sent += contents(end.wire);
  end.wire.clear();
  peer.hears(sent);
  CHECK(peer.plain == "last answer");
  CHECK(peer.ended);
}

TEST_CASE("tls: plain HTTP is answered in plain text") {
  Memory memory;
  Worker worker(server_for());
  End end(worker, memory);
  end.hears(GENERATE("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "G", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
  CHECK(end.transport->state() == State::Failed);
  CHECK(end.transport->failure() == "it speaks HTTP without TLS");
  const std::string said = end.says();
  CHECK(said.starts_with("HTTP/1.1 400 "));
  const size_t body = said.find("\r\n\r\n") + 4;
  CHECK(said.contains("Content-Length: " + std::to_string(said.size() - body) + "\r\n"));
  end.hears("more of it");
  CHECK(end.says().empty());
}

TEST_CASE("tls: what is no hello is answered with an alert, and said in the log") {
  Memory memory;
  Worker worker(server_for());
  End end(worker, memory);
  end.hears(GENERATE(as<std::string>(), std::string("\x16\x03\x01\xff\xff", 5), std::string(100, '\0'),
                     std::string("\x16\x03\x01\x00\x05hello", 10)));
  CHECK(end.transport->state() == State::Failed);
  CHECK_FALSE(end.transport->failure().empty());
  CHECK_FALSE(end.says().starts_with("HTTP"));
}

TEST_CASE("tls: versions and ciphers that are not wanted are refused") {
  Memory memory;
  tls::Server server = server_for();
  server.options.min_version = tls::Options::Version::Tls13;
  Worker worker(server);
  TlsPeer peer({.version = TLS1_2_VERSION});
  End end(worker, memory);
  talk(end, peer);
  CHECK_FALSE(peer.open);
  CHECK(peer.failure.contains("protocol version"));
  CHECK(end.transport->failure() == "it speaks older versions of TLS alone than server.tls_min_version");
}

TEST_CASE("tls: a name finds its certificate, a wildcard those below it, and others the default") {
  Memory memory;
  tls::Server server = server_for({"a.example"});
  auto certificates = std::make_shared<tls::Certificates>(*server.certificates);
  const auto wild = read(test_certificate({"*.b.example"}));
  CHECK(certificates->add("*.b.example", wild));
  server.certificates = certificates;
  const bool refuse = GENERATE(false, true);
  if (refuse) server.options.unknown_name = tls::Options::UnknownName::Refuse;
  Worker worker(server);
  const int version = any_version();
  const auto got = [&](const std::string& name, std::string_view expected) {
    TlsPeer peer({.name = name, .version = version});
    End end(worker, memory);
    talk(end, peer);
    if (peer.open) return peer.trusts(expected);
    CHECK(peer.failure.contains("unrecognized name"));
    CHECK(end.transport->failure().contains("tls_unknown_name"));
    return false;
  };
  CHECK(got("a.example", "a.example"));
  CHECK(got("A.Example", "a.example"));
  CHECK(got("x.b.example", "x.b.example"));
  CHECK(got("", "a.example"));
  for (const char* const unknown : {"b.example", "x.y.b.example", ".", "c.example"})
    CHECK(got(unknown, "a.example") == !refuse);
}

TEST_CASE("tls: a connection carries requests for what its certificate is for, or would have been for") {
  struct Row {
    std::string_view name;  // asked for in the handshake
    std::string_view host;  // and in a request
    bool carries;
  };
  Memory memory;
  tls::Server server = server_for({"a.example"});
  auto certificates = std::make_shared<tls::Certificates>(*server.certificates);
  const auto both = read(test_certificate({"b.example", "*.b.example", "other.example"}));
  for (const char* const name : {"b.example", "*.b.example"}) CHECK(certificates->add(name, both));
  CHECK(certificates->add("other.example", read(test_certificate({"other.example"}))));
  server.certificates = certificates;
  Worker worker(server);
  const int version = any_version();
  for (const Row& row : {Row{"a.example", "a.example", true}, Row{"a.example", "A.Example.:443", true},
                         Row{"a.example", "b.example", false}, Row{"b.example", "a.example", false},
                         // One certificate for both, whichever name is asked for.
                         Row{"b.example", "x.b.example", true}, Row{"x.b.example", "b.example:8443", true},
                         Row{"b.example", "x.y.b.example", false},
                         // Another is there for it, but a client that knows this one may ask.
                         Row{"b.example", "other.example", true}, Row{"other.example", "b.example", false},
                         // What nobody has would have got the default's as well.
                         Row{"a.example", "unknown.example", true}, Row{"unknown.example", "a.example", true},
                         Row{"unknown.example", "else.example", true},
                         Row{"a.example", "192.0.2.1:443", true}, Row{"a.example", "[2001:db8::1]:443", true},
                         Row{"b.example", "unknown.example", false}, Row{"b.example", "[2001:db8::1]", false},
                         // Who asks for no name has verified none: a balancer's check, say.
                         Row{"", "b.example", true}, Row{"", "unknown.example", true}}) {
    INFO(row.name << " carries " << row.host);
    TlsPeer peer({.name = std::string(row.name), .version = version});
    End end(worker, memory);
    CHECK(end.transport->carries(row.host));  // before there is anything to say about it
    talk(end, peer);
    REQUIRE(peer.open);
    CHECK(end.transport->carries(row.host) == row.carries);
    ++worker.now_ns;  // each has a turn of its own
  }
}

TEST_CASE("tls: of certificates with different kinds of keys a client gets one that it can verify") {
  Memory memory;
  tls::Server server = server_for();
  auto certificates = std::make_shared<tls::Certificates>(*server.certificates);
  const auto rsa = read(test_certificate({"a.example"}, tls::KeyKind::Rsa2048));
  CHECK(certificates->add("a.example", rsa));
  CHECK_FALSE(certificates->add("a.example", rsa));
  CHECK(rsa->key_type() == "RSA 2048");
  server.certificates = certificates;
  Worker worker(server);
  const int version = any_version();
  const auto kind = [&](const std::string& signatures) {
    TlsPeer peer({.name = "a.example", .version = version, .signatures = signatures});
    End end(worker, memory);
    talk(end, peer);
    return peer.peer_key();
  };
  CHECK(kind("rsa_pss_rsae_sha256") == "RSA");
  CHECK(kind("ECDSA+SHA256") == "EC");
}

TEST_CASE("tls: the protocol is agreed on in the server's order") {
  Memory memory;
  Worker worker(server_for());
  const int version = any_version();
  const auto agreed = [&](const std::vector<std::string>& offered) {
    TlsPeer peer({.alpn = offered, .version = version});
    End end(worker, memory);
    talk(end, peer);
    if (!peer.open) return peer.failure;
    CHECK(peer.alpn() == end.transport->alpn());
    return peer.alpn();
  };
  CHECK(agreed({"http/1.1", "h2"}) == "h2");
  CHECK(agreed({"x", "http/1.1"}) == "http/1.1");
  CHECK(agreed({}).empty());
  CHECK(agreed({"ftp"}).contains("no application protocol"));
}

TEST_CASE("tls: a session is resumed by any worker, with one ticket each time, until its key is gone") {
  Memory memory;
  tls::Server server = server_for();
  Worker one(server), other(server);
  const int version = any_version();
  TlsPeer first({.name = "a.example", .version = version});
  End end(one, memory);
  talk(end, first);
  REQUIRE(first.session() != nullptr);
  CHECK(first.tickets == 1);
  CHECK_FALSE(first.resumed());
  const auto resumes = [&](Worker& worker) {
    TlsPeer peer({.name = "a.example", .version = version, .session = first.session()});
    End there(worker, memory);
    talk(there, peer);
    REQUIRE(peer.open);
    return peer.resumed();
  };
  CHECK(resumes(other));
  CHECK(resumes(one));
  SECTION("each brings another ticket, which TLS 1.3 uses once") {
    TlsPeer again({.name = "a.example", .version = version, .session = first.session()});
    End there(other, memory);
    talk(there, again);
    CHECK(again.tickets == (version == TLS1_3_VERSION ? 1 : 0));
  }
  SECTION("another daemon's is not") {
    server.tickets = std::make_shared<tls::TicketKeys>();
    Worker stranger(server);
    CHECK_FALSE(resumes(stranger));
  }
  SECTION("without tickets none is") {
    server.options.ticket_lifetime_ms = 0;
    Worker without(server);
    CHECK_FALSE(resumes(without));
    TlsPeer peer({.version = version});
    End there(without, memory);
    talk(there, peer);
    CHECK(peer.open);
    CHECK(peer.tickets == 0);
  }
}

TEST_CASE("ticket keys: each seals for a lifetime, and opens for as long again") {
  tls::TicketKeys keys;
  const auto first = keys.current(1000, 60);
  REQUIRE(first);
  CHECK(keys.current(1059, 60)->name == first->name);
  const auto second = keys.current(1060, 60);
  CHECK(second->name != first->name);
  CHECK(keys.find(first->name, 1100, 60)->former);
  CHECK_FALSE(keys.find(second->name, 1100, 60)->former);
  CHECK_FALSE(keys.find(first->name, 1120, 60));
  const auto third = keys.current(1120, 60);
  CHECK_FALSE(keys.find(first->name, 1120, 60));
  CHECK(keys.find(second->name, 1120, 60)->former);
  CHECK(keys.current(5, 60)->name != third->name);
}

TEST_CASE("ticket keys: the next process goes on with them, and what was broken off is none") {
  tls::KeptTicketKeys kept;
  CHECK(kept.text().empty());
  const auto name_of = [](const std::optional<tls::TicketKey>& key) { return key->name; };
  auto keys = std::make_unique<tls::TicketKeys>(&kept);
  const auto first = keys->current(1000, 60), second = keys->current(1060, 60);
  keys = std::make_unique<tls::TicketKeys>(&kept);
  CHECK(keys->current(1060, 60)->name == second->name);
  CHECK(keys->find(first->name, 1060, 60)->key.cipher == first->cipher);
  CHECK(keys->find(first->name, 1060, 60)->former);
  const auto third = keys->current(1120, 60);
  CHECK(name_of(third) != name_of(second));

  // Over an upgrade, as a text.
  tls::KeptTicketKeys next;
  next.take(kept.text());
  tls::TicketKeys there(&next);
  CHECK(name_of(there.current(1120, 60)) == name_of(third));
  CHECK(there.find(second->name, 1120, 60)->key.mac == second->mac);
  for (const std::string& nonsense :
       {std::string(), std::string("x"), std::string("1 "), "2 " + kept.text().substr(2), kept.text() + "x",
        kept.text() + kept.text().substr(2)}) {
    next.take(nonsense);
    CHECK(next.text() == kept.text());
  }
  // One after the former has ended takes nothing from it.
  tls::TicketKeys alone;
  CHECK_FALSE(alone.find(third->name, 1120, 60));
}

TEST_CASE("ticket keys: those that are given seal by the first and open by all, at any time") {
  const std::string bytes = std::string(16, 'n') + std::string(32, 'm') + std::string(32, 'c');
  const std::string short_bytes = std::string(16, 's') + std::string(16, 'c') + std::string(16, 'm');
  const auto given = tls::TicketKey::read(bytes), small = tls::TicketKey::read(short_bytes);
  REQUIRE(given);
  REQUIRE(small);
  CHECK((given->name[15] == 'n' && given->mac[31] == 'm' && given->cipher[0] == 'c' && !given->is_short));
  CHECK((small->name[15] == 's' && small->cipher[15] == 'c' && small->mac[15] == 'm' && small->is_short));
  for (const size_t size : {0, 47, 49, 79, 81}) {
    const auto wrong = tls::TicketKey::read(std::string(size, 'x'));
    REQUIRE_FALSE(wrong.has_value());
    CHECK(wrong.error().starts_with(size == 81 ? "has more than 80 bytes"
                                               : "has " + std::to_string(size) + " bytes"));
  }
  tls::TicketKey other = *given;
  other.name[0] = 'o';
  tls::TicketKeys keys({*given, other});
  CHECK(keys.given());
  CHECK(keys.current(1'000'000, 60)->name == given->name);
  CHECK(keys.find(other.name, 1'000'000, 60)->former);
  CHECK_FALSE(keys.find(given->name, 1'000'000, 60)->former);

  // Whichever they are, sessions are resumed; one that another has sealed gets a new ticket.
  Memory memory;
  tls::Server server = server_for();
  const int version = any_version();
  server.tickets = std::make_shared<tls::TicketKeys>(std::vector{*small, *given});
  Worker here(server);
  server.tickets = std::make_shared<tls::TicketKeys>(std::vector{*given, *small});
  Worker there(server);
  TlsPeer first({.name = "a.example", .version = version});
  End end(here, memory);
  talk(end, first);
  TlsPeer again({.name = "a.example", .version = version, .session = first.session()});
  End second(there, memory);
  talk(second, again);
  CHECK(again.resumed());
  if (version == TLS1_3_VERSION) CHECK(again.tickets == 1);  // of 1.2 OpenSSL's clients do not tell
}

TEST_CASE("tls: keys may be updated now and then, and not all the time") {
  Memory memory;
  Worker worker(server_for());
  TlsPeer peer({.version = TLS1_3_VERSION});
  End end(worker, memory);
  talk(end, peer);
  const auto update = [&] {
    REQUIRE(SSL_key_update(peer.ssl(), SSL_KEY_UPDATE_REQUESTED) == 1);
    end.hears(peer.says("x"));
    peer.hears(end.says());
  };
  for (int second = 0; second < 3; ++second) {
    for (int i = 0; i < 10; ++i) update();
    CHECK(end.transport->state() == State::Open);
    worker.now_ns += 1'000'000'000;
  }
  CHECK(end.came == std::string(30, 'x'));
  // A storm in one piece is cut short within it.
  std::string storm;
  for (int i = 0; i < 2'000; ++i) {
    REQUIRE(SSL_key_update(peer.ssl(), SSL_KEY_UPDATE_NOT_REQUESTED) == 1);
    storm += peer.says("y");
  }
  end.hears(storm);
  CHECK(end.transport->state() == State::Failed);
  CHECK(end.came.size() <= 30 + 11);
  CHECK(end.transport->failure().contains("too often"));
}

TEST_CASE("tls: a client of TLS 1.2 that wants to renegotiate is told no") {
  Memory memory;
  Worker worker(server_for());
  TlsPeer peer({.version = TLS1_2_VERSION});
  End end(worker, memory);
  talk(end, peer);
  const int begun = SSL_renegotiate(peer.ssl());
  SSL_do_handshake(peer.ssl());
  talk(end, peer);
  INFO(begun);
  CHECK(end.came.empty());
  CHECK(end.transport->state() != State::Handshake);
}

TEST_CASE("tls: a worker begins some handshakes in a turn, and the others in the next ones") {
  Memory memory;
  tls::Server server = server_for();
  server.options.handshakes_per_turn = 4;
  Worker worker(server);
  constexpr size_t kCrowd = 10;
  std::vector<std::unique_ptr<TlsPeer>> peers;
  std::vector<std::unique_ptr<End>> ends;
  for (size_t i = 0; i < kCrowd; ++i) {
    peers.push_back(std::make_unique<TlsPeer>());
    ends.push_back(std::make_unique<End>(worker, memory));
    const std::string hello = peers[i]->says();
    ends[i]->hears(hello, hello.size() / 2 + 1);
  }
  const auto answered = [&] {
    size_t count = 0;
    for (size_t i = 0; i < kCrowd; ++i) {
      if (ends[i]->transport->wants_turn()) ends[i]->transport->take_turn(*ends[i]);
      peers[i]->hears(ends[i]->says());
      count += peers[i]->open ? 1 : 0;
    }
    return count;
  };
  CHECK(answered() == 4);
  CHECK(answered() == 4);
  worker.now_ns += 1;
  CHECK(answered() == 8);
  worker.now_ns += 1;
  // One that comes now is behind those that wait.
  TlsPeer late;
  End last(worker, memory);
  last.hears(late.says());
  CHECK(last.transport->wants_turn());
  CHECK(answered() == kCrowd);
  last.transport->take_turn(last);
  late.hears(last.says());
  CHECK(late.open);
  ends.pop_back();  // whoever waits may leave
  End gone(worker, memory);
  worker.now_ns += 1;
}

TEST_CASE("tls: so many handshakes are under way at a time, and who has waited and left is none of them") {
  Memory memory;
  tls::Server server = server_for();
  server.options.handshakes = 2;
  Worker worker(server);
  TlsPeer peers[3];
  auto first = std::make_unique<End>(worker, memory);
  End second(worker, memory), third(worker, memory);
  first->hears(peers[0].says());
  second.hears(peers[1].says());
  third.hears(peers[2].says());
  CHECK(third.transport->state() == State::Failed);
  CHECK(third.transport->failure().contains("limits.handshakes"));
  first.reset();
  talk(second, peers[1]);
  CHECK(peers[1].open);
  TlsPeer more[2];
  End fourth(worker, memory), fifth(worker, memory);
  fourth.hears(more[0].says());
  fifth.hears(more[1].says());
  CHECK(fourth.transport->state() == State::Handshake);
  CHECK(fifth.transport->state() == State::Handshake);
}

std::shared_ptr<const tls::ClientTrust> trust_in(const std::string& authorities,
                                                 tls::ClientTrust::Demand demand,
                                                 const std::string& revoked = {}) {
  auto made = tls::ClientTrust::read(authorities, revoked, demand);
  REQUIRE(made.has_value());
  return *made;
}

using Demand = tls::ClientTrust::Demand;

// What a server that asks clients for certificates makes of one: whose it is, "nobody", or why it is refused.
struct Doorkeeper {
  explicit Doorkeeper(std::shared_ptr<const tls::ClientTrust> clients,
                      std::shared_ptr<tls::TicketKeys> tickets = std::make_shared<tls::TicketKeys>())
      : server(server_for()), worker(take(server, std::move(clients), std::move(tickets))) {}
  static tls::Server& take(tls::Server& server, std::shared_ptr<const tls::ClientTrust> clients,
                           std::shared_ptr<tls::TicketKeys> tickets) {
    server.clients = std::move(clients);
    server.tickets = std::move(tickets);
    return server;
  }
  std::string ask(TlsPeer& peer) {
    End end(worker, memory);
    talk(end, peer);
    if (end.transport->state() != State::Open) {
      CHECK(end.transport->tls() == nullptr);
      CHECK_FALSE(peer.failure.empty());
      return std::string(end.transport->failure());
    }
    REQUIRE(end.transport->tls() != nullptr);
    const transport::PeerCertificate* const shown = end.transport->tls()->certificate;
    return shown == nullptr ? "nobody" : std::string(shown->subject);
  }
  std::string ask(const tls::CertificateFiles* identity, int version) {
    TlsPeer peer({.version = version, .identity = identity});
    return ask(peer);
  }

  Memory memory;
  tls::Server server;
  Worker worker;
};

TEST_CASE("tls: what was agreed on is known, and nothing of a peer that is not asked") {
  Memory memory;
  Worker worker(server_for());
  const int version = any_version();
  const tls::CertificateFiles alice = test_client("alice");
  TlsPeer peer({.version = version, .identity = &alice});
  End end(worker, memory);
  CHECK(end.transport->tls() == nullptr);
  talk(end, peer);
  REQUIRE(end.transport->tls() != nullptr);
  CHECK(end.transport->tls()->version == (version == TLS1_3_VERSION ? "TLSv1.3" : "TLSv1.2"));
  CHECK(end.transport->tls()->cipher == SSL_get_cipher_name(peer.ssl()));
  CHECK(end.transport->tls()->certificate == nullptr);
}

TEST_CASE("tls: clients show a certificate that is vouched for, where they have to or may") {
  const int version = any_version();
  const tls::CertificateFiles alice =
      test_client("alice", {"a.example", "uri://x", "spiffe://example/alice"});
  const tls::CertificateFiles strangers = other_authority();
  const tls::CertificateFiles stranger = test_client("alice", {}, strangers);
  const tls::CertificateFiles late = test_client("alice", {}, test_authority(), -10);
  const tls::CertificateFiles servers = test_certificate({"a.example"});
  const Demand demand = GENERATE(Demand::Required, Demand::Optional);
  Doorkeeper door(trust_in(test_authority().certificate, demand));
  CHECK(door.ask(&alice, version) == "CN=alice");
  CHECK(door.ask(&stranger, version).starts_with("its certificate is refused (unable to get "));
  CHECK(door.ask(&late, version) == "its certificate is refused (certificate has expired)");
  CHECK(door.ask(&servers, version) == "its certificate is refused (unsuitable certificate purpose)");
  CHECK(door.ask(nullptr, version) ==
        (demand == Demand::Optional ? "nobody" : "it shows no certificate, and has to (client_certificate)"));
  // Several authorities, of which any will do.
  Doorkeeper both(trust_in(strangers.certificate + test_authority().certificate, demand));
  CHECK(both.ask(&alice, version) == "CN=alice");
  CHECK(both.ask(&stranger, version) == "CN=alice");

  TlsPeer peer({.version = version, .identity = &alice});
  End end(door.worker, door.memory);
  talk(end, peer);
  const transport::PeerCertificate& shown = *end.transport->tls()->certificate;
  CHECK(shown.common_name == "alice");
  CHECK(shown.names == "dns:a.example uri:uri://x uri:spiffe://example/alice");
  CHECK(shown.fingerprint == read(alice)->fingerprint());
}

TEST_CASE("tls: a session that is resumed has the client that it had, on any worker") {
  const int version = any_version();
  const tls::CertificateFiles alice = test_client("alice");
  Doorkeeper door(trust_in(test_authority().certificate, GENERATE(Demand::Required, Demand::Optional)));
  TlsPeer first({.version = version, .identity = &alice});
  CHECK(door.ask(first) == "CN=alice");
  REQUIRE(first.session() != nullptr);
  Doorkeeper other(door.server.clients, door.server.tickets);
  for (int i = 0; i < 2; ++i) {
    TlsPeer again({.version = version, .session = first.session()});
    CHECK((i == 0 ? door : other).ask(again) == "CN=alice");
    CHECK(again.resumed());
  }
}

TEST_CASE(
    "tls: a ticket is good for the authorities, the list and the demand that it was given out for alone") {
  const int version = any_version();
  const tls::CertificateFiles alice = test_client("alice");
  const std::string& ours = test_authority().certificate;
  const auto tickets = std::make_shared<tls::TicketKeys>();
  Doorkeeper door(trust_in(ours, Demand::Optional), tickets);
  const auto session_of = [&](Doorkeeper& at, const tls::CertificateFiles* identity) {
    auto peer = std::make_unique<TlsPeer>(TlsPeer::Options{.version = version, .identity = identity});
    (void)at.ask(*peer);
    REQUIRE(peer->session() != nullptr);
    return peer;
  };
  const auto resumes = [&](Doorkeeper& at, const TlsPeer& had) {
    TlsPeer peer({.version = version, .session = had.session(), .identity = &alice});
    (void)at.ask(peer);
    return peer.resumed();
  };
  Doorkeeper required(trust_in(ours, Demand::Required), tickets);
  Doorkeeper others(trust_in(other_authority().certificate, Demand::Optional), tickets);
  Doorkeeper listed(trust_in(ours, Demand::Optional, test_revoked({})), tickets);
  Doorkeeper open(nullptr, tickets), same(trust_in(ours, Demand::Optional), tickets);
  const auto known = session_of(door, &alice), unknown = session_of(door, nullptr),
             anybody = session_of(open, nullptr);
  CHECK(resumes(same, *known));
  CHECK(resumes(same, *unknown));
  for (Doorkeeper* const each : {&required, &others, &listed, &open}) {
    CHECK_FALSE(resumes(*each, *known));
    CHECK_FALSE(resumes(*each, *unknown));
  }
  for (Doorkeeper* const each : {&door, &required, &others, &listed}) CHECK_FALSE(resumes(*each, *anybody));
  CHECK(resumes(open, *anybody));
}

TEST_CASE("tls: a session is not resumed for longer than its client would be let in") {
  const int version = any_version();
  constexpr int kSeconds = 3;
  const int64_t begun = std::time(nullptr);
  // Its certificate ends, or the list of what is revoked.
  const bool late_list = GENERATE(false, true);
  const tls::CertificateFiles alice = test_client("alice", {}, test_authority(), late_list ? 1000 : kSeconds);
  Doorkeeper door(trust_in(test_authority().certificate, Demand::Optional,
                           late_list ? test_revoked({}, 0, kSeconds) : std::string()));
  TlsPeer first({.version = version, .identity = &alice});
  REQUIRE(door.ask(first) == "CN=alice");
  TlsPeer second({.version = version, .session = first.session()});
  CHECK(door.ask(second) == "CN=alice");
  while (std::time(nullptr) <= begun + kSeconds + 1)
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  TlsPeer third({.version = version, .session = first.session()});
  CHECK(door.ask(third) == "nobody");
  CHECK_FALSE(third.resumed());
}

TEST_CASE("tls: what is revoked is refused, and everybody is once the list is out of date") {
  const int version = any_version();
  const tls::CertificateFiles alice = test_client("alice"), bob = test_client("bob");
  const std::string& ours = test_authority().certificate;
  const auto trust = trust_in(ours, Demand::Required, test_revoked({&bob}));
  CHECK(trust->lists_until() > std::time(nullptr));
  Doorkeeper door(trust);
  CHECK(door.ask(&alice, version) == "CN=alice");
  CHECK(door.ask(&bob, version) == "its certificate is refused (certificate revoked)");
  const auto old = trust_in(ours, Demand::Required, test_revoked({}, -1));
  CHECK(old->lists_until() < std::time(nullptr));
  Doorkeeper late(old);
  CHECK(late.ask(&alice, version) == "its certificate is refused (CRL has expired)");
}

TEST_CASE("tls: authorities and lists that cannot be used are told of") {
  const std::string& good = test_authority().certificate;
  const auto wrong = [](const std::string& authorities, const std::string& revoked = {}) {
    const auto made = tls::ClientTrust::read(authorities, revoked, Demand::Required);
    REQUIRE_FALSE(made.has_value());
    CHECK_FALSE(made.error().hint.empty());
    return std::string(made.error().in_list ? "list: " : "") + made.error().message;
  };
  CHECK(wrong("").starts_with("no authority's certificate can be read: "));
  CHECK(wrong(good + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
            .starts_with("no authority's certificate can be read: "));
  CHECK(wrong(test_client("alice").certificate) == "`CN=alice` is no authority's certificate");
  CHECK(wrong(good, good).starts_with("list: no list of what is revoked can be read: "));
  CHECK(wrong(good, "x").starts_with("list: "));
  // One that is named twice is one.
  CHECK(tls::ClientTrust::read(good + good, test_revoked({}), Demand::Optional).has_value());
}

TEST_CASE("tls: handshakes are counted by what became of them") {
  Memory memory;
  tls::Server server = server_for();
  const auto counts = std::make_shared<tls::HandshakeCounts>();
  server.counts = counts;
  server.clients = trust_in(test_authority().certificate, Demand::Optional);
  server.options.unknown_name = tls::Options::UnknownName::Refuse;
  server.options.handshakes = 1;
  server.options.groups = {"X25519"};
  const int version = any_version();
  const bool newest = version == TLS1_3_VERSION;
  Worker worker(server);
  {
    TlsPeer first({.name = "a.example", .version = version});
    End end(worker, memory);
    talk(end, first);
    TlsPeer again({.name = "a.example", .version = version, .session = first.session()});
    End there(worker, memory);
    talk(there, again);
    CHECK(counts->completed(newest, false) == 1);
    CHECK(counts->completed(newest, true) == 1);
    CHECK(counts->completed(!newest, false) + counts->completed(!newest, true) == 0);
  }
  using tls::Failure;
  const auto meets = [&](const TlsPeer::Options& options) {
    TlsPeer peer(options);
    End end(worker, memory);
    talk(end, peer);
  };
  const auto hears = [&](const std::string& bytes) { End(worker, memory).hears(bytes); };
  const tls::CertificateFiles stranger = test_client("a", {}, other_authority());
  meets({.name = "b.example", .version = version});
  meets({.name = "a.example", .alpn = {"ftp"}, .version = version});
  meets({.name = "a.example", .version = version, .identity = &stranger});
  meets({.name = "a.example", .version = TLS1_2_VERSION, .signatures = "RSA-PSS+SHA256"});
  hears("GET / HTTP/1.1\r\n");
  hears(std::string(100, '\0'));
  {
    TlsPeer peer({.name = "a.example", .version = version}), other({.name = "a.example", .version = version});
    End waits(worker, memory), comes(worker, memory);
    waits.hears(peer.says());
    comes.hears(other.says());
    CHECK(counts->failed(Failure::Limit) == 1);
    CHECK(counts->failed(Failure::Left) == 0);
  }
  {
    End silent(worker, memory);
  }
  for (const Failure each : {Failure::Name, Failure::Protocol, Failure::Certificate, Failure::Cipher,
                             Failure::PlainHttp, Failure::NotTls, Failure::Left}) {
    INFO(tls::kFailureNames[static_cast<size_t>(each)]);
    CHECK(counts->failed(each) == 1);
  }
  uint64_t all = 0;
  for (size_t i = 0; i < tls::kFailureNames.size(); ++i) all += counts->failed(static_cast<Failure>(i));
  CHECK(all == 8);
  server.options.min_version = tls::Options::Version::Tls13;
  Worker newer(server);
  TlsPeer old({.version = TLS1_2_VERSION});
  End end(newer, memory);
  talk(end, old);
  CHECK(counts->failed(Failure::Version) == 1);
}

TEST_CASE(
    "tls: who asks for it is told what the authority says of the certificate, as long as that is good") {
  Memory memory;
  const int version = any_version();
  const tls::CertificateFiles files = test_certificate({"a.example"});
  const auto certificate = Certificate::read(files.certificate + test_authority().certificate, files.key);
  REQUIRE(certificate.has_value());
  const auto told = [&](const std::string& response, bool asks) {
    auto read = tls::OcspResponse::read(response, **certificate);
    REQUIRE(read.has_value());
    auto certificates = std::make_shared<tls::Certificates>();
    certificates->add_default(*certificate);
    certificates->staple(**certificate, std::move(*read));
    tls::Server server = server_for();
    server.certificates = certificates;
    Worker worker(server);
    TlsPeer peer({.version = version, .asks_status = asks});
    End end(worker, memory);
    talk(end, peer);
    REQUIRE(peer.open);
    return peer.status();
  };
  const std::string good = test_ocsp(files);
  CHECK(told(good, true) == good);
  CHECK(told(good, false).empty());
  CHECK(told(test_ocsp(files, "good", -1), true).empty());
}

TEST_CASE("tls: what OCSP says that cannot be sent is told of") {
  const tls::CertificateFiles files = test_certificate({"a.example"});
  const auto with = Certificate::read(files.certificate + test_authority().certificate, files.key);
  const auto alone = Certificate::read(files.certificate, files.key);
  REQUIRE((with && alone));
  const auto wrong = [&](const std::string& bytes, const Certificate& certificate) {
    const auto read = tls::OcspResponse::read(bytes, certificate);
    REQUIRE_FALSE(read.has_value());
    return read.error().message;
  };
  const std::string good = test_ocsp(files);
  CHECK(tls::OcspResponse::read(good, **with)->until_s() > std::time(nullptr));
  CHECK(wrong("", **with) == "it is no response of OCSP");
  CHECK(wrong(good.substr(0, good.size() - 1), **with) == "it is no response of OCSP");
  CHECK(wrong(good + "x", **with) == "it is no response of OCSP");
  CHECK(wrong(files.certificate, **with) == "it is no response of OCSP");
  CHECK(wrong(std::string("\x30\x03\x0a\x01\x03", 5), **with) ==
        "it says nothing of a certificate: trylater");
  CHECK(wrong(good, **alone).starts_with("it cannot be verified: "));
  CHECK(wrong(test_ocsp(test_certificate({"a.example"})), **with) == "it is about another certificate");
  CHECK(wrong(test_ocsp(files, "revoked"), **with) == "the certificate is revoked");
  CHECK(wrong(test_ocsp(files, "unknown"), **with) == "the authority does not know the certificate");
  CHECK(wrong(test_ocsp(files, "good", 0), **with) == "it does not say for how long it is good");
  for (size_t at = 40; at < 150; ++at) {
    INFO("byte " << at);
    std::string forged = good;
    forged[at] = static_cast<char>(forged[at] ^ 1);
    CHECK_FALSE(tls::OcspResponse::read(forged, **with).has_value());
  }
  // Signed by who has the authority's name and not its key.
  const int64_t now = std::time(nullptr);
  const auto liar = tls::make_certificate(
      {.subject = "Tests", .from_s = now - 1000, .until_s = now + 1000, .authority = true}, nullptr);
  CHECK_FALSE(tls::OcspResponse::read(test_ocsp(files, "good", 1, *liar), **with).has_value());
}

// Two ends of ours, until neither has anything to say.
void talk(End& server, End& client) {
  for (;;) {
    const std::string asked = client.says();
    server.hears(asked);
    const std::string answered = server.says();
    client.hears(answered);
    if (asked.empty() && answered.empty()) return;
  }
}

// The transports of one worker to a server.
struct ClientWorker {
  ClientWorker(std::string_view host, const std::string& authorities = test_authority().certificate)
      : make((*tls::client_transports(host, {"http/1.1"}, authorities))([] { return uint64_t{1}; })) {}
  transport::MakeTransport make;
};

TEST_CASE("tls client: it asks by name, believes who is vouched for, and says what it is asked to") {
  Memory memory;
  Worker there(server_for());
  ClientWorker here("a.example");
  size_t first = 0;
  for (int i = 0; i < 3; ++i) {
    End server(there, memory), client(here.make(), memory);
    REQUIRE(client.output.append("question"));
    talk(server, client);
    CHECK(client.transport->state() == State::Open);
    CHECK(client.transport->alpn() == "http/1.1");
    CHECK(server.came == "question");
    REQUIRE(server.output.append(std::string(100'000, 'a')));
    talk(server, client);
    CHECK(client.came == std::string(100'000, 'a'));
    // A session that is resumed needs no certificate of the server's.
    if (i == 0) first = client.heard;
    INFO(client.heard << " of " << first);
    CHECK((client.heard + 400 < first) == (i != 0));
    client.transport->close_notify(client.wire);
    server.hears(contents(client.wire));
    client.wire.clear();
    CHECK(server.transport->state() == State::Ended);
  }
}

TEST_CASE(
    "tls client: a certificate of another name, of nobody, or of the past ends it, and both sides know why") {
  Memory memory;
  const auto why = [&](const tls::Server& server, std::string_view host, const std::string& authorities) {
    Worker there(server);
    ClientWorker here(host, authorities);
    End asked(there, memory), client(here.make(), memory);
    REQUIRE(client.output.append("secret"));
    talk(asked, client);
    CHECK(client.transport->state() == State::Failed);
    CHECK(asked.transport->state() == State::Failed);
    CHECK(asked.came.empty());
    client.output.clear();
    return std::string(client.transport->failure());
  };
  const std::string& good = test_authority().certificate;
  CHECK(why(server_for(), "b.example", good).contains("hostname mismatch"));
  CHECK(why(server_for(), "127.0.0.1", good).contains("IP address mismatch"));
  CHECK(why(server_for(), "a.example", test_certificate({"a.example"}).certificate)
            .contains("not to be trusted"));
  tls::Server old = server_for();
  auto certificates = std::make_shared<tls::Certificates>();
  certificates->add_default(read(test_certificate({"a.example"}, tls::KeyKind::EcdsaP256, -1)));
  old.certificates = certificates;
  CHECK(why(old, "a.example", good).contains("has expired"));
}

TEST_CASE("certificate: what cannot be used is refused with what helps") {
  const tls::CertificateFiles good = test_certificate({"a.example", "*.b.example"});
  const auto certificate = read(good);
  CHECK(certificate->key_type() == "ECDSA P-256");
  CHECK(certificate->names() == std::vector<std::string>{"a.example", "*.b.example"});
  CHECK(certificate->is_for("x.b.example"));
  CHECK(certificate->is_for("*.b.example"));
  CHECK_FALSE(certificate->is_for("b.example"));
  CHECK_FALSE(certificate->is_for("x.y.b.example"));
  CHECK(certificate->issuer() == "CN=Tests");
  CHECK(certificate->fingerprint().size() == 64);
  CHECK(certificate->not_after() > certificate->not_before());
  CHECK(read(test_certificate({"a"}, tls::KeyKind::Ed25519))->key_type() == "Ed25519");
  const auto fault = [](std::string_view chain, std::string_view key) {
    return Certificate::read(chain, key).error().fault;
  };
  using Fault = Certificate::Fault;
  CHECK(fault("", good.key) == Fault::BadChain);
  CHECK(fault("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", good.key) == Fault::BadChain);
  CHECK(fault(good.certificate, "") == Fault::BadKey);
  CHECK(fault(good.certificate, good.certificate) == Fault::BadKey);
  CHECK(fault(good.certificate, test_certificate({"a.example"}).key) == Fault::Mismatch);
  CHECK(fault(good.certificate,
              "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
              "MIGbMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAhFPaXhJyEmVwICCAAw\n"
              "-----END ENCRYPTED PRIVATE KEY-----\n") != Fault::Mismatch);
  // The other way round.
  const auto wrong = Certificate::read(test_authority().certificate + good.certificate, good.key);
  CHECK(wrong.error().fault == Fault::Mismatch);
  CHECK(wrong.error().message.contains("not the first one"));
}

}  // namespace leat::test
