#include "middleware/compress.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <optional>
#include <span>
#include <utility>

#include "base/text.h"
#include "coding/encoders.h"
#include "http/worker_context.h"
#include "middleware/accept_encoding.h"
#include "middleware/counters.h"
#include "middleware/media_types.h"
#include "middleware/option_error.h"
#include "middleware/packable.h"

namespace leat::middleware {

namespace {

using coding::Coding;
using coding::Encoder;

// Of a stream, what is made at a time.
constexpr size_t kPiece = size_t{16} << 10;

// What the workers pack with, in the order of their numbers. All instances have the same.
struct WorkersEncoders {
  explicit WorkersEncoders(uint32_t workers) : of(workers) {}
  struct alignas(64) One {
    coding::Encoders encoders;
  };
  std::vector<One> of;
};

struct CompressCounters {
  using Counter = std::shared_ptr<metrics::Metric>;
  std::array<Counter, coding::kCodings> answers, in, out, levels;
  std::array<Counter, std::size(kPackReasons)> skipped;

  explicit CompressCounters(const pipeline::BuildContext& context) {
    for (const Coding each : coding::encodable()) {
      const auto at = static_cast<size_t>(each);
      const std::string_view name = coding::name_of(each);
      answers[at] = declare_counter(kCompressAnswers, context, name);
      in[at] = declare_counter(kCompressIn, context, name);
      out[at] = declare_counter(kCompressOut, context, name);
      levels[at] = declare_counter(kCompressLevels, context, name);
    }
    for (size_t i = 0; i < skipped.size(); ++i)
      skipped[i] = declare_counter(kCompressSkipped, context, kPackReasons[i]);
  }
};

// A stream that is packed: an encoder of its worker's, counted for as long.
class PackedStream {
 public:
  PackedStream(std::shared_ptr<WorkersEncoders> workers, coding::Encoders& encoders, Coding coding)
      : workers_(std::move(workers)), encoders_(encoders), coding_(coding) {}
  ~PackedStream() { end(); }
  PackedStream(const PackedStream&) = delete;
  PackedStream& operator=(const PackedStream&) = delete;

  // False: memory is out.
  [[nodiscard]] bool begin(BlockPool& memory, unsigned level) {
    encoder_ = encoders_.take(coding_);
    if (encoder_ == nullptr) return false;
    memory_ = &memory;
    if (encoder_->begin(level) && count(kLeastCounted)) return true;
    end();
    return false;
  }
  // Counts what the encoder has taken by now. False: it is more than there is.
  [[nodiscard]] bool count(size_t least = 0) {
    const size_t bytes = std::max(encoder_->memory(), least);
    if (bytes <= counted_) return true;
    if (!memory_->charge(bytes - counted_)) return false;
    counted_ = bytes;
    return true;
  }
  void end() {
    if (encoder_ == nullptr) return;
    memory_->refund(std::exchange(counted_, 0));
    encoders_.give(coding_, std::move(encoder_));
  }
  [[nodiscard]] Encoder* encoder() const { return encoder_.get(); }
  [[nodiscard]] coding::Encoders& encoders() const { return encoders_; }
  [[nodiscard]] Coding coding() const { return coding_; }

 private:
  // br and zstd take theirs later than they begin. Who could not have this much does not begin.
  static constexpr size_t kLeastCounted = size_t{256} << 10;

  const std::shared_ptr<WorkersEncoders> workers_;  // a site may be gone before its last request's states
  coding::Encoders& encoders_;
  const Coding coding_;
  std::unique_ptr<Encoder> encoder_;
  BlockPool* memory_ = nullptr;
  size_t counted_ = 0;
};

class Compress final : public pipeline::Middleware {
 public:
  Compress(const CompressOptions& options, std::vector<Coding> codings,
           std::shared_ptr<WorkersEncoders> workers, CompressCounters counters)
      : codings_(std::move(codings)),
        types_(options.types),
        least_(options.least),
        most_(options.most),
        busy_(options.busy),
        workers_(std::move(workers)),
        counters_(std::move(counters)) {
    levels_[static_cast<size_t>(Coding::Gzip)] = options.gzip_level;
    levels_[static_cast<size_t>(Coding::Brotli)] = options.brotli_level;
    levels_[static_cast<size_t>(Coding::Zstd)] = options.zstd_level;
  }

  [[nodiscard]] uint8_t hooks() const override { return kRequest | kAnswer | kVaries; }

  [[nodiscard]] pipeline::Verdict on_request(http::Exchange& exchange) override {
    if (settle_accept_encoding(exchange, codings_)) return pipeline::Verdict::Next;
    http::send_out_of_memory(exchange);
    return pipeline::Verdict::Done;
  }

  [[nodiscard]] std::string explain(http::Exchange& exchange) const override {
    const CodingChoice choice = choose_coding(exchange.request, codings_);
    if (!choice.coding) return "leaves answers plain, as the client takes them";
    return fmt::format(
        "packs answers in {}{}", coding::name_of(*choice.coding),
        choice.plain ? ", if their type and size are of the kind" : ", since none is taken plain");
  }

  Wants on_answer(http::Exchange& exchange, http::AnswerBody& body) override {
    http::Response& response = exchange.response;
    const AnswerFields fields(response);
    if (response.status == 304) {
      match_304(exchange, fields);
      return skip(PackReason::Status);
    }
    const CodingChoice choice = choose_coding(exchange.request, codings_);
    if (const auto reason = reason_against(exchange, body, fields, !choice.plain)) return skip(*reason);
    if (!fields.says_vary && !response.add("Vary", AnswerFields::kAcceptEncoding))
      return skip(PackReason::NoRoom);
    if (!choice.coding) return skip(PackReason::Client);
    if (turn_to_304(exchange, body, fields)) return Wants::Nothing;
    if (response.room() == 0) return skip(PackReason::NoRoom);
    return body.whole ? pack_whole(exchange, body, fields, choice)
                      : begin_stream(exchange, fields, *choice.coding);
  }

  void on_piece(http::Exchange& exchange, std::string_view piece, http::Onward& onward) override {
    if (!piece.empty()) pack(exchange, piece, onward, Encoder::Until::Flushed);
  }
  void on_end(http::Exchange& exchange, http::Onward& onward) override {
    pack(exchange, {}, onward, Encoder::Until::Ended);
    if (auto* const stream = exchange.states.find<PackedStream>(this)) stream->end();
  }

 private:
  Wants skip(PackReason reason) const {
    count(counters_.skipped[static_cast<size_t>(reason)]);
    return Wants::Nothing;
  }

  // `needed`: the client does not take it as it is.
  [[nodiscard]] std::optional<PackReason> reason_against(const http::Exchange& exchange,
                                                         const http::AnswerBody& body,
                                                         const AnswerFields& fields, bool needed) const {
    const http::Response& response = exchange.response;
    const uint16_t status = response.status;
    if (status < 200 || status == 204 || status == 205 || status == 206) return PackReason::Status;
    if (fields.against) return fields.against;
    if (exchange.request.header(http::HeaderId::Range).data() != nullptr) return PackReason::Range;
    const std::optional<uint64_t> size =
        body.whole ? std::optional<uint64_t>(body.whole->size()) : body.length;
    if (!needed) {
      if (!types_.have(response.content_type)) return PackReason::Type;
      if (size && *size < least_) return PackReason::Small;
    }
    if (size && *size == 0) return PackReason::Small;
    return body.whole && *size > most_ ? std::optional(PackReason::Large) : std::nullopt;
  }

  // A 304 tells what the answer would that it stands for (RFC 9110, section 15.4.5): the tag that the client has of it,
  // and by what it varies, since a cache takes over what it says.
  static void match_304(http::Exchange& exchange, const AnswerFields& fields) {
    if (!fields.says_vary) (void)exchange.response.add("Vary", AnswerFields::kAcceptEncoding);
    if (!fields.etag.empty() && !is_weak(fields.etag) && asks_about_weak(exchange.request, fields.etag))
      (void)weaken(exchange, fields.etag);
  }

  // What a client has already is not sent again, also where the handler took its tag for another than its own. Before
  // the cache it is left to that: what it stores is not for this client alone.
  bool turn_to_304(http::Exchange& exchange, http::AnswerBody& body, const AnswerFields& fields) const {
    http::Response& response = exchange.response;
    const http::Method method = exchange.request.method();
    if (response.author() == http::Origin::Handler || response.status != 200 || fields.etag.empty() ||
        (method != http::Method::Get && method != http::Method::Head) ||
        !asks_about(exchange.request, fields.etag))
      return false;
    if (!is_weak(fields.etag) && !weaken(exchange, fields.etag)) return false;
    response.status = 304;
    response.content_type = {};
    body = {.whole = std::string_view()};
    return true;
  }

  // The fields of an answer that is packed. False: memory is out, and nothing is changed.
  static bool mark(http::Exchange& exchange, const AnswerFields& fields, Coding coding) {
    http::Response& response = exchange.response;
    if (!fields.etag.empty() && !is_weak(fields.etag) && !weaken(exchange, fields.etag)) return false;
    // Parts of it would be of other bytes than those that are sent.
    if (fields.has_ranges) response.remove("Accept-Ranges");
    return response.add("Content-Encoding", coding::name_of(coding));
  }

  unsigned level_of(http::Exchange& exchange, Coding coding) const {
    return level_under_load(levels_[static_cast<size_t>(coding)], coding::levels_of(coding).least,
                            exchange.worker().busy_percent(), busy_);
  }

  void count_answer(Coding coding, unsigned level) const {
    const auto at = static_cast<size_t>(coding);
    count(counters_.answers[at]);
    count(counters_.levels[at], level);
  }

  Wants pack_whole(http::Exchange& exchange, http::AnswerBody& body, const AnswerFields& fields,
                   const CodingChoice& choice) const {
    const Coding coding = *choice.coding;
    const auto at = static_cast<size_t>(coding);
    const unsigned level = level_of(exchange, coding);
    const size_t size = body.whole->size();
    // Whoever takes nothing else gets more bytes than there were, if need be.
    const size_t most = choice.plain ? size - 1 : size + size / 8 + 1024;
    const std::string_view packed = encoders(exchange).whole(coding, level, *body.whole, most);
    if (packed.empty()) return skip(PackReason::NoGain);
    if (!mark(exchange, fields, coding)) return skip(PackReason::Memory);
    count_answer(coding, level);
    count(counters_.in[at], size);
    count(counters_.out[at], packed.size());
    body.whole = packed;
    return Wants::Nothing;
  }

  Wants begin_stream(http::Exchange& exchange, const AnswerFields& fields, Coding coding) {
    // Of an answer to HEAD nobody sees a piece.
    if (exchange.request.method() == http::Method::Head)
      return mark(exchange, fields, coding) ? Wants::Change : skip(PackReason::Memory);
    auto* const stream = exchange.states.make<PackedStream>(this, workers_, encoders(exchange), coding);
    const unsigned level = level_of(exchange, coding);
    if (stream == nullptr || !stream->begin(exchange.worker().blocks(), level) ||
        !mark(exchange, fields, coding))
      return skip(PackReason::Memory);
    count_answer(coding, level);
    return Wants::Change;
  }

  void pack(http::Exchange& exchange, std::string_view in, http::Onward& onward, Encoder::Until until) const {
    auto* const stream = exchange.states.find<PackedStream>(this);
    Encoder* const encoder = stream != nullptr ? stream->encoder() : nullptr;
    if (encoder == nullptr) return;
    const auto at = static_cast<size_t>(stream->coding());
    count(counters_.in[at], in.size());
    for (bool more = true; more;) {
      const std::span<char> room = stream->encoders().scratch(kPiece);
      const Encoder::Step step =
          room.empty() ? Encoder::Step{.failed = true} : encoder->step(in, room.first(kPiece), until);
      if (step.failed || !stream->count()) {
        stream->end();
        exchange.abort();
        return;
      }
      in.remove_prefix(step.used);
      more = !step.done;
      if (step.made == 0) continue;
      count(counters_.out[at], step.made);
      onward.give({room.data(), step.made});
      if (exchange.finished() || exchange.cancelled()) return;
    }
  }

  [[nodiscard]] coding::Encoders& encoders(http::Exchange& exchange) const {
    return workers_->of[exchange.worker().index()].encoders;
  }

  const std::vector<Coding> codings_;
  const MediaTypes types_;
  const uint64_t least_, most_;
  const unsigned busy_;
  std::array<unsigned, coding::kCodings> levels_{};
  const std::shared_ptr<WorkersEncoders> workers_;
  const CompressCounters counters_;
};

}  // namespace

std::string check_answer_coding(std::string_view, std::string_view text) {
  const auto coding = coding::find_coding(text);
  if (!coding || coding::name_of(*coding) != text)
    return fmt::format("`{}` is no content coding: write `zstd`, `br` or `gzip`", text);
  if (coding == Coding::Deflate)
    return "`deflate` is not made: clients that take it take gzip, and do not agree on what it is";
  return {};
}

std::string check_media_type(std::string_view, std::string_view text) {
  if (MediaTypes::is_pattern(text)) return {};
  return fmt::format("`{}` is no media type: write `text/html`, `text/*` or `application/*+json`", text);
}

std::unique_ptr<pipeline::Middleware> create_compress(const CompressOptions& options,
                                                      const pipeline::BuildContext& context) {
  const auto fail = [&](std::string_view option, std::string message, std::string hint = {}) {
    fail_option(context, option, std::move(message), std::move(hint));
  };
  std::vector<Coding> codings;
  for (const std::string& text : options.codings) {
    const auto coding = coding::find_coding(text);
    if (!coding || coding == Coding::Deflate) return nullptr;  // which was said
    if (std::ranges::contains(codings, *coding)) {
      fail("codings", fmt::format("`{}` is named twice", text));
      return nullptr;
    }
    if (coding::is_encodable(*coding)) {
      codings.push_back(*coding);
    } else if (context.options.find("codings") != nullptr) {
      fail("codings", fmt::format("this Leat was built without the library for `{}`", text),
           "see `leat version`");
      return nullptr;
    }
  }
  if (codings.empty()) {
    fail("codings", options.codings.empty() ? "`codings` has to name some: nothing would be packed"
                                            : "this Leat was built without a library that packs answers");
    return nullptr;
  }
  if (options.least > options.most) {
    fail("least", "`least` is more than `most`: nothing would be packed");
    return nullptr;
  }
  auto encoders = context.share_by_kind<WorkersEncoders>(context.surroundings.workers);
  return std::make_unique<Compress>(options, std::move(codings), std::move(encoders),
                                    CompressCounters(context));
}

}  // namespace leat::middleware
