#include "server/testhost/engine.h"

#include "base/clock.h"

#include <fmt/core.h>

#include <algorithm>
#include <ctime>

#include "base/text.h"
#include "plugin/call.h"

namespace leat::testing {

namespace {

// --- The log

std::mutex listeners_mutex;
std::vector<LogListener*> listeners;

std::string_view level_name(log::Level level) {
  constexpr std::string_view kNames[] = {"debug", "info", "warning", "error"};
  return kNames[std::min<size_t>(static_cast<size_t>(level), std::size(kNames) - 1)];
}

}  // namespace

LogListener::LogListener() {
  const std::lock_guard lock(listeners_mutex);
  if (listeners.empty()) log::divert(on_line, log::Level::Debug);
  listeners.push_back(this);
}

LogListener::~LogListener() {
  const std::lock_guard lock(listeners_mutex);
  std::erase(listeners, this);
  if (listeners.empty()) log::divert(nullptr);
}

void LogListener::on_line(log::Level level, std::string_view line) {
  const std::string text = fmt::format("{}: {}", level_name(level), line);
  const std::lock_guard lock(listeners_mutex);
  for (LogListener* each : listeners) {
    each->lines_.push_back(text);
    if (level >= log::Level::Warn && !each->expected_) each->problems_.push_back(text);
  }
}

std::vector<std::string> LogListener::lines() const {
  const std::lock_guard lock(listeners_mutex);
  return lines_;
}

std::vector<std::string> LogListener::problems() const {
  const std::lock_guard lock(listeners_mutex);
  return problems_;
}

void LogListener::add_problem(std::string text) {
  const std::lock_guard lock(listeners_mutex);
  problems_.push_back(std::move(text));
}

void LogListener::forget_problems() {
  const std::lock_guard lock(listeners_mutex);
  problems_.clear();
}

void LogListener::expect_problems(bool expected) {
  const std::lock_guard lock(listeners_mutex);
  expected_ = expected;
}

// --- A request and its client

Pending::Run::Run(Host::Impl& impl, const Request& request)
    : host(&impl),
      title(request.method_ + " " + request.target_),
      peer(request.peer_),
      client(request.client_.empty() ? request.peer_ : request.client_),
      scheme(request.scheme_),
      certificate(request.certificate_),
      shown{certificate.subject, certificate.cn, certificate.names, certificate.sha256},
      tls{"TLSv1.3", "TLS_AES_128_GCM_SHA256", certificate.subject.empty() ? nullptr : &shown},
      kept_(request.has_session_ ? ClientSession::of(*impl.loaded.assembly.site)
                                 : ClientSession::if_any(*impl.loaded.assembly.site)),
      pieces_(pieces_of(request)),
      read_at_most_(std::max<size_t>(request.read_at_most_, 1)) {
  limits_.head_bytes = limits_.fields = UINT32_MAX;
  limits_.body_bytes = UINT64_MAX;
  parser_.reset(arena_, limits_, request.method_ == "HEAD");
  parser_.keep_hints(hints_);
  const http::ProxyTrust& trust = impl.settings.trust;
  session.emplace(*impl.environment, http::ProtocolPeer{
                                         .identity = {.peer = peer,
                                                      .client = client,
                                                      .scheme = scheme,
                                                      .tls = request.tls_ ? &tls : nullptr},
                                         .trust = trust.trusts(client) ? &trust : nullptr,
                                     });
  impl.runs.push_back(this);
}

Pending::Run::~Run() { leave(); }

std::vector<std::string> Pending::Run::pieces_of(const Request& request) {
  if (!request.has_session_) return request.pieces();
  Request with = request;
  const std::string cookie = kept_.cookie(request.session_);
  const auto other = std::ranges::find_if(
      with.headers_, [](const auto& each) { return equal_ignoring_case(each.first, "Cookie"); });
  if (other == with.headers_.end())
    with.header("Cookie", cookie);
  else
    other->second += "; " + cookie;
  return with.pieces();
}

void Pending::Run::leave() {
  if (host == nullptr) return;
  if (session) {
    session->disconnect();
    session.reset();
  }
  host->runs.remove(this);
  host = nullptr;
}

bool Pending::Run::step() {
  if (done()) return false;
  if (!session->output().empty()) {
    read();
    return true;
  }
  if (session->finished()) {
    finish(parser_.end());
    return true;
  }
  if (session->wants_turn()) {
    session->take_turn();
    return true;
  }
  if (next_piece_ == pieces_.size() || !session->wants_input()) return false;
  session->feed(pieces_[next_piece_++]);
  return true;
}

void Pending::Run::read() {
  const std::string bytes = take_output(*session, std::min(read_at_most_, session->output().size()));
  const auto step = parser_.feed(bytes);
  if (step != client::ResponseParser::Step::More) finish(step);
}

void Pending::Run::finish(client::ResponseParser::Step step) {
  using Step = client::ResponseParser::Step;
  Reply reply;
  reply.status = parser_.code();
  reply.body = parser_.body();
  reply.early_hints = hints_;
  reply.cut = step != Step::Done;
  if (step == Step::Done) {
    for (const client::Field& field : parser_.fields())
      reply.headers.emplace_back(std::string(field.name), std::string(field.value));
    for (const auto& [name, line] : reply.headers) {
      SessionValues values;
      if (equal_ignoring_case(name, "Set-Cookie") && kept_.take(line, values, reply.session_renewed))
        reply.session = std::move(values);
    }
  } else if (!session->finished()) {
    host->log.add_problem(fmt::format("{}: {}", title, parser_.message()));
  }
  reply_ = std::move(reply);
  session->disconnect();
  session.reset();
}

Reply Pending::Run::reply() const {
  if (reply_) return *reply_;
  Reply reply;
  reply.status = parser_.begun() ? parser_.code() : 0;
  reply.body = parser_.body();
  reply.early_hints = hints_;
  reply.cut = !session;
  return reply;
}

// --- The worker

Host::Impl::Impl(const PluginSource& plugin, const Setup& setup)
    : loaded(load(plugin, setup)),
      patience(setup.patience),
      worker(settings.worker.blocks(), monotonic_ms()),
      upstreams(worker),
      segments(settings.worker.blocks() * 2),
      exchanges(worker, settings.worker.exchanges),
      writer(settings.worker.server_name) {
  worker.set_exchanges(exchanges);
  worker.set_fetcher(upstreams);
  writer.set_date(worker.date());
  limits.http1_early_hints = true;  // this client knows them
  pipeline.emplace(*loaded.assembly.site);
  environment.emplace(http1::Environment{.worker = worker,
                                         .service = *pipeline,
                                         .limits = limits,
                                         .memory = {worker.blocks(), segments},
                                         .exchanges = exchanges,
                                         .writer = writer,
                                         .heads = settings.worker.known_heads ? &heads : nullptr,
                                         .lines = settings.worker.known_heads ? &lines : nullptr});
  start();
}

Host::Impl::~Impl() { close(); }

void Host::Impl::start() {
  const auto ready = loaded.assembly.worker_init(0);
  if (ready) return;
  closed = true;
  loaded.assembly.worker_fini(0);
  throw Error(ready.error().message);
}

bool Host::Impl::next_now() {
  if (worker.run_post()) return true;
  return std::ranges::any_of(std::vector(runs.begin(), runs.end()),
                             [](Pending::Run* run) { return run->step(); }) ||
         std::ranges::any_of(std::vector(lines_of_sockets.begin(), lines_of_sockets.end()),
                             [](WebSocket::Line* line) { return line->step(); });
}

uint64_t Host::Impl::next_due_ms() {
  uint64_t due = worker.next_timer_ms().value_or(UINT64_MAX);
  for (const Pending::Run* run : runs)
    if (run->session) due = std::min(due, run->session->deadline_ms());
  for (const WebSocket::Line* line : lines_of_sockets)
    if (line->session) due = std::min(due, line->session->deadline_ms());
  return due;
}

bool Host::Impl::run_due() {
  if (worker.run_timer()) return true;
  for (Pending::Run* run : runs)
    if (run->session && run->session->deadline_ms() <= worker.now_ms()) {
      run->session->deadline_passed();
      return true;
    }
  for (WebSocket::Line* line : lines_of_sockets)
    if (line->session && line->session->deadline_ms() <= worker.now_ms()) {
      line->session->deadline_passed();
      return true;
    }
  return false;
}

// Whether a request waits for a completion. One for a timer alone waits for nobody.
bool Host::Impl::others_work() {
  bool any = false;
  exchanges.for_each([&](http::Exchange& exchange) {
    const plugin::RequestState* state = plugin::state_of(exchange);
    any = any || (state != nullptr && state->suspensions != nullptr);
  });
  return any;
}

bool Host::Impl::next() {
  if (next_now() || run_due()) return true;
  const uint64_t due = next_due_ms();
  if (others_work()) {
    const auto most = std::min<uint64_t>(due - worker.now_ms(), static_cast<uint64_t>(patience.count()));
    if (worker.wait_for_posts(std::chrono::milliseconds(most))) return next_now();
  }
  if (due == UINT64_MAX) return false;
  worker.set_now_ms(due);
  return run_due();
}

void Host::Impl::settle() {
  while (next_now() || run_due()) {
  }
}

void Host::Impl::wait_at_once() {
  settle();
  while (others_work() && worker.wait_for_posts(patience)) settle();
}

void Host::Impl::advance(uint64_t ms) {
  const uint64_t end = worker.now_ms() + std::min(ms, UINT64_MAX / 2);
  settle();
  for (uint64_t due = next_due_ms(); due <= end; due = next_due_ms()) {
    worker.set_now_ms(std::max(due, worker.now_ms()));
    run_due();
    settle();
  }
  worker.set_now_ms(end);
}

void Host::Impl::wait_for_work() {
  const auto until = std::chrono::steady_clock::now() + patience;
  for (const auto& plugin : loaded.assembly.plugins)
    while (!plugin->idle(0)) {
      settle();
      if (plugin->idle(0)) break;
      if (std::chrono::steady_clock::now() >= until)
        return log.add_problem(fmt::format(
            "{}: work on the pool has not ended {} ms after its client had left; ask cancelled() in it",
            plugin->blame(), patience.count()));
      worker.wait_for_posts(std::chrono::milliseconds(10));
    }
  settle();
}

void Host::Impl::close() {
  if (closed) return;
  closed = true;
  settle();
  for (Pending::Run* run : std::vector(runs.begin(), runs.end())) {
    if (!run->done()) log.add_problem(run->title + " was still waiting when its host was closed");
    run->leave();
  }
  for (WebSocket::Line* line : std::vector(lines_of_sockets.begin(), lines_of_sockets.end())) line->leave();
  wait_for_work();
  loaded.assembly.worker_fini(0);
  settle();
  const server::Assembly ended = std::move(loaded.assembly);
}

}  // namespace leat::testing
