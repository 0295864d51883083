#!/usr/bin/env python3
"""Forms with files, as their peers send them: curl, Python's email package, and a browser.

    forms_test.py LEAT FOLDER_OF_PLUGINS
"""

import json
import re
import shutil
import subprocess
import sys
import unittest
import urllib.error
import urllib.request
from email.message import EmailMessage
from email.policy import HTTP
from pathlib import Path

from browser import CHROMIUM, PATIENCE, Browser
from daemon import Daemon

CURL = shutil.which("curl")
CONFIGURATION = """[server]
listen = "127.0.0.1:0"
workers = 1
admin_socket = "{folder}/admin"
[limits]
body = "64MiB"
[[plugin]]
name = "rules"
file = "rules.so"
[[route]]
path = "/upload"
method = "POST"
handler = "rules:upload"
[[route]]
path = "/streamed"
method = "POST"
handler = "rules:streamed"
[[route.parameter]]
name = "title"
in = "multipart"
required = true
max_length = 10
[[route.parameter]]
name = "film"
in = "multipart"
type = "file"
required = true
max_size = "32MiB"
content_types = ["video/*"]
[[route]]
path = "/page"
answer = {{status = 200, type = "text/html", body = '''<!doctype html><form><input name=title value="&auml;"><input type=file name=photo>
<input type=file name=extra></form>'''}}
"""


class Site(Daemon):
    def __init__(self):
        super().__init__(LEAT, PLUGINS, CONFIGURATION)

    def most_memory(self):
        """Of all its processes, in KiB."""
        def process(number):
            text = Path(f"/proc/{number}/status").read_text()
            below = Path(f"/proc/{number}/task/{number}/children").read_text().split()
            return int(re.search(r"VmHWM:\s+(\d+)", text)[1]) + sum(process(each) for each in below)
        return process(self.process.pid)

    def curl(self, path, *fields):
        """What is answered to a form of these fields, as curl -F has them."""
        arguments = [argument for field in fields for argument in ("-F", field)]
        done = subprocess.run([CURL, "-sS", *arguments, self.address + path], capture_output=True, text=True, timeout=PATIENCE)
        self_check = done.returncode, done.stderr
        assert self_check == (0, ""), self_check
        return json.loads(done.stdout)


def errors(answer):
    return [(each.get("parameter"), each["detail"]) for each in answer["errors"]]


class Forms(unittest.TestCase):
    def test_curl(self):
        with Site() as site:
            photo = site.folder / "a b;c.png"
            photo.write_bytes(b"\x89PNG\r\n--x")
            answer = site.curl("/upload", "title=hello", f"photo=@\"{photo}\";type=image/png", f"more=@{__file__};filename=one",
                               "tag=a", "tag=b", "year=2001")
            self.assertEqual((answer["name"], answer["type"], answer["size"], answer["year"], answer["tags"]),
                             ("a b;c.png", "image/png", 9, 2001, ["a", "b"]))
            self.assertTrue(answer["more"].startswith("one=#!/usr/bin/env python3"))
            answer = site.curl("/upload", "title=", f"photo=@{__file__};type=image/gif", "tag=long one")
            self.assertEqual(errors(answer), [
                ("title", "must be a text of 1 to 10 characters"),
                ("photo", "must be a file of 16 bytes at most of the type `image/png` or `text/*`"),
                ("tag", "must be a text of 1 to 3 characters")])

    def test_large_files_of_a_handler_that_takes_pieces(self):
        with Site() as site:
            film = site.folder / "film"
            film.write_bytes(bytes(32 << 20))
            before = site.most_memory()
            answer = site.curl("/streamed?n=1", "title=short", f"film=@{film};type=video/mp4")
            self.assertGreater(answer["bytes"], 32 << 20)
            # Half of what it would be if the film were kept.
            self.assertLess(site.most_memory() - before, 16 << 10)
            film.write_bytes(bytes((32 << 20) + 1))
            answer = site.curl("/streamed?n=1", "title=longer than ten", f"film=@{film};type=video/mp4")
            self.assertEqual(errors(answer), [("title", "must be a text of 10 characters at most"),
                                              ("film", f"must be a file of {32 << 20} bytes at most of the type `video/*`")])
            self.assertEqual(errors(site.curl("/streamed?n=1", "film=text")), [
                ("film", "must be a file, which has a `filename`"), ("title", "is missing")])

    def test_pythons_email(self):
        """A writer of MIME that knows nothing of forms but their fields."""
        with Site() as site:
            form = EmailMessage(policy=HTTP)
            form["Content-Type"] = "multipart/form-data"
            for name, text, file in (("title", "\u00e4\u00f6", None), ("photo", "0123456789", "na\"me.png"), ("tag", "x", None)):
                part = EmailMessage(policy=HTTP)
                part["Content-Type"] = "image/png" if file else "text/plain; charset=utf-8"
                part["Content-Transfer-Encoding"] = "8bit"
                part["Content-Disposition"] = "form-data"
                part.set_param("name", name, header="Content-Disposition")
                if file:
                    part.set_param("filename", file, header="Content-Disposition")
                part.set_payload(text.encode().decode("ascii", "surrogateescape"))
                form.attach(part)
            head, _, body = form.as_bytes().partition(b"\r\n\r\n")
            kind = head.decode().replace("\r\n ", " ").replace("\r\n\t", " ")
            kind = next(line for line in kind.split("\r\n") if line.lower().startswith("content-type:")).split(":", 1)[1].strip()
            request = urllib.request.Request(site.address + "/upload", data=body, headers={"Content-Type": kind})
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                said = json.load(answer)
            self.assertEqual((said["title"], said["name"], said["content"], said["tags"]),
                             ("\u00e4\u00f6", "na\"me.png", "0123456789", ["x"]))

    def test_a_browser(self):
        with Site() as site, Browser(site.address + "/page") as browser:
            browser.wait_for("document.forms.length === 1")
            send = """(async () => {
              const form = new FormData(document.forms[0]);
              %s
              const answer = await fetch('/upload', {method: 'POST', body: form});
              return [answer.status, await answer.json()];
            })()"""
            status, said = browser.evaluate(send % "form.set('photo', new File(['<b>'], 'a\"\u00e4.txt', {type: 'text/plain'}));")
            self.assertEqual((status, said["title"], said["content"], said["extra"]), (200, "\u00e4", "<b>", False))
            self.assertTrue(said["name"].endswith("\u00e4.txt"), said["name"])
            # Of a field in which no file was chosen.
            status, said = browser.evaluate(send % "")
            self.assertEqual((status, said["detail"]), (400, "The form field `photo` is missing."))


if __name__ == "__main__":
    LEAT, PLUGINS = sys.argv[1:3]
    assert CHROMIUM, "chromium is needed"
    assert CURL, "curl is needed"
    unittest.main(argv=sys.argv[:1])
