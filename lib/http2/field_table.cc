#include "http2/field_table.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>

#include "base/check.h"
#include "base/text.h"

namespace leat::http2 {

namespace {

// RFC 7541, Appendix A.
constexpr std::array<TableField, kStaticFields> kStatic = {{
    {":authority", "", http::HeaderId::Unknown, true},
    {":method", "GET", http::HeaderId::Unknown, true},
    {":method", "POST", http::HeaderId::Unknown, true},
    {":path", "/", http::HeaderId::Unknown, true},
    {":path", "/index.html", http::HeaderId::Unknown, true},
    {":scheme", "http", http::HeaderId::Unknown, true},
    {":scheme", "https", http::HeaderId::Unknown, true},
    {":status", "200", http::HeaderId::Unknown, true},
    {":status", "204", http::HeaderId::Unknown, true},
    {":status", "206", http::HeaderId::Unknown, true},
    {":status", "304", http::HeaderId::Unknown, true},
    {":status", "400", http::HeaderId::Unknown, true},
    {":status", "404", http::HeaderId::Unknown, true},
    {":status", "500", http::HeaderId::Unknown, true},
    {"accept-charset", "", http::HeaderId::Unknown, true},
    {"accept-encoding", "gzip, deflate", http::HeaderId::AcceptEncoding, true},
    {"accept-language", "", http::HeaderId::AcceptLanguage, true},
    {"accept-ranges", "", http::HeaderId::Unknown, true},
    {"accept", "", http::HeaderId::Accept, true},
    {"access-control-allow-origin", "", http::HeaderId::Unknown, true},
    {"age", "", http::HeaderId::Age, true},
    {"allow", "", http::HeaderId::Allow, true},
    {"authorization", "", http::HeaderId::Authorization, true},
    {"cache-control", "", http::HeaderId::CacheControl, true},
    {"content-disposition", "", http::HeaderId::ContentDisposition, true},
    {"content-encoding", "", http::HeaderId::ContentEncoding, true},
    {"content-language", "", http::HeaderId::ContentLanguage, true},
    {"content-length", "", http::HeaderId::ContentLength, true},
    {"content-location", "", http::HeaderId::Unknown, true},
    {"content-range", "", http::HeaderId::Unknown, true},
    {"content-type", "", http::HeaderId::ContentType, true},
    {"cookie", "", http::HeaderId::Cookie, true},
    {"date", "", http::HeaderId::Date, true},
    {"etag", "", http::HeaderId::Etag, true},
    {"expect", "", http::HeaderId::Expect, true},
    {"expires", "", http::HeaderId::Expires, true},
    {"from", "", http::HeaderId::From, true},
    {"host", "", http::HeaderId::Host, true},
    {"if-match", "", http::HeaderId::IfMatch, true},
    {"if-modified-since", "", http::HeaderId::IfModifiedSince, true},
    {"if-none-match", "", http::HeaderId::IfNoneMatch, true},
    {"if-range", "", http::HeaderId::IfRange, true},
    {"if-unmodified-since", "", http::HeaderId::IfUnmodifiedSince, true},
    {"last-modified", "", http::HeaderId::LastModified, true},
    {"link", "", http::HeaderId::Link, true},
    {"location", "", http::HeaderId::Location, true},
    {"max-forwards", "", http::HeaderId::Unknown, true},
    {"proxy-authenticate", "", http::HeaderId::Unknown, true},
    {"proxy-authorization", "", http::HeaderId::ProxyAuthorization, true},
    {"range", "", http::HeaderId::Range, true},
    {"referer", "", http::HeaderId::Referer, true},
    {"refresh", "", http::HeaderId::Unknown, true},
    {"retry-after", "", http::HeaderId::RetryAfter, true},
    {"server", "", http::HeaderId::Server, true},
    {"set-cookie", "", http::HeaderId::SetCookie, true},
    {"strict-transport-security", "", http::HeaderId::Unknown, true},
    {"transfer-encoding", "", http::HeaderId::TransferEncoding, true},
    {"user-agent", "", http::HeaderId::UserAgent, true},
    {"vary", "", http::HeaderId::Vary, true},
    {"via", "", http::HeaderId::Via, true},
    {"www-authenticate", "", http::HeaderId::WwwAuthenticate, true},
}};

constexpr size_t kFirstText = 512;
constexpr size_t kFirstEntries = 16;

constexpr auto kStaticNames = [] {
  std::array<uint8_t, static_cast<size_t>(http::kLastHeaderId) + 1> names{};
  for (uint32_t i = kStaticFields; i-- > 0;)
    if (kStatic[i].id != http::HeaderId::Unknown)
      names[static_cast<size_t>(kStatic[i].id)] = static_cast<uint8_t>(i + 1);
  return names;
}();

constexpr auto kInNames = [] {
  std::array<bool, 256> may{};
  for (unsigned c = 0; c < may.size(); ++c)
    may[c] = is_token_char(static_cast<char>(c)) && !(c >= 'A' && c <= 'Z');
  return may;
}();

}  // namespace

const TableField& static_field(uint32_t index) { return kStatic[index - 1]; }

uint32_t static_name(http::HeaderId id) { return kStaticNames[static_cast<size_t>(id)]; }

bool is_lower_name(std::string_view name) {
  return !name.empty() &&
         std::ranges::all_of(name, [](char c) { return kInNames[static_cast<unsigned char>(c)]; });
}

bool FieldTable::find(size_t age, TableField& field) const {
  if (age >= count_) return false;
  const Entry& found = entry(age);
  field = {.name = {text_ + found.at, found.name_size},
           .value = {text_ + found.at + found.name_size, found.value_size},
           .id = found.id,
           .checked = found.checked};
  return true;
}

void FieldTable::set_checked(size_t age) {
  ENSURE(age < count_);
  entry(age).checked = true;
}

bool FieldTable::add(const TableField& field) {
  ++epoch_;
  const size_t bytes = field.name.size() + field.value.size();
  if (bytes + kFieldOverhead > most_) {
    shrink_to(0);
    return true;
  }
  shrink_to(most_ - bytes - kFieldOverhead);
  if (!make_room(bytes) || (count_ == entry_room_ && !grow_entries())) return false;
  newest_ = (newest_ + 1) % entry_room_;
  entries_[newest_] = {.at = static_cast<uint32_t>(text_end_),
                       .name_size = static_cast<uint32_t>(field.name.size()),
                       .value_size = static_cast<uint32_t>(field.value.size()),
                       .id = field.id,
                       .checked = field.checked};
  // Either may be empty, and is at no place then.
  std::ranges::copy(field.value, std::ranges::copy(field.name, text_ + text_end_).out);
  text_end_ += bytes;
  size_ += bytes + kFieldOverhead;
  ++count_;
  return true;
}

void FieldTable::set_most(size_t bytes) {
  ++epoch_;
  most_ = bytes;
  shrink_to(bytes);
}

void FieldTable::shrink_to(size_t bytes) {
  while (size_ > bytes) drop_oldest();
}

void FieldTable::drop_oldest() {
  ++epoch_;
  const Entry& oldest = entry(--count_);
  size_ -= oldest.name_size + oldest.value_size + kFieldOverhead;
  if (count_ == 0) text_end_ = 0;
}

// For so many more bytes of text.
bool FieldTable::make_room(size_t bytes) {
  if (text_room_ - text_end_ >= bytes && text_ != nullptr) return true;
  const size_t from = count_ == 0 ? text_end_ : entry(count_ - 1).at;
  const size_t living = text_end_ - from;
  const size_t most = most_ + most_ / 2;
  if (living + bytes > text_room_ || text_room_ < std::min(most, living * 2)) {
    const size_t room =
        std::min(std::max({kFirstText, text_room_ * 2, living + bytes}), std::max(most, living + bytes));
    if (!memory_.charge(room)) return false;
    auto* const grown = static_cast<char*>(std::malloc(room));
    if (grown == nullptr) {
      memory_.refund(room);
      return false;
    }
    if (living != 0) std::memcpy(grown, text_ + from, living);
    memory_.refund(text_room_);
    std::free(text_);
    text_ = grown;
    text_room_ = room;
  } else if (living != 0) {
    std::memmove(text_, text_ + from, living);
  }
  for (size_t age = 0; age < count_; ++age) entry(age).at -= static_cast<uint32_t>(from);
  text_end_ = living;
  return true;
}

bool FieldTable::grow_entries() {
  const size_t room = std::max(kFirstEntries, entry_room_ * 2);
  if (!memory_.charge(room * sizeof(Entry))) return false;
  auto* const grown = static_cast<Entry*>(std::malloc(room * sizeof(Entry)));
  if (grown == nullptr) {
    memory_.refund(room * sizeof(Entry));
    return false;
  }
  for (size_t age = 0; age < count_; ++age) grown[count_ - 1 - age] = entry(age);
  memory_.refund(entry_room_ * sizeof(Entry));
  std::free(entries_);
  entries_ = grown;
  entry_room_ = room;
  newest_ = count_ == 0 ? room - 1 : count_ - 1;
  return true;
}

void FieldTable::free_all() {
  memory_.refund(footprint());
  std::free(text_);
  std::free(entries_);
}

}  // namespace leat::http2
