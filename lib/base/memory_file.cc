#include "base/memory_file.h"

#include <sys/mman.h>

namespace leat {

Expected<Fd> memory_file(const char* name, std::string_view bytes, unsigned flags) {
  Fd fd(::memfd_create(name, MFD_CLOEXEC | flags));
  if (!fd) return system_error("memfd_create");
  if (!write_all(fd.get(), bytes)) return system_error("write");
  return fd;
}

}  // namespace leat
