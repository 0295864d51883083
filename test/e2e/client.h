// Client: a peer of the daemon that can be as polite or as rude as a test wants, over a real socket.
//
// What it reads it takes for HTTP/1.1 as RFC 9112 has it and fails the test at anything else: it shares no
// code with the daemon, so that the two cannot agree on the same mistake. Every wait ends after kPatience.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

struct ssl_st;  // OpenSSL's

namespace leat::e2e {

struct Response {
  std::string version;
  int status = 0;
  std::string reason;
  std::vector<std::pair<std::string, std::string>> fields;  // names in lower case
  std::string body;
  bool chunked = false;
  std::vector<std::pair<std::string, std::string>> trailers;
  std::vector<int> interim;  // the 1xx answers before this one

  // The value of the only field of that (lower-case) name; empty if there is none. Two of them fail the test.
  [[nodiscard]] std::optional<std::string> field(std::string_view name) const;
  // Is it an RFC 9457 answer of that status whose "status" member agrees?
  [[nodiscard]] bool is_problem(int expected) const;
};

class Client {
 public:
  // "127.0.0.1:80", "[::1]:80" or "unix:/path"; with "tls:" before it over TLS, and the certificate is not looked at.
  // `receive_bytes` sets SO_RCVBUF before connecting; `from` is the client's own IPv4 address.
  explicit Client(const std::string& address, int receive_bytes = 0, const char* from = nullptr);
  ~Client();
  Client(Client&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)),
        ssl_(std::exchange(other.ssl_, nullptr)),
        buffer_(std::move(other.buffer_)) {}
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  Client& operator=(Client&&) = delete;

  // Sends all of it; fails the test if the daemon hangs up or stops reading meanwhile.
  void send(std::string_view bytes);
  // The same without an assertion, for use in a second thread. False: it hung up or took no more.
  bool try_send(std::string_view bytes);
  // The body of the next answer, framed by its length, without an assertion. Empty for anything else.
  std::string try_read_body();
  // The next answer. `to_head`: the request was a HEAD, so that no body follows.
  Response read_response(bool to_head = false);
  Response ask(std::string_view request) {
    send(request);
    return read_response();
  }
  // What can be read within `wait_ms`: empty when nothing came. Does not tell silence from a hang-up.
  std::string read_some(int wait_ms);
  // What has come by now and was not read, up to some hundred bytes; it stays.
  [[nodiscard]] std::string peek() const;
  // At least one byte, at most `bytes`; empty at the daemon's hang-up.
  std::string read_up_to(size_t bytes);
  // Waits for the hang-up and returns what came before it; a reset counts as one.
  std::string read_to_end();
  // Has it hung up by now, with nothing left to read? Takes nothing, and does not wait.
  [[nodiscard]] bool at_end() const;
  // Is the daemon's end closed, with nothing more said?
  [[nodiscard]] bool hung_up() { return read_to_end().empty(); }
  void half_close();  // our end: FIN
  void reset();       // both ends: RST
  // The connection cannot be opened at all.
  static bool refused(const std::string& address);

 private:
  long receive(char* to, size_t size) const;  // as recv()
  [[nodiscard]] bool wait_to_read(int wait_ms) const;
  bool fill();  // reads more into buffer_; false at the end
  std::string take_line();
  std::string take(size_t bytes);
  std::vector<std::pair<std::string, std::string>> take_fields();
  void take_chunked(Response& response);

  int fd_ = -1;
  ssl_st* ssl_ = nullptr;
  std::string buffer_;  // received, not consumed
};

// So many, connected.
std::vector<Client> connect_all(const std::string& address, size_t count);
// The same, each of which has sent that.
std::vector<Client> send_all(const std::string& address, size_t count, std::string_view request);

// The number that follows `name` in a text, such as the metrics; -1 where there is none.
int64_t number_after(std::string_view text, std::string_view name);

// A GET of `target` with the least a request must have.
std::string get(std::string_view target);
// A request with a body framed by Content-Length; `fields` are whole lines, each with its CRLF.
std::string with_body(std::string_view method, std::string_view target, std::string_view body,
                      std::string_view fields = {});

}  // namespace leat::e2e
