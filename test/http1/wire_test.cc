// Wire scripts: request bytes in, response bytes out.
//
// Each file of test/http1/wire is one connection. A line that begins with "> " is sent and "< " is expected,
// both ended by CR LF; ">> " and "<< " are the same without the line ending and with \r \n \t \0 \xNN
// escapes. "~ resume" lets suspended requests go on, "~ end" ends the peer's side, "~ wait MS" moves the
// clock. "= open", "= closed" and "= cut" say what must have become of the connection. "repeat N" in a first
// comment line sends the rest N times over.
//
// Every script runs several times: as written, byte by byte, and in random pieces; with the tables of known
// heads and lines and without; again and again on the same tables, so that they come to know what is sent.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

#include "support/http_harness.h"

namespace leat::test {
namespace {

struct Event {
  enum class Kind : uint8_t { Send, Resume, End, Wait } kind = Kind::Send;
  std::string bytes;
  uint64_t ms = 0;
};

struct Script {
  std::string name;
  std::vector<Event> events;
  std::string expected;
  std::string state;
};

std::string unescape(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      out += text[i];
      continue;
    }
    switch (text.at(++i)) {
      case 'r':
        out += '\r';
        break;
      case 'n':
        out += '\n';
        break;
      case 't':
        out += '\t';
        break;
      case '0':
        out += '\0';
        break;
      case 'x':
        out += static_cast<char>(std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16));
        i += 2;
        break;
      default:
        out += text[i];
    }
  }
  return out;
}

Script load(const std::filesystem::path& path) {
  Script script{.name = path.filename().string(), .events = {}, .expected = {}, .state = {}};
  std::ifstream file(path);
  std::string line;
  const auto send = [&](const std::string& bytes) {
    if (script.events.empty() || script.events.back().kind != Event::Kind::Send)
      script.events.push_back({Event::Kind::Send, {}, 0});
    script.events.back().bytes += bytes;
  };
  while (std::getline(file, line)) {
    const std::string_view text = line;
    if (text.starts_with(">> ")) {
      send(unescape(text.substr(3)));
    } else if (text.starts_with("<< ")) {
      script.expected += unescape(text.substr(3));
    } else if (text.starts_with(">")) {
      send(std::string(text.size() > 2 ? text.substr(2) : "") + "\r\n");
    } else if (text.starts_with("<")) {
      script.expected += std::string(text.size() > 2 ? text.substr(2) : "") + "\r\n";
    } else if (text.starts_with("= ")) {
      script.state = text.substr(2);
    } else if (text == "~ resume") {
      script.events.push_back({Event::Kind::Resume, {}, 0});
    } else if (text == "~ end") {
      script.events.push_back({Event::Kind::End, {}, 0});
    } else if (text.starts_with("~ wait ")) {
      script.events.push_back({Event::Kind::Wait, {}, std::stoull(line.substr(7))});
    } else {
      REQUIRE((text.empty() || text.starts_with("#")));
    }
  }
  return script;
}

struct Outcome {
  std::string output;
  std::string state;
};

// Plays a script; `next_piece` says how many bytes come at once.
Outcome play(const Script& script, HttpHarness& harness, const std::function<size_t()>& next_piece) {
  http1::Session session(harness.environment, "192.0.2.1", 0);
  std::string output;
  for (const Event& event : script.events) {
    switch (event.kind) {
      case Event::Kind::Send: {
        std::string_view left = event.bytes;
        while (!left.empty()) {
          const size_t size = std::min(left.size(), next_piece());
          // A copy of its own, so that a sanitizer sees a view that outlives its buffer.
          const std::vector<char> piece(left.begin(), left.begin() + static_cast<std::ptrdiff_t>(size));
          session.feed({piece.data(), piece.size()});
          left.remove_prefix(size);
          output += HttpHarness::take(session);
        }
        break;
      }
      case Event::Kind::Resume:
        harness.resume_all();
        break;
      case Event::Kind::End:
        session.feed_end();
        break;
      case Event::Kind::Wait:
        harness.worker.now_ms += event.ms;
        session.deadline_passed();
        break;
    }
    output += HttpHarness::take(session);
  }
  Outcome outcome{std::move(output), session.cut() ? "cut" : session.finished() ? "closed" : "open"};
  session.disconnect();
  return outcome;
}

std::vector<Script> all_scripts() {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(LEAT_WIRE_DIR)) paths.push_back(entry.path());
  std::ranges::sort(paths);
  std::vector<Script> scripts;
  for (const auto& path : paths) scripts.push_back(load(path));
  return scripts;
}

void check(const Script& script, HttpHarness& harness, const std::function<size_t()>& next_piece) {
  const Outcome outcome = play(script, harness, next_piece);
  CHECK(outcome.output == script.expected);
  CHECK(outcome.state == script.state);
  CHECK(harness.exchanges.out() == 0);
  CHECK(harness.worker.blocks().out() == 0);
}

TEST_CASE("session: answers every wire script, however its bytes arrive") {
  const std::vector<Script> scripts = all_scripts();
  REQUIRE(scripts.size() >= 30);
  const auto seed = static_cast<unsigned>(std::random_device{}());
  std::mt19937 random(seed);
  const auto whole = [] { return SIZE_MAX; };
  const auto bytewise = [] { return size_t{1}; };
  const auto pieces = [&] { return size_t{1} + random() % 40; };
  for (const Script& script : scripts) {
    INFO("script " << script.name << ", seed " << seed);
    for (const bool tables : {false, true}) {
      INFO((tables ? "with" : "without") << " tables");
      WireService service;
      HttpHarness harness(service, tables);
      for (int round = 0; round < 20; ++round) {
        check(script, harness, whole);
        check(script, harness, pieces);
      }
      check(script, harness, bytewise);
      CHECK(service.done == service.requests + service.refused);
    }
  }
}

TEST_CASE("session: all wire scripts in random order share one worker's tables") {
  std::vector<Script> scripts = all_scripts();
  const auto seed = static_cast<unsigned>(std::random_device{}());
  INFO("seed " << seed);
  std::mt19937 random(seed);
  WireService service;
  HttpHarness harness(service);
  for (int round = 0; round < 30; ++round) {
    std::ranges::shuffle(scripts, random);
    for (const Script& script : scripts) {
      INFO("script " << script.name);
      check(script, harness, [&] { return size_t{1} + random() % 400; });
    }
  }
}

}  // namespace
}  // namespace leat::test
