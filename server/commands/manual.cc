#include "server/commands/manual.h"

#include <fmt/core.h>

#include <algorithm>
#include <ranges>
#include <utility>
#include <vector>

#include "config/reference.h"
#include "leat_version.h"

namespace leat::server {

namespace {

// Text as roff shows it as it stands; `first` where it begins a line, at which a dot or quote would be a request.
std::string escape(std::string_view text, bool first = false) {
  std::string out;
  if (first && (text.starts_with('.') || text.starts_with('\''))) out += "\\&";
  for (const char c : text) {
    switch (c) {
      case '\\':
        out += "\\(rs";
        break;
      case '-':
        out += "\\-";
        break;
      case '\'':
        out += "\\(aq";
        break;
      case '`':
        out += "\\(ga";
        break;
      case '^':
        out += "\\(ha";
        break;
      case '~':
        out += "\\(ti";
        break;
      default:
        out += c;
    }
  }
  return out;
}

// The words of a Markdown line with its code and bold in bold, and of links what they show.
std::string inline_text(std::string_view text) {
  std::string out;
  bool bold = false;
  const auto change = [&](bool to) { out += (bold = to) ? "\\fB" : "\\fR"; };
  for (size_t at = 0; at < text.size();) {
    if (text[at] == '`') {
      const size_t end = text.find('`', at + 1);
      if (end != std::string_view::npos) {
        out += "\\fB" + escape(text.substr(at + 1, end - at - 1)) + (bold ? "" : "\\fR");
        at = end + 1;
        continue;
      }
    }
    if (text.substr(at).starts_with("**")) {
      change(!bold);
      at += 2;
      continue;
    }
    const size_t middle = text[at] == '[' ? text.find("](", at) : std::string_view::npos;
    const size_t end = middle != std::string_view::npos ? text.find(')', middle) : std::string_view::npos;
    if (end != std::string_view::npos && text.find(']', at) == middle) {
      out += inline_text(text.substr(at + 1, middle - at - 1));
      at = end + 1;
      continue;
    }
    out += escape(text.substr(at, 1), out.empty());
    ++at;
  }
  return out;
}

std::string_view without_spaces(std::string_view text) {
  const size_t begin = text.find_first_not_of(' ');
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(' ') - begin + 1);
}

// Of "| a | b |"; a bar within `code` belongs to it, as does one after a backslash.
std::vector<std::string_view> cells(std::string_view row) {
  std::vector<std::string_view> found;
  size_t begin = 1;
  bool code = false;
  for (size_t at = 1; at < row.size(); ++at) {
    if (row[at] == '`') code = !code;
    if (row[at] != '|' || code || row[at - 1] == '\\') continue;
    found.push_back(without_spaces(row.substr(begin, at - begin)));
    begin = at + 1;
  }
  return found;
}

std::string row_text(std::string_view row) {
  const std::vector<std::string_view> each = cells(row);
  if (each.empty()) return {};
  std::string text = ".TP\n" + inline_text(each.front());
  std::string between;
  for (size_t i = 1; i + 1 < each.size(); ++i)
    if (!each[i].empty()) between += (between.empty() ? "" : "; ") + inline_text(each[i]);
  if (!between.empty()) text += " (" + between + ")";
  const std::string last = each.size() > 1 ? inline_text(each.back()) : "";
  return text + "\n" + (last.empty() ? "\\&" : last) + "\n";
}

std::string head(std::string_view name, int section, std::string_view sentence) {
  return fmt::format(
      ".\\\" Made by leat itself: leat manual {0}\n"
      ".TH \"{1}\" {2} \"\" \"Leat {3}\" \"Leat\"\n"
      ".nh\n.ad l\n.SH NAME\n{4} \\- {5}\n",
      name, name, section, LEAT_VERSION, escape(name), escape(sentence));
}

std::string option_text(const CommandOption& option) {
  std::string names;
  for (const std::string& name : option.names)
    names += (names.empty() ? "\\fB" : ", \\fB") + escape(name) + "\\fR";
  if (option.positional)
    names = "\\fI" + escape(option.value.empty() ? option.names.front() : option.value) + "\\fR";
  else if (!option.value.empty())
    names += " \\fI" + escape(option.value) + "\\fR";
  std::string more;
  // The codes of errors are a list of their own, in leat.toml(5).
  constexpr size_t kMostShown = 12;
  if (!option.choices.empty() && option.choices.size() <= kMostShown) {
    for (const std::string& word : option.choices)
      more += (more.empty() ? " One of \\fB" : ", \\fB") + escape(word) + "\\fR";
    more += ".";
  }
  if (!option.fallback.empty()) more += " By default \\fB" + escape(option.fallback) + "\\fR.";
  return fmt::format(".TP\n{}\n{}.{}\n", names, escape(option.sentence, true), more);
}

void add_commands(std::string& page, const CommandTree& command, const std::string& path) {
  for (const CommandTree& below : command.commands) {
    const std::string name = path + " " + below.name;
    page += fmt::format(".SS {}\n{}.\n", escape(name), escape(below.sentence, true));
    for (const CommandOption& option : below.options)
      if (option.names.back() != "--help") page += option_text(option);
    add_commands(page, below, name);
  }
}

// What no table knows: it is about the process, and not about a command or a setting.
constexpr std::string_view kProcess = R"(.SH SIGNALS
.TP
\fBTERM\fR, \fBQUIT\fR
Requests under way are answered, then the daemon ends; a second one ends it at once, as \fBINT\fR does.
.TP
\fBHUP\fR
The configuration and the plugins are read again, as by \fBleat reload\fR.
.TP
\fBUSR1\fR
The log files are opened again.
.TP
\fBUSR2\fR
A new process of the program takes over, as by \fBleat upgrade\fR.
.SH EXIT STATUS
.TP
0
All went well.
.TP
1
It failed.
.TP
2
The command line is wrong.
.TP
4
It was done, but something is left for people to do (\fBleat migrate\fR).
.TP
78
The configuration is wrong.
)";

}  // namespace

std::string roff_from_markdown(std::string_view markdown) {
  std::string page;
  // `paragraph`: text goes on, or begins just below a heading, where there is no space before it.
  bool code = false, paragraph = true, below_heading = true, table_begins = true;
  std::string begun;  // lines of which the last ends within `code`
  for (const auto part : markdown | std::views::split('\n')) {
    const std::string_view line(part);
    if (!begun.empty() && line.empty()) page += inline_text(std::exchange(begun, {})) + "\n";
    if (line.starts_with("```")) {
      page += code ? ".EE\n.RE\n" : ".PP\n.RS\n.EX\n";
      code = !code;
      paragraph = below_heading = false;
    } else if (code) {
      page += escape(line, true) + "\n";
    } else if (line.empty()) {
      paragraph = below_heading;
      table_begins = true;
    } else if (line.starts_with('|')) {
      // The first row names the columns, the second is a rule.
      if (table_begins || line.starts_with("|---"))
        table_begins = false;
      else
        page += row_text(line);
      paragraph = below_heading = false;
    } else if (line.starts_with("## ")) {
      page += ".SH " + inline_text(line.substr(3)) + "\n";
      paragraph = below_heading = true;
    } else if (line.starts_with("### ")) {
      page += ".SS " + inline_text(line.substr(4)) + "\n";
      paragraph = below_heading = true;
    } else if (!line.starts_with("# ")) {
      if (!paragraph) page += ".PP\n";
      paragraph = true;
      below_heading = false;
      begun.append(begun.empty() ? "" : " ").append(line);
      if (std::ranges::count(begun, '`') % 2 == 0) page += inline_text(std::exchange(begun, {})) + "\n";
    }
  }
  if (!begun.empty()) page += inline_text(begun) + "\n";
  return page;
}

std::string program_page(const CommandTree& tree) {
  std::string page = head("leat", 8, tree.sentence);
  page +=
      ".SH SYNOPSIS\n\\fBleat\\fR \\fICOMMAND\\fR [\\fIOPTION\\fR]...\n"
      ".SH DESCRIPTION\nLeat answers HTTP requests with handlers that are shared objects, and with some of "
      "its own. "
      "One file configures it: \\fBleat.toml\\fR(5). Without another command, \\fBleat run\\fR is what "
      "serves.\n"
      ".SH OPTIONS\n";
  for (const CommandOption& option : tree.options) page += option_text(option);
  page += ".SH COMMANDS\n";
  add_commands(page, tree, "leat");
  page += kProcess;
  page += fmt::format(
      ".SH FILES\n.TP\n\\fI{}\\fR\nThe configuration, with \\fIconf.d/*.toml\\fR beside it.\n.TP\n"
      "\\fI{}\\fR\nPlugins that are named without a folder.\n"
      ".SH SEE ALSO\n\\fBleat.toml\\fR(5), \\fBsystemctl\\fR(1)\n",
      escape(LEAT_CONFIGURATION), escape(LEAT_PLUGIN_DIR));
  return page;
}

std::string configuration_page() {
  return head("leat.toml", 5, "the configuration of Leat, a web server") + ".SH DESCRIPTION\n" +
         roff_from_markdown(config::reference_markdown()) + ".SH SEE ALSO\n\\fBleat\\fR(8)\n";
}

}  // namespace leat::server
