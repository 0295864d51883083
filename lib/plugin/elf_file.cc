#include "plugin/elf_file.h"

#include <fmt/core.h>

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

// The text that begins at `offset` of a string table; empty for one that does not end within it.
std::string_view text_at(std::string_view table, uint64_t offset) {
  if (offset >= table.size()) return {};
  const size_t end = table.find('\0', offset);
  return end == std::string_view::npos ? std::string_view() : table.substr(offset, end - offset);
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
  std::vector<Elf64_Phdr> segments;
  for (unsigned i = 0; i < header->e_phnum; ++i) {
    const auto segment = read_at<Elf64_Phdr>(bytes, header->e_phoff + uint64_t{i} * header->e_phentsize);
    if (!segment)
      return std::unexpected(LoadError{"its program headers are cut short", "copy the file again"});
    const bool outside =
        segment->p_offset > bytes.size() || bytes.size() - segment->p_offset < segment->p_filesz;
    if (segment->p_type == PT_NOTE && outside)
      return std::unexpected(LoadError{"its notes are cut short", "copy the file again"});
    segments.push_back(*segment);
  }
  // A file may lack sections altogether; then it has no symbols that could be looked at.
  std::vector<Elf64_Shdr> sections;
  for (unsigned i = 0; i < header->e_shnum; ++i) {
    const auto section = read_at<Elf64_Shdr>(bytes, header->e_shoff + uint64_t{i} * header->e_shentsize);
    if (!section) break;
    sections.push_back(*section);
  }
  return ElfFile(bytes, std::move(segments), std::move(sections));
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

std::vector<uint64_t> ElfFile::dynamic(int64_t tag) const {
  std::vector<uint64_t> values;
  const auto found = segment(PT_DYNAMIC);
  if (!found) return values;
  const std::string_view entries = part(found->p_offset, found->p_filesz);
  for (uint64_t offset = 0; const auto entry = read_at<Elf64_Dyn>(entries, offset);
       offset += sizeof(Elf64_Dyn)) {
    if (entry->d_tag == DT_NULL) break;
    if (entry->d_tag == tag) values.push_back(entry->d_un.d_val);
  }
  return values;
}

std::vector<std::string_view> ElfFile::dynamic_text(int64_t tag) const {
  std::vector<std::string_view> texts;
  // By the section: the segment has the table's address only.
  for (const Elf64_Shdr& section : sections_) {
    if (section.sh_type != SHT_DYNAMIC || section.sh_link >= sections_.size()) continue;
    const Elf64_Shdr& strings = sections_[section.sh_link];
    const std::string_view table = part(strings.sh_offset, strings.sh_size);
    for (const uint64_t value : dynamic(tag)) texts.push_back(text_at(table, value));
  }
  return texts;
}

std::vector<ElfFile::Symbol> ElfFile::symbols(uint32_t section_type) const {
  std::vector<Symbol> symbols;
  for (const Elf64_Shdr& section : sections_) {
    if (section.sh_type != section_type || section.sh_link >= sections_.size()) continue;
    const Elf64_Shdr& strings = sections_[section.sh_link];
    const std::string_view table = part(strings.sh_offset, strings.sh_size);
    const std::string_view entries = part(section.sh_offset, section.sh_size);
    for (uint64_t offset = 0; const auto entry = read_at<Elf64_Sym>(entries, offset);
         offset += sizeof(Elf64_Sym))
      symbols.push_back({.name = text_at(table, entry->st_name),
                         .size = entry->st_size,
                         .binding = static_cast<uint8_t>(ELF64_ST_BIND(entry->st_info)),
                         .type = static_cast<uint8_t>(ELF64_ST_TYPE(entry->st_info)),
                         .defined = entry->st_shndx != SHN_UNDEF});
  }
  return symbols;
}

}  // namespace leat::plugin
