// leat-ceiling: what the loop could do if HTTP cost nothing.
//
// The same loop and engine as the daemon's, and the same discipline for each connection (one receive that
// stays armed, one send under way, one gathered answer a turn, close as a join), but nothing is parsed: blank
// lines are counted and each is answered with a copy of one constant. No server on this loop can be faster,
// so what the daemon costs above this is what HTTP costs it. Copies of the answer lie side by side in memory,
// so that a send is one part however many answers it holds.
//
//   leat-ceiling --listen 127.0.0.1:9000 [--cpu N] [--engine auto|io_uring|epoll]
//                [--task-run defer|cooperative|interrupt] [--buffers N] [--buffer-size BYTES] [--answer FILE]
//
// Runs until SIGTERM or SIGINT, then prints what it did.
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "net/engine_choice.h"
#include "net/listener.h"
#include "net/loop.h"

namespace {

using namespace leat;
using net::Completion;
using net::Op;
using net::Token;

constexpr std::string_view kAnswer =
    "HTTP/1.1 200 OK\r\n"
    "Server: leat\r\n"
    "Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
    "Content-Type: application/json\r\n"
    "Content-Length: 27\r\n"
    "\r\n"
    R"({"message":"Hello, World!"})";
// In one send: a thousand of the usual answer, fewer of a large one, so that they stay in the CPU's cache as
// they would for a server that makes each from one place.
constexpr size_t kMostCopies = 1024;
constexpr size_t kCopiedBytes = size_t{192} << 10;

// Blank lines in bytes that come in pieces: `matched` is how much of one the pieces before ended with.
class BlankLines {
 public:
  size_t count(std::string_view bytes) {
    size_t found = 0;
    while (matched_ != 0 && !bytes.empty()) {
      matched_ = bytes[0] == kBlankLine[matched_] ? matched_ + 1 : bytes[0] == '\r';
      bytes.remove_prefix(1);
      if (matched_ == kBlankLine.size()) {
        matched_ = 0;
        ++found;
      }
    }
    found += count_whole(bytes);
    if (bytes.ends_with(kBlankLine)) return found;
    for (size_t length = std::min(bytes.size(), kBlankLine.size() - 1); length > 0; --length) {
      if (!bytes.ends_with(kBlankLine.substr(0, length))) continue;
      matched_ = length;
      break;
    }
    return found;
  }

 private:
  static constexpr std::string_view kBlankLine = "\r\n\r\n";

  // Branch-free in blocks whose count fits a byte: the compiler makes vector code of it.
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__)
  __attribute__((target_clones("avx2", "default")))
#endif
  static size_t
  count_whole(std::string_view bytes) {
    if (bytes.size() < kBlankLine.size()) return 0;
    const size_t places = bytes.size() - (kBlankLine.size() - 1);
    size_t found = 0;
    for (size_t from = 0; from < places;) {
      const size_t to = std::min(places, from + 192);
      unsigned char in_block = 0;
      for (; from < to; ++from)
        in_block = static_cast<unsigned char>(
            in_block + ((bytes.data()[from] == '\r') & (bytes.data()[from + 1] == '\n') &
                        (bytes.data()[from + 2] == '\r') & (bytes.data()[from + 3] == '\n')));
      found += in_block;
    }
    return found;
  }

  size_t matched_ = 0;
};

class Ceiling final : public net::LoopClient {
 public:
  Ceiling(net::Engine& engine, int listener, std::string_view answer)
      : engine_(engine), listener_(listener), answer_size_(answer.size()) {
    const size_t copies = std::clamp<size_t>(kCopiedBytes / answer_size_, 1, kMostCopies);
    for (size_t i = 0; i < copies; ++i) answers_ += answer;
    accept();
  }

  void on_completion(const Completion& completion) override {
    if (completion.token.op() == Op::Accept) return on_accept(completion);
    const uint32_t slot = completion.token.slot();
    Connection& connection =
        connections_[slot];  // never stale: a slot is free when all of its operations ended
    if (completion.token.op() == Op::Send) {
      connection.sending = false;
      if (completion.result > 0) {
        connection.owed -= static_cast<size_t>(completion.result);
        connection.offset = (connection.offset + static_cast<size_t>(completion.result)) % answer_size_;
        if (connection.owed == 0 && !connection.ending) [[likely]]
          return;
      } else {
        end(connection);
      }
      return mark(slot, connection);
    }
    connection.receiving = completion.armed;
    if (completion.result > 0) [[likely]] {
      const size_t requests = connection.lines.count({completion.buffer.data, completion.buffer.size});
      engine_.release(completion.buffer.id);
      connection.owed += requests * answer_size_;
      answered_ += requests;
    } else if (completion.result != -ENOBUFS) {
      end(connection);
    }
    mark(slot, connection);
  }

  void on_turn_end() override {
    for (const uint32_t slot : dirty_) flush(slot);
    dirty_.clear();
  }

  [[nodiscard]] uint64_t answered() const { return answered_; }

 private:
  struct Connection {
    int fd = -1;
    bool receiving = false;
    bool sending = false;
    bool ending = false;
    bool dirty = false;
    BlankLines lines;
    size_t owed = 0;    // bytes of answers not yet sent
    size_t offset = 0;  // of the next byte in its answer
  };

  void accept() { engine_.accept(Token(Op::Accept, 0, 0), listener_); }

  void on_accept(const Completion& completion) {
    accepting_ = completion.armed;
    if (completion.result < 0) return;  // out of descriptors: again when one is free
    uint32_t slot = static_cast<uint32_t>(connections_.size());
    if (free_.empty()) {
      connections_.emplace_back();
    } else {
      slot = free_.back();
      free_.pop_back();
    }
    connections_[slot] = {};
    connections_[slot].fd = completion.result;
    mark(slot, connections_[slot]);
    if (!accepting_) accept_again();
  }

  void accept_again() {
    accepting_ = true;
    accept();
  }

  void mark(uint32_t slot, Connection& connection) {
    if (std::exchange(connection.dirty, true)) return;
    dirty_.push_back(slot);
  }

  void end(Connection& connection) {
    if (std::exchange(connection.ending, true)) return;
    if (connection.receiving || connection.sending) ::shutdown(connection.fd, SHUT_RDWR);
  }

  void flush(uint32_t slot) {
    Connection& connection = connections_[slot];
    connection.dirty = false;
    if (connection.ending) [[unlikely]] {
      if (connection.receiving || connection.sending) return;
      ::close(connection.fd);
      free_.push_back(slot);
      if (!accepting_) accept_again();
      return;
    }
    if (connection.owed != 0 && !connection.sending) {
      const iovec part{answers_.data() + connection.offset,
                       std::min(connection.owed, answers_.size() - connection.offset)};
      connection.sending = true;
      engine_.send(Token(Op::Send, slot, 0), connection.fd, {&part, 1});
    }
    if (!connection.receiving) {
      connection.receiving = true;
      engine_.receive(Token(Op::Receive, slot, 0), connection.fd);
    }
  }

  net::Engine& engine_;
  int listener_;
  bool accepting_ = true;
  const size_t answer_size_;
  std::string answers_;
  std::vector<Connection> connections_;
  std::vector<uint32_t> free_;
  std::vector<uint32_t> dirty_;  // to be looked at when the turn ends
  uint64_t answered_ = 0;
};

struct Arguments {
  std::string answer;  // a file
  std::string listen = "127.0.0.1:9000";
  int cpu = -1;
  net::EngineChoice engine = net::EngineChoice::Auto;
  net::UringOptions options;
};

void declare(CLI::App& app, Arguments& arguments) {
  using enum net::UringOptions::TaskRun;
  const std::map<std::string, net::EngineChoice> engines = {{"auto", net::EngineChoice::Auto},
                                                            {"io_uring", net::EngineChoice::Uring},
                                                            {"epoll", net::EngineChoice::Epoll}};
  const std::map<std::string, net::UringOptions::TaskRun> task_runs = {
      {"defer", Defer}, {"cooperative", Cooperative}, {"interrupt", Interrupt}};
  app.add_option("--listen", arguments.listen, "address to listen on");
  app.add_option("--answer", arguments.answer,
                 "a file with the answer, head and body, in place of the usual one");
  app.add_option("--cpu", arguments.cpu, "core to run on");
  app.add_option("--engine", arguments.engine)->transform(CLI::CheckedTransformer(engines));
  app.add_option("--task-run", arguments.options.task_run)->transform(CLI::CheckedTransformer(task_runs));
  app.add_option("--buffers", arguments.options.buffers.count, "receive buffers");
  app.add_option("--buffer-size", arguments.options.buffers.size, "bytes of a receive buffer");
}

[[noreturn]] void fail(const std::string& reason) {
  std::fprintf(stderr, "leat-ceiling: %s\n", reason.c_str());
  std::exit(1);
}

template <class T>
T need(Expected<T> value) {
  if (!value) fail(value.error().text());
  return std::move(*value);
}

void pin(int cpu) {
  if (cpu < 0) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<size_t>(cpu), &set);
  if (::sched_setaffinity(0, sizeof set, &set) != 0) fail("cannot run on that core");
}

net::Loop* running = nullptr;  // for the signal handler

}  // namespace

int main(int count, char** values) {
  Arguments arguments;
  CLI::App app("What the loop could do if HTTP cost nothing.");
  declare(app, arguments);
  CLI11_PARSE(app, count, values);

  pin(arguments.cpu);
  const auto address = net::Address::parse(arguments.listen);
  if (!address) fail(address.error());
  const Fd listener = need(net::listen_on(*address, {}));
  const net::ChosenEngine chosen = need(net::create_engine(arguments.engine, arguments.options));
  const auto loop = need(net::Loop::create(*chosen.engine));
  std::string answer(kAnswer);
  if (!arguments.answer.empty()) {
    std::ifstream file(arguments.answer, std::ios::binary);
    answer.assign(std::istreambuf_iterator<char>(file), {});
    if (answer.empty()) fail("cannot read the answer's file");
  }
  Ceiling ceiling(*chosen.engine, listener.get(), answer);

  running = loop.get();
  struct sigaction action{};
  action.sa_handler = [](int) { running->stop(); };
  ::sigaction(SIGTERM, &action, nullptr);
  ::sigaction(SIGINT, &action, nullptr);

  const std::string where = need(net::local_address(listener.get())).text();
  std::printf("leat-ceiling on %s: %s\n", where.c_str(), std::string(chosen.engine->description()).c_str());
  std::fflush(stdout);
  loop->run(ceiling);
  std::printf("%llu answers in %llu turns\n", static_cast<unsigned long long>(ceiling.answered()),
              static_cast<unsigned long long>(loop->turns()));
  return 0;
}
