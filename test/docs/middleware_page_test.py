#!/usr/bin/env python3
"""What docs/middleware.md shows is good: each of its examples is a configuration that loads, and each kind has a section.

    middleware_page_test.py LEAT
"""

import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

PAGE = (Path(__file__).resolve().parents[2] / "docs/middleware.md").read_text()


class MiddlewarePage(unittest.TestCase):
    def test_examples_load(self):
        examples = re.findall(r"^## `(\w+)`$(?:(?!^## ).)*?^```toml\n(.*?)^```$", PAGE, re.M | re.S)
        self.assertEqual([kind for kind, _ in examples], re.findall(r"^## `(\w+)`$", PAGE, re.M))
        for kind, example in examples:
            with self.subTest(kind), tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
                self.assertIn(f'kind = "{kind}"', example)
                file.write('[server]\nlisten = "127.0.0.1:0"\n' + example)
                file.flush()
                found = subprocess.run([LEAT, "check", "-c", file.name], capture_output=True, text=True, timeout=60)
                self.assertEqual((found.returncode, found.stderr), (0, ""), example)


if __name__ == "__main__":
    LEAT = sys.argv.pop(1)
    unittest.main()
