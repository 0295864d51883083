#include "pipeline/chain.h"

#include <algorithm>
#include <cstdint>

namespace leat::pipeline {

namespace {

constexpr size_t kNone = SIZE_MAX;

// Whether `predicate` holds for any declaration that `step` stands for.
template <class Predicate>
bool any_spec(const Step& step, Predicate predicate) {
  return predicate(*step.spec) ||
         std::ranges::any_of(step.merged, [&](const MiddlewareSpec* spec) { return predicate(*spec); });
}

// What before and after may call a step.
bool is_called(const Step& step, std::string_view name) {
  return step.kind->name == name ||
         any_spec(step, [&](const MiddlewareSpec& spec) { return !spec.name.empty() && spec.name == name; });
}

bool must_precede(const Step& first, const Step& second) {
  const auto calls = [](const std::vector<std::string>& names, const Step& step) {
    return std::ranges::any_of(names, [&](const std::string& name) { return is_called(step, name); });
  };
  return any_spec(first, [&](const MiddlewareSpec& spec) { return calls(spec.before, second); }) ||
         any_spec(second, [&](const MiddlewareSpec& spec) { return calls(spec.after, first); });
}

// Which steps wait for which: a row for each step. Chains have a handful of steps; a table is all they need.
class Constraints {
 public:
  explicit Constraints(const std::vector<Step>& steps)
      : count_(steps.size()), done_(count_), table_(count_ * count_) {
    for (size_t first = 0; first < count_; ++first)
      for (size_t second = 0; second < count_; ++second)
        table_[second * count_ + first] = first != second && must_precede(steps[first], steps[second]);
  }

  // A step that is not done and comes before `step`, or kNone.
  [[nodiscard]] size_t blocker(size_t step) const {
    for (size_t other = 0; other < count_; ++other)
      if (!done_[other] && table_[step * count_ + other]) return other;
    return kNone;
  }
  void set_done(size_t step) { done_[step] = true; }
  [[nodiscard]] bool done(size_t step) const { return done_[step]; }

 private:
  size_t count_;
  std::vector<bool> done_;
  std::vector<bool> table_;
};

// Going from a blocked step to what blocks it, again and again, must come round.
std::vector<const Step*> find_cycle(const std::vector<Step>& steps, const Constraints& constraints,
                                    size_t at) {
  std::vector<size_t> path;
  while (std::ranges::find(path, at) == path.end()) {
    path.push_back(at);
    at = constraints.blocker(at);
  }
  path.erase(path.begin(), std::ranges::find(path, at));
  std::ranges::reverse(path);
  // From the one declared first, so that a contradiction reads the same in every chain that has it.
  std::ranges::rotate(path, std::ranges::min_element(path));
  std::vector<const Step*> cycle;
  cycle.reserve(path.size());
  for (const size_t step : path) cycle.push_back(&steps[step]);
  return cycle;
}

}  // namespace

std::string display_name(const MiddlewareSpec& spec) {
  return spec.name.empty() ? spec.kind : spec.kind + "(" + spec.name + ")";
}

void merge_duplicates(std::vector<Step>& steps) {
  std::vector<Step> kept;
  for (Step& step : steps) {
    const auto first = std::ranges::find_if(kept, [&](const Step& other) {
      return other.instance == step.instance ||
             (other.kind == step.kind && other.spec->options.same_as(step.spec->options));
    });
    if (first == kept.end()) {
      kept.push_back(std::move(step));
    } else if (first->instance != step.instance) {
      first->merged.push_back(step.spec);
    }
  }
  steps = std::move(kept);
}

std::vector<const Step*> order_chain(std::vector<Step>& steps) {
  Constraints constraints(steps);
  std::vector<size_t> order;
  while (order.size() < steps.size()) {
    size_t next = kNone;
    size_t blocked = kNone;
    for (size_t i = 0; i < steps.size(); ++i) {
      if (constraints.done(i)) continue;
      if (constraints.blocker(i) != kNone) {
        blocked = i;
      } else if (next == kNone || steps[i].kind->phase < steps[next].kind->phase) {
        next = i;
      }
    }
    if (next == kNone) return find_cycle(steps, constraints, blocked);
    order.push_back(next);
    constraints.set_done(next);
  }
  std::vector<Step> ordered;
  ordered.reserve(order.size());
  for (const size_t i : order) ordered.push_back(std::move(steps[i]));
  steps = std::move(ordered);
  return {};
}

}  // namespace leat::pipeline
