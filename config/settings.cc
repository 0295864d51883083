#include "config/settings.h"

#include <fmt/core.h>

#include <algorithm>
#include <limits>
#include <type_traits>

#include "base/check.h"
#include "base/units.h"

namespace leat::config {

namespace {

using Type = Setting::Type;
using enum Setting::Type;

constexpr uint64_t kSecond = 1000;
constexpr uint64_t kHour = 3600 * kSecond;
constexpr uint64_t kDay = 24 * kHour;
constexpr uint64_t kKiB = 1024;
constexpr uint64_t kMiB = kKiB * kKiB;
constexpr uint64_t kGiB = kMiB * kKiB;

// How a row reaches its member, which may lie within an options struct of a module.
#define AT(member) [](Settings& s) -> auto& { return s.member; }

// A row for a member that holds a number, a boolean or an enumeration. `At` has no state, so that a pointer
// to a function is enough. A range that the member could not hold does not compile.
template <class At>
consteval Setting number(std::string_view path, Type type, uint64_t least, uint64_t most, At,
                         std::string_view sentence) {
  using Member = std::remove_reference_t<decltype(At{}(std::declval<Settings&>()))>;
  if constexpr (std::is_integral_v<Member>) ENSURE(most <= uint64_t{std::numeric_limits<Member>::max()});
  return {.path = path,
          .type = type,
          .least = least,
          .most = most,
          .sentence = sentence,
          .set_number = [](Settings& s, uint64_t value) { At{}(s) = static_cast<Member>(value); },
          .get_number = [](Settings& s) { return static_cast<uint64_t>(At{}(s)); }};
}
template <class At>
consteval Setting choice(std::string_view path, std::string_view choices, At at, std::string_view sentence) {
  Setting row = number(path, Choice, 0, 0, at, sentence);
  row.choices = choices;
  return row;
}
consteval Setting text(std::string_view path, uint64_t most, std::string& (*at)(Settings&),
                       std::string_view sentence) {
  return {.path = path, .type = Text, .most = most, .sentence = sentence, .text = at};
}
consteval Setting texts(std::string_view path, std::vector<std::string>& (*at)(Settings&),
                        std::string_view sentence) {
  return {.path = path, .type = Texts, .sentence = sentence, .texts = at};
}
consteval Setting addresses(std::string_view path, std::string_view sentence) {
  return {.path = path, .type = Addresses, .sentence = sentence};
}

constexpr Setting kSettings[] = {
    addresses("server.listen", "Where to listen: addresses with a port, and unix:/paths."),
    number("server.workers", Workers, 1, 1024, AT(workers),
           "Threads that serve; \"auto\" is one for each CPU the process may use."),
    number("server.pin_workers", Boolean, 0, 1, AT(pin_workers), "Keep each worker on a CPU of its own."),
    choice("server.engine", "auto io_uring epoll", AT(engine),
           "How the kernel is asked for I/O; auto tries io_uring and falls back to epoll."),
    text("server.name", 64, AT(server_name), "The Server field of answers; empty leaves it out."),
    texts("server.plugin_path", AT(plugin_path),
          "Folders in which plugins are looked for, before the installed one."),
    number("server.drain_timeout", Duration, 0, kDay, AT(drain_timeout),
           "How long requests in flight may take to finish when the daemon is told to stop."),
    number("server.handover_timeout", Duration, 0, kHour, AT(handover_timeout),
           "How long new requests wait in a reload while their plugin hands over its state; 0: they do not "
           "wait, and what they change meanwhile is lost."),
    number(
        "server.stall_warning", Duration, 0, kHour, AT(stall_warning),
        "A worker that is kept from its loop for longer than this is logged, with the handler that did it; "
        "0 for never."),
    number("server.supervise", Boolean, 0, 1, AT(supervise),
           "Serve in a process of its own, which is started again when it crashes."),
    number("server.crash_limit", Count, 1, 1000, AT(crash_limit),
           "Crashes within crash_window after which a plugin that caused them is left out, and restarts are "
           "delayed."),
    number("server.crash_window", Duration, kSecond, kDay, AT(crash_window), "How long a crash is counted."),
    number("server.restart_delay", Duration, 0, kHour, AT(restart_delay),
           "The longest wait before a restart; it starts at 100ms and doubles with each crash beyond the "
           "limit."),
    number("server.load_timeout", Duration, 100, kDay, AT(load_timeout),
           "How long plugins may take, all together, to be loaded and started; then the process ends as in a "
           "crash of the one that is at it, or the reload fails."),
    number("server.backlog", Count, 1, 65535, AT(backlog),
           "Connections the kernel keeps waiting to be accepted; it cuts this to net.core.somaxconn."),
    number("server.defer_accept", Boolean, 0, 1, AT(defer_accept),
           "Accept a TCP connection only when its first bytes have come (TCP_DEFER_ACCEPT)."),
    number("server.unix_mode", Mode, 0, 0777, AT(unix_mode),
           "Permission bits of unix sockets, as an octal number."),
    text("server.admin_socket", 107, AT(admin_socket),
         "Path of the unix socket for admin commands, such as `leat reload`; empty for admin.sock in the "
         "folder that "
         "systemd's RuntimeDirectory= gives, or for none."),

    number(
        "limits.connections", Count, 1, 1'000'000, AT(max_connections),
        "Open connections of a worker. A further one takes the place of the one that has been idle for the "
        "longest; where none is idle it is answered 503."),
    number("limits.connections_per_address", Count, 0, 1'000'000'000, AT(max_per_address),
           "Open connections of one client address (of IPv6, the first 64 bits) on all workers; more are "
           "answered 503. "
           "0: three quarters of what all workers may have, and half of that once a worker has few places "
           "left, so that others always find room. A proxy in front is one address; unix sockets are not "
           "counted."),
    number("limits.requests_in_flight", Count, 1, 1'000'000, AT(max_requests),
           "Requests of a worker that are being answered; more get a 503."),
    number(
        "limits.memory", Size, kMiB, 1024 * kGiB, AT(memory),
        "Memory of a worker for requests and answers in transit, whatever holds it; requests beyond it get a "
        "503, and connections that hold some of it without reading or sending lose it first."),
    number("limits.request_memory", Size, 64 * kKiB, kGiB, AT(limits.request_memory_bytes),
           "Memory for one request; beyond it the answer is 503."),
    number("limits.request_line", Size, 64, 64 * kKiB, AT(limits.request_line_bytes),
           "Longest request line; beyond it the answer is 414."),
    number("limits.headers", Size, 256, kMiB, AT(limits.header_bytes),
           "All header fields together; beyond it the answer is 431."),
    number("limits.header_count", Count, 1, 1000, AT(limits.header_count),
           "Header fields of a request; beyond it the answer is 431."),
    number("limits.body", Size, 0, 1024 * kGiB, AT(limits.body_bytes),
           "Largest request body; beyond it the answer is 413."),
    number("limits.requests_per_connection", Count, 1, 1'000'000'000'000, AT(limits.requests_per_connection),
           "Requests after which a connection is closed."),
    number("limits.head_timeout", Duration, 1, kHour, AT(limits.head_timeout_ms),
           "From the first byte of a request's head to its last; beyond it the answer is 408."),
    number("limits.body_timeout", Duration, 1, kHour, AT(limits.body_timeout_ms),
           "Between two pieces of a request's body; beyond it the answer is 408."),
    number("limits.body_rate", Size, 0, kGiB, AT(limits.body_rate_bytes),
           "Least bytes a second of a request's body, on average after the first body_timeout; slower gets "
           "408."),
    number("limits.answer_timeout", Duration, 1, kDay, AT(limits.answer_timeout_ms),
           "From a complete request to the begin of its answer; beyond it the answer is 504."),
    number("limits.idle_timeout", Duration, 1, kDay, AT(limits.idle_timeout_ms),
           "Between two requests of a connection. Keep it longer than the idle timeout of a proxy in front."),
    number("limits.send_timeout", Duration, 1, kHour, AT(limits.send_timeout_ms),
           "For a client to take 256 KiB of an answer, or what is left of it; then the connection is reset."),
    number("limits.half_closed_timeout", Duration, 0, kDay, AT(limits.half_closed_timeout_ms),
           "How long a request may wait for its answer, or for the next piece of it, once its client has "
           "closed its sending side; then it ends as if the client had left. Raise it for clients that "
           "half-close and then wait."),
    number("limits.linger_timeout", Duration, 0, 60 * kSecond, AT(limits.linger_timeout_ms),
           "How long what a refused client still sends is read over, so that it gets its answer."),
    number("limits.pipeline_turn", Count, 1, 65536, AT(limits.pipeline_turn),
           "Pipelined requests of a connection that are served before others have their turn."),
    number("limits.output_high", Size, 16 * kKiB, kGiB, AT(limits.output_high_bytes),
           "Unsent bytes of answers of a connection at which its handler and its reading pause."),
    number("limits.output_low", Size, 0, kGiB, AT(limits.output_low_bytes),
           "Unsent bytes at which they go on."),
    number("limits.receive_buffers", Count, 1, 32768, AT(receive_buffers),
           "Receive buffers that the connections of a worker share."),
    number("limits.receive_buffer_size", Size, kKiB, kMiB, AT(receive_buffer_size),
           "Size of a receive buffer."),
    number(
        "limits.doze_after", Duration, 0, kDay, AT(doze_after),
        "Idle time after which a connection gives up its armed receive to save kernel memory; 0 for never."),
    number("limits.known_heads", Boolean, 0, 1, AT(known_heads),
           "Recognise request heads and header lines that come again, and skip parsing them."),

    number("pool.threads", Workers, 1, 1024, AT(pool_threads),
           "Threads for the work of plugins that blocks; \"auto\" is four for each CPU the process may use, "
           "64 at most."),
    number("pool.queue", Count, 1, 1'000'000, AT(pool_queue),
           "Pieces of such work that wait for a thread; plugins are told that more is too much."),
    number(
        "pool.client_wait", Duration, 1, kDay, AT(pool_client_wait),
        "How long, all in all, a thread waits for a client to read an answer in pieces; then that is cut."),

    number(
        "metrics.series", Count, 1, 10'000'000, AT(metrics_series),
        "Numbers that metrics of plugins may be shown as, all together; a plugin that declares more is not "
        "loaded."),

    number("cache.size", Size, 0, 1024 * kGiB, AT(cache_size),
           "Memory for responses that are stored and for what plugins keep in the cache, all together; 0: "
           "nothing is."),
    number("cache.entry_size", Size, kKiB, kGiB, AT(cache_entry_size),
           "The largest entry of the cache: its key, value and tags."),
    number("cache.refreshes", Count, 0, 10'000, AT(cache_refreshes),
           "Stale responses that a worker has made anew at the same time while it serves them; 0: whoever "
           "meets one waits for the new one."),

    choice("json.backend", "auto direct rapidjson yyjson", AT(json_backend),
           "Who writes the JSON of answers; auto takes the fastest. All write the same bytes. `leat version` "
           "says which are built."),

    choice("log.level", "debug info warn error off", AT(log.level), "The least that is logged."),
    choice("log.format", "text json", AT(log.format), "The form of log lines."),
    text("log.file", 4096, AT(log.file), "Where to log; empty is standard error. SIGUSR1 opens it anew."),
    number("log.queue", Count, 16, 1'000'000, AT(log.queue_lines),
           "Lines waiting to be written; more are dropped and counted."),
    number("log.line", Size, 256, kMiB, AT(log.line_bytes),
           "Longest line; the rest of a longer one is cut off."),
    number("log.cause_lines", Count, 0, 1'000'000, AT(log.cause_lines),
           "Lines of one cause, such as a handler that fails in the same way, in a cause_period; more are "
           "counted, and "
           "one line says how many. 0 for any number."),
    number("log.plugin_lines", Count, 0, 1'000'000'000, AT(log.plugin_lines),
           "The same for the lines of a level that a plugin writes itself."),
    number("log.cause_period", Duration, 100, kHour, AT(log.cause_period_ms),
           "How long lines of a cause are counted together."),
};

constexpr uint64_t kYear = 365 * kDay;

constexpr Setting kRouteCache[] = {
    number(
        "ttl", Duration, 0, kYear, AT(route_cache.ttl_ms),
        "How long responses stay good that do not say so (Cache-Control, Expires) and have the status 200, "
        "203, 204, 300, 301 or 308; 0 for not at all."),
    number("negative_ttl", Duration, 0, kYear, AT(route_cache.negative_ttl_ms),
           "The same for 404, 405, 410, 414 and 501."),
    number("stale_while_revalidate", Duration, 0, kYear, AT(route_cache.stale_while_revalidate_ms),
           "How long after that a response is still sent at once, while it is made anew in the background."),
    number("stale_if_error", Duration, 0, kYear, AT(route_cache.stale_if_error_ms),
           "How long after that a response still stands in where the handler fails (500, 502, 503, 504) or "
           "does not answer in time."),
    number("jitter", Count, 0, 100, AT(route_cache.jitter),
           "Percent of its time that a response may lose, by chance, so that those stored together do not "
           "end together."),
    number("variants", Count, 1, 10'000, AT(route_cache.variants),
           "Responses of one target that differ by Vary; the oldest of more is dropped."),
    number("wait", Duration, 1, kHour, AT(route_cache.wait_ms),
           "How long a request waits for the answer that another one's handler is making; then it tries "
           "itself, or, if that was tried, gets a 504."),
    number("pass_ttl", Duration, 0, kDay, AT(route_cache.pass_ms),
           "How long nobody waits for another's answer after one that could not be stored."),
    number("cookies", Boolean, 0, 1, AT(route_cache.cookies),
           "Requests with cookies are answered from the cache too: the handler looks at none, or says Vary."),
    number("etag", Boolean, 0, 1, AT(route_cache.etag), "Make an ETag for whole responses that have none."),
    number("client_control", Boolean, 0, 1, AT(route_cache.client_control),
           "Obey Cache-Control of requests: no-cache, no-store, max-age, min-fresh, max-stale, "
           "only-if-cached. A client can then have the handler run each time."),
};

#undef AT

std::string quantity_text(const Setting& setting, uint64_t quantity) {
  switch (setting.type) {
    case Duration:
      return duration_text(quantity);
    case Size:
      return size_text(quantity);
    case Mode:
      return fmt::format("0o{:o}", quantity);
    default:
      return std::to_string(quantity);
  }
}

}  // namespace

std::vector<std::string_view> words(std::string_view text) {
  std::vector<std::string_view> list;
  while (!text.empty()) {
    const size_t end = std::min(text.find(' '), text.size());
    list.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return list;
}

std::string quoted_words(std::string_view text) {
  std::string list;
  for (const std::string_view word : words(text))
    list += (list.empty() ? "\"" : ", \"") + std::string(word) + "\"";
  return list;
}

std::string range_text(const Setting& setting) {
  return fmt::format("{}{} to {}", setting.type == Workers ? "\"auto\" or a number, " : "",
                     quantity_text(setting, setting.least), quantity_text(setting, setting.most));
}

std::span<const Setting> route_cache_settings() { return kRouteCache; }
std::span<const Setting> settings() { return kSettings; }

const Setting* find_setting(std::string_view path) {
  const auto* found = std::ranges::find(kSettings, path, &Setting::path);
  return found == std::end(kSettings) ? nullptr : found;
}

std::vector<std::string> changed_settings(const Settings& before, const Settings& after) {
  // The rows reach members of mutable Settings only.
  Settings a = before;
  Settings b = after;
  std::vector<std::string> paths;
  const auto same_addresses = [&] {
    return std::ranges::equal(a.listen, b.listen, {}, &Listen::address, &Listen::address);
  };
  for (const Setting& row : kSettings) {
    const bool same = row.get_number != nullptr ? row.get_number(a) == row.get_number(b)
                      : row.text != nullptr     ? row.text(a) == row.text(b)
                      : row.texts != nullptr    ? row.texts(a) == row.texts(b)
                                                : same_addresses();
    if (!same) paths.emplace_back(row.path);
  }
  return paths;
}

std::string default_text(const Setting& setting) {
  Settings defaults;
  switch (setting.type) {
    case Count:
    case Mode:
      return quantity_text(setting, setting.get_number(defaults));
    case Size:
    case Duration:
      return "\"" + quantity_text(setting, setting.get_number(defaults)) + "\"";
    case Boolean:
      return setting.get_number(defaults) != 0 ? "true" : "false";
    case Text:
      return "\"" + setting.text(defaults) + "\"";
    case Choice:
      return "\"" + std::string(words(setting.choices)[setting.get_number(defaults)]) + "\"";
    case Texts:
      return "[]";
    case Addresses:
      return "[\"127.0.0.1:8080\"]";
    case Workers:
      return "\"auto\"";
  }
  return {};
}

std::string type_text(const Setting& setting) {
  switch (setting.type) {
    case Count:
      return "number, " + range_text(setting);
    case Size:
      return "size, " + range_text(setting);
    case Duration:
      return "time, " + range_text(setting);
    case Mode:
      return "octal number, " + range_text(setting);
    case Boolean:
      return "true or false";
    case Text:
      return "text";
    case Choice:
      return quoted_words(setting.choices);
    case Texts:
      return "list of texts";
    case Addresses:
      return "list of addresses";
    case Workers:
      return range_text(setting);
  }
  return {};
}

}  // namespace leat::config
