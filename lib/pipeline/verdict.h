// Verdict: what a step of the pipeline says of the request that it was given.
#pragma once

#include <cstdint>

namespace leat::pipeline {

enum class Verdict : uint8_t {
  Next,     // nothing to say: on to the next step; a handler's Next is "not found here", a 404
  Done,     // answered, or the answer was begun and goes on through on_writable/on_resume
  Pending,  // suspended: exchange.suspend() was called, the answer comes later
  Error     // failed: a 500 that names `blame()`, unless an answer was begun, which is then cut
};

}  // namespace leat::pipeline
