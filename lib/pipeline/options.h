// OptionReader: the options of one middleware instance, each read once; what was not read is unknown.
//
// Used by the factories at load.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "base/value.h"

namespace leat::pipeline {

class OptionReader {
 public:
  // Both must outlive the reader.
  OptionReader(const Value& options, Diagnostics& diagnostics) : options_(options), diagnostics_(diagnostics) {}

  // The option's value, or `otherwise` where it is absent or of another type (which is reported).
  bool boolean(std::string_view key, bool otherwise);
  std::string string(std::string_view key, std::string_view otherwise);
  // One of `choices`; its index, or `otherwise`.
  size_t choice(std::string_view key, std::initializer_list<std::string_view> choices, size_t otherwise);
  // Reports an option's value as wrong, with a sentence for it.
  void refuse(std::string_view key, std::string message);
  // Reports every option that no call asked for. The last call.
  void finish();

 private:
  const Value* find(std::string_view key);

  const Value& options_;
  Diagnostics& diagnostics_;
  std::vector<std::string> known_;
};

}  // namespace leat::pipeline
