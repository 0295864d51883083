#!/usr/bin/env python3
"""What a browser says of the pages that have it ask, and what the middleware csrf makes of it.

    csrf_test.py LEAT FOLDER_OF_DEMO_PLUGIN

One page is Leat's own, one of an origin that is let in, one of an origin that is not, and one has none (a sandbox).
"""

import re
import sys
import unittest
import urllib.request

from browser import CHROMIUM, PATIENCE, Browser
from cors_test import Origin
from daemon import DEMO, Daemon

CONFIGURATION = DEMO + """[[route]]
path = "/"
handler = "demo:json"
[[route]]
path = "/echo"
method = "POST"
handler = "demo:echo"
middleware = [{{kind = "csrf", name = "ours", origins = ["{origin}"]}}]
"""

# The page of a site whose changes need the token of a session.
TOKEN = DEMO + """[[middleware]]
kind = "sessions"
keys = ["one-that-is-made-by-nobody-but-a-generator"]
[[middleware]]
kind = "csrf"
token = true
[[route]]
path = "/"
handler = "leat:start"
[[route]]
path = "/echo"
method = "POST"
handler = "demo:echo"
"""
WITHOUT = "fetch('/echo', {method: 'POST', body: 'x'}).then(answer => answer.status)"
WITH = ("fetch('/echo', {method: 'POST', body: 'x', headers: {'X-CSRF-Token': document.cookie.split('=')[1]}})"
        ".then(answer => answer.status)")

# What a page can have a browser send without asking anybody: as a form does. Nobody reads the answer.
POST = ("fetch('{}/echo', {{method: 'POST', mode: 'no-cors', credentials: 'include', body: 'x'}})"
        ".then(() => 'sent', error => error.name)")
FRAMED = ("new Promise(done => { onmessage = event => done(event.data); const frame = document.createElement('iframe');"
          " frame.sandbox = 'allow-scripts'; frame.srcdoc = `<script>%s.then(said => parent.postMessage(said, '*'))</script>`;"
          " document.body.append(frame); })")


class Csrf(unittest.TestCase):
    def test_pages_change_what_is_theirs_to_change(self):
        with Origin() as ours, Origin() as theirs, Daemon(LEAT, PLUGINS, CONFIGURATION, origin=ours) as daemon:
            def counts():
                with urllib.request.urlopen(daemon.address + "/metrics", timeout=PATIENCE) as answer:
                    found = re.findall(r'^leat_requests_total\{route="POST /echo",method="POST",status="(\d+)"\} (\d+)$',
                                       answer.read().decode(), re.M)
                return {int(status): int(count) for status, count in found}

            with Browser(daemon.address + "/") as browser:
                post = POST.format(daemon.address)
                for address, passed, refused in ((daemon.address, 1, None), (ours, 2, None), (theirs, 2, 1)):
                    browser.call("Page.navigate", url=address + "/")
                    browser.wait_for(f"location.origin === '{address}' && document.readyState === 'complete'")
                    self.assertEqual(browser.evaluate(post), "sent")
                    told = counts()
                    self.assertEqual((told.get(200), told.get(403)), (passed, refused), address)
                self.assertEqual(browser.evaluate(FRAMED % post), "sent")
                self.assertEqual(counts(), {200: 2, 403: 2})
            # Who is no browser.
            request = urllib.request.Request(daemon.address + "/echo", data=b"x")
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                self.assertEqual(answer.read(), b"x")

    def test_a_page_finds_the_token_of_its_session(self):
        with Daemon(LEAT, PLUGINS, TOKEN) as daemon, Browser(daemon.address + "/") as browser:
            browser.wait_for("document.readyState === 'complete'")
            # Scripts see the token, and not the session that it is of.
            self.assertRegex(browser.evaluate("document.cookie"), r"^__Host-csrf=[\w-]{43}$")
            self.assertEqual(browser.evaluate(WITHOUT), 403)
            self.assertEqual(browser.evaluate(WITH), 200)


if __name__ == "__main__":
    LEAT, PLUGINS = sys.argv[1:3]
    assert CHROMIUM, "chromium is needed"
    unittest.main(argv=sys.argv[:1])
