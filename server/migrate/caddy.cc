#include "server/migrate/caddy.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <expected>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "base/host_address.h"
#include "base/text.h"
#include "base/units.h"
#include "middleware/headers.h"
#include "net/listener.h"
#include "pipeline/condition.h"
#include "server/migrate/caddy_values.h"
#include "server/migrate/nginx_answers.h"
#include "server/migrate/nginx_values.h"
#include "server/migrate/places.h"

namespace leat::server::migrate {

namespace {

constexpr std::string_view kCaddyTls =
    "Leat speaks no TLS yet: leave it to Caddy in front, which passes requests on";
constexpr std::string_view kCaddyPassing =
    "Leat passes no requests on by itself: a plugin does, with leat.client, or Caddy stays in front";
constexpr std::string_view kCaddyFiles =
    "Leat serves no files by itself: a plugin does, or Caddy stays in front";

struct CaddyForeign {
  std::string_view name, why;
  bool answers = false;  // it is what answers the requests that come to it
};
constexpr CaddyForeign kCaddyForeign[] = {
    {"reverse_proxy", kCaddyPassing, true},
    {"php_fastcgi", kCaddyPassing, true},
    {"forward_auth", kCaddyPassing},
    {"file_server", kCaddyFiles, true},
    {"root", kCaddyFiles},
    {"try_files", kCaddyFiles},
    {"templates", kCaddyFiles},
    {"tls", kCaddyTls},
    {"import", "other files and snippets are not read: put what they say in its place"},
    {"handle_errors", "middleware `error_pages` has pages for errors, with their text"},
    {"error", "a handler answers with the status that it wants"},
    {"uri", "Leat changes no paths: a route takes the one that clients ask for"},
    {"map", "there are no variables to make"},
    {"vars", "there are no variables to make"},
    {"abort", "middleware `access` answers 403"},
};

// What says nothing that Leat would have to know.
constexpr std::string_view kCaddyOfNoUse[] = {"order",      "email",          "admin",     "debug",
                                              "auto_https", "https_port",     "http_port", "skip_log",
                                              "log_skip",   "persist_config", "acme_ca",   "local_certs"};

// Which requests something is for.
struct Matcher {
  std::vector<std::string> paths;  // as Caddy writes them; none: all
  std::vector<std::string> methods;
  bool others = false;  // it has conditions that are none of these
};

struct CaddyLevel {
  const CaddyLevel* outside = nullptr;
  std::vector<Instance> instances;  // besides those outside
  std::optional<std::string> body;
  Matcher matcher;
  bool answered = false;  // by what has no matcher of its own
  Keys answers;           // what does; none: nobody yet
};

class CaddyCarrier {
 public:
  explicit CaddyCarrier(Target& target) : target_(target) {}

  void run(const std::vector<Directive>& directives) {
    for (const Directive& each : directives) {
      if (each.name().empty())
        carry_options(each);
      else if (each.name().starts_with('('))
        target_.leave_all(each, "snippets are not carried over: put what they say where they are imported");
      else
        carry_site(each);
    }
  }

 private:
  // --- Of the server

  void carry_options(const Directive& options) {
    for (const Directive& each : options.block) {
      if (std::ranges::contains(kCaddyOfNoUse, each.name())) continue;
      if (each.name() == "servers")
        carry_servers(each);
      else if (each.name() == "grace_period")
        carry_time(each, each.word(0), "server", "drain_timeout");
      else if (each.name() == "log")
        carry_own_log(each);
      else
        target_.leave(each, "there is nothing like it in Leat");
    }
  }
  void carry_servers(const Directive& servers) {
    for (const Directive& each : servers.block) {
      if (each.name() == "trusted_proxies") {
        carry_trusted(each);
      } else if (each.name() == "timeouts") {
        for (const Directive& timeout : each.block) carry_timeout(timeout);
      } else {
        target_.leave(each, "there is nothing like it in Leat");
      }
    }
  }
  void carry_trusted(const Directive& directive) {
    if (directive.word(0) != "static")
      return target_.leave(directive, "proxies are named by their addresses");
    for (size_t i = 1; i < directive.count(); ++i) {
      if (directive.word(i) == "private_ranges") {
        for (const char* range :
             {"192.168.0.0/16", "172.16.0.0/12", "10.0.0.0/8", "127.0.0.0/8", "fd00::/8", "::1"})
          target_.add("server", "trusted_proxies", range);
      } else if (AddressRange::parse(directive.word(i))) {
        target_.add("server", "trusted_proxies", std::string(directive.word(i)));
      } else {
        target_.leave(directive, "names of proxies are not looked up: write their addresses");
      }
    }
  }
  void carry_timeout(const Directive& directive) {
    struct Named {
      std::string_view caddy, leat;
    };
    constexpr Named kNames[] = {{"read_header", "head_timeout"},
                                {"read_body", "body_timeout"},
                                {"idle", "idle_timeout"},
                                {"write", "send_timeout"}};
    const auto* const named = std::ranges::find(kNames, directive.name(), &Named::caddy);
    if (named == std::end(kNames)) return target_.leave(directive, "there is nothing like it in Leat");
    carry_time(directive, directive.word(0), "limits", named->leat);
  }
  void carry_time(const Directive& directive, std::string_view word, std::string_view table,
                  std::string_view key) {
    const auto ms = nginx_time(word);
    constexpr uint64_t kHour = 3'600'000;
    if (!ms || *ms == 0 || *ms > kHour)
      return target_.leave(directive, fmt::format("{}.{} is 1ms to 1h", table, key));
    target_.set(table, key, text(duration_text(*ms)), directive);
  }
  void carry_own_log(const Directive& directive) {
    for (const Directive& each : directive.block) {
      const std::string level = each.name() == "level" ? lower(each.word(0)) : "";
      if (std::ranges::contains(std::array<std::string_view, 4>{"debug", "info", "warn", "error"}, level))
        target_.set("log", "level", text(level), each);
      else if (each.name() == "format" && (each.word(0) == "json" || each.word(0) == "console"))
        target_.set("log", "format", text(each.word(0) == "json" ? "json" : "text"), each);
      else if (each.name() == "output" && each.word(0) == "file" && each.word(1).starts_with('/'))
        target_.set("log", "file", text(each.word(1)), each);
      else if (each.name() != "output" || each.word(0) != "stderr")
        target_.leave(each, "the log goes to stderr or into a file with an absolute path, as text or JSON");
    }
  }
  static std::string lower(std::string_view word) {
    std::string text(word);
    std::ranges::transform(text, text.begin(), ascii_lower);
    return text;
  }

  // --- Sites

  void carry_site(const Directive& site) {
    std::vector<std::string_view> whys;
    names_.clear();
    for (const std::string& word : site.words) carry_address(word, names_, whys);
    target_.begin_host(names_);
    target_.remark(fmt::format("--- {}", site.written));
    for (const std::string_view why : whys) target_.leave(site, why);
    CaddyLevel level;
    matchers_.clear();
    carry_block(site.block, level);
    // What has no matcher answers all that nothing else does.
    if (level.answered || site.block.empty()) add_route(level, {}, level.answers);
  }
  // `whys`: what is to be said of it, once.
  void carry_address(std::string_view address, std::vector<std::string>& names,
                     std::vector<std::string_view>& whys) {
    const auto say = [&](std::string_view why) {
      if (!std::ranges::contains(whys, why)) whys.push_back(why);
    };
    while (address.ends_with(',')) address.remove_suffix(1);
    if (address.empty()) return;
    const bool plain = address.starts_with("http://");
    if (const size_t scheme = address.find("://"); scheme != std::string_view::npos)
      address.remove_prefix(scheme + 3);
    if (const size_t path = address.find('/'); path != std::string_view::npos) {
      say("a path belongs to a route");
      address = address.substr(0, path);
    }
    const size_t colon = address.rfind(':');
    const bool has_port = colon != std::string_view::npos && !address.ends_with(']');
    const std::string name = lower(has_port ? address.substr(0, colon) : address);
    const std::string_view port = has_port ? address.substr(colon + 1) : plain ? "80" : "";
    if (!name.empty() && !plain) say(kCaddyTls);
    if (!name.empty() && name != "localhost") {
      if (!pipeline::HostPattern::parse(name))
        say("a host has whole names, or all below one: *.example.org");
      else if (!std::ranges::contains(names, name) && host_names_.insert(name).second)
        names.push_back(name);
    }
    if (port.empty()) return;
    const std::string own = fmt::format("*:{}", port);
    if (!net::Address::parse(own)) return say("this is no address that Leat can listen on");
    target_.add("server", "listen", own);
  }

  void carry_block(const std::vector<Directive>& block, CaddyLevel& level) {
    // They hold for all of the block, wherever they stand.
    for (const Directive& each : block)
      if (each.name().starts_with('@'))
        matchers_.insert_or_assign(std::string(each.name()), matcher_of(each));
    for (const Directive& each : block)
      if (!makes_route(each)) carry(each, level);
    for (const Directive& each : block)
      if (makes_route(each)) carry(each, level);
  }
  static bool makes_route(const Directive& directive) {
    return directive.name() == "handle" || directive.name() == "handle_path" || directive.name() == "route" ||
           directive.name() == "metrics" || directive.name() == "respond" || directive.name() == "redir" ||
           directive.name() == "rewrite" || answers(directive);
  }
  static bool answers(const Directive& directive) {
    const auto* const found = std::ranges::find(kCaddyForeign, directive.name(), &CaddyForeign::name);
    return found != std::end(kCaddyForeign) && found->answers;
  }

  static Matcher matcher_of(const Directive& directive) {
    Matcher matcher;
    const auto take = [&](std::string_view kind, const Directive& from, size_t first) {
      if (kind != "path" && kind != "method") matcher.others = true;
      for (size_t i = first; i < from.count(); ++i)
        (kind == "method" ? matcher.methods : matcher.paths).emplace_back(from.word(i));
    };
    if (directive.count() != 0) take(directive.word(0), directive, 1);
    for (const Directive& each : directive.block) take(each.name(), each, 0);
    return matcher;
  }

  // The matcher that a directive begins with: nothing where it has none, or, which is said, one that no route is like.
  // `first`: the index of the word behind it.
  std::optional<Matcher> read_matcher(const Directive& directive, size_t& first) {
    const std::string_view word = directive.word(0);
    first = word.starts_with('@') || word.starts_with('/') || word == "*" ? 1 : 0;
    if (word.starts_with('/')) return Matcher{.paths = {std::string(word)}, .methods = {}};
    if (!word.starts_with('@')) return Matcher();
    const auto found = matchers_.find(word);
    if (found != matchers_.end() && !found->second.others) return found->second;
    target_.leave_all(directive, "routes tell requests apart by path and method alone");
    return std::nullopt;
  }

  void carry(const Directive& directive, CaddyLevel& level) {
    const std::string_view name = directive.name();
    if (name.starts_with('@') || std::ranges::contains(kCaddyOfNoUse, name)) return;
    if (name == "handle" || name == "handle_path" || name == "route") return carry_handle(directive, level);
    if (name == "header" || name == "request_header") return carry_header(directive, level);
    if (name == "log") return carry_log(directive, level);
    if (name == "encode") return carry_encode(directive, level);
    if (name == "basic_auth" || name == "basicauth") return carry_passwords(directive, level);
    if (name == "request_body") return carry_body(directive, level);
    if (name == "metrics" || name == "respond" || name == "redir" || name == "rewrite")
      return carry_answer(directive, level);
    const auto* const foreign = std::ranges::find(kCaddyForeign, name, &CaddyForeign::name);
    if (foreign == std::end(kCaddyForeign))
      return target_.leave(directive, "there is nothing like it in Leat");
    size_t first = 0;
    const auto matcher = foreign->answers ? read_matcher(directive, first) : Matcher();
    if (!matcher) return;
    target_.leave(directive, foreign->why);
    if (foreign->answers) answer(level, *matcher, {});
  }
  // Of several without a matcher the first answers.
  void answer(CaddyLevel& level, const Matcher& matcher, Keys answers) {
    if (!matcher.paths.empty() || !matcher.methods.empty())
      return add_route(level, matcher, std::move(answers));
    if (!level.answered) level.answers = std::move(answers);
    level.answered = true;
  }

  void carry_handle(const Directive& directive, CaddyLevel& outside) {
    size_t first = 0;
    const auto matcher = read_matcher(directive, first);
    if (!matcher) return;
    CaddyLevel level{.outside = &outside, .matcher = *matcher};
    if (directive.name() == "handle_path")
      target_.remark(fmt::format("{}: a handler sees the whole path.", directive.written));
    carry_block(directive.block, level);
    if (level.answered) add_route(level, *matcher, level.answers);
  }

  void carry_answer(const Directive& directive, CaddyLevel& level) {
    size_t first = 0;
    const auto matcher = read_matcher(directive, first);
    if (!matcher) return;
    if (directive.name() == "redir" && leads_to_https(directive.word(first), names_))
      return target_.leave(directive, "whoever speaks TLS in front of Leat sends clients there");
    auto answers = caddy_answer(directive, first);
    if (!answers) return target_.leave(directive, answers.error());
    answer(level, *matcher, *std::move(answers));
  }
  void add_route(const CaddyLevel& level, const Matcher& matcher, Keys answers) {
    Route route{.places = {}, .methods = matcher.methods, .answers = std::move(answers)};
    const std::vector<std::string> all = {"/*"};
    for (const std::string& each : matcher.paths.empty() ? all : matcher.paths) {
      const bool below = each.ends_with('*');
      if (const auto place =
              route_place(std::string_view(each).substr(0, each.size() - (below ? 1 : 0)), !below))
        route.places.push_back(*place);
      else
        target_.remark(fmt::format("TODO: a route's path cannot be written like {}.", printable_line(each)));
    }
    for (const CaddyLevel* at = &level; at != nullptr; at = at->outside)
      std::ranges::copy(at->instances, std::back_inserter(route.instances));
    for (const CaddyLevel* at = &level; at != nullptr; at = at->outside)
      if (at->body) {
        route.keys.emplace_back("body_limit", *at->body);
        break;
      }
    if (!route.places.empty()) target_.add_route(std::move(route));
  }

  // --- What requests and answers pass

  void carry_body(const Directive& directive, CaddyLevel& level) {
    for (const Directive& each : directive.block) {
      std::string word(each.word(0));
      const auto bytes = parse_size(word);
      if (each.name() != "max_size" || !bytes || *bytes == 0)
        target_.leave(each, "a body has a limit such as 8MiB");
      else
        level.body = text(word);
    }
  }

  void carry_encode(const Directive& directive, CaddyLevel& level) {
    std::vector<std::string> codings(directive.words.begin() + 1, directive.words.end());
    for (const Directive& each : directive.block) {
      if (each.name() == "gzip" || each.name() == "zstd" || each.name() == "br")
        codings.emplace_back(each.name());
      else
        target_.leave(each, "middleware `compress` has options of its own for it");
    }
    const auto known = [](const std::string& each) {
      return each == "gzip" || each == "zstd" || each == "br";
    };
    if (!std::ranges::all_of(codings, known))
      return target_.leave(directive, "middleware `compress` is for all answers, by zstd, br and gzip");
    level.instances.push_back({"compress", codings.empty() ? Keys() : Keys{{"codings", list(codings)}}});
  }

  void carry_passwords(const Directive& directive, CaddyLevel& level) {
    if (directive.count() != 0)
      return target_.leave(directive, "put it into a `handle` with the same matcher: there routes have it");
    std::vector<std::string> users;
    for (const Directive& each : directive.block)
      users.push_back(fmt::format("{}:{}", each.name(), each.word(0)));
    if (users.empty()) return target_.leave(directive, "it names nobody");
    level.instances.push_back({"basic_auth", {{"users", list(users)}}});
  }

  void carry_log(const Directive& directive, CaddyLevel& level) {
    Keys options = {{"format", text("json")}};
    for (const Directive& each : directive.block) {
      if (each.name() == "output" && each.word(0) == "file" && each.word(1).starts_with('/'))
        options.emplace_back("file", text(each.word(1)));
      else if (each.name() == "output" && (each.word(0) == "stderr" || each.word(0) == "stdout"))
        options.emplace_back("to", text("stderr"));
      else if (each.name() == "format" && (each.word(0) == "json" || each.word(0) == "console"))
        options.front().second = text(each.word(0) == "json" ? "json" : "text");
      else
        target_.leave(each,
                      "an access log goes to stderr or into a file with an absolute path, as text or JSON");
    }
    level.instances.push_back({"access_log", std::move(options)});
  }

  void carry_header(const Directive& directive, CaddyLevel& level) {
    size_t first = 0;
    const auto matcher = read_matcher(directive, first);
    if (!matcher) return;
    if (!matcher->paths.empty() || !matcher->methods.empty())
      return target_.leave(directive, "put it into a `handle` with the same matcher: there routes have it");
    const bool of_answers = directive.name() == "header";
    std::vector<std::string> set, add, remove;
    const auto check = [&](const std::string& field) {
      return of_answers ? middleware::check_answer_field("it", field)
                        : middleware::check_request_field("it", field);
    };
    const auto take = [&](const Directive& from, std::string_view name, std::string_view value,
                          size_t words) {
      if (name == "defer") return;
      if (words > 2) return target_.leave(from, "values are not searched and replaced");
      const char sign = name.empty() ? '\0' : name.front();
      if (sign == '>' || sign == '?') return target_.leave(from, "middleware `headers` has nothing like it");
      if (sign == '+' || sign == '-') name.remove_prefix(1);
      if (sign == '-') {
        if (name.contains('*')) return target_.leave(from, "fields are named whole");
        if (of_answers && equal_ignoring_case(name, "Server"))
          return target_.set("server", "name", text(""), from);
        if (const std::string wrong = check(fmt::format("{}: x", name)); !wrong.empty())
          return target_.leave(from, wrong);
        return remove.emplace_back(name), void();
      }
      const auto own = caddy_text(value);
      if (!own) return target_.leave(from, own.error());
      std::string field = fmt::format("{}: {}", name, *own);
      const std::string wrong = check(field);
      if (!wrong.empty()) return target_.leave(from, wrong);
      (sign == '+' ? add : set).push_back(std::move(field));
    };
    if (directive.count() > first)
      take(directive, directive.word(first), directive.word(first + 1), directive.count() - first);
    for (const Directive& each : directive.block) take(each, each.name(), each.word(0), each.words.size());
    const std::string_view begin = of_answers ? "answer" : "request";
    Keys options;
    for (const auto& [what, fields] :
         {std::pair("set", &set), std::pair("add", &add), std::pair("remove", &remove)})
      if (!fields->empty()) options.emplace_back(fmt::format("{}_{}", begin, what), list(*fields));
    if (!options.empty()) level.instances.push_back({"headers", std::move(options)});
  }

  Target& target_;
  std::vector<std::string> names_;                        // of the site
  std::map<std::string, Matcher, std::less<>> matchers_;  // of the site, by name
  std::set<std::string, std::less<>> host_names_;         // a name is the first site's that has it
};

}  // namespace

void carry_over_caddy(const std::vector<Directive>& directives, Target& target) {
  CaddyCarrier(target).run(directives);
}

}  // namespace leat::server::migrate
