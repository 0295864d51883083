#include "http2/priority.h"

#include <algorithm>

#include "base/text.h"

namespace leat::http2 {

Priority Priority::parse(std::string_view field) {
  Priority said;
  while (!field.empty()) {
    const size_t end = std::min(field.find(','), field.size());
    std::string_view member = trim(field.substr(0, end));
    field.remove_prefix(std::min(end + 1, field.size()));
    member = member.substr(0, member.find(';'));  // without parameters
    if (member.starts_with("u=") && member.size() == 3 && member[2] >= '0' && member[2] < '0' + kLevels)
      said.urgency = static_cast<uint8_t>(member[2] - '0');
    if (member == "i" || member == "i=?1") said.incremental = true;
    if (member == "i=?0") said.incremental = false;
  }
  return said;
}

}  // namespace leat::http2
