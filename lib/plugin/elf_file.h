// ElfFile: a shared object's headers, notes and symbols, read from its bytes.
//
// What a plugin is must be known before dlopen(), which runs constructors. The file may be anything: every
// offset and size in it is checked against its own size, and nothing is believed to be aligned. What reading
// costs is bounded by the file as well: a table that has several entries for what there can be but one of is
// read for the first, and tables that claim the same bytes over and over are refused, so that time is in
// proportion to the file, and memory to its tables of segments and sections.
//
// Views point into the bytes, which must stay. Source: the ELF-64 object file format, elf(5).
#pragma once

#include <elf.h>

#include <cstdint>
#include <expected>
#include <functional>
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
    std::string_view name;  // cut at kMostNameBytes
    uint64_t size = 0;
    uint8_t binding = STB_LOCAL;  // STB_*
    uint8_t type = STT_NOTYPE;    // STT_*
    bool defined = false;
  };
  // The symbols of a section, each read when it is asked for: there may be many millions.
  class Symbols {
   public:
    Symbols() = default;
    Symbols(std::string_view entries, std::string_view names) : entries_(entries), names_(names) {}
    [[nodiscard]] size_t size() const { return entries_.size() / sizeof(Elf64_Sym); }
    [[nodiscard]] Symbol operator[](size_t index) const;

   private:
    std::string_view entries_;
    std::string_view names_;
  };

  // A name is for people, and to compare with known ones. Those of C++ can be long; without a bound, a file
  // in which each symbol's name is the rest of the file would take time by the square of its size.
  static constexpr size_t kMostNameBytes = 1024;

  // Fails for what is not a shared object of this machine, and for a file that is cut short or contradicts
  // itself.
  static std::expected<ElfFile, LoadError> read(std::string_view bytes);

  // The description of the note of that owner (without a NUL) and type; nothing when there is none.
  [[nodiscard]] std::optional<std::string_view> note(std::string_view owner, uint32_t type) const;
  // The first segment of that type (PT_*).
  [[nodiscard]] std::optional<Elf64_Phdr> segment(uint32_t type) const;
  // The value of the dynamic section's first entry with that tag (DT_*), for those that name one also as
  // text.
  [[nodiscard]] std::optional<uint64_t> dynamic(int64_t tag) const;
  [[nodiscard]] std::optional<std::string_view> dynamic_text(int64_t tag) const;
  // The symbols of the first section of that type: SHT_DYNSYM, what the linker sees, or SHT_SYMTAB, which may
  // be stripped.
  [[nodiscard]] Symbols symbols(uint32_t section_type) const;

 private:
  ElfFile(std::string_view bytes, std::vector<Elf64_Phdr> segments, std::vector<Elf64_Shdr> sections)
      : bytes_(bytes), segments_(std::move(segments)), sections_(std::move(sections)) {}
  // Empty for a part that is not within the file.
  [[nodiscard]] std::string_view part(uint64_t offset, uint64_t size) const;
  // The first section of that type, and the strings that it refers to; null and empty for none.
  [[nodiscard]] const Elf64_Shdr* section(uint32_t type) const;
  [[nodiscard]] std::string_view strings_of(const Elf64_Shdr& section) const;

  std::string_view bytes_;
  std::vector<Elf64_Phdr> segments_;
  std::vector<Elf64_Shdr> sections_;
};

// `text` of a file as people may see it: what is no printable ASCII is '?', since a terminal obeys some of
// it.
std::string shown(std::string_view text);

// The names of the symbols for which `is` holds, shown, as "`a`, `b` and 3 more"; empty for none.
std::string list_names(const ElfFile::Symbols& symbols,
                       const std::function<bool(const ElfFile::Symbol&)>& is);

// The same of the symbols of which the dynamic linker keeps one for the whole process (STB_GNU_UNIQUE).
std::string list_unique(const ElfFile& file);

}  // namespace leat::plugin
