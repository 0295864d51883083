#include "server/migrate/caddy_matcher.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <string_view>
#include <utility>

#include "base/host_address.h"
#include "server/migrate/caddy_values.h"

namespace leat::server::migrate {

namespace {

// One condition of a matcher: what it is called, and the words behind that.
class MatcherReader {
 public:
  void take(std::string_view kind, std::vector<std::string> words) {
    if (kind == "path")
      matcher_.paths.insert(matcher_.paths.end(), words.begin(), words.end());
    else if (kind == "method")
      matcher_.methods.insert(matcher_.methods.end(), words.begin(), words.end());
    else if (kind == "header" && (words.size() == 1 || words.size() == 2))
      take_header(words);
    else if (kind == "query")
      take_query(words);
    else if (kind == "remote_ip" || kind == "client_ip")
      take_clients(words);
    else
      matcher_.others = true;
  }
  Matcher finish() && {
    put("header", headers_);
    put("query", queries_);
    put("client", clients_);
    return std::move(matcher_);
  }

 private:
  // Values of one field are any of them, of several fields all: a route has one list, of which any fits.
  void take_header(const std::vector<std::string>& words) {
    const std::string value = words.size() == 2 ? words[1] : "*";
    const bool other =
        !headers_.empty() && headers_.front().substr(0, headers_.front().find(':')) != words[0];
    if (other || words[0].starts_with('!') || (value != "*" && value.contains('*')) || value.contains('{'))
      return void(matcher_.others = true);
    headers_.push_back(value == "*" ? words[0] : fmt::format("{}: {}", words[0], value));
  }
  void take_query(const std::vector<std::string>& words) {
    for (const std::string& each : words) {
      const size_t equals = each.find('=');
      const std::string name = each.substr(0, equals);
      const bool other = !queries_.empty() && queries_.front().substr(0, queries_.front().find('=')) != name;
      if (equals == std::string::npos || other || each.contains('{')) return void(matcher_.others = true);
      const std::string value = each.substr(equals + 1);
      if (value != "*" && value.contains('*')) return void(matcher_.others = true);
      queries_.push_back(value == "*" ? name : each);
    }
  }
  void take_clients(const std::vector<std::string>& words) {
    for (const std::string& each : words) {
      if (each == "private_ranges")
        clients_.insert(clients_.end(), std::begin(kPrivateRanges), std::end(kPrivateRanges));
      else if (AddressRange::parse(each))
        clients_.push_back(each);
      else
        matcher_.others = true;
    }
  }
  void put(std::string_view key, const std::vector<std::string>& items) {
    if (!items.empty()) matcher_.when.emplace_back(key, list(items));
  }

  Matcher matcher_;
  std::vector<std::string> headers_, queries_, clients_;
};

}  // namespace

Matcher matcher_of(const Directive& directive) {
  MatcherReader reader;
  const auto words = [](const Directive& from, size_t first) {
    return std::vector<std::string>(from.words.begin() + static_cast<ptrdiff_t>(first), from.words.end());
  };
  if (directive.count() != 0) reader.take(directive.word(0), words(directive, 2));
  for (const Directive& each : directive.block) reader.take(each.name(), words(each, 1));
  return std::move(reader).finish();
}

}  // namespace leat::server::migrate
