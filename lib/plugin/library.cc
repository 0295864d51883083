// PluginLibrary: from a name in a configuration to a checked `leat_plugin`.
//
// The object is loaded from a sealed memory file with the bytes that were checked: replacing or overwriting
// the file on disk can neither crash the daemon nor make a later load find the old object, since the dynamic
// linker knows objects by name and inode and this one's are its own. The price: a RUNPATH of $ORIGIN does not
// lead to the plugin's folder.
#include "plugin/library.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/memory_file.h"
#include "base/text.h"
#include "plugin/load_time.h"
#include "plugin/shared_resources.h"
#include "plugin/text.h"

namespace leat::plugin {
namespace {

// A plugin is code; the largest seen in the wild are some 100 MiB with debug information.
constexpr off_t kMostFileBytes = off_t{1} << 30;
constexpr std::string_view kBuiltIn = "static:";  // before the name of one
constexpr uint32_t kMostElements = 4096;          // of any list in an entry
constexpr size_t kMostNameBytes = sizeof(leat_note{}.name) - 1;

// Sizes of the first version's tables: what the oldest plugin brings. They never change.
constexpr uint32_t kEntrySize1_0 = 112;
constexpr uint32_t kHandlerSize1_0 = 88;
constexpr uint32_t kServiceSize1_0 = 48;
constexpr uint32_t kNeedSize1_0 = 24;

std::unexpected<LoadError> fail(std::string message, std::string hint) {
  return std::unexpected(LoadError{std::move(message), std::move(hint)});
}

bool is_there(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

std::expected<std::string, LoadError> find_file(std::string_view file,
                                                const std::vector<std::string>& directories) {
  if (file.empty())
    return fail("no plugin file is named", "set it to the name or the path of a shared object");
  if (file.contains('/')) return std::string(file);
  std::string looked;
  for (const std::string& directory : directories)
    for (const std::string_view ending : {"", ".so"}) {
      if (file.ends_with(".so") != ending.empty()) continue;
      std::string path = fmt::format("{}/{}{}", directory, file, ending);
      if (is_there(path)) return path;
      looked += (looked.empty() ? "" : ", ") + path;
    }
  return fail(fmt::format("there is no plugin `{}`", file),
              looked.empty() ? "name it by its path, or set the folders to search" : "looked for " + looked);
}

std::expected<std::string, LoadError> read_file(const std::string& path) {
  // Not blocking: the path may be a FIFO that nobody writes to.
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return fail(fmt::format("cannot open `{}`: {}", path, std::strerror(errno)), "");
  struct stat info{};
  if (::fstat(fd.get(), &info) != 0)
    return fail(fmt::format("cannot stat `{}`: {}", path, std::strerror(errno)), "");
  if (!S_ISREG(info.st_mode))
    return fail(fmt::format("`{}` is {}, not a regular file", path,
                            S_ISDIR(info.st_mode) ? "a folder" : "a device, a pipe or a socket"),
                "name the shared object itself");
  if (info.st_size > kMostFileBytes)
    return fail(fmt::format("`{}` is larger than 1 GiB", path),
                "strip its debug information into a file of its own");
  std::string bytes(static_cast<size_t>(info.st_size), '\0');
  size_t size = 0;
  while (size < bytes.size()) {
    const ssize_t got = ::read(fd.get(), bytes.data() + size, bytes.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(fmt::format("cannot read `{}`: {}", path, std::strerror(errno)), "");
    if (got == 0) break;
    size += static_cast<size_t>(got);
  }
  bytes.resize(size);
  return bytes;
}

std::string path_of(const PluginLibraries::Copy& copy) { return fmt::format("/proc/self/fd/{}", copy.fd); }

// A memory file with `bytes` that nobody can change any more.
Expected<Fd> private_copy(const std::string& name, std::string_view bytes) {
  // From Linux 6.3 on a host may want code in memory files to be asked for; older ones don't know the flag.
  constexpr unsigned kExecutable = 0x10;  // MFD_EXEC
  auto fd = memory_file(name.c_str(), bytes, MFD_ALLOW_SEALING | kExecutable);
  if (!fd && fd.error().number == EINVAL) fd = memory_file(name.c_str(), bytes, MFD_ALLOW_SEALING);
  if (!fd) return fd;
  // The kernel waits for whoever looks at the pages (reclaim, migration), but gives up early on a busy
  // machine.
  constexpr int kAttempts = 10;
  for (int left = kAttempts;
       ::fcntl(fd->get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0;) {
    if (errno != EBUSY || --left == 0) return system_error("seal");
    ::usleep(10'000);
  }
  return fd;
}

// FNV-1a of the bytes. Two builds of a plugin meet in 64 bits by accident only, and who can place plugins has
// no need to arrange it.
std::string content_name(std::string_view bytes) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return fmt::format("{:016x}", hash);
}

// What the dynamic linker said, without the name of the private copy.
LoadError linker_error(std::string_view text, const std::string& copy) {
  if (text.starts_with(copy + ": ")) text.remove_prefix(copy.size() + 2);
  constexpr std::string_view kUndefined = "undefined symbol: ";
  if (text.starts_with(kUndefined)) {
    std::string_view symbol = text.substr(kUndefined.size());
    symbol = symbol.substr(0, symbol.find_first_of(" ,"));
    return {fmt::format("it needs the symbol `{}`, which nothing defines", symbol),
            "link the library that defines it, and link with -Wl,-z,defs, which finds this at build time"};
  }
  constexpr std::string_view kCannotOpen = ": cannot open shared object file";
  if (const size_t at = text.find(kCannotOpen); at != std::string_view::npos)
    return {fmt::format("it needs the library `{}`, which cannot be loaded", text.substr(0, at)),
            "install that library, or link the plugin with it statically"};
  return {fmt::format("it cannot be loaded: {}", text), ""};
}

// The first `size` bytes of what `theirs` points to, the rest zero: a table of an older plugin in today's
// shape.
template <class T>
T adopt(const void* theirs, uint32_t size) {
  T mine{};
  std::memcpy(static_cast<void*>(&mine), theirs, std::min<size_t>(size, sizeof(T)));
  return mine;
}

bool is_name(leat_str text) {
  if (text.ptr == nullptr || text.len == 0 || text.len > kMostNameBytes) return false;
  return std::all_of(text.ptr, text.ptr + text.len, [](char c) { return c > ' ' && c < 0x7f; });
}

// "users/1".
bool is_service_name(leat_str text) {
  constexpr size_t kMostServiceBytes = 63;
  const std::string_view name = view(text);
  const size_t slash = name.rfind('/');
  return name.size() <= kMostServiceBytes && slash != std::string_view::npos && slash > 0 &&
         parse_number<uint32_t>(name.substr(slash + 1)) &&
         std::ranges::all_of(name, [](char c) { return c > ' ' && c < 0x7f; });
}
std::unexpected<LoadError> bad_service_name(leat_str name) {
  return fail(fmt::format("`{}` is not a name for a service", view(name)),
              "it is 1 to 63 visible ASCII characters with the version of its table, as in `users/1`");
}

// A list of the entry: elements that say their size, which is the same for all, each with a name of its own.
template <class T>
std::expected<std::vector<T>, LoadError> read_list(const T* theirs, uint32_t count, size_t least,
                                                   std::string_view what) {
  if (count > kMostElements || (count > 0 && theirs == nullptr))
    return fail(fmt::format("its table of {}s is broken", what),
                fmt::format("set the table and the number of {}s in leat_plugin", what));
  std::vector<T> list;
  if (count == 0) return list;
  const uint32_t stride = theirs->struct_size;
  const auto* bytes = reinterpret_cast<const char*>(theirs);
  if (stride < least || stride % alignof(T) != 0)
    return fail(fmt::format("its table of {}s is broken", what),
                fmt::format("set struct_size in each {} to the size of it", what));
  for (uint32_t i = 0; i < count; ++i) {
    list.push_back(adopt<T>(bytes + size_t{i} * stride, stride));
    if (list.back().struct_size != stride)
      return fail(fmt::format("its {} number {} lacks its struct_size", what, i + 1),
                  "it is the same for all");
    const auto same = [&](const T& other) { return view(other.name) == view(list.back().name); };
    if (std::ranges::count_if(list, same) > 1)
      return fail(fmt::format("it has two {}s named `{}`", what, view(list.back().name)),
                  "give them different names");
  }
  return list;
}

std::expected<void, LoadError> check_version(uint32_t abi_major, uint32_t abi_minor) {
  if (abi_major != LEAT_ABI_MAJOR)
    return fail(fmt::format("it was built for plugin interface {}.{}, and this daemon has {}.{}", abi_major,
                            abi_minor, LEAT_ABI_MAJOR, LEAT_ABI_MINOR),
                "build the plugin with the plugin.h that came with this daemon");
  if (abi_minor > LEAT_ABI_MINOR)
    return fail(fmt::format("it needs plugin interface {}.{} or later, and this daemon has {}.{}", abi_major,
                            abi_minor, LEAT_ABI_MAJOR, LEAT_ABI_MINOR),
                "update the daemon, or build the plugin with an older plugin.h");
  return {};
}

// It works until it is replaced: told before, for then it may be too late.
void warn_of_unique(const std::string& path, const ElfFile& elf) {
  const std::string unique = list_unique(elf);
  if (!unique.empty())
    log::warn(
        "plugin `{}` has symbols that are unique in the process: {}: the next version of it would share "
        "these variables with this one, and crash if they differ; `leat plugin check` says more",
        path, unique);
}

}  // namespace

std::expected<std::unique_ptr<PluginLibrary>, LoadError> PluginLibrary::load(std::string_view file,
                                                                             const LibraryOptions& options) {
  auto path = find_file(file, options.directories);
  if (!path) return std::unexpected(std::move(path.error()));
  const auto bytes = read_file(*path);
  if (!bytes) return std::unexpected(bytes.error());
  return load_bytes(std::move(*path), *bytes, options);
}

std::expected<std::unique_ptr<PluginLibrary>, LoadError> PluginLibrary::load_bytes(
    std::string path, std::string_view bytes, const LibraryOptions& options) {
  std::unique_ptr<PluginLibrary> library(new PluginLibrary(std::move(path), options));
  library->content_ = content_name(bytes);
  const auto opened = ElfFile::read(bytes).and_then([&](const ElfFile& elf) {
    return read_elf_note(elf).and_then([&](const ElfNote& note) {
      warn_of_unique(library->path_, elf);
      return library->open(bytes, note);
    });
  });
  if (!opened)
    return fail(fmt::format("cannot use the plugin `{}`: {}", library->path_, opened.error().message),
                opened.error().hint);
  return library;
}

std::expected<std::unique_ptr<PluginLibrary>, LoadError> PluginLibrary::from_entry(
    const leat_plugin_entry& entry, const LibraryOptions& options) {
  std::unique_ptr<PluginLibrary> library(new PluginLibrary(std::string(kBuiltIn), options));
  if (const auto adopted = library->adopt_entry(&entry); !adopted)
    return fail(fmt::format("cannot use a built-in plugin: {}", adopted.error().message),
                adopted.error().hint);
  library->path_ += library->name_;
  library->content_ = content_name(library->path_ + " " + library->version_);
  return library;
}

PluginLibraries::PluginLibraries(std::span<const leat_plugin_entry* const> built_in)
    : shared_(std::make_unique<SharedResources>()) {
  for (const leat_plugin_entry* entry : built_in) built_in_.push_back({entry, nullptr});
}
PluginLibraries::~PluginLibraries() = default;

std::expected<std::shared_ptr<PluginLibrary>, LoadError> PluginLibraries::load(
    std::string_view file, const LibraryOptions& options) {
  if (file.starts_with(kBuiltIn)) return load_built_in(file.substr(kBuiltIn.size()), options);
  const auto given = std::ranges::find(given_, file, &Copy::file);
  auto path = given == given_.end() ? find_file(file, options.directories)
                                    : std::expected<std::string, LoadError>(given->path);
  if (!path) return std::unexpected(std::move(path.error()));
  const auto bytes = read_file(given != given_.end() ? path_of(*given) : *path);
  if (!bytes) return std::unexpected(bytes.error());
  auto library = load_once(std::move(*path), *bytes, options);
  if (library) asked_.emplace_back(file, *library);
  return library;
}

std::expected<std::shared_ptr<PluginLibrary>, LoadError> PluginLibraries::load_once(
    std::string path, const std::string& bytes, const LibraryOptions& options) {
  const auto known = std::ranges::find(loaded_, content_name(bytes), &PluginLibrary::content);
  if (known != loaded_.end()) {
    (*known)->path_ = std::move(path);
    return *known;
  }
  LibraryOptions with_shared = options;
  with_shared.shared = shared_.get();
  auto library = PluginLibrary::load_bytes(std::move(path), bytes, with_shared);
  if (!library) return std::unexpected(std::move(library.error()));
  return loaded_.emplace_back(std::move(*library));
}

std::vector<PluginLibraries::Copy> PluginLibraries::copies() const {
  std::vector<Copy> all;
  for (const auto& [file, asked] : asked_)
    if (const auto library = asked.lock()) all.push_back({file, library->path(), library->file_.get()});
  return all;
}

void PluginLibraries::begin(std::vector<Copy> copies) {
  given_ = std::move(copies);
  asked_.clear();
}

bool PluginLibraries::copies_differ() const {
  return std::ranges::any_of(given_, [](const Copy& each) {
    const auto file = read_file(each.path), copy = read_file(path_of(each));
    return !file || !copy || *file != *copy;
  });
}

std::vector<std::shared_ptr<PluginLibrary>> PluginLibraries::take_unused() {
  const auto unused = [](const auto& library) { return library.use_count() == 1; };
  const auto going = std::ranges::partition(
      loaded_, [&](const auto& library) { return !unused(library) || !library->unloads(); });
  std::vector<std::shared_ptr<PluginLibrary>> taken(std::move_iterator(going.begin()),
                                                    std::move_iterator(going.end()));
  loaded_.erase(going.begin(), going.end());
  shared_->idle_objects = static_cast<uint64_t>(std::ranges::count_if(loaded_, unused));
  return taken;
}

bool PluginLibraries::add(const leat_plugin_entry& entry) {
  for (const BuiltIn& each : built_in_)
    if (view(each.entry->name) == view(entry.name)) return each.entry == &entry;
  built_in_.push_back({&entry, nullptr});
  return true;
}

std::expected<std::shared_ptr<PluginLibrary>, LoadError> PluginLibraries::load_built_in(
    std::string_view name, const LibraryOptions& options) {
  std::string known;
  for (BuiltIn& each : built_in_) {
    known += (known.empty() ? "" : ", ") + std::string(view(each.entry->name));
    if (view(each.entry->name) != name) continue;
    if (each.library != nullptr) return each.library;
    LibraryOptions with_shared = options;
    with_shared.shared = shared_.get();
    auto library = PluginLibrary::from_entry(*each.entry, with_shared);
    if (!library) return std::unexpected(std::move(library.error()));
    return each.library = std::move(*library);
  }
  return fail(fmt::format("no plugin `{}` is built into this program", name),
              known.empty() ? "none is; name the file of a shared object" : "there are: " + known);
}

std::expected<void, LoadError> PluginLibrary::open(std::string_view bytes, const ElfNote& note) {
  if (auto fits = check_version(note.abi_major, note.abi_minor); !fits) return fits;
  build_id_ = note.build_id;
  auto copy = private_copy(fmt::format("leat-{}-{}", note.name, content_), bytes);
  if (!copy)
    return fail("a private copy of it cannot be made: " + copy.error().text(),
                "the daemon must be allowed to make executable memory files (memfd_create)");
  // By process id and not /proc/self, so that debuggers and profilers can open the name too.
  const std::string name = fmt::format("/proc/{}/fd/{}", ::getpid(), copy->get());
  // NOW: a missing symbol is an error here, not a crash at the first request. LOCAL: plugins don't see each
  // other. Never DEEPBIND: the object would free with another allocator than the daemon's.
  void* object = ::dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (object == nullptr) return std::unexpected(linker_error(::dlerror(), name));
  // As long as the object stays its name must: the next file to get this number would be taken for it.
  object_ = object;
  file_ = std::move(*copy);
  const void* entry = ::dlsym(object, "leat_plugin");
  if (entry == nullptr)
    return fail(
        "it does not export the symbol `leat_plugin`",
        "define it with LEAT_PLUGIN (C++) or as LEAT_ENTRY says (C), and keep it in the version script");
  return adopt_entry(static_cast<const leat_plugin_entry*>(entry));
}

std::expected<void, LoadError> PluginLibrary::adopt_entry(const leat_plugin_entry* theirs) {
  return read_entry(theirs)
      .and_then([this] { return read_handlers(); })
      .and_then([this] { return read_services(); })
      .and_then([this] { return read_needs(); })
      .and_then([this] { return run_load(); });
}

std::expected<void, LoadError> PluginLibrary::read_entry(const leat_plugin_entry* theirs) {
  const std::string kHint = "initialise leat_plugin with LEAT_ENTRY";
  if (theirs->magic != LEAT_PLUGIN_MAGIC || theirs->struct_size < kEntrySize1_0)
    return fail("its `leat_plugin` is not a leat_plugin_entry", kHint);
  if (auto fits = check_version(theirs->abi_major, theirs->abi_minor); !fits) return fits;
  entry_ = adopt<leat_plugin_entry>(theirs, theirs->struct_size);
  if (!is_name(entry_.name) || !is_name(entry_.version))
    return fail(fmt::format("its name or version is not 1 to {} visible ASCII characters", kMostNameBytes),
                kHint);
  name_.assign(entry_.name.ptr, entry_.name.len);
  version_.assign(entry_.version.ptr, entry_.version.len);
  return {};
}

std::expected<void, LoadError> PluginLibrary::read_handlers() {
  auto read = read_list(entry_.handlers, entry_.handler_count, kHandlerSize1_0, "handler");
  if (!read) return std::unexpected(std::move(read.error()));
  handlers_ = std::move(*read);
  for (size_t i = 0; i < handlers_.size(); ++i)
    if (!is_name(handlers_[i].name) || handlers_[i].handle == nullptr)
      return fail(fmt::format("its handler number {} lacks its name or its handle function", i + 1),
                  "set both");
  return {};
}

std::expected<void, LoadError> PluginLibrary::read_services() {
  auto read = read_list(entry_.services, entry_.service_count, kServiceSize1_0, "service");
  if (!read) return std::unexpected(std::move(read.error()));
  services_ = std::move(*read);
  for (const leat_service& service : services_) {
    if (!is_service_name(service.name)) return bad_service_name(service.name);
    if (service.table == nullptr || *static_cast<const uint32_t*>(service.table) < sizeof(uint32_t))
      return fail(fmt::format("its service `{}` has no table", view(service.name)),
                  "a table of functions begins with its size in bytes, a uint32_t");
    if (service.kind > LEAT_SERVICE_REQUEST_ANY_THREAD ||
        (service.kind >= LEAT_SERVICE_REQUEST) != (service.open != nullptr))
      return fail(fmt::format("its service `{}` is of an unknown kind", view(service.name)),
                  "kind is one of LEAT_SERVICE_*; open() belongs to LEAT_SERVICE_REQUEST and to no other");
  }
  return {};
}

std::expected<void, LoadError> PluginLibrary::read_needs() {
  auto read = read_list(entry_.needs, entry_.need_count, kNeedSize1_0, "need");
  if (!read) return std::unexpected(std::move(read.error()));
  needs_ = std::move(*read);
  for (const leat_need& need : needs_) {
    if (!is_service_name(need.name)) return bad_service_name(need.name);
    if ((need.flags & ~LEAT_NEED_OPTIONAL) != 0)
      return fail(fmt::format("its need `{}` has unknown flags", view(need.name)), "flags are LEAT_NEED_*");
  }
  return {};
}

std::expected<void, LoadError> PluginLibrary::run_load() {
  host_ = std::make_unique<Host>(name_, options_, nullptr);
  if (entry_.load == nullptr) {
    loaded_ = true;
    return {};
  }
  leat_error error;
  host_->loading = this;
  const int32_t answer = guarded(error, [&] { return entry_.load(host_.get(), &error); });
  host_->loading = nullptr;
  if (answer != LEAT_OK || !error.failures.empty())
    return fail(fmt::format("its load() refused: {}", error.text()), "");
  loaded_ = true;
  return {};
}

Patterns& PluginLibrary::patterns() {
  return options_.shared != nullptr ? options_.shared->patterns : patterns_;
}

const std::string& PluginLibrary::keep(std::string text) {
  std::set<std::string>& kept = options_.shared != nullptr ? options_.shared->titles : kept_;
  const auto [at, fresh] = kept.insert(std::move(text));
  if (fresh && options_.shared != nullptr && options_.shared->title_made != nullptr)
    options_.shared->title_made(*at);
  return *at;
}

PluginLibrary::~PluginLibrary() {
  unload();
  if (object_ == nullptr) return;
  if (unloads()) {
    close_object();
  } else {
    (void)file_.release();
  }
}

void PluginLibrary::close_object() {
  const std::string name = fmt::format("/proc/{}/fd/{}", ::getpid(), file_.get());
  ::dlclose(object_);
  // The dynamic linker keeps what has a unique symbol, or a thread's destructor still to run.
  if (void* still = ::dlopen(name.c_str(), RTLD_NOW | RTLD_NOLOAD)) {
    ::dlclose(still);
    (void)file_.release();
    log::warn("plugin {}: it says that it can be unmapped, but the dynamic linker keeps it", name_);
  }
}

void PluginLibrary::unload() {
  if (!loaded_ || entry_.unload == nullptr) return;
  leat_error error;
  guarded(error, [this] {
    entry_.unload();
    return LEAT_OK;
  });
  for (const Failure& failure : error.failures) log::error("{}: unload(): {}", host_->blame, failure.message);
}

}  // namespace leat::plugin
