// "did you mean": the known name that a mistyped one is closest to. For diagnostics only.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"

namespace leat {

// How many letters must be inserted, deleted, replaced or swapped with their neighbour to make `a` into `b`;
// the case of letters is free.
inline size_t edit_distance(std::string_view a, std::string_view b) {
  const auto same = [](char x, char y) { return ascii_lower(x) == ascii_lower(y); };
  std::vector<size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (same(a[i - 1], b[j - 1]) ? 0 : 1)});
      if (i > 1 && j > 1 && same(a[i - 1], b[j - 2]) && same(a[i - 2], b[j - 1]))
        row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before.swap(last);
    last.swap(row);
  }
  return last[b.size()];
}

// The member of `known` (a range of texts) closest to `name`; empty when none is close. A third of the
// letters may be wrong: with more, a suggestion confuses more than it helps.
template <class Range>
std::string_view closest(std::string_view name, const Range& known) {
  std::string_view best;
  size_t least = name.size() / 3 + 1;
  for (const auto& each : known) {
    const std::string_view candidate(each);
    const size_t distance = edit_distance(name, candidate);
    if (distance <= least && (distance < least || best.empty())) {
      best = candidate;
      least = distance;
    }
  }
  return best;
}

// The same as a sentence for a diagnostic's hint: "did you mean `name`?", or nothing.
template <class Range>
std::string did_you_mean(std::string_view name, const Range& known) {
  const std::string_view nearest = closest(name, known);
  return nearest.empty() ? std::string() : "did you mean `" + std::string(nearest) + "`?";
}

}  // namespace leat
