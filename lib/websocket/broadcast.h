// Broadcast: one message for many, encoded once for each way in which they get it, and shared by all outputs that it waits in.
//
// Thread: any; each form is made by whoever needs it first.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "transport/output.h"

namespace leat::websocket {

enum class Kind : uint8_t { Text, Binary };

class Broadcast : public std::enable_shared_from_this<Broadcast> {
 public:
  // `name`: what an event of it is called, where it is sent as one (WHATWG HTML, server-sent events); may be empty.
  Broadcast(Kind kind, std::string_view message, std::string_view name, std::string_view id)
      : kind_(kind), message_(message), name_(name), id_(id) {}

  [[nodiscard]] Kind kind() const { return kind_; }
  [[nodiscard]] const std::string& message() const { return message_; }
  // A frame of WebSocket, head and all; the packed one is empty where packing does not make it smaller.
  [[nodiscard]] std::string_view frame() const;
  [[nodiscard]] std::string_view packed_frame() const;
  // An event of a stream of such.
  [[nodiscard]] std::string_view event() const;

  // Keeps it until the bytes have left. Nothing where memory is out.
  [[nodiscard]] transport::Release hold() const;

 private:
  const Kind kind_;
  const std::string message_, name_, id_;
  mutable std::once_flag framed_, packed_, told_;
  mutable std::string frame_, packed_frame_, event_;
};

// Writes an event: each line of `data` is one of its fields. What would end a field, in name or id, is left out.
void append_event(std::string& text, std::string_view name, std::string_view id, std::string_view data);

}  // namespace leat::websocket
