#include "server/process/socket_channel.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <sys/socket.h>

#include <string>
#include <string_view>
#include <utility>

#include "base/log.h"
#include "base/sized_text.h"
#include "base/text.h"
#include "server/process/descriptor_message.h"

namespace leat::server {

namespace {

constexpr std::string_view kAdd = "add", kEnd = "end", kDone = "done";
constexpr int kConfirmMs = 1'000;
constexpr size_t kMostMessage = 1024;  // two addresses, which are paths of 107 bytes at most

std::string message(std::string_view what, uint32_t number) {
  std::string text;
  put_sized(text, what);
  put_sized(text, std::to_string(number));
  return text;
}

std::string_view next(std::string_view& from) { return take_sized(from).value_or(std::string_view()); }

}  // namespace

Expected<void> SocketChannel::open() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
    return system_error("socketpair");
  serving_.reset(ends[0]);
  supervisor_.reset(ends[1]);
  return {};
}

void SocketChannel::begin() const {
  while (serving_ && !receive_message(serving_.get(), kMostMessage).text.empty()) {
  }
}

void SocketChannel::pass(const ListeningAddress& added) const {
  if (!serving_) return;
  std::string text = message(kAdd, added.number);
  put_sized(text, added.wanted.address.text());
  put_sized(text, added.bound.text());
  put_sized(text, added.shared ? "shared" : "");
  put_sized(text, added.own ? "own" : "");
  for (const Fd& socket : added.sockets) {
    const int fd = socket.get();
    pollfd room{serving_.get(), POLLOUT, 0};
    ::poll(&room, 1, kConfirmMs);
    if (!send_message(serving_.get(), text, {&fd, 1})) {
      log::warn("after a crash nobody will listen on {} until the next reload: {}", added.bound.text(),
                system_error("sendmsg").error().text());
      return;
    }
    if (added.shared) return;
  }
}

void SocketChannel::end(const ListeningAddress& ended) const {
  if (!serving_) return;
  pollfd answer{serving_.get(), POLLIN, 0};
  if (!send_message(serving_.get(), message(kEnd, ended.number), {}) || ::poll(&answer, 1, kConfirmMs) != 1 ||
      receive_message(serving_.get(), kMostMessage).text != kDone)
    log::warn("the supervisor may still hold {} open, where nobody accepts any more", ended.bound.text());
}

void SocketChannel::take_up(ListeningSockets& sockets) const {
  for (;;) {
    DescriptorMessage told = receive_message(supervisor_.get(), kMostMessage);
    if (told.text.empty()) return;
    std::string_view rest = told.text;
    const std::string_view what = next(rest);
    const uint32_t number = parse_number<uint32_t>(next(rest)).value_or(0);
    if (what == kEnd) {
      sockets.end(number);
      (void)send_message(supervisor_.get(), kDone, {});
    } else if (what == kAdd && told.descriptors.size() == 1) {
      const auto wanted = net::Address::parse(next(rest));
      const auto bound = net::Address::parse(next(rest));
      if (!wanted || !bound) continue;
      ListeningAddress part;
      part.number = number;
      part.bound = *bound;
      part.shared = !next(rest).empty();
      part.own = !next(rest).empty();
      part.wanted.address = *wanted;
      part.sockets.push_back(std::move(told.descriptors.front()));
      sockets.add(std::move(part));
    }
  }
}

}  // namespace leat::server
