// A stage: a site under test behind a real session, with neither sockets nor threads; and what it logs.
#pragma once

#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/log.h"
#include "pipeline/fixture.h"
#include "pipeline/pipeline.h"
#include "support/http_harness.h"

namespace leat::pipeline::test {

// What is logged while it lives.
class LogText {
 public:
  LogText() {
    const Fd file(::mkstemp(path_.data()));
    REQUIRE(file);
    REQUIRE(log::open({.level = log::Level::Debug, .file = path_}));
  }
  ~LogText() { take(); }
  std::string take() {
    log::close();
    std::ifstream file(path_);
    std::string text{std::istreambuf_iterator<char>(file), {}};
    std::remove(path_.c_str());
    return text;
  }

 private:
  std::string path_ = "/tmp/leat-pipeline-test-XXXXXX";
};

// A site under a session.
class Stage {
 public:
  explicit Stage(std::span<const MiddlewareKind> kinds = kKinds, const Surroundings& surroundings = {})
      : builder_(kinds, surroundings) {}
  // Kind, and options as entries.
  void middleware(std::string kind, Value::Table options = {}) {
    builder_.add_middleware(
        {.kind = std::move(kind), .options = table(std::move(options)), .place = line(1)});
  }
  // The handler is the site's.
  ScriptHandler& route(std::string path, std::vector<std::string> methods = {"GET"},
                       uint64_t body_limit = 0) {
    auto handler = std::make_unique<ScriptHandler>();
    ScriptHandler& kept = *handler;
    RouteSpec spec;
    spec.path = std::move(path);
    spec.methods = std::move(methods);
    spec.handler = std::move(handler);
    spec.body_limit = body_limit;
    builder_.add_route(std::move(spec));
    return kept;
  }
  ~Stage() {
    if (!harness_) return;
    session_->disconnect();
    session_->output().clear();
    CHECK(harness_->exchanges.out() == 0);
    session_.reset();
    CHECK(harness_->worker.blocks().out() == 0);
  }
  // What its session is fed are requests of the daemon's own. Before the first of them.
  void be_own() { own_ = true; }
  // What the session answers to `bytes`.
  std::string feed(std::string_view bytes) {
    session().feed(bytes);
    return leat::test::HttpHarness::take(session());
  }
  std::string get(std::string_view target, std::string_view fields = "") {
    return feed("GET " + std::string(target) + " HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n");
  }
  // The same where nobody looks at the answer: nothing here asks for heap memory.
  void serve(std::string_view bytes) {
    session().feed(bytes);
    sent();
  }
  // Whatever the session has to send leaves.
  void sent() {
    leat::test::HttpHarness::send_all(session());
    calls.clear();
  }
  http1::Session& session() {
    if (!site_) {
      Diagnostics diagnostics;
      site_ = builder_.build(diagnostics);
      REQUIRE(site_);
      pipeline_.emplace(*site_, &left_);
      harness_ = std::make_unique<leat::test::HttpHarness>(*pipeline_);
      http::ProtocolPeer peer = http::peer_at("192.0.2.1");
      peer.internal = own_;
      session_ = std::make_unique<http1::Session>(harness_->environment, peer);
      calls.clear();
    }
    return *session_;
  }
  // The worker begins to serve. After the last route.
  void start() {
    session();
    pipeline_->on_start(harness_->worker);
  }
  // Replaces the site by one whose only route answers `text` at `path`. The former lives as long as the
  // stage.
  void replace(std::string path, std::string text) {
    SiteBuilder builder(kKinds);
    auto handler = std::make_unique<ScriptHandler>();
    handler->on_handle = [text](http::Exchange& exchange) {
      exchange.send(text);
      return Verdict::Done;
    };
    RouteSpec spec;
    spec.path = std::move(path);
    spec.methods = {"GET"};
    spec.handler = std::move(handler);
    builder.add_route(std::move(spec));
    Diagnostics diagnostics;
    auto next = builder.build(diagnostics);
    REQUIRE(next);
    pipeline_->replace_site(*next);
    former_.push_back(std::move(site_));
    site_ = std::move(next);
  }
  // The sites that no request is left of: 0 for the first, and so on.
  [[nodiscard]] std::vector<size_t> left() const {
    std::vector<size_t> numbers;
    for (const Site* site : left_.sites)
      for (size_t i = 0; i < former_.size(); ++i)
        if (former_[i].get() == site) numbers.push_back(i);
    return numbers;
  }
  [[nodiscard]] uint64_t requests() const { return pipeline_->requests(*site_); }
  leat::test::HttpHarness& harness() {
    session();
    return *harness_;
  }

 private:
  struct Left final : Pipeline::Owner {
    void on_site_unused(const Site& site) override { sites.push_back(&site); }
    std::vector<const Site*> sites;
  };

  bool own_ = false;
  SiteBuilder builder_;
  Left left_;
  std::vector<std::unique_ptr<Site>> former_;
  std::unique_ptr<Site> site_;
  std::optional<Pipeline> pipeline_;
  std::unique_ptr<leat::test::HttpHarness> harness_;
  std::unique_ptr<http1::Session> session_;
};

inline int status_of(std::string_view answer) {
  return answer.size() > 12 ? std::stoi(std::string(answer.substr(9, 3))) : 0;
}

}  // namespace leat::pipeline::test
