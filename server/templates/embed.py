#!/usr/bin/env python3
"""Writes the files of this folder into a C++ source, so that `leat plugin new` needs none beside the program.

    embed.py OUTPUT FILE...
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
MARK = "__LEAT__"  # ends a raw string; no template may hold it


def literal(text):
    assert f"){MARK}\"" not in text
    return f'R"{MARK}({text}){MARK}"'


def main(output, files):
    rows = []
    for file in sorted(Path(name).resolve().relative_to(ROOT) for name in files):
        folder, path = file.as_posix().split("/", 1)
        rows.append(f'    {{"{folder}", "{path}", {literal((ROOT / file).read_text())}}},\n')
    Path(output).write_text('#include "server/templates.h"\n\nnamespace leat::server {\n\n'
                            f"constexpr Template kRows[] = {{\n{''.join(rows)}}};\n"
                            "const std::span<const Template> kTemplates = kRows;\n\n}  // namespace leat::server\n")


main(sys.argv[1], sys.argv[2:])
