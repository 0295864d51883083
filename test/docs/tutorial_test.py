#!/usr/bin/env python3
"""Does what docs/plugins/tutorial.md says, in its order, and sees what the page says one sees.

    tutorial_test.py LEAT [CC CXX]

Its blocks are
    sh          commands after "$ ", each with the output that follows it; a line "..." stands for any lines
    diff FILE   lines to replace in FILE: what is not "+" must occur there once
    toml FILE   lines to append to FILE

Commands run as they stand. Two things are arranged around them: `leat plugin run` goes on in the background and
serves on a unix socket, which curl is led to by a .curlrc, so that no port of the machine matters; and after each
build the daemon is given the moment that it takes to serve it.
"""

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LEAT = Path(sys.argv[1]).resolve()
CC, CXX = sys.argv[2:4] or ("cc", "c++")
PAGE = Path(__file__).resolve().parents[2] / "docs/plugins/tutorial.md"
PATIENCE_S = 60  # for one command, or one answer: it turns a hang into a failure


def blocks(page):
    """(language, file or "", lines, line number) of each fenced block."""
    found = re.finditer(r"^```(\w+) ?(\S*)\n(.*?)^```$", page, re.M | re.S)
    return [(m[1], m[2], m[3].splitlines(), page.count("\n", 0, m.start()) + 2) for m in found]


def fits(expected, output):
    """Whether the output's lines, but for spaces at their ends, are the expected ones; "..." is any number of lines."""
    output = "".join(line.rstrip() + "\n" for line in output.splitlines())
    pattern = "".join("(?:.*\n)*" if line == "..." else re.escape(line) + "\n" for line in expected)
    return re.fullmatch(pattern, output) is not None


def edit(file, lines):
    old = "".join(line[1:] + "\n" for line in lines if line[0] != "+")
    new = "".join(line[1:] + "\n" for line in lines if line[0] != "-")
    text = file.read_text()
    assert text.count(old) == 1, f"{file.name} holds the lines before the change {text.count(old)} times:\n{old}"
    file.write_text(text.replace(old, new))


def wait_until(met, reader):
    deadline = time.monotonic() + PATIENCE_S
    while not met():
        assert reader.server.poll() is None, "the daemon has ended"
        assert time.monotonic() < deadline, "the daemon did not get there"
        time.sleep(0.02)


class Reader:
    """Who follows the page: two terminals, in one folder."""

    def __init__(self, home):
        self.home = self.folder = home
        self.socket = home / "socket"
        self.log = home / "served"
        self.server = None
        (home / ".curlrc").write_text(f'unix-socket = "{self.socket}"\nmax-time = 10\n')
        # Six builds are made: without optimization they take half the time.
        self.env = {name: value for name, value in os.environ.items() if not name.startswith(("PKG_CONFIG", "DESTDIR"))}
        self.env |= {"CC": CC, "CXX": CXX, "CXXFLAGS": "-O0 -g0", "CURL_HOME": str(home), "PATH": f"{LEAT.parent}:{os.environ['PATH']}"}

    def do(self, command, expected):
        if command.startswith("cd "):
            self.folder = self.folder / command.removeprefix("cd ")
        elif command.startswith("leat plugin run "):
            self.serve(command, expected)
        else:
            served = self.reloads()
            done = subprocess.run(command, shell=True, cwd=self.folder, env=self.env, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True, timeout=PATIENCE_S)
            assert done.returncode == 0 and fits(expected, done.stdout), f"status {done.returncode}\n{done.stdout}"
            if self.server and command.startswith("ninja "):
                wait_until(lambda: self.reloads() > served, self)

    def reloads(self):
        return len(re.findall("generation [0-9]+ serves", self.log.read_text())) if self.server else 0

    def serve(self, command, expected):
        with self.log.open("w") as log:
            self.server = subprocess.Popen(f"exec {command} --listen unix:{self.socket} --workers 2", shell=True,
                                           cwd=self.folder, env=self.env, stdout=log, stderr=subprocess.STDOUT)
        wait_until(self.answers, self)
        assert fits(expected, self.log.read_text()), self.log.read_text()

    def answers(self):
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self.socket)) == 0

    def stop(self):
        """Leaves the server, as Ctrl-C does."""
        if self.server is None:
            return
        self.server.send_signal(signal.SIGINT)
        try:
            assert self.server.wait(PATIENCE_S) == 0, self.log.read_text()
        finally:
            self.server.kill()


def follow(reader):
    for language, file, lines, number in blocks(PAGE.read_text()):
        try:
            if language == "diff":
                edit(reader.folder / file, lines)
            elif language == "toml":
                with (reader.folder / file).open("a") as out:
                    out.write("\n" + "\n".join(lines) + "\n")
            else:
                assert language == "sh" and lines[0].startswith("$ "), "no such kind of block"
                starts = [i for i, line in enumerate(lines) if line.startswith("$ ")]
                for at, start in enumerate(starts):
                    end = starts[at + 1] if at + 1 < len(starts) else len(lines)
                    reader.do(lines[start][2:], lines[start + 1:end])
        except AssertionError as failure:
            served = reader.log.read_text() if reader.log.exists() else ""
            sys.exit(f"{PAGE.name}:{number}: {lines[0]} ...\n{failure}\n--- the daemon said\n{served}")


def main():
    with tempfile.TemporaryDirectory(prefix="leat-tutorial-") as folder:
        reader = Reader(Path(folder))
        try:
            follow(reader)
        finally:
            reader.stop()


if __name__ == "__main__":
    main()
