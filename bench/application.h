// What the benchmarks of whole requests have of a daemon: all but the sockets, the loop and the clock.
//
//   Application   a configuration, its plugins and its site, put together as the daemon does
//   Client        a connection to a site's pipeline; asks, and takes the answer
//
// Requests that wait are resumed at once, in turn: what is measured is what waiting costs, not how long it
// takes. An answer that is not the one that was wanted ends the program, since what it cost would be worth
// nothing.
//
// Thread: one.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/config.h"
#include "config/diagnostics.h"
#include "pipeline/pipeline.h"
#include "plugin/shared_resources.h"
#include "server/assemble.h"
#include "support/http_harness.h"

namespace leat::bench {

[[noreturn]] inline void fail(const std::string& why) {
  std::fprintf(stderr, "%s\n", why.c_str());
  std::exit(1);
}

class Application {
 public:
  Application(const char* configuration, std::vector<std::string> folders) {
    auto [config, diagnostics] = config::load(configuration);
    if (!config) fail(config::render(diagnostics));
    libraries_.shared().cache.configure(config->settings.shared.cache, 1);
    auto made = server::assemble(*config, libraries_, std::move(folders), 1, diagnostics);
    if (!made) fail(config::render(diagnostics));
    assembly_.emplace(std::move(*made));
    if (!assembly_->worker_init(0)) fail("a plugin does not start");
  }
  ~Application() { assembly_->worker_fini(0); }
  Application(const Application&) = delete;
  Application& operator=(const Application&) = delete;

  [[nodiscard]] const pipeline::Site& site() const { return *assembly_->site; }
  // One of its handlers, for another site. It must go before the application.
  [[nodiscard]] std::unique_ptr<pipeline::Handler> handler(std::string_view plugin,
                                                           const std::string& name) const {
    for (const auto& instance : assembly_->plugins) {
      if (instance->name() != plugin) continue;
      auto made = plugin::make_handler(*instance, name, {.id = name, .pattern = "/", .params = {}});
      if (made) return std::move(*made);
    }
    fail("there is no handler " + name);
  }

 private:
  plugin::PluginLibraries libraries_;
  std::optional<server::Assembly> assembly_;
};

class Client {
 public:
  // `site` must outlive it. `connections` can have requests under way at the same time.
  explicit Client(const pipeline::Site& site, size_t connections = 1)
      : pipeline_(site), harness_(pipeline_, true, connections) {
    harness_.limits.requests_per_connection = UINT64_MAX;
    for (size_t i = 0; i < connections; ++i)
      sessions_.push_back(std::make_unique<http1::Session>(harness_.environment, "192.0.2.7", 0));
  }
  ~Client() {
    for (const auto& session : sessions_) session->disconnect();
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Asks on the first connection; returns how many bytes the answer had.
  size_t ask(std::string_view request) {
    sessions_[0]->feed(request);
    resume_until_answered(*sessions_[0]);
    return take(*sessions_[0]);
  }
  // One request on each connection, all of them under way before the first is taken further.
  size_t ask_all(const std::vector<std::string>& requests) {
    for (size_t i = 0; i < sessions_.size(); ++i) sessions_[i]->feed(requests[i % requests.size()]);
    size_t size = 0;
    for (const auto& session : sessions_) {
      resume_until_answered(*session);
      size += take(*session);
    }
    return size;
  }
  // The body of the answer, which must have this status line and end as given.
  void expect(std::string_view request, std::string_view ending, std::string_view status = "200 OK") {
    sessions_[0]->feed(request);
    resume_until_answered(*sessions_[0]);
    const std::string answer = test::HttpHarness::take(*sessions_[0]);
    if (!answer.starts_with("HTTP/1.1 " + std::string(status)) || !answer.ends_with(ending))
      fail(std::string(request) + "is answered\n" + answer);
  }

 private:
  // Without asking the heap, once the list has room.
  void resume_until_answered(http1::Session& session) {
    auto& waiting = harness_.worker.waiting;
    for (size_t i = 0; i < waiting.size(); ++i) {
      const auto each = waiting[i];  // what it resumes may wait again
      harness_.resume(each);
    }
    waiting.clear();
    if (session.output().empty()) fail("a request is never answered");
  }
  static size_t take(http1::Session& session) {
    size_t total = 0;
    while (!session.output().empty()) {
      std::string_view parts[16];
      const size_t count = session.output().gather(parts);
      size_t size = 0;
      for (size_t part = 0; part < count; ++part) size += parts[part].size();
      session.sent(size);
      total += size;
    }
    return total;
  }

  pipeline::Pipeline pipeline_;
  test::HttpHarness harness_;
  std::vector<std::unique_ptr<http1::Session>> sessions_;
};

}  // namespace leat::bench
