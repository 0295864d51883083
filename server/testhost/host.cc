#include <fmt/core.h>

#include <algorithm>

#include "base/text.h"
#include "server/testhost/engine.h"
#include "server/testhost/refusals.h"

namespace leat::testing {

namespace {

std::string field_line(const std::pair<std::string, std::string>& field) {
  return field.first + ": " + field.second + "\r\n";
}

}  // namespace

// --- Reply

std::string Reply::header(std::string_view name) const {
  const auto found =
      std::ranges::find_if(headers, [&](const auto& each) { return equal_ignoring_case(each.first, name); });
  return found == headers.end() ? "" : found->second;
}

bool Reply::has_header(std::string_view name) const {
  return std::ranges::any_of(headers,
                             [&](const auto& each) { return equal_ignoring_case(each.first, name); });
}

// --- Request

Request::Request(Host& host, std::string_view method, std::string_view target)
    : host_(&host), method_(method), target_(target) {}

Request& Request::header(std::string_view name, std::string_view value) {
  headers_.emplace_back(name, value);
  return *this;
}

Request& Request::body(std::string_view bytes) {
  body_ = bytes;
  has_body_ = true;
  return *this;
}

Request& Request::chunked() {
  chunked_ = true;
  return *this;
}

Request& Request::trailer(std::string_view name, std::string_view value) {
  trailers_.emplace_back(name, value);
  return chunked();
}

Request& Request::session(std::map<std::string, std::string> values) {
  session_ = std::move(values);
  has_session_ = true;
  return *this;
}

Request& Request::split_body(size_t bytes) {
  split_ = bytes;
  return *this;
}

Request& Request::read_at_most(size_t bytes) {
  read_at_most_ = bytes;
  return *this;
}

Request& Request::from(std::string_view address) {
  peer_ = address;
  return *this;
}

Request& Request::for_client(std::string_view address, std::string_view scheme) {
  client_ = address;
  scheme_ = scheme;
  return *this;
}

Request& Request::over_tls(const Certificate& certificate) {
  certificate_ = certificate;
  tls_ = true;
  scheme_ = "https";
  return *this;
}
Request& Request::over_tls() { return over_tls(Certificate()); }

// What the client sends, in the pieces in which it is received.
std::vector<std::string> Request::pieces() const {
  const auto given = [&](std::string_view name) {
    return std::ranges::any_of(headers_,
                               [&](const auto& each) { return equal_ignoring_case(each.first, name); });
  };
  std::string head = method_ + " " + target_ + " HTTP/1.1\r\n";
  if (!given("Host")) head += "Host: test\r\n";
  for (const auto& each : headers_) head += field_line(each);
  const bool framed = given("Content-Length") || given("Transfer-Encoding");
  if (chunked_ && !framed) head += "Transfer-Encoding: chunked\r\n";
  if (has_body_ && !chunked_ && !framed) head += fmt::format("Content-Length: {}\r\n", body_.size());
  std::vector<std::string> pieces = {head + "\r\n"};

  const auto add = [&](std::string_view bytes) {
    if (!bytes.empty())
      pieces.push_back(chunked_ ? fmt::format("{:x}\r\n{}\r\n", bytes.size(), bytes) : std::string(bytes));
  };
  std::string_view left = body_;
  if (split_at_ != 0) {
    add(left.substr(0, split_at_));
    left.remove_prefix(std::min(split_at_, left.size()));
  }
  const size_t size = split_ == 0 ? std::max<size_t>(left.size(), 1) : split_;
  for (; !left.empty(); left.remove_prefix(std::min(size, left.size()))) add(left.substr(0, size));
  if (chunked_) {
    std::string end = "0\r\n";
    for (const auto& each : trailers_) end += field_line(each);
    pieces.push_back(end + "\r\n");
  }
  if (split_ != 0 || split_at_ != 0) return pieces;
  std::string whole;
  for (const std::string& piece : pieces) whole += piece;
  return {whole};
}

Pending Request::start() const {
  Host::Impl& host = host_->open();
  Pending pending(std::make_unique<Pending::Run>(host, *this));
  host.settle();
  return pending;
}

Reply Request::send() const { return start().wait(); }

// --- Pending

Pending::Pending(std::unique_ptr<Run> run) : run_(std::move(run)) {}
Pending::Pending(Pending&&) noexcept = default;
Pending& Pending::operator=(Pending&&) noexcept = default;
Pending::~Pending() = default;

bool Pending::done() const { return run_->done(); }

Reply Pending::wait() {
  while (!run_->done() && run_->host != nullptr && run_->host->next()) {
  }
  return run_->reply();
}

Reply Pending::so_far() const { return run_->reply(); }

void Pending::cancel() {
  Host::Impl* host = run_->host;
  run_->leave();
  if (host != nullptr) host->settle();
}

// --- Host

Host::Host(const std::string& plugin, const Setup& setup)
    : impl_(std::make_unique<Impl>(PluginSource(plugin), setup)) {}
Host::Host(const leat_plugin_entry& plugin, const Setup& setup)
    : impl_(std::make_unique<Impl>(PluginSource(&plugin), setup)) {}
Host::~Host() { close(); }

Host::Impl& Host::open() const {
  if (impl_->closed) throw Error("the host was closed");
  return *impl_;
}

Request Host::request(std::string_view method, std::string_view target) { return {*this, method, target}; }

void Host::upstream(const std::string& url, Upstream answer) { open().upstreams.set(url, std::move(answer)); }

void Host::advance(std::chrono::milliseconds time) {
  open().advance(static_cast<uint64_t>(std::max<int64_t>(time.count(), 0)));
}

void Host::run() { open().settle(); }

bool Host::run_until(const std::function<bool()>& done) {
  Impl& host = open();
  const auto until = std::chrono::steady_clock::now() + host.patience;
  for (;;) {
    host.settle();
    if (done()) return true;
    if (std::chrono::steady_clock::now() >= until) return false;
    host.worker.wait_for_posts(std::chrono::milliseconds(1));
  }
}

size_t Host::for_each_suspension(const Request& request, const std::function<void(size_t)>& left) {
  Impl& host = open();
  for (size_t point = 0;; ++point) {
    Pending::Run run(host, request);
    // The first event is the head.
    for (size_t events = 0; events <= point && !run.done(); ++events)
      if (!host.next()) break;
    const bool whole = run.done();
    run.leave();
    host.wait_for_work();
    if (whole) return point;
    if (left) left(point);
  }
}

size_t Host::for_each_allocation(const Request& request, const std::function<void(const Reply&)>& answered) {
  Impl& host = open();
  const auto ask = [&](uint64_t first, uint64_t last) {
    host.log.expect_problems(true);
    refuse_allocations(first, last);
    Pending pending = request.start();
    const Reply reply = pending.wait();
    pending.cancel();
    host.wait_for_work();
    const bool any = testing::allow_allocations() != 0;
    host.log.expect_problems(false);
    if (reply.status == 0 && any)
      host.log.add_problem(fmt::format("{} {}: no answer when allocation {}{} failed", request.method_,
                                       request.target_, first, last == first ? "" : " and all later ones"));
    if (any && answered) answered(reply);
    return any;
  };
  for (uint64_t number = 0;; ++number)
    if (!ask(number, number) || !ask(number, UINT64_MAX)) return number;
}

size_t Host::for_each_split(const Request& request, const std::function<void(const Reply&)>& answered) {
  Request split = request;
  split.split_ = 0;
  for (split.split_at_ = 1; split.split_at_ < request.body_.size(); ++split.split_at_) answered(split.send());
  return split.split_at_ - 1;
}

void Host::fail_allocations_after(uint64_t count) {
  (void)open();
  refuse_allocations(count, UINT64_MAX);
}

void Host::allow_allocations() { testing::allow_allocations(); }

std::string Host::metrics() const {
  (void)open();
  return metrics_text();
}

void Host::close() {
  testing::allow_allocations();
  impl_->close();
}

std::vector<std::string> Host::problems() const { return impl_->log.problems(); }
void Host::forget_problems() { impl_->log.forget_problems(); }
std::vector<std::string> Host::log() const { return impl_->log.lines(); }

}  // namespace leat::testing
