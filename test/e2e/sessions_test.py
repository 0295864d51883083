#!/usr/bin/env python3
"""Sessions that a plugin keeps, at the real daemon, with curl and its jar for cookies.

    sessions_test.py LEAT PLUGINS OBSERVING

PLUGINS is the folder of the tests' plugins, OBSERVING that of daemon.py.
"""

import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

LEAT, PLUGINS, OBSERVING = sys.argv[1:4]
sys.path.insert(0, OBSERVING)
from daemon import PATIENCE, Daemon  # noqa: E402

HEAD = """
[server]
listen = "127.0.0.1:0"
admin_socket = "{folder}/admin"
workers = {workers}
[[plugin]]
name = "sessions"
file = "sessions.so"
[[middleware]]
kind = "sessions"
keys = {keys}
cookie = "sid"
secure = false
values = 3
"""
ROUTE = """
[[route]]
path = "{at}/{name}"
methods = ["GET", "POST"]
handler = "sessions:{name}"
"""
NAMES = ("log_in", "me", "log_out", "set", "get", "remove", "pieces", "waits")
CONFIGURATION = HEAD + "".join(
    ROUTE.format(at=at, name=name) + ('executor = "pool"\n' if at == "/pool" else "")
    for at in ("", "/pool") for name in NAMES if at == "" or name != "waits")
KEY, NEXT_KEY = "0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"


class Browser:
    """curl with a jar of its own, and a new connection for each request."""

    def __init__(self, test, daemon):
        self.address = daemon.address
        self.jar = Path(test.enterContext(tempfile.TemporaryDirectory()), "jar")

    def ask(self, path, method="GET", *more):
        done = subprocess.run(["curl", "--silent", "--show-error", "--max-time", str(PATIENCE), "--request", method,
                               "--cookie", self.jar, "--cookie-jar", self.jar, "--write-out", "\n%{http_code}", *more,
                               self.address + path], capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == 0, done.stderr
        body, _, status = done.stdout.rpartition("\n")
        return int(status), body

    def cookies(self):
        """Of the jar, by name. Those for programs alone stand behind what looks like a comment."""
        rows = [line.split("\t") for line in self.jar.read_text().splitlines()] if self.jar.exists() else []
        return {row[5]: row[6] for row in rows if len(row) == 7}

    def user(self, at=""):
        status, body = self.ask(at + "/me")
        return json.loads(body)["user"] if status == 200 else status


class Sessions(unittest.TestCase):
    def serve(self, workers=1, keys=(KEY,)):
        return self.enterContext(Daemon(LEAT, PLUGINS, CONFIGURATION, workers=workers, keys=json.dumps(keys)))

    def test_log_in_and_out(self):
        daemon = self.serve()
        for at in ("", "/pool"):
            with self.subTest(at):
                browser = Browser(self, daemon)
                self.assertEqual(browser.user(at), 401)
                self.assertEqual(browser.cookies(), {})
                self.assertEqual(browser.ask(at + "/log_in?user=alice", "POST")[0], 204)
                self.assertEqual(browser.user(at), "alice")
                other = Browser(self, daemon)
                self.assertEqual(other.ask(at + "/log_in?user=bob", "POST")[0], 204)
                self.assertEqual((browser.user(at), other.user(at)), ("alice", "bob"))
                self.assertEqual(browser.ask(at + "/log_out", "POST")[0], 204)
                self.assertEqual(browser.cookies(), {})
                self.assertEqual((browser.user(at), other.user(at)), (401, "bob"))

    def test_what_the_pool_sets_the_workers_know_and_the_other_way_round(self):
        daemon = self.serve(workers=2)
        for first, second in (("", "/pool"), ("/pool", "")):
            browser = Browser(self, daemon)
            self.assertEqual(browser.ask(first + "/log_in?user=alice", "POST")[0], 204)
            self.assertEqual(browser.ask(second + "/set?name=cart&value=7", "POST")[0], 204)
            # Each of these on whichever worker its connection comes to.
            for _ in range(8):
                self.assertEqual(browser.user(second), "alice")
                self.assertEqual(json.loads(browser.ask(first + "/get?name=cart")[1]), {"value": "7"})
            self.assertEqual(browser.ask(second + "/remove?name=cart", "POST")[0], 204)
            self.assertEqual(json.loads(browser.ask(first + "/get?name=cart")[1]), {"value": None})

    def test_changed_cookies_are_nobodys(self):
        daemon = self.serve()
        browser = Browser(self, daemon)
        browser.ask("/log_in?user=alice", "POST")
        cookie = browser.cookies()["sid"]
        thief = Browser(self, daemon)
        for sent in (cookie[:-2], cookie + "A", cookie[:20] + ("B" if cookie[20] == "A" else "A") + cookie[21:], "",
                     "user=alice"):
            for at in ("", "/pool"):
                self.assertEqual(thief.ask(at + "/me", "GET", "--header", "Cookie: sid=" + sent)[0], 401, sent)
        self.assertEqual(thief.ask("/me", "GET", "--header", "Cookie: sid=" + cookie)[0], 200)

    def test_logging_in_leaves_the_cookie_of_before_behind(self):
        browser = Browser(self, self.serve())
        browser.ask("/set?name=cart&value=7", "POST")
        before = browser.cookies()["sid"]
        browser.ask("/log_in?user=alice", "POST")
        self.assertNotEqual(browser.cookies()["sid"], before)
        # Whoever has given the client that one is not logged in by it.
        self.assertEqual(Browser(self, browser).ask("/me", "GET", "--header", "Cookie: sid=" + before)[0], 401)

    def test_too_much_is_refused_and_the_rest_stays(self):
        daemon = self.serve()
        for at in ("", "/pool"):
            browser = Browser(self, daemon)
            for name in "abc":
                self.assertEqual(browser.ask(f"{at}/set?name={name}&value=1", "POST")[0], 204)
            self.assertEqual(browser.ask(at + "/set?name=d&value=1", "POST")[0], 507)
            self.assertEqual(browser.ask(at + "/set?name=a&value=" + "v" * 4000, "POST")[0], 507)
            self.assertEqual(json.loads(browser.ask(at + "/get?name=a")[1]), {"value": "1"})

    def test_in_pieces_and_in_coroutines(self):
        daemon = self.serve()
        for at in ("", "/pool"):
            browser = Browser(self, daemon)
            self.assertEqual(browser.ask(at + "/pieces"), (200, "0 -2"))
            self.assertEqual(json.loads(browser.ask(at + "/get?name=early")[1]), {"value": "1"})
            self.assertEqual(json.loads(browser.ask(at + "/get?name=late")[1]), {"value": None})
        browser = Browser(self, daemon)
        browser.ask("/log_in?user=eve", "POST")
        self.assertEqual(json.loads(browser.ask("/waits")[1]), {"before": "eve", "after": "eve"})
        self.assertEqual(json.loads(browser.ask("/get?name=waited")[1]), {"value": "yes"})

    def test_a_reload_ends_no_session_and_takes_up_another_key(self):
        daemon = self.serve(workers=2)
        browser = Browser(self, daemon)
        browser.ask("/log_in?user=alice", "POST")
        old = browser.cookies()["sid"]
        self.reload(daemon, [NEXT_KEY, KEY])
        self.assertEqual((browser.user(), browser.user("/pool")), ("alice", "alice"))
        browser.ask("/set?name=cart&value=7", "POST")
        self.reload(daemon, [NEXT_KEY])
        self.assertEqual(browser.user(), "alice")
        self.assertEqual(Browser(self, daemon).ask("/me", "GET", "--header", "Cookie: sid=" + old)[0], 401)

    def reload(self, daemon, keys):
        file = daemon.folder / "leat.toml"
        lines = [f"keys = {json.dumps(keys)}" if line.startswith("keys = ") else line
                 for line in file.read_text().splitlines()]
        file.write_text("\n".join(lines) + "\n")
        done = subprocess.run([LEAT, "reload", "--socket", daemon.folder / "admin"], capture_output=True, text=True,
                              timeout=PATIENCE)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
