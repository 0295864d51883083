#include "plugin/harness.h"

#include <unistd.h>

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <thread>

#include "base/fd.h"
#include "base/log.h"
#include "base/text.h"
#include "pipeline/pipeline.h"

namespace leat::plugin::test {

std::expected<std::unique_ptr<PluginLibrary>, LoadError> load(std::string_view name,
                                                              SharedResources* shared) {
  return PluginLibrary::load(
      name,
      {.directories = {TEST_PLUGINS}, .daemon_version = "0.0-test", .worker_count = 1, .shared = shared});
}

Value table(Value::Table entries) { return Value(std::move(entries), Place{.line = 100}); }

LogText::LogText() {
  path_ = "/tmp/leat-plugin-test-XXXXXX";
  const Fd file(::mkstemp(path_.data()));
  REQUIRE(file);
  REQUIRE(log::open({.level = log::Level::Debug, .file = path_}));
}

LogText::~LogText() {
  if (open_) take();
}

std::string LogText::take() {
  open_ = false;
  log::close();
  std::ifstream file(path_);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  std::remove(path_.c_str());
  return text;
}

Site::Site(std::string_view plugin, const Value& options)
    : environment_{.worker = worker_,
                   .service = *this,
                   .limits = limits,
                   .memory = {worker_.blocks(), segments_},
                   .exchanges = exchanges_,
                   .writer = writer_} {
  worker_.set_exchanges(exchanges_);
  writer_.set_date(worker_.date());
  auto library = load(plugin, &shared_);
  if (!library) FAIL(library.error().message);
  library_ = std::move(*library);
  auto instance = PluginInstance::create(*library_, "tested", options);
  if (!instance) FAIL(instance.error().front().message);
  instance_ = std::move(*instance);
  REQUIRE(instance_->worker_init(0));
}

Site::~Site() {
  instance_->worker_fini(0);
  handlers_.clear();
  instance_.reset();  // with its threads, which may still be on their way into the worker
}

std::expected<void, LoadError> Site::route(const std::string& name, std::vector<std::string> params,
                                           std::vector<pipeline::ParameterSpec> parameters) {
  RouteInfo info{.id = "route-" + name, .pattern = "/" + name, .params = std::move(params)};
  for (const std::string& param : info.params) info.pattern += "/{" + param + "}";
  info.parameters = std::move(parameters);
  info.form_limits = form_limits;
  auto handler = make_handler(*instance_, name, info, executor);
  if (!handler) return std::unexpected(handler.error());
  handlers_[name] = std::move(*handler);
  return {};
}

Answer parse_answer(std::string_view wire) {
  Answer answer;
  const size_t end = wire.find("\r\n\r\n");
  if (end == std::string_view::npos) return answer;
  answer.head = wire.substr(0, end + 2);
  answer.status = parse_number<int>(wire.substr(9, 3)).value_or(0);
  wire.remove_prefix(end + 4);
  if (const size_t at = answer.head.find("Content-Length: "); at != std::string::npos) {
    const std::string digits = answer.head.substr(at + 16, answer.head.find('\r', at) - at - 16);
    const size_t size = std::min(wire.size(), parse_number<size_t>(digits).value_or(0));
    answer.body = wire.substr(0, size);
    answer.rest = wire.substr(size);
  } else {
    answer.body = wire;
  }
  return answer;
}

std::string request_for(std::string_view target) {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: test\r\n\r\n";
}

Answer ask_at_once(Site& site, std::string_view target) {
  http1::Session session(site.environment(), "192.0.2.7", 0);
  session.feed(request_for(target));
  Answer answer = parse_answer(take_output(session));
  session.disconnect();
  return answer;
}

Answer Site::ask(std::string_view wire) {
  http1::Session session(environment_, "192.0.2.7", 0);
  session.feed(wire);
  std::string out = take_output(session);
  // Other threads may take a moment to complete; nothing may take ten seconds.
  for (int i = 0; i < 10'000 && !running_.empty(); ++i) {
    if (!resume_all()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    out += take_output(session);
  }
  Answer answer = parse_answer(out);
  answer.cut = session.cut();
  session.disconnect();
  return answer;
}

Answer Site::get(std::string_view target, std::string_view fields) {
  return ask(std::string("GET ") + std::string(target) + " HTTP/1.1\r\nHost: test\r\n" + std::string(fields) +
             "\r\n");
}

Answer Site::post(std::string_view target, std::string_view body) {
  return ask(std::string("POST ") + std::string(target) + " HTTP/1.1\r\nHost: test\r\nContent-Length: " +
             std::to_string(body.size()) + "\r\n\r\n" + std::string(body));
}

bool Site::resume_all() { return worker_.run_posts() || worker_.run_next_timers(); }

http::Service::BodyMode Site::on_request(http::Exchange& exchange) {
  std::vector<std::string_view> segments;
  std::string_view path = exchange.request.path();
  while (!path.empty()) {
    path.remove_prefix(1);
    const size_t end = std::min(path.find('/'), path.size());
    segments.push_back(path.substr(0, end));
    path.remove_prefix(end);
  }
  const std::string name(segments.at(0));
  if (!handlers_.contains(name))
    if (const auto bound = route(name); !bound) FAIL(bound.error().message);
  exchange.request.set_params(std::span(segments).subspan(1));
  pipeline::Handler* handler = handlers_[name].get();
  running_[&exchange] = {handler, false};
  if (!handler->streams_body()) return BodyMode::Buffer;
  running_[&exchange].called = true;
  ++handled;
  const pipeline::Verdict verdict = handler->handle(exchange);
  if (verdict != pipeline::Verdict::Done) pipeline::apply_verdict(exchange, *handler, verdict);
  return BodyMode::Stream;
}

void Site::on_body(http::Exchange& exchange, std::string_view piece) {
  pipeline::Handler& handler = *running_.at(&exchange).handler;
  const pipeline::Verdict verdict = handler.on_body(exchange, piece);
  if (verdict != pipeline::Verdict::Done) pipeline::apply_verdict(exchange, handler, verdict);
}

void Site::on_body_end(http::Exchange& exchange) {
  Running& running = running_.at(&exchange);
  pipeline::Handler& handler = *running.handler;
  if (running.called) return pipeline::apply_verdict(exchange, handler, handler.on_body_end(exchange));
  running.called = true;
  ++handled;
  pipeline::apply_verdict(exchange, handler, handler.handle(exchange));
}

void Site::on_writable(http::Exchange& exchange) {
  pipeline::Handler& handler = *running_.at(&exchange).handler;
  const pipeline::Verdict verdict = handler.on_writable(exchange);
  if (verdict != pipeline::Verdict::Done) pipeline::apply_verdict(exchange, handler, verdict);
}

void Site::on_cancel(http::Exchange& exchange) {
  if (running_.at(&exchange).called) running_.at(&exchange).handler->on_cancel(exchange);
}

void Site::on_done(http::Exchange& exchange) {
  const auto running = running_.find(&exchange);
  if (running == running_.end()) return;
  if (running->second.called) {
    running->second.handler->on_done(exchange);
    ++ended;
  }
  running_.erase(running);
}

}  // namespace leat::plugin::test
