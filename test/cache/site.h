// A cached route behind real sessions, with a clock that the test moves: for tests of who has the handler
// run, and who gets what.
#pragma once

#include <fmt/core.h>

#include <catch2/catch_test_macros.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cache/cached_handler.h"
#include "pipeline/pipeline.h"
#include "support/http_harness.h"

namespace leat::cache {

using pipeline::Verdict;

// Answers as `answer` does, which is told how often it was asked.
class Script final : public pipeline::Handler {
 public:
  Verdict handle(http::Exchange& exchange) override {
    ++runs;
    return answer(exchange);
  }
  void on_done(http::Exchange&) override { ++ended; }
  [[nodiscard]] std::string_view blame() const override { return "script"; }

  int runs = 0, ended = 0;
  std::map<std::string, std::string> fields;  // of every answer
  std::function<Verdict(http::Exchange&)> answer = [this](http::Exchange& exchange) {
    return say(exchange, fmt::format("run {}", runs));
  };
  Verdict say(http::Exchange& exchange, std::string_view body, uint16_t status = 200) {
    exchange.response.status = status;
    exchange.response.content_type = "text/plain";
    for (const auto& [name, value] : fields) REQUIRE(exchange.response.add(name, value));
    return exchange.send(body) ? Verdict::Done : Verdict::Error;
  }
};

inline Policy minute() {
  Policy policy;
  policy.ttl_ms = 60'000;
  policy.jitter = 0;
  return policy;
}

struct Answer {
  int status = 0;
  std::string head, body;
  [[nodiscard]] std::string field(std::string_view name) const {
    const size_t at = head.find("\r\n" + std::string(name) + ": ");
    if (at == std::string::npos) return "";
    const size_t begin = at + name.size() + 4;
    return head.substr(begin, head.find("\r\n", begin) - begin);
  }
};

// One worker with one cached route, "/{rest...}", one without a cache, and any number of clients.
class Site {
 public:
  // With an instance of each of the kinds, which must outlive it, on every route.
  explicit Site(const Policy& policy = minute(), const Limits& limits = {}, Store::Hash hash = sip_hash<1, 3>,
                std::span<const pipeline::MiddlewareKind> kinds = {},
                const pipeline::Surroundings& surroundings = {})
      : store_(hash) {
    store_.configure(limits, 1);
    auto handler = std::make_unique<Script>();
    script = handler.get();
    pipeline::SiteBuilder builder(kinds, surroundings);
    for (const pipeline::MiddlewareKind& kind : kinds)
      builder.add_middleware({.kind = std::string(kind.name)});
    pipeline::RouteSpec spec;
    spec.path = "/{rest...}";
    spec.methods = {"GET", "POST"};
    spec.handler = std::make_unique<CachedHandler>(std::move(handler), policy, cache);
    builder.add_route(std::move(spec));
    // Methods that change something below /changed lead elsewhere.
    auto other = std::make_unique<Script>();
    changer = other.get();
    pipeline::RouteSpec change;
    change.path = "/changed/{rest...}";
    change.methods = {"PUT", "DELETE", "QUERY"};
    change.handler = std::move(other);
    builder.add_route(std::move(change));
    builder.set_change_listener(cache);
    Diagnostics diagnostics;
    site_ = builder.build(diagnostics);
    REQUIRE(site_);
    pipeline_.emplace(*site_);
    harness.emplace(*pipeline_);
  }

  class Client {
   public:
    explicit Client(Site& site) : Client(site, http::peer_at("192.0.2.1")) {}
    Client(Site& site, const http::ProtocolPeer& peer) : session_(site.harness->environment, peer) {}
    ~Client() { leave(); }
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;
    void ask(std::string_view target, std::string_view fields = "", std::string_view method = "GET") {
      session_.feed(fmt::format("{} {} HTTP/1.1\r\n{}{}\r\n", method, target,
                                fields.contains("Host:") ? "" : "Host: a\r\n", fields));
    }
    // What has come of the answer; status 0 where nothing has.
    Answer take() {
      std::string wire = test::HttpHarness::take(session_);
      if (wire.empty()) return {};
      const size_t end = wire.find("\r\n\r\n");
      REQUIRE(end != std::string::npos);
      return {std::stoi(wire.substr(9, 3)), wire.substr(0, end + 2), wire.substr(end + 4)};
    }
    void leave() {
      session_.disconnect();
      session_.output().clear();
    }
    http1::Session& session() { return session_; }

   private:
    http1::Session session_;
  };

  Answer get(std::string_view target, std::string_view fields = "", std::string_view method = "GET") {
    Client client(*this);
    client.ask(target, fields, method);
    return client.take();
  }
  std::string body(std::string_view target, std::string_view fields = "") { return get(target, fields).body; }
  std::string_view purge(PurgeBy by, std::string_view what, bool hard) {
    return cache.purge(by, what, hard, harness->worker.now_ms);
  }
  void pass(uint64_t ms) { harness->worker.now_ms += ms; }
  // Answers what the worker has asked itself.
  void refresh() {
    std::vector<std::string> asked;
    asked.swap(harness->worker.asked);
    for (const std::string& head : asked) {
      const test::TestWorker& worker = harness->worker;
      Client self(*this,
                  {.identity = {.peer = "self", .client = worker.asked_client, .scheme = worker.asked_scheme},
                   .listener = worker.asked_listener,
                   .internal = true});
      self.session().feed(head);
      CHECK(self.session().finished());
    }
  }

  Script* script = nullptr;
  Script* changer = nullptr;  // without a cache

 private:
  Store store_;

 public:
  ResponseCache cache{store_, CachedHandler::wake};
  std::optional<test::HttpHarness> harness;
  [[nodiscard]] const pipeline::Site& site() const { return *site_; }
  [[nodiscard]] Statistics statistics() const { return store_.statistics(); }

 private:
  std::unique_ptr<pipeline::Site> site_;
  std::optional<pipeline::Pipeline> pipeline_;
};

}  // namespace leat::cache
