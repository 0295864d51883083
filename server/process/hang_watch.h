// HangWatch: a thread beside the one that loads the plugins, so that a plugin that does not come back cannot
// keep the daemon from stopping.
//
// Until the daemon serves, it is who hears TERM, QUIT and INT, and ends the process at once: nobody is served
// yet. Whoever takes longer than allowed, to load or later to stop, is named in the log, and the process ends
// as in a crash: to be started again without the plugin, if it does so too often.
//
// A signal that it takes and that is not its own (HUP, USR1)
// comes again when the daemon serves; and so do all of them once a worker serves, which others may still keep
// the daemon from hearing for a moment. Owned by whoever loads, until the end of the process or nearly so.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>

#include "base/fd.h"

namespace leat::server {

class HangWatch {
 public:
  // `stop` is called, on its thread, before the process ends since it was told to while it loaded.
  explicit HangWatch(std::function<void()> stop);
  ~HangWatch();
  HangWatch(const HangWatch&) = delete;
  HangWatch& operator=(const HangWatch&) = delete;

  // Within that time serves() is to be called, or the next of these, from now on; 0: whenever.
  void expect(uint64_t within_ms, const char* otherwise);
  // A worker is about to serve. Any thread.
  void one_serves() { one_serves_ = true; }
  // The daemon hears its signals itself from here on, and nothing is expected of it.
  void serves();

 private:
  void run();
  void wake() const;

  std::function<void()> stop_;
  Fd wake_;  // an eventfd
  std::atomic<bool> loading_ = true;
  std::atomic<bool> ending_ = false;
  std::atomic<uint64_t> deadline_ms_ = UINT64_MAX;
  std::atomic<const char*> otherwise_ = "";  // a literal
  std::atomic<bool> one_serves_ = false;
  std::thread thread_;
};

}  // namespace leat::server
