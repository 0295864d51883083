#include "http/exchange.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#include "base/check.h"
#include "http/problem.h"
#include "http/service.h"
#include "http/session.h"
#include "http/status.h"

namespace leat::http {

namespace {

// What an exchange shows that was refused before its head was understood.
constexpr Head kNoHead{.bytes = ""};
constexpr Head kNoHeadButMethod{.bytes = "", .method = Method::Head};

// A request body that was not wanted is read over up to here, so that the connection can go on; past it, it
// is closed.
constexpr uint64_t kMostDiscarded = 64 * 1024;

// Of an answer whose size is known.
ResponseFraming framing_of(uint16_t status, uint64_t size) {
  if (!status_allows_framing(status)) return {};
  return {.kind = ResponseFraming::Kind::Length, .length = status_allows_body(status) ? size : 0};
}

// Idle exchanges take a 32nd of the worker's memory at most, or so many where that is little: half a GiB
// keeps those of some three thousand requests at a time.
constexpr size_t kKeptShare = 32;
constexpr size_t kLeastKept = 16;

}  // namespace

Exchange::Exchange(WorkerContext& worker, uint32_t slot)
    : worker_(worker), arena_(worker.blocks(), 0), slot_(slot) {
  request.reset(kNoHead);
}

Exchange::~Exchange() { free_body(); }

bool Exchange::grow_body(size_t room) {
  // Both are there while it moves.
  BlockPool& memory = worker_.blocks();
  if (!memory.charge(room)) return false;
  auto* grown = static_cast<char*>(std::realloc(body_, room));
  memory.refund(grown != nullptr ? body_room_ : room);
  if (grown == nullptr) return false;
  body_ = grown;
  body_room_ = room;
  return true;
}

void Exchange::free_body() {
  if (body_ == nullptr) return;
  worker_.blocks().refund(body_room_);
  std::free(body_);
  body_ = nullptr;
  body_size_ = body_room_ = 0;
}

// `body`: see AnswerTap.
bool Exchange::start_answer(std::optional<std::string_view>& body) {
  if (state_ != State::Open || cancelled_) return false;
  if (tap != nullptr) {
    // Whoever stores answers shall not store one that cannot be sent.
    if (!detached() && !session_->env_.writer.fits(response)) body = replace_head();
    tap->on_answer(*this, body);
  }
  if (!detached()) session_->env_.service.on_response(*this);
  head_only_ = request.method() == Method::Head || !status_allows_body(response.status);
  return true;
}

// The head is larger than can be sent, by the mistake of who gave it: a problem takes the answer's place,
// whose body this is.
std::string_view Exchange::replace_head() {
  session_->env_.service.on_large_head(*this);
  response.reset();
  response.status = 500;
  response.content_type = kProblemType;
  return problem_body(arena_, 500, "The server failed to answer this request.", request.id(), {});
}

// More of the request's body is still to come than is read over for an answer's sake.
bool Exchange::much_body_left() const {
  const Head& head = request.head();
  return head.framing == Framing::Length && head.content_length - session_->body_bytes_ > kMostDiscarded;
}

void Exchange::show_head_request() { request.head_ = &kNoHeadButMethod; }

// Whether the answer under way has to be the connection's last.
bool Exchange::must_close() const {
  if (close_after || session_->last_request()) return true;
  const Head& head = request.head();
  if (session_->step_ != Session::Step::Head && session_->step_ != Session::Step::Body) return false;
  if (head.framing == Framing::None) return false;
  // The client may be waiting for a 100 that will not come: nobody knows whether the body follows.
  if (head.expect_continue && !session_->body_begun_) return true;
  // One in pieces may well be as long as the body; how much of that is left is asked at its end.
  return state_ != State::Streaming && much_body_left();
}

bool Exchange::write_head(ResponseFraming framing, std::string_view body, bool& body_done) {
  close_after = framing.close = framing.close || must_close();
  framing.say_keep_alive = !framing.close && request.minor_version() == 0;
  const Writer& writer = session_->env_.writer;
  if (writer.write_head(session_->output_, response, framing, body, body_done)) return true;
  if (!writer.fits(response)) {
    state_ = State::Finished;
    body = replace_head();
    framing.kind = ResponseFraming::Kind::Length;
    framing.length = body.size();
    if (request.method() == Method::Head) body = {};
    if (writer.write_head(session_->output_, response, framing, body, body_done) && body_done) {
      body_bytes_out_ = body.size();
      return false;
    }
  }
  session_->answer_without_memory();
  return false;
}

bool Exchange::send(std::string_view body) {
  std::optional<std::string_view> whole = body;
  if (!start_answer(whole)) return false;
  send_whole(*whole);
  return true;
}

// Head and body of an answer that was started. Copies.
void Exchange::send_whole(std::string_view body) {
  const ResponseFraming framing = framing_of(response.status, body.size());
  if (head_only_) body = {};
  bool body_done = false;
  state_ = State::Finished;
  if (detached()) return;
  // All of it has room, or nothing is begun.
  if (body.size() >= kLeastPinned && !session_->output_.has_room(body.size())) {
    worker_.blocks().count_refusal();
    return session_->answer_without_memory();
  }
  if (!write_head(framing, body, body_done)) return;
  if (!body_done && !session_->output_.append(body)) return session_->cut_answer(kOutOfMemory);
  body_bytes_out_ = body.size();
}

bool Exchange::send_pinned(std::string_view body, Release release) {
  const auto let_go = [&] {
    if (release.run != nullptr) release.run(release.context);
  };
  if (body.size() < kLeastPinned || state_ != State::Open || cancelled_) {
    const bool answered = send(body);
    let_go();
    return answered;
  }
  std::optional<std::string_view> whole = body;
  if (!start_answer(whole)) return false;
  if (whole->data() != body.data() || detached()) {
    send_whole(*whole);
    let_go();
    return true;
  }
  state_ = State::Finished;
  bool body_done = false;
  const ResponseFraming framing = framing_of(response.status, body.size());
  if (!write_head(framing, {}, body_done)) {
    let_go();
  } else if (head_only_) {
    let_go();
  } else if (!session_->output_.append_pinned(body, release)) {
    let_go();
    session_->cut_answer(kOutOfMemory);
  } else {
    body_bytes_out_ = body.size();
  }
  return true;
}

bool Exchange::send_problem(uint16_t status, std::string_view detail, std::string_view extra) {
  if (state_ != State::Open || cancelled_) return false;
  response.status = status;
  response.content_type = kProblemType;
  // That a request's memory is used up must be told all the same: in one block more.
  const size_t limit = arena_.limit();
  arena_.set_limit(limit + (arena_.refused() ? Block::kSize : 0));
  const std::string_view body = problem_body(arena_, status, detail, request.id(), extra);
  arena_.set_limit(limit);
  return send(body);
}

bool Exchange::begin(std::optional<uint64_t> length) {
  std::optional<std::string_view> whole;
  if (!start_answer(whole)) return false;
  if (whole) {
    send_whole(*whole);
    return true;
  }
  state_ = State::Streaming;
  has_length_ = length.has_value();
  length_ = length_left_ = length.value_or(0);
  if (detached()) {
    tap->on_piece(*this, {});
    return true;
  }
  ResponseFraming framing;
  if (!status_allows_body(response.status)) {
    framing = framing_of(response.status, 0);
  } else if (length) {
    framing.kind = ResponseFraming::Kind::Length;
    framing.length = *length;
  } else if (request.minor_version() > 0) {
    framing.kind = ResponseFraming::Kind::Chunked;
  } else {
    framing.kind = ResponseFraming::Kind::UntilClose;
    framing.close = true;
  }
  chunked_ = framing.kind == ResponseFraming::Kind::Chunked;
  session_->continue_body();
  if (finished()) return true;  // for want of memory
  bool body_done = false;
  write_head(framing, {}, body_done);
  return true;
}

bool Exchange::write_piece(std::string_view bytes) {
  transport::Output& output = session_->output_;
  if (!chunked_) return output.append(bytes);
  char size[20];
  char* end = std::to_chars(size, size + 16, bytes.size(), 16).ptr;
  *end++ = '\r';
  *end++ = '\n';
  return output.append({size, static_cast<size_t>(end - size)}) && output.append(bytes) &&
         output.append("\r\n");
}

bool Exchange::write(std::string_view bytes) {
  if (state_ != State::Streaming || cancelled_) return false;
  if (has_length_) {
    if (bytes.size() > length_left_) bytes = bytes.substr(0, length_left_);
    length_left_ -= bytes.size();
  }
  if (tap != nullptr) tap->on_piece(*this, bytes);
  if (detached()) return !cancelled_;
  if (!head_only_ && !bytes.empty()) {
    if (!write_piece(bytes)) {
      session_->cut_answer(kOutOfMemory);
      return false;
    }
    body_bytes_out_ += bytes.size();
  }
  blocked_ = session_->over_high_water();
  return !blocked_;
}

bool Exchange::add_trailer(std::string_view name, std::string_view value) {
  return trailers_.add_copy(arena_, name, value);
}

bool Exchange::end() {
  if (state_ != State::Streaming || cancelled_) return false;
  if (has_length_ && length_left_ != 0 && !head_only_) {
    give_up("The answer ended before the length that was announced.");
    return true;
  }
  state_ = State::Finished;
  if (tap != nullptr) tap->on_end(*this);
  if (!chunked_ || head_only_) return true;
  transport::Output& output = session_->output_;
  bool queued = output.append("0\r\n");
  for (const Response::Field& field : trailers_.fields())
    queued = queued && output.append(field.name) && output.append(": ") && output.append(field.value) &&
             output.append("\r\n");
  if (!queued || !output.append("\r\n")) session_->cut_answer(kOutOfMemory);
  return true;
}

void Exchange::abort() {
  if (cancelled_ || state_ == State::Finished) return;
  give_up("The server gave the answer up half-way.");
}

void Exchange::give_up(std::string_view why) {
  if (detached())
    state_ = State::Finished;
  else
    session_->cut_answer({500, why});
}

void Exchange::pause_body() { body_paused_ = true; }
void Exchange::resume_body() { body_paused_ = false; }

bool Exchange::body_over_limit() const {
  const Head& head = request.head();
  return head.framing == Framing::Length && head.content_length > body_limit_;
}

Ticket Exchange::ticket() const {
  ENSURE(!detached());
  return {worker_.index(), slot_,
          session_->env_.exchanges.generations_[slot_].load(std::memory_order_relaxed)};
}

Ticket Exchange::suspend() {
  suspended_ = true;
  return ticket();
}

uint64_t Exchange::answer_deadline_ms() const {
  if (!detached()) return session_->answer_deadline_ms();
  return started() ? UINT64_MAX : deadline_ms_;
}

std::optional<uint64_t> Exchange::announced_length() const {
  return has_length_ ? std::optional(length_) : std::nullopt;
}

bool Exchange::take_request(Exchange& original) {
  const Request& theirs = original.request;
  const Head& head = theirs.head();
  arena_.set_limit(original.arena_.limit());
  void* const place = arena_.allocate(sizeof(Head), alignof(Head));
  auto* const slots = arena_.allocate_array<HeaderSlot>(std::max<size_t>(head.slot_count, 1));
  auto* const trailers = arena_.allocate_array<HeaderSlot>(std::max<size_t>(theirs.trailers().size(), 1));
  if (place == nullptr || slots == nullptr || trailers == nullptr) return false;
  bool whole = true;
  const auto copy = [&](std::string_view text) {
    const std::string_view copied = arena_.copy(text);
    whole = whole && copied.data() != nullptr;
    return text.data() == nullptr ? std::string_view() : copied;
  };
  Head* const own = new (place) Head(head);
  own->bytes = copy({head.bytes, head.size}).data();
  own->slots = slots;
  std::ranges::copy(head.headers(), slots);
  std::ranges::copy(theirs.trailers(), trailers);

  request.reset(*own);
  request.peer_ = copy(theirs.peer());
  request.id_ = copy(theirs.id());
  request.trailer_bytes_ = copy(theirs.trailer_bytes_);
  request.trailers_ = {trailers, theirs.trailers().size()};
  std::array<std::string_view, Request::kMostParams> params;
  std::ranges::transform(theirs.params(), params.begin(), copy);
  request.set_params({params.data(), theirs.params().size()});
  route = original.route;
  started_ns = original.started_ns;
  deadline_ms_ = original.answer_deadline_ms();
  if (!whole) return false;

  free_body();
  if (original.body_ != nullptr) {
    // From one account to the other.
    original.worker_.blocks().refund(original.body_room_);
    if (!worker_.blocks().charge(original.body_room_)) {
      std::free(std::exchange(original.body_, nullptr));
      original.request.body_ = {};
      original.body_size_ = original.body_room_ = 0;
      return false;
    }
  }
  body_ = std::exchange(original.body_, nullptr);
  body_size_ = std::exchange(original.body_size_, 0);
  body_room_ = std::exchange(original.body_room_, 0);
  request.body_ = std::exchange(original.request.body_, {});
  return true;
}

void Exchange::recycle() {
  if (timers != nullptr) worker_.forget_timers(*this);
  if (known_ != nullptr) KnownHeads::unpin(*known_);
  known_ = nullptr;
  request.reset(kNoHead);
  response.reset();
  trailers_.reset();
  route = nullptr;
  handler_state = nullptr;
  tap = nullptr;
  chain_position = 0;
  started_ns = 0;
  close_after = false;
  has_place = false;
  place_of = nullptr;
  state_ = State::Open;
  requested_ = cancelled_ = suspended_ = blocked_ = body_paused_ = chunked_ = head_only_ = has_length_ =
      false;
  length_ = length_left_ = body_bytes_out_ = 0;
  cut_ = {};
  free_body();
}

ExchangePool::ExchangePool(WorkerContext& worker, size_t most)
    : worker_(worker),
      generations_(std::make_unique<std::atomic<uint64_t>[]>(most)),
      most_(most),
      keep_(std::max(kLeastKept, worker.blocks().most() / kKeptShare / sizeof(Exchange))) {
  worker_.blocks().set_keeper(this);
}

ExchangePool::~ExchangePool() {
  ENSURE(out_ == 0);
  trim_to(0);
  worker_.blocks().set_keeper(nullptr);
}

// One more that is idle.
bool ExchangePool::make() {
  if (bare_.empty()) {
    if (exchanges_.size() == most_) return false;
    const auto slot = static_cast<uint32_t>(exchanges_.size());
    exchanges_.emplace_back();
    // Giving one back, or freeing it, needs no memory.
    free_.reserve(exchanges_.capacity());
    bare_.reserve(exchanges_.capacity());
    bare_.push_back(slot);
  }
  if (!worker_.blocks().charge(sizeof(Exchange))) return false;
  const uint32_t slot = bare_.back();
  exchanges_[slot].reset(new (std::nothrow) Exchange(worker_, slot));
  if (exchanges_[slot] == nullptr) {
    worker_.blocks().refund(sizeof(Exchange));
    return false;
  }
  bare_.pop_back();
  free_.push_back(slot);
  idle_ += 1;
  return true;
}

size_t ExchangePool::trim(size_t floor) noexcept { return trim_to(std::max(floor, idle_ / 4)); }

size_t ExchangePool::trim_to(size_t kept) noexcept {
  size_t freed = 0;
  while (free_.size() > kept) {
    const uint32_t slot = free_.back();
    free_.pop_back();
    bare_.push_back(slot);
    exchanges_[slot].reset();
    worker_.blocks().refund(sizeof(Exchange));
    freed += sizeof(Exchange);
    idle_ -= 1;
  }
  return freed;
}

Exchange* ExchangePool::take(Session& session, size_t arena_limit) {
  if (free_.empty() && !make()) return nullptr;
  const uint32_t slot = free_.back();
  free_.pop_back();
  advance(slot, 1);
  out_ += 1;
  idle_ -= 1;
  Exchange& exchange = *exchanges_[slot];
  exchange.session_ = &session;
  exchange.arena_.set_limit(arena_limit);
  return &exchange;
}

void ExchangePool::give(Exchange& exchange) {
  exchange.recycle();
  exchange.arena_.reset();
  exchange.session_ = nullptr;
  advance(exchange.slot_, 1);
  out_ -= 1;
  idle_ += 1;
  free_.push_back(exchange.slot_);
  if (free_.size() > keep_) trim_to(keep_);
}

void ExchangePool::renew(Exchange& exchange) {
  exchange.recycle();
  exchange.arena_.rewind();
  advance(exchange.slot_, 2);
}

// Only the worker writes, so that no locked instruction is needed.
void ExchangePool::advance(uint32_t slot, uint64_t by) {
  generations_[slot].store(generations_[slot].load(std::memory_order_relaxed) + by,
                           std::memory_order_relaxed);
}

Exchange* ExchangePool::find(const Ticket& ticket) {
  return is_live(ticket) ? exchanges_[ticket.slot].get() : nullptr;
}

bool ExchangePool::is_live(const Ticket& ticket) const {
  return ticket.slot < most_ && ticket.generation % 2 == 1 &&
         generations_[ticket.slot].load(std::memory_order_relaxed) == ticket.generation;
}

}  // namespace leat::http
