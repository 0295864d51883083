#include "handlers/own.h"

#include "handlers/dashboard.h"
#include "handlers/health.h"
#include "handlers/metrics.h"
#include "handlers/openapi.h"
#include "handlers/start.h"

namespace leat::handlers {

namespace {

constexpr OwnHandler kHandlers[] = {
    {"dashboard",
     [](const OwnHandlerContext& context) {
       return make_dashboard(context.condition, context.watch, context.allow);
     }},
    {"health", [](const OwnHandlerContext& context) { return make_health(context.condition); }},
    {"metrics", [](const OwnHandlerContext& context) { return make_metrics(context.metrics); }},
    {"openapi", [](const OwnHandlerContext& context) { return make_openapi(context.version); }},
    {"start", [](const OwnHandlerContext&) { return make_start(); }},
};

}  // namespace

std::span<const OwnHandler> own_handlers() { return kHandlers; }

}  // namespace leat::handlers
