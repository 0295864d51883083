#include "server/process/listening_sockets.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/log.h"

namespace leat::server {

namespace {

bool is_file(const net::Address& address) { return address.kind == net::Address::Kind::Unix; }

bool in_a_group(int fd) {
  int reused = 0;
  socklen_t size = sizeof reused;
  return ::getsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &reused, &size) == 0 && reused != 0;
}

// One of them takes in the other, as far as the kernel goes by addresses.
bool overlap(const net::Address& a, const net::Address& b) {
  const auto any = [](const net::Address& each) {
    return each.host.empty() || each.host == "0.0.0.0" || each.host == "::";
  };
  return !is_file(a) && !is_file(b) && a.port == b.port && a.port != 0 && (any(a) || any(b));
}

// One address of one daemon, for all its workers.
class Opening {
 public:
  Opening(const config::ListeningSocket& wanted, uint32_t number, uint32_t workers)
      : options_(wanted.options),
        workers_(workers),
        opened_{.number = number, .wanted = wanted, .bound = wanted.address} {
    options_.reuse_port = workers > 1;
  }

  // `alone`: unless it is shared, nobody else may have the address.
  Expected<ListeningAddress> open(std::vector<Fd> inherited, bool alone) {
    opened_.sockets = std::move(inherited);
    for (const Fd& socket : opened_.sockets)
      if (auto changed = net::listen_anew(socket.get(), options_); !changed)
        return std::unexpected(changed.error());
    opened_.own = opened_.sockets.empty();
    if (opened_.own) {
      if (!is_file(opened_.bound) && options_.reuse_port && !options_.share_port && alone)
        if (auto had = can_be_had_alone(); !had) return std::unexpected(had.error());
      if (auto first = add(); !first) return std::unexpected(first.error());
    }
    // With port 0 the kernel has chosen one: the other workers listen on the same.
    const int first = opened_.sockets.front().get();
    if (const auto bound = net::local_address(first)) opened_.bound.port = bound->port;
    opened_.shared = is_file(opened_.bound) || !in_a_group(first);
    // Where there were more workers before, some get several: what waits in them is not lost.
    while (!opened_.shared && opened_.sockets.size() < workers_)
      if (auto another = add(); !another) return std::unexpected(another.error());
    return std::move(opened_);
  }

 private:
  Expected<void> add() {
    auto socket = net::listen_on(opened_.bound, options_);
    if (!socket) return std::unexpected(socket.error());
    opened_.sockets.push_back(std::move(*socket));
    return {};
  }
  // Several sockets of one port are meant for the workers of one daemon. The kernel would also let another
  // daemon of this user have some, and with them some of the clients.
  [[nodiscard]] Expected<void> can_be_had_alone() const {
    net::ListenOptions alone = options_;
    alone.reuse_port = false;
    const auto free = net::bind_to(opened_.bound, alone);  // a client must not come by it
    return free ? Expected<void>() : std::unexpected(free.error());
  }

  net::ListenOptions options_;
  uint32_t workers_;
  ListeningAddress opened_;
};

}  // namespace

ListeningChange::~ListeningChange() {
  for (const ListeningAddress& each : added)
    if (is_file(each.bound) && !each.sockets.empty()) ::unlink(each.bound.host.c_str());
}

ListeningSockets::~ListeningSockets() {
  if (owner_ != ::getpid()) return;
  for (const File& file : files_)
    if (identity_of(file.path) == file.identity) ::unlink(file.path.c_str());
}

std::expected<ListeningChange, ListeningSockets::Failure> ListeningSockets::prepare(
    std::span<const config::ListeningSocket> wanted, uint32_t workers, InheritedSockets* inherited) {
  ListeningChange change;
  std::vector<bool> stays(addresses_.size());
  const auto find = [&](const auto& is_it) {
    size_t at = 0;
    while (at < addresses_.size() && (stays[at] || !is_it(addresses_[at]))) ++at;
    return at;
  };
  std::vector<const config::ListeningSocket*> fresh;
  for (const config::ListeningSocket& each : wanted) {
    size_t found = find([&](const ListeningAddress& has) { return has.wanted.address == each.address; });
    // The configuration may spell out by now what the kernel chose.
    if (found == addresses_.size())
      found = find([&](const ListeningAddress& has) { return has.bound == each.address; });
    if (found == addresses_.size()) {
      fresh.push_back(&each);
      continue;
    }
    stays[found] = true;
    change.kept.push_back({addresses_[found].number, each, addresses_[found].wanted.options != each.options});
  }
  for (const config::ListeningSocket* each : fresh) {
    const auto own = std::ranges::find_if(
        addresses_, [&](const ListeningAddress& other) { return overlap(other.bound, each->address); });
    Opening opening(*each, next_number_++, workers);
    auto opened = opening.open(inherited != nullptr ? inherited->take(each->address) : std::vector<Fd>(),
                               own == addresses_.end());
    if (!opened)
      return std::unexpected(
          Failure{fmt::format("cannot listen on {}: {}", each->address.text(), opened.error().text()),
                  own == addresses_.end()
                      ? ""
                      : fmt::format("this daemon itself listens on {}, which takes it in: remove that by a "
                                    "reload of its own first",
                                    own->bound.text()),
                  each->place});
    change.added.push_back(std::move(*opened));
  }
  for (size_t i = 0; i < addresses_.size(); ++i) {
    const ListeningAddress& each = addresses_[i];
    if (!stays[i])
      change.ended.push_back({.number = each.number,
                              .wanted = each.wanted,
                              .bound = each.bound,
                              .shared = each.shared,
                              .own = each.own,
                              .sockets = {}});
  }
  return change;
}

void ListeningSockets::take_up(ListeningChange& change) {
  if (owner_ < 0) owner_ = ::getpid();
  for (const ListeningAddress& each : change.ended) end(each.number);
  for (ListeningChange::Kept& each : change.kept)
    for (ListeningAddress& address : addresses_)
      if (address.number == each.number) address.wanted = each.wanted;
  for (ListeningAddress& each : change.added) {
    own_file(each);
    addresses_.push_back(std::move(each));
    each.sockets.clear();
  }
}

std::expected<void, std::string> ListeningSockets::open(std::span<const config::ListeningSocket> wanted,
                                                        uint32_t workers, InheritedSockets& inherited) {
  auto change = prepare(wanted, workers, &inherited);
  if (!change) {
    const auto& [message, hint, place] = change.error();
    const bool named = place.line != 0;
    return std::unexpected(message + (named ? fmt::format(" ({}:{})", *place.file, place.line) : ""));
  }
  take_up(*change);
  inherited.close_others();
  for (const ListeningAddress& each : addresses_) have_kept(each);
  return {};
}

// Some workers get several where there were more workers once.
void ListeningSockets::deal(ListeningAddress& address,
                            std::vector<std::vector<worker::AcceptingSocket>>& among) {
  for (size_t worker = address.sockets.size(); address.shared && worker < among.size(); ++worker) {
    const int copy = ::fcntl(address.sockets.front().get(), F_DUPFD_CLOEXEC, 0);
    if (copy < 0) {
      log::warn("fewer workers than there are wait for clients of {}: {}", address.bound.text(),
                Error{"dup", errno}.text());
      break;
    }
    address.sockets.emplace_back(copy);
  }
  for (size_t i = 0; i < address.sockets.size(); ++i)
    among[i % among.size()].push_back({std::move(address.sockets[i]), address.number, address.shared});
  address.sockets.clear();
}

std::vector<std::vector<worker::AcceptingSocket>> ListeningSockets::take(uint32_t workers) {
  std::vector<std::vector<worker::AcceptingSocket>> among(workers);
  for (ListeningAddress& each : addresses_) deal(each, among);
  return among;
}

std::vector<ListeningSockets::Passed> ListeningSockets::to_pass() const {
  std::vector<Passed> passed;
  for (const ListeningAddress& each : addresses_)
    for (const Fd& socket : each.sockets) {
      passed.push_back({each.wanted.address.text(), socket.get()});
      if (each.shared) break;
    }
  return passed;
}

void ListeningSockets::own_file(const ListeningAddress& address) {
  if (is_file(address.bound))
    files_.push_back({address.number, address.bound.host, identity_of(address.bound.host)});
}

void ListeningSockets::add(ListeningAddress part) {
  next_number_ = std::max(next_number_, part.number + 1);
  const auto known = std::ranges::find(addresses_, part.number, &ListeningAddress::number);
  if (known == addresses_.end()) {
    own_file(part);
    addresses_.push_back(std::move(part));
    return;
  }
  std::ranges::move(part.sockets, std::back_inserter(known->sockets));
}

void ListeningSockets::end(uint32_t number) {
  std::erase_if(addresses_, [&](const ListeningAddress& each) { return each.number == number; });
  std::erase_if(files_, [&](const File& file) {
    if (file.number != number) return false;
    if (owner_ == ::getpid() && identity_of(file.path) == file.identity) ::unlink(file.path.c_str());
    return true;
  });
}

void ListeningSockets::number_anew() {
  next_number_ = 0;
  for (ListeningAddress& each : addresses_) {
    const uint32_t number = next_number_++;
    for (File& file : files_)
      if (file.number == each.number && file.path == each.bound.host) file.number = number;
    each.number = number;
  }
}

void ListeningSockets::close() {
  for (ListeningAddress& each : addresses_) each.sockets.clear();
}

void ListeningSockets::disown() {
  close();
  files_.clear();
}

void have_kept(const ListeningAddress& address) {
  for (const Fd& socket : address.sockets) {
    InheritedSockets::keep(address.bound, socket.get());
    if (address.shared) break;
  }
}

void have_forgotten(const ListeningAddress& address) { InheritedSockets::forget(address.bound); }

}  // namespace leat::server
