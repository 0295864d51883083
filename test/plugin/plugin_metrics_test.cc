// leat.metrics/1: what a plugin counts is shown with its name for as long as an instance declares it, and
// what cannot be shown is refused where it is declared.
#include <catch2/catch_test_macros.hpp>
#include <string>
#include <thread>

#include "plugin/harness.h"

namespace leat::plugin::test {
namespace {

Value options(std::string more, std::string kind = "a", double bound = 10) {
  return table(
      {entry("more", std::move(more), 7), entry("kind", std::move(kind), 8), entry("bound", bound, 9)});
}

std::unique_ptr<PluginInstance> instance_of(PluginLibrary& library, const Value& with) {
  auto instance = PluginInstance::create(library, "shop", with);
  if (!instance) FAIL(instance.error().front().message);
  return std::move(*instance);
}

// The one line of `text` that begins with `name`, without it.
std::string number_of(const std::string& text, const std::string& name) {
  const size_t at = ("\n" + text).find("\n" + name + " ");
  if (at == std::string::npos) return "nothing";
  return text.substr(at + name.size() + 1, text.find('\n', at) - at - name.size() - 1);
}

}  // namespace

TEST_CASE("metrics: what handlers and their work on the pool count is shown with the instance's name") {
  Site site("metrics");
  REQUIRE(site.route("count", {"n"}));
  REQUIRE(site.route("elsewhere", {"n"}));
  site.shared().pool.set_limits({.threads = 2, .queue = 8});
  CHECK(site.get("/count/7").body == "counted");
  // As on a worker of the daemon.
  metrics::thread_lane = 0;
  CHECK(site.get("/count/1999").body == "counted");
  CHECK(site.get("/elsewhere/100").body == "counted");
  metrics::thread_lane = metrics::kNoLane;
  CHECK(site.shared().metrics.text() ==
        "# HELP more_total More.\n"
        "# TYPE more_total counter\n"
        "more_total{a=\"b\",plugin=\"tested\"} 0\n"
        "# HELP tested_bytes Sizes.\n"
        "# TYPE tested_bytes histogram\n"
        "tested_bytes_bucket{plugin=\"tested\",le=\"10\"} 1\n"
        "tested_bytes_bucket{plugin=\"tested\",le=\"2000\"} 2\n"
        "tested_bytes_bucket{plugin=\"tested\",le=\"+Inf\"} 2\n"
        "tested_bytes_sum{plugin=\"tested\"} 2006\n"
        "tested_bytes_count{plugin=\"tested\"} 2\n"
        "# HELP tested_level Where it stands.\n"
        "# TYPE tested_level gauge\n"
        "tested_level{plugin=\"tested\"} 1998.5\n"
        "# HELP tested_total Requests.\n"
        "# TYPE tested_total counter\n"
        "tested_total{kind=\"a\",plugin=\"tested\"} 202\n");
}

TEST_CASE("metrics: a new instance goes on with the numbers, and they go with the last") {
  SharedResources shared;
  const auto library = load("metrics", &shared);
  REQUIRE(library);
  auto old = instance_of(**library, options(""));
  REQUIRE(old->metrics().size() >= 4);
  for (const auto& metric : old->metrics())
    if (metric->description().name == "tested_total") metric->add(5);
  const std::string kept = "tested_total{kind=\"a\",plugin=\"shop\"}";
  CHECK(number_of(shared.metrics.text(), kept) == "5");
  // The next has another label, and other bounds.
  auto next = instance_of(**library, options("", "b", 20));
  const std::string fresh = "tested_total{kind=\"b\",plugin=\"shop\"}";
  CHECK(number_of(shared.metrics.text(), kept) == "5");
  CHECK(number_of(shared.metrics.text(), fresh) == "0");
  CHECK(shared.metrics.text().contains("le=\"10\""));
  CHECK(!shared.metrics.text().contains("le=\"20\""));
  old.reset();
  CHECK(number_of(shared.metrics.text(), kept) == "nothing");
  CHECK(shared.metrics.text().contains("le=\"20\""));
  for (const auto& metric : next->metrics())
    if (metric->description().name == "tested_total") metric->add(7);
  const auto third = instance_of(**library, options("", "b", 20));
  next.reset();
  CHECK(number_of(shared.metrics.text(), fresh) == "7");
}

TEST_CASE("metrics: a declaration that is refused is told at its key and leaves nothing") {
  SharedResources shared;
  const auto library = load("metrics", &shared);
  REQUIRE(library);
  const auto refused = [&](const std::string& more, std::string_view why) {
    const auto instance = PluginInstance::create(**library, "shop", options(more));
    REQUIRE(!instance);
    REQUIRE(instance.error().size() == 1);
    const Diagnostic& told = instance.error().front();
    INFO(told.message);
    CHECK(told.message.starts_with("plugin shop: "));
    CHECK(told.message.contains(why));
    CHECK(told.place.line == 7);
    CHECK(shared.metrics.text().empty());
  };
  refused("type", "there is no metric type 3");
  refused("name", "`no-name` is not a name for a metric");
  refused("reserved", "names that begin with leat_ are the daemon's");
  refused("help", "its help is not UTF-8");
  refused("plugin label", "the label `plugin` is the daemon's");
  refused("label value", "the value of its label `a` is not UTF-8");
  refused("bounds", "only a histogram has bounds");
  refused("twice",
          "`more_total{a=\"b\",plugin=\"shop\"}` (a gauge) cannot stand beside "
          "`more_total{a=\"b\",plugin=\"shop\"}` (a counter)");
  // Its five and one, and then what its class declares.
  shared.metrics.set_limit(5);
  refused("histogram", "metrics.series allows 5");
  shared.metrics.set_limit(13);
  CHECK(PluginInstance::create(**library, "shop", options("histogram")));
}

TEST_CASE("metrics: misuse is refused and logged, and changes nothing") {
  LogText log;
  Site site("metrics");
  const std::string before = site.shared().metrics.text();
  CHECK(site.get("/misuse").body == "-2 -2 -1 -1 -1 -1 -1 -1 -1 ");
  CHECK(site.shared().metrics.text() == before);
  const auto library = load("metrics", &site.shared());
  REQUIRE(library);
  for (const char* broken : {"size", "no labels"})
    CHECK(PluginInstance::create(**library, "tested", options(broken)));
  // A host for which nobody shows metrics.
  const auto alone = load("metrics");
  REQUIRE(alone);
  CHECK(!PluginInstance::create(**alone, "alone", options("")));
  const std::string text = log.take();
  CHECK(text.contains("leat.metrics/1 declare: metrics are declared in create()"));
  CHECK(text.contains("leat.metrics/1 add: the metric is NULL or of another type"));
  CHECK(text.contains("leat.metrics/1 declare: an argument is NULL, or struct_size is not set"));
  CHECK(text.contains("leat.metrics/1 declare: this host has no metrics"));
}

}  // namespace leat::plugin::test
