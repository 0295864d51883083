#include "handlers/own.h"

#include "handlers/metrics.h"

namespace leat::handlers {

namespace {

constexpr OwnHandler kHandlers[] = {
    {"metrics", [](const OwnHandlerContext& context) { return make_metrics(context.metrics); }},
};

}  // namespace

std::span<const OwnHandler> own_handlers() { return kHandlers; }

}  // namespace leat::handlers
