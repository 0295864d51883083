#!/usr/bin/env python3
"""What `meson install` leaves: a tree that can be moved as a whole, a configuration that nothing overwrites, pages of the
manual, and completion that each shell takes. And what `meson setup` says to a compiler that is too old.

    installation_test.py BUILD_DIR SOURCE_DIR
"""

import http.client
import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

BUILD, SOURCE = (Path(argument).resolve() for argument in sys.argv[1:3])
del sys.argv[1:3]
LEAT = BUILD / "server/leat"
PATIENCE_S = 60  # far more than anything takes: it turns a hang into a failure


def run(*command, status=0, **options):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=PATIENCE_S, **options)
    if done.returncode != status:
        raise AssertionError(f"{command}: status {done.returncode}\n{done.stdout}")
    return done.stdout


def option(name):
    every = json.loads(subprocess.check_output(["meson", "introspect", "--buildoptions", BUILD]))
    return next(each["value"] for each in every if each["name"] == name)


def commands():
    """Every command as help shows it, with the words that lead to it: {"": [...], "plugin": [...], ...}."""
    found = {}

    def ask(path):
        text = run(LEAT, *path, "--help")
        below = text.partition("SUBCOMMANDS:\n")[2]
        names = re.findall(r"^  (\S+)", below, re.M)
        found[" ".join(path)] = names
        for name in names:
            ask([*path, name])

    ask([])
    return found


class Installed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        holder = tempfile.TemporaryDirectory(prefix="leat-installed-")
        cls.addClassCleanup(holder.cleanup)
        cls.folder = Path(holder.name)
        cls.root = cls.install("root")
        cls.prefix = cls.root / option("prefix").lstrip("/")

    @classmethod
    def install(cls, name):
        root = cls.folder / name
        run("meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", root)
        return root

    def test_all_of_it_is_there(self):
        libdir, prefix = self.prefix / option("libdir"), self.prefix
        for path in (prefix / "sbin/leat", libdir / "leat/plugins/demo.so", libdir / "leat/libleat-testhost.so",
                     libdir / "pkgconfig/leat-plugin.pc", prefix / "include/leat/plugin.h",
                     prefix / "lib/systemd/system/leat.service", prefix / "lib/systemd/system/leat.socket",
                     prefix / "lib/sysusers.d/leat.conf", prefix / "lib/tmpfiles.d/leat.conf",
                     self.root / "etc/leat/leat.toml", self.root / "etc/leat/conf.d", self.root / "etc/logrotate.d/leat",
                     prefix / "share/man/man8/leat.8", prefix / "share/man/man5/leat.toml.5",
                     prefix / "share/bash-completion/completions/leat", prefix / "share/zsh/vendor-completions/_leat",
                     prefix / "share/fish/vendor_completions.d/leat.fish", prefix / "share/doc/leat/configuration.md",
                     *(prefix / f"share/doc/leat/examples/{name}.toml" for name in ("demo", "api", "public", "internal", "development"))):
            self.assertTrue(path.exists(), path)
        unit = (prefix / "lib/systemd/system/leat.service").read_text()
        self.assertIn(f"ExecStart={option('prefix')}/sbin/leat run -c /etc/leat/leat.toml\n", unit)
        self.assertNotIn("@TEXT@", unit)
        if option("prefix") != "/usr":
            self.assertNotIn("/usr/sbin", unit)

    def test_a_configuration_that_is_there_is_kept(self):
        root = self.install("kept")
        file = root / "etc/leat/leat.toml"
        self.assertEqual(file.read_text(), (SOURCE / "packaging/leat.toml").read_text())
        file.write_text("# an operator's\n")
        self.install("kept")
        self.assertEqual(file.read_text(), "# an operator's\n")

    def test_a_moved_tree_finds_its_own_plugins(self):
        moved = self.folder / "moved"
        shutil.copytree(self.prefix, moved, symlinks=True)
        libdir = moved / option("libdir")
        self.assertIn(f"plugins in {libdir}/leat/plugins\n", run(moved / "sbin/leat", "version"))
        (libdir / "leat/plugins/demo.so").rename(libdir / "leat/plugins/only-here.so")
        file = self.folder / "moved.toml"
        file.write_text('[[plugin]]\nname = "demo"\nfile = "only-here.so"\n[[route]]\npath = "/"\nhandler = "demo:welcome"\n')
        run(moved / "sbin/leat", "check", "-c", file)
        self.assertIn("only-here.so", run(self.prefix / "sbin/leat", "check", "-c", file, status=78))

    def test_the_installed_configuration_serves_its_page(self):
        program = self.prefix / "sbin/leat"
        file = self.root / "etc/leat/leat.toml"
        run(program, "check", "-c", file)
        socket = self.folder / "http.sock"
        with (self.folder / "log").open("w+") as log:
            daemon = subprocess.Popen([program, "run", "-c", file, "--listen", f"unix:{socket}", "--workers", "1"],
                                      stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            try:
                deadline = time.monotonic() + PATIENCE_S
                while "listening on" not in (self.folder / "log").read_text():
                    self.assertIsNone(daemon.poll(), (self.folder / "log").read_text())
                    self.assertLess(time.monotonic(), deadline)
                    time.sleep(0.01)
                answer = run("curl", "-sSi", "--unix-socket", socket, "http://x/")
                self.assertRegex(answer, r"^HTTP/1.1 200 ")
                self.assertIn("Content-Type: text/html; charset=utf-8\n", answer.replace("\r\n", "\n"))
                self.assertIn("<title>Leat serves</title>", answer)
                self.assertNotRegex(answer, r"(src|href)=", "it asks for something from elsewhere")
                head = run("curl", "-sSI", "--unix-socket", socket, "http://x/")
                self.assertRegex(head, r"^HTTP/1.1 200 ")
                self.assertRegex(run("curl", "-sSi", "--unix-socket", socket, "-X", "POST", "http://x/"), r"^HTTP/1.1 405 ")
                self.assertRegex(run("curl", "-sSi", "--unix-socket", socket, "http://x/no"), r"^HTTP/1.1 404 ")
            finally:
                daemon.send_signal(signal.SIGTERM)
                self.assertEqual(daemon.wait(PATIENCE_S), 0)


class Manual(unittest.TestCase):
    def mandoc(self, text, *arguments):
        return subprocess.run(["mandoc", *arguments], input=text, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=PATIENCE_S)

    def shown(self, page):
        # Wider than any line but not than mandoc can: no sentence is broken.
        done = self.mandoc(run(LEAT, "manual", page), "-T", "utf8", "-O", "width=1000")
        self.assertEqual(done.returncode, 0, done.stdout)
        return re.sub(r".\x08", "", done.stdout)

    def test_the_pages_are_well_formed(self):
        for page in ("leat", "leat.toml"):
            text = run(LEAT, "manual", page)
            lint = ("-T", "lint", "-W", "warning")
            # A page that is made has no date of its own.
            said = self.mandoc(text, *lint).stdout.splitlines()
            self.assertEqual([re.sub(r".*: WARNING: ", "", line) for line in said], ['missing date, using "": TH'], page)
            # It would say more if there were more to say.
            self.assertIn("unknown macro", self.mandoc(text + ".Leat\n", *lint).stdout)

    def test_the_program_s_page_has_every_command_and_option(self):
        page = self.shown("leat")
        for path, names in commands().items():
            for name in names:
                self.assertRegex(page, rf"(?m)^   leat {' '.join([*path.split(), name])}$")
            for word in set(re.findall(r"(--[a-z-]+)", run(LEAT, *path.split(), "--help"))) - {"--help"}:
                self.assertIn(word, page)

    def test_the_configuration_s_page_has_every_setting_and_error(self):
        page = self.shown("leat.toml")
        settings = re.findall(r"^(\w+)\.(\w+) = ", run(LEAT, "settings"), re.M)
        self.assertGreater(len(settings), 40)
        for group, name in settings:
            self.assertRegex(page, rf"(?m)^\[{group}\]$")
            self.assertRegex(page, rf"(?m)^ +{name} \(")
        self.assertRegex(page, r"(?m)^ +LT0107 ")
        # What would be roff's own shows as it was written.
        self.assertNotIn("`", page)
        self.assertIn("conf.d/*.toml", page)
        self.assertIn('"10s"', page)
        self.assertIn("${NAME:-text}", page)

    def test_no_other_page_is_known(self):
        run(LEAT, "manual", "nothing", status=2)


class Completion(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        holder = tempfile.TemporaryDirectory(prefix="leat-completion-")
        cls.addClassCleanup(holder.cleanup)
        cls.folder = Path(holder.name)
        for name in ("one.toml", "my plugin.so", "other.txt"):
            (cls.folder / name).touch()
        (cls.folder / "below").mkdir()
        (cls.folder / "leat.fish").write_text(run(LEAT, "completion", "fish"))
        (cls.folder / "leat.bash").write_text(run(LEAT, "completion", "bash"))
        (cls.folder / "_leat").write_text(run(LEAT, "completion", "zsh"))

    def bash(self, *words):
        script = 'source ./leat.bash; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _leat leat "" ""; printf "%s\\n" "${COMPREPLY[@]}"'
        return sorted(set(run("bash", "--norc", "-c", script, "bash", "leat", *words, cwd=self.folder).split("\n")) - {""})

    def fish(self, *words):
        line = " ".join(["leat", *words])
        env = os.environ | {"HOME": str(self.folder)}
        out = run("fish", "--no-config", "-c", f"source leat.fish; complete -C '{line}'", cwd=self.folder, env=env)
        return sorted(line.partition("\t")[0] for line in out.splitlines())

    def test_bash_and_fish_offer_what_may_follow(self):
        for path, names in commands().items():
            words = path.split()
            for shell in (self.bash, self.fish):
                offered = shell(*words, "")
                self.assertEqual([name for name in names if name not in offered], [], f"{shell.__name__}: leat {path}")
                options = set(re.findall(r"(?m)^ .*?(--[a-z-]+)", run(LEAT, *words, "--help").partition("OPTIONS:")[2]))
                missing = options - set(shell(*words, "--"))
                self.assertEqual(missing, set(), f"{shell.__name__}: leat {path}")

    def test_nothing_is_listed_twice(self):
        for path, names in commands().items():
            words = path.split()
            # Of each option its line: "-c,--config FILE".
            lines = re.findall(r"(?m)^ +((?:-\w,)?--[\w-]+)", run(LEAT, *words, "--help"))
            said = run(LEAT, "completion", "fish")
            for line in set(lines):
                name = line.rpartition("--")[2]
                marks = re.findall(rf"(?m)^complete -c leat -n '__leat_at \"{path}\"' (?:-s \w )?-l {name} ", said)
                self.assertEqual(len(marks), 1, f"leat {path}: {name}")

    def test_bash_and_fish_offer_what_options_take(self):
        for shell in (self.bash, self.fish):
            self.assertEqual(shell("run", "--engine", ""), ["auto", "epoll", "io_uring"], shell.__name__)
            self.assertEqual(shell("plugin", "new", "--lang", "c"), ["c", "c++"], shell.__name__)
            self.assertIn("LT0107", shell("explain-error", "LT010"), shell.__name__)
            self.assertIn("one.toml", shell("check", "-c", "o"), shell.__name__)
            self.assertTrue({"bash", "fish", "zsh"} <= set(shell("completion", "")), shell.__name__)
            # What an option takes is no command, though it be called like one.
            self.assertNotIn("stats", shell("check", "-c", "cache", ""), shell.__name__)
            # A path and nothing else.
            self.assertEqual([each.rstrip("/") for each in shell("run", "--plugin-path", "b")], ["below"], shell.__name__)
            # What nobody can list is not taken for a file.
            self.assertEqual(shell("run", "--workers", ""), [], shell.__name__)
            self.assertEqual(shell("purge", "--tag", "o"), [], shell.__name__)
        self.assertIn("my plugin.so", self.bash("plugin", "check", "my"))
        self.assertNotIn("other.txt", self.bash("plugin", "check", "o"))
        self.assertEqual(self.bash("run", "--engine", "=", "e"), ["epoll"])

    def test_zsh_completes_as_it_is_typed(self):
        for typed, wanted in (("leat upg\t", "leat upgrade "), ("leat plugin li\t", "leat plugin list "),
                              ("leat run --engine ep\t", "leat run --engine epoll "),
                              ("leat run --work\t", "leat run --workers="), ("leat purge --fol\t", "leat purge --folder="),
                              ("leat plugin new --mid\t", "leat plugin new --middleware "),
                              ("leat check -c one\t", "leat check -c one.toml "),
                              ("leat explain-error LT0107\t", "leat explain-error LT0107 "),
                              ("leat plugin new --lang ru\t", "leat plugin new --lang rust ")):
            self.assertEqual(self.zsh(typed), wanted)

    def zsh(self, typed):
        """What stands in the line after `typed`, in a shell that people type into."""
        seen = self.folder / "seen"
        seen.unlink(missing_ok=True)
        # compinit looks into no folder that is called "." only.
        begin = ("fpath=($PWD $fpath); autoload -Uz compinit; compinit -u -D; "
                 "show() { print -rn -- $BUFFER > seen.new; mv seen.new seen; }; zle -N show; bindkey '^T' show; print ready:$((1 + 1))\n")
        child, terminal = pty.fork()
        if child == 0:
            os.chdir(self.folder)
            os.execvpe("zsh", ["zsh", "-f", "-i"], os.environ | {"TERM": "dumb", "PS1": "", "HOME": str(self.folder)})
        try:
            self.expect(terminal, begin, b"ready:2")
            deadline = time.monotonic() + PATIENCE_S
            os.write(terminal, typed.encode())
            while not seen.exists() or seen.read_text() == typed.rstrip("\t"):
                self.assertLess(time.monotonic(), deadline, f"{typed!r} stays as it is")
                os.write(terminal, b"\x14")  # ^T, with which no longer key begins
                self.drain(terminal, 0.1)
            return seen.read_text()
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            os.close(terminal)

    def drain(self, terminal, seconds):
        said = b""
        while select.select([terminal], [], [], seconds)[0]:
            said += os.read(terminal, 4096)
        return said

    def expect(self, terminal, text, word):
        os.write(terminal, text.encode())
        deadline, said = time.monotonic() + PATIENCE_S, b""
        while word not in said:
            self.assertLess(time.monotonic(), deadline, said)
            said += self.drain(terminal, 0.1)


class Setup(unittest.TestCase):
    @unittest.skipUnless(shutil.which("g++-12"), "needs an old compiler")
    def test_a_compiler_that_is_too_old_is_named(self):
        with tempfile.TemporaryDirectory(prefix="leat-setup-") as folder:
            said = run("meson", "setup", f"{folder}/b", SOURCE, status=1,
                       env=os.environ | {"CC": "gcc-12", "CXX": "g++-12"})
        self.assertRegex(said, r"Leat needs a C\+\+ compiler with the library of gcc 14 or later .*`g\+\+-12` is gcc 12")
        self.assertIn("CXX=g++-14", said)


if __name__ == "__main__":
    unittest.main()
