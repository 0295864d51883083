#include "handlers/dashboard.h"

#include <algorithm>
#include <new>
#include <vector>

#include "base/host_address.h"
#include "handlers/dashboard_page.h"
#include "pipeline/pipeline.h"

namespace leat::handlers {

namespace {

constexpr std::string_view kAll = "all";
constexpr uint64_t kEveryMs = 1'000;

class Dashboard final : public pipeline::Handler {
 public:
  Dashboard(const Condition& condition, const WatchPlace& watch, std::span<const std::string> allow)
      : condition_(condition), watch_(watch), all_(std::ranges::contains(allow, kAll)) {
    constexpr std::string_view kNear[] = {"127.0.0.0/8", "::1", "unix"};
    for (const std::string& text : allow)
      if (text != kAll) allowed_.push_back(*AddressRange::parse(text));
    if (allow.empty())
      for (const std::string_view text : kNear) allowed_.push_back(*AddressRange::parse(text));
  }

  [[nodiscard]] pipeline::Verdict handle(http::Exchange& exchange) override {
    if (!may_see(exchange.request)) {
      const bool told = exchange.send_problem(403, "This is not for you to see.");
      return told ? pipeline::Verdict::Done : pipeline::Verdict::Error;
    }
    http::Response& response = exchange.response;
    const bool events = exchange.request.header("accept").contains("text/event-stream");
    const bool good = response.add("Cache-Control", "no-store") &&
                      response.add("X-Content-Type-Options", "nosniff") &&
                      (events || (response.add("Content-Security-Policy", kDashboardPolicy) &&
                                  response.add("Referrer-Policy", "no-referrer")));
    if (!good) return pipeline::Verdict::Error;
    if (events) return begin_events(exchange);
    response.content_type = "text/html; charset=utf-8";
    return exchange.send_pinned(kDashboardPage, {}) ? pipeline::Verdict::Done : pipeline::Verdict::Error;
  }
  pipeline::Verdict on_writable(http::Exchange& exchange) override {
    return viewer_of(exchange).waits ? tell(exchange) : pipeline::Verdict::Pending;
  }
  [[nodiscard]] std::string_view blame() const override { return "leat:dashboard"; }

 private:
  // Somebody who is told events.
  struct Viewer {
    uint64_t generation;  // that served when it came: its events end with that, and its page asks anew
    bool waits = false;   // has not read what there was
  };
  static Viewer& viewer_of(const http::Exchange& exchange) {
    return *static_cast<Viewer*>(exchange.handler_state);
  }

  [[nodiscard]] bool may_see(const http::Request& request) const {
    if (all_) return true;
    if (request.client_in_doubt()) return false;
    const std::string_view client = request.client();
    const auto address = client == "unix:" ? HostAddress::unix_socket() : HostAddress::parse(client);
    return address &&
           std::ranges::any_of(allowed_, [&](const AddressRange& each) { return each.contains(*address); });
  }

  pipeline::Verdict begin_events(http::Exchange& exchange) {
    void* const room = exchange.arena().allocate(sizeof(Viewer), alignof(Viewer));
    if (room == nullptr) return pipeline::Verdict::Error;
    exchange.handler_state = new (room) Viewer{.generation = condition_.generation};
    exchange.response.content_type = "text/event-stream";
    if (!exchange.begin(std::nullopt)) return pipeline::Verdict::Error;
    (void)exchange.write("retry: 1000\n\n");
    return tell(exchange);
  }

  // One more event, and then again in a moment, or, of a client that does not read, when it does; or the end.
  pipeline::Verdict tell(http::Exchange& exchange) {
    Viewer& viewer = viewer_of(exchange);
    Watch* const watch = watch_.now;
    if (watch == nullptr || condition_.leaving || condition_.generation != viewer.generation)
      return exchange.end() ? pipeline::Verdict::Done : pipeline::Verdict::Error;
    const std::string seen = watch->look();
    const std::string event = seen.empty() ? ":\n\n" : "data: " + seen + "\n\n";  // nothing yet: a comment
    viewer.waits = !exchange.write(event);
    if (exchange.finished()) return pipeline::Verdict::Done;
    const http::Ticket ticket = exchange.suspend();
    if (viewer.waits) return pipeline::Verdict::Pending;
    const bool again = exchange.worker().resume_after(
        ticket, kEveryMs,
        [](http::Exchange& later, void* self) {
          auto& dashboard = *static_cast<Dashboard*>(self);
          pipeline::apply_verdict(later, dashboard, dashboard.tell(later));
        },
        this);
    return again ? pipeline::Verdict::Pending : pipeline::Verdict::Error;
  }

  const Condition& condition_;
  const WatchPlace& watch_;
  const bool all_;
  std::vector<AddressRange> allowed_;
};

}  // namespace

std::unique_ptr<pipeline::Handler> make_dashboard(const Condition& condition, const WatchPlace& watch,
                                                  std::span<const std::string> allow) {
  return std::make_unique<Dashboard>(condition, watch, allow);
}

}  // namespace leat::handlers
