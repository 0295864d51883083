// The files of server/commands/templates/, as templates/embed.py puts them into the program at build time.
#pragma once

#include <span>
#include <string_view>

namespace leat::server {

struct Template {
  std::string_view
      folder;  // a language or "all", of a kind of plugin "handler/c"; of a part of a file that kind
  std::string_view path;  // within the project; NAME stands for the plugin's name
  std::string_view text;  // with @WORDS@ to be replaced: see plugin_new.cc
};

extern const std::span<const Template> kTemplates;

}  // namespace leat::server
