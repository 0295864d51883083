// formats: CBOR (RFC 8949) and MessagePack for clients of handlers that speak JSON.
//
//   answers  what a handler gives by a JSON writer, or as a struct with its LEAT_JSON, is written in the form that Accept wants
//            more than JSON; problems (RFC 9457) as well, whoever gives them. It stays JSON for a client that names neither
//            form, or likes JSON as much.
//   bodies   what comes in either form is JSON when it comes to its handler, with that type: parameters, rules and readers
//            find what they know, and say of it what they would say of JSON
//
// It stands behind the response cache, in the phase content: what is stored is encoded, each form once, and a hit does no
// work. For that it puts Accept into one spelling for each form before the cache looks, and its answers say Vary.
//
// A text that a handler gives as JSON stays JSON: a client may always be answered with what it has not asked for (RFC 9110,
// section 12.5.1), and has Content-Type to tell. So do bodies that a handler streams.
//
//   400  a body that is not of the form that its type says, with `offset` and `pointer`
//   413  one that is, as JSON, larger than a body may be
//
// Problems have the type of the form itself. application/problem+cbor is not registered, and what is, concise problem details
// (RFC 9290), is another format: names are numbers, the status is not in it, and members that it does not know have no place.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/schema.h"
#include "pipeline/middleware_kind.h"

namespace leat::middleware {

struct FormatsOptions {
  std::vector<std::string> answers = {"cbor", "msgpack"};
  std::vector<std::string> bodies = {"cbor", "msgpack"};
};

// A Row::Check: of a form.
std::string check_format(std::string_view called, std::string_view text);

inline constexpr schema::Row kFormatsRows[] = {
    schema::list<&FormatsOptions::answers>(
        "answers", "forms", check_format, 0,
        "Forms of answers beside JSON, `cbor` and `msgpack`, the one first "
        "that is taken where a client likes both as much."),
    schema::list<&FormatsOptions::bodies>("bodies", "forms", check_format, 0,
                                          "Forms of requests' bodies that are taken beside JSON."),
};

std::unique_ptr<pipeline::Middleware> create_formats(const FormatsOptions& options,
                                                     const pipeline::BuildContext& context);

}  // namespace leat::middleware
