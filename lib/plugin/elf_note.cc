#include "plugin/elf_note.h"

#include <fmt/core.h>

#include <cstring>

#include "plugin/sdk/plugin.h"

namespace leat::plugin {

std::expected<ElfNote, LoadError> read_elf_note(const ElfFile& file) {
  constexpr size_t kHeader = offsetof(leat_note, abi_major);
  constexpr size_t kMostBuildId = 64;  // bytes; linkers make 8 to 32
  const auto description = file.note("Leat", LEAT_NOTE_TYPE);
  if (!description || description->size() < sizeof(leat_note) - kHeader)
    return std::unexpected(LoadError{
        "it is a shared object, but not a Leat plugin: it has no Leat note",
        "put LEAT_PLUGIN (C++) or LEAT_NOTE (C) at file scope of one source, and don't strip notes"});
  leat_note note{};
  std::memcpy(reinterpret_cast<char*>(&note) + kHeader, description->data(), sizeof note - kHeader);
  std::string build_id;
  const std::string_view id = file.note("GNU", NT_GNU_BUILD_ID).value_or(std::string_view());
  for (const char c : id.substr(0, kMostBuildId))
    build_id += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return ElfNote{note.abi_major, note.abi_minor, std::string(note.name, strnlen(note.name, sizeof note.name)),
                 std::move(build_id)};
}

std::expected<ElfNote, LoadError> read_elf_note(std::string_view bytes) {
  return ElfFile::read(bytes).and_then([](const ElfFile& file) { return read_elf_note(file); });
}

}  // namespace leat::plugin
