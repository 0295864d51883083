// Files into a Config: reads the main file, what it includes and conf.d, puts settings where they belong, and
// has declarations read. Goes on after every mistake, so that all are reported at once.
#include <fmt/core.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <tuple>

#include "base/suggest.h"
#include "config/codes.h"
#include "config/config.h"
#include "config/declarations.h"
#include "config/diagnostics.h"
#include "config/file.h"
#include "config/in_force.h"
#include "config/settings.h"
#include "config/toml.h"
#include "middleware/kinds.h"

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

  LoadResult run(const Overrides& overrides) {
    read(path_, {.file = std::make_shared<const std::string>(path_)});
    read_conf_d();
    override_settings(overrides);
    // The default is for who says nothing at all.
    if (listen_.empty()) config_.settings.listen.clear();
    if (listen_.empty() && declared_.empty()) config_.settings.listen = Settings().listen;
    for (const Written& each : listen_) config_.settings.listen_places.push_back(each.place);
    check_addresses();
    check_limits();
    check_backend();
    check_trust();
    if (all_read_) check_plugin_names();
    LoadResult result;
    if (!any_error(diagnostics_)) {
      result.config = std::move(config_);
    } else if (all_read_ && middleware_good_) {
      check_pipeline();
    }
    tidy();
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
    open_.push_back(real);
    if (const auto top = read_toml(path, from, diagnostics_)) {
      for (const auto& [key, value] : *top->table()) read_top(key, value, path);
    } else {
      all_read_ = false;
    }
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
    if (found) {
      for (const std::string& each : *found) read(each, place);
      return;
    }
    all_read_ = false;
    fail(kUnreadable, "cannot look for `" + pattern + "`: a folder cannot be read", place);
  }

  void read_top(const std::string& key, const Value& value, const std::string& path) {
    if (key == "include") return read_includes(value, path);
    if (key == "listener") return read_listeners(value);
    if (key == "plugin") return read_tables(value, key, read_plugin);
    if (key == "middleware") {
      const size_t before = diagnostics_.size();
      read_tables(value, key, read_middleware);
      middleware_good_ = middleware_good_ && diagnostics_.size() == before;
      return;
    }
    if (key == "route") return read_tables(value, key, read_route);
    if (!std::ranges::contains(setting_groups(), key, &SettingGroup::name)) return unknown("", key, value);
    if (value.table() == nullptr) {
      wrong_type(value, key, "a table, written as [" + key + "]");
      return;
    }
    for (const auto& [name, entry] : *value.table()) read_setting(key, name, entry);
  }

  void read_listeners(const Value& value) {
    read_tables(value, "listener", read_listener);
    if (value.array() == nullptr) return;
    for (const Value& table : *value.array())
      if (const Value* address = table.table() != nullptr ? table.find("address") : nullptr;
          address != nullptr && address->string() != nullptr)
        declared_.push_back({*address->string(), address->place});
    for (const Value& table : *value.array()) {
      const Value* const protocol = table.table() != nullptr ? table.find("proxy_protocol") : nullptr;
      if (protocol != nullptr && protocol->boolean() != nullptr && *protocol->boolean() &&
          table.find("trusted_proxies") == nullptr)
        need_trust_.push_back(protocol->place);
    }
  }

  void read_tables(const Value& value, const std::string& key,
                   bool (*read_one)(const Value&, Config&, Diagnostics&)) {
    const std::string wanted = "a list of tables, each written as [[" + key + "]]";
    if (value.array() == nullptr) {
      wrong_type(value, key, wanted);
      return;
    }
    for (const Value& item : *value.array()) {
      if (item.table() != nullptr) {
        read_one(item, config_, diagnostics_);
      } else {
        wrong_type(item, key, wanted);
      }
    }
  }

  void read_setting(const std::string& group, const std::string& name, const Value& value) {
    const std::string path = group + "." + name;
    const schema::Row* setting = find_setting(path);
    if (setting == nullptr) return unknown(group, name, value);
    const auto [first, fresh] = seen_.try_emplace(path, value.key_place);
    if (!fresh)
      return fail(kDefinedTwice, "`" + path + "` is defined twice", value.key_place,
                  fmt::format("the other is at {}:{}", *first->second.file, first->second.line));
    set(*setting, value);
  }

  // A key that `group` (empty: the top of a file) does not have. It may be misspelt, or belong elsewhere.
  void unknown(const std::string& group, const std::string& name, const Value& value) {
    std::vector<std::string_view> known;
    if (group.empty()) known = {"include", "listener", "plugin", "middleware", "route"};
    std::string elsewhere;
    for (const schema::Row& each : settings()) {
      const std::string_view owner = each.name.substr(0, each.name.find('.'));
      const std::string_view leaf = each.name.substr(owner.size() + 1);
      if (group.empty() || owner == group) known.push_back(group.empty() ? owner : leaf);
      if (leaf == name) elsewhere = fmt::format("`{}` belongs under [{}]", name, owner);
    }
    fail(kUnknownKey, "unknown key `" + name + "`", value.key_place,
         elsewhere.empty() ? did_you_mean(name, known) : elsewhere);
  }

  void override_settings(const Overrides& overrides) {
    const Place nowhere{.file = std::make_shared<const std::string>("the command line")};
    if (!overrides.listen.empty()) {
      Value::Array list;
      for (const std::string& address : overrides.listen) list.emplace_back(address, nowhere);
      declared_.clear();
      need_trust_.clear();
      config_.settings.listeners.clear();
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

  // An address twice; but port 0 is another port each time.
  void check_addresses() {
    std::vector<net::Address> known;
    const auto check = [&](const Written& each) {
      const auto address = net::Address::parse(each.text);
      if (!address || (address->kind != net::Address::Kind::Unix && address->port == 0)) return;
      if (std::ranges::contains(known, *address))
        fail(kDefinedTwice, "`" + address->text() + "` is listened on already", each.place);
      known.push_back(*address);
    };
    for (const Written& each : listen_) check(each);
    for (const Written& each : declared_) check(each);
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
      if (!std::ranges::contains(plugins, route.plugin))
        fail(kUnknownPlugin, "no [[plugin]] is named `" + route.plugin + "`", route.handler_place,
             did_you_mean(route.plugin, plugins));
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

  // A configuration that is wrong already gets no further, and plugins are not loaded for it; but what is
  // wrong with paths, methods and middleware can be told without them, together with the rest.
  void check_pipeline() {
    std::set<std::string> names;  // of plugins' kinds, of which no more is known
    std::vector<pipeline::MiddlewareKind> kinds(middleware::kinds().begin(), middleware::kinds().end());
    const auto know = [&](const pipeline::MiddlewareSpec& spec) {
      if (spec.kind.contains(':') &&
          !std::ranges::contains(kinds, spec.kind, &pipeline::MiddlewareKind::name))
        kinds.push_back(
            {.name = *names.insert(spec.kind).first,
             .phase = pipeline::Phase::Transform,
             .sentence = {},
             .options = {},
             .create = [](const pipeline::BuildContext&) -> std::unique_ptr<pipeline::Middleware> {
               return nullptr;
             }});
    };
    for (const pipeline::MiddlewareSpec& spec : config_.middleware) know(spec);
    for (const RouteDecl& route : config_.routes)
      for (const pipeline::MiddlewareSpec& spec : route.spec.middleware) know(spec);
    pipeline::SiteBuilder builder(kinds);
    for (pipeline::MiddlewareSpec& spec : config_.middleware) builder.add_middleware(std::move(spec));
    for (RouteDecl& route : config_.routes) builder.add_route(std::move(route.spec));
    builder.build(diagnostics_);
  }

  // In the order in which files were read, and of lines within each; what has no file comes last. Where a
  // value could not be had, nothing else is said of it.
  void tidy() {
    const auto key = [&](const Diagnostic& each) {
      const auto file = std::ranges::find_if(
          files_, [&](const File& read) { return each.place.file && read.path == *each.place.file; });
      return std::tuple(file - files_.begin(), each.place.line, each.place.column);
    };
    std::ranges::stable_sort(diagnostics_, {}, key);
    const auto follows = [&](const Diagnostic& first, const Diagnostic& second) {
      const bool no_value = first.code == kVariable || first.code == kSecret || first.code == kDate;
      return no_value && second.code != first.code && key(first) == key(second);
    };
    const auto [end, last] = std::ranges::unique(diagnostics_, follows);
    diagnostics_.erase(end, last);
  }

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
  bool middleware_good_ = true;
};

}  // namespace

LoadResult load(const std::string& path, const Overrides& overrides, Files* files) {
  const FilesScope scope(files);
  return Loader(path).run(overrides);
}

}  // namespace leat::config
