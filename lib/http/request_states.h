// RequestStates: what those on a request's way keep for it, in its arena, each found by its type and owner.
//
// A state is made by its owner, a handler or middleware, and ends with the exchange: its destructor runs after
// the last on_done. Nobody is given one of another type: what is looked for is found, or not there.
// There are a few at most, so that they are a list.
//
// Thread: whichever the exchange is on.
#pragma once

#include <new>
#include <type_traits>
#include <utility>

#include "base/arena.h"

namespace leat::http {

class RequestStates {
 public:
  explicit RequestStates(Arena& arena) : arena_(arena) {}
  ~RequestStates() { clear(); }
  RequestStates(const RequestStates&) = delete;
  RequestStates& operator=(const RequestStates&) = delete;

  // A new T for `owner`, found as a Kind, which it is or derives from, before older ones. Null: memory is out.
  template <class Kind, class T = Kind, class... Arguments>
  [[nodiscard]] T* make(const void* owner, Arguments&&... arguments) {
    void* const memory = arena_.allocate(sizeof(Node<T>), alignof(Node<T>));
    if (memory == nullptr) return nullptr;
    auto* node = new (memory) Node<T>(std::forward<Arguments>(arguments)...);
    node->tag = &tag_of<Kind>;
    node->owner = owner;
    node->kind = static_cast<Kind*>(&node->state);
    if constexpr (!std::is_trivially_destructible_v<T>)
      node->destroy = [](Link& link) { static_cast<Node<T>&>(link).state.~T(); };
    node->next = std::exchange(first_, node);
    return &node->state;
  }
  // The owner's. Null: there is none.
  template <class Kind>
  [[nodiscard]] Kind* find(const void* owner) const {
    for (const Link* link = first_; link != nullptr; link = link->next)
      if (link->tag == &tag_of<Kind> && link->owner == owner) return static_cast<Kind*>(link->kind);
    return nullptr;
  }
  // Whoever's, the one that was made last.
  template <class Kind>
  [[nodiscard]] Kind* find() const {
    for (const Link* link = first_; link != nullptr; link = link->next)
      if (link->tag == &tag_of<Kind>) return static_cast<Kind*>(link->kind);
    return nullptr;
  }
  // Before the arena is reset.
  void clear() {
    for (Link* link = std::exchange(first_, nullptr); link != nullptr; link = link->next)
      if (link->destroy != nullptr) link->destroy(*link);
  }

 private:
  struct Link {
    Link* next = nullptr;
    const char* tag = nullptr;
    const void* owner = nullptr;
    void* kind = nullptr;
    void (*destroy)(Link& link) = nullptr;
  };
  // Hidden, as some of the states are.
  template <class T>
  struct [[gnu::visibility("hidden")]] Node : Link {
    template <class... Arguments>
    explicit Node(Arguments&&... arguments) : state(std::forward<Arguments>(arguments)...) {}
    T state;
  };
  // Its address names the type.
  template <class Kind>
  static inline char tag_of = 0;

  Arena& arena_;
  Link* first_ = nullptr;
};

}  // namespace leat::http
