// KeptStates: what middleware keeps for the whole process, over reloads: the table of a rate limit.
//
// A state belongs to the instances of a kind that have the same name or, without one, the same options: in
// one configuration and in the next, which is made while the former still serves. It ends with the last of
// them. So one with a name keeps its state when its options change.
//
// create() finds a state that is in use, or makes one. It must not change what it finds: the configuration
// that it is made for may yet be refused.
//
// Thread: any. The states are their own affair: all workers use them, of both generations.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/value.h"

namespace leat::pipeline {

class KeptStates {
 public:
  // The T that is there, or a new one that `arguments` make. An instance holds on to it and refers to it.
  template <class T, class... Arguments>
  std::shared_ptr<T> share(std::string_view kind, std::string_view name, const Value& options,
                           Arguments&&... arguments) {
    const std::lock_guard lock(mutex_);
    Entry& entry = find(kind, name, options);
    std::shared_ptr<void> state = entry.state.lock();
    if (state == nullptr) {
      state = std::make_shared<T>(std::forward<Arguments>(arguments)...);
      entry.state = state;
      entry.type = &type_of<T>;
    }
    ENSURE(entry.type == &type_of<T>);
    return std::static_pointer_cast<T>(std::move(state));
  }

 private:
  struct Entry {
    std::string kind, name;
    Value options;
    const void* type = nullptr;
    std::weak_ptr<void> state;
  };
  template <class T>
  static constexpr char type_of = 0;

  Entry& find(std::string_view kind, std::string_view name, const Value& options);

  std::mutex mutex_;
  std::vector<Entry> entries_;
};

}  // namespace leat::pipeline
