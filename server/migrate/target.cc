#include "server/migrate/target.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>
#include <utility>

#include "config/format.h"

namespace leat::server::migrate {

namespace {

constexpr std::string_view kTablesInOrder[] = {"server", "limits", "cache", "log"};

void put_keys(std::string& out, const Keys& keys) {
  for (const auto& [key, value] : keys) out += fmt::format("{} = {}\n", key, value);
}

// Each line a comment.
std::string commented(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    out.append(end == 0 ? "#" : "# ").append(text.substr(0, end)).append(1, '\n');
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

}  // namespace

std::string key_of(const Instance& instance) {
  std::string key = instance.kind;
  for (const auto& [name, value] : instance.options) key += fmt::format("\n{} = {}", name, value);
  return key;
}

std::string text(std::string_view value) {
  std::string out = "\"";
  for (const char c : value) {
    if (c == '"' || c == '\\')
      out.append(1, '\\').append(1, c);
    else if (c == '$')
      out += "$$";  // of which one begins a variable
    else if ((c >= 0 && c < ' ') || c == 0x7f)
      out += fmt::format("\\u{:04X}", static_cast<int>(c));
    else
      out += c;
  }
  return out + "\"";
}

std::string list(const std::vector<std::string>& values) {
  std::string out;
  for (const std::string& each : values) out += (out.empty() ? "" : ", ") + text(each);
  return "[" + out + "]";
}

void Target::set(std::string_view table, std::string_view key, std::string value, const Directive& from) {
  std::vector<Setting>& settings = settings_.try_emplace(std::string(table)).first->second;
  const auto found = std::ranges::find(settings, key, &Setting::key);
  if (found == settings.end())
    settings.push_back({std::string(key), std::move(value), {}});
  else if (found->value != value)
    leave(from, fmt::format("{}.{} is {} already, and is one for all", table, key, found->value));
}

void Target::add(std::string_view table, std::string_view key, const std::string& item) {
  std::vector<Setting>& settings = settings_.try_emplace(std::string(table)).first->second;
  auto found = std::ranges::find(settings, key, &Setting::key);
  if (found == settings.end()) found = settings.insert(settings.end(), {std::string(key), {}, {}});
  if (!std::ranges::contains(found->items, item)) found->items.push_back(item);
}

Target::Host& Target::host() {
  if (hosts_.empty()) hosts_.emplace_back();
  return hosts_[host_];
}

void Target::begin_host(const std::vector<std::string>& names, const std::vector<std::string>& listeners) {
  const auto found = std::ranges::find_if(
      hosts_, [&](const Host& each) { return each.names == names && each.listeners == listeners; });
  host_ = static_cast<size_t>(found - hosts_.begin());
  if (found == hosts_.end()) hosts_.push_back({.names = names, .listeners = listeners, .pieces = {}});
}

Target::Piece& Target::next_piece() {
  std::vector<Piece>& pieces = host().pieces;
  if (pieces.empty() || pieces.back().route != nullptr) pieces.emplace_back();
  return pieces.back();
}

void Target::add_route(Route route) { next_piece().route = std::make_unique<Route>(std::move(route)); }

void Target::leave(const Directive& directive, std::string_view why) { tell(next_piece(), directive, why); }

void Target::tell(Piece& piece, const Directive& directive, std::string_view why) {
  constexpr size_t kMostWhy = 400;
  const std::string shown = printable_line(why, kMostWhy);
  left_.push_back({directive.line, directive.written, shown});
  piece.comments.push_back(fmt::format("TODO {}:{}: {}", source_, directive.line, directive.written));
  piece.comments.push_back(fmt::format("     {}.", shown));
}

void Target::leave_all(const Directive& block, std::string_view why) {
  leave(block, why);
  for (const Directive& each : block.block) remark("  " + each.written);
}

void Target::remark(std::string_view text) { next_piece().comments.emplace_back(text); }

Target::SharedInstances Target::shared_instances() const {
  SharedInstances shared;
  std::map<std::string, size_t, std::less<>> uses;
  size_t routes = 0;
  const auto count = [&](const Route& route) {
    if (route.rewrites()) return;  // middleware is that of the route that it leads to
    ++routes;
    std::set<std::string> own;
    for (const Instance& each : route.instances)
      if (own.insert(key_of(each)).second) {
        ++uses[key_of(each)];
        shared.try_emplace(key_of(each), Shared{&each, {}});
      }
  };
  for (const Host& host : hosts_)
    for (const Piece& piece : host.pieces)
      if (!piece.given.empty()) count(*piece.route);
  std::map<std::string_view, size_t> numbers;
  for (auto& [key, each] : shared)
    if (uses[key] != routes)
      each.name = fmt::format("{}-{}", each.instance->kind, ++numbers[each.instance->kind]);
  return shared;
}

void Target::put_settings(std::string& out) const {
  for (const std::string_view table : kTablesInOrder) {
    const auto found = settings_.find(table);
    if (found == settings_.end()) continue;
    out += fmt::format("[{}]\n", table);
    for (const Setting& each : found->second)
      out += fmt::format("{} = {}\n", each.key, each.items.empty() ? each.value : list(each.items));
  }
}

void Target::put_route(std::string& out, std::string_view table, const Piece& piece,
                       const SharedInstances& shared) {
  const Route& route = *piece.route;
  std::vector<std::string> named;
  for (const Instance& each : route.instances)
    if (const std::string& name = shared.at(key_of(each)).name;
        !name.empty() && !std::ranges::contains(named, name))
      named.push_back(name);
  for (const Given& given : piece.given) {
    out += fmt::format("[[{}]]\n{} = {}\n", table, given.place.key, text(given.place.value));
    if (!given.methods.empty())
      out += fmt::format("methods = {}\n", list(given.methods));
    else if (given.every)
      out += "method = \"*\"\n";
    if (route.answers.empty()) out += "answer = {status = 503}\n";
    if (!route.when.empty()) {
      out += "when = {";
      for (const auto& [key, value] : route.when) out += fmt::format("{} = {}, ", key, value);
      out += "}\n";
    }
    put_keys(out, route.answers);
    if (!named.empty()) out += fmt::format("middleware = {}\n", list(named));
    put_keys(out, route.keys);
    out += '\n';
  }
}

std::string Target::file() const {
  std::string out =
      fmt::format("# Made of {} by `leat migrate`. What it says is to be looked through", source_);
  out += left_.empty() ? ".\n\n"
                       : fmt::format(",\n# and {} {} left to do: see TODO.\n\n", left_.size(),
                                     left_.size() == 1 ? "thing is" : "things are");
  put_settings(out);
  for (const Keys& each : listeners_) {
    out += "[[listener]]\n";
    put_keys(out, each);
  }
  for (const Keys& each : certificates_) {
    out += "[[tls]]\n";
    put_keys(out, each);
  }
  const SharedInstances shared = shared_instances();
  for (const auto& [key, each] : shared) {
    out += fmt::format("[[middleware]]\nkind = {}\n", text(each.instance->kind));
    if (!each.name.empty()) out += fmt::format("name = {}\nglobal = false\n", text(each.name));
    put_keys(out, each.instance->options);
  }
  for (const Host& host : hosts_) {
    const bool whatever = host.names.empty() && host.listeners.empty();
    if (!whatever) out += "\n[[host]]\n";
    if (!host.names.empty()) out += fmt::format("names = {}\n", list(host.names));
    if (!host.listeners.empty()) out += fmt::format("listeners = {}\n", list(host.listeners));
    for (const Piece& piece : host.pieces) {
      out += '\n';
      for (const std::string& line : piece.comments) out += commented(line);
      if (piece.given.empty()) continue;
      if (piece.route->answers.empty())
        out += commented(R"(TODO: a plugin answers here: handler = "PLUGIN:HANDLER" in place of `answer`.)");
      put_route(out, whatever ? "route" : "host.route", piece, shared);
    }
  }
  return config::format_toml(out).value_or(out);
}

}  // namespace leat::server::migrate
