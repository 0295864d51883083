#!/usr/bin/env python3
"""forward_auth beside what nginx's auth_request makes of the same service, and with nginx as the service that is asked.

    forward_auth_test.py LEAT FOLDER_OF_TEST_PLUGINS

The service is told by a cookie what to answer. Before the same handler stand nginx, which asks it by auth_request, and Leat.
"""

import http.client
import http.server
import json
import re
import subprocess
import sys
import threading
from pathlib import Path

from proxies import PATIENCE, ProxyCase, free_port, main

LEAT, PLUGINS = sys.argv[1:3]


class Service(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    asked = []

    def do_GET(self):
        Service.asked.append((self.command, self.path, [(name.lower(), value) for name, value in self.headers.items()]))
        code = int(re.search(r"answer=(\d+)", self.headers["Cookie"] or "answer=401")[1])
        body = b"" if code == 204 else b"said the service"
        self.send_response(code)
        for name, value in (("X-User", "anna"), ("WWW-Authenticate", 'Basic realm="here"'), ("Location", "/login?from=here"),
                            ("Content-Type", "text/plain")):
            self.send_header(name, value)
        if code != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET

    def log_message(self, *_):
        pass


class Answer:
    def __init__(self, port, path, fields=(), method="GET", body=None):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        connection.request(method, path, body, {"Host": "site.example", **dict(fields)})
        answer = connection.getresponse()
        self.status, self.body = answer.status, answer.read()
        self.fields = {name.lower(): value for name, value in answer.getheaders()}
        connection.close()

    def seen(self, name):
        """What the handler was sent under this name."""
        return [each["value"] for each in json.loads(self.body)["fields"] if each["name"].lower() == name]


class Case(ProxyCase):
    def setUp(self):
        super().setUp()
        Service.asked.clear()
        self.service = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service)
        threading.Thread(target=self.service.serve_forever, daemon=True).start()
        self.addCleanup(self.service.server_close)
        self.addCleanup(self.service.shutdown)

    def leat(self, options):
        """The handler at /who, and behind the service at /guarded. Returns the port."""
        configuration = f"""[server]
listen = "127.0.0.1:0"
[[plugin]]
name = "who"
file = "{PLUGINS}/who.so"
[[middleware]]
kind = "forward_auth"
name = "guard"
global = false
{options}
[[route]]
path = "/who"
handler = "who:who"
[[route]]
path = "/guarded"
methods = ["GET", "POST"]
handler = "who:who"
middleware = ["guard"]
"""
        return self.serve(LEAT, configuration, "--workers", "1", "--no-supervise")[1][0]

    def test_the_same_pass_as_with_auth_request(self):
        url = f"http://127.0.0.1:{self.service.server_address[1]}"
        leat = self.leat(f'url = "{url}"\npath = "/check"\nrequest_set = ["X-User"]\n')
        nginx = free_port()
        self.nginx_http(f"""server {{ listen 127.0.0.1:{nginx};
location /guarded {{ auth_request /auth; auth_request_set $user $upstream_http_x_user; proxy_set_header X-User $user;
  proxy_pass http://127.0.0.1:{leat}/who; }}
location = /auth {{ internal; proxy_pass {url}/check; proxy_pass_request_body off; proxy_set_header Content-Length "";
  proxy_set_header X-Forwarded-Uri $request_uri; }} }}""", nginx)
        passed = 0
        for code in (200, 201, 204, 299, 401, 403, 302, 307, 400, 404, 429, 500, 503):
            fields = {"Cookie": f"answer={code}", "X-User": "root"}
            ours, theirs = (Answer(port, "/guarded", fields) for port in (leat, nginx))
            with self.subTest(code=code):
                self.assertEqual(ours.status == 200, theirs.status == 200)
                self.assertEqual(ours.status == 200, 200 <= code < 300)
                if ours.status == 200:
                    passed += 1
                    self.assertEqual(ours.seen("x-user"), ["anna"])
                    self.assertEqual(theirs.seen("x-user"), ["anna"])
                elif code in (401, 403):
                    self.assertEqual((ours.status, theirs.status), (code, code))
                    self.assertEqual(ours.body, b"said the service")
                    self.assertEqual(ours.fields["www-authenticate"], 'Basic realm="here"')
                    if code == 401:
                        self.assertEqual(theirs.fields["www-authenticate"], 'Basic realm="here"')
                elif code < 400:
                    # nginx leaves these to its error_page.
                    self.assertEqual((ours.status, theirs.status), (code, 500))
                    self.assertEqual(ours.fields["location"], "/login?from=here")
                else:
                    self.assertEqual((ours.status, theirs.status), (503, 500))
                    self.assertNotIn(b"service", ours.body)
        self.assertEqual(passed, 4)
        # Two ask about each.
        self.assertEqual(len(Service.asked), 2 * 13)

    def test_the_service_learns_what_it_is_to_know(self):
        port = self.leat(f'url = "http://127.0.0.1:{self.service.server_address[1]}"\nmethod = "HEAD"\n'
                         'forward = ["Cookie", "X-Key"]\n')
        answer = Answer(port, "/guarded?a=%20b", {"Cookie": "answer=200", "X-Key": "k", "Authorization": "Basic eDp5",
                                                  "X-Forwarded-For": "10.9.9.9", "X-Forwarded-Uri": "/forged"}, "POST", b"body")
        self.assertEqual(answer.status, 200)
        (method, path, fields), = Service.asked
        self.assertEqual((method, path), ("HEAD", "/"))
        self.assertEqual(dict(fields), {"host": f"127.0.0.1:{self.service.server_address[1]}", "x-forwarded-method": "POST",
                                        "x-forwarded-proto": "http", "x-forwarded-host": "site.example",
                                        "x-forwarded-uri": "/guarded?a=%20b", "x-forwarded-for": "127.0.0.1",
                                        "cookie": "answer=200", "x-key": "k"})
        self.assertEqual(len(fields), 8)

    def test_nobody_passes_when_the_service_is_away(self):
        away = free_port()
        port = self.leat(f'url = "http://127.0.0.1:{away}"\n')
        for _ in range(3):
            answer = Answer(port, "/guarded", {"Cookie": "answer=200"})
            self.assertEqual(answer.status, 503)
            self.assertEqual(answer.fields["retry-after"], "1")
        self.assertEqual(Answer(port, "/who").status, 200)

    def test_with_a_cache_it_asks_once_for_what_is_equal(self):
        port = self.leat(f'url = "http://127.0.0.1:{self.service.server_address[1]}"\nrequest_set = ["X-User"]\n'
                         'cache = "1m"\nforward = ["Cookie"]\n')
        for _ in range(5):
            answer = Answer(port, "/guarded", {"Cookie": "answer=200", "X-User": "forged"})
            self.assertEqual((answer.status, answer.seen("x-user")), (200, ["anna"]))
            self.assertEqual(Answer(port, "/guarded", {"Cookie": "answer=401"}).status, 401)
        # Who is refused is asked about each time, and who passes once; another question is another.
        self.assertEqual(len(Service.asked), 1 + 5)
        for cookie in ("answer=200; a", "answer=200; b", "answer=200; a"):
            self.assertEqual(Answer(port, "/guarded", {"Cookie": cookie}).status, 200)
        self.assertEqual(Answer(port, "/guarded?q", {"Cookie": "answer=200"}).status, 200)
        self.assertEqual(len(Service.asked), 6 + 3)

    def test_nginx_as_the_service(self):
        hashed = subprocess.run(["openssl", "passwd", "-apr1", "open sesame"], capture_output=True, text=True, check=True).stdout
        self.file("users", f"ali:{hashed}")
        socket, probe = f"{self.folder}/auth.sock", free_port()
        self.nginx_http(f"""server {{ listen unix:{socket}; listen 127.0.0.1:{probe};
location = /check {{ auth_basic "cave"; auth_basic_user_file {self.folder}/users; add_header X-User $remote_user always;
  try_files /users =404; }} root {self.folder}; }}""", probe)
        Path(socket).chmod(0o777)
        port = self.leat(f'url = "unix:{socket}"\npath = "/check"\nrequest_set = ["X-User"]\n')
        for password, status in (("b3BlbiBzZXNhbWU=", 401), ("YWxpOm9wZW4gc2VzYW1l", 200), ("YWxpOm9wZW4gYmFybGV5", 401)):
            for _ in range(3):
                answer = Answer(port, "/guarded", {"Authorization": "Basic " + password, "X-User": "forged"})
                self.assertEqual(answer.status, status)
                if status == 200:
                    self.assertEqual(answer.seen("x-user"), ["ali"])
                else:
                    self.assertEqual(answer.fields["www-authenticate"], 'Basic realm="cave"')
        self.assertEqual(Answer(port, "/guarded").status, 401)


if __name__ == "__main__":
    main(sys.argv[:1])
