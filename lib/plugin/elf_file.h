// ElfFile: a shared object's headers, notes and symbols, read from its bytes.
//
// What a plugin is must be known before dlopen(), which runs constructors. The file may be anything: every
// offset in it is checked against its size, and nothing is believed to be aligned.
//
// Views point into the bytes, which must stay. Source: the ELF-64 object file format, elf(5).
#pragma once

#include <elf.h>

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace leat::plugin {

// Why a plugin can't be used, and what its author or the operator can do about it.
struct LoadError {
  std::string message;
  std::string hint;  // may be empty
};

class ElfFile {
 public:
  struct Symbol {
    std::string_view name;
    uint64_t size = 0;
    uint8_t binding = STB_LOCAL;  // STB_*
    uint8_t type = STT_NOTYPE;    // STT_*
    bool defined = false;
  };

  // Fails for what is not a shared object of this machine, and for a file that is cut short.
  static std::expected<ElfFile, LoadError> read(std::string_view bytes);

  // The description of the note of that owner (without a NUL) and type; nothing when there is none.
  [[nodiscard]] std::optional<std::string_view> note(std::string_view owner, uint32_t type) const;
  // The first segment of that type (PT_*).
  [[nodiscard]] std::optional<Elf64_Phdr> segment(uint32_t type) const;
  // The values of the dynamic section's entries with that tag (DT_*); texts for those that name one.
  [[nodiscard]] std::vector<uint64_t> dynamic(int64_t tag) const;
  [[nodiscard]] std::vector<std::string_view> dynamic_text(int64_t tag) const;
  // The symbols of the section of that type: SHT_DYNSYM, what the linker sees, or SHT_SYMTAB, which may be
  // stripped.
  [[nodiscard]] std::vector<Symbol> symbols(uint32_t section_type) const;

 private:
  ElfFile(std::string_view bytes, std::vector<Elf64_Phdr> segments, std::vector<Elf64_Shdr> sections)
      : bytes_(bytes), segments_(std::move(segments)), sections_(std::move(sections)) {}
  // Empty for a part that is not within the file.
  [[nodiscard]] std::string_view part(uint64_t offset, uint64_t size) const;

  std::string_view bytes_;
  std::vector<Elf64_Phdr> segments_;
  std::vector<Elf64_Shdr> sections_;
};

}  // namespace leat::plugin
