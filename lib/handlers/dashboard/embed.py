#!/usr/bin/env python3
"""Writes a page into a C++ source, with a policy that allows its own style and script and nothing else.

    embed.py PAGE OUTPUT NAME    NAME: of the header, NAME_page.h, which declares kName...

A hash is of the very bytes between the tags, so the page is taken as it is.
"""

import base64
import hashlib
import re
import sys
from pathlib import Path

PIECE = 12_000  # compilers need not take longer literals
MARK = "__LEAT__"


def hashes(page, tag):
    found = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
    assert found, f"the page has no {tag}"
    return " ".join("'sha256-" + base64.b64encode(hashlib.sha256(each.encode()).digest()).decode() + "'" for each in found)


def main(source, output, name):
    page = Path(source).read_text()
    assert not re.search(r"""\s(style|on\w+)\s*=\s*["']""", page), "inline attributes are what the policy forbids"
    policy = (f"default-src 'none'; style-src {hashes(page, 'style')}; script-src {hashes(page, 'script')}; "
              "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
    pieces = "\n".join(f'R"{MARK}({page[at:at + PIECE]}){MARK}"' for at in range(0, len(page), PIECE))
    what = "k" + name.title()
    Path(output).write_text(f'#include "handlers/{name}_page.h"\n\nnamespace leat::handlers {{\n\n'
                            f"constexpr char {what}Text[] =\n{pieces};\n"
                            f"const std::string_view {what}Page({what}Text, sizeof {what}Text - 1);\n"
                            f'const std::string_view {what}Policy =\n    "{policy}";\n\n}}  // namespace leat::handlers\n')


main(*sys.argv[1:])
