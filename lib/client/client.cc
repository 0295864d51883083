#include "client/client.h"

#include <fmt/core.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>

#include "base/check.h"
#include "base/counted_text.h"
#include "base/text.h"
#include "client/fetch_watch.h"
#include "client/http2_session.h"
#include "client/request_text.h"
#include "http/exchange.h"
#include "transport/transport.h"

namespace leat::client {

namespace {

// A request's bytes larger than this are not kept for the next one.
constexpr size_t kMostKept = size_t{4} * 1024;

// Where its answer lies.
Arena& arena_of(const Fetch& fetch) {
  return fetch.exchange != nullptr ? fetch.exchange->arena() : *fetch.arena;
}

// Has a fetch recorded where its request's trace is, as what the upstream is told then says.
void begin_record(Fetch& fetch, const Upstream& upstream, const FetchRequest& request,
                  http::TraceParent& trace) {
  const std::string_view told = trace.watch->on_fetch(fetch, upstream, request);
  if (told.empty()) return;
  fetch.watch = trace.watch;
  trace.text = told;
}

void end_record(Fetch& fetch) {
  if (FetchWatch* const watch = std::exchange(fetch.watch, nullptr)) watch->on_fetch_end(fetch);
}

}  // namespace

// A fetch under way. Its timer is the fetch's deadline.
struct Client::Job : net::Timer {
  explicit Job(Client& owner)
      : net::Timer([](net::Timer& timer) {
          auto& late = static_cast<Job&>(timer);
          late.client.on_job_timer(late);
        }),
        client(owner) {}
  Client& client;
  Fetch* fetch = nullptr;
  Pool* pool = nullptr;
  Connection* connection = nullptr;  // that carries it; null while it waits
  CountedText bytes;                 // the request, while no connection has it
  size_t head_bytes = 0;             // of them, before the body
  Http2Call call;                    // what it is on a connection that carries many
  uint64_t heard = 0;                // what that one had received when it began
  uint64_t timeout_ms = 0;
  std::string_view failure;  // of fail_soon()
  uint32_t refusals = 0;     // by servers that had not looked at it
  bool repeatable = false;
  bool repeated = false;
  bool head = false;
  Job* next_free = nullptr;
};

struct Client::Pool {
  std::shared_ptr<const Upstream> upstream;
  transport::MakeTransport transport;  // nothing: plain sockets
  std::vector<Connection*> idle;       // the last one used last
  std::vector<Connection*> shared;     // that carry many
  std::deque<Job*> waiting;
  size_t open = 0;             // connections that are not closing
  size_t total = 0;            // with those that are
  size_t opening = 0;          // of the open ones, that are not connected yet
  bool one_at_a_time = false;  // HTTP/1.1 is spoken: each fetch has a connection of its own

  [[nodiscard]] Connection* with_room() const;
  // Where one connection may be for all, one is opened first.
  [[nodiscard]] bool may_open() const {
    return open < upstream->options().connections && (one_at_a_time || opening == 0);
  }
};

class Client::Connection {
 public:
  Connection(Client& client, Pool& pool, net::SocketId id, Fd fd)
      : client_(client), pool_(pool), socket_(client.loop_.engine(), id, std::move(fd)), timer_(*this) {
    if (pool.transport) sealed_ = std::make_unique<Sealed>(pool.transport(), client.memory_);
    ++pool_.open;
    ++pool_.total;
    ++pool_.opening;
  }
  ~Connection() {
    client_.loop_.timers().stop(timer_);
    --pool_.total;
  }

  void connect(const Upstream::Addresses& addresses, size_t index) {
    address_ = addresses[index];
    address_index_ = index;
    socket_.connect(reinterpret_cast<const sockaddr*>(&address_.storage), address_.size);
    start_timer(options().connect_timeout_ms);
  }

  void carry(Job& job) {
    job_ = &job;
    job.connection = this;
    out_.swap(job.bytes);
    sent_ = 0;
    parser_.reset(arena_of(*job.fetch), options(), job.head);
    if (opening()) return;
    client_.loop_.timers().stop(timer_);
    send_request();
  }

  // Whether it carries many, and takes one more.
  [[nodiscard]] bool has_room() const { return many_ != nullptr && !closing() && many_->has_room(); }
  // The same as carry() for one that has_room().
  void ask(Job& job) {
    job.connection = this;
    job.heard = many_->heard();
    job.call.owner = &job;
    job.call.answer.reset(arena_of(*job.fetch), options(), job.head);
    job.call.body = job.bytes.view().substr(job.head_bytes);
    if (!many_->begin(job.call, job.bytes.view().substr(0, job.head_bytes))) {
      job.connection = nullptr;
      return client_.fail_soon(job, job.call.why);
    }
    client_.loop_.timers().stop(timer_);
    if (many_->has_over() && !telling_) start_timer(0);  // nobody is told from within
    send_many();
  }
  // Nobody waits for its answer any more, `late`: since it has taken too long.
  void give_up(Job& job, bool late) {
    if (job_ == &job) return (void)surrender(true);
    job.connection = nullptr;
    many_->cancel(job.call);
    // Who has said nothing since may have gone without a word: the next ones go elsewhere.
    if (late && many_->heard() == job.heard) many_->stop();
    send_many();
    steer_many();
  }

  // Takes the job off and closes; with `reset`, so that the upstream learns at once that
  // nobody waits for its answer any more.
  Job& surrender(bool reset = false) {
    Job& job = *std::exchange(job_, nullptr);
    job.connection = nullptr;
    close(reset);
    return job;
  }

  void on_completion(const net::Completion& completion) {
    socket_.on_completion(completion);
    if (!closing()) {
      if (completion.token.op() == net::Op::Connect) on_connected(completion.result);
      if (completion.token.op() == net::Op::Send) on_sent(completion.result);
      if (completion.token.op() == net::Op::Receive) on_received(completion);
    }
    if (closing()) client_.ended_.push_back(socket_.slot());
  }

  void close(bool reset = false) {
    if (closing()) return;
    ENSURE(many_ == nullptr || (many_->calls() == 0 && !many_->has_over()));
    socket_.close(reset);
    --pool_.open;
    if (!std::exchange(opened_, true)) --pool_.opening;
    std::erase(pool_.idle, this);
    std::erase(pool_.shared, this);
    client_.loop_.timers().stop(timer_);
    client_.ended_.push_back(socket_.slot());
  }

  void receive() {
    if (!socket_.receiving() && !closing()) socket_.receive();
  }

  [[nodiscard]] bool closing() const { return socket_.closing(); }
  [[nodiscard]] bool gone() const { return !socket_.in_flight(); }
  [[nodiscard]] Pool& pool() { return pool_; }

 private:
  // While it connects the time for that; while it is kept the time for that.
  struct Timer : net::Timer {
    explicit Timer(Connection& owner)
        : net::Timer([](net::Timer& timer) { static_cast<Timer&>(timer).connection.on_timer(); }),
          connection(owner) {}
    Connection& connection;
  };
  // A transport, and what it is to seal next.
  struct Sealed {
    Sealed(std::unique_ptr<transport::Transport> transport, transport::OutputMemory memory)
        : channel(std::move(transport), memory), request(memory) {}
    transport::Channel channel;
    transport::Output request;  // refers to the bytes of out_
  };
  using State = transport::Transport::State;
  // What a transport opens is the answer's. Nothing is told of it before the transport has returned, since
  // who is told may ask for the next.
  struct Sink final : transport::PlainSink {
    explicit Sink(Connection& owner) : connection(owner) {}
    void plain(std::string_view bytes) override {
      connection.choose_protocol();
      if (connection.many_ != nullptr)
        return connection.many_->feed(bytes, connection.client_.loop_.now_ms());
      beyond = beyond || connection.job_ == nullptr || step != ResponseParser::Step::More;
      if (beyond) return;
      step = connection.parser_.feed(bytes);
      beyond = step == ResponseParser::Step::Done && connection.parser_.used() != bytes.size();
    }
    Connection& connection;
    ResponseParser::Step step = ResponseParser::Step::More;
    bool beyond = false;  // more came than was asked for
  };

  [[nodiscard]] const UpstreamOptions& options() const { return pool_.upstream->options(); }
  [[nodiscard]] State state() const { return sealed_ == nullptr ? State::Open : sealed_->channel.state(); }
  // Not connected yet, as far as requests can tell.
  [[nodiscard]] bool opening() const { return socket_.connecting() || state() == State::Handshake; }
  [[nodiscard]] bool all_sent() const {
    if (socket_.sending() || sent_ != out_.size()) return false;
    return sealed_ == nullptr || (sealed_->request.empty() && sealed_->channel.empty());
  }
  void start_timer(uint64_t ms) { client_.loop_.timers().start(timer_, client_.loop_.now_ms() + ms); }

  void on_timer() {
    if (opening()) {
      on_connect_failed("no answer in time");
    } else if (many_ != nullptr && (many_->has_over() || many_->calls() != 0)) {
      run_many();
    } else {
      close();
    }
  }

  void on_connected(int32_t result) {
    if (result < 0) return on_connect_failed(std::strerror(-result));
    receive();
    if (sealed_ != nullptr) return send_sealed();  // its handshake
    on_open();
  }

  void on_open() {
    client_.loop_.timers().stop(timer_);
    if (!choose_protocol()) return on_connect_failed("it does not speak HTTP/2");
    if (!std::exchange(opened_, true)) --pool_.opening;
    pool_.one_at_a_time = many_ == nullptr;
    if (many_ != nullptr) {
      pool_.shared.push_back(this);
      if (Job* const first = std::exchange(job_, nullptr)) {
        first->bytes.swap(out_);
        first->connection = nullptr;
        client_.place_again(*first, "the server takes no requests");
      }
      client_.run_waiting(pool_);
      return run_many();
    }
    if (job_ != nullptr)
      send_request();
    else
      become_idle();
    client_.run_waiting(pool_);
  }

  // Known once it is open. False: it is not what was asked for.
  bool choose_protocol() {
    const bool agreed = sealed_ != nullptr && sealed_->channel.transport().alpn() == "h2";
    const bool wanted = options().protocol == UpstreamProtocol::Http2;
    if (many_ == nullptr && (agreed || (wanted && !pool_.upstream->secure())))
      many_ = std::make_unique<Http2Session>(options(), pool_.upstream->secure(), client_.memory_);
    return many_ != nullptr || !wanted;
  }

  // --- One that carries many.

  void send_many() {
    if (sealed_ != nullptr) return send_sealed();
    if (socket_.sending() || closing()) return;
    send_parts(many_->output());
  }

  // Tells whose fetches are over, and sees whether the connection is.
  void run_many() {
    send_many();
    const bool outer = std::exchange(telling_, true);
    while (Http2Call* const call = many_->take_over()) end_call(*static_cast<Job*>(call->owner));
    telling_ = outer;
    client_.run_waiting(pool_);
    steer_many();
  }

  void steer_many() {
    if (closing()) return;
    if (many_->has_over()) {
      start_timer(0);  // who is told may be on the stack
    } else if (many_->done() && state() != State::Failed && (socket_.sending() || !many_->output().empty())) {
      start_timer(options().connect_timeout_ms);  // for its last words
    } else if (many_->done()) {
      close();
    } else if (many_->calls() == 0) {
      start_timer(options().idle_timeout_ms);
    }
  }

  void end_call(Job& job) {
    using End = Http2Call::End;
    const Http2Call& call = job.call;
    job.connection = nullptr;
    if (call.end == End::Answered) {
      served_ = true;
      Fetch& fetch = *job.fetch;
      fetch.by_http2 = true;
      fetch.code = call.answer.code();
      fetch.fields = call.answer.fields();
      fetch.body = call.answer.body();
      return client_.finish(job, FetchStatus::Answered, {});
    }
    // It was not looked at, or the connection was closed just as it was on its way to one that was kept too long.
    constexpr uint32_t kMostRefusals = 3;
    const bool again = call.end == End::Refused
                           ? job.refusals++ < kMostRefusals
                           : call.end == End::Broken && served_ && !call.answer.begun() && job.repeatable &&
                                 !std::exchange(job.repeated, true);
    if (again) return client_.place_again(job, call.why);
    const FetchStatus status = call.end == End::Failed ? call.failure : FetchStatus::Failed;
    client_.finish(job, status,
                   status == FetchStatus::Failed ? fmt::format("{}: {}", pool_.upstream->url(), call.why)
                                                 : std::string(call.why));
  }

  void end_many(std::string_view why) {
    many_->feed_end(why);
    run_many();
    close();
  }

  // The next address, or none is left.
  void on_connect_failed(std::string_view why) {
    if (job_ == nullptr) return close();
    Job& job = surrender();
    job.bytes.swap(out_);
    if (address_index_ + 1 < pool_.upstream->addresses()->size() && client_.open(job, address_index_ + 1))
      return;
    const std::string said = fmt::format("cannot connect to {}: {}", pool_.upstream->url(), why);
    if (!pool_.one_at_a_time && pool_.open == 0) client_.fail_waiting(pool_);
    client_.run_waiting(pool_);
    client_.finish(job, FetchStatus::Failed, said);
  }

  void send_request() {
    if (sealed_ == nullptr) return send();
    if (!sealed_->request.append_pinned(out_.view(), {}))
      return fail(FetchStatus::Failed, "there is no memory for the request");
    send_sealed();
  }

  void send() {
    const iovec part{out_.data() + sent_, out_.size() - sent_};
    socket_.send({&part, 1});
  }

  // What the transport has to say, and as much of the request as it seals at once.
  void send_sealed() {
    if (socket_.sending() || closing()) return;
    send_parts(sealed_->channel.to_send(plain()));
    if (state() == State::Failed) on_sealing_failed();
  }

  void send_parts(const transport::Output& output) {
    std::array<std::string_view, net::Engine::kMostParts> pieces;
    std::array<iovec, net::Engine::kMostParts> parts;
    const size_t count = output.gather(pieces);
    for (size_t i = 0; i < count; ++i) parts[i] = {const_cast<char*>(pieces[i].data()), pieces[i].size()};
    if (count != 0) socket_.send(std::span(parts).first(count));
  }

  // What is sealed.
  [[nodiscard]] transport::Output& plain() { return many_ != nullptr ? many_->output() : sealed_->request; }

  void on_sent(int32_t result) {
    if (result < 0 && result != -EINTR && result != -EAGAIN) {
      // The peer may have answered before it closed: what it said is received first.
      if (job_ == nullptr && (many_ == nullptr || (many_->calls() == 0 && !many_->has_over()))) close();
      return;
    }
    size_t size = static_cast<size_t>(std::max(result, 0));
    if (sealed_ != nullptr) size = sealed_->channel.sent(size);
    if (many_ != nullptr) {
      many_->output().consume(size);
      many_->sent();
      return run_many();
    }
    if (sealed_ != nullptr) sealed_->request.consume(size);
    sent_ += size;
    if (sealed_ != nullptr) return send_sealed();
    if (job_ != nullptr && sent_ < out_.size()) send();
  }

  void on_received(const net::Completion& completion) {
    if (completion.result == -ENOBUFS) return client_.sockets_.park(socket_.slot());
    if (completion.result == -EINTR || completion.result == -EAGAIN) return receive();
    const std::string_view bytes(completion.buffer.data, completion.result <= 0 ? 0 : completion.buffer.size);
    if (sealed_ != nullptr && !bytes.empty()) {
      on_sealed(bytes);
      if (!completion.armed && !closing()) receive();
      return;
    }
    const char* const why = completion.result < 0 ? std::strerror(-completion.result)
                            : sealed_ != nullptr  ? "the connection was cut"
                                                  : "";
    if (opening()) return on_connect_failed(why);
    if (many_ != nullptr) {
      if (bytes.empty()) return end_many(*why != '\0' ? why : "the connection was closed");
      many_->feed(bytes, client_.loop_.now_ms());
      run_many();
      if (!completion.armed && !closing()) receive();
      return;
    }
    // A kept connection says something only to end.
    if (job_ == nullptr) return close();
    if (completion.result < 0 || sealed_ != nullptr) return on_broken(why);
    const auto step = bytes.empty() ? parser_.end() : parser_.feed(bytes);
    if (step == ResponseParser::Step::Done)
      return on_answer(parser_.used() == bytes.size() && !bytes.empty());
    if (step == ResponseParser::Step::Failed) {
      if (bytes.empty()) return on_broken(parser_.message());
      return fail(parser_.failure(), parser_.message());
    }
    if (!completion.armed) receive();
  }

  void on_sealed(std::string_view wire) {
    Sink sink(*this);
    const bool opens = state() == State::Handshake;
    sealed_->channel.received(wire, sink);
    // There are few of these, and each was asked for: they may take the time that they need.
    while (sealed_->channel.transport().wants_turn()) sealed_->channel.take_turn(sink);
    if (opens && state() == State::Open) choose_protocol();
    if (many_ != nullptr) return on_sealed_many(opens);
    if (sink.step == ResponseParser::Step::Done) return on_answer(!sink.beyond && state() == State::Open);
    if (sink.step == ResponseParser::Step::Failed) return fail(parser_.failure(), parser_.message());
    if (state() == State::Failed) return on_sealing_failed();
    if (state() == State::Ended || sink.beyond) return on_sealed_end();
    if (opens && state() == State::Open) on_open();
    if (!closing()) send_sealed();
  }

  void on_sealed_many(bool opens) {
    if (opens) on_open();
    if (closing()) return;
    if (state() == State::Failed) return on_sealing_failed();
    if (state() == State::Ended) return end_many("the connection was closed");
    run_many();
  }

  // The peer sends no more, and nobody has cut it.
  void on_sealed_end() {
    if (job_ == nullptr) return close();
    if (parser_.end() == ResponseParser::Step::Done) return on_answer(false);
    on_broken(parser_.message());
  }

  void on_sealing_failed() {
    if (!sealed_->channel.was_open()) {
      const std::string why(sealed_->channel.transport().failure());  // which goes with the connection
      return on_connect_failed(why.empty() ? "the handshake failed" : why);
    }
    if (many_ != nullptr) {
      many_->feed_end("what was received cannot be opened");
      return steer_many();
    }
    if (job_ == nullptr) return close();
    on_broken("what was received cannot be opened");
  }

  void on_answer(bool clean) {
    Fetch& fetch = *job_->fetch;
    fetch.code = parser_.code();
    fetch.fields = parser_.fields();
    fetch.body = parser_.body();
    Job& job = *job_;
    if (clean && parser_.reusable() && all_sent()) {
      job_ = nullptr;
      job.connection = nullptr;
      served_ = true;
      receive();  // unless it goes on
      become_idle();
    } else {
      surrender();
    }
    client_.run_waiting(pool_);
    client_.finish(job, FetchStatus::Answered, {});
  }

  void become_idle() {
    out_.reset(kMostKept);
    pool_.idle.push_back(this);
    start_timer(options().idle_timeout_ms);
  }

  // Ended by the peer: perhaps just as this request was on its way to a connection that was kept too long.
  void on_broken(std::string_view why) {
    const bool again = served_ && !parser_.begun() && job_->repeatable && !job_->repeated;
    if (!again) return fail(FetchStatus::Failed, why);
    Job& job = surrender();
    // Copied: a send of it may be under way.
    job.bytes.reset(kMostKept);
    const bool copied = job.bytes.append(client_.memory_.blocks, out_.view(), out_.size());
    job.repeated = true;
    if (!copied || !client_.place(job, true)) client_.finish(job, FetchStatus::Failed, why);
  }

  void fail(FetchStatus status, std::string_view why) {
    Job& job = surrender();
    client_.run_waiting(pool_);
    client_.finish(
        job, status,
        status == FetchStatus::Failed ? fmt::format("{}: {}", pool_.upstream->url(), why) : std::string(why));
  }

  Client& client_;
  Pool& pool_;
  net::Socket socket_;
  Upstream::SocketAddress address_;
  size_t address_index_ = 0;
  bool served_ = false;  // has brought an answer
  Job* job_ = nullptr;
  CountedText out_;                     // the request; stays while a send is under way
  std::unique_ptr<Sealed> sealed_;      // null: the socket is plain
  std::unique_ptr<Http2Session> many_;  // null: HTTP/1.1 is spoken, or which is not known yet
  bool opened_ = false;
  bool telling_ = false;  // whose fetches are over
  size_t sent_ = 0;
  ResponseParser parser_;
  Timer timer_;
};

Client::Connection* Client::Pool::with_room() const {
  const auto found = std::ranges::find_if(shared, &Connection::has_room);
  return found == shared.end() ? nullptr : *found;
}

Client::Client(net::Loop& loop, transport::OutputMemory memory, Deliver deliver, void* owner)
    : loop_(loop),
      memory_(memory),
      deliver_(deliver),
      owner_(owner),
      errands_(*this, loop, memory.blocks),
      sockets_(kClientSlot) {}

Client::~Client() { ENSURE(pools_.empty()); }

Client::Pool& Client::pool_of(const std::shared_ptr<const Upstream>& upstream) {
  auto& pool = pools_[upstream.get()];
  if (pool != nullptr) return *pool;
  pool = std::make_unique<Pool>(Pool{.upstream = upstream});
  pool->transport = transport_to(upstream);
  const UpstreamProtocol protocol = upstream->options().protocol;
  pool->one_at_a_time =
      protocol == UpstreamProtocol::Http1 || (protocol == UpstreamProtocol::Any && !upstream->secure());
  return *pool;
}

// What is known of an upstream's sessions outlives its connections.
transport::MakeTransport Client::transport_to(const std::shared_ptr<const Upstream>& upstream) {
  if (!upstream->options().transport) return {};
  std::erase_if(transports_, [](const auto& each) { return each.second.upstream.expired(); });
  KeptTransport& kept = transports_[upstream.get()];
  if (kept.make == nullptr)
    kept = {upstream, upstream->options().transport([this] { return loop_.now_ns(); })};
  return kept.make;
}

Client::Job& Client::take_job() {
  if (free_jobs_ == nullptr) {
    jobs_.push_back(std::make_unique<Job>(*this));
    return *jobs_.back();
  }
  Job& job = *free_jobs_;
  free_jobs_ = job.next_free;
  return job;
}

void Client::give_job(Job& job) {
  loop_.timers().stop(job);
  job.fetch->job = nullptr;
  job.fetch = nullptr;
  job.failure = {};
  job.refusals = 0;
  job.bytes.reset(kMostKept);
  job.next_free = free_jobs_;
  free_jobs_ = &job;
}

bool Client::start(Fetch& fetch, const std::shared_ptr<const Upstream>& upstream,
                   const FetchRequest& request) {
  Job& job = take_job();
  job.fetch = &fetch;
  job.pool = &pool_of(upstream);
  job.connection = nullptr;
  job.repeatable = is_idempotent(request.method);
  job.repeated = false;
  job.head = request.method == "HEAD";
  job.timeout_ms = request.timeout_ms != 0 ? request.timeout_ms : upstream->options().timeout_ms;
  fetch.status = FetchStatus::Pending;
  fetch.by_http2 = false;
  fetch.job = &job;
  http::TraceParent trace;
  if (http::Exchange* const exchange = fetch.exchange; exchange != nullptr) {
    exchange->upstream = exchange->arena().copy(upstream->url());  // for the log; empty where memory is out
    trace = exchange->request.trace();
    if (trace.watch != nullptr) begin_record(fetch, *upstream, request, trace);
  }
  const bool written = write_request(job.bytes, memory_.blocks, *upstream, request, trace, kMostKept);
  job.head_bytes = job.bytes.size() - request.body.size();
  loop_.timers().start(job, loop_.now_ms() + job.timeout_ms);
  if (written && place(job, false)) return true;
  end_record(fetch);
  give_job(job);
  return false;
}

bool Client::place(Job& job, bool fresh) {
  Pool& pool = *job.pool;
  if (Connection* const shared = pool.with_room()) {
    shared->ask(job);
    return true;
  }
  if (!fresh && !pool.idle.empty()) {
    Connection* connection = pool.idle.back();
    pool.idle.pop_back();
    connection->carry(job);
    return true;
  }
  if (pool.may_open()) {
    if (!open(job, 0)) fail_soon(job, "cannot open a socket");
    return true;
  }
  if (pool.waiting.size() >= pool.upstream->options().waiting) return false;
  pool.waiting.push_back(&job);
  return true;
}

bool Client::open(Job& job, size_t address) {
  const auto addresses = job.pool->upstream->addresses();
  address = std::min(address, addresses->size() - 1);  // they may have been resolved again meanwhile
  const int family = (*addresses)[address].storage.ss_family;
  Fd fd(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return false;
  if (family != AF_UNIX) {
    const int yes = 1;
    ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  }
  Connection& connection = sockets_.open(
      [&](net::SocketId id) { return std::make_unique<Connection>(*this, *job.pool, id, std::move(fd)); });
  connection.connect(*addresses, address);
  connection.carry(job);
  return true;
}

// Those that wait, for whom there is a connection now.
void Client::run_waiting(Pool& pool) {
  while (!pool.waiting.empty() && (pool.with_room() != nullptr || !pool.idle.empty() || pool.may_open())) {
    Job& job = *pool.waiting.front();
    pool.waiting.pop_front();
    place(job, false);
  }
}

// Those that wait for the one connection that could not be had.
void Client::fail_waiting(Pool& pool) {
  while (!pool.waiting.empty()) {
    Job& job = *pool.waiting.front();
    pool.waiting.pop_front();
    fail_soon(job, "the server cannot be connected to");
  }
}

// One that was with a connection, and is to go by another.
void Client::place_again(Job& job, std::string_view why) {
  if (!place(job, true)) fail_soon(job, why);
}

void Client::take_back(Job& job, bool late) {
  if (job.pool == nullptr) return;
  Pool& pool = *job.pool;
  if (job.connection != nullptr) {
    job.connection->give_up(job, late);
    run_waiting(pool);
  } else {
    std::erase(pool.waiting, &job);
  }
}

// Its pool may go before that.
void Client::fail_soon(Job& job, std::string_view message) {
  job.failure = message;
  job.pool = nullptr;
  loop_.timers().start(job, loop_.now_ms());
}

void Client::on_job_timer(Job& job) {
  if (!job.failure.empty()) return finish(job, FetchStatus::Failed, job.failure);
  const std::string late =
      fmt::format("{}: no answer within {} ms", job.pool->upstream->url(), job.timeout_ms);
  take_back(job, true);
  finish(job, FetchStatus::Timeout, late);
}

void Client::cancel(Fetch& fetch) {
  auto* job = static_cast<Job*>(fetch.job);
  if (job == nullptr) return;
  take_back(*job, false);
  give_job(*job);
  end_record(fetch);
}

// The last thing that is done with `job`: whoever is told may start the next.
void Client::finish(Job& job, FetchStatus status, std::string_view message) {
  Fetch& fetch = *job.fetch;
  fetch.status = status;
  fetch.message = arena_of(fetch).copy(message);
  give_job(job);
  end_record(fetch);
  if (fetch.exchange == nullptr) return fetch.over(fetch);
  deliver_(owner_, fetch);
}

void Client::on_completion(const net::Completion& completion) {
  if (Connection* const connection = sockets_.find(completion.token)) connection->on_completion(completion);
  if (completion.buffer.id != net::Buffer::kNone) loop_.engine().release(completion.buffer.id);
}

void Client::on_turn_end() {
  if (sockets_.has_parked())
    sockets_.unpark(loop_.engine().free_buffers(), [](Connection& connection) { connection.receive(); });
  while (!ended_.empty()) {
    const uint32_t slot = ended_.back();
    ended_.pop_back();
    Connection* connection = sockets_.at(slot);
    if (connection != nullptr && connection->closing() && connection->gone()) free(slot);
  }
}

bool Client::begin(std::shared_ptr<Errand> errand) { return errands_.begin(std::move(errand)); }

void Client::close_all() {
  errands_.abandon();
  sockets_.for_each([](Connection& connection) { connection.close(); });
}

void Client::free(uint32_t slot) {
  Pool& pool = sockets_.at(slot)->pool();
  sockets_.free(slot);
  if (pool.total == 0 && pool.waiting.empty()) pools_.erase(pool.upstream.get());
}

}  // namespace leat::client
