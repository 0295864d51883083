#include "server/running_settings.h"

#include <fmt/core.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "base/log.h"
#include "config/codes.h"
#include "config/tls.h"
#include "json/backend.h"
#include "plugin/shared_resources.h"
#include "server/generations.h"
#include "server/own_metrics.h"
#include "server/process/cpus.h"
#include "server/process/daemon.h"
#include "server/process/socket_channel.h"
#include "server/process/supervisor.h"

namespace leat::server {

namespace {

// What connections have of the socket that they came by; its name has the port that the kernel chose.
std::shared_ptr<const worker::ListenerOptions> options_of(const config::ListeningSocket& wanted,
                                                          const net::Address& bound, OwnMetrics& own) {
  auto options = std::make_shared<worker::ListenerOptions>(wanted.connections);
  options->name = bound.text();
  options->counts = own.listener(options->name);
  return options;
}

}  // namespace

uint32_t worker_count(const config::Settings& settings) {
  return settings.workers != 0 ? settings.workers : granted_cpus();
}

// One client must leave room for others, and the only one there is, such as a proxy, must find enough.
//
// By its hash an address may have more of its connections with one worker: where the last quarter of a
// worker's places begins, half of them has to do.
void set_limits(worker::AddressCounts& addresses, const config::Settings& settings, uint32_t workers) {
  const uint64_t own = settings.max_per_address;
  const uint64_t most = own != 0 ? own : (uint64_t{settings.worker.connections.most} * workers * 3 + 3) / 4;
  addresses.set_limits(most, own != 0 ? most : (most + 1) / 2);
}

tls::KeptTicketKeys* RunningSettings::kept_tickets() const {
  return parts_.signs != nullptr ? &parts_.signs->tickets : nullptr;
}

RunningSettings::RunningSettings(config::Settings settings, const Parts& parts)
    : settings_(std::move(settings)),
      parts_(parts),
      drain_timeout_ms_(settings_.worker.drain_timeout_ms),
      drain_delay_ms_(settings_.drain_delay_ms) {}

bool RunningSettings::listen() {
  auto change = parts_.sockets.prepare(config::listening_sockets(settings_), parts_.workers);
  if (!change) {
    log::error("{}", change.error().message);
    return false;
  }
  for (const ListeningAddress& each : change->ended) {
    parts_.channel.end(each);
    have_forgotten(each);
  }
  for (const ListeningAddress& each : change->added) {
    parts_.channel.pass(each);
    have_kept(each);
  }
  parts_.sockets.take_up(*change);
  return true;
}

std::expected<RunningSettings::Next, Diagnostic> RunningSettings::prepare(config::Settings settings) {
  auto log = log::prepare(settings.log);
  if (!log)
    return std::unexpected(
        Diagnostic{.code = config::kUnreadable, .message = std::move(log.error()), .place = {}, .hint = {}});
  auto listening = parts_.sockets.prepare(config::listening_sockets(settings), parts_.workers);
  if (!listening) {
    ListeningSockets::Failure& failure = listening.error();
    return std::unexpected(Diagnostic{.code = config::kCannotListen,
                                      .message = std::move(failure.message),
                                      .place = std::move(failure.place),
                                      .hint = std::move(failure.hint)});
  }
  return Next{std::move(settings), std::move(*listening), std::move(*log)};
}

worker::WorkerOptions RunningSettings::worker_options() const {
  worker::WorkerOptions options = settings_.worker;
  fit_connections(options.connections, parts_.workers);
  return options;
}

// A socket that is new is known to whoever comes after this process before anybody is served on it; one that has ended
// is nobody else's before the last of who has connected is taken.
void RunningSettings::take_up_listening(ListeningChange& change, std::vector<worker::WorkerChange>& by_worker,
                                        std::string& remarks) {
  std::vector<std::pair<uint32_t, std::shared_ptr<const worker::ListenerOptions>>> listeners;
  std::vector<std::pair<uint32_t, net::ListenOptions>> listen_anew;
  for (const ListeningChange::Kept& each : change.kept) {
    const auto& all = parts_.sockets.addresses();
    const net::Address bound = std::ranges::find(all, each.number, &ListeningAddress::number)->bound;
    listeners.emplace_back(each.number, options_of(each.wanted, bound, parts_.own));
    if (!each.listens_anew) continue;
    listen_anew.emplace_back(each.number, each.wanted.options);
    if (bound.kind != net::Address::Kind::Unix) continue;
    if (const auto set = net::set_unix_access(bound, each.wanted.options); !set)
      remarks +=
          fmt::format("the permissions of {} stay as they were: {}\n", bound.text(), set.error().text());
  }
  std::vector<worker::WorkerChange::Ended> ended;
  for (const ListeningAddress& each : change.ended) {
    parts_.channel.end(each);
    have_forgotten(each);
    ended.push_back({each.number, each.own && each.bound.kind != net::Address::Kind::Unix});
    log::info("{} is listened on no more: its connections end with what they have begun", each.bound.text());
  }
  std::vector<std::vector<worker::AcceptingSocket>> sockets(by_worker.size());
  for (ListeningAddress& each : change.added) {
    parts_.channel.pass(each);
    have_kept(each);
    listeners.emplace_back(each.number, options_of(each.wanted, each.bound, parts_.own));
    log::info("listening on {}", each.bound.text());
    ListeningSockets::deal(each, sockets);
  }
  parts_.sockets.take_up(change);
  for (size_t i = 0; i < by_worker.size(); ++i) {
    by_worker[i].listeners = listeners;
    by_worker[i].listen_anew = listen_anew;
    by_worker[i].ended = ended;
    by_worker[i].sockets = std::move(sockets[i]);
  }
}

void RunningSettings::take_up(Next next, worker::Workers workers, const std::stop_token& stopping,
                              std::string& remarks) {
  settings_ = std::move(next.settings);
  drain_timeout_ms_ = settings_.worker.drain_timeout_ms;
  drain_delay_ms_ = settings_.drain_delay_ms;
  log::take_up(std::move(next.log));
  set_limits(parts_.addresses, settings_, parts_.workers);
  parts_.own.show(config::tls_in(settings_));
  parts_.generations.set_times({.drain_timeout_ms = settings_.worker.drain_timeout_ms,
                                .handover_timeout_ms = settings_.handover_timeout_ms});
  if (parts_.signs != nullptr) parts_.signs->set(settings_);
  json::set_default_backend(settings_.json_backend);
  plugin::SharedResources& shared = parts_.shared;
  shared.pool.set_queue(settings_.shared.pool.queue);
  shared.client_wait_ms = settings_.shared.client_wait_ms;
  shared.websockets.set_options(settings_.shared.websocket);
  if (!shared.cache.resize(settings_.shared.cache))
    remarks += "`cache.size` stays as it was: there is no memory for the tables of another one\n";

  const auto changes = std::make_shared<std::vector<worker::WorkerChange>>(workers.size());
  const worker::WorkerOptions options = worker_options();
  for (worker::WorkerChange& each : *changes) each.options = options;
  take_up_listening(next.listening, *changes, remarks);
  (void)worker::on_workers(workers, stopping, [workers, changes](uint32_t index) {
    workers[index]->take_up(std::move((*changes)[index]));
  });
}

}  // namespace leat::server
