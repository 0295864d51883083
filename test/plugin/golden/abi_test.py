#!/usr/bin/env python3
"""Whether plugin.h still says what it said when its version was released.

    abi_test.py CC                 compares the header with plugin-1.0.abi by abidiff
    abi_test.py CC --write         stores the header's description anew: after adding to the interface

What was released may grow at the ends of its tables and get new types; all else breaks plugins in the field.
"""

import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
STORED = HERE / "plugin-1.0.abi"
HEADER = HERE.parents[2] / "lib/plugin/sdk/plugin.h"
CC = sys.argv[1]

def description(header):
    """What abidw says of an object that uses every table and every other type of a header with that text."""
    types = sorted(set(re.findall(r"^} (leat_\w+);|^typedef struct (leat_\w+) leat|^struct (leat_\w+) {", header, re.M)))
    names = [name for found in types for name in found if name]
    whole = [name for name in names if re.search(r"^(?:} %s;|struct %s {)" % (name, name), header, re.M)]
    functions = re.findall(r"^typedef \w+ \(\*(\w+)\)", header, re.M)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "plugin.h").write_text(header)
        source = '#include "plugin.h"\n' + "".join(f"{name}* of_{name};\n" for name in whole + functions)
        Path(folder, "all.c").write_text(source)
        subprocess.run([CC, "-std=c11", "-g", "-fPIC", "-shared", "-Wl,-soname,leat", "-o", "all.so", "all.c"], cwd=folder,
                       check=True)
        return subprocess.run(["abidw", "--no-corpus-path", "--no-comp-dir-path", "--no-show-locs", "all.so"],
                              cwd=folder, check=True, capture_output=True, text=True).stdout


def difference(header):
    """What abidiff says of the stored description and that of the text, but for growth; empty for nothing."""
    with tempfile.TemporaryDirectory() as folder:
        new = Path(folder, "new.abi")
        new.write_text(description(header))
        run = subprocess.run(["abidiff", "--leaf-changes-only", "--no-added-syms", STORED, new], capture_output=True,
                             text=True)
    assert run.returncode & 3 == 0, f"abidiff failed: {run.stdout}{run.stderr}"
    breaking = []
    block = ""
    size = 0  # of the type that the block is about, before
    for line in run.stdout.splitlines():
        if grown := re.match(r"  type size changed from (\d+) to (\d+)", line):
            size = int(grown[1])
            if int(grown[2]) > size:
                continue
        inserted = re.search(r", at offset (\d+) \(in bits\)$", line)
        if inserted and int(inserted[1]) >= size > 0:  # at the end: what LEAT_HAS is for
            continue
        if re.match(r"'.*' changed:$", line):
            block, size = line, 0
        elif line and not re.match(r"(.* summary: |  \d+ data member insertions?:$)", line):
            breaking += [block, line]
    return "\n".join(breaking)


class Abi(unittest.TestCase):
    header = HEADER.read_text()

    def changed(self, old, new):
        self.assertEqual(self.header.count(old), 1, old)
        return difference(self.header.replace(old, new))

    def test_is_what_it_was(self):
        self.assertEqual(difference(self.header), "")

    def test_may_grow_at_the_ends(self):
        self.assertEqual(self.changed("} leat_timer_v1;", "  int32_t (*more)(int64_t);\n} leat_timer_v1;\n"
                                      "typedef struct leat_new {\n  int32_t one;\n} leat_new;"), "")
        self.assertEqual(self.changed("  uint64_t generation;\n} leat_ticket;",
                                      "  uint64_t generation;\n  int32_t more;\n} leat_ticket;"), "")

    def test_finds_what_breaks_plugins(self):
        sleep = "  int32_t (*resume_after)(leat_request* request, uint64_t delay_ms, leat_resume resume, void* argument);\n"
        self.assertIn("leat_timer_v1", self.changed(sleep, sleep.replace("uint64_t", "uint32_t")))  # a type
        self.assertIn("leat_timer_v1", self.changed(sleep, ""))  # a member less
        self.assertIn("leat_timer_v1", self.changed(sleep, "  uint64_t (*new)(void);\n" + sleep))  # one between
        self.assertIn("leat_ticket", self.changed("  uint32_t worker;\n  uint32_t slot;\n  uint64_t generation;\n",
                                                  "  uint32_t slot;\n  uint32_t worker;\n  uint64_t generation;\n"))


if __name__ == "__main__":
    if sys.argv[2:] == ["--write"]:
        STORED.write_text(description(HEADER.read_text()))
    else:
        unittest.main(argv=sys.argv[:1])
