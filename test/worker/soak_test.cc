// Thousands of connections with random scripts on an engine that misbehaves in every way its contract
// permits. Each peer knows what it must be answered; at the end nothing of the daemon's memory is held.
#include <algorithm>
#include <catch2/catch_get_random_seed.hpp>
#include <catch2/catch_test_macros.hpp>
#include <random>

#include "worker/rig.h"

namespace leat::test {

namespace {

struct Expected {
  int status;
  std::string body;
  bool torn = false;  // cut in the midst; nothing follows
};

// A peer that pipelines a few requests in random pieces, and leaves in some way.
class Client {
 public:
  Client(Rig& rig, std::mt19937& random) : rig_(rig), random_(random), peer_(rig.engine.connect()) {
    const size_t count = 1 + pick(12);
    for (size_t i = 0; i < count && !last_; ++i) add_request();
  }

  // Does one thing. False once there is nothing left to do.
  bool step() {
    if (left_) return false;
    switch (pick(12)) {
      case 0:
        peer_.stops_reading();
        break;
      case 1:
        peer_.reads_slowly(1 + pick(20'000));
        break;
      case 2:
        peer_.reads_again();
        break;
      case 3:
        peer_.hold_completions();
        break;
      case 4:
        peer_.deliver_completions();
        break;
      case 5:
        if (pick(20) == 0) leave(true);
        break;
      default:
        send_piece();
        break;
    }
    return true;
  }

  // Lets everything come to its end.
  void finish() {
    peer_.reads_again();
    peer_.deliver_completions();
    while (!left_) send_piece();
  }

  // What was received is what had to be, as far as it goes; all of it unless this peer left by a reset.
  void check() const {
    REQUIRE(peer_.closed());
    const auto answers = read_answers(peer_.received());
    REQUIRE(answers.size() <= expected_.size());
    if (!reset_) REQUIRE(answers.size() == expected_.size());
    for (size_t i = 0; i < answers.size(); ++i) {
      const bool cut = reset_ && i + 1 == answers.size() && !answers[i].complete;
      INFO("answer " << i << " of " << answers.size() << (cut ? ", cut" : ""));
      if (cut) {
        if (expected_[i].status < 400) CHECK(expected_[i].body.starts_with(answers[i].body));
      } else {
        CHECK(answers[i].status == expected_[i].status);
        CHECK(answers[i].complete == !expected_[i].torn);
        if (expected_[i].status < 400) CHECK(answers[i].body == expected_[i].body);
      }
    }
  }

 private:
  size_t pick(size_t below) { return random_() % below; }

  std::string random_text(size_t most) {
    std::string text(pick(most + 1), ' ');
    for (char& c : text) c = static_cast<char>('a' + pick(26));
    return text;
  }

  std::string chunked(std::string_view path, std::string_view body) {
    std::string text =
        "POST " + std::string(path) + " HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    while (!body.empty()) {
      const size_t size = 1 + pick(body.size());
      char digits[20];
      std::snprintf(digits, sizeof digits, "%zx\r\n", size);
      text += digits + std::string(body.substr(0, size)) + "\r\n";
      body.remove_prefix(size);
    }
    return text + "0\r\n\r\n";
  }

  void add(std::string request, int status, std::string body) {
    script_ += request;
    expected_.push_back({status, std::move(body)});
  }

  void add_request() {
    switch (pick(15)) {
      case 0:
      case 1:
      case 2:
        return add(get("/"), 200, "hello");
      case 3: {
        const std::string body = random_text(3000);
        return add(post("/echo", body), 200, body);
      }
      case 4: {
        const std::string body = random_text(pick(4) == 0 ? 60'000 : 300);
        return add(chunked("/echo", body), 200, body);
      }
      case 5: {
        const std::string body = random_text(5000);
        return add(chunked("/stream", body), 200, body);
      }
      case 6: {
        const size_t size = pick(200'000);
        return add(get("/big/" + std::to_string(size)), 200, std::string(size, 'x'));
      }
      case 7: {
        const size_t size = pick(300'000);
        return add(get("/pinned/" + std::to_string(size)), 200, std::string(size, 'x'));
      }
      case 8:
        return add(get("/wait/" + std::to_string(pick(50))), 200, "waited");
      case 9:
        return add(get("/chunks"), 200, "firstsecond");
      case 10:
        return add(get("/nocontent"), 204, "");
      case 11:
        return add("GET / HTTP/1.1\r\nX-Random: " + random_text(200) + "\r\nHost: b.example\r\n\r\n", 200,
                   "hello");
      case 12:
        return add(post("/early", random_text(500)), 403, "no");
      case 13:
        if (pick(3) != 0) return add(get("/missing"), 404, "");
        last_ = true;
        return add("GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n" + random_text(20'000), 400, "");
      default:
        if (pick(6) != 0)
          return add(get("/describe"), 200, "GET path=/describe query= host=a.example\nHost=[a.example]\n");
        last_ = true;
        if (pick(2) == 0) {
          // Never answered, and left behind with what follows it.
          script_ += get("/never") + random_text(pick(2) == 0 ? 20'000 : 1);
          return;
        }
        add(get("/torn"), 200, "torn");
        expected_.back().torn = true;
        script_ += get("/");
        return;
    }
  }

  void send_piece() {
    if (script_.empty()) return leave(false);
    const size_t size = pick(3) == 0 ? script_.size() : 1 + pick(std::min<size_t>(script_.size(), 4000));
    peer_.sends(script_.substr(0, size));
    script_.erase(0, size);
  }

  void leave(bool reset) {
    left_ = true;
    reset_ = reset;
    if (reset) {
      peer_.resets();
    } else {
      peer_.closes();
    }
  }

  Rig& rig_;
  std::mt19937& random_;
  FakePeer& peer_;
  std::string script_;
  std::vector<Expected> expected_;
  bool last_ = false;  // nothing is answered after the last request
  bool left_ = false;
  bool reset_ = false;
};

}  // namespace

TEST_CASE("soak: thousands of random connections over a misbehaving engine are all answered rightly") {
  const uint32_t seed = Catch::getSeed();  // --rng-seed repeats a run
  INFO("seed " << seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 40; ++round) {
    INFO("round " << round);
    Rig rig(Rig::Options{.buffers = static_cast<uint32_t>(1 + random() % 20), .scripted = true});
    rig.script().misbehave(static_cast<unsigned>(random()));
    std::vector<std::unique_ptr<Client>> clients;
    std::vector<Client*> active;
    while (clients.size() < 100 || !active.empty()) {
      if (clients.size() < 100 && random() % 3 == 0) {
        clients.push_back(std::make_unique<Client>(rig, random));
        active.push_back(clients.back().get());
      }
      for (size_t i = 0; i < active.size(); ++i) {
        if (random() % 2 == 0 || active[i]->step()) continue;
        active[i] = active.back();
        active.pop_back();
      }
      if (random() % 4 == 0) rig.engine.pass_time(random() % 10 * 1'000'000);
      rig.turn();
    }
    for (const auto& client : clients) client->finish();
    // Long enough for lingering ends, too short for timeouts of what still moves.
    for (int i = 0; i < 5000 && (rig.connections->count() != 0 || !rig.engine.idle()); ++i) {
      rig.engine.pass_time(1'000'000);
      rig.turn();
    }
    CHECK(rig.connections->count() == 0);
    CHECK(rig.connections->opened() == clients.size());
    for (const auto& client : clients) client->check();
  }
}

}  // namespace leat::test
