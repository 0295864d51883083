// Metrics: nothing that is counted is lost, whoever counts; what is shown is exact; and only what somebody
// holds is there.
#include "base/metrics.h"

#include <catch2/catch_test_macros.hpp>
#include <limits>
#include <random>
#include <thread>

namespace leat::metrics {
namespace {

std::shared_ptr<Metric> made(Registry& registry, Description description, uint32_t lanes = 2) {
  auto metric = registry.declare(std::move(description), lanes);
  if (!metric) FAIL(metric.error());
  return *metric;
}

// What is wrong with it.
std::string refusal(Registry& registry, Description description) {
  const auto metric = registry.declare(std::move(description), 1);
  return metric ? "nothing" : metric.error();
}

// Counts as the lane `lane`, or as none of them.
template <class Work>
std::thread on_lane(uint32_t lane, Work work) {
  return std::thread([lane, work] {
    thread_lane = lane;
    work();
  });
}

}  // namespace

TEST_CASE("metrics: the text is what Prometheus reads, sorted and with one head for each name") {
  Registry registry;
  const auto b = made(registry, {.name = "asked_total", .help = "Requests.", .labels = {{"kind", "b"}}});
  const auto a = made(registry, {.name = "asked_total", .help = "Requests.", .labels = {{"kind", "a"}}});
  const auto level = made(registry, {.type = Type::Gauge, .name = "asked:level", .help = "Of the lake."});
  const auto time = made(registry, {.type = Type::Histogram,
                                    .name = "seconds",
                                    .help = "How long.",
                                    .labels = {{"kind", "a"}},
                                    .bounds = {0.25, 1, 2.5}});
  const auto bare =
      made(registry, {.type = Type::Histogram, .name = "bytes", .help = "How much.", .bounds = {}});
  CHECK(a->add(2));
  CHECK(b->add(40));
  CHECK(b->add(1));
  CHECK(level->set(-1.5));
  CHECK(level->change(0.25));
  for (const double value : {0.25, 0.5, 1.0, 7.0, -3.0}) CHECK(time->observe(value));
  CHECK(bare->observe(1e300));
  CHECK(registry.text() ==
        "# HELP asked:level Of the lake.\n"
        "# TYPE asked:level gauge\n"
        "asked:level -1.25\n"
        "# HELP asked_total Requests.\n"
        "# TYPE asked_total counter\n"
        "asked_total{kind=\"a\"} 2\n"
        "asked_total{kind=\"b\"} 41\n"
        "# HELP bytes How much.\n"
        "# TYPE bytes histogram\n"
        "bytes_bucket{le=\"+Inf\"} 1\n"
        "bytes_sum 1e+300\n"
        "bytes_count 1\n"
        "# HELP seconds How long.\n"
        "# TYPE seconds histogram\n"
        "seconds_bucket{kind=\"a\",le=\"0.25\"} 2\n"
        "seconds_bucket{kind=\"a\",le=\"1\"} 4\n"
        "seconds_bucket{kind=\"a\",le=\"2.5\"} 4\n"
        "seconds_bucket{kind=\"a\",le=\"+Inf\"} 5\n"
        "seconds_sum{kind=\"a\"} 5.75\n"
        "seconds_count{kind=\"a\"} 5\n");
}

TEST_CASE("metrics: what would break a line of the text is escaped") {
  Registry registry;
  const auto counter =
      made(registry, {.name = "n", .help = "a\\b \"c\"\nd", .labels = {{"file", "C:\\new \"one\"\n"}}});
  CHECK(registry.text() ==
        "# HELP n a\\\\b \"c\"\\nd\n"
        "# TYPE n counter\n"
        "n{file=\"C:\\\\new \\\"one\\\"\\n\"} 0\n");
}

TEST_CASE("metrics: a gauge shows numbers that are none as Prometheus writes them") {
  Registry registry;
  const auto gauge = made(registry, {.type = Type::Gauge, .name = "g", .help = ""});
  const auto shows = [&](double value, std::string_view text) {
    CHECK(gauge->set(value));
    CHECK(registry.text().ends_with("\ng " + std::string(text) + "\n"));
  };
  shows(std::numeric_limits<double>::quiet_NaN(), "NaN");
  shows(std::numeric_limits<double>::infinity(), "+Inf");
  shows(-std::numeric_limits<double>::infinity(), "-Inf");
  shows(0.1, "0.1");
  shows(9007199254740992, "9007199254740992");
}

TEST_CASE("metrics: lanes and other threads count side by side, and nothing is lost") {
  const unsigned seed = std::random_device{}();
  CAPTURE(seed);
  constexpr uint32_t kLanes = 3;
  constexpr int kRounds = 20'000;
  Registry registry;
  const auto counter = made(registry, {.name = "n", .help = ""}, kLanes);
  const auto gauge = made(registry, {.type = Type::Gauge, .name = "g", .help = ""}, kLanes);
  const auto times =
      made(registry, {.type = Type::Histogram, .name = "h", .help = "", .bounds = {10, 20}}, kLanes);
  std::vector<std::thread> threads;
  // Two without a lane, and one with a number beyond all.
  for (const uint32_t lane : {0U, 1U, 2U, kNoLane, kNoLane, 17U})
    threads.push_back(on_lane(lane, [&, lane] {
      std::minstd_rand random(seed + lane);
      for (int i = 0; i < kRounds; ++i) {
        counter->add(3);
        gauge->change(i % 2 == 0 ? 2 : -1);
        times->observe(static_cast<double>(random() % 31));
      }
    }));
  for (int i = 0; i < 50; ++i) CHECK(registry.text().contains("# TYPE n counter\nn "));
  for (std::thread& thread : threads) thread.join();
  const std::string text = registry.text();
  CHECK(text.contains("\nn 360000\n"));
  CHECK(text.contains("\ng 60000\n"));
  CHECK(text.contains("\nh_count 120000\n"));
  CHECK(text.contains("h_bucket{le=\"+Inf\"} 120000\n"));
}

TEST_CASE("metrics: what is asked of another type changes nothing and says so") {
  Registry registry;
  const auto counter = made(registry, {.name = "c", .help = ""});
  const auto gauge = made(registry, {.type = Type::Gauge, .name = "g", .help = ""});
  const auto times = made(registry, {.type = Type::Histogram, .name = "h", .help = "", .bounds = {1}});
  const std::string before = registry.text();
  CHECK(!counter->set(1));
  CHECK(!counter->change(1));
  CHECK(!counter->observe(1));
  CHECK(!gauge->add(1));
  CHECK(!gauge->observe(1));
  CHECK(!times->add(1));
  CHECK(!times->set(1));
  CHECK(!times->change(1));
  CHECK(!times->observe(std::numeric_limits<double>::quiet_NaN()));
  CHECK(!times->observe(std::numeric_limits<double>::infinity()));
  CHECK(registry.text() == before);
}

TEST_CASE("metrics: a declaration that cannot be shown is refused with its reason") {
  Registry registry;
  const auto named = [&](const std::string& name) { return refusal(registry, {.name = name, .help = ""}); };
  for (const char* good : {"a", "_", ":a:b", "A9_"}) CHECK(named(good) == "nothing");
  for (const char* bad : {"", "9a", "a-b", "a b", "a\n", "\xc3\xa4"})
    CHECK(named(bad).contains("is not a name for a metric"));
  const auto labelled = [&](std::vector<Label> labels, Type type = Type::Counter) {
    return refusal(registry, {.type = type, .name = "n", .help = "", .labels = std::move(labels)});
  };
  CHECK(labelled({{"a", ""}, {"_b1", "\xc3\xa4 {}"}, {"le", "1"}}) == "nothing");
  for (const char* bad : {"", "1a", "a:b", "__a", "a-b"})
    CHECK(labelled({{bad, "x"}}).contains("is not a name for a label"));
  CHECK(labelled({{"a", "1"}, {"b", ""}, {"a", "2"}}).contains("`a` is given twice"));
  CHECK(labelled({{"le", "1"}}, Type::Histogram).contains("`le`"));
  const auto bounded = [&](std::vector<double> bounds, Type type = Type::Histogram) {
    return refusal(registry, {.type = type, .name = "n", .help = "", .bounds = std::move(bounds)});
  };
  CHECK(bounded({-1, 0, 0.5}) == "nothing");
  CHECK(bounded({1, 1}).contains("must be greater"));
  CHECK(bounded({2, 1}).contains("must be greater"));
  CHECK(bounded({1, std::numeric_limits<double>::infinity()}).contains("finite"));
  CHECK(bounded({std::numeric_limits<double>::quiet_NaN()}).contains("finite"));
  CHECK(bounded({1}, Type::Gauge).contains("only a histogram has bounds, and this is a gauge"));
  CHECK(registry.text().empty());
}

TEST_CASE("metrics: the same declaration is the same metric, until nobody holds it") {
  Registry registry;
  auto first = made(registry, {.name = "n", .help = "Old.", .labels = {{"a", "1"}, {"b", "2"}}});
  first->add(5);
  auto second = made(registry, {.name = "n", .help = "New.", .labels = {{"b", "2"}, {"a", "1"}}});
  CHECK(second == first);
  CHECK(made(registry, {.name = "n", .help = "New.", .labels = {{"a", "1"}}}) != first);
  first.reset();
  CHECK(registry.text() == "# HELP n New.\n# TYPE n counter\nn{a=\"1\",b=\"2\"} 5\n");
  second.reset();
  CHECK(registry.text().empty());
  CHECK(made(registry, {.name = "n", .help = "", .labels = {{"a", "1"}, {"b", "2"}}})->add(1));
}

TEST_CASE("metrics: a changed declaration counts apart, and is shown once the old one is gone") {
  Registry registry;
  auto old = made(registry, {.type = Type::Histogram, .name = "h", .help = "", .bounds = {1}});
  const auto changed = made(registry, {.type = Type::Histogram, .name = "h", .help = "", .bounds = {2}});
  CHECK(changed != old);
  old->observe(1);
  changed->observe(2);
  CHECK(registry.text().contains("h_bucket{le=\"1\"} 1\n"));
  CHECK(!registry.text().contains("le=\"2\""));
  old.reset();
  CHECK(registry.text().contains("h_bucket{le=\"2\"} 1\n"));

  auto counter = made(registry, {.name = "x", .help = "", .labels = {{"plugin", "a"}}});
  const auto gauge =
      made(registry, {.type = Type::Gauge, .name = "x", .help = "", .labels = {{"plugin", "b"}}});
  CHECK(!registry.text().contains("gauge"));
  counter.reset();
  CHECK(registry.text().contains("# TYPE x gauge\nx{plugin=\"b\"} 0\n"));
}

TEST_CASE("metrics: names that would stand for two things are told") {
  Registry registry;
  const auto histogram = made(registry, {.type = Type::Histogram, .name = "h", .help = "", .bounds = {1}});
  const auto other_bounds = made(registry, {.type = Type::Histogram, .name = "h", .help = "", .bounds = {2}});
  const auto labelled = made(
      registry, {.type = Type::Histogram, .name = "h", .help = "", .labels = {{"a", "b"}}, .bounds = {2}});
  const auto part = made(registry, {.name = "h_count", .help = ""});
  const auto gauge = made(registry, {.type = Type::Gauge, .name = "h", .help = "", .labels = {{"a", "c"}}});
  Names names;
  CHECK(names.take(*histogram) == nullptr);
  CHECK(names.take(*histogram) == nullptr);
  CHECK(names.take(*labelled) == nullptr);
  CHECK(names.take(*other_bounds) == histogram.get());
  CHECK(names.take(*part) == histogram.get());
  CHECK(names.take(*gauge) == histogram.get());
  Names others;
  CHECK(others.take(*part) == nullptr);
  CHECK(others.take(*histogram) == part.get());
}

TEST_CASE("metrics: a number that is known elsewhere is asked for when it is shown") {
  Registry registry;
  double known = 1;
  const auto metric = made(registry, {.name = "n", .help = "", .read = [&] { return known; }});
  CHECK(registry.text().ends_with("\nn 1\n"));
  known = 2.5;
  CHECK(registry.text().ends_with("\nn 2.5\n"));
}

TEST_CASE("metrics: there are no more series than the limit, and those that are gone do not count") {
  Registry registry;
  registry.set_limit(6);
  auto counter = made(registry, {.name = "c", .help = ""});
  auto histogram = made(registry, {.type = Type::Histogram, .name = "h", .help = "", .bounds = {1, 2}});
  CHECK(refusal(registry, {.name = "d", .help = ""}).contains("metrics.series allows 6"));
  CHECK(made(registry, {.name = "c", .help = ""}) == counter);
  const auto unlimited = made(registry, {.name = "u", .help = "", .limited = false});
  counter.reset();
  CHECK(refusal(registry, {.name = "d", .help = ""}) == "nothing");
  CHECK(refusal(registry, {.type = Type::Histogram, .name = "i", .help = ""})
            .contains("metrics.series allows 6"));
  histogram.reset();
  CHECK(refusal(registry, {.type = Type::Histogram, .name = "i", .help = ""}) == "nothing");
}

}  // namespace leat::metrics
