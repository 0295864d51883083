#!/usr/bin/env python3
"""The ready sites of config/sites: each is right as it lies there, and keeps what its first lines promise.

    sites_test.py LEAT SOURCE_ROOT FOLDER_OF_DEMO_PLUGIN
"""

import base64
import gzip
import http.client
import json
import re
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from served import PATIENCE_S, ServedCase  # noqa: E402

LEAT, ROOT, PLUGINS = (Path(argument).resolve() for argument in sys.argv[1:4])
SITES = ROOT / "config/sites"


class Sites(ServedCase):
    ended_by = signal.SIGINT  # at once, also one that drains

    def serve(self, name, change=lambda text: text):
        """The site on a port of its own, until the test ends."""
        file = self.temporary() / "leat.toml"
        file.write_text(change((SITES / f"{name}.toml").read_text()))
        self.start(LEAT, "-c", file, "--plugin-path", PLUGINS, "--listen", "127.0.0.1:0")
        self.port = int(re.search(r"listening on 127\.0\.0\.1:(\d+)", self.log.read_text())[1])

    def ask(self, method, target, body=None, **fields):
        """(status, fields, body); names of fields with _ for -."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        return self.ask_on(connection, method, target, body,
                           headers={name.replace("_", "-"): value for name, value in fields.items()})

    def statuses(self, count, **fields):
        return [self.ask("GET", "/users/1", **fields)[0] for _ in range(count)]

    def test_each_is_right_and_has_no_remarks(self):
        self.assertEqual(sorted(path.name for path in SITES.iterdir()),
                         ["api.toml", "development.toml", "internal.toml", "public.toml"])
        for file in SITES.iterdir():
            # What is listened on may be taken on this machine: that is no fault of the file.
            with tempfile.TemporaryDirectory() as folder:
                copy = Path(folder, file.name)
                copy.write_text(re.sub(r'^listen = .*$', f'listen = ["unix:{folder}/socket"]', file.read_text(), flags=re.M))
                done = subprocess.run([LEAT, "check", "-c", copy, "--plugin-path", PLUGINS], capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stderr), (0, ""), file)
            self.assertIn("# What this file promises:", file.read_text())

    def test_api(self):
        self.serve("api")
        text = (SITES / "api.toml").read_text()
        self.assertRegex(text, r'listen = \["127\.0\.0\.1:8080"\]')
        proxied = {"X_Forwarded_For": "192.0.2.7", "X_Forwarded_Proto": "https"}
        status, fields, body = self.ask("GET", "/users/42", **proxied, X_Request_Id="from-the-proxy")
        self.assertEqual((status, fields["X-Request-Id"]), (200, "from-the-proxy"))
        self.assertIn("from-the-proxy", self.wait_for_line("/users/42"))
        self.assertIn("192.0.2.7", self.wait_for_line("/users/42"))
        self.assertTrue(self.ask("GET", "/users/1", **proxied)[1]["X-Request-Id"])
        self.assertEqual((fields["X-Content-Type-Options"], fields["X-Frame-Options"]), ("nosniff", "DENY"))
        self.assertIn("default-src 'none'", fields["Content-Security-Policy"])
        self.assertEqual(self.ask("POST", "/notes", "x" * (1 << 20) + "x", **proxied)[0], 413)
        # Each client by itself.
        one = self.statuses(140, X_Forwarded_For="192.0.2.8")
        self.assertEqual(one[:100], [200] * 100)
        self.assertIn(429, one)
        status, fields, _ = self.ask("GET", "/users/1", X_Forwarded_For="192.0.2.8")
        while status == 200:
            status, fields, _ = self.ask("GET", "/users/1", X_Forwarded_For="192.0.2.8")
        self.assertTrue(fields["Retry-After"])
        self.assertEqual(self.statuses(1, X_Forwarded_For="192.0.2.9"), [200])
        # Health is for all, metrics are for this machine.
        for path in ("/livez", "/readyz"):
            self.assertEqual(self.ask("GET", path, **proxied)[0], 200)
        self.assertEqual(self.ask("GET", "/metrics", **proxied)[0], 403)
        status, _, body = self.ask("GET", "/metrics")
        self.assertEqual(status, 200)
        self.assertIn(b"leat_requests_total", body)

        # What a route asks of a request is checked, and told to whoever asks from here.
        for wrong in ("0", "1000001", "me"):
            status, fields, body = self.ask("GET", f"/users/{wrong}", **proxied)
            self.assertEqual((status, fields["Content-Type"]), (400, "application/problem+json"))
            self.assertIn(b"must be a whole number from 1 to 1000000", body)
        self.assertEqual(self.ask("GET", "/openapi", **proxied)[0], 403)
        status, _, body = self.ask("GET", "/openapi")
        parameters = json.loads(body)["paths"]["/users/{id}"]["get"]["parameters"]
        parameter = next(each for each in parameters if each["in"] == "path")
        self.assertEqual((status, parameter["schema"], parameter["description"]),
                         (200, {"type": "integer", "minimum": 1, "maximum": 1000000}, "The number of a user."))

    def wait_for_line(self, part):
        self.wait_until(lambda: any(part in line for line in self.log.read_text().splitlines()))
        return next(line for line in self.log.read_text().splitlines() if part in line)

    def test_public(self):
        self.serve("public")
        status, fields, body = self.ask("GET", "/", X_Forwarded_For="192.0.2.7")
        self.assertEqual(status, 200)
        self.assertNotIn("192.0.2.7", self.wait_for_line('"/"'))
        self.assertIsNone(fields["Server"])
        self.assertEqual(fields["X-Content-Type-Options"], "nosniff")
        # The first page has a policy of its own, which stays.
        self.assertIn("default-src 'self'", self.ask("GET", "/payload/1")[1]["Content-Security-Policy"])
        # It is made once, whatever query comes with it.
        self.assertIsNone(fields["Age"])
        status, fields, again = self.ask("GET", "/?from=elsewhere")
        self.assertEqual((status, again), (200, body))
        self.assertIsNotNone(fields["Age"])
        status, fields, packed = self.ask("GET", "/", Accept_Encoding="gzip")
        self.assertEqual((status, fields["Content-Encoding"], gzip.decompress(packed)), (200, "gzip", body))
        for accept, kind in (("text/html,*/*;q=0.1", "text/html"), ("application/json", "application/problem+json")):
            status, fields, _ = self.ask("GET", "/none", Accept=accept)
            self.assertEqual((status, fields["Content-Type"].split(";")[0]), (404, kind))
        self.assertEqual(self.ask("GET", "/payload/1", "x" * 70_000)[0], 413)
        # A form of another site's page is refused, and one of its own only finds that nothing takes it.
        self.assertEqual(self.ask("POST", "/", Sec_Fetch_Site="cross-site")[0], 403)
        self.assertEqual(self.ask("POST", "/", Sec_Fetch_Site="same-origin")[0], 405)
        answers = [self.ask("GET", "/")[0] for _ in range(120)]
        self.assertIn(429, answers)

    def test_internal(self):
        self.serve("internal")
        trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        self.assertEqual(self.ask("GET", "/users/42", traceparent=trace)[0], 200)
        for path in ("/livez", "/readyz", "/metrics", "/dashboard"):
            self.assertEqual(self.ask("GET", path)[0], 200, path)
        # A claim to be somebody is not believed here.
        self.assertEqual(self.ask("GET", "/metrics", X_Forwarded_For="192.0.2.7")[0], 200)
        self.assertEqual(self.ask("POST", "/echo", "as it came")[2], b"as it came")
        # It is told to stop: it is not ready any more, and still answers.
        self.daemon.terminate()
        self.wait_until(lambda: self.ask("GET", "/readyz")[0] == 503)
        self.assertEqual(self.ask("GET", "/users/42")[0], 200)

    def test_internal_with_operators(self):
        """As its comments say: the lines that are commented out, and a file of hashes."""
        def with_operators(text):
            lines = ["# [[middleware]]", '# kind = "basic_auth"', '# name = "operators"', "# global = false", '# file = "/etc/leat/operators"',
                     '# realm = "operators"', '# allow = ["all"]', '# middleware = ["operators"]']
            for line in lines:
                self.assertEqual(text.count(line + "\n"), 1, line)
                text = text.replace(line + "\n", line[2:] + "\n")
            return text.replace("/etc/leat/operators", str(passwords))

        passwords = self.temporary() / "operators"
        # Of "secret".
        passwords.write_text("ada:$2y$05$KVLJqeY9e7eXgrlRr6ZKxuVbG7GZyRz0U00aouBgxxPVcdOSmvuS.\n")
        self.serve("internal", with_operators)
        status, fields, _ = self.ask("GET", "/dashboard")
        self.assertEqual((status, fields["WWW-Authenticate"]), (401, 'Basic realm="operators", charset="UTF-8"'))
        for name, word, status in (("ada", "secret", 200), ("ada", "Secret", 401), ("bob", "secret", 401)):
            told = base64.b64encode(f"{name}:{word}".encode()).decode()
            self.assertEqual(self.ask("GET", "/dashboard", Authorization=f"Basic {told}")[0], status)
        self.assertEqual(self.ask("GET", "/metrics")[0], 200)

    def test_internal_refuses_strangers(self):
        self.serve("internal", lambda text: text.replace('"127.0.0.0/8", ', ""))
        for path in ("/users/42", "/metrics", "/livez", "/none"):
            self.assertEqual(self.ask("GET", path)[0], 403, path)

    def test_development(self):
        self.serve("development")
        self.assertRegex((SITES / "development.toml").read_text(), r'listen = \["127\.0\.0\.1:8080"\]')
        origin = "http://localhost:5173"
        status, fields, _ = self.ask("GET", "/json", Origin=origin)
        self.assertEqual((status, fields["Access-Control-Allow-Origin"]), (200, origin))
        self.assertIsNone(self.ask("GET", "/json", Origin="https://elsewhere.example")[1]["Access-Control-Allow-Origin"])
        status, fields, _ = self.ask("OPTIONS", "/json", Origin=origin, Access_Control_Request_Method="PUT",
                                     Access_Control_Request_Headers="x-own")
        self.assertEqual((status, fields["Access-Control-Allow-Methods"], fields["Access-Control-Allow-Headers"]), (204, "PUT", "x-own"))
        self.assertEqual(self.ask("GET", "/dashboard")[0], 200)
        self.assertIn("200", self.wait_for_line("/json"))
        # It stops although a connection is kept.
        kept = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        self.addCleanup(kept.close)
        kept.request("GET", "/json")
        kept.getresponse().read()
        self.daemon.terminate()
        self.assertEqual(self.daemon.wait(PATIENCE_S), 0)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
