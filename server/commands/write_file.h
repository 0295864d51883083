// Files that commands write for people: a new one, which must not be there before, and one that takes another's place.
//
// What always holds: a file that is there is never half written, and what somebody else has written meanwhile is not lost.
#pragma once

#include <sys/types.h>

#include <expected>
#include <string>
#include <string_view>

namespace leat::server {

// Makes the file at `path`, with what the process's mask leaves of `mode`. An error is a sentence about it, also where there is
// one already.
std::expected<void, std::string> write_new_file(const std::string& path, std::string_view text,
                                                mode_t mode = 0666);

// Puts `text` in place of `former`, which is what the file at `path` said when it was read. It is written beside it and
// renamed, and keeps its mode and owner; of a link, the file that it leads to. An error, and nothing changed, where the
// owner cannot be kept, or the file says another thing by now.
std::expected<void, std::string> replace_file(const std::string& path, std::string_view former,
                                              std::string_view text);

}  // namespace leat::server
