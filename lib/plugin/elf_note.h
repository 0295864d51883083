// ElfNote: what a plugin says about itself, for whom it was built, before any of its code runs.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "plugin/elf_file.h"

namespace leat::plugin {

struct ElfNote {
  uint32_t abi_major = 0;
  uint32_t abi_minor = 0;
  std::string name;
  std::string build_id;  // what the linker made, in hexadecimal; empty for none
};

std::expected<ElfNote, LoadError> read_elf_note(const ElfFile& file);
// The Leat note of the shared object `bytes`. Fails for what is not an ELF shared object of this machine, and
// for one without a note.
std::expected<ElfNote, LoadError> read_elf_note(std::string_view bytes);

}  // namespace leat::plugin
