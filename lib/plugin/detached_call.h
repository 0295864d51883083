// DetachedCall: one request while a thread of the pool answers it.
//
// The worker's exchange is the worker's alone, and may end at any moment. So the handler gets one that stands
// alone: a copy of the request with memory of its own, and this as its stream. An answer that comes whole is
// kept until the worker sends it. One in pieces flows: the thread appends to a buffer, the worker empties it
// into the exchange, and a thread that is a full buffer ahead of its client waits, as a blocking write to a
// socket would; for pool.client_wait all in all, or clients that read slowly could have all threads of the
// pool.
//
//   worker   make() -> [queue] ........ flow() ... flow() ...... finish(); leave() if the client goes
//   pool                run(): handler -> pieces -> pieces -> end
//
// It belongs to its Work until that is delivered, and while the exchange lasts to whoever holds it there.
//
// Private to the plugin host.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/block_pool.h"
#include "base/counted_text.h"
#include "cache/cached_handler.h"
#include "http/exchange.h"
#include "http/stream.h"
#include "http/worker_context.h"
#include "pipeline/site.h"
#include "plugin/handler.h"
#include "plugin/shared_resources.h"

namespace leat::plugin {

class DetachedCall final : public http::Stream {
 public:
  // --- On the worker.

  // For a request whose handler is to be called now. Null: memory is out.
  static std::unique_ptr<DetachedCall> make(http::Exchange& original, PluginHandler& handler,
                                            SharedResources& shared);
  ~DetachedCall() override;
  DetachedCall(const DetachedCall&) = delete;
  DetachedCall& operator=(const DetachedCall&) = delete;
  // What has come of an answer in pieces goes out, as far as the client takes it.
  void flow(http::Exchange& original);
  // It takes more again.
  void writable(http::Exchange& original);
  // It is back: the answer goes out, or the rest of it. `original` waits for it no longer.
  static void finish(std::unique_ptr<DetachedCall> detached_call, http::Exchange& original);
  // The request has ended before: nobody waits for what comes.
  void leave();
  // What is given back when the handler is through (pipeline::LimitedHandler), also where its client has
  // left.
  void keep_limiter(handlers::LimitedHandler* limiter) { limiter_ = limiter; }
  void let_go();
  // Adds what its memory was to the worker's figures. When the thread is through.
  void count_memory() const { worker_.blocks().arenas().add(context_.arenas()); }

  // --- On a thread of the pool. Throws nothing.

  void run() noexcept;
  // What the plugin says to the response cache before it answers, which the worker passes on. False: it has
  // answered, the route has no cache, or memory is out.
  [[nodiscard]] bool wish(const cache::Wishes& wishes);
  [[nodiscard]] bool add_tag(std::string_view tag);

  // --- http::Stream, of its own exchange; on that thread, too. Whether an answer fits, and what of it is
  // sent, is asked when the worker gives it.

  [[nodiscard]] bool fits(const http::Response&) const override { return true; }
  void answer(http::Exchange& exchange, http::AnswerFraming framing, std::string_view body,
              const http::Release* pinned) override;
  void head(http::Exchange& exchange, http::AnswerFraming framing) override;
  bool data(http::Exchange& exchange, std::string_view bytes) override;
  void end(http::Exchange& exchange) override;
  void cut(http::Exchange& exchange, const http::Refusal& why) override;
  void continue_body(http::Exchange&) override {}
  void hints(http::Exchange& exchange, std::span<const std::string_view> links) override;
  void body_flow(http::Exchange&, http::BodyFlow) override {}
  [[nodiscard]] http::Protocol* protocol() override { return nullptr; }

 private:
  // A worker as that exchange sees it: nobody who could go on with anything later.
  class Context final : public http::WorkerContext {
   public:
    explicit Context(BlockPool& account) : blocks_(account.most() / Block::kSize, account) {}
    [[nodiscard]] uint32_t index() const override { return index_; }
    [[nodiscard]] uint64_t now_ns() const override;
    [[nodiscard]] std::string_view date() const override { return {}; }
    [[nodiscard]] BlockPool& blocks() override { return blocks_; }
    [[nodiscard]] bool resume_after(http::Ticket, uint64_t, Resume, void*) override { return false; }
    void forget_timers(http::Exchange&) override {}
    [[nodiscard]] bool resume_from_any_thread(http::Ticket, Resume, void*) override { return false; }
    void run_soon(std::function<void()>) override {}
    void set_index(uint32_t index) { index_ = index; }
    [[nodiscard]] const BlockPool::ArenaCounts& arenas() const { return blocks_.arenas(); }

   private:
    BlockPool blocks_;
    uint32_t index_ = 0;
  };
  enum class Answer : uint8_t { None, Whole, Pieces, NoMemory };

  DetachedCall(http::Exchange& original, PluginHandler& handler, SharedResources& shared);
  bool take(http::Exchange& original);
  void call_handler() noexcept;
  void begin(const http::Exchange& exchange, Answer kind);
  bool wait_for_room(std::unique_lock<std::mutex>& lock);
  void post();
  void wake();
  void give_hints(http::Exchange& original);
  bool give_head(http::Exchange& original);
  void give_pieces(http::Exchange& original);
  void end_pieces(http::Exchange& original);

  PluginHandler& handler_;
  SharedResources& shared_;
  http::WorkerContext& worker_;
  const http::Ticket ticket_;                 // of the request
  const bool takes_wishes_;                   // the response may be stored
  pipeline::ChangeListener* const listener_;  // to be told of its success; none of a safe method's
  Context context_;
  http::Exchange exchange_;
  Answer answer_ = Answer::None;
  CountedText body_;       // of a whole answer
  bool complete_ = false;  // all pieces have come
  std::optional<cache::Wishes> wishes_;
  std::vector<std::string> tags_;

  // The worker's.
  handlers::LimitedHandler* limiter_ = nullptr;
  bool begun_ = false;
  bool blocked_ = false;  // on_writable will come

  std::mutex mutex_;  // of all below
  std::condition_variable room_;
  CountedText ahead_;                            // pieces on their way
  bool pieces_ = false;                          // there are some
  std::vector<std::vector<std::string>> hints_;  // likewise
  bool told_ = false;                            // the worker knows that it has begun
  bool posted_ = false;                          // flow() or writable() will be called
  bool left_ = false;
  std::chrono::steady_clock::duration waited_{};  // for the client
};

}  // namespace leat::plugin
