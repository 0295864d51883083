// A file that may be anything must be judged within its bounds, whatever it claims of itself: no byte outside
// of it is read (the sanitizers see that), and what is said of it is short and can be shown.
//
// Input: the file. The kept inputs are real shared objects, made small (gcc -shared -nostdlib, with and
// without symbols, notes and a run path); the fuzzer's own changes to them reach what no linker writes.
#include <algorithm>
#include <string>

#include "base/check.h"
#include "plugin/checker.h"
#include "plugin/elf_note.h"

namespace leat::fuzz {

namespace {

// The rules times the names that one of them lists.
constexpr size_t kMostFindings = 32;
constexpr size_t kMostText = 8 * plugin::ElfFile::kMostNameBytes;

bool printable(const std::string& text) {
  return std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
}

void run(std::string_view bytes) {
  const auto findings = plugin::check_plugin(bytes);
  ENSURE(findings.size() <= kMostFindings);
  for (const plugin::Finding& each : findings) {
    ENSURE(!each.rule.empty() && !each.found.empty());
    ENSURE(each.found.size() <= kMostText && printable(each.found));
  }
  const auto file = plugin::ElfFile::read(bytes);
  ENSURE(file.has_value() == (findings.empty() || findings[0].rule != "file"));
  if (!file) return;
  for (const uint32_t type : {SHT_DYNSYM, SHT_SYMTAB}) {
    const plugin::ElfFile::Symbols symbols = file->symbols(type);
    ENSURE(symbols.size() <= bytes.size() / sizeof(Elf64_Sym));
    ENSURE(symbols[symbols.size()].name.empty());
  }
  if (const auto note = plugin::read_elf_note(*file)) ENSURE(note->build_id.size() <= 128);
}

}  // namespace

}  // namespace leat::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  leat::fuzz::run({reinterpret_cast<const char*>(data), size});
  return 0;
}
