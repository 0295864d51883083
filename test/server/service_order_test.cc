// Which plugin is made before which, and what is wrong where that can't be said.
#include "server/service_order.h"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <deque>
#include <map>
#include <random>

namespace leat::server {
namespace {

using Severity = Diagnostic::Severity;

// Plugins by what they provide and need; a need that ends in '?' is optional.
class Plugins {
 public:
  void add(std::string name, const std::vector<std::string>& services, const std::vector<std::string>& needs,
           std::vector<config::PluginDecl::Choice> choices = {}) {
    Plugin& plugin = plugins_.emplace_back();
    plugin.declared.name = std::move(name);
    plugin.declared.services = std::move(choices);
    for (const std::string& service : services)
      plugin.services.push_back({.struct_size = sizeof(leat_service), .name = keep(service)});
    for (std::string need : needs) {
      const bool optional = need.ends_with('?');
      if (optional) need.pop_back();
      plugin.needs.push_back({sizeof(leat_need), optional ? LEAT_NEED_OPTIONAL : 0u, keep(need)});
    }
  }

  // The names in order.
  std::vector<std::string> order(const std::vector<std::string>& unavailable = {}) {
    diagnostics.clear();
    std::vector<ServiceParty> parties;
    for (const Plugin& each : plugins_) parties.push_back({&each.declared, each.services, each.needs});
    result = order_services(parties, unavailable, diagnostics);
    std::vector<std::string> names;
    for (const size_t each : result.order) names.push_back(plugins_[each].declared.name);
    return names;
  }
  [[nodiscard]] std::string said() const {
    std::string text;
    for (const Diagnostic& each : diagnostics)
      text += (each.severity == Severity::Error ? "error: " : "warning: ") + each.message + "\n";
    return text;
  }

  Diagnostics diagnostics;
  ServiceOrder result;

 private:
  struct Plugin {
    config::PluginDecl declared;
    std::vector<leat_service> services;
    std::vector<leat_need> needs;
  };
  leat_str keep(const std::string& text) {
    const std::string& kept = texts_.emplace_back(text);
    return {kept.data(), kept.size()};
  }
  std::deque<std::string> texts_;
  std::deque<Plugin> plugins_;
};

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("service order: those without needs stay in the order of the file") {
  Plugins plugins;
  for (const char* name : {"c", "a", "b"}) plugins.add(name, {}, {});
  CHECK(plugins.order() == Names{"c", "a", "b"});
  CHECK(plugins.diagnostics.empty());
}

TEST_CASE("service order: providers come first, through any number of steps") {
  Plugins plugins;
  plugins.add("shop", {}, {"users/1", "orders/2", "extra/1?"});
  plugins.add("orders", {"orders/2"}, {"users/1"});
  plugins.add("other", {}, {});
  plugins.add("users", {"users/1"}, {});
  CHECK(plugins.order() == Names{"users", "orders", "shop", "other"});
  CHECK(plugins.said().empty());
  CHECK(plugins.result.uses[0].size() == 2);
}

TEST_CASE("service order: a plugin may stand before another one of its kind") {
  Plugins plugins;
  plugins.add("cached", {"users/1"}, {"users/1"}, {{"users/1", "users", {}}});
  plugins.add("users", {"users/1"}, {});
  plugins.add("shop", {}, {"users/1"}, {{"users/1", "cached", {}}});
  CHECK(plugins.order() == Names{"users", "cached", "shop"});
  CHECK(plugins.said().empty());
}

TEST_CASE("service order: a circle is told whole") {
  Plugins plugins;
  plugins.add("a", {"a/1"}, {"b/1"});
  plugins.add("b", {"b/1"}, {"c/1"});
  plugins.add("c", {"c/1"}, {"a/1"});
  plugins.order();
  CHECK(plugins.said() ==
        "error: plugins need each other in a circle: a needs `b/1` of b, b needs `c/1` of c, c needs `a/1` "
        "of a\n");
}

TEST_CASE("service order: another version is no match, and is named") {
  Plugins plugins;
  plugins.add("shop", {}, {"users/2"});
  plugins.add("users", {"users/1"}, {});
  plugins.order();
  CHECK(plugins.said() == "error: plugin shop needs the service `users/2`, which no plugin provides\n");
  CHECK(plugins.diagnostics[0].hint.contains("`users/1`"));
}

TEST_CASE("service order: what is out of service takes those with it that need it, and no others") {
  Plugins plugins;
  plugins.add("shop", {"shop/1"}, {"users/1"});
  plugins.add("front", {}, {"shop/1"});
  plugins.add("status", {}, {"users/1?"});
  plugins.add("other", {}, {});
  CHECK(plugins.order({"users"}) == Names{"status", "other"});
  CHECK(
      plugins.said() ==
      "warning: plugin shop is out of service too: it needs `users/1`, which no plugin in service provides\n"
      "warning: plugin front is out of service too: it needs `shop/1`, which no plugin in service "
      "provides\n");
  // One that is chosen and in quarantine is not replaced by another; one that is chosen and unknown is a
  // mistake.
  Plugins chosen;
  chosen.add("shop", {}, {"users/1"}, {{"users/1", "ldap", {}}});
  chosen.add("users", {"users/1"}, {});
  CHECK(chosen.order({"ldap"}) == Names{"users"});
  CHECK(chosen.said().starts_with("warning: plugin shop is out of service too"));
  chosen.order({"file"});
  CHECK(chosen.said() == "error: no plugin `ldap` provides `users/1`\n");
}

TEST_CASE("service order: random plugins without circles are always put in order") {
  const uint32_t seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 200; ++round) {
    // Needs lead to lower numbers only; the file has the plugins in any order.
    std::vector<size_t> file(1 + random() % 20);
    for (size_t i = 0; i < file.size(); ++i) file[i] = i;
    std::ranges::shuffle(file, random);
    Plugins plugins;
    std::map<std::string, Names> needs_of;
    for (const size_t number : file) {
      Names needs;
      for (size_t other = 0; other < number; ++other)
        if (random() % 3 == 0) needs.push_back(std::to_string(other) + "/1");
      needs_of[std::to_string(number)] = needs;
      plugins.add(std::to_string(number), {std::to_string(number) + "/1"}, needs);
    }
    const Names order = plugins.order();
    REQUIRE(plugins.said().empty());
    REQUIRE(order.size() == file.size());
    for (const std::string& name : order)
      for (const std::string& need : needs_of[name])
        REQUIRE(std::ranges::find(order, need.substr(0, need.find('/'))) < std::ranges::find(order, name));
  }
}

}  // namespace leat::server
