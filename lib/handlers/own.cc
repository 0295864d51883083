#include "handlers/own.h"

#include "handlers/metrics.h"
#include "handlers/start.h"

namespace leat::handlers {

namespace {

constexpr OwnHandler kHandlers[] = {
    {"metrics", [](const OwnHandlerContext& context) { return make_metrics(context.metrics); }},
    {"start", [](const OwnHandlerContext&) { return make_start(); }},
};

}  // namespace

std::span<const OwnHandler> own_handlers() { return kHandlers; }

}  // namespace leat::handlers
