#include "server/testhost/upstreams.h"

#include <fmt/core.h>

#include <algorithm>

#include "client/upstream.h"
#include "http/exchange.h"

namespace leat::testing {

namespace {

// Into the exchange's memory. False when that is out.
bool store(http::Exchange& exchange, const Answered& answer, client::Fetch& fetch) {
  bool whole = true;
  const auto copy = [&](std::string_view text) {
    const auto copied = exchange.arena().copy(text);
    whole = whole && (copied.data() != nullptr || text.empty());
    return copied;
  };
  auto* fields = exchange.arena().allocate_array<client::Field>(std::max<size_t>(answer.headers.size(), 1));
  if (fields == nullptr) return false;
  for (size_t i = 0; i < answer.headers.size(); ++i)
    fields[i] = {copy(answer.headers[i].first), copy(answer.headers[i].second)};
  fetch.code = static_cast<uint16_t>(answer.status);
  fetch.fields = {fields, answer.headers.size()};
  fetch.body = copy(answer.body);
  return whole;
}

}  // namespace

Answered ScriptedUpstreams::ask(const client::Upstream& upstream, const client::FetchRequest& request) const {
  const auto script = scripts_.find(upstream.url());
  if (script == scripts_.end()) return {.failure = "the test has no answer for it"};
  Asked asked{.method = std::string(request.method),
              .target = std::string(request.target),
              .headers = {},
              .body = std::string(request.body)};
  for (const client::Field& field : request.fields) asked.headers.emplace_back(field.name, field.value);
  return script->second(asked);
}

bool ScriptedUpstreams::start(client::Fetch& fetch, const std::shared_ptr<const client::Upstream>& upstream,
                              const client::FetchRequest& request) {
  const uintptr_t number = ++last_number_;
  Job& job = jobs_[number] = {&fetch, ask(*upstream, request)};
  const uint64_t most_ms = request.timeout_ms != 0 ? request.timeout_ms : upstream->options().timeout_ms;
  auto after_ms = static_cast<uint64_t>(std::max<int64_t>(job.answer.after.count(), 0));
  if (after_ms >= most_ms) {
    after_ms = most_ms;
    job.status = client::FetchStatus::Timeout;
    job.message = fmt::format("no answer from {} within {} ms", upstream->url(), most_ms);
  } else if (!job.answer.failure.empty()) {
    job.status = client::FetchStatus::Failed;
    job.message = fmt::format("cannot connect to {}: {}", upstream->url(), job.answer.failure);
  } else if (job.answer.body.size() > upstream->options().body_bytes) {
    job.status = client::FetchStatus::TooLarge;
    job.message = fmt::format("the answer of {} is too large", upstream->url());
  }
  fetch.job = reinterpret_cast<void*>(number);
  return worker_.resume_after(fetch.exchange->ticket(), after_ms, arrive, fetch.job);
}

void ScriptedUpstreams::cancel(client::Fetch& fetch) { jobs_.erase(reinterpret_cast<uintptr_t>(fetch.job)); }

void ScriptedUpstreams::arrive(http::Exchange& exchange, void* number) {
  auto& all = static_cast<ScriptedUpstreams*>(exchange.worker().fetcher())->jobs_;
  const auto found = all.extract(reinterpret_cast<uintptr_t>(number));
  if (found.empty()) return;
  const Job& job = found.mapped();
  client::Fetch* fetch = job.fetch;
  fetch->status = job.status;
  if (job.status == client::FetchStatus::Answered && !store(exchange, job.answer, *fetch))
    fetch->status = client::FetchStatus::Memory;
  if (!job.message.empty()) fetch->message = exchange.arena().copy(job.message);
  fetch->resume(exchange, fetch);
}

}  // namespace leat::testing
