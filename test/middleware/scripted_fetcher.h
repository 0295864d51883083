// Servers that middleware asks, as a test plays them: what is asked for is kept until the test answers.
#pragma once

#include <catch2/catch_test_macros.hpp>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "client/errand.h"
#include "client/fetch.h"
#include "http/exchange.h"
#include "http/protocol.h"

namespace leat::middleware::test {

class ScriptedFetcher final : public client::Fetcher {
 public:
  struct Asked {
    client::Fetch* fetch;
    std::string method, target, body;
    std::vector<std::pair<std::string, std::string>> fields;
    uint64_t timeout_ms;

    // The values of the fields of that name, with a comma between; "(none)".
    [[nodiscard]] std::string field(std::string_view name) const {
      std::string all;
      for (const auto& [key, value] : fields)
        if (key == name) all += (all.empty() ? "" : ",") + value;
      return all.empty() ? "(none)" : all;
    }
  };
  ~ScriptedFetcher() override { CHECK(asked.empty()); }

  bool start(client::Fetch& fetch, const std::shared_ptr<const client::Upstream>&,
             const client::FetchRequest& request) override {
    if (full) return false;
    CHECK(client::refuse_request(request).empty());
    Asked& one = asked.emplace_back(&fetch, std::string(request.method), std::string(request.target),
                                    std::string(request.body));
    one.timeout_ms = request.timeout_ms;
    for (const client::Field& field : request.fields) one.fields.emplace_back(field.name, field.value);
    fetch.job = this;
    return true;
  }
  void cancel(client::Fetch& fetch) override {
    cancelled +=
        static_cast<int>(std::erase_if(asked, [&](const Asked& each) { return each.fetch == &fetch; }));
  }
  // One at a time is begun; the test asks for its plans.
  bool begin(std::shared_ptr<client::Errand> begun) override {
    if (full) return false;
    errand = std::move(begun);
    return true;
  }
  void wake(const client::Errand& woken) override { wakes += &woken == errand.get() ? 1 : 0; }

  // Answers what was asked first, and has its request go on. The texts must outlive it.
  void answer(uint16_t code, const std::vector<client::Field>& fields = {}, std::string_view body = {}) {
    client::Fetch& fetch = take();
    fetch.status = client::FetchStatus::Answered;
    fetch.code = code;
    fetch.fields = fields;
    fetch.body = body;
    go_on(fetch);
  }
  void fail(client::FetchStatus status, std::string_view message) {
    client::Fetch& fetch = take();
    fetch.status = status;
    fetch.message = message;
    go_on(fetch);
  }

  std::vector<Asked> asked;  // and not answered
  std::shared_ptr<client::Errand> errand;
  bool full = false;  // takes nothing
  int cancelled = 0;
  int wakes = 0;

 private:
  client::Fetch& take() {
    REQUIRE_FALSE(asked.empty());
    client::Fetch& fetch = *asked.front().fetch;
    asked.erase(asked.begin());
    return fetch;
  }
  static void go_on(client::Fetch& fetch) {
    fetch.exchange->stream().protocol()->resume(*fetch.exchange, fetch.resume, &fetch);
  }
};

}  // namespace leat::middleware::test
