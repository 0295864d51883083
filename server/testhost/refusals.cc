#include "server/testhost/refusals.h"

#include <dlfcn.h>
#include <unwind.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <string_view>

#include "plugin/call.h"
#include "plugin/extensions/extensions.h"

namespace leat::testing {

namespace {

std::atomic<bool> armed = false;
std::atomic<uint64_t> asked = 0, refused = 0;
std::atomic<uint64_t> first_refused = 0, last_refused = 0;

// The objects of plugins, by where they are loaded. They stay loaded, so there is one for each file.
constexpr size_t kMostObjects = 256;
std::array<std::atomic<const void*>, kMostObjects> plugin_objects;

// Takes note of one more allocation, and says whether it fails.
bool refuses() {
  if (!armed.load(std::memory_order_acquire)) return false;
  const uint64_t number = asked.fetch_add(1);
  if (number < first_refused || number > last_refused) return false;
  ++refused;
  return true;
}

const void* object_of(const void* address) {
  Dl_info info{};
  return ::dladdr(address, &info) != 0 ? info.dli_fbase : nullptr;
}

bool is_plugin_object(const void* object) {
  for (const auto& each : plugin_objects) {
    const void* known = each.load(std::memory_order_acquire);
    if (known == nullptr) return false;
    if (known == object) return true;
  }
  return false;
}

// A walk up the stack, from the function that was called for memory.
struct Walk {
  uintptr_t allocator;  // an address in that function: it and what it calls are nobody's
  bool above = false;
  bool plugin = false;
};

_Unwind_Reason_Code look_at_frame(_Unwind_Context* context, void* argument) {
  Walk& walk = *static_cast<Walk*>(argument);
  const uintptr_t address = _Unwind_GetIP(context);
  if (!walk.above) {
    walk.above = address == walk.allocator;
    return _URC_NO_REASON;
  }
  const static void* const own = object_of(reinterpret_cast<const void*>(&exchange_table));
  const void* object = object_of(reinterpret_cast<const void*>(address - 1));  // a return may be past the end
  if (object == own) return _URC_END_OF_STACK;
  walk.plugin = is_plugin_object(object);
  return walk.plugin ? _URC_END_OF_STACK : _URC_NO_REASON;
}

bool is_plugins(uintptr_t allocator) {
  // What the walk itself allocates is not asked about.
  static thread_local bool walking = false;
  if (walking || plugin::current_call.handler == nullptr) return false;
  walking = true;
  Walk walk{allocator};
  _Unwind_Backtrace(look_at_frame, &walk);
  walking = false;
  return walk.plugin;
}

// --- The tables with functions that ask first. Where memory of the request is refused, the request is told,
// as if its own limit had been reached.

constexpr size_t kTooMuch = SIZE_MAX / 2;

void note_refusal(leat_request* request) { plugin::kArenaExtension.alloc(request, kTooMuch, 1); }

void* alloc(leat_request* request, size_t size, size_t align) {
  return plugin::kArenaExtension.alloc(request, refuses() ? kTooMuch : size, align);
}
leat_str copy(leat_request* request, leat_str text) {
  if (!refuses()) return plugin::kArenaExtension.copy(request, text);
  note_refusal(request);
  return {};
}
leat_json* start(leat_request* request) {
  if (!refuses()) return plugin::kJsonExtension.start(request);
  note_refusal(request);
  return nullptr;
}
int32_t finish(leat_json* json, leat_str* text) {
  return refuses() ? LEAT_E_STATE : plugin::kJsonExtension.finish(json, text);
}
int32_t send(leat_request* request, leat_json* json) {
  return refuses() ? LEAT_E_STATE : plugin::kJsonExtension.send(request, json);
}

int32_t set_value(leat_request* request, leat_str name, leat_str value) {
  if (!refuses()) return plugin::kSessionExtension.set(request, name, value);
  note_refusal(request);
  return LEAT_E_MEMORY;
}
int32_t renew(leat_request* request) {
  if (!refuses()) return plugin::kSessionExtension.renew(request);
  note_refusal(request);
  return LEAT_E_MEMORY;
}

// The function at `kMember` of `kTable`, or `kError`.
template <const auto& kTable, auto kMember, int32_t kError, class... Arguments>
int32_t ask_first(Arguments... arguments) {
  return refuses() ? kError : (kTable.*kMember)(arguments...);
}
template <const auto& kTable, auto kMember, int32_t kError, class... Arguments>
auto asking(int32_t (*const&)(Arguments...)) -> int32_t (*)(Arguments...) {
  return ask_first<kTable, kMember, kError, Arguments...>;
}
template <const auto& kTable, auto kMember, int32_t kError, class Table>
void stand_in(Table& table) {
  table.*kMember = asking<kTable, kMember, kError>(kTable.*kMember);
}

const leat_arena_v1 kArena = [] {
  leat_arena_v1 table = plugin::kArenaExtension;
  table.alloc = alloc;
  table.copy = copy;
  return table;
}();
const leat_json_v1 kJson = [] {
  leat_json_v1 table = plugin::kJsonExtension;
  table.start = start;
  table.finish = finish;
  table.send = send;
  return table;
}();
const leat_request_v1 kRequest = [] {
  leat_request_v1 table = plugin::kRequestExtension;
  stand_in<plugin::kRequestExtension, &leat_request_v1::set_state, LEAT_E_MEMORY>(table);
  return table;
}();
const leat_response_v1 kResponse = [] {
  using Table = leat_response_v1;
  Table table = plugin::kResponseExtension;
  stand_in<plugin::kResponseExtension, &Table::content_type, LEAT_E_MEMORY>(table);
  stand_in<plugin::kResponseExtension, &Table::add_header, LEAT_E_MEMORY>(table);
  stand_in<plugin::kResponseExtension, &Table::set_header, LEAT_E_MEMORY>(table);
  return table;
}();
const leat_async_v1 kAsync = [] {
  leat_async_v1 table = plugin::kAsyncExtension;
  stand_in<plugin::kAsyncExtension, &leat_async_v1::suspend, LEAT_E_MEMORY>(table);
  return table;
}();
const leat_timer_v1 kTimer = [] {
  leat_timer_v1 table = plugin::kTimerExtension;
  stand_in<plugin::kTimerExtension, &leat_timer_v1::resume_after, LEAT_E_MEMORY>(table);
  return table;
}();
const leat_pool_v1 kPool = [] {
  leat_pool_v1 table = plugin::kPoolExtension;
  stand_in<plugin::kPoolExtension, &leat_pool_v1::submit, LEAT_E_BUSY>(table);
  stand_in<plugin::kPoolExtension, &leat_pool_v1::gather, LEAT_E_BUSY>(table);
  return table;
}();
const leat_cache_v1 kCache = [] {
  leat_cache_v1 table = plugin::kCacheExtension;
  stand_in<plugin::kCacheExtension, &leat_cache_v1::get, LEAT_E_MEMORY>(table);
  stand_in<plugin::kCacheExtension, &leat_cache_v1::put, LEAT_E_MEMORY>(table);
  return table;
}();
const leat_session_v1 kSession = [] {
  leat_session_v1 table = plugin::kSessionExtension;
  table.set = set_value;
  table.renew = renew;
  return table;
}();
const leat_client_v1 kClient = [] {
  leat_client_v1 table = plugin::kClientExtension;
  stand_in<plugin::kClientExtension, &leat_client_v1::fetch, LEAT_E_BUSY>(table);
  return table;
}();

}  // namespace

void refuse_allocations(uint64_t first, uint64_t last) {
  armed = false;
  asked = refused = 0;
  first_refused = first;
  last_refused = last;
  armed.store(true, std::memory_order_release);
}

uint64_t allow_allocations() {
  armed = false;
  return refused;
}

void add_plugin_code(const void* address) {
  const void* object = object_of(address);
  for (auto& each : plugin_objects) {
    const void* none = nullptr;
    if (each.compare_exchange_strong(none, object) || none == object) return;
  }
}

const void* exchange_table(leat_str name, const void* table) {
  struct Standing {
    std::string_view name;
    const void* table;
  };
  static constexpr Standing kStanding[] = {{"leat.arena/1", &kArena},     {"leat.json/1", &kJson},
                                           {"leat.request/1", &kRequest}, {"leat.response/1", &kResponse},
                                           {"leat.async/1", &kAsync},     {"leat.timer/1", &kTimer},
                                           {"leat.pool/1", &kPool},       {"leat.client/1", &kClient},
                                           {"leat.cache/1", &kCache},     {"leat.session/1", &kSession}};
  const auto* found = std::ranges::find(kStanding, std::string_view(name.ptr, name.len), &Standing::name);
  return found == std::end(kStanding) ? table : found->table;
}

}  // namespace leat::testing

// Not inline: its return address is where the walk begins.
extern "C" [[gnu::noinline, gnu::visibility("default")]] bool leat_testhost_refuses_heap() noexcept {
  using namespace leat::testing;
  if (!armed.load(std::memory_order_acquire)) return false;
  const auto allocator = reinterpret_cast<uintptr_t>(__builtin_return_address(0));
  return is_plugins(allocator) && refuses();
}
