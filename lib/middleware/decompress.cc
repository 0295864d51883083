#include "middleware/decompress.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <new>
#include <span>
#include <utility>

#include "base/counted_text.h"
#include "base/text.h"
#include "coding/unpacker.h"
#include "http/edited_head.h"
#include "http/list.h"
#include "http/worker_context.h"
#include "middleware/counters.h"
#include "middleware/option_error.h"
#include "pipeline/site.h"

namespace leat::middleware {

namespace {

using coding::Coding;
using coding::Unpacker;
using pipeline::Verdict;
using Problem = Unpacker::Problem;

// What goes on at a time: as much as a block.
constexpr size_t kUnpackedPiece = size_t{16} << 10;

// Why a request is refused.
enum class Refused : uint8_t { Coding, Layers, Broken, Truncated, Size, Ratio, Memory };
constexpr std::string_view kRefused[] = {"coding", "layers", "broken", "truncated",
                                         "size",   "ratio",  "memory"};

// What the workers unpack with, in the order of their numbers. All instances have the same.
struct WorkersDecoders {
  explicit WorkersDecoders(uint32_t workers) : of(workers) {}
  struct alignas(64) One {
    coding::Decoders decoders;
    // Of a piece, for as long as it is shown.
    std::unique_ptr<char[]> room{new (std::nothrow) char[kUnpackedPiece]};
  };
  std::vector<One> of;
};

struct DecompressCounters {
  using Counter = std::shared_ptr<metrics::Metric>;
  std::array<Counter, coding::kCodings> requests;
  std::array<Counter, std::size(kRefused)> refused;
  Counter in, out;

  explicit DecompressCounters(const pipeline::BuildContext& context)
      : in(declare_counter(kDecompressIn, context)), out(declare_counter(kDecompressOut, context)) {
    for (const Coding each : coding::decodable())
      requests[static_cast<size_t>(each)] =
          declare_counter(kDecompressRequests, context, coding::name_of(each));
    for (size_t i = 0; i < refused.size(); ++i)
      refused[i] = declare_counter(kDecompressRefused, context, kRefused[i]);
  }
};

// A body that is unpacked.
class PackedBody {
 public:
  PackedBody(std::shared_ptr<WorkersDecoders> workers, coding::Decoders& decoders,
             const Unpacker::Bounds& bounds, BlockPool& memory)
      : workers_(std::move(workers)), unpacker(decoders, bounds), memory_(memory) {}
  ~PackedBody() { close(); }
  PackedBody(const PackedBody&) = delete;
  PackedBody& operator=(const PackedBody&) = delete;

  // Counts what the decoders have taken by now. False: it is more than there is.
  [[nodiscard]] bool count() {
    const size_t bytes = unpacker.memory();
    if (bytes <= counted_) return true;
    if (!memory_.charge(bytes - counted_)) return false;
    counted_ = bytes;
    return true;
  }
  // A piece, whose bytes end with the call. False: memory is out.
  [[nodiscard]] bool give(std::string_view piece) {
    if (unpacker.rest().empty()) {
      unpacker.give(piece);
      return true;
    }
    if (piece.empty()) return true;
    // Behind what is left of those before it.
    CountedText joined;
    const std::string_view rest = unpacker.rest();
    if (!joined.reserve(memory_, rest.size() + piece.size())) return false;
    joined.append(rest);
    joined.append(piece);
    kept_.swap(joined);
    unpacker.give(piece);
    unpacker.move_rest(kept_.view());
    return true;
  }
  // Keeps what of the input is not used yet: whoever pauses gets it later. False: memory is out.
  [[nodiscard]] bool keep_rest() {
    const std::string_view rest = unpacker.rest();
    if (rest.empty()) {
      kept_.clear();
      return true;
    }
    if (!kept_.view().empty()) return true;  // it is a part of that
    if (!kept_.reserve(memory_, rest.size())) return false;
    kept_.append(rest);
    unpacker.move_rest(kept_.view());
    return true;
  }
  void close() {
    memory_.refund(std::exchange(counted_, 0));
    unpacker.close();
    kept_.clear();
  }

  bool over = false;

 private:
  const std::shared_ptr<WorkersDecoders> workers_;  // a site may be gone before its last request's states

 public:
  Unpacker unpacker;

 private:
  BlockPool& memory_;
  CountedText kept_;  // of the input
  size_t counted_ = 0;
};

class Decompress final : public pipeline::Middleware {
 public:
  Decompress(const DecompressOptions& options, std::vector<Coding> codings,
             std::shared_ptr<WorkersDecoders> workers, DecompressCounters counters)
      : codings_(std::move(codings)),
        ratio_(options.ratio),
        free_(options.free),
        layers_(options.layers),
        workers_(std::move(workers)),
        counters_(std::move(counters)) {
    for (const Coding each : codings_)
      accepted_.append(accepted_.empty() ? "" : ", ").append(coding::name_of(each));
  }

  [[nodiscard]] uint8_t hooks() const override { return kRequest | kBody; }

  [[nodiscard]] Verdict on_request(http::Exchange& exchange) override {
    const http::Head& head = exchange.request.head();
    if (head.framing == http::Framing::None ||
        std::ranges::none_of(head.headers(), is_coding_field, &http::HeaderSlot::id))
      return Verdict::Next;
    Layers layers;
    if (const auto refused = read_layers(head, layers)) return refuse(exchange, *refused);
    if (layers.count == 0) return Verdict::Next;  // identity alone
    return begin(exchange, layers) ? Verdict::Next : refuse(exchange, Refused::Memory);
  }

  [[nodiscard]] std::string explain(http::Exchange& exchange) const override {
    Layers layers;
    if (read_layers(exchange.request.head(), layers)) return "would answer 415 to such a Content-Encoding";
    if (layers.count == 0) return "has nothing to unpack";
    std::string text = "unpacks the body from ";
    for (size_t i = layers.count; i-- > 0;)
      text.append(coding::name_of(layers.codings[i])).append(i == 0 ? "" : ", and that from ");
    return text;
  }

  [[nodiscard]] Verdict on_body(http::Exchange& exchange, std::string_view& piece, bool last) override {
    auto* const body = exchange.states.find<PackedBody>(this);
    if (body == nullptr) return Verdict::Next;
    if (body->over) {
      piece = {};
      return Verdict::Next;
    }
    const bool whole = exchange.route == nullptr || !exchange.route->streams_body;
    return whole ? unpack_whole(exchange, *body, piece) : unpack_piece(exchange, *body, piece, last);
  }
  [[nodiscard]] bool has_more(const http::Exchange& exchange) const override {
    const auto* const body = exchange.states.find<PackedBody>(this);
    return body != nullptr && !body->over && body->unpacker.has_more();
  }

 private:
  static bool is_coding_field(http::HeaderId id) { return id == http::HeaderId::ContentEncoding; }

  // The codings of a request's body, in the order in which they were put on.
  struct Layers {
    std::array<Coding, Unpacker::kMostLayers> codings{};
    size_t count = 0;
  };
  [[nodiscard]] std::optional<Refused> read_layers(const http::Head& head, Layers& layers) const {
    std::optional<Refused> refused;
    for (const http::HeaderSlot& slot : head.headers()) {
      if (!is_coding_field(slot.id)) continue;
      http::for_each_item(head.view(slot.value), [&](std::string_view item) {
        if (refused || equal_ignoring_case(item, "identity")) return;
        const auto coding = coding::find_coding(item);
        if (!coding || !std::ranges::contains(codings_, *coding)) {
          refused = Refused::Coding;
        } else if (layers.count == layers_) {
          refused = Refused::Layers;
        } else {
          layers.codings[layers.count++] = *coding;
        }
      });
    }
    return refused;
  }

  // False: memory is out.
  bool begin(http::Exchange& exchange, const Layers& layers) {
    WorkersDecoders::One& worker = workers_->of[exchange.worker().index()];
    auto* const body = exchange.states.make<PackedBody>(this, workers_, worker.decoders,
                                                        Unpacker::Bounds{.ratio = ratio_, .free = free_},
                                                        exchange.worker().blocks());
    if (body == nullptr || worker.room == nullptr) return false;
    for (size_t i = layers.count; i-- > 0;) {
      char* const between =
          i + 1 == layers.count ? nullptr : exchange.arena().allocate_array<char>(Unpacker::kBetween);
      if (i + 1 != layers.count && between == nullptr) return false;
      if (!body->unpacker.add(layers.codings[i], between)) return false;
      count(counters_.requests[static_cast<size_t>(layers.codings[i])]);
    }
    return body->count() && hide_fields(exchange);
  }

  // Shows a head without what is said of the body as it was sent. False: memory is out.
  static bool hide_fields(http::Exchange& exchange) {
    const http::Head& head = exchange.request.head();
    http::EditedHead edited(head, exchange.arena(), 0, 0);
    if (!edited.good()) return false;
    for (const http::HeaderSlot& slot : head.headers())
      if (!is_coding_field(slot.id) && slot.id != http::HeaderId::ContentLength) edited.keep(slot);
    edited.shown().length_hidden = true;
    exchange.request.show_made_of_head(edited.done());
    return true;
  }

  // All of a body that was collected; into its place.
  Verdict unpack_whole(http::Exchange& exchange, PackedBody& body, std::string_view& piece) {
    const uint64_t most = exchange.body_limit();
    BlockPool& memory = exchange.worker().blocks();
    CountedText text;
    body.unpacker.set_most(most);
    body.unpacker.give(piece);
    const std::span<char> room = room_of(exchange);
    while (const size_t made = body.unpacker.take(room)) {
      if (!body.count() || !text.append(memory, {room.data(), made}, most))
        return fail(exchange, body, Problem::NoMemory);
    }
    if (!body.unpacker.end()) return fail(exchange, body, body.unpacker.problem());
    finish(body);
    exchange.replace_body(text);
    piece = exchange.request.body();
    return Verdict::Next;
  }

  // A part of what comes of a body that is streamed, in the place of `piece`.
  Verdict unpack_piece(http::Exchange& exchange, PackedBody& body, std::string_view& piece, bool last) {
    Unpacker& unpacker = body.unpacker;
    unpacker.set_most(exchange.body_limit());
    if (!body.give(piece)) return fail(exchange, body, Problem::NoMemory);
    const std::span<char> room = room_of(exchange);
    piece = {room.data(), unpacker.take(room)};
    if (unpacker.problem() != Problem::None) return fail(exchange, body, unpacker.problem());
    if (!body.count() || !body.keep_rest()) return fail(exchange, body, Problem::NoMemory);
    if (!last || unpacker.has_more()) return Verdict::Next;
    if (!unpacker.end()) return fail(exchange, body, unpacker.problem());
    finish(body);
    return Verdict::Next;
  }

  static Refused reason_of(Problem problem) {
    switch (problem) {
      case Problem::Truncated:
        return Refused::Truncated;
      case Problem::TooLarge:
        return Refused::Size;
      case Problem::Bomb:
        return Refused::Ratio;
      case Problem::NoMemory:
        return Refused::Memory;
      default:
        return Refused::Broken;
    }
  }
  // The body is no good. What its handler has begun to answer is cut.
  Verdict fail(http::Exchange& exchange, PackedBody& body, Problem problem) const {
    finish(body);
    exchange.close_after = true;  // nobody reads what else may come of it
    if (!exchange.started()) return refuse(exchange, reason_of(problem));
    count(counters_.refused[static_cast<size_t>(reason_of(problem))]);
    exchange.abort();
    return Verdict::Done;
  }
  Verdict refuse(http::Exchange& exchange, Refused reason) const {
    count(counters_.refused[static_cast<size_t>(reason)]);
    switch (reason) {
      case Refused::Coding:
      case Refused::Layers:
        // RFC 7694, section 3. Where there is no room for it the status tells what is wrong.
        (void)exchange.response.set("Accept-Encoding", accepted_);
        exchange.send_problem(
            415, reason == Refused::Coding
                     ? "The request's content coding is not taken here; see Accept-Encoding."
                     : "The request has more content codings on top of each other than are taken here.");
        break;
      case Refused::Broken:
        exchange.send_problem(400, "The request's body is not what its Content-Encoding says.");
        break;
      case Refused::Truncated:
        exchange.send_problem(400, "The request's body ends before its content coding does.");
        break;
      case Refused::Size:
        exchange.send_problem(413, "The request's body, unpacked, is larger than this resource takes.");
        break;
      case Refused::Ratio:
        exchange.send_problem(413, "The request's body unpacks to more than is taken of so few bytes.");
        break;
      case Refused::Memory:
        http::send_out_of_memory(exchange);
        break;
    }
    return Verdict::Done;
  }

  void finish(PackedBody& body) const {
    count(counters_.in, body.unpacker.taken());
    count(counters_.out, body.unpacker.made());
    body.over = true;
    body.close();
  }

  [[nodiscard]] std::span<char> room_of(http::Exchange& exchange) const {
    return {workers_->of[exchange.worker().index()].room.get(), kUnpackedPiece};
  }

  const std::vector<Coding> codings_;
  const uint64_t ratio_, free_;
  const size_t layers_;
  const std::shared_ptr<WorkersDecoders> workers_;
  const DecompressCounters counters_;
  std::string accepted_;
};

}  // namespace

std::string check_request_coding(std::string_view, std::string_view text) {
  const auto coding = coding::find_coding(text);
  if (coding && coding::name_of(*coding) == text) return {};
  return fmt::format("`{}` is no content coding: write `gzip`, `deflate`, `br` or `zstd`", text);
}

std::unique_ptr<pipeline::Middleware> create_decompress(const DecompressOptions& options,
                                                        const pipeline::BuildContext& context) {
  const auto fail = [&](std::string message, std::string hint = {}) {
    fail_option(context, "codings", std::move(message), std::move(hint));
  };
  std::vector<Coding> codings;
  for (const std::string& text : options.codings) {
    const auto coding = coding::find_coding(text);
    if (!coding) return nullptr;  // which was said
    if (std::ranges::contains(codings, *coding)) {
      fail(fmt::format("`{}` is named twice", text));
      return nullptr;
    }
    if (coding::is_decodable(*coding)) {
      codings.push_back(*coding);
    } else if (context.options.find("codings") != nullptr) {
      fail(fmt::format("this Leat was built without the library for `{}`", text), "see `leat version`");
      return nullptr;
    }
  }
  if (codings.empty()) {
    fail(options.codings.empty() ? "`codings` has to name some: no body would be unpacked"
                                 : "this Leat was built without a library that unpacks bodies");
    return nullptr;
  }
  auto decoders = context.share_by_kind<WorkersDecoders>(context.surroundings.workers);
  return std::make_unique<Decompress>(options, std::move(codings), std::move(decoders),
                                      DecompressCounters(context));
}

}  // namespace leat::middleware
