// WebSocket: what a reader makes of bytes must not depend on how they come. The first byte chooses what was agreed on and the
// size of pieces, the others are frames. A mask of zeros is put on frames that have none, so that those without are found
// as well as those with one.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "websocket/frames.h"

namespace {

// As descriptions have it, but whole.
std::string read(const leat::websocket::ReaderLimits& limits, std::string_view bytes, size_t piece) {
  using Event = leat::websocket::MessageReader::Event;
  leat::BlockPool memory{64, 0};
  leat::websocket::MessageReader reader(memory, limits);
  std::string seen;
  for (size_t at = 0; at < bytes.size(); at += piece) {
    const std::string come(bytes.substr(at, piece));
    for (size_t used = 0;;) {
      const Event event = reader.next(come, used);
      if (event == Event::More) {
        if (used != come.size()) std::abort();
        break;
      }
      seen += std::to_string(static_cast<int>(event)) + ":";
      if (event == Event::Close || event == Event::Failed) seen += std::to_string(reader.code());
      if (event != Event::Failed) seen.append(reader.payload());
      if (event == Event::Text && !leat::is_utf8(reader.payload())) std::abort();
      if (reader.payload().size() > limits.message_bytes && reader.payload().size() > 125) std::abort();
      seen += ";";
      if (event == Event::Failed) return seen;
      reader.release();
      if (!reader.within() && memory.charged() != 0) std::abort();
    }
  }
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const leat::websocket::ReaderLimits limits{.message_bytes = 20'000,
                                             .frame_bytes = 10'000,
                                             .masked = (data[0] & 1) != 0,
                                             .compressed = (data[0] & 2) != 0};
  const std::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);
  const std::string whole = read(limits, bytes, bytes.size());
  if (read(limits, bytes, 1) != whole) std::abort();
  if (read(limits, bytes, size_t{1} + (data[0] >> 2)) != whole) std::abort();
  return 0;
}
