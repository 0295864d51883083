// AnswerFilter: sees an answer on its way from who gives it to the client, and may change it.
//
//   handler -> filter -> filter (the cache) -> filter -> client
//
// A route's filters stand in one list that is made with its site, the innermost first; they are shared by all
// workers, and what one keeps for a request it keeps in Exchange::states. Each is shown the head once, before
// anything is sent, and says what it wants of the body. Where none wants pieces, a body goes to the client
// as if there were no filters at all.
//
// What is answered further out (a stored answer, a refusal by middleware) passes only those that stand behind
// who answers. An answer that is cut has no on_end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "http/message.h"

namespace leat::http {

class Exchange;

// The body of an answer when it begins.
struct AnswerBody {
  std::optional<std::string_view> whole;  // all of it; nothing where it comes in pieces
  std::optional<uint64_t> length;         // of one in pieces, where it is known
};

// The way on from a filter: to the next, or the client.
class Onward {
 public:
  // True: go on. False: the client's queue is at its high-water mark (the bytes were taken), or nobody reads
  // them. What a filter makes of one piece although it was told so is bounded: by the size of the piece and
  // kMostAhead, past which the answer is cut.
  bool give(std::string_view bytes);

  // A piece that is unpacked may grow a good deal; twice this for each of the clients that are slow would be
  // more than they are worth.
  static constexpr size_t kMostAhead = size_t{1} << 20;

 private:
  friend class Exchange;
  Onward(Exchange& exchange, uint32_t at, size_t piece)
      : exchange_(exchange), at_(at), most_(piece + kMostAhead) {}

  Exchange& exchange_;
  uint32_t at_;  // of the filter whose way on it is
  size_t most_;
  size_t given_ = 0;
};

class AnswerFilter {
 public:
  enum class Wants : uint8_t {
    Nothing,  // more of this answer
    Watch,    // to see the pieces, if it comes in pieces, and to pass on the same bytes
    Change    // to make others of them: the body is in pieces from here on, and its length unknown
  };

  virtual ~AnswerFilter() = default;

  // An answer begins: exchange.response is its head, which may be changed. So may a whole body, by one that
  // stays until the handler's call returns; one in place of a body in pieces ends that, and what else comes
  // of it is refused. Nothing may be answered here.
  virtual Wants on_answer(Exchange&, AnswerBody&) { return Wants::Nothing; }
  // A piece of it, which may be empty. The view ends with the call.
  virtual void on_piece(Exchange&, std::string_view piece, Onward& onward) { onward.give(piece); }
  // All of it has come. What is still held back is given now.
  virtual void on_end(Exchange&, Onward&) {}
};

// A filter at its place in a route's list.
struct FilterStep {
  AnswerFilter* filter = nullptr;
  uint32_t position = 0;               // only where the request came so far in; 0: always
  Origin author = Origin::Middleware;  // whose the fields are that it adds
};

}  // namespace leat::http
