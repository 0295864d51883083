// The client's end of a WebSocket: it speaks the protocol as a browser does, so that a test says and hears messages.
#include <charconv>

#include "server/testhost/engine.h"
#include "websocket/frame.h"

namespace leat::testing {

// The key of RFC 6455, section 1.3: nobody is to be surprised by it here.
WebSocket::Line::Line(Host::Impl& impl, std::string_view target,
                      const std::vector<std::pair<std::string, std::string>>& headers)
    : host(&impl) {
  session.emplace(*impl.environment, http::peer_at("192.0.2.7"));
  to_send = "GET " + std::string(target) +
            " HTTP/1.1\r\nHost: test.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
  for (const auto& [name, value] : headers) to_send += name + ": " + value + "\r\n";
  to_send += "\r\n";
  impl.lines_of_sockets.push_back(this);
}

WebSocket::Line::~Line() { leave(); }

void WebSocket::Line::leave() {
  if (host == nullptr) return;
  if (session) {
    session->disconnect();
    session.reset();
  }
  host->lines_of_sockets.remove(this);
  host = nullptr;
}

bool WebSocket::Line::step() {
  if (!session) return false;
  if (!session->output().empty()) {
    read(take_output(*session));
    return true;
  }
  if (session->finished()) {
    if (close_code == 0) close_code = websocket::close_code::kAbnormal;
    session->disconnect();
    session.reset();
    return true;
  }
  if (session->wants_turn()) {
    session->take_turn();
    return true;
  }
  if (to_send.empty() || !session->wants_input()) return false;
  session->feed(std::exchange(to_send, {}));
  return true;
}

void WebSocket::Line::read(std::string_view bytes) {
  if (!head.ends_with("\r\n\r\n")) {
    const size_t before = head.size();
    head += bytes;
    const size_t end = head.find("\r\n\r\n");
    if (end == std::string::npos) return;
    bytes.remove_prefix(end + 4 - before);
    head.resize(end + 4);
  }
  if (!head.starts_with("HTTP/1.1 101 ")) return;
  using Event = websocket::MessageReader::Event;
  for (size_t used = 0;;) {
    switch (reader_.next(bytes, used)) {
      case Event::Text:
      case Event::Binary:
        messages.emplace_back(reader_.payload());
        break;
      case Event::Ping:
        say(websocket::Opcode::Pong, reader_.payload());
        break;
      case Event::Pong:
        break;
      case Event::Close:
        close_code = reader_.code();
        close_reason = reader_.payload();
        if (!said_close_) say(websocket::Opcode::Close, {});
        break;
      case Event::Failed:
        host->log.add_problem("a WebSocket sent what is none: " + std::string(reader_.why()));
        return;
      case Event::More:
        return;
    }
    reader_.release();
  }
}

// Masked with zeros, which are a mask like any other.
void WebSocket::Line::say(websocket::Opcode opcode, std::string_view payload) {
  if (opcode == websocket::Opcode::Close) said_close_ = true;
  char bytes[websocket::kMostHead];
  const size_t size = websocket::put_head(bytes, {.opcode = opcode, .size = payload.size()});
  bytes[1] = static_cast<char>(bytes[1] | 0x80);
  to_send.append(bytes, size).append(4, '\0').append(payload);
}

WebSocket::WebSocket(std::unique_ptr<Line> line) : line_(std::move(line)) {}
WebSocket::WebSocket(WebSocket&&) noexcept = default;
WebSocket& WebSocket::operator=(WebSocket&&) noexcept = default;
WebSocket::~WebSocket() {
  if (line_ == nullptr || line_->host == nullptr) return;
  Host::Impl& host = *line_->host;
  line_->leave();
  host.settle();
}

int WebSocket::status() const {
  int status = 0;
  constexpr size_t kAt = sizeof("HTTP/1.1 ") - 1;
  if (line_->head.size() > kAt + 3)
    std::from_chars(line_->head.data() + kAt, line_->head.data() + kAt + 3, status);
  return status;
}

std::string WebSocket::protocol() const {
  constexpr std::string_view kName = "Sec-WebSocket-Protocol: ";
  const size_t at = line_->head.find(kName);
  if (at == std::string::npos) return {};
  const size_t begin = at + kName.size();
  return line_->head.substr(begin, line_->head.find("\r\n", begin) - begin);
}

void WebSocket::send(std::string_view text) {
  line_->say(websocket::Opcode::Text, text);
  if (line_->host != nullptr) line_->host->settle();
}

void WebSocket::send_binary(std::string_view bytes) {
  line_->say(websocket::Opcode::Binary, bytes);
  if (line_->host != nullptr) line_->host->settle();
}

void WebSocket::send_raw(std::string_view bytes) {
  line_->to_send += bytes;
  if (line_->host != nullptr) line_->host->settle();
}

std::optional<std::string> WebSocket::receive() {
  if (line_->messages.empty() && line_->host != nullptr) line_->host->wait_at_once();
  if (line_->messages.empty()) return std::nullopt;
  std::optional<std::string> message(std::move(line_->messages.front()));
  line_->messages.pop_front();
  return message;
}

void WebSocket::close(int code, std::string_view reason) {
  std::string payload = {static_cast<char>(code >> 8), static_cast<char>(code & 0xff)};
  line_->say(websocket::Opcode::Close, payload.append(reason));
  if (line_->host != nullptr) line_->host->settle();
}

int WebSocket::close_code() {
  if (line_->host != nullptr) line_->host->wait_at_once();
  return line_->close_code;
}
std::string WebSocket::close_reason() const { return line_->close_reason; }

WebSocket Host::websocket(std::string_view target,
                          const std::vector<std::pair<std::string, std::string>>& headers) {
  Impl& impl = open();
  WebSocket made(std::make_unique<WebSocket::Line>(impl, target, headers));
  impl.settle();
  return made;
}

}  // namespace leat::testing
