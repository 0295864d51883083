// The numbers of what can be wrong with routes and middleware (LT0200 to LT0299); config/ explains them.
#pragma once

#include "base/schema.h"

namespace leat::pipeline {

enum Code : int {
  kLogOption = 140,  // options of an access log that do not go together
  kCannotLog = 141,  // its target cannot be written
  kBadPattern = 200,
  kDuplicateRoute = 201,
  kUnknownMethod = 202,
  kDuplicateHost = 203,
  kBadTarget = 204,
  kUnknownKind = 210,
  kUnknownMiddleware = 211,
  kOrderCycle = 212,
  kBadOption = 213,
  kDuplicateName = 214,
  kInsideCache = 215,
  kTooManyFilters = 216,
  kCredentials = 217,  // a file of keys or passwords
  kUnmetNeed = 218,    // what needs another in front of it has none
};

// Of what an option's row finds wrong.
inline constexpr schema::Codes kOptionCodes = schema::Codes::one(kBadOption, "option");

}  // namespace leat::pipeline
