#!/usr/bin/env python3
"""`leat init`: its questions and answers, what it writes, and that it never touches what is there.

    init_test.py LEAT SOURCE_ROOT FOLDER_OF_DEMO_PLUGIN FOLDER_OF_EXAMPLES
"""

import re
import subprocess
import sys
import tempfile
import tomllib
import unittest
from pathlib import Path

LEAT, ROOT, PLUGINS, EXAMPLES = (Path(argument).resolve() for argument in sys.argv[1:5])
KINDS = ("api", "public", "internal", "development")


class Init(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="leat-init-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.file = self.folder / "leat.toml"

    def init(self, *arguments, answers=""):
        """(status, standard output, standard error)"""
        done = subprocess.run([LEAT, "init", *arguments], input=answers, capture_output=True, text=True, timeout=60, cwd=self.folder)
        return done.returncode, done.stdout, done.stderr

    def check(self):
        done = subprocess.run([LEAT, "check", "-c", self.file, "--plugin-path", PLUGINS], capture_output=True, text=True, timeout=60)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        formatted = subprocess.run([LEAT, "fmt", "--check", self.file], capture_output=True, text=True, timeout=60)
        self.assertEqual(formatted.returncode, 0, formatted.stderr)

    def test_each_kind_is_its_ready_site_and_right(self):
        for kind in KINDS:
            with self.subTest(kind):
                address = f"unix:{self.folder}/socket"
                status, told, errors = self.init("--yes", "--site", kind, "--listen", address)
                self.assertEqual((status, errors), (0, ""))
                self.assertIn("leat check -c leat.toml", told)
                site = (ROOT / f"config/sites/{kind}.toml").read_text()
                self.assertEqual(self.file.read_text(), re.sub(r'^listen = .*$', f'listen = ["{address}"]', site, flags=re.M))
                self.check()
                self.file.unlink()

    def test_https_at_once(self):
        for number, (kind, listen, address) in enumerate((("api", "127.0.0.1:8080", "127.0.0.1:8443"), ("development", "[::1]:9000", "[::1]:8443"),
                                                          ("public", f"unix:{self.folder}/socket", "127.0.0.1:8443"))):
            with self.subTest(kind):
                status, told, errors = self.init("--yes", "--https", "--site", kind, "--listen", listen)
                self.assertEqual((status, errors), (0, ""))
                self.assertIn(f"curl --cacert {self.folder}/tls/authority.pem https://localhost:8443/", told)
                said = tomllib.loads(self.file.read_text())
                self.assertEqual(said["server"]["listen"], [listen])
                self.assertEqual(said["listener"], [{"address": address, "tls": True}])
                self.assertEqual(said["tls"], [{"certificate": f"{self.folder}/tls/localhost.pem", "key": f"{self.folder}/tls/localhost.key"}])
                self.check()
                self.file.unlink()
                # The second one has the certificate of the first.
                times = {(self.folder / "tls/localhost.pem").read_bytes()} | ({kept} if number else set())
                self.assertEqual(len(times), 1)
                kept = (self.folder / "tls/localhost.pem").read_bytes()

    def test_https_where_no_certificate_can_be_made(self):
        (self.folder / "tls").write_text("a file")
        status, _, errors = self.init("--yes", "--https")
        self.assertEqual(status, 1)
        self.assertIn("cannot make the folder", errors)
        self.assertFalse(self.file.exists())

    def test_without_answers_it_is_what_stands_in_brackets(self):
        self.assertEqual(self.init("--yes")[0], 0)
        self.assertEqual(self.file.read_text(), (ROOT / "config/sites/api.toml").read_text())
        other = self.folder / "other"
        other.mkdir()
        self.assertEqual(self.init(other, answers="\n\n\n")[0], 0)
        self.assertEqual((other / "leat.toml").read_text(), self.file.read_text())

    def test_three_questions(self):
        status, told, _ = self.init("own.toml", answers="2\n127.0.0.1:9000\ndemo\n")
        self.assertEqual(status, 0)
        for words in ("What is it?", "1  api", "4  development", "Where does it listen? [*:8080]", "[demo]", "Wrote own.toml",
                      "curl http://127.0.0.1:9000/"):
            self.assertIn(words, told)
        said = tomllib.loads((self.folder / "own.toml").read_text())
        self.assertEqual(said["server"]["listen"], ["127.0.0.1:9000"])

    def test_what_is_answered_by_options_is_not_asked(self):
        status, told, _ = self.init("--site", "internal", "--plugin", "demo", answers="*:9000\n")
        self.assertEqual(status, 0)
        self.assertNotIn("What is it?", told)
        self.assertNotIn("Which plugin", told)
        self.assertIn("Where does it listen?", told)

    def test_a_wrong_answer_is_asked_again(self):
        status, told, _ = self.init(answers="proxy\n5\ndevelopment\nlocalhost\n127.0.0.1:9000\nnone.so\n\n")
        self.assertEqual(status, 0)
        self.assertEqual(told.count("Which? "), 3)
        self.assertEqual(told.count("Where does it listen?"), 2)
        self.assertEqual(told.count("Which plugin"), 2)
        self.assertIn("cannot open none.so", told)

    def test_nobody_answers(self):
        status, _, errors = self.init(answers="")
        self.assertEqual(status, 2)
        self.assertIn("--yes", errors)
        self.assertFalse(self.file.exists())

    def test_a_wrong_option(self):
        for options, status, word in ((("--site", "shop"), 2, "shop"), (("--listen", "localhost"), 2, "address"),
                                      (("--plugin", "none.so"), 1, "none.so"), (("--plugin", LEAT), 1, "")):
            got, _, errors = self.init("--yes", *options)
            self.assertEqual(got, status, options)
            self.assertIn(word, errors)
            self.assertFalse(self.file.exists())

    def test_what_is_there_stays(self):
        self.file.write_text("# mine\n")
        for target in ((), (self.folder,), (self.file,)):
            status, told, errors = self.init(*target, "--yes")
            self.assertEqual((status, told), (1, ""))
            self.assertIn("is there already", errors)
        self.assertEqual(self.file.read_text(), "# mine\n")
        self.file.unlink()
        self.file.symlink_to("nowhere.toml")
        self.assertEqual(self.init("--yes")[0], 1)
        self.assertEqual(self.init("none/leat.toml", "--yes")[0], 1)
        self.assertEqual([path.name for path in self.folder.iterdir()], ["leat.toml"])

    def test_a_plugin_of_ones_own(self):
        plugin = EXAMPLES / "crud.so"
        for kind in KINDS:
            status, told, _ = self.init("--yes", "--site", kind, "--plugin", plugin, "--listen", f"unix:{self.folder}/s")
            self.assertEqual(status, 0)
            said = tomllib.loads(self.file.read_text())
            self.assertEqual(said["plugin"], [{"name": "crud", "file": str(plugin)}])
            own = [route["path"] for route in said["route"] if route["handler"].startswith("crud:")]
            self.assertEqual(sorted(own), ["/create", "/list", "/remove", "/replace", "/show"])
            self.assertNotIn("demo", self.file.read_text())
            self.file.unlink()
        status, told, _ = self.init("--yes", "--plugin", EXAMPLES / "hello.so", "--listen", f"unix:{self.folder}/s")
        self.assertEqual(status, 0)
        self.assertIn("curl --unix-socket", told)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
