// ElfNote: what a shared object says about itself, read from its bytes.
//
// dlopen() runs constructors, so whether a file is a Leat plugin of a fitting version must be known before.
// The file is an operator's and may be anything: every offset in it is checked against its size.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace leat::plugin {

// Why a plugin can't be used, and what its author or the operator can do about it.
struct LoadError {
  std::string message;
  std::string hint;  // may be empty
};

struct ElfNote {
  uint32_t abi_major = 0;
  uint32_t abi_minor = 0;
  std::string name;
  std::string build_id;  // what the linker made, in hexadecimal; empty for none
};

// The Leat note of the shared object `bytes`. Fails for what is not an ELF shared object of this machine, and
// for one without a note.
std::expected<ElfNote, LoadError> read_elf_note(std::string_view bytes);

}  // namespace leat::plugin
