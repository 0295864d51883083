// Errands: those of one worker that are under way.
//
// Each has a timer, one fetch at a time, and an arena for its answer. They are few: as many as the configuration has parts
// with an errand.
//
// Thread: its worker's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/block_pool.h"
#include "client/errand.h"
#include "net/loop.h"

namespace leat::client {

class Errands {
 public:
  // Each has several ends of its own to come to; a configuration with more parts that have one is a mistake.
  static constexpr size_t kMost = 256;
  // Of an answer, with its fields. What an errand asks for is a receipt or a document, and no download.
  static constexpr size_t kMostAnswer = size_t{1} << 20;

  // All must outlive it.
  Errands(Fetcher& fetcher, net::Loop& loop, BlockPool& memory);
  ~Errands();  // abandon() must have been called, or count() be 0
  Errands(const Errands&) = delete;
  Errands& operator=(const Errands&) = delete;

  // False: there are too many, or the worker has ended. plan() is not asked from within.
  [[nodiscard]] bool begin(std::shared_ptr<Errand> errand);
  // Has it asked for its plan soon, unless a fetch of it is under way. Nothing for one that is over.
  void wake(const Errand& errand);
  // The worker comes to its end: all are told.
  void end();
  // Gives up what is left.
  void abandon();
  [[nodiscard]] size_t count() const { return count_; }

 private:
  struct Run;

  void proceed(Run& run);
  void ask(Run& run, const Errand::Plan& plan);
  void fetched(Run& run);
  void drop(Run& run);

  Fetcher& fetcher_;
  net::Loop& loop_;
  BlockPool& memory_;
  std::vector<std::unique_ptr<Run>> runs_;  // those without an errand are free
  size_t count_ = 0;
  bool ending_ = false;
  bool abandoned_ = false;
};

}  // namespace leat::client
