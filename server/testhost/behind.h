// What stands behind middleware under test where its plugin has no handlers of its own: a handler of the
// test's, which answers as a function says, or sends back what it receives.
#pragma once

#include <memory>

#include "pipeline/handler.h"
#include "server/testhost/leat/testhost.hpp"

namespace leat::testing {

std::unique_ptr<pipeline::Handler> make_behind(Upstream answer);

}  // namespace leat::testing
