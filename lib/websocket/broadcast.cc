#include "websocket/broadcast.h"

#include <new>

#include "websocket/frame.h"
#include "websocket/workspace.h"

namespace leat::websocket {

namespace {

// Smaller ones are as large packed.
constexpr size_t kLeastPacked = 128;

std::string frame_of(Kind kind, std::string_view payload, bool compressed) {
  char head[kMostHead];
  const size_t size = put_head(head, {.opcode = kind == Kind::Text ? Opcode::Text : Opcode::Binary,
                                      .compressed = compressed,
                                      .size = payload.size()});
  return std::string(head, size).append(payload);
}

void append_field(std::string& text, std::string_view field, std::string_view value) {
  if (value.empty()) return;
  text.append(field).append(": ");
  for (const char c : value)
    if (c != '\r' && c != '\n' && c != '\0') text += c;
  text += '\n';
}

}  // namespace

std::string_view Broadcast::frame() const {
  std::call_once(framed_, [this] { frame_ = frame_of(kind_, message_, false); });
  return frame_;
}

std::string_view Broadcast::packed_frame() const {
  std::call_once(packed_, [this] {
    coding::RawDeflater* const packer =
        message_.size() < kLeastPacked ? nullptr : workspace().packer(Workspace::kMostWindow);
    if (packer == nullptr) return;
    std::string packed(message_.size(), '\0');
    const auto size = packer->pack(message_, packed);
    if (size) packed_frame_ = frame_of(kind_, std::string_view(packed).substr(0, *size), true);
  });
  return packed_frame_;
}

std::string_view Broadcast::event() const {
  std::call_once(told_, [this] { append_event(event_, name_, id_, message_); });
  return event_;
}

transport::Release Broadcast::hold() const {
  auto* const held = new (std::nothrow) std::shared_ptr<const Broadcast>(shared_from_this());
  if (held == nullptr) return {};
  return {[](void* context) { delete static_cast<std::shared_ptr<const Broadcast>*>(context); }, held};
}

void append_event(std::string& text, std::string_view name, std::string_view id, std::string_view data) {
  append_field(text, "event", name);
  append_field(text, "id", id);
  while (true) {
    const size_t end = data.find_first_of("\r\n");
    text.append("data: ").append(data.substr(0, end)) += '\n';
    if (end == std::string_view::npos) break;
    data.remove_prefix(end + (data.substr(end).starts_with("\r\n") ? 2 : 1));
  }
  text += '\n';
}

}  // namespace leat::websocket
