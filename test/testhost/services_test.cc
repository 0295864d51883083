// Plugins that use each other's services: what the configuration must say, and when which code runs.
#include <fmt/core.h>

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <leat/testhost.hpp>

namespace leat::testing {
namespace {

const std::string kConsumer = TEST_PLUGINS "/consumer.so";

std::string plugin(std::string_view name, std::string_view file, std::string_view more = "") {
  return fmt::format("[[plugin]]\nname = \"{}\"\nfile = \"{}.so\"\n{}\n", name, file, more);
}
std::string route(std::string_view path, std::string_view handler) {
  return fmt::format("[[route]]\npath = \"{}\"\nhandler = \"{}\"\n", path, handler);
}
const std::string kRoutes = route("/asks", "c:asks") + route("/misuses", "c:misuses");

std::string failure_of(const std::string& text) {
  try {
    Host host(kConsumer, {.text = text});
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

// Those of the lines that a plugin of these tests has logged, as "consumer ends".
std::vector<std::string> told(const Host& host) {
  std::vector<std::string> lines;
  for (const std::string& line : host.log())
    for (const std::string_view who : {": consumer", ": provider", ": a visit"})
      if (const size_t at = line.find(who); at != std::string::npos) lines.push_back(line.substr(at + 2));
  return lines;
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("services: of all kinds, from C to C++, whatever the order in the file") {
  Host host(kConsumer, {.text = plugin("c", "consumer") + plugin("p", "provider") + kRoutes +
                                route("/missing", "p:missing")});
  CHECK(host.request("GET", "/asks").send().body == "ann 1 1 2");
  CHECK(host.request("GET", "/asks").send().body == "ann 2 1 2");
  CHECK(host.request("GET", "/missing").send().body == "missing");
  CHECK(host.problems() ==
        Lines{"warning: plugin c: leat.services/1 find: `undeclared/1` is not among the needs "
              "in leat_plugin"});
  host.forget_problems();
  CHECK(host.request("GET", "/misuses").send().body == "-4 -4 -1 -1 1");
  host.forget_problems();
  host.close();
  CHECK(host.problems() == Lines{});
  CHECK(told(host) == Lines{"provider ann is made", "consumer is made", "provider begins on a worker",
                            "consumer begins on a worker", "a visit begins", "consumer's request is done",
                            "a visit ends after 2", "a visit begins", "consumer's request is done",
                            "a visit ends after 2", "consumer ends on a worker", "provider ends on a worker",
                            "consumer ends", "provider ann ends"});
}

TEST_CASE("services: one that cannot be opened is an error that the caller gets, and an allocation too") {
  Host host(kConsumer, {.text = plugin("p", "provider", "[plugin.config]\nrefuses = true") +
                                plugin("c", "consumer") + kRoutes});
  CHECK(host.request("GET", "/asks").send().status == 503);
  Host other(kConsumer, {.text = plugin("p", "provider") + plugin("c", "consumer") + kRoutes});
  other.forget_problems();
  CHECK(other.for_each_allocation(other.request("GET", "/asks"),
                                  [](const Reply& reply) { CHECK(reply.status >= 500); }) > 0);
  other.close();
  CHECK(other.problems() == Lines{});
}

TEST_CASE("services: of several providers one is chosen") {
  const std::string two =
      plugin("p", "provider") + plugin("q", "provider", "[plugin.config]\nname = \"bob\"");
  const std::string several = failure_of(two + plugin("c", "consumer") + kRoutes);
  CHECK(several.contains("plugin c needs the service `users/1`, which several plugins provide: p, q"));
  CHECK(several.contains("services = {\"users/1\" = \"p\"}"));
  CHECK(several.contains("error[LT0305]"));
  const std::string choice = R"(services = {"users/1" = "q", "counter/1" = "p", "visit/1" = "p"})";
  Host host(kConsumer, {.text = two + plugin("c", "consumer", choice) + kRoutes});
  CHECK(host.request("GET", "/asks").send().body == "bob 1 1 2");
}

TEST_CASE("services: needs that are not met are told at their plugin's line") {
  const std::string missing = failure_of(plugin("c", "consumer") + kRoutes);
  for (const char* service : {"users/1", "counter/1", "visit/1"})
    CHECK(
        missing.contains(fmt::format("plugin c needs the service `{}`, which no plugin provides", service)));
  CHECK(missing.contains("--> configuration:3:8"));
  CHECK_FALSE(missing.contains("extra/1"));
  CHECK(
      failure_of(plugin("c", "consumer", R"(services = {"users/1" = "p", "user/1" = "p", "visit/1" = "w"})") +
                 plugin("p", "provider") + kRoutes)
          .contains("plugin c does not need a service `user/1`"));
  CHECK(failure_of(plugin("c", "consumer", R"(services = {"visit/1" = "w"})") + plugin("p", "provider") +
                   kRoutes)
            .contains("no plugin `w` provides `visit/1`"));
  CHECK(failure_of(plugin("c", "consumer", "services = 3") + plugin("p", "provider") + kRoutes)
            .contains("`services` is a table"));
  CHECK(
      failure_of(plugin("c", "consumer", R"(services = {"visit/1" = 3})") + plugin("p", "provider") + kRoutes)
          .contains("`services.visit/1` is the name of a plugin"));
  // Where the provider has its own trouble, that is all there is to say.
  const std::string other =
      failure_of(plugin("c", "consumer") + plugin("p", "provider", "[plugin.config]\nnam = 1"));
  CHECK(other.contains("nam"));
  CHECK_FALSE(other.contains("LT0305"));
}

}  // namespace leat::testing
