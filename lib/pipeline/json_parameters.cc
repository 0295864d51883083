// The members of a JSON body by their rules: one walk over the text, which goes into those objects alone that a
// member is asked of.
//
// It stands on the scanner that plugins read structs with, so that both say the same of a text that is no JSON.
// That one throws, which ends here.
#include <algorithm>
#include <array>
#include <new>
#include <string>

#include "base/shared/plugin_scan.hpp"
#include "http/header_id.h"
#include "pipeline/parameter_taking.h"

namespace leat::pipeline {

class ParameterSet::Members : private Scanner {
 public:
  Members(Taking& taking, std::string_view text) : Scanner(text), taking_(taking) {}

  void read() {
    try {
      try {
        skip_space();
        read_object(kInBody, 0);
        expect_end();
      } catch (const Error& error) {
        // What was not come to is not known to be missing.
        taking_.memory =
            taking_.values.reject(taking_.arena(), error.pointer, error.message) && taking_.memory;
        for (const uint32_t number : taking_.numbers(In::Json)) taking_.values.slots_[number].wrong = true;
      }
    } catch (const std::bad_alloc&) {
      taking_.memory = false;
    }
  }

 private:
  // Of an object: the body, or what a step names, that many names further in.
  void read_object(uint32_t within, uint32_t depth) {
    begin_object();
    for (bool more = !object_ends(true); more;) {
      std::string storage;
      size_t begin = 0;
      const std::string_view name = take_name(storage, begin);
      const Within place(*this, name);
      if (const uint32_t step = taking_.set.names_.find(within, name); step == NameTable::kNone) {
        skip_value();
      } else {
        uint32_t& come_to = come_to_[taking_.set.steps_[step].first];
        if (come_to > depth) fail_at(begin, "must not appear twice");
        come_to = depth + 1;
        read_member(step, depth + 1);
      }
      more = !object_ends(false);
    }
    end_container();
  }

  void read_member(uint32_t step, uint32_t depth) {
    if (skip_word("null")) return;  // as if it were not there
    const auto [first, last] = taking_.set.steps_[step];
    if (last) return read_value(first);
    if (peek() == '{') return read_object(in_step(step), depth);
    const auto& rules = taking_.set.rules_;
    const auto way = std::span(rules[first].steps).first(depth);
    for (const uint32_t number : taking_.numbers(In::Json))
      if (rules[number].steps.size() > depth &&
          std::ranges::equal(std::span(rules[number].steps).first(depth), way))
        taking_.values.slots_[number].wrong = true;
    tell_of_outer(first, depth);
    skip_value();
  }
  // What members are asked of is no object.
  void tell_of_outer(uint32_t number, size_t depth) {
    std::string_view pointer = taking_.set.rules_[number].pointer;
    for (size_t left = taking_.set.rules_[number].steps.size() - depth; left > 0; --left)
      pointer = pointer.substr(0, pointer.rfind('/'));
    taking_.memory = taking_.values.reject(taking_.arena(), pointer, "must be an object") && taking_.memory;
  }

  void read_value(uint32_t number) {
    if (!taking_.set.specs_[number].list) return read_scalar(number);
    if (peek() != '[') {
      taking_.reject(number, "must be an array");
      return skip_value();
    }
    taking_.values.slots_[number].present = true;
    begin_array();
    for (size_t index = 0; !array_ends(index == 0); ++index) {
      skip_space();
      const Within place(*this, index);
      if (taking_.values.slots_[number].wrong)
        skip_value();  // there are too many
      else
        read_scalar(number);
    }
    end_container();
  }

  // One of another kind is added as what fits nothing.
  void read_scalar(uint32_t number) {
    const size_t begin = at_;
    switch (taking_.set.specs_[number].type) {
      case ParameterType::Integer:
      case ParameterType::Number:
        if (peek() == '-' || (peek() >= '0' && peek() <= '9')) return taking_.add(number, take_number(""));
        break;
      case ParameterType::Boolean:
        if (skip_word("true") || skip_word("false"))
          return taking_.add(number, text_.substr(begin, at_ - begin));
        break;
      default:
        if (peek() == '"') return read_text(number);
    }
    skip_value();
    taking_.add(number, {});
  }
  void read_text(uint32_t number) {
    std::string storage;
    std::string_view text = take_string(storage);
    if (!storage.empty()) text = taking_.arena().copy(text);
    if (text.data() == nullptr) throw std::bad_alloc();
    taking_.add(number, text);
  }

  Taking& taking_;
  // How many names on the way to each were seen, of those that are the first in what the names name.
  std::array<uint32_t, kMost> come_to_{};
};

void ParameterSet::Taking::take_members() {
  // One that says nothing is taken at its word.
  const std::string_view type = exchange.request.header(http::HeaderId::ContentType);
  if (type.data() != nullptr && !detail::says_json(type))
    return reject_body(In::Json, "must be application/json");
  Members(*this, exchange.request.body()).read();
}

}  // namespace leat::pipeline
