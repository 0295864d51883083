// ScriptedUpstreams: the servers that a plugin asks, as functions of the test.
//
// A fetch is answered by the function for its upstream's URL, which runs at once and says after what time its
// answer arrives, on the clock that the test moves. Nothing is sent anywhere: an upstream without a function
// cannot be connected to.
//
// Thread: its worker's.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "client/fetch.h"
#include "server/testhost/leat/testhost.hpp"

namespace leat::testing {

class ScriptedUpstreams final : public client::Fetcher {
 public:
  explicit ScriptedUpstreams(http::WorkerContext& worker) : worker_(worker) {}

  void set(const std::string& url, Upstream answer) { scripts_[url] = std::move(answer); }

  bool start(client::Fetch& fetch, const std::shared_ptr<const client::Upstream>& upstream,
             const client::FetchRequest& request) override;
  void cancel(client::Fetch& fetch) override;

 private:
  // A fetch under way. Its timer knows it by number: it may run when the fetch was given up.
  struct Job {
    client::Fetch* fetch;
    Answered answer;
    client::FetchStatus status = client::FetchStatus::Answered;
    std::string message = {};
  };

  Answered ask(const client::Upstream& upstream, const client::FetchRequest& request) const;
  static void arrive(http::Exchange& exchange, void* number);

  http::WorkerContext& worker_;
  std::map<std::string, Upstream> scripts_;
  std::map<uintptr_t, Job> jobs_;
  uintptr_t last_number_ = 0;
};

}  // namespace leat::testing
