// leat:metrics: what is counted and measured, for Prometheus to collect.
//
// Its route is one like any other, and there is none without the operator's wish: who may see it is for what
// stands in front to say.
//
// Thread: any worker.
#pragma once

#include <memory>

#include "base/metrics.h"
#include "pipeline/handler.h"

namespace leat::handlers {

// `metrics` must outlive it.
std::unique_ptr<pipeline::Handler> make_metrics(metrics::Registry& metrics);

}  // namespace leat::handlers
