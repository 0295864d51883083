#include "plugin/plugin_socket.h"

#include <bit>

#include "plugin/text.h"

namespace leat::plugin {

struct PluginSocket::Table {
  std::vector<Slot> slots;
  std::vector<uint32_t> free;
};

PluginSocket::Table& PluginSocket::table() {
  static thread_local Table mine;
  return mine;
}

PluginSocket::PluginSocket(websocket::Hub& hub, http::WorkerContext& worker, const Callee& callee,
                           const leat_websocket_handler& handler, http::Exchange* kept, void* its_state,
                           std::string_view protocol)
    : state(its_state),
      hub_(hub),
      worker_(worker),
      callee_(callee),
      handler_(handler),
      kept_(kept),
      protocol_(protocol) {
  Table& mine = table();
  if (mine.free.empty()) {
    mine.free.push_back(static_cast<uint32_t>(mine.slots.size()));
    mine.slots.emplace_back();
  }
  slot_ = mine.free.back();
  mine.free.pop_back();
  generation_ = ++mine.slots[slot_].generation;
  mine.slots[slot_].socket = this;
  hub_.join(worker_);
}

PluginSocket::~PluginSocket() {
  Table& mine = table();
  mine.slots[slot_].socket = nullptr;
  mine.free.push_back(slot_);
  hub_.unsubscribe_all(worker_, *this);
  hub_.leave(worker_);
}

static_assert(sizeof(uintptr_t) == sizeof(uint64_t));

leat_websocket* PluginSocket::handle() const {
  return std::bit_cast<leat_websocket*>(uint64_t{generation_} << 32 | slot_);
}

leat_websocket_id PluginSocket::id() const { return {worker_.index(), slot_, generation_}; }

PluginSocket* PluginSocket::find(const leat_websocket* handle) {
  const auto bits = std::bit_cast<uint64_t>(handle);
  return find(leat_websocket_id{0, static_cast<uint32_t>(bits), bits >> 32});
}

PluginSocket* PluginSocket::find(const leat_websocket_id& id) {
  const std::vector<Slot>& slots = table().slots;
  if (id.slot >= slots.size() || slots[id.slot].generation != id.generation) return nullptr;
  return slots[id.slot].socket;
}

std::string PluginSocket::topic_of(const PluginInstance& instance, std::string_view topic) {
  std::string name = instance.name();
  name += '\0';
  return name.append(topic);
}

bool PluginSocket::subscribe(std::string_view topic, bool close_when_slow) {
  close_when_slow_ = close_when_slow;
  return hub_.subscribe(worker_, *this, topic_of(callee_.instance(), topic));
}

bool PluginSocket::unsubscribe(std::string_view topic) {
  return hub_.unsubscribe(worker_, *this, topic_of(callee_.instance(), topic));
}

// Who has no room for it goes without, or has to go.
void PluginSocket::deliver(const websocket::Broadcast& message) {
  if (socket_->send_shared(message) == websocket::Socket::Sent::Full && close_when_slow_)
    socket_->close(websocket::close_code::kPolicy, "what was sent was not read");
}

template <class Callback>
void PluginSocket::call(Callback&& callback) {
  const leat_scope scope = callee_.scope(worker_.index());
  const auto guarded = [&] {
    try {
      callback(&scope);
    } catch (...) {
      callee_.complain_of_exception();
      judge(LEAT_ERROR);
    }
  };
  if (kept_ != nullptr) {
    const CallScope call_scope(*kept_, callee_, false);
    guarded();
  } else {
    const CallScope call_scope(callee_);
    guarded();
  }
}

void PluginSocket::judge(int32_t verdict) {
  if (socket_ == nullptr) return;
  if (verdict == LEAT_ERROR) socket_->close(websocket::close_code::kInternal, {});
  if (kept_ != nullptr && verdict != LEAT_PENDING) socket_->close(websocket::close_code::kNormal, {});
}

void PluginSocket::on_open(websocket::Socket&) {
  if (handler_.open != nullptr) call([&](const leat_scope* scope) { handler_.open(scope, handle()); });
}

void PluginSocket::on_message(websocket::Socket&, websocket::Kind kind, std::string_view message) {
  const uint32_t its = kind == websocket::Kind::Text ? LEAT_WEBSOCKET_TEXT : LEAT_WEBSOCKET_BINARY;
  call([&](const leat_scope* scope) { handler_.message(scope, handle(), its, to_str(message)); });
}

void PluginSocket::on_writable(websocket::Socket&) {
  if (handler_.writable != nullptr)
    call([&](const leat_scope* scope) { handler_.writable(scope, handle()); });
}

void PluginSocket::on_timer(websocket::Socket&) {
  if (handler_.timer != nullptr) call([&](const leat_scope* scope) { handler_.timer(scope, handle()); });
}

void PluginSocket::on_close(websocket::Socket&, uint16_t code, std::string_view reason) {
  if (handler_.close != nullptr)
    call([&](const leat_scope* scope) { handler_.close(scope, handle(), code, to_str(reason)); });
}

void PluginSocket::run(leat_websocket_call posted, std::string_view bytes) {
  call([&](const leat_scope* scope) { posted(scope, handle(), to_str(bytes)); });
}

}  // namespace leat::plugin
