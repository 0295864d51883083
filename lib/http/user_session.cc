#include "http/user_session.h"

#include <algorithm>
#include <cstring>

#include "base/random_bytes.h"
#include "http/exchange.h"

namespace leat::http {

namespace {

char* put_number(char* at, uint64_t number, int bytes) {
  for (int i = bytes - 1; i >= 0; --i) *at++ = static_cast<char>(number >> (8 * i));
  return at;
}

// Takes it from the beginning of `bytes`, which has as many.
uint64_t take_bytes_number(std::string_view& bytes, size_t count) {
  uint64_t number = 0;
  for (size_t i = 0; i < count; ++i) number = number << 8 | static_cast<unsigned char>(bytes[i]);
  bytes.remove_prefix(count);
  return number;
}

// A time that can be added to.
constexpr uint64_t kMostSeconds = uint64_t{1} << 48;

}  // namespace

UserSession::Value* UserSession::find(std::string_view name) const {
  Value* const end = values_ + count_;
  Value* const found = std::find_if(values_, end, [&](const Value& each) { return each.name == name; });
  return found == end ? nullptr : found;
}

std::string_view UserSession::get(std::string_view name) const {
  const Value* const found = find(name);
  return found == nullptr ? std::string_view() : found->value;
}

UserSession::Change UserSession::begin() {
  if (closed_) return Change::Late;
  char* const seed = arena_.allocate_array<char>(kSeed);
  if (seed == nullptr || !random_bytes(seed, kSeed)) return Change::NoMemory;
  seed_ = {seed, kSeed};
  created_s_ = renewed_s_ = now_s_;
  changed_ = true;
  return Change::Done;
}

UserSession::Change UserSession::set(std::string_view name, std::string_view value) {
  constexpr size_t kMostName = 0xff, kMostValue = 0xffff;
  if (closed_) return Change::Late;
  if (name.empty() || name.size() > kMostName || value.size() > kMostValue) return Change::TooMuch;
  Value* place = find(name);
  const size_t gone = place == nullptr ? 0 : kValueHead + name.size() + place->value.size();
  const size_t before = std::max(size(), kHead) - gone;
  if (before + kValueHead + name.size() + value.size() > rules_.bytes) return Change::TooMuch;
  if (place == nullptr && count_ == rules_.values) return Change::TooMuch;
  const std::string_view kept_name = place == nullptr ? arena_.copy(name) : place->name;
  const std::string_view kept_value = value.empty() ? std::string_view("") : arena_.copy(value);
  if (values_ == nullptr) values_ = arena_.allocate_array<Value>(rules_.values);
  if (kept_name.data() == nullptr || kept_value.data() == nullptr || values_ == nullptr)
    return Change::NoMemory;
  if (const Change begun = empty() ? begin() : Change::Done; begun != Change::Done) return begun;
  if (place == nullptr) place = &values_[count_++];
  *place = {kept_name, kept_value};
  changed_ = true;
  return Change::Done;
}

UserSession::Change UserSession::remove(std::string_view name) {
  if (closed_) return Change::Late;
  if (Value* const found = find(name)) {
    *found = values_[--count_];
    changed_ = true;
  }
  return Change::Done;
}

UserSession::Change UserSession::clear() {
  if (closed_) return Change::Late;
  seed_ = {};
  count_ = 0;
  changed_ = true;
  return Change::Done;
}

UserSession::Change UserSession::renew() { return begin(); }

std::string_view UserSession::seed() {
  if (empty()) (void)begin();
  return seed_;
}

bool UserSession::take(const UserSession& other) {
  if (closed_) return false;
  const auto copy = [&](std::string_view text) {
    return text.empty() ? std::string_view("") : arena_.copy(text);
  };
  const std::string_view seed = other.empty() ? std::string_view() : copy(other.seed_);
  if (values_ == nullptr && other.count_ != 0) values_ = arena_.allocate_array<Value>(rules_.values);
  if (seed.empty() != other.empty() || (values_ == nullptr && other.count_ != 0)) return false;
  count_ = 0;
  for (const Value& each : std::span(other.values_, other.count_)) {
    const Value kept{copy(each.name), copy(each.value)};
    if (kept.name.data() == nullptr || kept.value.data() == nullptr) return false;
    values_[count_++] = kept;
  }
  seed_ = seed;
  created_s_ = other.created_s_;
  renewed_s_ = other.renewed_s_;
  changed_ = other.changed_;
  if (other.used()) mark_used();
  return true;
}

UserSession::Outcome UserSession::read(std::string_view bytes) {
  if (bytes.size() < kHead) return Outcome::Malformed;
  const uint64_t created = take_bytes_number(bytes, sizeof created);
  const uint64_t renewed = take_bytes_number(bytes, sizeof renewed);
  if (created > kMostSeconds || renewed > kMostSeconds) return Outcome::Malformed;
  created_s_ = static_cast<int64_t>(created);
  renewed_s_ = static_cast<int64_t>(renewed);
  const std::string_view seed = bytes.substr(0, kSeed);
  bytes.remove_prefix(kSeed);
  if (!is_in_time()) return Outcome::Over;
  if (!bytes.empty()) {
    values_ = arena_.allocate_array<Value>(rules_.values);
    if (values_ == nullptr) return Outcome::NoMemory;
    if (!read_values(bytes)) {
      count_ = 0;
      return Outcome::Malformed;
    }
  }
  seed_ = seed;
  return Outcome::Good;
}

bool UserSession::is_in_time() const {
  if (created_s_ > now_s_ + kSkew_s || renewed_s_ > now_s_ + kSkew_s) return false;
  return now_s_ < created_s_ + rules_.max_age_s && now_s_ < renewed_s_ + rules_.idle_s;
}

bool UserSession::read_values(std::string_view bytes) {
  while (!bytes.empty()) {
    if (bytes.size() < kValueHead || count_ == rules_.values) return false;
    const size_t name = take_bytes_number(bytes, 1), value = take_bytes_number(bytes, 2);
    if (name == 0 || bytes.size() < name + value) return false;
    values_[count_++] = {bytes.substr(0, name), bytes.substr(name, value)};
    bytes.remove_prefix(name + value);
  }
  return true;
}

size_t UserSession::size() const {
  size_t size = empty() ? 0 : kHead;
  for (const Value& each : std::span(values_, count_))
    size += kValueHead + each.name.size() + each.value.size();
  return size;
}

char* UserSession::write(char* to) const {
  const auto put = [&](std::string_view text) {
    if (!text.empty()) std::memcpy(to, text.data(), text.size());
    to += text.size();
  };
  to = put_number(to, static_cast<uint64_t>(created_s_), sizeof created_s_);
  to = put_number(to, static_cast<uint64_t>(renewed_s_), sizeof renewed_s_);
  put(seed_);
  for (const Value& each : std::span(values_, count_)) {
    to = put_number(to, each.name.size(), 1);
    to = put_number(to, each.value.size(), 2);
    put(each.name);
    put(each.value);
  }
  return to;
}

int64_t UserSession::rest_s() const {
  return std::max<int64_t>(std::min(created_s_ + rules_.max_age_s, renewed_s_ + rules_.idle_s) - now_s_, 0);
}

bool copy_session(const Exchange& from, Exchange& to) {
  const UserSession* const session = from.states.find<UserSession>();
  if (session == nullptr) return true;
  auto* const copy = to.states.make<UserSession>(&from, session->rules(), to.arena(), session->now_s());
  return copy != nullptr && copy->take(*session);
}

bool take_session(const Exchange& from, Exchange& to) {
  const UserSession* const copy = from.states.find<UserSession>();
  UserSession* const session = to.states.find<UserSession>();
  if (copy == nullptr || session == nullptr) return true;
  if (copy->used()) session->mark_used();
  return session->closed() || !copy->changed() || session->take(*copy);
}

}  // namespace leat::http
