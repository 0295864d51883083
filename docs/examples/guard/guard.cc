// guard: two kinds of middleware, for the routes of whichever plugin. No handlers.
//
//   key      lets requests pass that have a key in X-API-Key, tells those behind whose it is, and marks each
//            answer
//   replace  puts another word in the place of one in the bodies of answers, wherever they are cut
#include <leat/plugin.hpp>
#include <map>
#include <string>
#include <string_view>

namespace {

// [[middleware]] kind = "guard:key", keys = ["alice=sesame", "bob=open"]
class Key {
 public:
  explicit Key(leat::Setup& options) {
    for (const std::string& each : options.texts("keys")) {
      const size_t equals = each.find('=');
      if (equals == std::string::npos || equals == 0 || equals + 1 == each.size())
        options.fail("keys", "a key is written as NAME=KEY");
      else
        names_.emplace(each.substr(equals + 1), each.substr(0, equals));
    }
    if (names_.empty()) options.fail("keys", "without any key nobody could come in");
  }

  leat::Reply request(leat::Request& request) const {
    const auto key = request.header("X-API-Key");
    const auto found = key ? names_.find(*key) : names_.end();
    if (found == names_.end()) return leat::problem(401, "Send a key in X-API-Key.");
    leat::set_note(request, "user", found->second);
    return leat::next();
  }

  // Of every answer, its own refusals too.
  void head(leat::Head& head) const { head.set("X-Guarded-By", "guard"); }

 private:
  std::map<std::string, std::string, std::less<>> names_;  // by key
};

// [[middleware]] kind = "guard:replace", word = "cat", by = "dog"
class Replace {
 public:
  // What may be the beginning of the word, and is held back until more has come.
  struct State : leat::PerRequest {
    std::string held;
  };

  explicit Replace(leat::Setup& options) : word_(options.text("word", "")), by_(options.text("by", "")) {
    if (word_.empty()) options.fail("word", "is missing");
  }

  leat::Wants head(leat::Head& head) const {
    const bool is_text = head.type().starts_with("text/") || head.type().starts_with("application/json");
    if (!is_text || head.header("Content-Encoding")) return leat::Wants::Keep;
    head.remove("ETag");  // it was of other bytes
    return leat::Wants::Change;
  }

  void piece(std::string_view piece, leat::Onward& onward, State& state) const {
    state.held += piece;
    std::string_view rest = state.held;
    for (size_t at; (at = rest.find(word_)) != std::string_view::npos;
         rest.remove_prefix(at + word_.size())) {
      onward.give(rest.substr(0, at));
      onward.give(by_);
    }
    size_t keep = std::min(rest.size(), word_.size() - 1);
    while (!word_.starts_with(rest.substr(rest.size() - keep))) --keep;
    onward.give(rest.substr(0, rest.size() - keep));
    state.held = std::string(rest.substr(rest.size() - keep));
  }

  void end(leat::Onward& onward, State& state) const { onward.give(state.held); }

 private:
  std::string word_, by_;
};

class Guard : public leat::Plugin<Guard> {
 public:
  static constexpr auto middleware() {
    return leat::kinds(kind<Key>("key", leat::Phase::Protect, "Lets requests pass that have a key."),
                       kind<Replace>("replace", leat::Phase::Transform, "Replaces a word in answers."));
  }
};

}  // namespace

LEAT_PLUGIN(Guard, "guard", "1.0.0")
