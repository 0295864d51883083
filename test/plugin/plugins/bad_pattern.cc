// A struct whose members have patterns, one of which is none.
#include <leat/plugin.hpp>

#include <string>
#include <vector>

namespace {

struct Inner {
  std::vector<std::string> codes;
};
LEAT_JSON(Inner, (codes, leat::Count{0, 3}, leat::Pattern{"[a-"}));

struct Outer {
  std::string name;
  Inner inner;
};
LEAT_JSON(Outer, (name, leat::Pattern{"^[a-z]+$"}), inner);

class BadPattern : public leat::Plugin<BadPattern> {
 public:
  static leat::Reply show(leat::JsonBody<Outer> outer) { return leat::text(outer->name); }
  static constexpr auto handlers() { return leat::list(handler<&BadPattern::show>("show")); }
};

}  // namespace

LEAT_PLUGIN(BadPattern, "bad_pattern", "1.0")
