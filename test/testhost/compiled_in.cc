// A plugin that is part of the program that tests it.
#include <leat/plugin.hpp>

#include <string>
#include <vector>

namespace {

class CompiledIn : public leat::Plugin<CompiledIn> {
 public:
  explicit CompiledIn(leat::Setup& setup) : greeting_(setup.text("greeting", "hello")) {}

  leat::Reply greet(leat::Query<std::string_view, "name"> name, leat::Json& json) {
    return json.object("greeting", greeting_, "name", *name);
  }
  // With memory of its own, of the request's and of the heap, in turns.
  leat::Task<leat::Reply> allocate(leat::Json& json) {
    std::vector<std::string> texts;
    for (int i = 0; i < 4; ++i) {
      texts.emplace_back("a text that is too long to be kept in the string itself");
      co_await leat::sleep(std::chrono::milliseconds(1));
    }
    co_return json.object("texts", texts.size());
  }

  static constexpr auto handlers() {
    return leat::list(handler<&CompiledIn::greet>("greet"), handler<&CompiledIn::allocate>("allocate"));
  }

 private:
  std::string greeting_;
};

}  // namespace

LEAT_PLUGIN(CompiledIn, "compiled-in", "1.0")
