#include "server/commands/command_line.h"

#include <CLI/CLI.hpp>
#include <filesystem>
#include <map>
#include <ranges>

#include "config/codes.h"
#include "config/settings.h"
#include "leat_version.h"
#include "server/process/exit_code.h"

namespace leat::server {

namespace {

// What options are read into that are no members of Command, and outlives the parsing.
struct ToldWords {
  std::vector<std::string> asked;  // of explain
  std::string plugin_run_file, schema_file, target, folder, tag;
  bool all = false, hard = false, test = false, version = false;
  // By option: what it takes where the parser does not know (but the setting's row, or the table of errors).
  std::map<std::string, std::vector<std::string>, std::less<>> choices;
};

// The words between the braces of a type such as TEXT:{c,c++}: CLI11 tells of the choices nowhere else.
std::vector<std::string> choices_in(std::string_view type) {
  std::vector<std::string> choices;
  const size_t begin = type.find('{');
  const size_t end = type.rfind('}');
  if (begin == std::string_view::npos || end == std::string_view::npos || end < begin) return choices;
  for (const auto word : type.substr(begin + 1, end - begin - 1) | std::views::split(','))
    choices.emplace_back(std::string_view(word));
  return choices;
}

CommandOption describe_option(const CLI::Option& option, const ToldWords& words) {
  CommandOption told;
  told.positional = option.get_positional();
  if (told.positional) {
    told.names = {option.get_name()};
  } else {
    for (const std::string& name : option.get_snames()) told.names.push_back("-" + name);
    for (const std::string& name : option.get_lnames()) told.names.push_back("--" + name);
  }
  told.sentence = option.get_description();
  told.needed = option.get_required();
  if (option.get_type_size() == 0 || option.get_expected_max() == 0) return told;
  const std::string type = option.get_type_name();
  const auto known = words.choices.find(option.get_name());
  told.choices = known != words.choices.end() ? known->second : choices_in(type);
  told.value = type.starts_with("TEXT") ? "WORD" : type.substr(0, type.find(':'));
  told.fallback = option.get_default_str();
  return told;
}

// `app` as plain data. Options that help does not show are not told of.
CommandTree describe(const CLI::App& app, const ToldWords& words) {
  CommandTree tree{.name = app.get_name(), .sentence = app.get_description()};
  const auto add = [&](const CLI::App& of) {
    for (const CLI::Option* option : of.get_options())
      // A group of options has the help of its own that is the command's as well.
      if (!option->get_group().empty() && (&of == &app || option != of.get_help_ptr()))
        tree.options.push_back(describe_option(*option, words));
  };
  add(app);
  for (const CLI::App* below : app.get_subcommands({})) {
    if (below->get_name().empty())
      add(*below);  // a group of options
    else
      tree.commands.push_back(describe(*below, words));
  }
  return tree;
}

void add_plugin_new(CLI::App& plugin, Command& command) {
  CLI::App* make =
      plugin.add_subcommand("new", "Make a folder with a small plugin that builds and is tested");
  make->callback([&command] { command.kind = Command::Kind::PluginNew; });
  NewPlugin& wanted = command.new_plugin;
  make->add_option("name", wanted.name, "Letters, digits, - and _")->type_name("NAME")->required();
  make->add_option("--lang", wanted.language, "What it is written in")
      ->check(CLI::IsMember({"c", "c++", "rust", "zig"}))
      ->capture_default_str();
  make->add_flag("--middleware", wanted.middleware,
                 "With middleware, for the routes of any plugin, in place of a handler");
  make->add_option("--dir", wanted.folder, "The folder to make, instead of NAME")->type_name("DIR");
}

void add_key(CLI::App& app, Command& command) {
  CLI::App* key = app.add_subcommand("key", "Make lines for the file of an api_key");
  key->require_subcommand(1);
  const auto add = [&](const char* name, const char* sentence, Command::Kind kind) {
    CLI::App* sub = key->add_subcommand(name, sentence);
    sub->callback([&command, kind] { command.kind = kind; });
    sub->add_option("name", command.key_name, "Whose key it is")->type_name("NAME")->required();
  };
  add("new", "Make a key: its line to stdout, the key itself to stderr", Command::Kind::KeyNew);
  add("hash", "Make the line of a key that there is, the first line of stdin", Command::Kind::KeyHash);
}

void add_tls(CLI::App& app, Command& command) {
  CLI::App* tls =
      app.add_subcommand("tls", "Show certificates with their names and times, and what is spoken with them");
  tls->callback([&command, tls] {
    command.kind = tls->get_subcommands().empty() ? Command::Kind::ShowTls : Command::Kind::TlsInit;
  });
  tls->require_subcommand(0, 1);
  tls->add_option("-c,--config", command.file, "The configuration file")
      ->type_name("FILE")
      ->capture_default_str();
  tls->add_flag("--json", command.json, "As JSON");
  CLI::App* init = tls->add_subcommand(
      "init",
      "Make an authority of your own and a certificate that it vouches for, for a developer's machine");
  init->add_option("names", command.new_certificates.names, "Names and addresses that it is for")
      ->type_name("NAME")
      ->capture_default_str();
  init->add_option("--dir", command.new_certificates.folder,
                   "The folder for both; an authority that is there is used")
      ->type_name("DIR")
      ->capture_default_str();
}

// What stands in place of a setting is judged as that setting, and here: a bad one is a mistake in the usage,
// not in the file.
void takes_overrides(CLI::App& run, Command& command, ToldWords& words) {
  const auto instead = [&](const char* option, const char* type, auto& into, const char* path,
                           const char* sentence) {
    const auto complain = [setting = config::find_setting(path)](const std::string& text) {
      return config::complaint(*setting, text);
    };
    run.add_option(option, into, sentence)->check(complain)->type_name(type)->allow_extra_args(false);
    const auto known = schema::words(config::find_setting(path)->choices);
    if (!known.empty()) words.choices[option] = {known.begin(), known.end()};
  };
  config::Overrides& own = command.overrides;
  instead("--listen", "ADDRESS", own.listen, "server.listen", "Listen here instead; may be repeated");
  instead("--workers", "N", own.workers, "server.workers", "Number of workers instead, or auto");
  instead("--engine", "NAME", own.engine, "server.engine", "I/O engine instead: auto, io_uring or epoll");
  instead("--log-level", "LEVEL", own.log_level, "log.level",
          "Log level instead: debug, info, warn, error or off");
}

void add_plugin_run(CLI::App& plugin, Command& command, ToldWords& words) {
  std::string& file = words.plugin_run_file;
  CLI::App* run = plugin.add_subcommand("run", "Serve a plugin at once, and again whenever its file changes");
  run->callback([&command, &file] {
    command.kind = Command::Kind::PluginRun;
    command.file = file;
  });
  run->add_option("plugin", command.plugin_file, "The shared object")->type_name("FILE.so")->required();
  run->add_option(
         "-c,--config", file,
         "The configuration file, if not FILE.toml in this folder, beside the plugin or one above it")
      ->type_name("FILE");
  takes_overrides(*run, command, words);
}

// Everything that can be written. `command` and `words` outlive the parsing.
void declare(CLI::App& app, Command& command, ToldWords& words) {
  std::string &target = words.target, &folder = words.folder, &tag = words.tag;
  bool &all = words.all, &hard = words.hard, &test = words.test, &version = words.version;
  app.require_subcommand(0, 1);
  app.footer("Exit codes: 0 fine, 1 failure, 2 usage, 4 something left to do, 78 bad configuration.");
  const auto add = [&](const char* name, const char* sentence, Command::Kind kind) {
    CLI::App* sub = app.add_subcommand(name, sentence);
    sub->callback([&command, kind] { command.kind = kind; });
    return sub;
  };
  const auto takes_plugin_path = [&](CLI::App* sub) {
    sub->add_option("--plugin-path", command.plugin_path,
                    "A folder to look for plugins in first; may be repeated")
        ->type_name("DIR")
        ->allow_extra_args(false);
  };
  const auto takes_file = [&](CLI::App* sub) {
    sub->add_option("-c,--config", command.file, "The configuration file")
        ->type_name("FILE")
        ->capture_default_str();
    takes_plugin_path(sub);
  };
  CLI::App* run = add("run", "Serve", Command::Kind::Run);
  takes_file(run);
  takes_overrides(*run, command, words);
  run->add_flag("!--no-supervise", command.supervise,
                "In one process, which is not restarted when it crashes");
  takes_file(add("check", "Check a configuration and its plugins; writes nothing", Command::Kind::Check));
  CLI::App* routes =
      add("routes", "Show the routes and what each request passes through", Command::Kind::Routes);
  takes_file(routes);
  routes->add_flag("--json", command.json, "As JSON");
  CLI::App* openapi =
      add("openapi", "Print the description of the API that is configured, OpenAPI 3.1 as JSON",
          Command::Kind::OpenApi);
  takes_file(openapi);
  openapi
      ->add_option(
          "--host", command.host,
          "What is served under this name; by default what is outside of every [[host]], or the first")
      ->type_name("NAME");
  const auto takes_socket = [&](CLI::App* sub) {
    sub->add_option("-c,--config", command.file, "The configuration file that names the daemon's socket")
        ->type_name("FILE")
        ->capture_default_str();
    sub->add_option("--socket", command.socket, "The daemon's admin socket itself")->type_name("PATH");
  };
  CLI::App* explain =
      add("explain",
          "Say what would become of a request: its host and route, what it passes, and what came close",
          Command::Kind::Explain);
  explain->add_option("request", words.asked, "The method, if it is not GET, and the URL or the path")
      ->type_name("[METHOD] URL")
      ->expected(1, 2)
      ->required();
  explain->add_option("-H,--header", command.question.fields, "A header field; may be repeated")
      ->type_name("NAME:VALUE")
      ->allow_extra_args(false);
  explain->add_option("--from", command.question.from, "The client's address")
      ->type_name("ADDRESS")
      ->capture_default_str();
  explain
      ->add_option("--by", command.question.listener, "The address by which it comes; by default the first")
      ->type_name("ADDRESS");
  explain->add_flag("--running", command.running, "Ask the daemon that runs, and not the file");
  explain->add_flag("--json", command.question.json, "As JSON");
  takes_file(explain);
  explain->callback([&command, &words] {
    command.kind = Command::Kind::Explain;
    if (words.asked.size() == 2) command.question.method = words.asked.front();
    command.question.url = words.asked.back();
  });
  explain->add_option("--socket", command.socket, "The daemon's admin socket itself")->type_name("PATH");
  takes_socket(add("reload",
                   "Make the daemon read its configuration and plugins again; status 1 if it cannot",
                   Command::Kind::Reload));
  takes_socket(
      add("upgrade",
          "Have a new process, of what is installed by now, take over from the daemon without losing a "
          "request; status 1 if it cannot, and the daemon goes on",
          Command::Kind::Upgrade));
  CLI::App* metrics =
      add("metrics", "Show the metrics of the daemon and its plugins, in the text format of Prometheus",
          Command::Kind::Metrics);
  takes_socket(metrics);
  metrics->add_flag("--markdown", command.markdown, "Without a daemon: the page that says what there is");
  const auto shows = [&](const char* name, const char* sentence, Command::Kind kind) {
    CLI::App* sub = add(name, sentence, kind);
    takes_socket(sub);
    sub->add_flag("--json", command.json, "As JSON");
    return sub;
  };
  shows("status", "Show how the daemon is: since when, what listens, its plugins, how the last reload went",
        Command::Kind::Status);
  shows("top", "Show what goes on now, once a second: rates, latency, the slowest routes", Command::Kind::Top)
      ->add_flag("--once", command.once, "Once, and end");
  shows("config", "Show what is in force: all settings and what is declared, without secrets",
        Command::Kind::ShowConfig);
  CLI::App* cache = app.add_subcommand("cache", "Look at the cache");
  cache->require_subcommand(1);
  takes_socket(cache);
  CLI::App* stats = cache->add_subcommand(
      "stats", "Show what is stored, and how the requests of each route with a cache were answered");
  stats->fallthrough();  // options of `cache` may stand behind it
  stats->callback([&command] { command.kind = Command::Kind::CacheStatistics; });
  stats->add_flag("--json", command.json, "As JSON");
  CLI::App* purge = app.add_subcommand("purge", "Make stored responses stale, so that they are made again");
  takes_socket(purge);
  CLI::Option_group* what = purge->add_option_group("what", "One of");
  what->add_option("target", target, "A path, with whatever query, or a path and its query")
      ->type_name("/PATH");
  what->add_option("--folder", folder, "A path and all below it")->type_name("/PATH");
  what->add_option("--tag", tag, "What plugins or Cache-Tag gave this tag")->type_name("TAG");
  what->add_flag("--all", all, "All of them");
  what->require_option(1);
  purge->add_flag("--hard", hard, "Do not send them even while they are being made again");
  purge->callback([&] {
    command.kind = Command::Kind::Purge;
    command.purge = std::string(hard ? "hard" : "soft") + (all               ? " all"
                                                           : !tag.empty()    ? " tag " + tag
                                                           : !folder.empty() ? " folder " + folder
                                                                             : " target " + target);
  });
  CLI::App* plugin = app.add_subcommand("plugin", "Work with plugins");
  plugin->require_subcommand(1);
  add_plugin_new(*plugin, command);
  add_plugin_run(*plugin, command, words);
  CLI::App* examine =
      plugin->add_subcommand("check", "Say what is wrong with a plugin's file; status 1 if it is an error");
  examine->callback([&command] { command.kind = Command::Kind::PluginCheck; });
  examine->add_option("plugin", command.plugin_file, "The shared object")->type_name("FILE.so")->required();
  examine->add_flag("--json", command.json, "As JSON");
  CLI::App* list = plugin->add_subcommand("list", "Show what the daemon has loaded, and what still drains");
  list->callback([&command] { command.kind = Command::Kind::PluginList; });
  takes_socket(list);
  list->add_flag("--json", command.json, "As JSON");
  add_key(app, command);
  add_tls(app, command);
  add("version", "Show version and build", Command::Kind::Version)
      ->add_flag("--json", command.json, "As JSON");
  add("explain-error", "Say more about an error", Command::Kind::ExplainError)
      ->add_option("code", command.code, "The code, such as LT0107")
      ->required();
  for (const config::Explanation& each : config::explanations())
    words.choices["code"].push_back(config::code_text(each.code));
  CLI::App* settings = add("settings", "List all settings with their defaults", Command::Kind::Settings);
  CLI::Option* markdown = settings->add_flag("--markdown", command.markdown, "As the reference page");
  settings
      ->add_flag("--schema", command.schema,
                 "As a JSON Schema of the whole configuration, for editors and programs")
      ->excludes(markdown);
  CLI::App* schema =
      app.add_subcommand("schema", "Print a JSON Schema of the configuration, for editors and programs");
  schema->callback([&command, &words] {
    command.kind = Command::Kind::Schema;
    command.file = words.schema_file;
  });
  schema
      ->add_option("-c,--config", words.schema_file,
                   "With the options of the plugins that this configuration loads")
      ->type_name("FILE");
  takes_plugin_path(schema);
  CLI::App* format = app.add_subcommand("fmt",
                                        "Write files of a configuration in the form that all are written in; "
                                        "comments and values stay as they are");
  format->callback([&command] {
    command.kind = Command::Kind::Format;
    if (command.format.files.empty()) command.format.files = {command.file};
  });
  format
      ->add_option("file", command.format.files,
                   "The files, or - for standard input; by default the configuration")
      ->type_name("FILE");
  format->add_flag("--check", command.format.check, "Write nothing; status 1 if something would change");
  CLI::App* init =
      add("init", "Write a configuration to begin with, and ask what it is for", Command::Kind::Init);
  init->add_option("target", command.new_site.target,
                   "The file, or a folder for leat.toml; one that is there stays as it is")
      ->type_name("FILE")
      ->capture_default_str();
  init->add_option("--site", command.new_site.kind, "What it is")
      ->check(CLI::IsMember({"api", "public", "internal", "development"}));
  init->add_option("--listen", command.new_site.listen, "Where it listens")->type_name("ADDRESS");
  init->add_option("--plugin", command.new_site.plugin, "What answers: the path of a plugin, or demo")
      ->type_name("FILE.so");
  init->add_flag(
      "--https", command.new_site.https,
      "Serve https as well, on port 8443, with a certificate of an authority of your own, as `leat tls init` "
      "makes them");
  init->add_flag("--yes", command.new_site.yes, "Ask nothing");
  CLI::App* migrate =
      add("migrate", "Make a configuration of another server's; status 4 if something is left to do",
          Command::Kind::Migrate);
  migrate->add_option("from", command.migration.from, "The other server")
      ->check(CLI::IsMember({"nginx", "caddy"}))
      ->required();
  migrate
      ->add_option("file", command.migration.file, "Its configuration; files that it includes are not read")
      ->type_name("FILE")
      ->required();
  migrate
      ->add_option("-o,--output", command.migration.output, "The file to write, which must not be there yet")
      ->type_name("FILE");
  CLI::App* completion = add("completion", "Print the script by which a shell completes commands and options",
                             Command::Kind::Completion);
  completion->add_option("shell", command.shell, "The shell")
      ->check(CLI::IsMember({"bash", "zsh", "fish"}))
      ->required();
  CLI::App* manual = add("manual", "Print a page of the manual, for `man -l -`", Command::Kind::Manual);
  manual->add_option("page", command.page, "leat is about the program, leat.toml about its configuration")
      ->check(CLI::IsMember({"leat", "leat.toml"}))
      ->capture_default_str();
  app.add_flag("-t", test, "The same as check, with -c");
  app.add_flag("--version", version, "The same as version");
  app.add_option("-c,--config", command.file, "The configuration file")->type_name("FILE")->group("");
}

constexpr const char* kProgram = "Leat, a web server whose handlers are plugins";

}  // namespace

std::expected<Command, int> parse_command_line(int count, char** arguments) {
  Command command;
  ToldWords words;
  std::error_code removed;
  command.folder = std::filesystem::current_path(removed).string();
  CLI::App app(kProgram, "leat");
  declare(app, command, words);

  // CLI11 reports by exceptions; they end here.
  try {
    app.parse(count, arguments);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return std::unexpected(code == 0 ? kExitFine : kExitUsage);
  }
  if (!app.get_subcommands().empty()) return command;
  if (!words.test && !words.version) {
    std::fputs(app.help().c_str(), stderr);
    return std::unexpected(kExitUsage);
  }
  command.kind = words.test ? Command::Kind::Check : Command::Kind::Version;
  return command;
}

CommandTree command_tree() {
  Command command;
  ToldWords words;
  CLI::App app(kProgram, "leat");
  declare(app, command, words);
  return describe(app, words);
}

}  // namespace leat::server
