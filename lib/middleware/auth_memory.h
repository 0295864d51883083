// AuthMemory: what the service of a forward_auth has said, by the question that it was asked, for as long as that is good; and
// which questions are under way, so that equal ones need not be asked twice.
//
// A question is known by a keyed digest of all that it consists of: what differs in anything that the service is told is
// another one. Of those that share a place in the table the one that ends first makes room.
//
// Thread: one worker's.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/arena.h"
#include "client/fetch.h"
#include "crypto/digest.h"

namespace leat::middleware {

// For how long an answer may be remembered, at most; 0: not at all (RFC 9111, section 5.2.2). One that sets a cookie is for one
// request.
uint64_t auth_lasts_ms(std::span<const client::Field> fields, uint64_t most_ms);

// Of the fields that a question consists of, beside what is the same for all, under `secret`, of 64 bytes at most. False: memory
// is out.
bool digest_question(Arena& arena, std::string_view secret, std::span<const client::Field> fields,
                     crypto::Digest& digest);

// An answer, with what it consists of. Never changes.
class StoredAuth {
 public:
  static constexpr size_t kMostBytes = 8192;  // of its fields and body

  // `fields`: those that are wanted. Null: it is too large.
  static std::shared_ptr<const StoredAuth> make(uint16_t code, std::span<const client::Field> fields,
                                                std::string_view body) {
    size_t size = body.size();
    for (const client::Field& each : fields) size += each.name.size() + each.value.size();
    if (size > kMostBytes) return nullptr;
    auto made = std::make_shared<StoredAuth>();
    made->code_ = code;
    made->text_.reserve(size);
    const auto keep = [&](std::string_view text) {
      const size_t begin = made->text_.size();
      made->text_.append(text);
      return std::string_view(made->text_).substr(begin);
    };
    for (const client::Field& each : fields) {
      const std::string_view name = keep(each.name);
      made->fields_.push_back({name, keep(each.value)});
    }
    made->body_ = keep(body);
    return made;
  }
  StoredAuth() = default;
  StoredAuth(const StoredAuth&) = delete;
  StoredAuth& operator=(const StoredAuth&) = delete;

  [[nodiscard]] uint16_t code() const { return code_; }
  // Views of it.
  [[nodiscard]] std::span<const client::Field> fields() const { return fields_; }
  [[nodiscard]] std::string_view body() const { return body_; }

 private:
  uint16_t code_ = 0;
  std::string text_;
  std::vector<client::Field> fields_;
  std::string_view body_;
};

// A question that is asked, or waits for the answer to an equal one. Lies in the request that it is asked for.
struct AuthQuestion {
  crypto::Digest digest{};
  AuthQuestion* next = nullptr;     // in its list
  AuthQuestion* waiting = nullptr;  // of one that is asked: those that wait for the answer
  AuthQuestion* leader = nullptr;   // of one that waits
};

class AuthMemory {
  static constexpr size_t kWays = 4, kLists = 64;
  struct Entry {
    crypto::Digest digest{};
    uint64_t until_ms = 0;
    std::shared_ptr<const StoredAuth> answer;
  };
  static uint64_t number(const crypto::Digest& digest) {
    uint64_t number = 0;
    std::memcpy(&number, digest.data(), sizeof number);
    return number;
  }
  template <class Entries>
  static auto ways(Entries& entries, const crypto::Digest& digest) {
    return std::span(entries).subspan(number(digest) % (entries.size() / kWays) * kWays, kWays);
  }

 public:
  explicit AuthMemory(size_t count) : entries_((count + kWays - 1) / kWays * kWays) {}

  // Null: nothing that is good at `now_ms`.
  [[nodiscard]] const std::shared_ptr<const StoredAuth>* find(const crypto::Digest& digest,
                                                              uint64_t now_ms) const {
    for (const Entry& each : ways(entries_, digest))
      if (each.answer != nullptr && each.digest == digest && now_ms < each.until_ms) return &each.answer;
    return nullptr;
  }
  void remember(const crypto::Digest& digest, std::shared_ptr<const StoredAuth> answer, uint64_t until_ms) {
    *std::ranges::min_element(ways(entries_, digest), {}, &Entry::until_ms) = {digest, until_ms,
                                                                               std::move(answer)};
  }

  // An equal question that is asked. Null: there is none.
  [[nodiscard]] AuthQuestion* asked(const crypto::Digest& digest) const {
    for (AuthQuestion* each = lists_[number(digest) % kLists]; each != nullptr; each = each->next)
      if (each->digest == digest) return each;
    return nullptr;
  }
  void ask(AuthQuestion& question) {
    AuthQuestion*& list = lists_[number(question.digest) % kLists];
    question.next = std::exchange(list, &question);
  }
  void wait(AuthQuestion& question, AuthQuestion& leader) {
    question.leader = &leader;
    question.next = std::exchange(leader.waiting, &question);
  }
  // It is asked, or waits, no longer. Those that have waited for it, which wait for nobody now.
  AuthQuestion* leave(AuthQuestion& question) {
    unlink(question.leader != nullptr ? question.leader->waiting : lists_[number(question.digest) % kLists],
           question);
    question.leader = nullptr;
    for (AuthQuestion* each = question.waiting; each != nullptr; each = each->next) each->leader = nullptr;
    return std::exchange(question.waiting, nullptr);
  }

 private:
  static void unlink(AuthQuestion*& list, AuthQuestion& question) {
    for (AuthQuestion** at = &list; *at != nullptr; at = &(*at)->next)
      if (*at == &question) {
        *at = question.next;
        break;
      }
    question.next = nullptr;
  }

  std::vector<Entry> entries_;
  std::array<AuthQuestion*, kLists> lists_{};
};

}  // namespace leat::middleware
