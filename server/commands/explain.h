// `leat explain`: what would become of a request, by a configuration or by the daemon that runs (pipeline/explain.h).
//
// The request is written down as a client would send it and read by the session that serves, so that one which is refused before it
// has a route is refused here as well.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "pipeline/site.h"

namespace leat::server {

struct Question {
  std::string method = "GET";
  std::string url;                  // "https://example.org/path?query", or the path alone
  std::vector<std::string> fields;  // "NAME: VALUE"
  std::string from = "127.0.0.1";   // the client
  std::string listener;             // by which it comes; empty: the first
  bool json = false;

  // As one line without its end, for the admin socket, and back; nothing for one that is none.
  [[nodiscard]] std::string line() const;
  static std::expected<Question, std::string> from_line(std::string_view line);
};
inline constexpr std::string_view kExplainWord = "explain\t";

// The answer as text; or what is wrong with the question. Any thread; `site` serves on meanwhile.
std::expected<std::string, std::string> explain(const pipeline::Site& site, const config::Settings& settings,
                                                const Question& question);

}  // namespace leat::server
