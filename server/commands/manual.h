// The pages of the manual, as roff with the macros of man(7). They are made from what the program itself goes by:
// leat(8) from its commands and options, leat.toml(5) from the reference page, which comes from the tables that the
// loader reads by. The build writes both (packaging/meson.build).
#pragma once

#include <string>
#include <string_view>

#include "server/commands/command_tree.h"

namespace leat::server {

std::string program_page(const CommandTree& tree);
std::string configuration_page();

// The body of a page from Markdown as config/reference.cc writes it: headings, paragraphs, tables, blocks of code,
// and in a line `code`, **bold** and [links](PATH), of which the words are kept. Of a table each row becomes a
// paragraph: the first cell, those between in parentheses, the last one as the text.
std::string roff_from_markdown(std::string_view markdown);

}  // namespace leat::server
