// A plugin under test: loaded by the real host, its handlers asked through real sessions, with neither
// sockets nor a pipeline. The path of a request names the handler ("/throws"), its further segments are the
// path parameters that route() named.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/node_pool.h"
#include "base/value.h"
#include "http1/session.h"
#include "plugin/host.h"
#include "plugin/shared_resources.h"
#include "server/testhost/virtual_worker.h"

namespace leat::plugin::test {

// The library `name` of this folder, or of the path given.
std::expected<std::unique_ptr<PluginLibrary>, LoadError> load(std::string_view name,
                                                              SharedResources* shared = nullptr);

// A table of an instance's options: keys and values, as if written on line 1, 2, ... of a file.
Value table(Value::Table entries);
template <class T>
Value::Entry entry(std::string key, T value, uint32_t line) {
  return {std::move(key),
          Value(std::move(value), Place{.line = line, .column = 10}, Place{.line = line, .column = 1})};
}

// Everything that is logged while it lives.
class LogText {
 public:
  LogText();
  ~LogText();
  // What came so far; ends the capture.
  std::string take();

 private:
  std::string path_;
  bool open_ = true;
};

struct Answer {
  int status = 0;
  std::string head;
  std::string body;  // as framed
  bool cut = false;  // the connection would be reset
  std::string rest;  // what followed
};

// Loads a plugin, creates an instance and serves its handlers.
class Site : public http::Service {
 public:
  explicit Site(std::string_view plugin, const Value& options = {});
  ~Site() override;

  // Binds the handler `name` with these path parameters; handlers asked for without have none.
  // `parameters`: as a route's configuration declares them.
  std::expected<void, LoadError> route(const std::string& name, std::vector<std::string> params = {},
                                       std::vector<pipeline::ParameterSpec> parameters = {});

  // One request on a connection of its own; runs timers and completions until the answer is there.
  Answer ask(std::string_view wire);
  Answer get(std::string_view target, std::string_view fields = "");
  Answer post(std::string_view target, std::string_view body);

  http1::Environment& environment() { return environment_; }
  PluginInstance& instance() { return *instance_; }
  SharedResources& shared() { return shared_; }
  testing::VirtualWorker& worker() { return worker_; }
  // Runs what is due next. False when nothing waits.
  bool resume_all();

  http::Limits limits;
  Executor executor = Executor::Worker;  // of routes from here on
  pipeline::FormLimits form_limits;      // likewise
  uint64_t handled = 0, ended = 0;       // handle() calls, on_done() calls

  // --- http::Service, as the pipeline does it
  BodyMode on_request(http::Exchange& exchange) override;
  void on_body(http::Exchange& exchange, std::string_view piece) override;
  void on_body_end(http::Exchange& exchange) override;
  void on_writable(http::Exchange& exchange) override;
  void on_response(http::Exchange&) override {}
  void on_cancel(http::Exchange& exchange) override;
  void on_done(http::Exchange& exchange) override;

 private:
  struct Running {
    pipeline::Handler* handler;
    bool called;
  };

  SharedResources shared_;
  std::unique_ptr<PluginLibrary> library_;
  std::unique_ptr<PluginInstance> instance_;
  std::map<std::string, std::unique_ptr<pipeline::Handler>, std::less<>> handlers_;
  std::map<http::Exchange*, Running> running_;
  testing::VirtualWorker worker_;
  NodePool<transport::OutputSegment> segments_{65'536};
  http::ExchangePool exchanges_{worker_, 64};
  http1::Writer writer_{""};
  http1::Environment environment_;
};

using testing::take_output;
Answer parse_answer(std::string_view wire);
std::string request_for(std::string_view target);
// What is answered at once, while other requests wait for their work: Site::get would wait for them too.
Answer ask_at_once(Site& site, std::string_view target);

// Runs what comes back until `done`; nothing may take ten seconds.
template <class Done>
bool turn_until(Site& site, Done&& done) {
  for (int i = 0; i < 100'000; ++i) {
    if (done()) return true;
    if (!site.resume_all()) std::this_thread::sleep_for(std::chrono::microseconds(100));
  }
  return false;
}

}  // namespace leat::plugin::test
