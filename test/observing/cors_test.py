#!/usr/bin/env python3
"""What a browser lets pages of other origins do, by what the middleware cors answers.

    cors_test.py LEAT FOLDER_OF_DEMO_PLUGIN

Two origins have the same page, one that is let in and one that is not; what they ask for is on a third, Leat's.
"""

import http.server
import re
import sys
import threading
import unittest
import urllib.request

from browser import CHROMIUM, PATIENCE, Browser
from daemon import DEMO, Daemon

CONFIGURATION = DEMO + """[[middleware]]
kind = "request_id"
[[middleware]]
kind = "cors"
name = "app"
global = false
origins = ["{origin}"]
methods = ["GET", "PUT"]
headers = ["Content-Type"]
expose = ["X-Request-Id"]
credentials = true
[[middleware]]
kind = "cors"
name = "all"
global = false
origins = ["*"]
headers = ["*"]
[[route]]
path = "/json"
handler = "demo:json"
middleware = ["app"]
[[route]]
path = "/echo"
methods = ["PUT", "DELETE"]
handler = "demo:echo"
middleware = ["app"]
[[route]]
path = "/open"
handler = "demo:json"
middleware = ["all"]
[[route]]
path = "/shut"
handler = "demo:json"
"""


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><link rel=icon href=data:,><title>page</title>")

    def log_message(self, *_):
        pass


class Origin:
    def __enter__(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()
        return f"http://127.0.0.1:{self.server.server_port}"

    def __exit__(self, *_):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


class Site(Daemon):
    def __init__(self, origin):
        super().__init__(LEAT, PLUGINS, CONFIGURATION, origin=origin)

    def counts(self):
        """How many requests there were, by route, method and status."""
        with urllib.request.urlopen(self.address + "/metrics", timeout=PATIENCE) as answer:
            found = re.findall(r'^leat_requests_total\{route="(.*?)",method="(\w+)",status="(\d+)"\} (\d+)$',
                               answer.read().decode(), re.M)
        return {(route, method, int(status)): int(count) for route, method, status, count in found}


class Cors(unittest.TestCase):
    def test_a_browser_lets_pages_do_what_is_configured_and_no_more(self):
        with Origin() as ours, Origin() as theirs, Site(ours) as daemon, Browser(ours) as browser:
            def fetch(path, options="{}"):
                """What a page gets: status, text and the identifier that it may see; or that it was kept from it."""
                return browser.evaluate(
                    f"fetch('{daemon.address}{path}', {options}).then(async answer => [answer.status, await answer.text(),"
                    " answer.headers.get('X-Request-Id') !== null], error => error.name)")

            put = "{method: 'PUT', body: '{}', headers: {'Content-Type': 'application/json'}}"
            put_echo = 'PUT,DELETE /echo'
            browser.wait_for("document.title === 'page' && document.readyState === 'complete'")
            hello = '{"message":"Hello, World!"}'
            self.assertEqual(fetch("/json"), [200, hello, True])
            self.assertEqual(fetch("/json", "{credentials: 'include'}"), [200, hello, True])
            self.assertEqual(fetch("/echo", put), [200, "{}", True])
            self.assertEqual(daemon.counts()[put_echo, "OPTIONS", 204], 1)
            # A header and a method that are not in the lists: asked about, and never sent.
            self.assertEqual(fetch("/json", "{headers: {'X-Other': '1'}}"), "TypeError")
            self.assertEqual(fetch("/echo", "{method: 'DELETE'}"), "TypeError")
            self.assertEqual(fetch("/shut"), "TypeError")
            self.assertEqual(fetch("/open"), [200, hello, False])
            self.assertEqual(fetch("/open", "{headers: {'X-Other': '1', Authorization: 'Bearer x'}}"), [200, hello, False])
            self.assertEqual(fetch("/open", "{credentials: 'include'}"), "TypeError")
            counts = daemon.counts()
            self.assertEqual([key for key in counts if key[1] in ("DELETE",)], [])
            self.assertEqual(counts[put_echo, "PUT", 200], 1)

            # The same from a page that is not let in: what it asks for is answered, and kept from it.
            browser.call("Page.navigate", url=theirs)
            browser.wait_for(f"location.origin === '{theirs}' && document.readyState === 'complete'")
            answered = counts["GET /json", "GET", 200]
            self.assertEqual(fetch("/json"), "TypeError")
            self.assertEqual(fetch("/echo", put), "TypeError")
            self.assertEqual(fetch("/open"), [200, hello, False])
            # A page without an origin is one of all, and none of those that are named.
            framed = ("new Promise(done => { onmessage = event => done(event.data); const frame = document.createElement("
                      "'iframe'); frame.sandbox = 'allow-scripts'; frame.srcdoc = `<script>fetch('%s').then(answer =>"
                      " answer.status, error => error.name).then(said => parent.postMessage(said, '*'))</script>`;"
                      " document.body.append(frame); })")
            self.assertEqual(browser.evaluate(framed % (daemon.address + "/json")), "TypeError")
            self.assertEqual(browser.evaluate(framed % (daemon.address + "/open")), 200)
            counts = daemon.counts()
            self.assertGreater(counts["GET /json", "GET", 200], answered)
            self.assertEqual(counts[put_echo, "PUT", 200], 1)
            self.assertEqual(counts[put_echo, "OPTIONS", 403], 1)


if __name__ == "__main__":
    LEAT, PLUGINS = sys.argv[1:3]
    assert CHROMIUM, "chromium is needed"
    unittest.main(argv=sys.argv[:1])
