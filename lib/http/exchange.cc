#include "http/exchange.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <new>
#include <utility>

#include "base/check.h"
#include "base/quick_clock.h"
#include "http/problem.h"
#include "http/protocol.h"
#include "http/service.h"
#include "http/status.h"
#include "http/tunnel.h"

namespace leat::http {

namespace {

// What an exchange shows that was refused before its head was understood.
constexpr Head kNoHead{.bytes = ""};
constexpr Head kNoHeadButMethod{.bytes = "", .method = Method::Head};

// Of an answer whose size is known.
AnswerFraming framing_of(uint16_t status, uint64_t size) {
  if (!status_allows_framing(status)) return {};
  return {.kind = AnswerFraming::Kind::Length, .length = status_allows_body(status) ? size : 0};
}

// Idle exchanges take a 32nd of the worker's memory at most, or so many where that is little: half a GiB
// keeps those of some three thousand requests at a time.
constexpr size_t kKeptShare = 32;
constexpr size_t kLeastKept = 16;

}  // namespace

Exchange::Exchange(WorkerContext& worker, ExchangePool& pool, uint32_t slot)
    : worker_(worker), arena_(worker.blocks(), 0), pool_(&pool), slot_(slot) {
  request.reset(kNoHead);
}

Exchange::Exchange(WorkerContext& worker, Stream& stream)
    : worker_(worker), arena_(worker.blocks(), 0), stream_(&stream) {
  request.reset(kNoHead);
}

Exchange::~Exchange() {
  states.clear();
  free_body();
}

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

void Exchange::drop_body() {
  worker_.blocks().refund(body_room_);
  std::free(body_);
  body_ = nullptr;
  body_size_ = body_room_ = 0;
}

bool Onward::give(std::string_view bytes) {
  given_ += bytes.size();
  if (given_ > most_ && exchange_.blocked_) exchange_.stop_filter(at_);
  return exchange_.pass_on(at_ + 1, bytes);
}

bool Exchange::start_answer(AnswerBody& body) {
  if (state_ != State::Open || cancelled_ || answering_ != nullptr) return false;
  ENSURE(stream_ != nullptr);
  answering_ = &body;
  if (service_ != nullptr) [[likely]]
    service_->on_response(*this);
  else
    filter_answer(0);
  answering_ = nullptr;
  head_only_ = request.method() == Method::Head || !status_allows_body(response.status);
  return true;
}

void Exchange::show_to_filters(uint32_t reached) {
  for (uint64_t i = first_filter_; i < filters_.size(); ++i) {
    const FilterStep& step = filters_[i];
    if (step.position > reached) continue;
    response.set_author(step.author);
    AnswerBody& body = *answering_;
    const bool was_whole = body.whole.has_value();
    const AnswerFilter::Wants wants = step.filter->on_answer(*this, body);
    if (body.whole && !was_whole) {
      working_ = 0;  // what was to come of it is not wanted
      unfiltered_.reset();
    }
    if (wants == AnswerFilter::Wants::Change) {
      if (body.whole) unfiltered_ = *body.whole;
      body = {};
      working_ |= uint64_t{1} << i;
    } else if (wants == AnswerFilter::Wants::Watch && !body.whole) {
      working_ |= uint64_t{1} << i;
    }
  }
}

void Exchange::answer_behind(const AnswerFilter& filter) {
  const auto at = std::ranges::find(filters_, &filter, &FilterStep::filter);
  first_filter_ = static_cast<uint64_t>(at - filters_.begin()) + (at == filters_.end() ? 0 : 1);
}

void Exchange::mend_head(AnswerBody& body) {
  if (!stream_->fits(response)) body.whole = replace_head();
}

// The head is larger than can be sent, by the mistake of who gave it: a problem takes the answer's place,
// whose body this is.
std::string_view Exchange::replace_head() {
  if (service_ != nullptr) service_->on_large_head(*this);
  return put_failure();
}

// The body of a 500, whose head is the response's from here on. What protects clients is on it too, unless that is what
// is too large.
std::string_view Exchange::put_failure() {
  response.keep_middleware();
  if (stream_ != nullptr && !stream_->fits(response)) response.reset();
  response.status = 500;
  response.content_type = kProblemType;
  return problem_body(arena_, 500, "The server failed to answer this request.", request.id(), {});
}

bool Exchange::send(std::string_view body) {
  AnswerBody answer{.whole = body};
  if (!start_answer(answer)) return false;
  if (answer.whole) [[likely]]
    send_whole(*answer.whole, nullptr);
  else
    send_changed();
  return true;
}

// A whole answer that a filter makes another of.
void Exchange::send_changed() {
  state_ = State::Ending;
  begin_pieces(std::nullopt);
  pass_on(0, *unfiltered_);
  end_pieces();
}

// Head and body of an answer that was started.
void Exchange::send_whole(std::string_view body, const Release* pinned) {
  state_ = State::Finished;
  const AnswerFraming framing =
      head_only_ ? framing_of(response.status, body.size())
                 : AnswerFraming{.kind = AnswerFraming::Kind::Length, .length = body.size()};
  stream_->answer(*this, framing, body, pinned);
}

bool Exchange::send_pinned(std::string_view body, Release release) {
  if (body.size() >= kLeastPinned) {
    AnswerBody answer{.whole = body};
    if (start_answer(answer)) {
      const std::string_view sent = answer.whole.value_or(std::string_view());
      // Not where another is in its place.
      const bool pinned = sent.data() == body.data() && sent.size() == body.size();
      if (answer.whole) [[likely]]
        send_whole(sent, pinned ? &release : nullptr);
      else
        send_changed();
      if (!pinned && release.run != nullptr) release.run(release.context);
      return true;
    }
  }
  const bool answered = send(body);
  if (release.run != nullptr) release.run(release.context);
  return answered;
}

bool Exchange::send_problem(uint16_t status, std::string_view detail, std::string_view extra, Origin by) {
  if (state_ != State::Open || cancelled_) return false;
  response.status = status;
  response.content_type = kProblemType;
  // That a request's memory is used up must be told all the same: in one block more.
  const size_t limit = arena_.limit();
  arena_.set_limit(limit + (arena_.refused() ? Block::kSize : 0));
  const std::string_view body = problem_body(arena_, status, detail, request.id(), extra);
  arena_.set_limit(limit);
  const Problem problem{.detail = detail, .by = by};
  problem_ = &problem;
  const bool answered = send(body);
  problem_ = nullptr;
  return answered;
}

bool Exchange::send_hints(std::span<const std::string_view> links) {
  if (state_ != State::Open || cancelled_ || answering_ != nullptr || hints_ == kMostHints) return false;
  ++hints_;
  stream_->hints(*this, links);
  return true;
}

bool Exchange::begin(std::optional<uint64_t> length) {
  AnswerBody answer{.length = length};
  if (!start_answer(answer)) return false;
  if (answer.whole) {
    send_whole(*answer.whole, nullptr);
    return true;
  }
  if (unfiltered_) {  // a filter put a whole body in the place of the pieces, and another one changes it
    send_changed();
    return true;
  }
  state_ = State::Streaming;
  has_length_ = length.has_value();
  length_ = length_left_ = length.value_or(0);
  stream_->continue_body(*this);
  if (!finished()) begin_pieces(answer.length);  // else for want of memory
  return true;
}

void Exchange::begin_pieces(std::optional<uint64_t> length) {
  AnswerFraming framing{.kind = AnswerFraming::Kind::Unknown};
  if (!status_allows_body(response.status)) {
    framing = framing_of(response.status, 0);
  } else if (length) {
    framing = {.kind = AnswerFraming::Kind::Length, .length = *length};
  }
  stream_->head(*this, framing);
}

bool Exchange::write(std::string_view bytes) {
  if (state_ != State::Streaming || cancelled_) return false;
  if (has_length_) {
    if (bytes.size() > length_left_) bytes = bytes.substr(0, length_left_);
    length_left_ -= bytes.size();
  }
  return pass_on(0, bytes);
}

// To the first filter from `from` on that works, or the client.
bool Exchange::pass_on(uint32_t from, std::string_view bytes) {
  if (state_ == State::Finished || cancelled_) return false;
  const uint64_t left = from < kMostFilters ? working_ >> from : 0;
  if (left == 0) [[likely]] {
    const bool more = stream_->data(*this, bytes);
    blocked_ = !more && state_ != State::Finished;  // else it was cut
    return more;
  }
  const uint32_t at = from + static_cast<uint32_t>(std::countr_zero(left));
  Onward onward(*this, at, bytes.size());
  filters_[at].filter->on_piece(*this, bytes, onward);
  return state_ != State::Finished && !cancelled_ && !blocked_;
}

bool Exchange::add_trailer(std::string_view name, std::string_view value) {
  return trailers_.add_copy(arena_, name, value);
}

bool Exchange::end() {
  if (state_ != State::Streaming || cancelled_) return false;
  if (has_length_ && length_left_ != 0 && !head_only_) {
    stream_->cut(*this, {500, "The answer ended before the length that was announced."});
    return true;
  }
  end_pieces();
  return true;
}

// The last piece has come: it is the filters' turn to give what they have held back.
void Exchange::end_pieces() {
  if (state_ == State::Finished) return;
  state_ = State::Ending;
  for (uint64_t left = working_; left != 0; left &= left - 1) {
    const auto at = static_cast<uint32_t>(std::countr_zero(left));
    Onward onward(*this, at, 0);
    filters_[at].filter->on_end(*this, onward);
    if (state_ == State::Finished) return;  // it was cut
  }
  state_ = State::Finished;
  stream_->end(*this);
}

// It gives more than its client can take, and does not wait.
void Exchange::stop_filter(uint32_t at) {
  if (state_ == State::Finished) return;
  if (service_ != nullptr) service_->on_endless(*this, at);
  stream_->cut(*this, {500, "A filter made more of the answer than its client took."});
}

void Exchange::abort() {
  if (cancelled_ || state_ == State::Finished) return;
  stream_->cut(*this, {500, "The server gave the answer up half-way."});
}

Tunnel* Stream::tunnel(Exchange&, std::string_view, std::unique_ptr<TunnelUser>) { return nullptr; }

bool Exchange::may_switch_to(std::string_view protocol) const {
  return state_ == State::Open && !cancelled_ && stream_->tunnel_status(*this, protocol) != 0;
}

Tunnel* Exchange::switch_to(std::string_view protocol, std::unique_ptr<TunnelUser> user, bool stays) {
  if (!may_switch_to(protocol)) return nullptr;
  const uint16_t status = response.status = stream_->tunnel_status(*this, protocol);
  response.content_type = {};
  AnswerBody answer{.whole = ""};
  if (!start_answer(answer)) return nullptr;
  // There is no body, whatever filters would make of it; one may have put another answer in the place of this one.
  working_ = 0;
  unfiltered_.reset();
  if (response.status != status) {
    send_whole(answer.whole.value_or(std::string_view()), nullptr);
    return nullptr;
  }
  answer_ns = quick_ns();
  left_for_tunnel_ = !stays;
  state_ = stays ? State::Tunnel : State::Finished;
  return stream_->tunnel(*this, protocol, std::move(user));
}

void Exchange::pause_body() {
  body_stopped_ = true;
  stream_->body_flow(*this, BodyFlow::Paused);
}
void Exchange::hold_body() {
  body_stopped_ = true;
  stream_->body_flow(*this, BodyFlow::Held);
}
void Exchange::resume_body() {
  body_stopped_ = false;
  stream_->body_flow(*this, BodyFlow::Flowing);
}

void Exchange::replace_body(CountedText& body) {
  free_body();
  body_size_ = body.size();
  body_ = body.release(body_room_);
  request.set_body({body_, body_size_});
}

bool Exchange::body_over_limit() const {
  const Head& head = request.head();
  return head.framing == Framing::Length && head.content_length > body_limit_;
}

Ticket Exchange::ticket() const {
  ENSURE(pool_ != nullptr);
  return {worker_.index(), slot_, pool_->generations_[slot_].load(std::memory_order_relaxed)};
}

std::string_view Exchange::listener() const {
  const Protocol* const protocol = stream_ != nullptr ? stream_->protocol() : nullptr;
  return protocol != nullptr ? protocol->listener() : std::string_view();
}

Ticket Exchange::suspend() {
  suspended_ = true;
  return ticket();
}

void Exchange::hold() {
  ENSURE(requested_ && state_ == State::Open);
  held_ = true;
  requested_ = false;
}

uint64_t Exchange::answer_deadline_ms() const { return started() || cancelled_ ? UINT64_MAX : deadline_ms_; }

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
  auto* const claims = arena_.allocate_array<Claim>(std::max<size_t>(theirs.claims().size(), 1));
  if (place == nullptr || slots == nullptr || trailers == nullptr || claims == nullptr) return false;
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
  void* const identity = arena_.allocate(sizeof(ClientIdentity), alignof(ClientIdentity));
  if (identity == nullptr) return false;
  const ClientIdentity& asks = theirs.identity();
  const transport::TlsFacts* tls = nullptr;
  if (asks.tls != nullptr) {
    void* const facts = arena_.allocate(sizeof(transport::TlsFacts), alignof(transport::TlsFacts));
    void* const shown =
        arena_.allocate(sizeof(transport::PeerCertificate), alignof(transport::PeerCertificate));
    if (facts == nullptr || shown == nullptr) return false;
    const transport::PeerCertificate* certificate = asks.tls->certificate;
    if (certificate != nullptr)
      certificate = new (shown) transport::PeerCertificate{.subject = copy(certificate->subject),
                                                           .common_name = copy(certificate->common_name),
                                                           .names = copy(certificate->names),
                                                           .fingerprint = copy(certificate->fingerprint)};
    tls = new (facts) transport::TlsFacts{
        .version = asks.tls->version, .cipher = asks.tls->cipher, .certificate = certificate};
  }
  request.set_identity(*new (identity) ClientIdentity{.peer = copy(asks.peer),
                                                      .client = copy(asks.client),
                                                      .scheme = copy(asks.scheme),
                                                      .destination = copy(asks.destination),
                                                      .tls = tls,
                                                      .in_doubt = asks.in_doubt});
  request.id_ = copy(theirs.id());
  std::ranges::transform(theirs.claims(), claims,
                         [&](const Claim& claim) { return Claim{copy(claim.name), copy(claim.value)}; });
  request.set_user(copy(theirs.user()), {claims, theirs.claims().size()});
  request.had_credentials_ = theirs.had_credentials_;
  request.trace_ = {copy(theirs.trace().text), copy(theirs.trace().state)};
  request.trailer_bytes_ = copy(theirs.trailer_bytes_);
  request.trailers_ = {trailers, theirs.trailers().size()};
  std::array<std::string_view, Request::kMostParams> params;
  std::ranges::transform(theirs.params(), params.begin(), copy);
  request.set_params({params.data(), theirs.params().size()});
  answer_form = original.answer_form;
  route = original.route;
  started_ns = original.started_ns;
  deadline_ms_ = original.answer_deadline_ms();
  free_body();
  // One that middleware has put in the place of what was collected lies in the original's memory, or nowhere.
  const std::string_view shown = theirs.body();
  const std::less_equal<> before;
  const bool collected = !shown.empty() && original.body_ != nullptr &&
                         before(original.body_, shown.data()) &&
                         before(shown.data() + shown.size(), original.body_ + original.body_size_);
  if (!collected) request.body_ = copy(shown);
  if (!whole) return false;
  if (!collected) return true;

  // From one account to the other.
  original.worker_.blocks().refund(original.body_room_);
  if (!worker_.blocks().charge(original.body_room_)) {
    std::free(std::exchange(original.body_, nullptr));
    original.request.body_ = {};
    original.body_size_ = original.body_room_ = 0;
    return false;
  }
  body_ = std::exchange(original.body_, nullptr);
  body_size_ = std::exchange(original.body_size_, 0);
  body_room_ = std::exchange(original.body_room_, 0);
  request.body_ = std::exchange(original.request.body_, {});
  return true;
}

void Exchange::recycle() {
  if (timers != nullptr) worker_.forget_timers(*this);
  states.clear();  // before what its destructors may look at
  if (known_ != nullptr) KnownHeads::unpin(*known_);
  if (working_ != 0) [[unlikely]] {
    working_ = 0;
    unfiltered_.reset();
  }
  free_body();

  request.reset(kNoHead);
  response.reset();
  response.set_author(Origin::Handler);
  trailers_.reset();
  deadline_ms_ = UINT64_MAX;

  answer_form = nullptr;
  route = nullptr;
  handler_state = nullptr;
  limiter = nullptr;
  started_ns = handler_ns = answer_ns = 0;
  body_received = 0;
  upstream = cache_result = {};
  chain_position = 0;
  close_after = admitted = false;

  known_ = nullptr;
  state_ = State::Open;
  requested_ = cancelled_ = suspended_ = blocked_ = held_ = head_only_ = has_length_ = false;
  body_stopped_ = body_kept_ = left_for_tunnel_ = false;
  hints_ = 0;
  length_ = length_left_ = body_bytes_out_ = 0;
  filters_ = {};
  first_filter_ = 0;
  cut_ = {};
}

void add_retry_after(Exchange& exchange) {
  if (exchange.response.find("Retry-After").empty())
    (void)exchange.response.add_checked("Retry-After", kRetryAfterS, Origin::Host);
}

bool send_out_of_memory(Exchange& exchange) {
  if (exchange.started()) return false;
  add_retry_after(exchange);
  return exchange.send_problem(kOutOfMemory.status, kOutOfMemory.detail);
}

void StreamSide::show_head_request() { exchange_.request.show_head(kNoHeadButMethod); }

bool StreamSide::keep_body(std::string_view piece) {
  if (piece.empty()) return true;
  const size_t needed = exchange_.body_size_ + piece.size();
  if (needed > exchange_.body_room_) {
    // What was announced is believed up to a block at a time: memory follows the bytes, not the promise.
    size_t room = std::max(needed, exchange_.body_room_ * 2);
    const Head& head = exchange_.request.head();
    if (head.framing == Framing::Length) room = std::min<size_t>(room, head.content_length);
    ENSURE(room >= needed);
    if (!exchange_.grow_body(room)) return false;
  }
  std::memcpy(exchange_.body_ + exchange_.body_size_, piece.data(), piece.size());
  exchange_.body_size_ = needed;
  return true;
}

void StreamSide::show_body(std::span<const HeaderSlot> trailers, std::string_view trailer_bytes) {
  Request& request = exchange_.request;
  request.body_ = {exchange_.body_, exchange_.body_size_};
  request.trailers_ = trailers;
  request.trailer_bytes_ = trailer_bytes;
}

size_t StreamSide::footprint() const {
  return sizeof(Exchange) + exchange_.arena_.footprint() + exchange_.body_room_;
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
  exchanges_[slot].reset(new (std::nothrow) Exchange(worker_, *this, slot));
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

Exchange* ExchangePool::take(Stream& stream, Service& service, size_t arena_limit) {
  if (free_.empty() && !make()) return nullptr;
  const uint32_t slot = free_.back();
  free_.pop_back();
  advance(slot, 1);
  out_ += 1;
  idle_ -= 1;
  Exchange& exchange = *exchanges_[slot];
  exchange.stream_ = &stream;
  exchange.service_ = &service;
  exchange.arena_.set_limit(arena_limit);
  return &exchange;
}

void ExchangePool::give(Exchange& exchange) {
  ENSURE(exchange.pool_ == this && exchange.stream_ != nullptr);
  exchange.recycle();
  exchange.arena_.reset();
  exchange.stream_ = nullptr;
  exchange.service_ = nullptr;
  exchange.internal_ = false;
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
