// CommandTree: the commands and their options as plain data, for what is made of them besides the parser: the
// manual's page and the completion of three shells. command_tree() (command_line.h) makes it from what the parser
// is told, so that nothing can be said in one and not the other.
#pragma once

#include <string>
#include <vector>

namespace leat::server {

struct CommandOption {
  std::vector<std::string> names;    // "-c", "--config"; of one that is known by its place its name
  std::string value;                 // "FILE"; empty for a flag
  std::string sentence;              // without a full stop
  std::vector<std::string> choices;  // where it must be one of these
  std::string fallback;              // what it is by default; empty where help does not say
  bool positional = false;
  bool needed = false;
};

struct CommandTree {
  std::string name;
  std::string sentence;  // without a full stop
  std::vector<CommandOption> options;
  std::vector<CommandTree> commands;
};

}  // namespace leat::server
