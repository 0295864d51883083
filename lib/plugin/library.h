// Plugins' objects: found, checked and loaded before anything of them runs unasked.
//
// Thread: whichever loads the configuration.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "base/value.h"
#include "plugin/elf_note.h"
#include "plugin/host_table.h"
#include "plugin/patterns.h"
#include "plugin/sdk/plugin.h"

namespace leat::plugin {

// A kind of middleware that a plugin's load() has declared.
struct DeclaredKind {
  leat_middleware table{};  // as this daemon knows it; what an older plugin lacks is zero
  std::string name, sentence;
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
  [[nodiscard]] std::span<const DeclaredKind> middleware() const { return middleware_; }
  // While its load() runs.
  void add_middleware(DeclaredKind kind) { middleware_.push_back(std::move(kind)); }
  [[nodiscard]] const LibraryOptions& options() const { return options_; }
  // Nothing of it may be looked at once its last instance has gone.
  [[nodiscard]] bool unloads() const { return (entry_.flags & LEAT_PLUGIN_UNLOADS) != 0; }
  // A title: a copy in the SharedResources, and with them longer than the library; the same one for the same
  // text. One thread at a time.
  const std::string& keep(std::string text);
  // Where those that load() asks for are kept: likewise.
  Patterns& patterns();

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
  std::vector<DeclaredKind> middleware_;
  std::set<std::string> kept_;
  Patterns patterns_;
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
  // `options.shared` is the libraries' own, whatever it was.
  std::expected<std::shared_ptr<PluginLibrary>, LoadError> load(std::string_view file,
                                                                const LibraryOptions& options);
  // Gives away the libraries that no instance has, if they say that they can be unmapped, to be let go of.
  // How many others there are is SharedResources::idle_objects. One thread at a time, as load().
  std::vector<std::shared_ptr<PluginLibrary>> take_unused();
  // Makes a built-in plugin known. False: another one has its name.
  [[nodiscard]] bool add(const leat_plugin_entry& entry);
  [[nodiscard]] SharedResources& shared() { return *shared_; }

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
  std::unique_ptr<SharedResources> shared_;
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

}  // namespace leat::plugin
