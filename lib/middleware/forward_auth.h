// forward_auth: another service says whether a request may pass, as nginx's auth_request and the forward_auth of other proxies
// have it.
//
// The service is asked about each request, before a handler sees it: a GET or HEAD without a body, with the fields
// X-Forwarded-Method, -Proto, -Host, -Uri and -For, and those of the request that the configuration names. Nothing else of the
// request gets there. A 2xx lets it pass, with fields of the answer in place of what the client had sent under their names. A
// 401, 403 or redirect is what the client gets. Whatever else comes of it, none at all too, is a 503: where nobody knows,
// nobody passes.
//
// With a `cache` an answer is remembered by the question, all that the service was told (auth_memory.h), and equal questions
// are asked once at a time.
//
// The request waits meanwhile, and with it what comes of its body; its worker serves others. A request of the daemon to
// itself, for its cache, is for somebody who has passed.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/schema.h"
#include "middleware/headers.h"
#include "middleware/upstream_option.h"
#include "pipeline/middleware_kind.h"

namespace leat::middleware {

enum class AskMethod : uint8_t { Get, Head };

struct ForwardAuthOptions {
  std::string url;
  std::string path = "/";
  AskMethod method = AskMethod::Get;
  std::vector<std::string> forward = {"Authorization", "Cookie"};
  std::vector<std::string> request_set;
  std::vector<std::string> answer_add;
  uint32_t timeout_ms = 5'000;
  uint32_t connect_timeout_ms = 1'000;
  uint32_t connections = 64;
  uint32_t waiting = 1024;
  uint64_t body = 64 << 10;
  std::vector<std::string> tell = {"Method", "Proto", "Host", "Uri", "For"};
  uint32_t cache_ms = 0;
  uint32_t cache_denied_ms = 0;
  uint32_t cached = 1024;
};

// A Row::Check: a field of requests that the service can be told.
std::string check_forwarded_name(std::string_view called, std::string_view text);
// A Row::Check: "Uri" of X-Forwarded-Uri.
std::string check_told(std::string_view called, std::string_view text);

inline constexpr schema::Row kForwardAuthRows[] = {
    schema::text<&ForwardAuthOptions::url>(
        "url", check_upstream, 0,
        "The service that is asked: `http://HOST[:PORT]`, `https://...` or `unix:/PATH`.")
        .as_needed(),
    schema::text<&ForwardAuthOptions::path>("path", check_upstream_path, 0,
                                            "What it is asked for: a path, with a query or without."),
    schema::choice<&ForwardAuthOptions::method>("method", "GET HEAD", "By which method."),
    schema::list<&ForwardAuthOptions::forward>("forward", "names of header fields", check_forwarded_name, 0,
                                               "Fields of the request that the service is told."),
    schema::list<&ForwardAuthOptions::request_set>(
        "request_set", "names of header fields", check_request_name, 0,
        "Fields of its answer that a request which passes has from then on, and nothing that the client has "
        "sent under their "
        "names."),
    schema::list<&ForwardAuthOptions::answer_add>(
        "answer_add", "names of header fields", check_answer_name, 0,
        "Fields of its answer to a request which passes that the client gets as well: `Set-Cookie`."),
    schema::duration<&ForwardAuthOptions::timeout_ms>("timeout", 1, 600'000,
                                                      "How long it may take to answer; 503 afterwards."),
    schema::duration<&ForwardAuthOptions::connect_timeout_ms>("connect_timeout", 1, 60'000,
                                                              "Of that, to connect."),
    schema::count<&ForwardAuthOptions::connections>("connections", 1, 4096, "To it, of each worker."),
    schema::count<&ForwardAuthOptions::waiting>(
        "waiting", 0, 100'000,
        "Requests of each worker that wait for one of them; one more is answered 503."),
    schema::size<&ForwardAuthOptions::body>("body", 0, 1 << 20,
                                            "Of its answers, at most; a longer one is a 503."),
    schema::list<&ForwardAuthOptions::tell>(
        "tell", "ends of names", check_told, 0,
        "What it is told beside these: X-Forwarded-`Method`, `Proto`, `Host`, `Uri` and `For`."),
    schema::duration<&ForwardAuthOptions::cache_ms>(
        "cache", 0, 86'400'000,
        "For how long a worker remembers that who asks with the same passes; 0: it asks each time."),
    schema::duration<&ForwardAuthOptions::cache_denied_ms>(
        "cache_denied", 0, 3'600'000, "The same of a 401 or 403, where there is a `cache`."),
    schema::count<&ForwardAuthOptions::cached>("cached", 4, 1'048'576,
                                               "How many answers each worker remembers."),
};

std::unique_ptr<pipeline::Middleware> create_forward_auth(const ForwardAuthOptions& options,
                                                          const pipeline::BuildContext& context);

}  // namespace leat::middleware
