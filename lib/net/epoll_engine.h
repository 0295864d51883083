// The engine over epoll, for machines and containers in which io_uring is not to be had.
#pragma once

#include <memory>

#include "base/error.h"
#include "net/buffer_pool.h"
#include "net/engine.h"

namespace leat::net {

Expected<std::unique_ptr<Engine>> create_epoll_engine(const BufferOptions& options);

}  // namespace leat::net
