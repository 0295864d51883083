#include "config/settings.h"

#include <algorithm>
#include <format>
#include <limits>

#include "base/suggest.h"
#include "config/codes.h"
#include "config/units.h"

namespace leat::config {

namespace {

using Type = Setting::Type;

constexpr uint64_t kNone = 0;
constexpr uint64_t k32 = std::numeric_limits<uint32_t>::max();
constexpr uint64_t kSecond = 1000;
constexpr uint64_t kHour = 3600 * kSecond;
constexpr uint64_t kDay = 24 * kHour;
constexpr uint64_t kKiB = 1024;
constexpr uint64_t kMiB = kKiB * kKiB;
constexpr uint64_t kGiB = kMiB * kKiB;

// How a row reaches its member. The casts lose nothing: `most` fits the member.
#define NUMBER(member)                                                                                       \
  [](Settings& s, uint64_t value) { s.member = static_cast<std::remove_cvref_t<decltype(s.member)>>(value); }, \
      [](const Settings& s) { return static_cast<uint64_t>(s.member); }, nullptr, nullptr
#define TEXT(member) nullptr, nullptr, [](Settings& s) { return &s.member; }, nullptr
#define TEXTS(member) nullptr, nullptr, nullptr, [](Settings& s) { return &s.member; }

constexpr Setting kSettings[] = {
    {"server.listen", Type::Addresses, kNone, kNone, {},
     "Where to listen: addresses with a port, and unix:/paths.", nullptr, nullptr, nullptr, nullptr},
    {"server.workers", Type::Workers, 1, 1024, {},
     "Threads that serve; \"auto\" is one for each CPU the process may use.", NUMBER(workers)},
    {"server.pin_workers", Type::Boolean, kNone, kNone, {}, "Keep each worker on a CPU of its own.",
     NUMBER(pin_workers)},
    {"server.engine", Type::Choice, kNone, kNone, "auto io_uring epoll",
     "How the kernel is asked for I/O; auto tries io_uring and falls back to epoll.", NUMBER(engine)},
    {"server.name", Type::Text, 0, 64, {}, "The Server field of answers; empty leaves it out.", TEXT(server_name)},
    {"server.plugin_path", Type::Texts, kNone, kNone, {},
     "Folders in which plugins are looked for, before the installed one.", TEXTS(plugin_path)},
    {"server.drain_timeout", Type::Duration, 0, kDay, {},
     "How long requests in flight may take to finish when the daemon is told to stop.", NUMBER(drain_timeout)},
    {"server.backlog", Type::Count, 1, 65535, {},
     "Connections the kernel keeps waiting to be accepted; it cuts this to net.core.somaxconn.", NUMBER(backlog)},
    {"server.defer_accept", Type::Boolean, kNone, kNone, {},
     "Accept a TCP connection only when its first bytes have come (TCP_DEFER_ACCEPT).", NUMBER(defer_accept)},
    {"server.unix_mode", Type::Count, 0, 0777, {}, "Permission bits of unix sockets, as a TOML octal: 0o660.",
     NUMBER(unix_mode)},

    {"limits.connections", Type::Count, 1, 1'000'000, {},
     "Open connections of a worker; more wait in the kernel's backlog.", NUMBER(max_connections)},
    {"limits.requests_in_flight", Type::Count, 1, 1'000'000, {},
     "Requests of a worker that are being answered; more get a 503.", NUMBER(max_requests)},
    {"limits.memory", Type::Size, kMiB, 1024 * kGiB, {},
     "Memory of a worker for requests and answers in transit; requests beyond it get a 503.", NUMBER(memory)},
    {"limits.request_memory", Type::Size, 64 * kKiB, kGiB, {}, "Memory for one request; beyond it the answer is 503.",
     NUMBER(limits.request_memory_bytes)},
    {"limits.request_line", Type::Size, 64, 64 * kKiB, {}, "Longest request line; beyond it the answer is 414.",
     NUMBER(limits.request_line_bytes)},
    {"limits.headers", Type::Size, 256, kMiB, {}, "All header fields together; beyond it the answer is 431.",
     NUMBER(limits.header_bytes)},
    {"limits.header_count", Type::Count, 1, 1000, {}, "Header fields of a request; beyond it the answer is 431.",
     NUMBER(limits.header_count)},
    {"limits.body", Type::Size, 0, 1024 * kGiB, {}, "Largest request body; beyond it the answer is 413.",
     NUMBER(limits.body_bytes)},
    {"limits.requests_per_connection", Type::Count, 1, std::numeric_limits<int64_t>::max(), {},
     "Requests after which a connection is closed.", NUMBER(limits.requests_per_connection)},
    {"limits.head_timeout", Type::Duration, 1, kHour, {},
     "From the first byte of a request's head to its last; beyond it the answer is 408.",
     NUMBER(limits.head_timeout_ms)},
    {"limits.body_timeout", Type::Duration, 1, kHour, {},
     "Between two pieces of a request's body; beyond it the answer is 408.", NUMBER(limits.body_timeout_ms)},
    {"limits.body_rate", Type::Size, 0, kGiB, {},
     "Least bytes a second of a request's body, on average after the first body_timeout; slower gets 408.",
     NUMBER(limits.body_rate_bytes)},
    {"limits.idle_timeout", Type::Duration, 1, kDay, {},
     "Between two requests of a connection. Keep it longer than the idle timeout of a proxy in front.",
     NUMBER(limits.idle_timeout_ms)},
    {"limits.send_timeout", Type::Duration, 1, kHour, {}, "Without progress while an answer is sent; then the connection is reset.",
     NUMBER(limits.send_timeout_ms)},
    {"limits.linger_timeout", Type::Duration, 0, 60 * kSecond, {},
     "How long what a refused client still sends is read over, so that it gets its answer.",
     NUMBER(limits.linger_timeout_ms)},
    {"limits.pipeline_turn", Type::Count, 1, 65536, {},
     "Pipelined requests of a connection that are served before others have their turn.",
     NUMBER(limits.pipeline_turn)},
    {"limits.output_high", Type::Size, 16 * kKiB, kGiB, {},
     "Unsent bytes of answers of a connection at which its handler and its reading pause.",
     NUMBER(limits.output_high_bytes)},
    {"limits.output_low", Type::Size, 0, kGiB, {}, "Unsent bytes at which they go on.",
     NUMBER(limits.output_low_bytes)},
    {"limits.receive_buffers", Type::Count, 1, 32768, {}, "Receive buffers that the connections of a worker share.",
     NUMBER(receive_buffers)},
    {"limits.receive_buffer_size", Type::Size, kKiB, kMiB, {}, "Size of a receive buffer.",
     NUMBER(receive_buffer_size)},
    {"limits.doze_after", Type::Duration, 0, kDay, {},
     "Idle time after which a connection gives up its armed receive to save kernel memory; 0 for never.",
     NUMBER(doze_after)},
    {"limits.known_heads", Type::Boolean, kNone, kNone, {},
     "Recognise request heads and header lines that come again, and skip parsing them.", NUMBER(known_heads)},

    {"log.level", Type::Choice, kNone, kNone, "debug info warn error off", "The least that is logged.",
     NUMBER(log.level)},
    {"log.format", Type::Choice, kNone, kNone, "text json", "The form of log lines.", NUMBER(log.format)},
    {"log.file", Type::Text, 0, 4096, {}, "Where to log; empty is standard error. SIGUSR1 opens it anew.",
     TEXT(log.file)},
    {"log.queue", Type::Count, 16, 1'000'000, {}, "Lines waiting to be written; more are dropped and counted.",
     NUMBER(log.queue_lines)},
};

#undef NUMBER
#undef TEXT
#undef TEXTS

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
  for (const std::string_view word : words(text)) list += (list.empty() ? "\"" : ", \"") + std::string(word) + "\"";
  return list;
}

std::string quantity_text(const Setting& setting, uint64_t quantity) {
  switch (setting.type) {
    case Type::Duration: return duration_text(quantity);
    case Type::Size: return size_text(quantity);
    default: return std::to_string(quantity);
  }
}

// One value's way into one member.
class Applier {
 public:
  Applier(const Setting& setting, const Value& value, Settings& into, Diagnostics& diagnostics)
      : setting_(setting), value_(value), into_(into), diagnostics_(diagnostics) {}

  void run() {
    switch (setting_.type) {
      case Type::Count: count(); break;
      case Type::Size:
      case Type::Duration: quantity(); break;
      case Type::Boolean:
        if (value_.boolean() != nullptr) return setting_.set_number(into_, *value_.boolean() ? 1 : 0);
        wrong_type("true or false");
        break;
      case Type::Text: text(); break;
      case Type::Choice: choice(); break;
      case Type::Texts: texts(); break;
      case Type::Addresses: addresses(); break;
      case Type::Workers:
        if (value_.string() != nullptr && *value_.string() == "auto") return setting_.set_number(into_, 0);
        if (value_.integer() == nullptr) return wrong_type("a number or \"auto\"");
        count();
        break;
    }
  }

 private:
  void fail(int code, std::string message, std::string hint = {}) {
    diagnostics_.push_back({.code = code, .message = std::move(message), .place = value_.place, .hint = std::move(hint)});
  }
  void wrong_type(std::string_view wanted) {
    fail(kWrongType, std::format("`{}` is {}, not a {}", setting_.path, wanted, value_.type_name()));
  }
  void in_range(uint64_t number) {
    if (number >= setting_.least && number <= setting_.most) return setting_.set_number(into_, number);
    fail(kOutOfRange, std::format("`{}` is {} to {}", setting_.path, quantity_text(setting_, setting_.least),
                                  quantity_text(setting_, setting_.most)));
  }
  void count() {
    if (value_.integer() == nullptr) return wrong_type("a whole number");
    if (*value_.integer() < 0) return in_range(UINT64_MAX);
    in_range(static_cast<uint64_t>(*value_.integer()));
  }
  void quantity() {
    const bool time = setting_.type == Type::Duration;
    // Zero needs no unit, and a plain number of bytes is one.
    if (value_.integer() != nullptr && *value_.integer() >= 0 && (!time || *value_.integer() == 0))
      return in_range(static_cast<uint64_t>(*value_.integer()));
    const std::string_view example = time ? "a time like \"10s\" or \"500ms\"" : "a size like \"64KiB\" or \"1MiB\"";
    if (value_.string() == nullptr) {
      const std::string hint =
          value_.integer() != nullptr ? std::format("did you mean \"{}{}\"?", *value_.integer(), time ? "s" : "") : "";
      return fail(kBadUnit, std::format("`{}` is {}", setting_.path, example), hint);
    }
    const auto parsed = time ? parse_duration(*value_.string()) : parse_size(*value_.string());
    if (!parsed) return fail(kBadUnit, std::format("`{}` is {}", setting_.path, example));
    in_range(*parsed);
  }
  void text() {
    if (value_.string() == nullptr) return wrong_type("text in quotes");
    if (value_.string()->size() > setting_.most)
      return fail(kOutOfRange, std::format("`{}` has at most {} characters", setting_.path, setting_.most));
    if (std::ranges::any_of(*value_.string(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }))
      return fail(kOutOfRange, std::format("`{}` has no control characters", setting_.path));
    *setting_.text(into_) = *value_.string();
  }
  void choice() {
    const std::vector<std::string_view> known = words(setting_.choices);
    if (value_.string() == nullptr) return wrong_type("one of " + quoted_words(setting_.choices));
    const auto found = std::ranges::find(known, std::string_view(*value_.string()));
    if (found == known.end())
      return fail(kBadChoice, std::format("`{}` is one of {}", setting_.path, quoted_words(setting_.choices)),
                  did_you_mean(*value_.string(), known));
    setting_.set_number(into_, static_cast<uint64_t>(found - known.begin()));
  }
  // The strings of a list, or of one string; calls `take` with each.
  template <class Take>
  void each_text(Take take) {
    if (value_.string() != nullptr) return take(value_);
    if (value_.array() == nullptr) return wrong_type("a list of texts");
    for (const Value& item : *value_.array()) {
      if (item.string() != nullptr) {
        take(item);
      } else {
        diagnostics_.push_back({.code = kWrongType,
                                .message = std::format("`{}` is a list of texts", setting_.path),
                                .place = item.place});
      }
    }
  }
  void texts() {
    std::vector<std::string>& list = *setting_.texts(into_);
    list.clear();
    each_text([&](const Value& item) { list.push_back(*item.string()); });
  }
  void addresses() {
    into_.listen.clear();
    each_text([&](const Value& item) {
      auto address = net::Address::parse(*item.string());
      if (!address) {
        diagnostics_.push_back({.code = kBadAddress,
                                .message = std::format("bad address \"{}\": {}", *item.string(), address.error()),
                                .place = item.place});
        return;
      }
      into_.listen.push_back({std::move(*address), item.place});
    });
  }

  const Setting& setting_;
  const Value& value_;
  Settings& into_;
  Diagnostics& diagnostics_;
};

}  // namespace

std::span<const Setting> settings() { return kSettings; }

const Setting* find_setting(std::string_view path) {
  const auto* found = std::ranges::find(kSettings, path, &Setting::path);
  return found == std::end(kSettings) ? nullptr : found;
}

void apply(const Setting& setting, const Value& value, Settings& into, Diagnostics& diagnostics) {
  Applier(setting, value, into, diagnostics).run();
}

std::string default_text(const Setting& setting) {
  Settings defaults;
  switch (setting.type) {
    case Type::Count:
      if (setting.path == "server.unix_mode") return std::format("0o{:o}", defaults.unix_mode);
      return std::to_string(setting.get_number(defaults));
    case Type::Size:
    case Type::Duration: return "\"" + quantity_text(setting, setting.get_number(defaults)) + "\"";
    case Type::Boolean: return setting.get_number(defaults) != 0 ? "true" : "false";
    case Type::Text: return "\"" + *setting.text(defaults) + "\"";
    case Type::Choice: return "\"" + std::string(words(setting.choices)[setting.get_number(defaults)]) + "\"";
    case Type::Texts: return "[]";
    case Type::Addresses: return "[\"127.0.0.1:8080\"]";
    case Type::Workers: return "\"auto\"";
  }
  return {};
}

std::string type_text(const Setting& setting) {
  const auto range = [&](std::string_view name) {
    return std::format("{}, {} to {}", name, quantity_text(setting, setting.least), quantity_text(setting, setting.most));
  };
  switch (setting.type) {
    case Type::Count: return range("number");
    case Type::Size: return range("size");
    case Type::Duration: return range("time");
    case Type::Boolean: return "true or false";
    case Type::Text: return "text";
    case Type::Choice: return quoted_words(setting.choices);
    case Type::Texts: return "list of texts";
    case Type::Addresses: return "list of addresses";
    case Type::Workers: return range("\"auto\" or a number");
  }
  return {};
}

}  // namespace leat::config
