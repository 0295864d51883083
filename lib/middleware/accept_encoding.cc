#include "middleware/accept_encoding.h"

#include <algorithm>

#include "base/text.h"
#include "http/accept.h"
#include "http/list.h"
#include "middleware/settled_field.h"

namespace leat::middleware {

namespace {

constexpr uint16_t kWhole = 1000;

// An item: a coding and its weight.
struct WeighedCoding {
  std::string_view name;
  uint16_t weight = kWhole;
};
std::optional<WeighedCoding> read_item(std::string_view item) {
  const size_t semicolon = item.find(';');
  WeighedCoding read{.name = trim(item.substr(0, semicolon))};
  if (!is_token(read.name)) return std::nullopt;
  if (semicolon == std::string_view::npos) return read;
  const std::string_view parameter = trim(item.substr(semicolon + 1));
  if (parameter.size() < 3 || ascii_lower(parameter[0]) != 'q' || parameter[1] != '=') return std::nullopt;
  const auto weight = http::read_weight(parameter.substr(2));
  if (!weight) return std::nullopt;
  read.weight = static_cast<uint16_t>(*weight);
  return read;
}

// The spelling of a choice.
std::string_view spelling_of(const CodingChoice& choice) {
  using coding::Coding;
  if (!choice.coding) return choice.plain ? "identity" : "identity;q=0";
  if (choice.plain) return coding::name_of(*choice.coding);
  switch (*choice.coding) {
    case Coding::Brotli:
      return "br, identity;q=0";
    case Coding::Zstd:
      return "zstd, identity;q=0";
    default:
      return "gzip, identity;q=0";
  }
}

}  // namespace

void AcceptedCodings::lower(Weight& weight, uint16_t to) { weight = std::min(weight.value_or(kWhole), to); }

void AcceptedCodings::add(std::string_view field) {
  said_ = true;
  http::for_each_item(field, [this](std::string_view item) {
    const auto read = read_item(item);
    if (!read) return;
    if (read->name == "*") {
      lower(any_, read->weight);
    } else if (equal_ignoring_case(read->name, "identity")) {
      lower(identity_, read->weight);
    } else if (const auto coding = coding::find_coding(read->name)) {
      lower(weights_[static_cast<size_t>(*coding)], read->weight);
    }
  });
}

CodingChoice AcceptedCodings::choose(std::span<const coding::Coding> offered) const {
  CodingChoice choice;
  if (!said_) return choice;
  choice.plain = identity_.value_or(any_.value_or(kWhole)) != 0;
  uint16_t most = 0;
  for (const coding::Coding each : offered) {
    const uint16_t weight = weights_[static_cast<size_t>(each)].value_or(any_.value_or(0));
    if (weight > most) {
      most = weight;
      choice.coding = each;
    }
  }
  // Where nothing is said of it, plain is what is left when nothing else will do.
  if (identity_.value_or(0) > most) choice.coding.reset();
  return choice;
}

CodingChoice choose_coding(const http::Request& request, std::span<const coding::Coding> offered) {
  AcceptedCodings accepted;
  for (const http::HeaderSlot& slot : request.head().headers())
    if (slot.id == http::HeaderId::AcceptEncoding) accepted.add(request.head().view(slot.value));
  return accepted.choose(offered);
}

bool settle_accept_encoding(http::Exchange& exchange, std::span<const coding::Coding> offered) {
  if (exchange.request.header(http::HeaderId::AcceptEncoding).data() == nullptr) return true;
  return settle_field(exchange, http::HeaderId::AcceptEncoding,
                      spelling_of(choose_coding(exchange.request, offered)));
}

}  // namespace leat::middleware
