#include "server/commands/completion.h"

#include <fmt/core.h>

#include <functional>
#include <set>
#include <vector>

namespace leat::server {

namespace {

// What an option or a place takes, for a shell to list.
enum class Takes : uint8_t { Nothing, Words, Files, Plugins, Folders, Other };

Takes takes(const CommandOption& option) {
  if (option.value.empty() && !option.positional) return Takes::Nothing;
  if (!option.choices.empty()) return Takes::Words;
  if (option.value == "FILE" || option.value == "PATH") return Takes::Files;
  if (option.value == "FILE.so") return Takes::Plugins;
  if (option.value == "DIR") return Takes::Folders;
  return Takes::Other;
}

std::string joined(const std::vector<std::string>& words, std::string_view between = " ") {
  std::string text;
  for (const std::string& word : words) text.append(text.empty() ? "" : between).append(word);
  return text;
}

// Calls `visit` for each command that options may follow, with the words that lead to it: "", "plugin", "plugin new".
using Visit = std::function<void(const std::string& path, const CommandTree& command)>;
void each_command(const CommandTree& command, const std::string& path, const Visit& visit) {
  visit(path, command);
  for (const CommandTree& below : command.commands)
    each_command(below, path.empty() ? below.name : path + " " + below.name, visit);
}

// All options that something follows which is not a command.
std::vector<std::string> options_with_values(const CommandTree& tree) {
  std::set<std::string> names;
  each_command(tree, "", [&](const std::string&, const CommandTree& command) {
    for (const CommandOption& option : command.options)
      if (!option.positional && takes(option) != Takes::Nothing)
        names.insert(option.names.begin(), option.names.end());
  });
  return {names.begin(), names.end()};
}

std::vector<std::string> words_after(const CommandTree& command) {
  std::vector<std::string> words;
  for (const CommandTree& below : command.commands) words.push_back(below.name);
  for (const CommandOption& option : command.options)
    if (!option.positional) words.insert(words.end(), option.names.begin(), option.names.end());
  return words;
}

// The patterns of a shell's `case` for all commands that stand below another, or the options of one.
std::string patterns(const std::vector<std::string>& each) {
  std::string text;
  for (const std::string& one : each) text += fmt::format("{}\"{}\"", text.empty() ? "" : " | ", one);
  return text;
}

// --- bash

std::string bash_list(const CommandOption& option) {
  switch (takes(option)) {
    case Takes::Words:
      return fmt::format("_leat_words '{}'", joined(option.choices));
    case Takes::Files:
      return "_leat_files -f";
    case Takes::Plugins:
      return "_leat_files -f -X '!*.so'; _leat_more_folders";
    case Takes::Folders:
      return "_leat_files -d";
    case Takes::Nothing:
    case Takes::Other:
      break;
  }
  return ":";
}

std::string bash(const CommandTree& tree) {
  std::string steps, values, words;
  each_command(tree, "", [&](const std::string& path, const CommandTree& command) {
    for (const CommandTree& below : command.commands)
      steps += fmt::format("      \"{}:{}\") path='{}' ;;\n", path, below.name,
                           path.empty() ? below.name : path + " " + below.name);
    std::string places;
    for (const CommandOption& option : command.options) {
      if (option.positional) {
        if (takes(option) != Takes::Other) places += "; " + bash_list(option);
        continue;
      }
      if (takes(option) == Takes::Nothing) continue;
      std::vector<std::string> ways;
      for (const std::string& name : option.names) ways.push_back(path + ":" + name);
      values += fmt::format("    {}) {}; return ;;\n", patterns(ways), bash_list(option));
    }
    words += fmt::format("    \"{}\") _leat_words '{}'{} ;;\n", path, joined(words_after(command)), places);
  });
  return fmt::format(R"(# Completion of leat for bash, made by `leat completion bash`.

# Each adds to COMPREPLY what begins with $cur.
_leat_words() {{
  local IFS=$' \n'
  COMPREPLY+=($(compgen -W "$1" -- "$cur"))
}}
_leat_files() {{
  local file
  compopt -o filenames 2>/dev/null
  while IFS= read -r file; do COMPREPLY+=("$file"); done < <(compgen "$@" -- "$cur")
}}
_leat_more_folders() {{
  local file
  while IFS= read -r file; do COMPREPLY+=("$file"); done < <(compgen -d -- "$cur")
}}

_leat() {{
  local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD - 1]}} path= i
  COMPREPLY=()
  # bash makes words of their own of --config, = and FILE.
  if [[ $cur == = ]]; then
    cur=
  elif [[ $prev == = ]]; then
    prev=${{COMP_WORDS[COMP_CWORD - 2]}}
  fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "${{COMP_WORDS[i - 1]}}" in
      = | {}) continue ;;
    esac
    case "$path:${{COMP_WORDS[i]}}" in
{}    esac
  done
  case "$path:$prev" in
{}  esac
  case "$path" in
{}  esac
}}
complete -F _leat leat
)",
                     joined(options_with_values(tree), " | "), steps, values, words);
}

// --- zsh

// For the text in brackets of a specification of _arguments, in single quotes.
std::string zsh_text(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\'')
      out += "'\\''";
    else if (c == '[' || c == ']' || c == ':' || c == '\\')
      out += {'\\', c};
    else
      out += c;
  }
  return out;
}

std::string zsh_list(const CommandOption& option) {
  switch (takes(option)) {
    case Takes::Words:
      return "(" + joined(option.choices) + ")";
    case Takes::Files:
      return "_files";
    case Takes::Plugins:
      return "_files -g \"*.so\"";
    case Takes::Folders:
      return "_files -/";
    case Takes::Nothing:
    case Takes::Other:
      break;
  }
  return " ";
}

std::string zsh_specification(const CommandOption& option) {
  const std::string sentence = zsh_text(option.sentence);
  if (option.positional) {
    const std::string place = zsh_text(option.value.empty() ? option.names.front() : option.value);
    // Where nothing can be listed, what begins with a dash is completed as an option, and not taken for this.
    return takes(option) == Takes::Other ? fmt::format("':{0}:_guard \"^-*\" \"{0}\"'", place)
                                         : fmt::format("':{}:{}'", place, zsh_list(option));
  }
  const std::string value =
      takes(option) == Takes::Nothing ? "" : fmt::format(":{}:{}", zsh_text(option.value), zsh_list(option));
  std::string text;
  for (const std::string& name : option.names)
    text += fmt::format("{}'(){}{}[{}]{}'", text.empty() ? "" : " ", name,
                        value.empty() || name.size() == 2 ? "" : "=", sentence, value);
  return text;
}

std::string zsh(const CommandTree& tree) {
  std::string text = "#compdef leat\n# Completion of leat for zsh, made by `leat completion zsh`.\n";
  each_command(tree, "", [&](const std::string& path, const CommandTree& command) {
    std::string name = "_leat";
    for (const char c : path.empty() ? std::string() : "_" + path) name += c == ' ' ? '_' : c;
    text += fmt::format("\n{}() {{\n", name);
    if (!command.commands.empty()) {
      text += "  local curcontext=$curcontext state line\n  local -a commands=(\n";
      for (const CommandTree& below : command.commands)
        text += fmt::format("    '{}:{}'\n", below.name, zsh_text(below.sentence));
      text += "  )\n";
    }
    text += command.commands.empty() ? "  _arguments -S" : "  _arguments -C -S";
    for (const CommandOption& option : command.options) text += " \\\n    " + zsh_specification(option);
    if (command.commands.empty()) {
      text += "\n}\n";
      return;
    }
    text += fmt::format(R"( \
    '1: :->command' '*:: :->arguments'
  case $state in
    command) _describe -t commands 'command' commands ;;
    arguments) (( $+functions[{0}_$line[1]] )) && {0}_$line[1] ;;
  esac
}}
)",
                        name);
  });
  return text + R"(
if [[ $funcstack[1] == _leat ]]; then
  _leat "$@"
else
  compdef _leat leat
fi
)";
}

// --- fish

std::string fish_text(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + "'";
}

// What `complete` is told of what follows: -F, files; -a, these words.
std::string fish_list(const CommandOption& option) {
  switch (takes(option)) {
    case Takes::Words:
      return " -a " + fish_text(joined(option.choices));
    case Takes::Files:
      return " -F";
    case Takes::Plugins:
      return " -a '(__fish_complete_suffix .so)'";
    case Takes::Folders:
      return " -a '(__fish_complete_directories)'";
    case Takes::Nothing:
    case Takes::Other:
      break;
  }
  return "";
}

std::string fish(const CommandTree& tree) {
  std::string steps, lines;
  each_command(tree, "", [&](const std::string& path, const CommandTree& command) {
    const std::string where = fmt::format("complete -c leat -n '__leat_at \"{}\"'", path);
    for (const CommandTree& below : command.commands) {
      steps += fmt::format("            case '{}:{}'\n                set path '{}'\n", path, below.name,
                           path.empty() ? below.name : path + " " + below.name);
      lines += fmt::format("{} -a {} -d {}\n", where, below.name, fish_text(below.sentence));
    }
    for (const CommandOption& option : command.options) {
      std::string names;
      for (const std::string& name : option.names)
        if (!option.positional) names += name.size() == 2 ? " -s " + name.substr(1) : " -l " + name.substr(2);
      const bool valued = !option.positional && takes(option) != Takes::Nothing;
      const std::string list = fish_list(option);
      if (option.positional && list.empty()) continue;
      // Something has to follow: -r, anything, to which fish adds all files by itself; -x, only what the list has.
      const std::string_view follows = !valued ? "" : takes(option) == Takes::Files ? " -r" : " -x";
      lines += fmt::format("{}{}{}{} -d {}\n", where, names, follows, list, fish_text(option.sentence));
    }
  });
  return fmt::format(R"(# Completion of leat for fish, made by `leat completion fish`.

# Whether the words so far lead to the command $argv[1].
function __leat_at
    set -l path ''
    set -l before ''
    for word in (commandline -opc)[2..-1]
        if contains -- "$before" {}
            set before ''
            continue
        end
        set before $word
        switch "$path:$word"
{}        end
    end
    test "$path" = "$argv[1]"
end

complete -c leat -f
{})",
                     joined(options_with_values(tree)), steps, lines);
}

}  // namespace

std::string completion_script(const CommandTree& tree, std::string_view shell) {
  return shell == "bash" ? bash(tree) : shell == "zsh" ? zsh(tree) : fish(tree);
}

}  // namespace leat::server
