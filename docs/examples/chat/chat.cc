// A chat: rooms over WebSocket, whatever their clients' workers; the same messages as a stream of events for who only listens; and
// the page that speaks with both.
#include <leat/plugin.hpp>

#include <string>
#include <string_view>

#include "page.h"

namespace {

class Chat;

// One client in one room.
class Member {
 public:
  // Names are what the others see: a few characters, and none that would be markup.
  void on_request(leat::Path<std::string_view, "room"> room,
                  leat::Query<std::string_view, "name", leat::Length{1, 20}> name) {
    room_ = *room;
    for (const char c : *name) name_ += c == '<' || c == '>' || c == '&' ? '_' : c;
  }
  void on_open(leat::WebSocket& socket, Chat& chat) { say(chat, socket, name_ + " came in", true); }
  void on_message(leat::WebSocket& socket, leat::Message message, Chat& chat) {
    if (message.kind == leat::MessageKind::Text) say(chat, socket, name_ + ": " + std::string(message.text));
  }
  void on_close(leat::WebSocket& socket, leat::Closed, Chat& chat) { say(chat, socket, name_ + " left"); }

  static constexpr uint64_t kMessageBytes = 4096;

 private:
  void say(Chat& chat, leat::WebSocket& socket, std::string line, bool joins = false) const;
  std::string room_, name_;
};

class Chat : public leat::Plugin<Chat> {
 public:
  explicit Chat(leat::Setup& setup) : host(setup.host()) {}

  leat::Reply page() { return leat::html(kPage); }

  leat::Reply listen(leat::Path<std::string_view, "room"> room, leat::Request& request) {
    const leat::Events events(request, {.retry = std::chrono::seconds(2)});
    events.subscribe(*room);
    return leat::pending();
  }

  static constexpr auto handlers() {
    return leat::list(handler<&Chat::page>("page"), websocket<Member>("room"),
                      handler<&Chat::listen>("listen"));
  }

  const leat_host* const host;
};

// To all in the room, on all workers; who comes in hears of it as well.
void Member::say(Chat& chat, leat::WebSocket& socket, std::string line, bool joins) const {
  if (joins) socket.subscribe(room_, leat::Slow::Close);
  leat::publish(chat.host, room_, line);
}

}  // namespace

LEAT_PLUGIN(Chat, "chat", "1.0.0")
