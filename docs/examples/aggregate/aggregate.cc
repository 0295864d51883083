// aggregate: one answer made of what two other servers say, both asked at once.
//
// What cannot be done without (the user) decides about the answer; what can (the orders) may be late or
// missing.
#include <leat/plugin.hpp>

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;

class Aggregate : public leat::Plugin<Aggregate> {
 public:
  explicit Aggregate(leat::Setup& setup)
      : users_(setup, "users", "http://127.0.0.1:9001"),
        orders_(setup, "orders", "http://127.0.0.1:9002", {.connect_timeout = 200ms, .timeout = 500ms}) {}

  // GET /overview/7: {"user":{...},"orders":[...]}, with null for orders that did not come in time.
  leat::Task<leat::Reply> overview(leat::Path<uint64_t, "id"> id, leat::Json& json) {
    const std::string number = std::to_string(*id);
    const std::array questions = {Question{users_, "/users/" + number},
                                  Question{orders_, "/orders?user=" + number}};
    const std::vector<leat::Fetched> answers =
        co_await leat::gather_with_limit(questions, questions.size(), ask);
    const leat::Fetched& user = answers[0];
    const leat::Fetched& orders = answers[1];
    if (user.status() == 404) throw leat::Problem{404, "There is no such user."};
    if (user.status() != 200) throw leat::Problem{502, "The users cannot be had."};
    json.begin_object();
    json.key("user").raw(user.body());
    json.key("orders").raw(orders && orders.status() == 200 ? orders.body() : "null");
    json.end_object();
    co_return json;
  }

  static constexpr auto handlers() { return leat::list(handler<&Aggregate::overview>("overview")); }

 private:
  struct Question {
    const leat::Upstream& server;
    std::string target;
  };
  static leat::Task<leat::Fetched> ask(const Question& question) {
    co_return co_await question.server.get(question.target);
  }

  leat::Upstream users_;
  leat::Upstream orders_;
};

}  // namespace

LEAT_PLUGIN(Aggregate, "aggregate", "1.0.0")
