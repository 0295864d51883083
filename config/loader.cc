// Files into a Config: reads the main file, what it includes and conf.d, puts settings where they belong, and
// has declarations read. Goes on after every mistake, so that all are reported at once.
//
// What is wrong with routes, middleware and plugins beyond their tables is found where they are put together
// (server/assemble.h); a draft is for that.
#include <fmt/core.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <tuple>
#include <unordered_map>

#include "base/suggest.h"
#include "config/codes.h"
#include "config/config.h"
#include "config/declarations.h"
#include "config/diagnostics.h"
#include "config/file.h"
#include "config/foreign_keys.h"
#include "config/in_force.h"
#include "config/routes.h"
#include "config/settings.h"
#include "config/tls.h"
#include "config/toml.h"
#include "json/backend.h"
#include "pipeline/codes.h"
#include "plugin/codes.h"

namespace leat::config {

namespace {

namespace fs = std::filesystem;

// A chain of includes as long as this is a mistake, or made to exhaust the stack.
constexpr size_t kDeepestInclude = 16;

std::string canonical(const std::string& path) {
  std::error_code failed;
  const fs::path real = fs::weakly_canonical(path, failed);
  return failed ? path : real.string();
}

// `text` with every character that means something to glob(3) quoted.
std::string escape_glob(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (std::string_view("*?[]\\").contains(c)) out += '\\';
    out += c;
  }
  return out;
}

class Loader {
 public:
  explicit Loader(const std::string& path) : path_(path) {}

  LoadResult run(const Overrides& overrides, Config* draft) {
    read(path_, {.file = std::make_shared<const std::string>(path_)});
    read_conf_d();
    override_settings(overrides);
    // The default is for who says nothing at all.
    if (listen_.empty()) config_.settings.listen.clear();
    if (listen_.empty() && declared_.empty()) config_.settings.listen = Settings().listen;
    for (const Written& each : listen_) config_.settings.listen_places.push_back(each.place);
    check_addresses();
    if (overrides.listen.empty()) check_host_listeners();
    add_redirects();
    check_limits();
    check_backend();
    check_trust();
    if (all_read_) check_plugin_names();
    config_.incomplete = !all_read_;
    tidy(diagnostics_, config_);
    LoadResult result;
    if (!any_error(diagnostics_)) {
      result.config = std::move(config_);
    } else if (draft != nullptr) {
      *draft = std::move(config_);
    }
    result.diagnostics = std::move(diagnostics_);
    return result;
  }

 private:
  void fail(Code code, std::string message, const Place& place, std::string hint = {}) {
    diagnostics_.push_back(
        {.code = code, .message = std::move(message), .place = place, .hint = std::move(hint)});
  }

  void wrong_type(const Value& value, const std::string& key, std::string_view wanted) {
    diagnostics_.push_back(schema::wrong_type(value, "`" + key + "`", wanted, kWrongType));
  }

  // Reads a file once, however often it is named. `from`: where it is named.
  void read(const std::string& path, const Place& from) {
    const std::string real = canonical(path);
    if (std::ranges::contains(open_, real) || open_.size() == kDeepestInclude) {
      all_read_ = false;
      return fail(kIncludeCycle, "`" + path + "` includes itself, or includes nest too deep", from);
    }
    if (std::ranges::contains(files_, real, &File::real)) return;
    files_.push_back({real, path});
    config_.files.push_back(path);
    open_.push_back(real);
    if (Reading reading(*this, path); !read_toml(path, from, reading, diagnostics_, config_.secrets))
      all_read_ = false;
    open_.pop_back();
  }

  // conf.d beside the main file, in the lexical order of names; no hidden files, which editors leave.
  void read_conf_d() {
    const fs::path folder = fs::path(path_).parent_path() / "conf.d";
    std::vector<std::string> parts;
    if (auto entries = list_folder(folder.string())) {
      for (std::string& entry : *entries) {
        const std::string name = fs::path(entry).filename().string();
        if (name.ends_with(".toml") && !name.starts_with('.')) parts.push_back(std::move(entry));
      }
    } else {
      all_read_ = false;
      fail(kUnreadable, "cannot read `" + folder.string() + "`: " + entries.error().message(),
           {.file = std::make_shared<const std::string>(path_)});
    }
    std::ranges::sort(parts);
    for (const std::string& part : parts) read(part, {.file = std::make_shared<const std::string>(part)});
  }

  void read_includes(const Value& value, const std::string& path) {
    const std::string folder = fs::path(path).parent_path().string();
    const auto include = [&](const Value& item) {
      if (item.string() == nullptr) {
        wrong_type(item, "include", "a list of file names");
      } else if (item.string()->find_first_of("*?[") != std::string::npos) {
        read_pattern(*item.string(), folder, item.place);
      } else {
        const fs::path file = fs::path(folder) / *item.string();
        if (may_exist(file.string())) return read(file.string(), item.place);
        all_read_ = false;
        fail(kNoInclude, "there is no file `" + file.string() + "`", item.place);
      }
    };
    if (value.array() == nullptr) return include(value);
    for (const Value& item : *value.array()) include(item);
  }

  void read_pattern(const std::string& pattern, const std::string& folder, const Place& place) {
    const bool relative = fs::path(pattern).is_relative() && !folder.empty();
    const auto found = list_matches((relative ? escape_glob(folder) + "/" : "") + pattern);
    if (!found) {
      all_read_ = false;
      return fail(kUnreadable, "cannot look for `" + pattern + "`: a folder cannot be read", place);
    }
    for (const std::string& each : *found) read(each, place);
    if (found->empty())
      diagnostics_.push_back({.severity = Diagnostic::Severity::Warning,
                              .code = kNoInclude,
                              .message = "no file matches `" + pattern + "`",
                              .place = place,
                              .hint = {}});
  }

  using ReadOne = bool (*)(const Value&, Config&, Diagnostics&);

  // Of the lists of tables; nullptr for another key.
  static ReadOne reader_of(std::string_view key) {
    if (key == "listener") return read_listener;
    if (key == "tls") return read_tls;
    if (key == "plugin") return read_plugin;
    if (key == "middleware") return read_middleware;
    if (key == "host") return read_host;
    if (key == "group") return read_group;
    if (key == "route") return read_route;
    return nullptr;
  }

  void read_top(const std::string& key, const Value& value, const std::string& path) {
    if (key == "include") return read_includes(value, path);
    if (const ReadOne read_one = reader_of(key)) {
      // What other servers have by this name is an address.
      if (key == "host" && value.string() != nullptr) return unknown("", key, value);
      if (value.array() == nullptr) return wrong_type(value, key, wanted_list(key));
      for (const Value& item : *value.array()) read_table(key, item, read_one);
      return;
    }
    if (!std::ranges::contains(setting_groups(), key, &SettingGroup::name)) return unknown("", key, value);
    if (value.table() == nullptr) return wrong_type(value, key, wanted_table(key));
    for (const auto& [name, entry] : *value.table()) read_setting(key, name, entry);
  }

  // One of the tables that are each written as [[key]].
  void read_element(const std::string& key, const Value& table) {
    if (const ReadOne read_one = reader_of(key)) return read_table(key, table, read_one);
    const bool setting = std::ranges::contains(setting_groups(), key, &SettingGroup::name);
    if (!setting && key != "include") return unknown("", key, table);
    diagnostics_.push_back({.code = kWrongType,
                            .message = fmt::format("`{}` is {}, not a list of tables", key,
                                                   setting ? wanted_table(key) : "a list of file names"),
                            .place = table.place,
                            .hint = {}});
  }

  void read_table(const std::string& key, const Value& item, ReadOne read_one) {
    if (item.table() == nullptr) return wrong_type(item, key, wanted_list(key));
    if (const Value* address = key == "listener" ? item.find("address") : nullptr;
        address != nullptr && address->string() != nullptr)
      declared_.push_back({*address->string(), address->place});
    if (const Value* protocol = key == "listener" ? item.find("proxy_protocol") : nullptr;
        protocol != nullptr && is_true(*protocol) && item.find("trusted_proxies") == nullptr)
      need_trust_.push_back(protocol->place);
    read_one(item, config_, diagnostics_);
  }

  static bool is_true(const Value& value) {
    if (value.boolean() != nullptr) return *value.boolean();
    return value.expanded && *value.string() == "true";
  }

  static std::string wanted_list(const std::string& key) {
    return "a list of tables, each written as [[" + key + "]]";
  }
  static std::string wanted_table(const std::string& key) { return "a table, written as [" + key + "]"; }

  void read_setting(const std::string& group, const std::string& name, const Value& value) {
    const std::string path = group + "." + name;
    const schema::Row* setting = find_setting(path);
    if (setting == nullptr) return unknown(group, name, value);
    const auto [first, fresh] = seen_.try_emplace(path, value.key_place);
    config_.said_at.try_emplace(path, value.place);
    if (!fresh)
      return fail(kDefinedTwice, "`" + path + "` is defined twice", value.key_place,
                  fmt::format("the other is at {}:{}", *first->second.file, first->second.line));
    set(*setting, value);
  }

  // A key that `group` (empty: the top of a file) does not have. It may be misspelt, or belong elsewhere.
  void unknown(const std::string& group, const std::string& name, const Value& value) {
    std::vector<std::string_view> known;
    if (group.empty())
      known = {"include", "listener", "tls", "plugin", "middleware", "host", "group", "route"};
    std::string elsewhere;
    for (const schema::Row& each : settings()) {
      const std::string_view owner = each.name.substr(0, each.name.find('.'));
      const std::string_view leaf = each.name.substr(owner.size() + 1);
      if (group.empty() || owner == group) known.push_back(group.empty() ? owner : leaf);
      if (leaf == name)
        elsewhere += elsewhere.empty() ? fmt::format("`{}` belongs under [{}]", name, owner)
                                       : fmt::format(" or [{}]", owner);
    }
    std::string hint = std::move(elsewhere);
    if (hint.empty() && (group.empty() || group == "server")) hint = hint_for_server_key(name);
    fail(kUnknownKey, "unknown key `" + name + "`", value.key_place,
         hint.empty() ? did_you_mean(name, known) : std::move(hint));
  }

  void override_settings(const Overrides& overrides) {
    const Place nowhere{.file = std::make_shared<const std::string>("the command line")};
    if (!overrides.listen.empty()) {
      Value::Array list;
      for (const std::string& address : overrides.listen) list.emplace_back(address, nowhere);
      declared_.clear();
      need_trust_.clear();
      config_.settings.listeners.clear();
      config_.said_at.erase("server.listen");
      set(*find_setting("server.listen"), Value(std::move(list), nowhere));
    }
    if (overrides.workers) set(*find_setting("server.workers"), value_of(*overrides.workers, nowhere));
    if (overrides.engine) set(*find_setting("server.engine"), Value(*overrides.engine, nowhere));
    if (overrides.log_level) set(*find_setting("log.level"), Value(*overrides.log_level, nowhere));
  }

  void set(const schema::Row& setting, const Value& value) {
    apply(setting, value, config_.settings, diagnostics_);
    if (holds_secret(value)) config_.settings.secret.emplace_back(setting.name);
    if (setting.name != "server.listen") return;
    listen_.clear();
    const auto note = [&](const Value& each) {
      if (each.string() != nullptr) listen_.push_back({*each.string(), each.place});
    };
    if (value.array() == nullptr) return note(value);
    for (const Value& each : *value.array()) note(each);
  }

  // An address twice, alone or as one of many; but port 0 is another port each time.
  void check_addresses() {
    // Each is compared with all before it, and takes a socket of every worker.
    constexpr size_t kMost = 4096;
    std::vector<net::Address> known;
    const auto check = [&](const Written& each) {
      if (known.size() == kMost) {
        known.emplace_back();  // once
        return fail(kOutOfRange, fmt::format("more than {} addresses to listen on", kMost), each.place);
      }
      if (known.size() > kMost) return;
      const auto address = net::Address::parse(each.text);
      if (!address || (address->kind != net::Address::Kind::Unix && address->port == 0)) return;
      if (std::ranges::contains(known, *address)) {
        fail(kDefinedTwice, "`" + address->text() + "` is listened on already", each.place);
      } else if (!config_.settings.sockets.share_port) {
        const auto overlap =
            std::ranges::find_if(known, [&](const net::Address& other) { return address->overlaps(other); });
        if (overlap != known.end())
          fail(kDefinedTwice,
               fmt::format("`{}` and `{}` cannot both be listened on: one is part of the other",
                           overlap->text(), address->text()),
               each.place);
      }
      known.push_back(*address);
    };
    for (const Written& each : listen_) check(each);
    for (const Written& each : declared_) check(each);
  }

  // A host for a listener that there is not would never be asked.
  void check_host_listeners() {
    std::vector<net::Address> known = config_.settings.listen;
    for (const ListenerDecl& each : config_.settings.listeners) known.push_back(each.address);
    for (const HostDecl& host : config_.hosts)
      for (const net::Address& each : host.listeners)
        if (all_read_ && !std::ranges::contains(known, each))
          fail(kBadHost, fmt::format("`{}` is not listened on", each.text()), host.listeners_place,
               "name it in `server.listen`, or as the address of a [[listener]]");
  }

  // What a listener answers with redirects is a host, before all others, with one route.
  void add_redirects() {
    for (const ListenerDecl& each : config_.settings.listeners) {
      if (each.redirect_to_https == 0) continue;
      const Place& place = each.redirect_place;
      HostDecl host;
      host.spec.every_name = true;
      host.spec.place = host.listeners_place = place;
      host.listeners = {each.address};
      config_.hosts.push_back(std::move(host));
      const std::string port =
          each.redirect_to_https == 443 ? "" : fmt::format(":{}", each.redirect_to_https);
      RouteDecl route;
      route.spec.host = config_.hosts.size();
      route.spec.path = "/{rest...}";
      route.spec.methods = {std::string(pipeline::kAnyMethod)};
      route.spec.path_place = route.spec.method_place = route.handler_place = place;
      route.redirect =
          std::make_unique<RedirectDecl>("https://{hostname}" + port + "{path}{query}", 308, place);
      config_.routes.push_back(std::move(route));
    }
  }

  void check_limits() {
    const http::Limits& limits = config_.settings.worker.limits;
    if (limits.output_low_bytes <= limits.output_high_bytes) return;
    const auto low = seen_.find("limits.output_low");
    fail(kOutOfRange, "`limits.output_low` is larger than `limits.output_high`",
         low != seen_.end() ? low->second : seen_["limits.output_high"]);
  }

  void check_backend() {
    const json::Backend wanted = config_.settings.json_backend;
    if (json::is_built(wanted)) return;
    std::string built;
    for (const json::Backend each : json::built_backends())
      built += fmt::format("{}`{}`", built.empty() ? "" : ", ", json::backend_name(each));
    fail(kBadChoice,
         fmt::format("this daemon was built without the JSON writer `{}`", json::backend_name(wanted)),
         seen_["json.backend"], "it has " + built);
  }

  // Who is believed, and what, must be clear.
  void check_trust() {
    const http::ProxyTrust& trust = config_.settings.trust;
    const bool wrong = std::ranges::contains(diagnostics_, kBadRange, &Diagnostic::code);
    if (trust.proxies.empty() && all_read_ && !wrong)
      for (const Place& place : need_trust_)
        fail(kNobodyTrusted,
             "`proxy_protocol` needs somebody who is trusted, and `server.trusted_proxies` is empty", place,
             "name the proxies there, or in `trusted_proxies` of this listener");
    if (http::tell_twice(trust.fields))
      fail(kToldTwice, "`server.proxy_fields` names `forwarded` and fields that tell of the same",
           seen_["server.proxy_fields"], "leave those that your proxies set");
  }

  void check_plugin_names() {
    std::vector<std::string_view> plugins = {kOwnHandlers};
    for (const PluginDecl& plugin : config_.plugins) plugins.push_back(plugin.name);
    for (const RouteDecl& route : config_.routes)
      if (!route.plugin().empty() && !std::ranges::contains(plugins, route.plugin()))
        fail(kUnknownPlugin, fmt::format("no [[plugin]] is named `{}`", route.plugin()), route.handler_place,
             did_you_mean(route.plugin(), plugins));
    const auto check = [&](const pipeline::MiddlewareSpec& spec) {
      const size_t colon = spec.kind.find(':');
      if (colon == std::string::npos) return;
      const std::string plugin = spec.kind.substr(0, colon);
      if (plugin == kOwnHandlers || !std::ranges::contains(plugins, plugin))
        fail(kUnknownPlugin, "no [[plugin]] is named `" + plugin + "`", spec.place,
             did_you_mean(plugin, std::span(plugins).subspan(1)));
    };
    for (const pipeline::MiddlewareSpec& spec : config_.middleware) check(spec);
    for (const RouteDecl& route : config_.routes)
      for (const pipeline::MiddlewareSpec& spec : route.spec.middleware) check(spec);
    if (config_.routes.empty() && !any_error(diagnostics_))
      diagnostics_.push_back({.severity = Diagnostic::Severity::Warning,
                              .code = kNothingToServe,
                              .message = "no [[route]] is declared: every request will be answered with 404",
                              .place = {.file = std::make_shared<const std::string>(path_)}});
  }

  // What one file says, to the loader.
  class Reading final : public TomlClient {
   public:
    Reading(Loader& loader, const std::string& path) : loader_(loader), path_(path) {}
    void on_entry(const std::string& key, Value&& value) override { loader_.read_top(key, value, path_); }
    void on_element(const std::string& key, Value&& table) override { loader_.read_element(key, table); }

   private:
    Loader& loader_;
    const std::string& path_;
  };

  // An address to listen on.
  struct Written {
    std::string text;
    Place place;
  };
  struct File {
    std::string real;  // without links, what tells two files apart
    std::string path;  // as it was named first
  };

  const std::string& path_;
  Config config_;
  Diagnostics diagnostics_;
  std::map<std::string, Place> seen_;  // settings by path
  std::vector<Written> listen_;        // of server.listen
  std::vector<Written> declared_;      // of [[listener]]
  std::vector<Place> need_trust_;      // of those, the ones for proxies that server.trusted_proxies names
  std::vector<File> files_;            // in the order of reading
  std::vector<std::string> open_;      // files being read, outermost first
  bool all_read_ = true;               // otherwise what seems to be missing may stand in the unread part
};

}  // namespace

LoadResult load(const std::string& path, const Overrides& overrides, Files* files, Config* draft) {
  const FilesScope scope(files);
  return Loader(path).run(overrides, draft);
}

void tidy(Diagnostics& diagnostics, const Config& config) {
  config.secrets.hide(diagnostics);
  std::unordered_map<std::string_view, size_t> numbers;
  for (const std::string& file : config.files) numbers.emplace(file, numbers.size());
  // What has no file comes last.
  const auto key = [&](const Diagnostic& each) {
    const auto file = each.place.file ? numbers.find(*each.place.file) : numbers.end();
    return std::tuple(file == numbers.end() ? numbers.size() : file->second, each.place.line,
                      each.place.column);
  };
  std::ranges::stable_sort(diagnostics, {}, key);
  // What is missing may stand in what could not be read.
  const auto may_be_there = [](const Diagnostic& each) {
    return each.code == kUnknownPlugin || each.code == pipeline::kUnknownMiddleware ||
           each.code == plugin::kNoService;
  };
  if (config.incomplete) std::erase_if(diagnostics, may_be_there);
  // Where a value could not be had, nothing else is said of it.
  const auto follows = [&](const Diagnostic& first, const Diagnostic& second) {
    constexpr int kNoValue[] = {kVariable, kSecret,       kDate,          kSyntax,
                                kTooDeep,  kDefinedTwice, kUnknownPlugin, kBadHandler};
    return std::ranges::contains(kNoValue, first.code) && second.code != first.code &&
           key(first) == key(second);
  };
  const auto [end, last] = std::ranges::unique(diagnostics, follows);
  diagnostics.erase(end, last);
}

}  // namespace leat::config
