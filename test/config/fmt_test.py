#!/usr/bin/env python3
"""`leat fmt` and files: what it writes, what it leaves as it is, and what it tells.

    fmt_test.py LEAT SOURCE_ROOT
"""

import os
import stat
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

LEAT, ROOT = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
UGLY = "  [server]\nworkers=2 # two\n[log]\nlevel='info'"
FINE = "[server]\nworkers = 2  # two\n\n[log]\nlevel = 'info'\n"


def fmt(*arguments, text=""):
    """(status, standard output, standard error)"""
    done = subprocess.run([LEAT, "fmt", *arguments], input=text.encode(), capture_output=True, timeout=60)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


class Fmt(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="leat-fmt-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.file = self.folder / "leat.toml"

    def left(self):
        """What is in the folder: nothing that was written half may be left there."""
        return sorted(path.name for path in self.folder.iterdir())

    def test_a_file_is_formatted_once(self):
        self.file.write_text(UGLY)
        self.assertEqual(fmt(self.file), (0, f"formatted {self.file}\n", ""))
        self.assertEqual(self.file.read_text(), FINE)
        before = self.file.stat()
        self.assertEqual(fmt(self.file), (0, "", ""))
        self.assertEqual(self.file.stat(), before)
        self.assertEqual(self.left(), ["leat.toml"])

    def test_check_writes_nothing(self):
        self.file.write_text(UGLY)
        self.assertEqual(fmt("--check", self.file), (1, "", f"leat: {self.file} is not formatted\n"))
        self.assertEqual(self.file.read_text(), UGLY)
        self.file.write_text(FINE)
        self.assertEqual(fmt("--check", self.file), (0, "", ""))

    def test_standard_input_goes_to_standard_output(self):
        self.assertEqual(fmt("-", text=UGLY), (0, FINE, ""))
        self.assertEqual(fmt("--check", "-", text=UGLY)[0], 1)
        self.assertEqual(fmt("-", text="a\0b")[0], 1)
        status, out, told = fmt("-", text="[server\n")
        self.assertEqual((status, out), (78, ""))
        self.assertIn("standard input:1:", told)

    def test_several_files_are_all_formatted_whatever_is_wrong_with_one(self):
        bad, other = self.folder / "bad.toml", self.folder / "other.toml"
        self.file.write_text(UGLY)
        bad.write_text("[server]\nname = leat\n")
        other.write_text(UGLY)
        status, _, told = fmt(self.file, bad, other)
        self.assertEqual(status, 78)
        self.assertIn(f"{bad}:2:8", told)
        self.assertIn("text stands in quotes", told)
        self.assertEqual(bad.read_text(), "[server]\nname = leat\n")
        self.assertEqual((self.file.read_text(), other.read_text()), (FINE, FINE))

    def test_all_that_is_malformed_is_told(self):
        self.file.write_text("[server]\nname = leat\nworkers = 08\n")
        status, _, told = fmt(self.file)
        self.assertEqual(status, 78)
        self.assertIn("2 errors", told)

    def test_what_is_only_wrong_for_leat_is_formatted(self):
        self.file.write_text('x=1979-05-27\ny="${LEAT_NOT_SET}"\n')
        self.assertEqual(fmt(self.file)[0], 0)
        self.assertEqual(self.file.read_text(), 'x = 1979-05-27\ny = "${LEAT_NOT_SET}"\n')

    def test_mode_stays(self):
        for mode in (0o600, 0o640, 0o444):
            self.file.write_text(UGLY)
            self.file.chmod(mode)
            self.assertEqual(fmt(self.file)[0], 0)
            self.assertEqual(stat.S_IMODE(self.file.stat().st_mode), mode)
            self.assertEqual(self.file.read_text(), FINE)
            self.file.unlink()

    @unittest.skipUnless(os.geteuid() == 0, "only root gives files away")
    def test_owner_stays(self):
        self.file.write_text(UGLY)
        os.chown(self.file, 1234, 2345)
        self.assertEqual(fmt(self.file)[0], 0)
        self.assertEqual((self.file.stat().st_uid, self.file.stat().st_gid), (1234, 2345))
        self.assertEqual(self.file.read_text(), FINE)

    @unittest.skipUnless(os.geteuid() == 0, "root makes a file of another user's")
    def test_one_whose_owner_cannot_be_kept_is_left_as_it_is(self):
        self.file.write_text(UGLY)
        self.file.chmod(0o666)
        self.folder.chmod(0o777)
        done = subprocess.run([LEAT, "fmt", self.file], capture_output=True, text=True, timeout=60, user=65534, group=65534, extra_groups=[])
        self.assertEqual(done.returncode, 1)
        self.assertIn("its owner", done.stderr)
        self.assertEqual(self.file.read_text(), UGLY)
        self.assertEqual(self.left(), ["leat.toml"])

    def test_of_a_link_the_file_that_it_leads_to(self):
        real = self.folder / "real.toml"
        real.write_text(UGLY)
        self.file.symlink_to("real.toml")
        self.assertEqual(fmt(self.file)[0], 0)
        self.assertTrue(self.file.is_symlink())
        self.assertEqual(real.read_text(), FINE)

    def test_what_is_no_file(self):
        for path, word in ((self.folder / "none.toml", "No such file"), (self.folder, "folder"), ("/dev/null", "")):
            status, out, told = fmt(path)
            self.assertEqual((status, out), (1, ""))
            self.assertIn(word, told)

    def test_the_configurations_that_come_with_leat_are_formatted(self):
        files = [*ROOT.glob("config/**/*.toml"), *ROOT.glob("packaging/*.toml"), *ROOT.glob("packaging/[cp]*/*.toml"),
                 *ROOT.glob("docs/examples/*/*.toml"), *ROOT.glob("server/commands/templates/*/all/NAME.toml")]
        self.assertGreater(len(files), 14)
        self.assertEqual(fmt("--check", *files), (0, "", ""))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
