// The command line: what each form means, and which forms are refused with exit code 2.
#include "server/commands/command_line.h"

#include <catch2/catch_test_macros.hpp>
#include <string>
#include <vector>

#include "server/process/exit_code.h"

namespace leat::test {
namespace {

using server::Command;
using Kind = Command::Kind;

std::expected<Command, int> parse(std::vector<std::string> words) {
  words.insert(words.begin(), "leat");
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  return server::parse_command_line(static_cast<int>(words.size()), arguments.data());
}

TEST_CASE("command line: run with everything that stands in place of settings") {
  const auto command =
      parse({"run", "-c", "a.toml", "--listen", "127.0.0.1:9000", "--listen", "[::1]:9000", "--workers", "2",
             "--engine", "epoll", "--log-level", "debug", "--plugin-path", "x"});
  REQUIRE(command);
  CHECK(command->kind == Kind::Run);
  CHECK(command->file == "a.toml");
  CHECK(command->overrides.listen == std::vector<std::string>{"127.0.0.1:9000", "[::1]:9000"});
  CHECK(command->overrides.workers == "2");
  CHECK(command->overrides.engine == "epoll");
  CHECK(command->overrides.log_level == "debug");
  CHECK(command->plugin_path == std::vector<std::string>{"x"});
}

TEST_CASE("command line: each command, and the forms other daemons have") {
  const auto is = [](std::vector<std::string> words, Kind kind) {
    const auto command = parse(std::move(words));
    REQUIRE(command);
    CHECK(command->kind == kind);
    return *command;
  };
  CHECK(is({"run"}, Kind::Run).file == "/etc/leat/leat.toml");
  CHECK(!is({"run"}, Kind::Run).overrides.workers);
  CHECK(is({"check", "-c", "b.toml"}, Kind::Check).file == "b.toml");
  CHECK(is({"-t", "-c", "b.toml"}, Kind::Check).file == "b.toml");
  CHECK(is({"routes", "--json"}, Kind::Routes).json);
  CHECK(is({"version", "--json"}, Kind::Version).json);
  is({"--version"}, Kind::Version);
  CHECK(is({"explain-error", "LT0107"}, Kind::ExplainError).code == "LT0107");
  CHECK(is({"settings", "--markdown"}, Kind::Settings).markdown);
}

TEST_CASE("command line: help is fine, a mistake is not") {
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"--help"}, {"run", "--help"}, {"check", "-h"}}) {
    const auto command = parse(words);
    REQUIRE(!command);
    CHECK(command.error() == server::kExitFine);
  }
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{},
                                             {"serve"},
                                             {"run", "check"},
                                             {"run", "extra"},
                                             {"run", "-c"},
                                             {"run", "--listen", "nowhere"},
                                             {"run", "--listen", "127.0.0.1:99999"},
                                             {"run", "--workers", "0"},
                                             {"run", "--workers", "many"},
                                             {"run", "--workers", "-1"},
                                             {"run", "--engine", "select"},
                                             {"run", "--log-level", "loud"},
                                             {"check", "--workers", "1"},
                                             {"explain-error"},
                                             {"--nothing"}}) {
    std::string shown;
    for (const std::string& word : words) shown += word + " ";
    INFO(shown);
    const auto command = parse(words);
    REQUIRE(!command);
    CHECK(command.error() == server::kExitUsage);
  }
}

}  // namespace
}  // namespace leat::test
