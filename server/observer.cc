#include "server/observer.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <ranges>

#include "base/clock.h"
#include "base/date.h"
#include "base/log.h"
#include "leat_version.h"
#include "server/json_text.h"
#include "server/process/crash_report.h"

namespace leat::server {

namespace {

using pipeline::RequestCounts;

constexpr std::chrono::milliseconds kEvery(1'000);
// Who watches asks more often than this.
constexpr uint64_t kWatchedMs = 5'000;
constexpr size_t kMostRoutes = 25;

std::string utc(int64_t time) { return std::string(view(iso_date(time))) + "Z"; }

// What came to `now` since `before`; less than nothing where its count began anew.
uint64_t since(uint64_t before, uint64_t now) { return now >= before ? now - before : now; }

using Buckets = std::array<uint64_t, latency::kBuckets>;
Buckets since(const Buckets& before, const Buckets& now) {
  Buckets difference;
  for (size_t i = 0; i < now.size(); ++i) difference[i] = since(before[i], now[i]);
  return difference;
}
void add(Buckets& to, const Buckets& more) {
  for (size_t i = 0; i < to.size(); ++i) to[i] += more[i];
}

std::string amount(double number) {
  if (number >= 1e6) return fmt::format("{:.2f}M", number / 1e6);
  if (number >= 1e4) return fmt::format("{:.1f}k", number / 1e3);
  return fmt::format("{:.{}f}", number, number < 100 && number != 0 ? 1 : 0);
}
std::string bytes(double number) {
  constexpr double kKiB = 1024;
  if (number >= kKiB * kKiB * kKiB) return fmt::format("{:.2f} GiB", number / kKiB / kKiB / kKiB);
  if (number >= kKiB * kKiB) return fmt::format("{:.1f} MiB", number / kKiB / kKiB);
  if (number >= kKiB) return fmt::format("{:.1f} KiB", number / kKiB);
  return fmt::format("{:.0f} B", number);
}
std::string seconds(double time) {
  if (time == 0) return "-";
  if (time < 1e-3) return fmt::format("{:.0f}us", time * 1e6);
  if (time < 1) return fmt::format("{:.1f}ms", time * 1e3);
  return fmt::format("{:.2f}s", time);
}
std::string percent(std::optional<double> share) {
  return share ? fmt::format("{:.1f} %", *share * 100) : "-";
}

}  // namespace

Observer::Observer(plugin::SharedResources& shared, OwnMetrics& own, uint32_t workers)
    : shared_(shared), own_(own), workers_(workers), began_ms_(monotonic_ms()) {
  shared_.watch.now = this;
  thread_ = std::jthread([this](const std::stop_token& stopping) { run(stopping); });
}

Observer::~Observer() {
  shared_.watch.now = nullptr;
  thread_.request_stop();
  asked_.notify_all();
}

void Observer::set_serving(uint64_t generation, std::vector<Plugin> plugins) {
  const auto out = std::ranges::count_if(plugins, [](const Plugin& each) { return each.state != "serving"; });
  {
    const std::lock_guard lock(mutex_);
    plugins_ = std::move(plugins);
  }
  shared_.condition.out_of_service = static_cast<uint32_t>(out);
  shared_.condition.generation = generation;
}

void Observer::note_reload(bool good, std::string_view error) {
  own_.count_reload(good);
  const std::lock_guard lock(mutex_);
  reload_ = {std::time(nullptr), good, std::string(error.substr(0, error.find('\n')))};
}

Observer::Reload Observer::last_reload() {
  const std::lock_guard lock(mutex_);
  return reload_;
}

uint64_t Observer::uptime_s() const { return (monotonic_ms() - began_ms_) / 1000; }

std::string Observer::look() { return tell(latest_json_); }
std::string Observer::look_text() { return tell(latest_text_); }

std::string Observer::tell(std::string& latest) {
  const std::lock_guard lock(mutex_);
  watched_until_ms_ = monotonic_ms() + kWatchedMs;
  asked_.notify_all();
  return latest;
}

void Observer::run(const std::stop_token& stopping) {
  give_crash_stack();
  const auto watched = [this] { return monotonic_ms() < watched_until_ms_; };
  while (!stopping.stop_requested()) {
    {
      std::unique_lock lock(mutex_);
      latest_json_.clear();
      latest_text_.clear();
      if (!asked_.wait(lock, stopping, watched)) return;
    }
    Sample before = sample();
    for (;;) {
      {
        std::unique_lock lock(mutex_);
        (void)asked_.wait_for(lock, stopping, kEvery, [] { return false; });
        if (stopping.stop_requested()) return;
        if (!watched()) break;
      }
      Sample now = sample();
      const Observation seen = compare(before, now);
      before = std::move(now);
      std::string json = as_json(seen);
      std::string text = as_text(seen);
      const std::lock_guard lock(mutex_);
      latest_json_ = std::move(json);
      latest_text_ = std::move(text);
    }
  }
}

Observer::Sample Observer::sample() const {
  Sample sample;
  sample.at_ns = monotonic_ns();
  own_.requests().for_each([&](std::string_view route, const RequestCounts::Totals& totals) {
    sample.routes.emplace(route, totals);
  });
  sample.wires = own_.wires();
  sample.cache = shared_.cache.statistics();
  sample.cpu_seconds = Usage::without_descriptors().cpu_seconds;
  return sample;
}

Observer::Observation Observer::compare(const Sample& before, const Sample& now) const {
  Observation seen;
  seen.time = std::time(nullptr);
  const double over = static_cast<double>(std::max<uint64_t>(now.at_ns - before.at_ns, 1)) / 1e9;
  const auto rate = [over](uint64_t count) { return static_cast<double>(count) / over; };
  const auto times_of = [](const Buckets& whole, const Buckets& first) {
    const auto at = [](const Buckets& buckets, double share) {
      return latency::quantile(buckets, share) / 1e9;
    };
    return Times{at(whole, 0.5), at(whole, 0.9), at(whole, 0.99), at(first, 0.99)};
  };
  Buckets whole{}, first{};
  for (const auto& [name, totals] : now.routes) {
    static const RequestCounts::Totals kNothing;
    const auto found = before.routes.find(name);
    const RequestCounts::Totals& earlier = found != before.routes.end() ? found->second : kNothing;
    Route route{.name = name};
    for (const RequestCounts::Kind& kind : totals.kinds) {
      const auto same = std::ranges::find_if(earlier.kinds, [&](const RequestCounts::Kind& each) {
        return each.method == kind.method && each.status == kind.status;
      });
      const double more = rate(since(same != earlier.kinds.end() ? same->count : 0, kind.count));
      const size_t digit = std::min<size_t>(kind.status / 100, seen.by_class.size() - 1);
      route.requests += more;
      if (digit == 5) route.errors += more;
      seen.by_class[digit] += more;
    }
    if (route.requests == 0) continue;
    const Buckets route_whole = since(earlier.whole, totals.whole);
    const Buckets route_first = since(earlier.first_byte, totals.first_byte);
    route.times = times_of(route_whole, route_first);
    route.received = rate(since(earlier.received, totals.received));
    route.sent = rate(since(earlier.sent, totals.sent));
    seen.requests += route.requests;
    add(whole, route_whole);
    add(first, route_first);
    seen.routes.push_back(std::move(route));
  }
  seen.times = times_of(whole, first);
  std::ranges::stable_sort(seen.routes, std::ranges::greater(), &Route::requests);
  for (const OwnMetrics::Wire& wire : now.wires) {
    const auto same = std::ranges::find(before.wires, wire.listener, &OwnMetrics::Wire::listener);
    const OwnMetrics::Wire earlier = same != before.wires.end() ? *same : OwnMetrics::Wire{};
    seen.received += rate(since(earlier.received, wire.received));
    seen.sent += rate(since(earlier.sent, wire.sent));
    seen.opened += rate(since(earlier.opened, wire.opened));
    seen.connections += wire.opened - std::min(wire.opened, wire.closed);
  }
  const uint64_t hits = since(before.cache.hits, now.cache.hits);
  const uint64_t misses = since(before.cache.misses, now.cache.misses);
  if (hits + misses != 0) seen.hit_rate = static_cast<double>(hits) / static_cast<double>(hits + misses);
  seen.cache = now.cache;
  seen.memory_used = own_.memory_used();
  seen.usage = Usage::now();
  seen.cpu = std::max(0.0, now.cpu_seconds - before.cpu_seconds) / over;
  return seen;
}

std::string Observer::as_json(const Observation& seen) {
  JsonText json;
  json.begin_object();
  json.text("time", utc(seen.time));
  json.text("version", LEAT_VERSION);
  json.whole("generation", shared_.condition.generation);
  json.truth("ready", shared_.condition.ready());
  json.truth("leaving", shared_.condition.leaving);
  json.whole("uptime", uptime_s());
  json.whole("workers", workers_);
  json.whole("connections", seen.connections);
  json.decimal("connections_opened", seen.opened);
  json.decimal("requests", seen.requests);
  json.key("status");
  json.begin_object();
  for (size_t digit = 1; digit < seen.by_class.size(); ++digit)
    json.decimal(std::to_string(digit), seen.by_class[digit]);
  json.end_object();
  json.key("latency");
  json.begin_object();
  json.decimal("p50", seen.times.p50);
  json.decimal("p90", seen.times.p90);
  json.decimal("p99", seen.times.p99);
  json.decimal("first_byte_p99", seen.times.first_byte_p99);
  json.end_object();
  json.decimal("received", seen.received);
  json.decimal("sent", seen.sent);
  json.key("cache");
  json.begin_object();
  json.key("hit_rate");
  if (seen.hit_rate)
    json.real(*seen.hit_rate);
  else
    json.null();
  json.whole("entries", seen.cache.entries);
  json.whole("bytes", seen.cache.bytes);
  json.end_object();
  json.key("memory");
  json.begin_object();
  json.whole("resident", seen.usage.resident_bytes);
  json.whole("used", seen.memory_used);
  json.end_object();
  json.decimal("cpu", seen.cpu);
  json.whole("descriptors", seen.usage.open_descriptors);
  json.key("routes");
  json.begin_array();
  for (const Route& route : seen.routes | std::views::take(kMostRoutes)) {
    json.begin_object();
    json.text("route", route.name);
    json.decimal("requests", route.requests);
    json.decimal("errors", route.errors);
    json.decimal("received", route.received);
    json.decimal("sent", route.sent);
    json.decimal("p50", route.times.p50);
    json.decimal("p90", route.times.p90);
    json.decimal("p99", route.times.p99);
    json.decimal("first_byte_p99", route.times.first_byte_p99);
    json.end_object();
  }
  json.end_array();
  json.key("plugins");
  json.begin_array();
  {
    const std::lock_guard lock(mutex_);
    for (const Plugin& plugin : plugins_) {
      json.begin_object();
      json.text("name", plugin.name);
      json.text("state", plugin.state);
      json.text("version", plugin.version);
      json.text("file", plugin.file);
      json.end_object();
    }
  }
  json.end_array();
  json.key("lines");
  json.begin_array();
  for (const log::RecentLine& line : log::recent()) {
    json.begin_object();
    json.text("time", utc(line.time));
    json.text("level", line.level == log::Level::Error ? "error" : "warning");
    json.text("text", line.text);
    json.end_object();
  }
  json.end_array();
  json.end_object();
  return json.take("{}");
}

std::string Observer::as_text(const Observation& seen) {
  const uint64_t up = uptime_s();
  std::string text =
      fmt::format("leat {}  generation {}  {}  up {}d {:02}:{:02}:{:02}  {} worker{}\n", LEAT_VERSION,
                  shared_.condition.generation.load(),
                  shared_.condition.leaving   ? "stopping"
                  : shared_.condition.ready() ? "serving"
                                              : "a plugin is out of service",
                  up / 86400, up / 3600 % 24, up / 60 % 60, up % 60, workers_, workers_ == 1 ? "" : "s");
  text += fmt::format("requests {}/s   2xx {}  3xx {}  4xx {}  5xx {}\n", amount(seen.requests),
                      amount(seen.by_class[2]), amount(seen.by_class[3]), amount(seen.by_class[4]),
                      amount(seen.by_class[5]));
  text += fmt::format("latency  50 % {}  90 % {}  99 % {}   first byte 99 % {}\n", seconds(seen.times.p50),
                      seconds(seen.times.p90), seconds(seen.times.p99), seconds(seen.times.first_byte_p99));
  text += fmt::format("bytes    in {}/s  out {}/s   connections {} ({} new/s)\n", bytes(seen.received),
                      bytes(seen.sent), seen.connections, amount(seen.opened));
  text +=
      fmt::format("cache    hits {}  {} entries, {}   memory {} (requests {})   CPU {:.2f}\n",
                  percent(seen.hit_rate), seen.cache.entries, bytes(static_cast<double>(seen.cache.bytes)),
                  bytes(static_cast<double>(seen.usage.resident_bytes)),
                  bytes(static_cast<double>(seen.memory_used)), seen.cpu);
  std::vector<const Route*> slowest;
  for (const Route& route : seen.routes) slowest.push_back(&route);
  std::ranges::stable_sort(slowest, std::ranges::greater(),
                           [](const Route* route) { return route->times.p99; });
  if (slowest.size() > kMostRoutes) slowest.resize(kMostRoutes);
  size_t width = std::string_view("route, the slowest first").size();
  for (const Route* route : slowest) width = std::max(width, route->name.size());
  text += fmt::format("\n{:{}} {:>9} {:>8} {:>8} {:>8} {:>8} {:>12}\n", "route, the slowest first", width,
                      "req/s", "5xx/s", "50 %", "99 %", "byte 99%", "out/s");
  for (const Route* route : slowest)
    text += fmt::format("{:{}} {:>9} {:>8} {:>8} {:>8} {:>8} {:>12}\n", route->name, width,
                        amount(route->requests), amount(route->errors), seconds(route->times.p50),
                        seconds(route->times.p99), seconds(route->times.first_byte_p99), bytes(route->sent));
  return text;
}

}  // namespace leat::server
