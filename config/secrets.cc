#include "config/secrets.h"

#include <fmt/core.h>

#include <algorithm>

#include "config/codes.h"

namespace leat::config {

namespace {

bool in_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c & 0x80) != 0;
}

// Of a few letters a text may have many by chance: those are a secret where they are a word.
bool is_told(std::string_view text, size_t at, size_t size) {
  constexpr size_t kFew = 4;
  if (size >= kFew) return true;
  return (at == 0 || !in_word(text[at - 1])) && (at + size == text.size() || !in_word(text[at + size]));
}

}  // namespace

void Secrets::add(std::string_view text, const Place& where) {
  places_.emplace(where.file ? *where.file : std::string(), where.line, where.column);
  if (text.empty() || std::ranges::contains(texts_, text)) return;
  texts_.emplace_back(text);
  std::ranges::stable_sort(texts_, std::ranges::greater(), &std::string::size);
}

bool Secrets::is_at(const Place& where) const {
  return !places_.empty() && where.file && places_.contains({*where.file, where.line, where.column});
}

void Secrets::hide(Diagnostics& diagnostics) const {
  if (places_.empty()) return;
  for (Diagnostic& each : diagnostics) {
    // A message may quote any part of the value. That the secret cannot be had says nothing of it.
    if (is_at(each.place) && each.code != kSecret) {
      const Explanation* kind = explain(each.code);
      each.message = fmt::format("{}, in a value with a secret, which is not shown",
                                 kind != nullptr ? kind->title : "a mistake");
      each.hint.clear();
    } else {
      each.message = hide(std::move(each.message));
      each.hint = hide(std::move(each.hint));
    }
  }
}

std::string Secrets::hide(std::string text) const {
  for (const std::string& secret : texts_)
    for (size_t at = 0; (at = text.find(secret, at)) != std::string::npos;) {
      if (!is_told(text, at, secret.size())) {
        ++at;
        continue;
      }
      text.replace(at, secret.size(), kHidden);
      at += kHidden.size();
    }
  return text;
}

}  // namespace leat::config
