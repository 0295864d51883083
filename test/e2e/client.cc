#include "e2e/client.h"

#include <arpa/inet.h>
#include <fmt/core.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "e2e/daemon.h"

namespace leat::e2e {
namespace {

constexpr size_t kReadBytes = 64 * 1024;
constexpr std::string_view kTls = "tls:";

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;
};

SocketAddress parse(const std::string& text) {
  SocketAddress address;
  if (text.starts_with("unix:")) {
    auto& local = reinterpret_cast<sockaddr_un&>(address.storage);
    REQUIRE(text.size() - 5 < sizeof local.sun_path);
    local.sun_family = AF_UNIX;
    std::memcpy(local.sun_path, text.data() + 5, text.size() - 5);
    address.length = sizeof local;
    return address;
  }
  const size_t colon = text.rfind(':');
  REQUIRE(colon != std::string::npos);
  const auto port = htons(static_cast<uint16_t>(std::stoi(text.substr(colon + 1))));
  if (text.starts_with('[')) {
    auto& six = reinterpret_cast<sockaddr_in6&>(address.storage);
    six.sin6_family = AF_INET6;
    six.sin6_port = port;
    REQUIRE(inet_pton(AF_INET6, text.substr(1, colon - 2).c_str(), &six.sin6_addr) == 1);
    address.length = sizeof six;
  } else {
    auto& four = reinterpret_cast<sockaddr_in&>(address.storage);
    four.sin_family = AF_INET;
    four.sin_port = port;
    REQUIRE(inet_pton(AF_INET, text.substr(0, colon).c_str(), &four.sin_addr) == 1);
    address.length = sizeof four;
  }
  return address;
}

// A connected, non-blocking socket, or -1 with errno.
int connect_to(const std::string& text, int receive_bytes, const char* from = nullptr) {
  const SocketAddress address = parse(text);
  const int fd = socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  REQUIRE(fd >= 0);
  const int on = 1;
  if (receive_bytes > 0) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes);
  if (address.storage.ss_family != AF_UNIX) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (from != nullptr) {
    sockaddr_in own{.sin_family = AF_INET, .sin_port = 0, .sin_addr = {}, .sin_zero = {}};
    REQUIRE(inet_pton(AF_INET, from, &own.sin_addr) == 1);
    REQUIRE(bind(fd, reinterpret_cast<const sockaddr*>(&own), sizeof own) == 0);
  }
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address.storage), address.length) == 0) return fd;
  const int error = errno;
  close(fd);
  errno = error;
  return -1;
}

bool wait_for(int fd, short events, int timeout_ms) {
  pollfd waited{fd, events, 0};
  return poll(&waited, 1, timeout_ms) == 1;
}

int patience_ms() {
  return static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(kPatience).count());
}

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char letter) { return std::tolower(letter); });
  return text;
}

uint64_t number(std::string_view text, int base) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  INFO("a number: " << text);
  REQUIRE((error == std::errc() && end == text.data() + text.size()));
  return value;
}

}  // namespace

std::optional<std::string> Response::field(std::string_view name) const {
  std::optional<std::string> found;
  for (const auto& [key, value] : fields) {
    if (key != name) continue;
    INFO("two fields " << key);
    REQUIRE_FALSE(found.has_value());
    found = value;
  }
  return found;
}

bool Response::is_problem(int expected) const {
  return status == expected && field("content-type") == "application/problem+json" && body.starts_with('{') &&
         body.ends_with('}') && body.contains(fmt::format("\"status\":{}", expected)) &&
         body.contains("\"title\":");
}

Client::Client(const std::string& address, int receive_bytes, const char* from)
    : fd_(connect_to(address.starts_with(kTls) ? address.substr(kTls.size()) : address, receive_bytes,
                     from)) {
  INFO(address << ": " << std::strerror(errno));
  REQUIRE(fd_ >= 0);
  if (!address.starts_with(kTls)) return;
  static SSL_CTX* const context = SSL_CTX_new(TLS_client_method());
  const timeval patience{.tv_sec = kPatience.count(), .tv_usec = 0};
  setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  ssl_ = SSL_new(context);
  SSL_set_fd(ssl_, fd_);
  REQUIRE(SSL_connect(ssl_) == 1);
}

Client::~Client() {
  SSL_free(ssl_);
  if (fd_ >= 0) close(fd_);
}

std::string Client::peek() const {
  std::string bytes(512, '\0');
  const ssize_t size = recv(fd_, bytes.data(), bytes.size(), MSG_PEEK | MSG_DONTWAIT);
  bytes.resize(size > 0 ? static_cast<size_t>(size) : 0);
  return bytes;
}

bool Client::refused(const std::string& address) {
  const int fd = connect_to(address, 0);
  if (fd >= 0) close(fd);
  return fd < 0;
}

long Client::receive(char* to, size_t size) const {
  return ssl_ != nullptr ? SSL_read(ssl_, to, static_cast<int>(size)) : recv(fd_, to, size, 0);
}

bool Client::wait_to_read(int wait_ms) const {
  return (ssl_ != nullptr && SSL_pending(ssl_) > 0) || wait_for(fd_, POLLIN, wait_ms);
}

bool Client::try_send(std::string_view bytes) {
  if (ssl_ != nullptr) return SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size())) > 0;
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) {
      bytes.remove_prefix(static_cast<size_t>(sent));
    } else if (errno == EAGAIN) {
      if (!wait_for(fd_, POLLOUT, patience_ms())) return false;
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

std::string Client::try_read_body() {
  constexpr std::string_view kLength = "Content-Length: ";
  for (;;) {
    const size_t head = buffer_.find("\r\n\r\n");
    const size_t field = buffer_.find(kLength);
    if (head != std::string::npos && field < head) {
      size_t length = 0;
      std::from_chars(buffer_.data() + field + kLength.size(), buffer_.data() + head, length);
      if (buffer_.size() >= head + 4 + length) {
        std::string body = buffer_.substr(head + 4, length);
        buffer_.erase(0, head + 4 + length);
        return body;
      }
    } else if (head != std::string::npos) {
      return {};
    }
    if (!wait_to_read(patience_ms())) return {};
    char piece[4096];
    const ssize_t got = receive(piece, sizeof piece);
    if (got <= 0) return {};
    buffer_.append(piece, static_cast<size_t>(got));
  }
}

void Client::send(std::string_view bytes) { REQUIRE(try_send(bytes)); }

bool Client::fill() {
  REQUIRE(wait_to_read(patience_ms()));
  const size_t before = buffer_.size();
  buffer_.resize(before + kReadBytes);
  const ssize_t count = receive(buffer_.data() + before, kReadBytes);
  buffer_.resize(before + static_cast<size_t>(std::max<ssize_t>(count, 0)));
  return count > 0;
}

std::string Client::take(size_t bytes) {
  while (buffer_.size() < bytes) {
    INFO("the answer is cut: " << buffer_.size() << " of " << bytes << " bytes");
    REQUIRE(fill());
  }
  std::string taken = buffer_.substr(0, bytes);
  buffer_.erase(0, bytes);
  return taken;
}

std::string Client::take_line() {
  size_t end = 0;
  while ((end = buffer_.find("\r\n")) == std::string::npos) {
    INFO("the line is cut: " << buffer_);
    REQUIRE(fill());
  }
  std::string line = take(end + 2);
  line.resize(end);
  REQUIRE(line.find_first_of("\r\n") == std::string::npos);
  return line;
}

std::vector<std::pair<std::string, std::string>> Client::take_fields() {
  std::vector<std::pair<std::string, std::string>> fields;
  for (std::string line = take_line(); !line.empty(); line = take_line()) {
    const size_t colon = line.find(':');
    INFO("a field: " << line);
    REQUIRE((colon != std::string::npos && colon > 0));
    const size_t from = line.find_first_not_of(" \t", colon + 1);
    fields.emplace_back(lower(line.substr(0, colon)), from == std::string::npos ? "" : line.substr(from));
  }
  return fields;
}

void Client::take_chunked(Response& response) {
  response.chunked = true;
  while (const uint64_t size = number(take_line(), 16)) {
    response.body += take(size);
    REQUIRE(take_line().empty());
  }
  response.trailers = take_fields();
}

Response Client::read_response(bool to_head) {
  Response response;
  do {
    if (response.status != 0) response.interim.push_back(response.status);
    const std::string line = take_line();
    INFO("a status line: " << line);
    REQUIRE((line.size() >= 13 && line.starts_with("HTTP/1.") && line[8] == ' ' && line[12] == ' '));
    response.version = line.substr(0, 8);
    response.status = static_cast<int>(number(line.substr(9, 3), 10));
    response.reason = line.substr(13);
    response.fields = take_fields();
  } while (response.status < 200);
  const auto length = response.field("content-length");
  const auto coding = response.field("transfer-encoding");
  REQUIRE_FALSE((length && coding));
  if (to_head || response.status == 204 || response.status == 304) return response;
  if (coding) {
    REQUIRE(*coding == "chunked");
    take_chunked(response);
  } else if (length) {
    response.body = take(number(*length, 10));
  } else {
    response.body = read_to_end();
  }
  return response;
}

std::string Client::read_some(int wait_ms) {
  if (buffer_.empty() && wait_to_read(wait_ms)) fill();
  return std::exchange(buffer_, {});
}

std::string Client::read_up_to(size_t bytes) {
  if (buffer_.empty()) {
    REQUIRE(wait_to_read(patience_ms()));
    std::string piece(bytes, '\0');
    const ssize_t count = receive(piece.data(), bytes);
    piece.resize(static_cast<size_t>(std::max<ssize_t>(count, 0)));
    return piece;
  }
  return take(std::min(bytes, buffer_.size()));
}

std::string Client::read_to_end() {
  while (fill()) {
  }
  return std::exchange(buffer_, {});
}

bool Client::at_end() const {
  char byte = 0;
  const ssize_t count = buffer_.empty() ? recv(fd_, &byte, 1, MSG_PEEK | MSG_DONTWAIT) : 1;
  return count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR);
}

void Client::half_close() { shutdown(fd_, SHUT_WR); }

void Client::reset() {
  const linger at_once{1, 0};
  setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close(std::exchange(fd_, -1));
}

std::vector<Client> connect_all(const std::string& address, size_t count) {
  std::vector<Client> clients;
  clients.reserve(count);
  for (size_t i = 0; i < count; ++i) clients.emplace_back(address);
  return clients;
}

std::vector<Client> send_all(const std::string& address, size_t count, std::string_view request) {
  std::vector<Client> clients;
  clients.reserve(count);
  for (size_t i = 0; i < count; ++i) clients.emplace_back(address).send(request);
  return clients;
}

int64_t number_after(std::string_view text, std::string_view name) {
  const size_t at = text.find(name);
  int64_t value = -1;
  if (at != std::string_view::npos)
    std::from_chars(text.data() + at + name.size(), text.data() + text.size(), value);
  return value;
}

std::string get(std::string_view target) {
  return fmt::format("GET {} HTTP/1.1\r\nHost: test\r\n\r\n", target);
}

std::string with_body(std::string_view method, std::string_view target, std::string_view body,
                      std::string_view fields) {
  return fmt::format("{} {} HTTP/1.1\r\nHost: test\r\nContent-Length: {}\r\n{}\r\n{}", method, target,
                     body.size(), fields, body);
}

}  // namespace leat::e2e
