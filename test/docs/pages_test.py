#!/usr/bin/env python3
"""What the pages say that can be looked up: links lead somewhere, the cookbook's code is that of the examples,
the reference has every extension of plugin.h, and the architecture's tables have every field of their classes.

    pages_test.py [--write]    --write: makes the reference's table of extensions anew
"""

import re
import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = ROOT / "docs/plugins"
REFERENCE = PLUGINS / "reference.md"
PAGES = [ROOT / "README.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("packaging/**/*.md")]
TABLE = re.compile(r"(?<=\|---\|---\|---\|---\|\n).*?(?=<!-- end -->)", re.S)


def extensions():
    """Of each table in plugin.h that the host gives out: (name, what it is for, threads, functions)."""
    header = "".join((ROOT / "lib/plugin/sdk" / name).read_text() for name in ("plugin.h", "plugin_websocket.h", "plugin_events.h"))
    for struct in re.finditer(r"typedef struct leat_(\w+)_v(\d+) \{\n(.*?)^\} leat_\1_v\2;", header, re.M | re.S):
        name = f"leat.{struct[1]}/{struct[2]}"
        comment = re.search(rf'/\* "{name}"(?:(?!\*/).)*\*/\s*$', header[:struct.start()], re.S)
        assert comment, f"plugin.h: the comment before leat_{struct[1]}_v{struct[2]} must begin with \"{name}\""
        words = re.sub(r"\s*\n \* *|\s*\*/\s*$", " ", comment[0])
        purpose = re.match(r'/\* "[^"]*": (.*?)\.(?=\s)', words)
        assert purpose, f"plugin.h: say after \"{name}\": what it is for, in a sentence"
        tags = [tag for tag in ("main", "worker", "any") if f"[{tag}]" in comment[0] + struct[3]]
        # Members begin at two spaces; what is further in, or further on, is an argument.
        functions = re.findall(r"^  \w[\w *]*\(\*(\w+)\)\(", re.sub(r"/\*.*?\*/", "", struct[3], flags=re.S), re.M)
        yield name, purpose[1].strip(), tags, functions


def table():
    return "".join(f"| `{name}` | {purpose} | {', '.join(tags)} | {', '.join(f'`{each}`' for each in functions)} |\n"
                   for name, purpose, tags, functions in extensions())


def anchor(heading):
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def members(name):
    """The data members of a class of the daemon, as its header has them. Two of a name are told apart by their folders: http1::Session."""
    module, _, name = name.rpartition("::")
    # Not of all folders: the sources lie once more where packages are being made of them.
    headers = [path for folder in ("lib", "config", "server") for path in (ROOT / folder).glob("**/*.h")
               if path.parent.name in (module or path.parent.name) and re.search(rf"^class {name} [^;]*\{{$", path.read_text(), re.M)]
    assert len(headers) == 1, f"{name} is defined in {headers}"
    text = re.sub(r"//[^\n]*", "", headers[0].read_text())
    body = re.search(rf"^class {name} [^;]*\{{\n(.*?)^\}};", text, re.M | re.S)[1]
    # Bodies of functions, nested types and initialisers leave nothing; then a member is a declaration without arguments.
    while re.search(r"\{[^{}]*\}", body):
        body = re.sub(r"\{[^{}]*\}", ";", body)
    for declaration in re.sub(r"^ (public|private|protected):$", "", body, flags=re.M).split(";"):
        found = re.fullmatch(r"(?!using|friend|enum|struct|class|static)[\w:<>,*& ]+?[\s*&](\w+)\s*(=[^;]*)?",
                             declaration.strip())
        if found and found[1] != "operator":
            yield found[1]


class Pages(unittest.TestCase):
    def test_the_architecture_has_every_field_of_its_classes(self):
        page = (ROOT / "docs/ARCHITECTURE.md").read_text()
        tables = re.findall(r"^\| fields of `([\w:]+)` \|.*?\n\|.*?\n((?:\|.*\n)+)", page, re.M)
        self.assertEqual([name for name, _ in tables], ["Connection", "Protocol", "http1::Session", "http2::Session", "Exchange"])
        for name, rows in tables:
            told = {field for row in rows.splitlines() for field in re.findall(r"`(\w+)`", row.split("|")[1])}
            self.assertEqual(told, set(members(name)), f"docs/ARCHITECTURE.md: fields of {name}")

    def test_links_lead_somewhere(self):
        for page in PAGES:
            text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.M | re.S)
            for link in re.findall(r"\]\(([^)\s]+)\)", text):
                if re.match(r"\w+:", link):
                    continue
                path, _, place = link.partition("#")
                target = (page.parent / path).resolve() if path else page
                self.assertTrue(target.exists(), f"{page.relative_to(ROOT)}: {link}")
                if place:
                    headings = re.findall(r"^#+ (.*)$", target.read_text(), re.M)
                    self.assertIn(place, [anchor(heading) for heading in headings], f"{page.relative_to(ROOT)}: {link}")

    def test_the_troubleshooting_has_messages_of_the_daemon(self):
        """Each, between its dots, is in the sources, where a long text may be written as several."""
        sources = "".join(path.read_text() for folder in ("lib", "server") for path in (ROOT / folder).glob("**/*.cc"))
        sources = re.sub(r'"\s*\n\s*"', "", sources)
        part = (ROOT / "docs/operations.md").read_text().partition("## Troubleshooting")[2]
        messages = re.findall(r"^\| `([^`]+)` \|", part, re.M)
        self.assertGreater(len(messages), 10)
        for message in messages:
            pieces = [re.escape(piece.strip()) for piece in message.split("…") if piece.strip()]
            self.assertTrue(re.search(r"[^\n]{0,60}".join(pieces), sources), f"docs/operations.md: {message}")

    def test_settings_that_the_pages_name_are_there(self):
        reference = (ROOT / "docs/configuration.md").read_text()
        settings = {f"{group}.{key}" for group, rows in re.findall(r"^## `\[(\w+)\]`\n(.*?)(?=^## )", reference, re.M | re.S)
                    for key in re.findall(r"^\| `(\w+)`", rows, re.M)}
        groups = {each.partition(".")[0] for each in settings}
        for name in ("operations.md", "security.md"):
            for group, key in re.findall(r"`(\w+)\.(\w+)`", (ROOT / "docs" / name).read_text()):
                if group in groups:
                    self.assertIn(f"{group}.{key}", settings, name)

    def test_the_cookbook_shows_the_examples(self):
        blocks = re.findall(r"^```\w+ (\S+)\n(.*?)^```$", (PLUGINS / "cookbook.md").read_text(), re.M | re.S)
        self.assertGreater(len(blocks), 5)
        for file, code in blocks:
            source, snippet = ("".join(line.strip() + "\n" for line in text.splitlines())
                               for text in ((ROOT / "docs/examples" / file).read_text(), code))
            self.assertIn("\n" + snippet, source, f"{file} holds no longer, line by line:\n{code}")

    def test_the_analysis_is_made_from_the_results(self):
        sys.path.insert(0, str(ROOT / "bench"))
        import analysis_page
        import json
        results = json.loads((ROOT / "bench/results/final_benchmark_results.json").read_text())
        self.assertEqual((ROOT / "docs/performance-analysis.md").read_text(), analysis_page.page(results),
                         "run: ./dev bench --full --page")
        for payload in ("P1", "P2", "P3", "P4", "P6", "P7", "P8"):
            for kind in ("once", "twice"):
                self.assertIn(f"{payload}/{kind}/struct", results["encoding"]["rows"])
        self.assertEqual({name: part["failed"] for name, part in results.items() if "failed" in part}, {})
        self.assertEqual(results["http"]["failures"], [])

    def test_the_reference_has_every_extension(self):
        self.assertGreater(len(list(extensions())), 8)
        self.assertTrue(all(tags and functions for _, _, tags, functions in extensions()))
        self.assertEqual(TABLE.search(REFERENCE.read_text())[0], table(), "run: test/docs/pages_test.py --write")


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        REFERENCE.write_text(TABLE.sub(lambda _: table(), REFERENCE.read_text()))
    else:
        unittest.main()
