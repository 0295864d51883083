// What is asked of an upstream, as text: a request of HTTP/1.1 is the form in which one waits, whichever protocol it will go by.
//
// Thread: any.
#pragma once

#include <cstddef>
#include <string_view>

#include "base/block_pool.h"
#include "base/counted_text.h"
#include "client/fetch.h"
#include "client/upstream.h"
#include "http/trace_parent.h"

namespace leat::client {

// A method that may be repeated without harm (RFC 9110, section 9.2.2).
[[nodiscard]] bool is_idempotent(std::string_view method);

// Head and body, in the place of what `out` had, of whose memory it keeps `most_kept`. False: memory is out.
[[nodiscard]] bool write_request(CountedText& out, BlockPool& memory, const Upstream& upstream,
                                 const FetchRequest& request, const http::TraceParent& trace,
                                 size_t most_kept);

}  // namespace leat::client
