#!/usr/bin/env python3
"""The JSON Schema of configurations: a schema, which takes what the daemon takes and refuses what it refuses.

    json_schema_test.py LEAT SOURCE_ROOT FOLDER_OF_PLUGINS...
"""

import json
import re
import subprocess
import sys
import tomllib
import unittest
from pathlib import Path

try:
    import jsonschema
except ImportError:
    jsonschema = None

LEAT, ROOT = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
FOLDERS = [word for folder in sys.argv[3:] for word in ("--plugin-path", folder)]


def schema(*options):
    return json.loads(subprocess.run([LEAT, "schema", *options], capture_output=True, text=True, check=True).stdout)


SCHEMA = schema()
VALIDATOR = jsonschema and jsonschema.Draft202012Validator(SCHEMA)

# Of an example, with all that its plugins ask for: what they take in place of what is written there, and what they do not.
ASKED = {
    "crud": ("most_items = 3", "most_items = 100", None, "most_items = 0", "most_items = true", 'most_items = "3"'),
    "gate": ('key = "sesame"', 'key = "other"', 'key = "${KEY}"', None, "key = 1", 'key = ["sesame"]'),
    "guard": ('keys = ["alice=sesame", "bob=open"]', 'keys = ["a=b"]', None, "keys = 1", "keys = [1]", 'keys = "alice=sesame"'),
    "aggregate": ('users = "${USERS_URL:-http://127.0.0.1:9001}"', 'users = "http://localhost"', None, "users = 1", "users = {}"),
}

# Each is right but for what stands in its place: (good, bad...).
CASES = {
    "[server]\nworkers = {}": ('"auto"', "4", '"${WORKERS}"', None, "0", "1025", '"four"', "true"),
    "[server]\nengine = {}": ('"epoll"', '"${ENGINE:-auto}"', None, '"kqueue"', "1"),
    "[server]\nlisten = {}": ('"*:80"', '["*:80", "unix:/run/x"]', None, "80", "[80]"),
    "[server]\nunix_mode = {}": ("0o600", '"${MODE}"', None, "0o1000", '"0600"'),
    "[server]\nname = {}": ('"x"', '""', None, f'"{"x" * 65}"', "1"),
    "[server]\nsupervise = {}": ("true", '"${SUPERVISE:-true}"', None, '"yes"', "1"),
    "[server]\n{} = 1": ("backlog", None, "backlogs", "limits"),
    "[{}]": ("log", None, "logs", "[log]"),
    "[limits]\nbody = {}": ('"8MiB"', "1000", '"10MB"', '"7B"', None, "-1", '"8 MiB"', '"8mib"', "1.5"),
    "[limits]\nhead_timeout = {}": ('"10s"', '"1500ms"', None, "10", "0", '"10"', '"1.5s"'),
    "[limits]\ndoze_after = {}": ('"10s"', "0", None, "10"),
    "[limits]\nheader_count = {}": ("100", '"${COUNT}"', None, "0", "1001", '"100"'),
    "include = {}": ('"a.toml"', '["a.toml", "b/*.toml"]', None, "1", "[1]"),
    "[[plugin]]\nname = \"a\"\n{}": ('file = "a.so"', None, "", "file = 1", 'file = ""', 'file = "a"\nfiles = "b"'),
    "[[plugin]]\nname = \"a\"\nfile = \"b\"\n{}": ("[plugin.config]\nwhatever = 1", "concurrency = 3",
                                                 'services = {"a/1" = "b"}', None, "config = 1", "concurrency = 0",
                                                 'services = {"a/1" = 1}'),
    "[[route]]\npath = \"/\"\nhandler = \"a:b\"\n{}": (
        "", 'method = "PUT"', 'methods = ["GET", "PUT"]', 'middleware = ["x", {kind = "a:b", c = 1}]', "cache = {}",
        '[route.cache]\nttl = "1m"\nquery = ["a"]\njitter = 0', None, 'middleware = "x"', "middleware = [1]",
        'executor = "thread"', "cache = 1", '[route.cache]\nttl = 60', '[route.cache]\njitter = 101',
        '[route.cache]\nquery = "some"', '[route.cache]\nage = 1', "timeout = 1", 'redirect = "/b"'),
    "[[listener]]\n{}": (
        'address = "127.0.0.1:80"\nbacklog = 9\ndefer_accept = true\nprotocols = ["http/1.1"]',
        'address = "unix:/run/a"\nmode = 0o600', None, "backlog = 1", 'address = "unix:/a"\nbacklog = 0',
        'address = "unix:/a"\nport = 1'),
    "[[route]]\n{}": ('path = "/"\nhandler = "a:b"', None, 'path = "/"', 'handler = "a:b"'),
    "[[middleware]]\nkind = \"access\"\nrules = {}": (
        "[]", '[{action = "deny"}]', '[{action = "allow", client = "10.0.0.0/8", host = ["a"], method = "GET", header = "X"}]', None,
        '"allow"', '["allow"]', "[{}]", '[{action = "permit"}]', '[{action = "allow", path = "/"}]', '[{action = "allow", host = 1}]'),
    "[[middleware]]\n{}": (
        'kind = "request_id"\ntrust = true', 'kind = "access_log"\nbefore = "x"\nglobal = false',
        'kind = "guard:key"\nkeys = ["a=b"]\noptional = true', None, "", 'kind = "request_ids"', "kind = 1",
        'kind = "request_id"\ntrust = 1', 'kind = "request_id"\nkeys = 1', 'kind = "guard:key"\nglobal = "no"'),
}

# What a few keys on a page may belong to.
HEADERS = ("", "[server]\n", '[[middleware]]\nkind = "access_log"\n', '[[route]]\npath = "/"\nhandler = "leat:dashboard"\n')


@unittest.skipUnless(jsonschema, "needs python3-jsonschema")
class Schema(unittest.TestCase):
    def test_it_is_one(self):
        jsonschema.Draft202012Validator.check_schema(SCHEMA)

    def test_defaults_are_what_it_takes(self):
        count = 0

        def visit(node):
            nonlocal count
            if isinstance(node, dict):
                if "default" in node and isinstance(node.get("description"), str):
                    count += 1
                    part = {key: value for key, value in node.items()} | {"$defs": SCHEMA["$defs"]}
                    self.assertTrue(jsonschema.Draft202012Validator(part).is_valid(node["default"]), node)
                for value in node.values():
                    visit(value)
            elif isinstance(node, list):
                for value in node:
                    visit(value)

        visit(SCHEMA)
        self.assertGreater(count, 60)

    def test_the_configurations_of_the_tree_are_right(self):
        files = [*ROOT.glob("config/**/*.toml"), ROOT / "bench/leat.toml", *(ROOT / "docs/examples").glob("*/*.toml"),
                 *ROOT.glob("packaging/*.toml"), *ROOT.glob("packaging/[cp]*/*.toml"),
                 *(ROOT / "server/commands/templates").glob("*/all/NAME.toml")]
        self.assertGreater(len(files), 15)
        for file in files:
            with self.subTest(file=file):
                VALIDATOR.validate(tomllib.loads(file.read_text()))

    def test_the_configurations_of_the_pages_are_right(self):
        count = 0
        for page in [ROOT / "README.md", *ROOT.glob("docs/**/*.md")]:
            for block in re.findall(r"^```toml\n(.*?)^```$", page.read_text(), re.M | re.S):
                count += 1
                with self.subTest(page=page, block=block):
                    # Keys without a header are some of a table's, of which the text says which.
                    whole = [block] if re.search(r"^\[", block, re.M) else [header + block for header in HEADERS]
                    self.assertTrue(any(VALIDATOR.is_valid(tomllib.loads(each)) for each in whole))
        self.assertGreater(count, 15)

    def test_it_knows_what_loaded_plugins_ask_for(self):
        for name, (written, *values) in ASKED.items():
            file = ROOT / f"docs/examples/{name}/{name}.toml"
            own = schema("-c", file, *FOLDERS)
            jsonschema.Draft202012Validator.check_schema(own)
            validator = jsonschema.Draft202012Validator(own)
            text = file.read_text()
            self.assertIn(written, text)
            good = True
            for value in (written, *values):
                if value is None:
                    good = False
                    continue
                with self.subTest(name, value=value):
                    said = tomllib.loads(text.replace(written, value))
                    self.assertEqual(validator.is_valid(said), good)
                    self.assertTrue(VALIDATOR.is_valid(said), "without the plugin nobody knows")

    def test_it_tells_what_plugins_take_by_default(self):
        own = schema("-c", ROOT / "config/leat.toml", *FOLDERS)
        options = own["$defs"]["plugin"]["allOf"][0]["then"]["properties"]["config"]["properties"]
        self.assertEqual(options["most_notes"]["default"], 500)
        self.assertEqual(options["most_notes"]["anyOf"][0]["maximum"], 10000)

    def test_a_configuration_that_does_not_load_has_none(self):
        file = ROOT / "docs/examples/crud/crud.toml"
        done = subprocess.run([LEAT, "schema", "-c", file.with_name("none.toml")], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stdout), (78, ""))
        self.assertIn("error[LT0100]", done.stderr)

    def test_settings_print_it_too(self):
        done = subprocess.run([LEAT, "settings", "--schema"], capture_output=True, text=True, check=True)
        self.assertEqual(json.loads(done.stdout), SCHEMA)

    def test_mistakes_are_none_of_them(self):
        for form, values in CASES.items():
            good = True
            for value in values:
                if value is None:
                    good = False
                    continue
                text = form.format(value)
                with self.subTest(text=text):
                    self.assertEqual(VALIDATOR.is_valid(tomllib.loads(text)), good)

    def test_what_the_loader_says_of_keys_and_types_it_says_too(self):
        cases = (ROOT / "test/config/mistakes.txt").read_text().split("\n=== ")[1:]
        count = 0
        for name, rest in (case.split("\n", 1) for case in cases):
            text, said = rest.split("---\n", 1)
            # Unknown keys, wrong types, units and choices, keys that are missing. What a variable holds nobody knows there, and
            # what is no TOML nobody looks at.
            if "@@@ " in rest or "${" in text or "error[LT0103]" in said or not re.search(r"error\[LT01(07|08|10|11|13)\]", said):
                continue
            count += 1
            with self.subTest(name):
                # What texts say, and that a list has anything in it, is for the loader.
                self.assertEqual(VALIDATOR.is_valid(tomllib.loads(text)),
                                 name in ("a route without methods", "whom nobody can believe",
                                          "a dashboard, and who may see it", "fields that no proxy sets",
                                          "a cache of what is not fetched"))
        self.assertGreater(count, 20)

    def test_each_row_is_described(self):
        settings = subprocess.run([LEAT, "settings"], capture_output=True, text=True, check=True).stdout
        names = [line.split(" = ")[0] for line in settings.splitlines() if " = " in line and not line.startswith(" ")]
        self.assertGreater(len(names), 50)
        for name in names:
            group, key = name.split(".")
            self.assertTrue(SCHEMA["properties"][group]["properties"][key]["description"], name)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
