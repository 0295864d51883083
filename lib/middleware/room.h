// Room in the head of an answer: what must not be missing from any answer is never left out silently.
#pragma once

#include <cstddef>
#include <string_view>

#include "http/exchange.h"

namespace leat::middleware {

// Tells of it, and puts a 500 in the answer's place.
void refuse_crowded(http::Exchange& exchange, http::AnswerBody& body, size_t fields, std::string_view kind);

// Sees to it that the answer, which on_answer() is shown, takes so many fields more: one that cannot becomes a 500, in
// which they find room, and the log says so. `kind` is whose fields they are.
inline void make_room(http::Exchange& exchange, http::AnswerBody& body, size_t fields,
                      std::string_view kind) {
  if (exchange.response.room() < fields) [[unlikely]]
    refuse_crowded(exchange, body, fields, kind);
}

}  // namespace leat::middleware
