#include "worker/exchange_timers.h"

namespace leat::worker {

ExchangeTimers::Node::Node(ExchangeTimers& owner)
    : net::Timer([](net::Timer& timer) {
        Node& node = static_cast<Node&>(timer);
        node.timers.expire(node);
      }),
      timers(owner) {}

ExchangeTimers::ExchangeTimers(net::TimerWheel& wheel, ExchangeResumer& resumer, size_t most)
    : wheel_(wheel), resumer_(resumer), most_(most) {}

ExchangeTimers::~ExchangeTimers() {
  for (const auto& node : nodes_) wheel_.stop(*node);
}

bool ExchangeTimers::start(http::Exchange& exchange, uint64_t deadline_ms, http::WorkerContext::Resume call,
                           void* argument) {
  if (free_ == nullptr) {
    if (nodes_.size() == most_) return false;
    nodes_.push_back(std::make_unique<Node>(*this));
    free_ = nodes_.back().get();
  }
  Node& node = *free_;
  free_ = node.next;
  node.exchange = &exchange;
  node.call = call;
  node.argument = argument;
  node.next = static_cast<Node*>(exchange.timers);
  exchange.timers = &node;
  wheel_.start(node, deadline_ms);
  return true;
}

void ExchangeTimers::forget(http::Exchange& exchange) {
  auto* node = static_cast<Node*>(exchange.timers);
  exchange.timers = nullptr;
  while (node != nullptr) {
    Node* next = node->next;
    wheel_.stop(*node);
    give(*node);
    node = next;
  }
}

void ExchangeTimers::expire(Node& node) {
  http::Exchange& exchange = *node.exchange;
  // An exchange has one timer nearly always: the search for its predecessor is short.
  void** link = &exchange.timers;
  auto* at = static_cast<Node*>(exchange.timers);
  if (at == &node) {
    *link = node.next;
  } else {
    while (at->next != &node) at = at->next;
    at->next = node.next;
  }
  const auto call = node.call;
  void* argument = node.argument;
  give(node);
  resumer_.resume(exchange, call, argument);
}

void ExchangeTimers::give(Node& node) {
  node.exchange = nullptr;
  node.next = free_;
  free_ = &node;
}

}  // namespace leat::worker
