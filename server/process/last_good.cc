#include "server/process/last_good.h"

#include <fmt/core.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory_file.h"
#include "base/sized_text.h"
#include "server/process/descriptor_message.h"

namespace leat::server {

namespace {

constexpr size_t kMostKept = size_t{1} << 30;

// It is the daemon's own that wrote it.
std::string take_own(std::string_view& from) { return std::string(take_sized(from).value_or("")); }

}  // namespace

Expected<void> LastGood::open() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
    return system_error("socketpair");
  in_.reset(ends[0]);
  out_.reset(ends[1]);
  return {};
}

Expected<void> LastGood::send(std::span<const int> descriptors) const {
  if (!send_message(in_.get(), std::string_view("\0", 1), descriptors)) return system_error("sendmsg");
  return {};
}

std::vector<Fd> LastGood::receive() const { return receive_message(out_.get(), 1).descriptors; }

Expected<void> LastGood::keep(const std::string& file, const config::Files& files,
                              std::span<const plugin::PluginLibraries::Copy> plugins) {
  if (!in_) return {};
  if (plugins.size() + 1 > kMostDescriptors)
    return std::unexpected(Error{"there are more plugins than a message takes"});
  std::string text;
  put_sized(text, file);
  for (const auto& each : plugins) {
    put_sized(text, each.file);
    put_sized(text, each.path);
  }
  files.append_text(text);
  const auto memory = memory_file("leat-proven", text);
  if (!memory) return std::unexpected(memory.error());
  std::vector<int> descriptors = {memory->get()};
  for (const auto& each : plugins) descriptors.push_back(each.fd);
  // The new one is there before the old one goes.
  if (const auto sent = send(descriptors); !sent) return sent;
  if (std::exchange(holds_, true)) (void)receive();
  return {};
}

std::optional<LastGood::Kept> LastGood::take() {
  std::vector<Fd> newest;
  if (!out_) return std::nullopt;
  for (std::vector<Fd> next; !(next = receive()).empty();) newest = std::move(next);
  holds_ = false;
  if (newest.empty()) return std::nullopt;
  std::vector<int> descriptors;
  for (const Fd& each : newest) descriptors.push_back(each.get());
  holds_ = send(descriptors).has_value();
  const auto text = config::read_binary(fmt::format("/proc/self/fd/{}", newest[0].get()), kMostKept);
  if (!text) return std::nullopt;
  std::string_view rest = *text;
  Kept kept;
  kept.file = take_own(rest);
  for (size_t i = 1; i < newest.size(); ++i) {
    std::string file = take_own(rest);
    std::string path = take_own(rest);
    kept.plugins.push_back({std::move(file), std::move(path), newest[i].get()});
    kept.lent.push_back(std::move(newest[i]));
  }
  kept.files = config::Files::from_text(rest);
  return kept;
}

}  // namespace leat::server
