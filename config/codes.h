// What can be wrong with a configuration: a number, a title and an explanation each, in one table
// (codes.cc). The numbers of routes and middleware are pipeline's, those of plugins plugin's; all are
// explained here, for `leat explain-error LT0107`.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/schema.h"

namespace leat::config {

enum Code : int {
  kUnreadable = 100,
  kNotText = 101,
  kTooLarge = 102,
  kSyntax = 103,
  kIncludeCycle = 104,
  kNoInclude = 105,
  kDefinedTwice = 106,
  kUnknownKey = 107,
  kWrongType = 108,
  kOutOfRange = 109,
  kBadUnit = 110,
  kBadChoice = 111,
  kBadAddress = 112,
  kMissingKey = 113,
  kVariable = 114,
  kBadHandler = 115,
  kUnknownPlugin = 116,
  kNothingToServe = 117,
  kSecret = 118,
  kBadName = 119,
  kDate = 120,
  kCannotListen = 121,
  kTooDeep = 122,
  kLogFile = 123,
  kPluginFolder = 124,
  // Of hosts and routes.
  kBadHost = 125,
  kBadCondition = 126,
  kNotTogether = 127,
  kBadField = 128,
  kDeprecated = schema::kDeprecated,  // 129
  // Of the client's address.
  kBadRange = 130,
  kNobodyTrusted = 131,
  kToldTwice = 132,
  kNoAccount = 133,
  // Of TLS.
  kBadCertificate = 134,
  kNoCertificate = 135,
  kExpired = 136,
};

// Of what a row finds wrong.
inline constexpr schema::Codes kSchemaCodes = {.unknown = kUnknownKey,
                                               .type = kWrongType,
                                               .range = kOutOfRange,
                                               .unit = kBadUnit,
                                               .choice = kBadChoice,
                                               .missing = kMissingKey};

struct Explanation {
  int code;
  std::string_view title;
  std::string_view text;
};

std::span<const Explanation> explanations();
// nullptr for a number that nothing has.
const Explanation* explain(int code);
// "LT0107"
std::string code_text(int code);

}  // namespace leat::config
