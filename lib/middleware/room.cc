#include "middleware/room.h"

#include "base/log.h"
#include "pipeline/site.h"

namespace leat::middleware {

void refuse_crowded(http::Exchange& exchange, http::AnswerBody& body, size_t fields, std::string_view kind) {
  const pipeline::Route* route = exchange.route;
  const std::string_view owner = route != nullptr ? route->handler_name : std::string_view();
  const std::string_view id = route != nullptr ? std::string_view(route->id) : std::string_view();
  log::limited(log::Level::Error, {kind, owner, id},
               "{} needs {} fields of an answer that has {} of {} already: a 500 took its place, on {} {}",
               kind, fields, http::Response::kMostFields - exchange.response.room(),
               http::Response::kMostFields, id, exchange.request.id());
  exchange.fail_answer(body);
  // Where middleware alone has taken them all, what it said goes as well.
  if (exchange.response.room() < fields) {
    const uint16_t status = exchange.response.status;
    const std::string_view type = exchange.response.content_type;
    exchange.response.reset();
    exchange.response.status = status;
    exchange.response.content_type = type;
  }
}

}  // namespace leat::middleware
