// Client: the connections of one worker to upstreams, on the worker's own loop.
//
//   start() -> a kept connection, or a new one, or the queue of the upstream -> one gathered answer -> resume
//
// An upstream has at most so many connections; what does not fit waits, in order, up to a limit. A connection of HTTP/1.1
// carries one fetch at a time and is kept when the answer's end is certain; one of HTTP/2 carries as many as its server takes
// (client/http2_session.h). Which it is is known when it is open: over TLS by what both agree on, else as the upstream says. Where it
// may be HTTP/2, one is opened for all, and others when that one is full. What a server has not looked at goes by another
// connection, a few times. Where a kept one turns out to be
// closed before a byte of the answer came, and the method may be repeated (RFC 9110, section 9.2.2), the
// fetch is tried once more on a new one. Closing is a join: a connection's slot is used again when its last
// operation has completed, and tokens hold a generation.
//
// Over a transport (UpstreamOptions) requests are sealed and answers opened as a worker's connection does it.
// It is connected when that is open, and an answer that only the connection's end completes is whole only if
// the transport says that nothing follows.
//
// Its tokens have kClientSlot set, so that a worker can tell them from those of its own connections.
//
// Thread: its worker's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <unordered_map>
#include <vector>

#include "base/fd.h"
#include "client/errands.h"
#include "client/fetch.h"
#include "client/response_parser.h"
#include "client/upstream.h"
#include "net/loop.h"
#include "net/socket.h"
#include "transport/output.h"

namespace leat::client {

inline constexpr uint32_t kClientSlot = 0x8000'0000;

class Client final : public Fetcher {
 public:
  // Goes on with an exchange whose fetch is over.
  using Deliver = void (*)(void* owner, Fetch& fetch);

  // `owner` is given to `deliver`. The loop must outlive the client. What transports seal lies in `memory`.
  Client(net::Loop& loop, transport::OutputMemory memory, Deliver deliver, void* owner);
  ~Client() override;  // count() must be 0, and every fetch over
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  [[nodiscard]] bool start(Fetch& fetch, const std::shared_ptr<const Upstream>& upstream,
                           const FetchRequest& request) override;
  void cancel(Fetch& fetch) override;
  [[nodiscard]] bool begin(std::shared_ptr<Errand> errand) override;
  void wake(const Errand& errand) override { errands_.wake(errand); }

  void on_completion(const net::Completion& completion);
  // Closes what has ended in this turn, and lets connections receive that found no buffer.
  void on_turn_end();
  // The worker comes to its end: its errands are told. errands() says how many are left.
  void end_errands() { errands_.end(); }
  [[nodiscard]] size_t errands() const { return errands_.count(); }
  // Gives up what is left of them, and closes every connection. No other fetch may be under way.
  void close_all();
  // Connections that are not gone yet.
  [[nodiscard]] size_t count() const { return sockets_.count(); }

 private:
  struct Job;
  struct Pool;
  class Connection;

  struct KeptTransport {
    std::weak_ptr<const Upstream> upstream;
    transport::MakeTransport make;
  };
  transport::MakeTransport transport_to(const std::shared_ptr<const Upstream>& upstream);
  Pool& pool_of(const std::shared_ptr<const Upstream>& upstream);
  Job& take_job();
  void give_job(Job& job);
  void on_job_timer(Job& job);
  // Gives `job` a connection, or a place in the queue; false: neither is to be had. `fresh`: not a kept one.
  bool place(Job& job, bool fresh);
  // Opens a connection for `job` to the upstream's address of that number. False: no socket can be had.
  bool open(Job& job, size_t address);
  void run_waiting(Pool& pool);
  // Takes `job` from where it is: a connection, which then closes, or the queue.
  void take_back(Job& job, bool late);
  void fail_waiting(Pool& pool);
  void place_again(Job& job, std::string_view why);
  // Ends `job` in a later step of this turn's loop, for callers that must not be called back.
  void fail_soon(Job& job, std::string_view message);
  void finish(Job& job, FetchStatus status, std::string_view message);
  void free(uint32_t slot);

  net::Loop& loop_;
  transport::OutputMemory memory_;
  Deliver deliver_;
  void* owner_;
  Errands errands_;
  net::SocketTable<Connection> sockets_;
  std::unordered_map<const Upstream*, std::unique_ptr<Pool>>
      pools_;                                                      // of upstreams with a connection or a job
  std::unordered_map<const Upstream*, KeptTransport> transports_;  // of those that have one
  std::vector<std::unique_ptr<Job>> jobs_;
  Job* free_jobs_ = nullptr;
  std::vector<uint32_t> ended_;  // slots to look at when the turn ends
};

}  // namespace leat::client
