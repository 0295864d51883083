#include "config/expand.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string_view>

#include "config/codes.h"
#include "config/file.h"

namespace leat::config {

namespace {

namespace fs = std::filesystem;

// Keys and certificates fit many times over.
constexpr size_t kMostSecretBytes = size_t{64} << 10;

class Expander {
 public:
  Expander(const Place& where, Diagnostics& diagnostics, Secrets& secrets)
      : where_(where), diagnostics_(diagnostics), secrets_(secrets) {}

  Expansion run(std::string_view text) {
    Expansion expansion;
    std::string& out = expansion.text;
    while (!text.empty()) {
      const size_t dollar = std::min(text.find('$'), text.size());
      out += text.substr(0, dollar);
      text.remove_prefix(dollar);
      if (text.starts_with("$$")) {
        out += '$';
        text.remove_prefix(2);
      } else if (text.starts_with("${")) {
        const size_t end = text.find('}');
        if (end == std::string_view::npos) {
          fail(kVariable, "`${` without its `}`", "write `$$` for a dollar sign");
          return expansion;
        }
        expansion.replaced = true;
        out += replacement(text.substr(2, end - 2));
        expansion.origin = origin_;
        text.remove_prefix(end + 1);
      } else if (!text.empty()) {
        out += '$';
        text.remove_prefix(1);
      }
    }
    return expansion;
  }

 private:
  void fail(Code code, std::string message, std::string hint) {
    diagnostics_.push_back(
        {.code = code, .message = std::move(message), .place = where_, .hint = std::move(hint)});
  }

  std::string replacement(std::string_view content) {
    const size_t colon = std::min(content.find(':'), content.size());
    const std::string name(content.substr(0, colon));
    const std::string_view rest = content.substr(colon);
    if (content.contains("${")) {
      fail(kVariable, "`${...}` does not stand within another", "");
    } else if (rest.starts_with(":-") || rest.starts_with(":?") || rest.empty()) {
      return variable(name, rest);
    } else if (name == "file") {
      return secret((fs::path(*where_.file).parent_path() / rest.substr(1)).string());
    } else if (name == "credential") {
      return credential(rest.substr(1));
    } else {
      fail(kVariable, "`${" + std::string(content) + "}` is none of the forms there are",
           "write `${NAME}`, `${NAME:-text}`, `${NAME:?message}`, `${file:PATH}` or `${credential:NAME}`");
    }
    return {};
  }

  // `rest` is empty, or begins with ":-" or ":?".
  std::string variable(const std::string& name, std::string_view rest) {
    const auto in_name = [](char c) {
      return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    };
    if (name.empty() || !std::ranges::all_of(name, in_name)) {
      fail(kVariable, "`" + name + "` is not the name of a variable", "write `$$` for a dollar sign");
      return {};
    }
    const char* value = std::getenv(name.c_str());
    if (value != nullptr && (*value != '\0' || rest.empty())) {
      origin_ = std::max(origin_, Value::Origin::Environment);
      return value;
    }
    if (rest.starts_with(":-")) return std::string(rest.substr(2));
    if (rest.size() > 2) {
      fail(kVariable, std::string(rest.substr(2)), "set the variable `" + name + "`");
    } else {
      fail(kVariable, "the variable `" + name + "` is not set",
           "set it, or write `${" + name + ":-default}`");
    }
    return {};
  }

  std::string secret(const std::string& path) {
    origin_ = Value::Origin::Secret;
    auto text = read_file(path, kMostSecretBytes);
    if (!text) {
      fail(kSecret, text.error().reason, "");
      return {};
    }
    if (text->ends_with('\n')) text->pop_back();
    if (text->ends_with('\r')) text->pop_back();
    secrets_.add(*text, where_);
    return std::move(*text);
  }

  std::string credential(std::string_view name) {
    const char* folder = std::getenv("CREDENTIALS_DIRECTORY");
    if (name.empty() || name.contains('/') || name == "." || name == "..") {
      fail(kSecret, "`" + std::string(name) + "` is not the name of a credential", "");
    } else if (folder == nullptr) {
      fail(kSecret, "there is no credential `" + std::string(name) + "`: CREDENTIALS_DIRECTORY is not set",
           "systemd sets it for a unit with LoadCredential=");
    } else {
      return secret((fs::path(folder) / name).string());
    }
    return {};
  }

  const Place& where_;
  Diagnostics& diagnostics_;
  Value::Origin origin_ = Value::Origin::File;
  Secrets& secrets_;
};

}  // namespace

Expansion expand(std::string text, const Place& where, Diagnostics& diagnostics, Secrets& secrets) {
  if (!text.contains('$')) return {.text = std::move(text)};
  return Expander(where, diagnostics, secrets).run(text);
}

}  // namespace leat::config
