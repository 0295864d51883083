// SelfRequests: requests that a worker makes to itself, without a client, as the response cache does to have
// what is stale made anew while it is served (WorkerContext::ask_self).
//
// Each is a protocol like a connection's, fed with a head that no socket brought; its answer is dropped as it
// comes. So middleware, handlers, limits and the log see nothing unusual: the peer is "self", whoever the client
// is that it is asked for. It ends with
// its answer, or is given up at limits.answer_timeout, or when its answer is larger than anything would
// store.
//
// Thread: its worker's.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "http/limits.h"
#include "http/protocol.h"
#include "net/loop.h"
#include "worker/options.h"

namespace leat::worker {

class SelfRequests {
 public:
  SelfRequests(net::Loop& loop, http::ProtocolFactory& protocols, const http::Limits& limits,
               const SelfRequestOptions& options);
  ~SelfRequests();
  SelfRequests(const SelfRequests&) = delete;
  SelfRequests& operator=(const SelfRequests&) = delete;

  // False: too many are under way. Nothing of it runs before the next timers do.
  bool ask(std::string_view head, const http::ClientIdentity& identity, std::string_view listener);
  // Something happened to one of these protocols.
  void touch(const http::Protocol& protocol);
  // How many there may be from now on.
  void set_most(uint32_t most) { options_.most = most; }
  [[nodiscard]] const SelfRequestOptions& options() const { return options_; }
  // Ends all.
  void abandon_all();

 private:
  struct Request;

  void run(Request& request);
  void end(Request& request);

  net::Loop& loop_;
  http::ProtocolFactory& protocols_;
  const http::Limits& limits_;
  SelfRequestOptions options_;
  std::vector<std::unique_ptr<Request>>
      under_way_;  // by the number of their protocols' owner; null where one has ended
  std::vector<uint32_t> free_;
};

}  // namespace leat::worker
