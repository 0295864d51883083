#!/usr/bin/env python3
"""Writes the files of this folder into a C++ source, so that `leat plugin new` needs none beside the program.

    embed.py OUTPUT [PATH=FILE | FILE]...

A FILE that was built, or stands for several templates, needs a PATH: that of the template.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
KINDS = ("handler", "middleware")
MARK = "__LEAT__"  # ends a raw string; no template may hold it


def literal(text):
    assert f"){MARK}\"" not in text
    return f'R"{MARK}({text}){MARK}"'


def main(output, files):
    rows = []
    for name in files:
        place, built, file = name.rpartition("=")
        parts = (place if built else Path(file).resolve().relative_to(ROOT).as_posix()).split("/")
        # Of one kind of plugin, and in it for one language or all.
        depth = 2 if parts[0] in KINDS and len(parts) > 2 else 1
        folder, path = "/".join(parts[:depth]), "/".join(parts[depth:])
        rows.append(f'    {{"{folder}", "{path}", {literal(Path(file).read_text())}}},\n')
    Path(output).write_text('#include "server/commands/templates.h"\n\nnamespace leat::server {\n\n'
                            f"constexpr Template kRows[] = {{\n{''.join(rows)}}};\n"
                            "const std::span<const Template> kTemplates = kRows;\n\n}  // namespace leat::server\n")


main(sys.argv[1], sys.argv[2:])
