// The plugin host: shared objects as handlers of the pipeline.
//
//   PluginLibrary   one loaded object; found, checked and loaded before anything of it runs unasked
//   PluginInstance  one configured instance of it, with its state on each worker
//   make_handler    one of its handlers, bound to one route
//
// Whoever loads the configuration owns all three and lets go of them in the opposite order, when no request
// is left. Only the objects of plugins that say that they are fit for it are closed (LEAT_PLUGIN_UNLOADS):
// code that others left behind (a thread, an atexit function) would then run into unmapped memory, and what
// is gained is a few hundred kilobytes.
//
// Thread: load, create and make_handler while the configuration is loaded; worker_init and worker_fini on the
// worker's; handlers on any worker.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/metrics.h"
#include "base/value.h"
#include "client/upstream.h"
#include "pipeline/handler.h"
#include "plugin/elf_note.h"
#include "plugin/sdk/plugin.h"
#include "plugin/suspension.h"

// What a plugin holds of an upstream.
struct leat_upstream {
  std::shared_ptr<leat::client::Upstream> upstream;
};

namespace leat::plugin {
class PluginInstance;
}

// What a plugin holds of a service: which it is, and whose. The provider outlives it.
struct leat_service_use {
  const leat_service* service;  // the host's copy
  leat::plugin::PluginInstance* provider;
};

namespace leat::plugin {

class WorkDesk;
struct Commons;

struct LibraryOptions {
  std::vector<std::string> directories;  // searched in order for a file named without a '/'
  std::string daemon_version;
  uint32_t worker_count = 1;
  Commons* commons = nullptr;  // of all plugins; without it their extensions refuse
};

// The host table that a plugin sees, and what the host knows behind it.
struct Host : leat_host {
  Host(std::string_view plugin, const LibraryOptions& options, PluginInstance* owner);
  std::string blame;         // "plugin demo"
  PluginInstance* instance;  // null while the object itself is loaded
  const Commons* commons;
};

class PluginLibrary {
 public:
  // `file` is a path, or, without a '/', a name to be searched for, with or without ".so". The file is read
  // once and loaded from a private copy, so that it may be overwritten while it is in use.
  static std::expected<std::unique_ptr<PluginLibrary>, LoadError> load(std::string_view file,
                                                                       const LibraryOptions& options);
  // The same of an entry that is part of this program, and stays as it is.
  static std::expected<std::unique_ptr<PluginLibrary>, LoadError> from_entry(const leat_plugin_entry& entry,
                                                                             const LibraryOptions& options);
  ~PluginLibrary();  // unload(); every instance must be gone
  PluginLibrary(const PluginLibrary&) = delete;
  PluginLibrary& operator=(const PluginLibrary&) = delete;

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const std::string& version() const { return version_; }
  [[nodiscard]] const std::string& path() const { return path_; }
  // A name for the bytes of its file: 16 hexadecimal digits.
  [[nodiscard]] const std::string& content() const { return content_; }
  // The linker's (--build-id), in hexadecimal; empty for none.
  [[nodiscard]] const std::string& build_id() const { return build_id_; }
  [[nodiscard]] const leat_plugin_entry& entry() const { return entry_; }
  [[nodiscard]] std::span<const leat_handler> handlers() const { return handlers_; }
  [[nodiscard]] std::span<const leat_service> services() const { return services_; }
  [[nodiscard]] std::span<const leat_need> needs() const { return needs_; }
  [[nodiscard]] const LibraryOptions& options() const { return options_; }
  // Nothing of it may be looked at once its last instance has gone.
  [[nodiscard]] bool unloads() const { return (entry_.flags & LEAT_PLUGIN_UNLOADS) != 0; }
  // A title: a copy in the Commons, and with them longer than the library; the same one for the same text. One
  // thread at a time.
  const std::string& keep(std::string text);

 private:
  PluginLibrary(std::string path, const LibraryOptions& options)
      : path_(std::move(path)), options_(options) {}
  static std::expected<std::unique_ptr<PluginLibrary>, LoadError> load_bytes(std::string path,
                                                                             std::string_view bytes,
                                                                             const LibraryOptions& options);
  std::expected<void, LoadError> open(std::string_view bytes, const ElfNote& note);
  std::expected<void, LoadError> adopt_entry(const leat_plugin_entry* theirs);
  std::expected<void, LoadError> read_entry(const leat_plugin_entry* theirs);
  std::expected<void, LoadError> read_handlers();
  std::expected<void, LoadError> read_services();
  std::expected<void, LoadError> read_needs();
  std::expected<void, LoadError> run_load();
  void unload();
  void close_object();

  friend class PluginLibraries;

  std::string path_;
  std::string content_;
  std::string build_id_;
  LibraryOptions options_;
  std::string name_, version_;
  leat_plugin_entry entry_{};           // as this daemon knows it; what an older plugin lacks is zero
  std::vector<leat_handler> handlers_;  // likewise
  std::vector<leat_service> services_;
  std::vector<leat_need> needs_;
  std::set<std::string> kept_;
  std::unique_ptr<Host> host_;
  bool loaded_ = false;
  void* object_ = nullptr;  // the dynamic linker's
  Fd file_;                 // what it was loaded from
};

// The libraries of a daemon that loads its configuration more than once. A file with the same bytes, under
// whichever name, is the same library; what has been loaded stays, but for what take_unused() gives away.
class PluginLibraries {
 public:
  // `built_in` are entries of plugins that are a part of this program; they and the list stay.
  explicit PluginLibraries(std::span<const leat_plugin_entry* const> built_in = {});
  ~PluginLibraries();  // every instance must be gone
  PluginLibraries(const PluginLibraries&) = delete;
  PluginLibraries& operator=(const PluginLibraries&) = delete;

  // A file as PluginLibrary::load has it, or "static:NAME" for the built-in plugin that calls itself so.
  // `options.commons` is the libraries' own, whatever it was.
  std::expected<std::shared_ptr<PluginLibrary>, LoadError> load(std::string_view file,
                                                                const LibraryOptions& options);
  // Gives away the libraries that no instance has, if they say that they can be unmapped, to be let go of. How
  // many others there are is Commons::idle_objects. One thread at a time, as load().
  std::vector<std::shared_ptr<PluginLibrary>> take_unused();
  // Makes a built-in plugin known. False: another one has its name.
  [[nodiscard]] bool add(const leat_plugin_entry& entry);
  [[nodiscard]] Commons& commons() { return *commons_; }

  // A file as it was loaded: what it was asked for as, where it was found, and its bytes, in a memory file
  // that stays open.
  struct Copy {
    std::string file, path;
    int fd;
  };
  // Those that load() was asked for since begin().
  [[nodiscard]] std::vector<Copy> copies() const;
  // A configuration is loaded, from files, or, where they are among `copies`, from those.
  void begin(std::vector<Copy> copies = {});
  // Whether one of these copies is not what its file holds now, which reads both.
  [[nodiscard]] bool copies_differ() const;

 private:
  std::unique_ptr<Commons> commons_;
  std::vector<std::shared_ptr<PluginLibrary>> loaded_;
  std::vector<Copy> given_;                                                  // to begin()
  std::vector<std::pair<std::string, std::weak_ptr<PluginLibrary>>> asked_;  // since then
  struct BuiltIn {
    const leat_plugin_entry* entry;
    std::shared_ptr<PluginLibrary> library;  // once it was asked for
  };
  std::expected<std::shared_ptr<PluginLibrary>, LoadError> load_once(std::string path,
                                                                     const std::string& bytes,
                                                                     const LibraryOptions& options);
  std::expected<std::shared_ptr<PluginLibrary>, LoadError> load_built_in(std::string_view name,
                                                                         const LibraryOptions& options);
  std::vector<BuiltIn> built_in_;
};

// What a handler is told of the route that it is bound to.
struct RouteInfo {
  std::string id;
  std::string pattern;
  std::vector<std::string> params;  // names, in the order of Request::params()
};

class PluginInstance {
 public:
  // `name` is the instance's in the configuration. What is wrong with `config` comes with its place; unknown
  // keys are among it. `uses` are the services for the library's needs, without those that are not met; their
  // providers must outlive the instance.
  static std::expected<std::unique_ptr<PluginInstance>, Diagnostics> create(
      PluginLibrary& library, std::string_view name, const Value& config,
      std::vector<leat_service_use> uses = {});
  ~PluginInstance();  // destroy(); every handler must be gone, every worker_fini() have run
  PluginInstance(const PluginInstance&) = delete;
  PluginInstance& operator=(const PluginInstance&) = delete;

  // What the plugin says of its own fitness, before it serves. Any worker's requests may not have begun.
  std::expected<void, LoadError> self_test();
  // Hands over what `former`, an instance of the same name that still serves, exports. Nothing is done where
  // either of them can't.
  std::expected<void, LoadError> import_from(PluginInstance& former);
  [[nodiscard]] bool can_import_from(const PluginInstance& former) const;
  // Tells it that no new request will come, and when the last of those under way will be given up, on
  // CLOCK_MONOTONIC.
  void on_drain(uint64_t deadline_ns);

  // Before the first request on worker `index` and after its last one, on its thread. fini() does nothing for
  // a worker whose init() failed.
  // fini() waits for work that is out on the pool; when_idle() is for whoever would rather come again: true
  // if none is, otherwise `then` is called once the last has come back.
  std::expected<void, LoadError> worker_init(uint32_t index);
  bool when_idle(uint32_t index, std::function<void()> then);
  void worker_fini(uint32_t index);
  // No work of that worker is out on the pool. On its thread.
  [[nodiscard]] bool idle(uint32_t index) const;

  [[nodiscard]] const std::string& blame() const { return host_.blame; }
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const Host& host() const { return host_; }
  [[nodiscard]] PluginLibrary& library() const { return library_; }
  [[nodiscard]] void* state() const { return state_; }
  // Null for a thread of the pool, whose numbers come after those of the workers.
  [[nodiscard]] void* worker_state(uint32_t index) const {
    return index < workers_.size() ? workers_[index]->state : nullptr;
  }
  // While its create() runs: a server that its requests may ask. The object stays as long as the instance.
  leat_upstream* add_upstream(std::shared_ptr<client::Upstream> upstream);
  // While its create() runs: holds `metric` until it goes; or returns the one that it contradicts.
  const metrics::Metric* add_metric(const std::shared_ptr<metrics::Metric>& metric);
  // May hold one more than once.
  [[nodiscard]] std::span<const std::shared_ptr<metrics::Metric>> metrics() const { return metrics_; }
  [[nodiscard]] bool creating() const { return !created_; }
  // True for one of those, and for one of an instance whose services it uses.
  [[nodiscard]] bool owns(const leat_upstream* upstream) const;
  // The service of that name that it uses, or nullptr.
  [[nodiscard]] const leat_service_use* find_use(std::string_view service) const;
  [[nodiscard]] std::span<const leat_service_use> uses() const { return uses_; }

  // Null for a worker that there is none of.
  [[nodiscard]] SuspensionTable* suspensions(uint32_t worker) {
    return worker < workers_.size() ? &workers_[worker]->suspensions : nullptr;
  }
  [[nodiscard]] const std::shared_ptr<WorkDesk>& desk(uint32_t worker) const {
    return workers_[worker]->desk;
  }

 private:
  // Apart for each worker, so that none writes to a line that another one reads.
  struct alignas(64) Worker {
    explicit Worker(uint64_t first_generation);
    void* state = nullptr;
    bool ready = false;
    SuspensionTable suspensions;
    const std::shared_ptr<WorkDesk> desk;
  };

  PluginInstance(PluginLibrary& library, std::string_view name);

  PluginLibrary& library_;
  std::string name_;
  Host host_;
  const std::string& worker_init_title_;
  const std::string& worker_fini_title_;
  void* state_ = nullptr;
  bool created_ = false;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::unique_ptr<leat_upstream>> upstreams_;
  std::vector<std::shared_ptr<metrics::Metric>> metrics_;
  metrics::Names metric_names_;
  std::vector<leat_service_use> uses_;
};

// Where handle() runs.
enum class Executor : uint8_t {
  Worker,  // on the request's worker: it must not block
  Pool     // on a thread of the process's pool (pooled_handler.h)
};

// The handler of that name for one route. `instance` must outlive it.
std::expected<std::unique_ptr<pipeline::Handler>, LoadError> make_handler(
    PluginInstance& instance, std::string_view name, const RouteInfo& route,
    Executor executor = Executor::Worker);

}  // namespace leat::plugin
