// What a Host field and the target of a request in absolute form may say: uri-host [ ":" port ] of RFC 3986,
// section 3.2. It is checked to the letter, since what two programs of a chain read differently is how one of
// them is led to answer for another host.
#pragma once

#include <string_view>

namespace leat::http {

// A host with an optional port: a name whose percent-encodings are whole, an IPv4 address, or an IPv6 one in
// brackets; the port is empty or at most 65535. No user information. Stricter than the RFC where that is of
// use to nobody: no host that is empty, no comma in a name, which a list of values could be made with, and no
// address of a version that does not exist yet.
bool is_authority(std::string_view text);

}  // namespace leat::http
