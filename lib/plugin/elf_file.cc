#include "plugin/elf_file.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstring>

namespace leat::plugin {
namespace {

#if defined(__x86_64__)
constexpr uint16_t kThisMachine = EM_X86_64;
#elif defined(__aarch64__)
constexpr uint16_t kThisMachine = EM_AARCH64;
#elif defined(__riscv)
constexpr uint16_t kThisMachine = EM_RISCV;
#else
#error "name this machine's ELF number here"
#endif

std::string machine_name(uint16_t machine) {
  switch (machine) {
    case EM_X86_64:
      return "x86-64";
    case EM_386:
      return "i386";
    case EM_AARCH64:
      return "aarch64";
    case EM_ARM:
      return "arm";
    case EM_RISCV:
      return "riscv";
    default:
      return fmt::format("ELF machine {}", machine);
  }
}

// A T at `offset`, if all of it lies within the file. Copied: nothing in a file is aligned by promise.
template <class T>
std::optional<T> read_at(std::string_view bytes, uint64_t offset) {
  if (offset > bytes.size() || bytes.size() - offset < sizeof(T)) return std::nullopt;
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return value;
}

// The entries of a table in the file; nothing when it is not all there, or its entries are of another size
// than the format has them. An entry that says to be smaller would make a table of one entry many times over.
template <class T>
std::optional<std::vector<T>> read_table(std::string_view bytes, uint64_t offset, size_t count, size_t size) {
  if (count > 0 && (size != sizeof(T) || offset > bytes.size() || (bytes.size() - offset) / size < count))
    return std::nullopt;
  std::vector<T> table(count);
  if (count > 0) std::memcpy(table.data(), bytes.data() + offset, count * size);
  return table;
}

// The text that begins at `offset` of a string table, cut at kMostNameBytes; empty for one that does not end
// within the table.
std::string_view text_at(std::string_view table, uint64_t offset) {
  if (offset >= table.size()) return {};
  const std::string_view text = table.substr(offset, ElfFile::kMostNameBytes);
  const size_t end = text.find('\0');
  if (end != std::string_view::npos) return text.substr(0, end);
  return text.size() == ElfFile::kMostNameBytes ? text : std::string_view();
}

std::expected<Elf64_Ehdr, LoadError> check_header(std::string_view bytes) {
  const char* const kBuildHint = "a plugin is a shared object: compile with -fPIC and link with -shared";
  if (!bytes.starts_with(std::string_view(ELFMAG, SELFMAG)))
    return std::unexpected(LoadError{"it is not an ELF file", kBuildHint});
  const auto header = read_at<Elf64_Ehdr>(bytes, 0);
  if (!header) return std::unexpected(LoadError{"its ELF header is cut short", "copy the file again"});
  if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB ||
      header->e_machine != kThisMachine)
    return std::unexpected(LoadError{
        fmt::format("it is built for {}{}, and this daemon runs on {}", machine_name(header->e_machine),
                    header->e_ident[EI_CLASS] == ELFCLASS64 ? "" : " (32 bits)", machine_name(kThisMachine)),
        "build the plugin for this machine"});
  if (header->e_type != ET_DYN)
    return std::unexpected(LoadError{"it is an ELF file, but not a shared object", kBuildHint});
  return *header;
}

}  // namespace

std::expected<ElfFile, LoadError> ElfFile::read(std::string_view bytes) {
  const auto header = check_header(bytes);
  if (!header) return std::unexpected(header.error());
  auto segments = read_table<Elf64_Phdr>(bytes, header->e_phoff, header->e_phnum, header->e_phentsize);
  if (!segments)
    return std::unexpected(LoadError{"its program headers are cut short", "copy the file again"});
  uint64_t notes_left = bytes.size();
  for (const Elf64_Phdr& segment : *segments) {
    if (segment.p_type != PT_NOTE) continue;
    if (segment.p_offset > bytes.size() || bytes.size() - segment.p_offset < segment.p_filesz)
      return std::unexpected(LoadError{"its notes are cut short", "copy the file again"});
    if (segment.p_filesz > notes_left)
      return std::unexpected(LoadError{"its notes are larger than the file", "no linker makes such a file"});
    notes_left -= segment.p_filesz;
  }
  // A file may lack sections altogether; then it has no symbols that could be looked at.
  auto sections = read_table<Elf64_Shdr>(bytes, header->e_shoff, header->e_shnum, header->e_shentsize);
  if (!sections) sections.emplace();
  return ElfFile(bytes, std::move(*segments), std::move(*sections));
}

std::string_view ElfFile::part(uint64_t offset, uint64_t size) const {
  if (offset > bytes_.size() || bytes_.size() - offset < size) return {};
  return bytes_.substr(offset, size);
}

// A segment of notes: {owner size, description size, type, owner, description}, parts padded to 4 bytes.
std::optional<std::string_view> ElfFile::note(std::string_view owner, uint32_t type) const {
  constexpr auto kPadded = [](uint64_t size) { return (size + 3) & ~uint64_t{3}; };
  for (const Elf64_Phdr& segment : segments_) {
    if (segment.p_type != PT_NOTE) continue;
    const std::string_view notes = part(segment.p_offset, segment.p_filesz);
    uint64_t offset = 0;
    while (const auto header = read_at<Elf64_Nhdr>(notes, offset)) {
      const uint64_t name = offset + sizeof(Elf64_Nhdr);
      const uint64_t description = name + kPadded(header->n_namesz);
      if (description + header->n_descsz > notes.size()) break;
      // The name's size counts its NUL.
      if (header->n_type == type && header->n_namesz == owner.size() + 1 &&
          notes.substr(name, owner.size()) == owner)
        return notes.substr(description, header->n_descsz);
      offset = description + kPadded(header->n_descsz);
    }
  }
  return std::nullopt;
}

std::optional<Elf64_Phdr> ElfFile::segment(uint32_t type) const {
  for (const Elf64_Phdr& each : segments_)
    if (each.p_type == type) return each;
  return std::nullopt;
}

const Elf64_Shdr* ElfFile::section(uint32_t type) const {
  for (const Elf64_Shdr& each : sections_)
    if (each.sh_type == type) return &each;
  return nullptr;
}

std::string_view ElfFile::strings_of(const Elf64_Shdr& section) const {
  if (section.sh_link >= sections_.size()) return {};
  const Elf64_Shdr& strings = sections_[section.sh_link];
  return part(strings.sh_offset, strings.sh_size);
}

std::optional<uint64_t> ElfFile::dynamic(int64_t tag) const {
  const auto found = segment(PT_DYNAMIC);
  if (!found) return std::nullopt;
  const std::string_view entries = part(found->p_offset, found->p_filesz);
  for (uint64_t offset = 0; const auto entry = read_at<Elf64_Dyn>(entries, offset);
       offset += sizeof(Elf64_Dyn)) {
    if (entry->d_tag == DT_NULL) break;
    if (entry->d_tag == tag) return entry->d_un.d_val;
  }
  return std::nullopt;
}

std::optional<std::string_view> ElfFile::dynamic_text(int64_t tag) const {
  // By the section: the segment has the table's address only.
  const Elf64_Shdr* names = section(SHT_DYNAMIC);
  const auto value = dynamic(tag);
  if (names == nullptr || !value) return std::nullopt;
  return text_at(strings_of(*names), *value);
}

ElfFile::Symbols ElfFile::symbols(uint32_t section_type) const {
  const Elf64_Shdr* found = section(section_type);
  if (found == nullptr) return {};
  return {part(found->sh_offset, found->sh_size), strings_of(*found)};
}

ElfFile::Symbol ElfFile::Symbols::operator[](size_t index) const {
  const auto entry = read_at<Elf64_Sym>(entries_, index * sizeof(Elf64_Sym));
  if (!entry) return {};
  return {.name = text_at(names_, entry->st_name),
          .size = entry->st_size,
          .binding = static_cast<uint8_t>(ELF64_ST_BIND(entry->st_info)),
          .type = static_cast<uint8_t>(ELF64_ST_TYPE(entry->st_info)),
          .defined = entry->st_shndx != SHN_UNDEF};
}

std::string shown(std::string_view text) {
  std::string printable(text);
  std::ranges::replace_if(printable, [](char c) { return c < ' ' || c > '~'; }, '?');
  return printable;
}

std::string list_names(const ElfFile::Symbols& symbols,
                       const std::function<bool(const ElfFile::Symbol&)>& is) {
  constexpr size_t kMostNamed = 5;
  // A plain name says more to people, and of those of C++ most are the standard library's templates.
  std::vector<std::string_view> named, mangled;
  size_t more = 0;
  for (size_t i = 0; i < symbols.size(); ++i) {
    const ElfFile::Symbol symbol = symbols[i];
    std::vector<std::string_view>& list = symbol.name.starts_with("_Z") ? mangled : named;
    if (!is(symbol) || std::ranges::contains(list, symbol.name)) continue;
    if (list.size() < kMostNamed)
      list.push_back(symbol.name);
    else
      ++more;
  }
  named.insert(named.end(), mangled.begin(), mangled.end());
  if (named.size() > kMostNamed) {
    more += named.size() - kMostNamed;
    named.resize(kMostNamed);
  }
  std::string text;
  for (const std::string_view name : named) text += (text.empty() ? "`" : ", `") + shown(name) + "`";
  return more == 0 ? text : text + fmt::format(" and {} more", more);
}

std::string list_unique(const ElfFile& file) {
  return list_names(file.symbols(SHT_DYNSYM),
                    [](const ElfFile::Symbol& symbol) { return symbol.binding == STB_GNU_UNIQUE; });
}

}  // namespace leat::plugin
