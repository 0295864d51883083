#!/usr/bin/env python3
"""The chat of the examples, in a browser: its page, WebSockets of two, and a stream of events beside them.

    chat_test.py LEAT FOLDER_OF_EXAMPLES
"""

import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from browser import CHROMIUM, Browser
from daemon import Daemon

LEAT, PLUGINS = sys.argv[1:3]
EXAMPLE = Path(__file__).resolve().parents[2] / "docs/examples/chat/chat.toml"
LINES = "document.getElementById('lines').innerText"
LISTEN = """new Promise(done => {
    window.heard = [];
    window.events = new EventSource('/rooms/lobby/events');
    events.onmessage = event => heard.push(event.data);
    events.onopen = () => done('open');
})"""


def configuration(listen, more=""):
    return EXAMPLE.read_text().replace("{room}", "{{room}}").replace(
        'listen = "127.0.0.1:8080"', listen + '\nadmin_socket = "{folder}/admin"\nworkers = 2') + more


@unittest.skipUnless(CHROMIUM, "chromium is not installed")
class Chat(unittest.TestCase):
    def test_two_talk_and_one_listens(self):
        with Daemon(LEAT, PLUGINS, configuration('listen = "127.0.0.1:0"')) as daemon:
            self.talk(daemon.address)

    def test_the_same_over_http2(self):
        """The page has come by TLS and HTTP/2, and so do the WebSockets, on the same connections."""
        with tempfile.TemporaryDirectory(prefix="leat-chat-") as folder:
            subprocess.run([LEAT, "tls", "init", "--dir", folder, "127.0.0.1"], check=True, stdout=subprocess.DEVNULL)
            certificate, key = (next(Path(folder).glob("127.0.0.1*." + end)) for end in ("pem", "key"))
            more = f"""
[[listener]]
address = "127.0.0.1:0"
tls = true
[[tls]]
certificate = "{certificate}"
key = "{key}"
[[middleware]]
kind = "access_log"
file = "{folder}/access"
format = "{{{{protocol}}}} {{{{status}}}} {{{{path}}}}"
"""
            with Daemon(LEAT, PLUGINS, configuration("", more)) as daemon:
                self.talk(daemon.address.replace("http", "https"), ["--ignore-certificate-errors"])
            log = Path(folder, "access").read_text()
            self.assertEqual(len(re.findall(r"^HTTP/2.0 (?:200|499) /rooms/lobby$", log, re.M)), 2, log)  # a browser just leaves
            self.assertNotIn("HTTP/1.1", log)

    def talk(self, address, options=()):
        with Browser(address + "/?name=Ada", options=options) as ada:
            ada.wait_for("document.getElementById('state')?.textContent == 'connected as Ada'")
            self.assertEqual(ada.evaluate(LISTEN), "open")
            with Browser(address + "/?name=Bob", options=options) as bob:
                bob.wait_for("document.getElementById('state')?.textContent == 'connected as Bob'")
                ada.wait_for(LINES + ".includes('Bob came in')")
                bob.evaluate("text.value = '<b>hello</b>, Ada'; document.querySelector('form').requestSubmit()")
                ada.wait_for(LINES + ".includes('Bob: <b>hello</b>, Ada')")
                bob.wait_for(LINES + ".includes('Bob: <b>hello</b>, Ada')")
                ada.evaluate("text.value = 'hello, Bob'; document.querySelector('form').requestSubmit()")
                bob.wait_for(LINES + ".includes('Ada: hello, Bob')")
                self.assertFalse(bob.evaluate(LINES + ".includes('Ada came in')"))  # that was before
                self.assertEqual(ada.evaluate("document.querySelectorAll('#lines b').length"), 0)
            ada.wait_for(LINES + ".includes('Bob left')")
            ada.wait_for("heard.length == 4")
            self.assertEqual(ada.evaluate("heard"), ["Bob came in", "Bob: <b>hello</b>, Ada", "Ada: hello, Bob", "Bob left"])
            self.assertEqual(ada.said, [])
            ada.evaluate("events.close()")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
