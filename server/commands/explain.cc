#include "server/commands/explain.h"

#include <fmt/core.h>

#include <algorithm>
#include <functional>
#include <optional>

#include "base/host_address.h"
#include "base/text.h"
#include "http/exchange.h"
#include "http/forwarding.h"
#include "http/service.h"
#include "http1/session.h"
#include "pipeline/explain.h"

namespace leat::server {

namespace {

// The worker of a request that nobody sent: memory, and no time.
class NoWorker final : public http::WorkerContext {
 public:
  [[nodiscard]] uint32_t index() const override { return 0; }
  [[nodiscard]] uint64_t now_ns() const override { return 1'000'000'000; }
  [[nodiscard]] std::string_view date() const override { return "Thu, 01 Jan 1970 00:00:00 GMT"; }
  [[nodiscard]] BlockPool& blocks() override { return blocks_; }
  [[nodiscard]] bool resume_after(http::Ticket, uint64_t, Resume, void*) override { return false; }
  [[nodiscard]] bool resume_from_any_thread(http::Ticket, Resume, void*) override { return false; }
  void forget_timers(http::Exchange&) override {}
  void run_soon(std::function<void()>) override {}

 private:
  BlockPool blocks_{4096, 64};
};

// Explains the request in place of answering it.
class Explainer final : public http::Service {
 public:
  Explainer(const pipeline::Site& site, const pipeline::DefaultLimits& limits)
      : site_(site), limits_(limits) {}

  BodyMode on_request(http::Exchange& exchange) override {
    told = pipeline::explain(site_, exchange, limits_);
    exchange.send({});
    return BodyMode::Discard;
  }
  void on_body(http::Exchange&, std::string_view) override {}
  void on_body_end(http::Exchange&) override {}
  void on_writable(http::Exchange&) override {}
  void on_response(http::Exchange&) override {}
  void on_cancel(http::Exchange&) override {}
  void on_done(http::Exchange&) override {}

  std::optional<pipeline::Explanation> told;

 private:
  const pipeline::Site& site_;
  const pipeline::DefaultLimits limits_;
};

// A URL, taken apart.
struct AskedTarget {
  std::string_view scheme = "http", host, target;
};

std::expected<AskedTarget, std::string> read_url(std::string_view url) {
  AskedTarget asked;
  url = url.substr(0, url.find('#'));
  if (const size_t end = url.find("://"); end != std::string_view::npos) {
    asked.scheme = url.substr(0, end);
    if (asked.scheme != "http" && asked.scheme != "https")
      return std::unexpected(fmt::format("`{}` is neither http nor https", asked.scheme));
    url.remove_prefix(end + 3);
    asked.host = url.substr(0, url.find_first_of("/?"));
    url.remove_prefix(asked.host.size());
  } else if (!url.starts_with('/') && url != "*") {
    return std::unexpected(
        fmt::format("`{}` is neither a URL nor a path: write http://example.org/path", url));
  }
  asked.target = url;
  return asked;
}

// The request as a client would send it.
std::expected<std::string, std::string> written(const Question& question, const AskedTarget& asked) {
  const auto is_host = [](std::string_view field) {
    return equal_ignoring_case(field.substr(0, field.find(':')), "Host");
  };
  std::string text =
      fmt::format("{} {}{} HTTP/1.1\r\n", question.method,
                  asked.target.starts_with('/') || asked.target == "*" ? "" : "/", asked.target);
  if (std::ranges::none_of(question.fields, is_host))
    text += fmt::format("Host: {}\r\n", asked.host.empty() ? std::string_view("localhost") : asked.host);
  for (const std::string& field : question.fields) {
    // A tab ends it where it is passed on to the daemon.
    if (field.find(':') == std::string::npos || !is_field_value(field) || field.contains('\t'))
      return std::unexpected(fmt::format("`{}` is no header field: write NAME: VALUE", field));
    text += field + "\r\n";
  }
  return text + "\r\n";
}

}  // namespace

std::string Question::line() const {
  std::string text =
      fmt::format("{}{}\t{}\t{}\t{}\t{}", kExplainWord, json ? "json" : "text", method, url, from, listener);
  for (const std::string& field : fields) text += "\t" + field;
  return text;
}

std::expected<Question, std::string> Question::from_line(std::string_view line) {
  std::vector<std::string> words;
  for (size_t at = kExplainWord.size(); at <= line.size();) {
    const size_t end = std::min(line.find('\t', at), line.size());
    words.emplace_back(line.substr(at, end - at));
    at = end + 1;
  }
  if (words.size() < 5)
    return std::unexpected(
        "explain takes, between tabs: text or json, method, URL, client, listener, and fields");
  Question question{.method = words[1],
                    .url = words[2],
                    .fields = {},
                    .from = words[3],
                    .listener = words[4],
                    .json = words[0] == "json"};
  question.fields.assign(words.begin() + 5, words.end());
  return question;
}

std::expected<std::string, std::string> explain(const pipeline::Site& site, const config::Settings& settings,
                                                const Question& question) {
  if (!HostAddress::parse(question.from))
    return std::unexpected(fmt::format("`{}` is no address of a client", question.from));
  if (!is_token(question.method)) return std::unexpected(fmt::format("`{}` is no method", question.method));
  const auto asked = read_url(question.url);
  if (!asked) return std::unexpected(asked.error());
  const auto text = written(question, *asked);
  if (!text) return std::unexpected(text.error());
  const std::vector<config::ListeningSocket> sockets = config::listening_sockets(settings);
  std::string listener = question.listener;
  if (listener.empty() && !sockets.empty()) listener = sockets.front().address.text();
  // Whose word counts there.
  const auto socket =
      std::ranges::find(sockets, listener, [](const auto& each) { return each.address.text(); });
  const http::ProxyTrust* const trust = socket == sockets.end() ? nullptr : socket->connections.trust.get();

  NoWorker worker;
  const http::Limits& limits = settings.worker.limits;
  Explainer service(site, {.body_bytes = limits.body_bytes, .answer_timeout_ms = limits.answer_timeout_ms});
  NodePool<transport::OutputSegment> segments(64);
  http::ExchangePool exchanges(worker, 2);
  http1::Writer writer("");
  writer.set_date(worker.date());
  http1::Environment environment{.worker = worker,
                                 .service = service,
                                 .limits = limits,
                                 .memory = {worker.blocks(), segments},
                                 .exchanges = exchanges,
                                 .writer = writer};
  const std::string scheme(asked->scheme);
  http1::Session session(
      environment,
      http::ProtocolPeer{.identity = {.peer = question.from, .client = question.from, .scheme = scheme},
                         .trust = trust != nullptr && trust->trusts(question.from) ? trust : nullptr,
                         .listener = listener});
  session.feed(*text);
  std::string refused;  // the answer of one that was never explained
  session.output().for_each_piece([&](std::string_view piece) {
    refused += piece;
    return true;
  });
  session.output().clear();
  session.disconnect();
  if (service.told)
    return question.json ? pipeline::explanation_json(*service.told) + "\n"
                         : pipeline::explanation_text(*service.told);
  const size_t status = refused.find(' ');
  const size_t detail = refused.find("\"detail\":\"");
  return std::unexpected(
      fmt::format("it is refused before it has a route: {}: {}",
                  status == std::string::npos ? std::string()
                                              : refused.substr(status + 1, refused.find('\r') - status - 1),
                  detail == std::string::npos
                      ? std::string()
                      : refused.substr(detail + 10, refused.find('"', detail + 10) - detail - 10)));
}

}  // namespace leat::server
