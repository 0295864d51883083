#include "config/settings.h"

#include <algorithm>
#include <memory>
#include <ranges>
#include <utility>

#include "base/text.h"
#include "config/codes.h"
#include "transport/tls/server.h"

namespace leat::config {

namespace {

using schema::automatic;
using schema::boolean;
using schema::choice;
using schema::count;
using schema::duration;
using schema::list;
using schema::mode;
using schema::Row;
using schema::size;
using schema::text;
using schema::texts;

constexpr int64_t kSecond = 1000;
constexpr int64_t kHour = 3600 * kSecond;
constexpr int64_t kDay = 24 * kHour;
constexpr int64_t kKiB = 1024;
constexpr int64_t kMiB = kKiB * kKiB;
constexpr int64_t kGiB = kMiB * kKiB;

// Where a setting is.
#define AT(member) [](Settings& s) -> auto& { return s.member; }

// Of server.proxy_fields.
std::string check_proxy_field(std::string_view, std::string_view text) {
  const auto field = http::ForwardingField::parse(text);
  return field ? std::string() : field.error();
}

constexpr Row kSettings[] = {
    list<AT(listen)>(
        "server.listen", "addresses", check_address, kBadAddress,
        "Where to listen: addresses with a port, and unix:/paths. With none, and no `[[listener]]`, "
        "it is the default."),
    automatic<AT(workers)>("server.workers", 1, 1024,
                           "Threads that serve; \"auto\" is one for each CPU the process may use.")
        .at_start_only(),
    boolean<AT(pin_workers)>("server.pin_workers", "Keep each worker on a CPU of its own.").at_start_only(),
    choice<AT(worker.engine)>(
        "server.engine", "auto io_uring epoll",
        "The interface of the kernel used for I/O; auto tries io_uring and falls back to epoll.")
        .at_start_only(),
    text<AT(worker.server_name)>("server.name", 64, "The Server field of answers; empty leaves it out."),
    choice<AT(trailing_slash)>("server.trailing_slash", "exact redirect ignore",
                               "What becomes of a path that has a route only with another slash at its end, "
                               "or without the one that it has: nothing "
                               "(404), a redirect (308), or that route's answer."),
    texts<AT(plugin_path)>("server.plugin_path",
                           "Folders in which plugins are looked for, before the installed one."),
    duration<AT(worker.drain_timeout_ms)>(
        "server.drain_timeout", 0, kDay,
        "How long requests in flight may take to finish when the daemon is told to stop."),
    duration<AT(worker.drain_idle_ms)>(
        "server.drain_idle", 0, kHour,
        "How long connections between two requests are kept when the daemon is told to stop. A request that "
        "comes meanwhile is answered with `Connection: close`."),
    duration<AT(drain_delay_ms)>("server.drain_delay", 0, kHour,
                                 "How long the daemon goes on as before when it is told to stop, while "
                                 "`leat:health` says that it is not ready, so "
                                 "that who spreads requests sends it no more. A second TERM ends the delay."),
    duration<AT(handover_timeout_ms)>(
        "server.handover_timeout", 0, kHour,
        "How long new requests wait in a reload while their plugin hands over its state; 0: they do not "
        "wait, and what they change meanwhile is lost."),
    duration<AT(worker.stall_warning_ms)>("server.stall_warning", 0, kHour,
                                          "A worker that is blocked for longer than this is logged, with the "
                                          "handler that blocked it; 0 for never.")
        .at_start_only(),
    boolean<AT(supervision.on)>("server.supervise",
                                "Serve in a process of its own, which is started again when it crashes.")
        .at_start_only(),
    count<AT(supervision.crash_limit)>(
        "server.crash_limit", 1, 1000,
        "Crashes within crash_window after which a plugin that caused them is left out, and restarts are "
        "delayed."),
    duration<AT(supervision.crash_window_ms)>("server.crash_window", kSecond, kDay,
                                              "How long a crash is counted."),
    duration<AT(supervision.restart_delay_ms)>(
        "server.restart_delay", 0, kHour,
        "The longest wait before a restart; it starts at 100ms and doubles with each crash beyond the "
        "limit."),
    duration<AT(load_timeout_ms)>(
        "server.load_timeout", 100, kDay,
        "How long all plugins together may take to be loaded and started; after that the process ends as if "
        "the plugin that was being loaded had crashed, or the reload fails."),
    count<AT(sockets.backlog)>(
        "server.backlog", 1, 65535,
        "Connections the kernel keeps waiting to be accepted; it cuts this to net.core.somaxconn."),
    boolean<AT(sockets.defer_accept)>(
        "server.defer_accept",
        "Accept a TCP connection only when its first bytes have come (TCP_DEFER_ACCEPT)."),
    boolean<AT(sockets.share_port)>("server.share_port",
                                    "Listen on a TCP address although another daemon of the same user does: "
                                    "the kernel spreads clients over "
                                    "both."),
    mode<AT(sockets.unix_mode)>("server.unix_mode", 0, 0777,
                                "Permission bits of unix sockets, as an octal number."),
    list<AT(trust.proxies)>(
        "server.trusted_proxies", "ranges of addresses", check_range, kBadRange,
        "Who is believed for whom a request is: 192.0.2.1, 10.0.0.0/8, 2001:db8::/32, or unix for whoever "
        "connects "
        "to a unix socket. Fields of all others that say such a thing are taken from their requests."),
    list<AT(trust.fields)>(
        "server.proxy_fields", "names of fields", check_proxy_field, kBadChoice,
        "The fields that these proxies set, all of them: those that they do not set are the client's, and "
        "are taken "
        "from requests. Either `forwarded` (RFC 7239), or some of `x-forwarded-for`, `x-forwarded-proto` and "
        "`x-forwarded-host`; and what else is to be left for handlers of `x-forwarded-port`, "
        "`x-forwarded-prefix`, "
        "`x-forwarded-server` and `x-real-ip`."),
    choice<AT(tls.min_version)>("server.tls_min_version", "1.2 1.3",
                                "The oldest version of TLS that is spoken."),
    list<AT(tls.ciphers)>(
        "server.tls_ciphers", "names of ciphers", tls::check_cipher, kBadChoice,
        "By OpenSSL's names; those of TLS 1.3 begin with TLS_. A version without any is not spoken."),
    list<AT(tls.groups)>("server.tls_groups", "names of groups", tls::check_group, kBadChoice,
                         "For the exchange of keys, by OpenSSL's names, what is wanted most first."),
    choice<AT(tls.unknown_name)>(
        "server.tls_unknown_name", "default refuse",
        "What clients get that ask for a name that no certificate is for: the default "
        "certificate, or the alert unrecognized_name."),
    duration<AT(tls.ticket_lifetime_ms)>("server.tls_ticket_lifetime", 0, 7 * kDay,
                                         "How long a client can resume a session, and after which tickets "
                                         "have another key; the one before it is kept for "
                                         "as long again. 0: no session is resumed."),
    texts<AT(tls_ticket_key_files)>(
        "server.tls_ticket_key_files",
        "Files of keys that tickets are sealed with, so that clients resume their sessions with each of "
        "several daemons: 80 "
        "random bytes each, or 48. The first seals, all open. With none, the daemon makes keys of its own."),
    duration<AT(tls_warning_ms)>("server.tls_warning", 0, 365 * kDay,
                                 "How long before a certificate expires that is warned of: when it is "
                                 "loaded, and once a day in the log."),
    text<AT(admin_socket)>("server.admin_socket", 107,
                           "Path of the unix socket for admin commands, such as `leat reload`. Empty: "
                           "admin.sock in the folder that "
                           "systemd's RuntimeDirectory= gives; without systemd one in /run/leat-root or "
                           "$XDG_RUNTIME_DIR/leat, which "
                           "the commands find by the configuration's path.")
        .at_start_only(),

    count<AT(worker.connections.most)>(
        "limits.connections", 1, 1'000'000,
        "Open connections of a worker. A further one takes the place of the one that has been idle for the "
        "longest; where none is idle it is answered 503."),
    count<AT(max_per_address)>(
        "limits.connections_per_address", 0, 1'000'000'000,
        "Open connections of one client address (of IPv6, the first 64 bits) on all workers; more are "
        "answered 503. "
        "0: three quarters of what all workers may have, and half of that once a worker has few places "
        "left, so that others always find room. Connections of trusted proxies are not counted, but with the "
        "PROXY "
        "protocol as those of their clients; nor are unix sockets."),
    count<AT(worker.exchanges)>("limits.requests_in_flight", 1, 1'000'000,
                                "Requests of a worker that are being answered; more get a 503.")
        .at_start_only(),
    size<AT(worker.memory_bytes)>(
        "limits.memory", kMiB, 1024 * kGiB,
        "Memory of a worker for requests and answers in transit, whatever holds it; requests beyond it get a "
        "503, and connections that hold some of it without reading or sending lose it first."),
    size<AT(worker.limits.request_memory_bytes)>("limits.request_memory", 64 * kKiB, kGiB,
                                                 "Memory for one request; beyond it the answer is 503."),
    size<AT(worker.limits.request_line_bytes)>("limits.request_line", 64, 64 * kKiB,
                                               "Longest request line; beyond it the answer is 414."),
    size<AT(worker.limits.header_bytes)>("limits.headers", 256, kMiB,
                                         "All header fields together; beyond it the answer is 431."),
    count<AT(worker.limits.header_count)>("limits.header_count", 1, 1000,
                                          "Header fields of a request; beyond it the answer is 431."),
    size<AT(worker.limits.body_bytes)>("limits.body", 0, 1024 * kGiB,
                                       "Largest request body; beyond it the answer is 413."),
    count<AT(form_limits.parts)>("limits.form_parts", 1, 1'000'000,
                                 "Parts of a multipart form of which parameters are asked, and fields "
                                 "of another form; past it 400."),
    size<AT(form_limits.text_bytes)>("limits.form_field", 1, kGiB,
                                     "A parameter in a multipart form that is no file. Of a body that comes "
                                     "in pieces as much is kept of each; past it "
                                     "400."),
    count<AT(worker.limits.requests_per_connection)>("limits.requests_per_connection", 1, 1'000'000'000'000,
                                                     "Requests after which a connection is closed."),
    count<AT(trust.hops)>(
        "limits.proxies", 1, http::ProxyTrust::kMostHops,
        "Proxies on the way of a request that are looked at; the client of one that says that there "
        "are more is unknown."),
    duration<AT(handshake_timeout_ms)>(
        "limits.handshake_timeout", 1, kHour,
        "From the beginning of a connection to the end of what comes before its first "
        "request: the header of the PROXY protocol, and the handshake of TLS. Then it is closed."),
    count<AT(tls.handshakes)>(
        "limits.handshakes", 1, 1'000'000,
        "Handshakes of TLS that a listener of a worker has under way, of some 50 KiB each; one "
        "more is closed."),
    size<AT(tls.memory_bytes)>(
        "limits.tls_memory", kMiB, 1024 * kGiB,
        "Memory that OpenSSL has for connections of all workers: 28 KiB each, 40 with a "
        "certificate of its client's, and 64 in its handshake. Handshakes beyond it are closed."),
    count<AT(tls.handshakes_per_turn)>("limits.handshakes_turn", 1, 65536,
                                       "Handshakes that a worker begins before others have their turn. A "
                                       "signature of RSA takes half a millisecond."),
    duration<AT(worker.limits.head_timeout_ms)>(
        "limits.head_timeout", 1, kHour,
        "From the first byte of a request's head to its last; beyond it the answer is 408."),
    duration<AT(worker.limits.body_timeout_ms)>(
        "limits.body_timeout", 1, kHour,
        "Between two pieces of a request's body; beyond it the answer is 408."),
    size<AT(worker.limits.body_rate_bytes)>("limits.body_rate", 0, kGiB,
                                            "Minimum rate of a request's body in bytes per second, on "
                                            "average after the first body_timeout; a slower one gets 408."),
    duration<AT(worker.limits.answer_timeout_ms)>(
        "limits.answer_timeout", 1, kDay,
        "From a complete request to the beginning of its answer; beyond it the answer is 504."),
    duration<AT(worker.limits.idle_timeout_ms)>(
        "limits.idle_timeout", 1, kDay,
        "Between two requests of a connection. Keep it longer than the idle timeout of a proxy in front."),
    duration<AT(worker.connections.send_timeout_ms)>(
        "limits.send_timeout", 1, kHour,
        "How long a client may take to read 256 KiB of an answer, or what is left of it; then the connection "
        "is reset."),
    duration<AT(worker.limits.half_closed_timeout_ms)>(
        "limits.half_closed_timeout", 0, kDay,
        "How long a request may wait for its answer, or for the next piece of it, once its client has "
        "closed its sending side; then it ends as if the client had left. Raise it for clients that "
        "half-close and then wait."),
    duration<AT(worker.connections.linger_timeout_ms)>(
        "limits.linger_timeout", 0, 60 * kSecond,
        "How long the daemon reads and discards what a refused client still sends, so that it gets its "
        "answer."),
    count<AT(worker.limits.pipeline_turn)>(
        "limits.pipeline_turn", 1, 65536,
        "Pipelined requests of a connection that are served before others have their turn."),
    size<AT(worker.limits.output_high_bytes)>(
        "limits.output_high", 16 * kKiB, kGiB,
        "Unsent bytes of answers of a connection at which its handler and its reading pause."),
    size<AT(worker.limits.output_low_bytes)>("limits.output_low", 0, kGiB,
                                             "Unsent bytes at which they go on."),
    count<AT(worker.ring.buffers.count)>("limits.receive_buffers", 1, 32768,
                                         "Receive buffers that the connections of a worker share.")
        .at_start_only(),
    size<AT(worker.ring.buffers.size)>("limits.receive_buffer_size", kKiB, kMiB, "Size of a receive buffer.")
        .at_start_only(),
    duration<AT(worker.connections.doze_after_ms)>(
        "limits.doze_after", 0, kDay,
        "Idle time after which a connection gives up its armed receive to save kernel memory; 0 for never."),
    boolean<AT(worker.limits.http1_early_hints)>("limits.http1_early_hints",
                                                 "HTTP/1.1: send early hints (103) to its clients, too. "
                                                 "Browsers take none by it, and there are programs "
                                                 "that take them for the answer."),
    count<AT(worker.http2.streams)>("limits.http2_streams", 1, 1024,
                                    "HTTP/2: requests of a connection that are under way at the same time."),
    size<AT(worker.http2.header_table_bytes)>(
        "limits.http2_header_table", 0, 64 * kKiB,
        "HTTP/2: memory of a connection for header fields that its client sends again and again."),
    size<AT(worker.http2.window_bytes)>(
        "limits.http2_window", kKiB, kGiB,
        "HTTP/2: how much of a request's body may come before its handler has read any of it."),
    size<AT(worker.http2.most_window_bytes)>(
        "limits.http2_most_window", kKiB, kGiB,
        "HTTP/2: how much of a request's body may be on its way at most while its handler reads."),
    size<AT(worker.http2.waiting_bytes)>(
        "limits.http2_waiting", 64 * kKiB, kGiB,
        "HTTP/2: how much of all bodies of a connection may be on its way, or wait for handlers, together."),
    duration<AT(worker.http2.window_timeout_ms)>(
        "limits.http2_window_timeout", 1, kDay,
        "HTTP/2: how long an answer waits for its client to make room for more of it; then it is cut."),
    count<AT(worker.http2.continuations)>(
        "limits.http2_continuations", 0, 1000,
        "HTTP/2: CONTINUATION frames that the head of a request may have. With more the connection ends."),
    count<AT(worker.http2.resets)>("limits.http2_resets", 1, 1'000'000,
                                   "HTTP/2: requests that a client may take back before they are answered, "
                                   "or send malformed, beyond those that "
                                   "it has had answered. With more the connection ends."),
    count<AT(worker.http2.control_frames)>("limits.http2_control_frames", 10, 1'000'000,
                                           "HTTP/2: frames that carry nothing of a request (PING, SETTINGS, "
                                           "WINDOW_UPDATE and the like) that may come at once. "
                                           "With more the connection ends."),
    count<AT(worker.http2.control_rate)>("limits.http2_control_rate", 1, 1'000'000,
                                         "HTTP/2: how many of these frames may come each second in the long "
                                         "run, beside those that answers need."),
    boolean<AT(worker.http2.tunnels)>("limits.http2_websockets",
                                      "HTTP/2: have WebSockets as streams of a connection. Without it "
                                      "browsers open one of HTTP/1.1 for each."),
    boolean<AT(worker.known_heads)>(
        "limits.known_heads", "Recognise repeated request heads and header lines, and skip parsing them."),

    automatic<AT(shared.pool.threads)>(
        "pool.threads", 1, 1024,
        "Threads for the work of plugins that blocks; \"auto\" is four for each CPU the process may use, "
        "64 at most.")
        .at_start_only(),
    count<AT(shared.pool.queue)>("pool.queue", 1, 1'000'000,
                                 "Pieces of such work that may wait for a thread; more are refused."),
    duration<AT(shared.client_wait_ms)>("pool.client_wait", 1, kDay,
                                        "How long in total a thread waits for a client to read an answer in "
                                        "pieces; then the answer is cut off."),

    count<AT(shared.metric_series)>("metrics.series", 1, 10'000'000,
                                    "Series that the metrics of all plugins together may have; a plugin that "
                                    "declares more is not loaded."),
    count<AT(shared.metric_routes)>(
        "metrics.routes", 0, 100'000,
        "Routes whose requests are counted by themselves; those of all others are "
        "counted together, as the route `(others)`. Each takes some 1.7 KiB of each worker.")
        .at_start_only(),

    size<AT(shared.cache.bytes)>("cache.size", 0, 1024 * kGiB,
                                 "Memory for stored responses and for what plugins keep in the cache, all "
                                 "together; with 0 nothing is stored."),
    size<AT(shared.cache.entry_bytes)>("cache.entry_size", kKiB, kGiB,
                                       "The largest entry of the cache: its key, value and tags."),
    count<AT(worker.self_requests.most)>(
        "cache.refreshes", 0, 10'000,
        "Stale responses that a worker renews at the same time while it serves them; with 0 requests for a "
        "stale one wait for the new one."),

    size<AT(shared.websocket.message_bytes)>(
        "websocket.message_size", 125, kGiB,
        "The largest message that is received, unpacked; a larger one ends the WebSocket with 1009."),
    size<AT(shared.websocket.frame_bytes)>("websocket.frame_size", 125, kGiB,
                                           "The largest frame of a message, as it comes; likewise."),
    count<AT(shared.websocket.messages_per_second)>(
        "websocket.message_rate", 0, 1'000'000,
        "Messages, pings among them, that one WebSocket may send in a second, with a second's beforehand; "
        "beyond, it is read from more slowly. 0: as many as it likes."),
    size<AT(shared.websocket.queue_bytes)>(
        "websocket.queue_size", kKiB, kGiB,
        "Bytes that may wait for the client of one WebSocket to read; beyond, nothing more is taken for it."),
    size<AT(shared.websocket.broadcast_bytes)>("websocket.broadcast_size", kKiB, 64 * kGiB,
                                               "Bytes of messages for many that may be on their way to the "
                                               "workers which pass them on; beyond, who publishes is told."),
    duration<AT(shared.websocket.ping_interval_ms)>(
        "websocket.ping_interval", 0, kDay,
        "Without a byte from a client for so long, it is sent a ping; 0 for never."),
    duration<AT(shared.websocket.ping_timeout_ms)>(
        "websocket.ping_timeout", 1, kHour,
        "How long it may take to answer that; then its WebSocket has ended."),
    duration<AT(shared.websocket.idle_timeout_ms)>(
        "websocket.idle_timeout", 0, kDay,
        "Without a message in either direction for so long, a WebSocket is closed; 0 for never."),
    duration<AT(shared.websocket.close_timeout_ms)>(
        "websocket.close_timeout", 1, kHour,
        "How long a client may take to answer that its WebSocket is closed; then the connection is reset."),
    duration<AT(shared.websocket.drain_spread_ms)>(
        "websocket.drain_spread", 0, kHour,
        "Over how long WebSockets are told, each at a moment of its own, that the daemon stops or has "
        "another "
        "configuration (1001), so that clients do not all come back at once; when it stops within "
        "server.drain_idle at the most."),
    boolean<AT(shared.websocket.compress)>("websocket.compress",
                                           "Pack messages (permessage-deflate) where clients offer it."),
    size<AT(shared.websocket.compress_from)>("websocket.compress_from", 0, kGiB,
                                             "Messages that are sent are packed from this size on."),

    choice<AT(json_backend)>(
        "json.backend", "auto direct rapidjson yyjson",
        "What writes the JSON of answers; auto takes the fastest. All write the same bytes. `leat version` "
        "says which are built."),

    choice<AT(log.level)>("log.level", "debug info warn error off", "The lowest level that is logged."),
    choice<AT(log.format)>("log.format", "text json", "The form of log lines."),
    text<AT(log.file)>("log.file", 4096, "The log file; empty is standard error. SIGUSR1 reopens it."),
    count<AT(log.queue_lines)>("log.queue", 16, 1'000'000,
                               "Lines waiting to be written; more are dropped and counted.")
        .at_start_only(),
    size<AT(log.line_bytes)>("log.line", 256, kMiB, "Longest line; the rest of a longer one is cut off."),
    count<AT(log.cause_lines)>(
        "log.cause_lines", 0, 1'000'000,
        "Lines of one cause, such as a handler that fails in the same way, in a cause_period; more are "
        "counted, and "
        "one line says how many. 0 for any number."),
    count<AT(log.plugin_lines)>("log.plugin_lines", 0, 1'000'000'000,
                                "The same for the lines of a level that a plugin writes itself."),
    duration<AT(log.cause_period_ms)>("log.cause_period", 100, kHour,
                                      "How long lines of a cause are counted together."),
};

constexpr int64_t kYear = 365 * kDay;

#undef AT

constexpr Row kRouteCache[] = {
    duration<&cache::Policy::ttl_ms>("ttl", 0, kYear,
                                     "How long responses stay fresh that do not say it themselves "
                                     "(Cache-Control, Expires) and have the status 200, "
                                     "203, 204, 300, 301 or 308; 0 for not at all."),
    duration<&cache::Policy::negative_ttl_ms>("negative_ttl", 0, kYear,
                                              "The same for 404, 405, 410, 414 and 501."),
    duration<&cache::Policy::stale_while_revalidate_ms>(
        "stale_while_revalidate", 0, kYear,
        "How long after that a response is still sent at once while it is renewed in the background."),
    duration<&cache::Policy::stale_if_error_ms>(
        "stale_if_error", 0, kYear,
        "How long after that a response still stands in where the handler fails (500, 502, 503, 504) or "
        "does not answer in time."),
    count<&cache::Policy::jitter>("jitter", 0, 100,
                                  "Up to how many percent of its lifetime a response loses at random, so "
                                  "that those stored together do not expire together."),
    count<&cache::Policy::variants>(
        "variants", 1, 10'000,
        "Responses of one target that differ by Vary; beyond that the oldest is dropped."),
    duration<&cache::Policy::wait_ms>(
        "wait", 1, kHour,
        "How long a request waits for the answer that another one's handler is making; then it tries "
        "itself, or, if that was tried, gets a 504."),
    duration<&cache::Policy::pass_ms>(
        "pass_ttl", 0, kDay,
        "After an answer that could not be stored, how long requests for it do not wait for each other."),
    boolean<&cache::Policy::cookies>(
        "cookies",
        "Requests with cookies are answered from the cache too: the handler looks at none, or says Vary."),
    boolean<&cache::Policy::per_client>("per_client",
                                        "Each client (its address, by what trusted proxies say) has "
                                        "responses of its own: for a handler that answers by "
                                        "it."),
    boolean<&cache::Policy::etag>("etag", "Make an ETag for whole responses that have none."),
    boolean<&cache::Policy::client_control>(
        "client_control",
        "Obey Cache-Control of requests: no-cache, no-store, max-age, min-fresh, max-stale, "
        "only-if-cached. A client can then have the handler run each time."),
};

}  // namespace

std::string check_address(std::string_view, std::string_view text) {
  const auto address = net::Address::parse(text);
  return address ? std::string() : "bad address: " + address.error();
}

std::string check_range(std::string_view, std::string_view text) {
  const auto range = AddressRange::parse(text);
  return range ? std::string() : range.error();
}

std::span<const Row> settings() { return kSettings; }
std::vector<SettingGroup> setting_groups() {
  const auto group = [](const Row& row) { return row.name.substr(0, row.name.find('.')); };
  std::vector<SettingGroup> groups;
  for (const auto& rows :
       std::views::chunk_by(kSettings, [&](const Row& a, const Row& b) { return group(a) == group(b); }))
    groups.push_back({group(rows.front()), rows});
  return groups;
}
std::span<const Row> route_cache_settings() { return kRouteCache; }
const Row* find_setting(std::string_view path) { return schema::find(kSettings, path); }

void apply(const Row& setting, const Value& value, Settings& into, Diagnostics& diagnostics) {
  if (auto content = schema::parse(setting, value, kSchemaCodes, diagnostics))
    setting.set(&into, *std::move(content));
}

Value value_of(const std::string& text, const Place& place) {
  if (const auto number = parse_number<int64_t>(text)) return {*number, place};
  return {text, place};
}

std::string complaint(const Row& setting, const std::string& text) {
  Diagnostics found;
  (void)schema::parse(setting, value_of(text, {}), kSchemaCodes, found);
  const auto error = std::ranges::find(found, Diagnostic::Severity::Error, &Diagnostic::severity);
  return error == found.end() ? "" : error->message;
}

std::vector<std::string> keep_fixed(Settings& next, const Settings& running) {
  std::vector<std::string> changed;
  for (const Row& row : kSettings) {
    if (!row.restart || row.get(&running) == row.get(&next)) continue;
    row.set(&next, row.get(&running));
    if (std::ranges::contains(running.secret, row.name)) next.secret.emplace_back(row.name);
    changed.emplace_back(row.name);
  }
  return changed;
}

std::vector<ListeningSocket> listening_sockets(const Settings& settings) {
  std::vector<ListeningSocket> sockets;
  const auto trust = [&](std::vector<AddressRange> proxies) -> std::shared_ptr<const http::ProxyTrust> {
    if (proxies.empty()) return nullptr;
    auto made = std::make_shared<http::ProxyTrust>(settings.trust);
    made->proxies = std::move(proxies);
    return made;
  };
  const std::shared_ptr<const http::ProxyTrust> of_all = trust(settings.trust.proxies);
  const worker::ListenerOptions connections{.handshake_timeout_ms = settings.handshake_timeout_ms,
                                            .trust = of_all};
  for (size_t i = 0; i < settings.listen.size(); ++i)
    sockets.push_back({settings.listen[i], settings.sockets, connections,
                       i < settings.listen_places.size() ? settings.listen_places[i] : Place()});
  for (const ListenerDecl& own : settings.listeners) {
    ListeningSocket socket{own.address, settings.sockets, connections, own.place};
    net::ListenOptions& options = socket.options;
    options.backlog = own.backlog.value_or(options.backlog);
    options.defer_accept = own.defer_accept.value_or(options.defer_accept);
    options.unix_mode = own.mode.value_or(options.unix_mode);
    options.unix_owner = own.owner;
    options.unix_group = own.group;
    socket.connections.protocols = own.protocols;
    socket.connections.proxy_protocol = own.proxy_protocol;
    if (own.trusted_proxies) socket.connections.trust = trust(*own.trusted_proxies);
    if (own.tls_server != nullptr) socket.connections.transport = tls::transports(own.tls_server);
    sockets.push_back(std::move(socket));
  }
  return sockets;
}

}  // namespace leat::config
