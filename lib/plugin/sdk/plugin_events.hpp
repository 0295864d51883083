// Part of plugin.hpp: streams of events, for pages that listen with EventSource.
//
//   leat::Reply listen(leat::Request& request) {
//     leat::Events events(request);
//     events.send("hello");
//     events.subscribe("news");
//     return leat::pending();
//   }
//
// What leat::publish() and leat::publish_event() send to the topic "news" comes to it, until the client leaves.
#ifndef LEAT_PLUGIN_EVENTS_HPP
#define LEAT_PLUGIN_EVENTS_HPP

#include <chrono>
#include <stdexcept>
#include <string_view>

#include "plugin.h"
#include "plugin_base.hpp"
#include "plugin_events.h"
#include "plugin_guard.hpp"
#include "plugin_request.hpp"
#include "plugin_websocket.hpp"

namespace leat {
inline namespace [[gnu::visibility("hidden")]] v1 {

struct EventsOptions {
  std::chrono::milliseconds heartbeat{15'000};  // without anything else for so long, a comment is sent
  std::chrono::milliseconds retry{0};           // after how long the client is to come again; 0: as it likes
};

// The stream of a request. Where it goes on later, an Events is made of that request again, by Events::of().
class Events {
 public:
  // Begins the stream, as the answer.
  explicit Events(const Request& request, const EventsOptions& options = {}) : Events(request.handle()) {
    const leat_events_options given{sizeof given, 0, static_cast<uint64_t>(options.heartbeat.count()),
                                    static_cast<uint64_t>(options.retry.count())};
    const int32_t answer = api().begin(request_, &given);
    if (answer == LEAT_E_MEMORY) throw detail::OutOfMemory();
    if (answer != LEAT_OK)
      throw std::logic_error("a stream of events for a request that was answered, or on the pool");
  }
  // Of one that was begun.
  static Events of(const Request& request) { return Events(request.handle()); }

  // The id of the last event that the client has seen; empty where it comes for the first time.
  static std::string_view last_id(const Request& request) { return to_view(api().last_id(request.handle())); }

  // False: the client reads slowly, or has left.
  bool send(std::string_view data) const { return send({}, {}, data); }
  bool send(std::string_view name, std::string_view id, std::string_view data) const {
    return api().send(request_, to_str(name), to_str(id), to_str(data)) == LEAT_OK;
  }
  bool subscribe(std::string_view topic, Slow slow = Slow::Drop) const {
    return api().subscribe(request_, to_str(topic), static_cast<uint32_t>(slow)) == LEAT_OK;
  }
  bool unsubscribe(std::string_view topic) const {
    return api().unsubscribe(request_, to_str(topic)) == LEAT_OK;
  }
  void end() const { detail::api.response->end(request_); }

 private:
  explicit Events(leat_request* request) : request_(request) {}
  static const leat_events_v1& api() {
    if (detail::api.events == nullptr) throw std::logic_error("this daemon is too old for streams of events");
    return *detail::api.events;
  }
  leat_request* request_;
};

// As leat::publish(), with a name and an id for those who have it as an event.
inline bool publish_event(const leat_host* host, std::string_view topic, std::string_view name,
                          std::string_view id, std::string_view data) {
  if (detail::api.events == nullptr) return false;
  const int32_t answer =
      detail::api.events->publish(host, to_str(topic), to_str(name), to_str(id), to_str(data));
  if (answer == LEAT_E_ARGUMENT) throw std::invalid_argument("a text that is not UTF-8");
  return answer == LEAT_OK;
}

}  // namespace v1
}  // namespace leat

#endif
