#include "support/odd_transport.h"

#include <algorithm>
#include <array>

#include "base/check.h"

namespace leat::test {

namespace {

constexpr size_t kOddSizes[] = {1, 3, 700, 13, 16'001, 2, 4'097};
constexpr size_t kHeader = 3;

size_t length_of(std::string_view header) {
  return static_cast<size_t>(static_cast<unsigned char>(header[1])) << 8 |
         static_cast<unsigned char>(header[2]);
}

std::string make_record(RunningKey& key, char kind, std::string_view plain) {
  ENSURE(plain.size() < 65'536);
  std::string bytes{kind, static_cast<char>(plain.size() >> 8), static_cast<char>(plain.size())};
  for (const char byte : plain) bytes += static_cast<char>(byte ^ key.next());
  return bytes;
}

}  // namespace

void OddTransport::received(std::string_view wire, transport::PlainSink& sink) {
  for (const char byte : wire) {
    if (state_ == State::Failed || state_ == State::Ended) return;
    record_ += byte;
    if (record_.size() >= kHeader && record_.size() == kHeader + length_of(record_)) end_record(sink);
  }
}

void OddTransport::end_record(transport::PlainSink& sink) {
  std::string plain = record_.substr(kHeader);
  for (char& byte : plain) byte = static_cast<char>(byte ^ in_.next());
  const char kind = record_[0];
  record_.clear();
  if (state_ == State::Handshake) {
    state_ = kind == 'h' && plain == kOddHello ? State::Open : State::Failed;
  } else if (kind == 'e') {
    state_ = State::Ended;
  } else if (kind != 'd') {
    state_ = State::Failed;
  } else {
    for (std::string_view left = plain; !left.empty();) {
      const size_t size = std::min(left.size(), kOddSizes[odd_++ % std::size(kOddSizes)]);
      sink.plain(left.substr(0, size));
      left.remove_prefix(size);
    }
  }
}

bool OddTransport::put(transport::Output& wire, char kind, std::string_view plain) {
  const RunningKey before = out_;
  if (wire.has_room(plain.size() + kHeader) && wire.append(make_record(out_, kind, plain))) return true;
  out_ = before;  // nothing of it was said
  return false;
}

size_t OddTransport::seal(const transport::Output& plain, transport::Output& wire) {
  if (state_ == State::Failed) {
    if (!said_failure_) said_failure_ = true, put(wire, 'f', {});
    return 0;
  }
  if (!said_hello_ && (side_ == Side::Client || state_ != State::Handshake))
    if (!(said_hello_ = put(wire, 'h', kOddHello))) state_ = State::Failed;
  if (state_ == State::Handshake || state_ == State::Failed) return 0;
  std::array<std::string_view, 64> parts;
  const size_t count = plain.gather(parts);
  size_t sealed = 0;
  for (size_t i = 0; i < count; ++i) {
    for (std::string_view left = parts[i]; !left.empty() && sealed < kMostSealed;) {
      const size_t size =
          std::min({left.size(), kOddSizes[odd_++ % std::size(kOddSizes)], kMostSealed - sealed});
      if (!put(wire, 'd', left.substr(0, size))) {
        if (sealed == 0) state_ = State::Failed;
        return sealed;
      }
      sealed += size;
      left.remove_prefix(size);
    }
  }
  return sealed;
}

void OddTransport::close_notify(transport::Output& wire) { put(wire, 'e', {}); }

std::string OddPeer::record(char kind, std::string_view bytes) {
  std::string wire;
  do {
    const std::string_view piece = bytes.substr(0, 60'000);
    bytes.remove_prefix(piece.size());
    wire += make_record(out_, kind, piece);
  } while (!bytes.empty());
  return wire;
}

std::string OddPeer::says(std::string_view bytes) {
  std::string wire = std::exchange(said_hello_, true) ? "" : record('h', kOddHello);
  if (!bytes.empty()) wire += record('d', bytes);
  return wire;
}

void OddPeer::hears(std::string_view wire) {
  waiting_ += wire;
  size_t used = 0;
  while (waiting_.size() - used >= kHeader) {
    const std::string_view left = std::string_view(waiting_).substr(used);
    const size_t size = length_of(left);
    if (left.size() < kHeader + size) break;
    std::string text(left.substr(kHeader, size));
    for (char& byte : text) byte = static_cast<char>(byte ^ in_.next());
    if (left[0] == 'd') plain += text;
    if (left[0] == 'h') greeted = text == kOddHello;
    if (left[0] == 'e') ended = true;
    if (left[0] == 'f') failed = true;
    used += kHeader + size;
  }
  waiting_.erase(0, used);
}

}  // namespace leat::test
