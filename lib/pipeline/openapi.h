// The description of what a site answers, as OpenAPI 3.1: its routes, what their handlers and the configuration
// say of parameters and bodies, and what their middleware may answer. One for each host: a path of one is not
// that of another.
//
// It is made of what runs, so that it cannot say another thing. What nobody has said is not made up: a handler
// that tells nothing of its answers has "2XX" and a sentence.
#pragma once

#include <string>
#include <string_view>

#include "pipeline/site.h"

namespace leat::pipeline {

// `version`: of the daemon, for `info`. At load, or for people: it is made on the heap.
std::string openapi_json(const Site& site, const Host& host, std::string_view version);

// The host that has that name, or that a client who asks for it is answered by. For none what is outside of every
// host; where nothing is, the first of them.
const Host& described_host(const Site& site, std::string_view asked);

}  // namespace leat::pipeline
