// A message over a unix socket, with descriptors beside its text (SCM_RIGHTS, unix(7)).
#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"

namespace leat::server {

// What the kernel takes with one message.
inline constexpr size_t kMostDescriptors = 253;

// `descriptors` stay the caller's. `to`, of `size` bytes: where a socket that is not connected sends. False, with
// errno, where it was not sent as a whole.
[[nodiscard]] bool send_message(int socket, std::string_view text, std::span<const int> descriptors,
                                const sockaddr* to = nullptr, socklen_t size = 0);

struct DescriptorMessage {
  std::string text;  // empty: nothing has come, or the other end is gone
  std::vector<Fd> descriptors;
};
// Of at most `most_text` bytes; as long as the socket says, if none is there.
[[nodiscard]] DescriptorMessage receive_message(int socket, size_t most_text);

}  // namespace leat::server
