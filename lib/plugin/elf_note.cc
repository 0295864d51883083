#include "plugin/elf_note.h"

#include <elf.h>

#include <array>
#include <cstring>
#include <format>
#include <optional>

#include "plugin/sdk/plugin.h"

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
      return std::format("ELF machine {}", machine);
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

// The linker's name for the object (--build-id), if these notes hold it.
std::string find_build_id(std::string_view notes) {
  constexpr auto kPadded = [](uint64_t size) { return (size + 3) & ~uint64_t{3}; };
  constexpr std::string_view kOwner("GNU\0", 4);
  uint64_t offset = 0;
  while (const auto header = read_at<Elf64_Nhdr>(notes, offset)) {
    const uint64_t owner = offset + sizeof(Elf64_Nhdr);
    const uint64_t description = owner + kPadded(header->n_namesz);
    if (description + header->n_descsz > notes.size()) break;
    if (header->n_type == NT_GNU_BUILD_ID && notes.substr(owner, header->n_namesz) == kOwner) {
      std::string text;
      for (const char c : notes.substr(description, header->n_descsz))
        text += std::format("{:02x}", static_cast<unsigned char>(c));
      return text;
    }
    offset = description + kPadded(header->n_descsz);
  }
  return {};
}

// One segment of notes: {owner size, description size, type, owner, description}, parts padded to 4 bytes.
std::optional<ElfNote> find_leat_note(std::string_view notes) {
  constexpr auto kPadded = [](uint64_t size) { return (size + 3) & ~uint64_t{3}; };
  constexpr std::string_view kOwner("Leat\0", 5);
  constexpr size_t kDescription = sizeof(leat_note) - offsetof(leat_note, abi_major);
  uint64_t offset = 0;
  while (const auto header = read_at<Elf64_Nhdr>(notes, offset)) {
    const uint64_t owner = offset + sizeof(Elf64_Nhdr);
    const uint64_t description = owner + kPadded(header->n_namesz);
    if (description + header->n_descsz > notes.size()) return std::nullopt;
    if (header->n_type == LEAT_NOTE_TYPE && notes.substr(owner, header->n_namesz) == kOwner &&
        header->n_descsz >= kDescription) {
      const auto note = read_at<leat_note>(notes, offset);
      if (!note) return std::nullopt;
      return ElfNote{note->abi_major, note->abi_minor,
                     std::string(note->name, strnlen(note->name, sizeof note->name)), ""};
    }
    offset = description + kPadded(header->n_descsz);
  }
  return std::nullopt;
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
        std::format("it is built for {}{}, and this daemon runs on {}", machine_name(header->e_machine),
                    header->e_ident[EI_CLASS] == ELFCLASS64 ? "" : " (32 bits)", machine_name(kThisMachine)),
        "build the plugin for this machine"});
  if (header->e_type != ET_DYN)
    return std::unexpected(LoadError{"it is an ELF file, but not a shared object", kBuildHint});
  return *header;
}

}  // namespace

std::expected<ElfNote, LoadError> read_elf_note(std::string_view bytes) {
  const auto header = check_header(bytes);
  if (!header) return std::unexpected(header.error());
  std::optional<ElfNote> found;
  std::string build_id;
  for (unsigned i = 0; i < header->e_phnum; ++i) {
    const auto segment = read_at<Elf64_Phdr>(bytes, header->e_phoff + uint64_t{i} * header->e_phentsize);
    if (!segment)
      return std::unexpected(LoadError{"its program headers are cut short", "copy the file again"});
    if (segment->p_type != PT_NOTE) continue;
    if (segment->p_offset > bytes.size() || bytes.size() - segment->p_offset < segment->p_filesz)
      return std::unexpected(LoadError{"its notes are cut short", "copy the file again"});
    const std::string_view notes = bytes.substr(segment->p_offset, segment->p_filesz);
    if (!found) found = find_leat_note(notes);
    if (build_id.empty()) build_id = find_build_id(notes);
  }
  if (found) {
    found->build_id = std::move(build_id);
    return *found;
  }
  return std::unexpected(
      LoadError{"it is a shared object, but not a Leat plugin: it has no Leat note",
                "put LEAT_PLUGIN (C++) or LEAT_NOTE (C) at file scope of one source, and don't strip notes"});
}

}  // namespace leat::plugin
