// Keys: what makes two requests ask for the same response (RFC 9111, sections 2 and 4.1).
//
// A key is the bytes that differ, whole: nothing is hashed down to something that two targets could share.
// GET and HEAD share theirs; no other method has one. The scheme is part of it, as the host is; the client is where the
// policy wants that, and what sets a route apart from others where several have the same paths.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/arena.h"
#include "cache/policy.h"
#include "http/message.h"

namespace leat::cache {

// By which a client asks for what is not the same as what it gets by http.
inline constexpr std::string_view kHttps = "https";

struct RequestKey {
  std::string_view key;     // in the store; null where the request has none, or memory is out
  std::string_view target;  // the end of the key: its path and that part of the query which is in the key
  uint64_t hash = 0;        // the store's, of `key`; not set by make_key()
};

// In `arena`. A request has no key where the query is cut down to a list of parameters and a name in it is
// percent-encoded, since a handler that decodes it could see one of the list.
RequestKey make_key(const Policy& policy, const http::Request& request, Arena& arena);

// The names of all Vary fields among `fields`, in lower case and order, each once: "accept,accept-encoding".
std::string vary_names(std::span<const http::Response::Field> fields);

// These fields and what `request` has in them, so that two that differ in a name or a value differ in this.
// It is the bytes that were sent, but for white space around the items of fields that are known to be lists.
// In `arena`; null where that is out; empty without names.
std::string_view variant_of(std::string_view names, const http::Request& request, Arena& arena);

}  // namespace leat::cache
