#include "net/engine_choice.h"

#include <cerrno>
#include <utility>

#include "net/epoll_engine.h"

namespace leat::net {

namespace {

// What an operator can look for.
std::string explain(const Error& error) {
  std::string text = error.text();
  if (error.number == EPERM || error.number == EACCES)
    text += " (blocked by a sandbox or by kernel.io_uring_disabled)";
  if (error.number == ENOSYS) text += " (not in this kernel, or hidden by a sandbox)";
  if (error.number == ENOMEM) text += " (the limit on locked memory, LimitMEMLOCK, may be too low)";
  return text;
}

}  // namespace

Expected<ChosenEngine> create_engine(EngineChoice choice, const UringOptions& options) {
  std::string reason = "as configured";
  if (choice != EngineChoice::Epoll) {
    auto uring = create_uring_engine(options);
    if (uring)
      return ChosenEngine{std::move(*uring), choice == EngineChoice::Auto ? "io_uring works here" : reason};
    if (choice == EngineChoice::Uring) return std::unexpected(uring.error());
    reason = explain(uring.error());
  }
  auto epoll = create_epoll_engine(options.buffers);
  if (!epoll) return std::unexpected(epoll.error());
  return ChosenEngine{std::move(*epoll), std::move(reason)};
}

}  // namespace leat::net
