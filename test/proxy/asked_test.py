#!/usr/bin/env python3
"""Other servers asked by HTTP/2: the real Caddy, nginx and HAProxy, in the clear and over TLS.

    asked_test.py LEAT FOLDER_OF_TEST_PLUGINS
"""

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path

from proxies import PATIENCE, ProxyCase, free_port, main

LEAT, PLUGINS = sys.argv[1:3]
CONFIGURATION = """
[server]
listen = "127.0.0.1:0"
engine = "{engine}"
workers = 1
[[plugin]]
name = "f"
file = "fetches.so"
[plugin.config]
upstream = "{url}"
[[route]]
path = "/pass/{{rest...}}"
handler = "f:pass"
[[route]]
path = "/post"
methods = ["POST"]
handler = "f:post"
"""
LARGE = 3_000_000


class Asked(ProxyCase):
    def setUp(self):
        super().setUp()
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
                        "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", f"{self.folder}/key",
                        "-out", f"{self.folder}/crt"], check=True, capture_output=True)
        self.file("both", Path(self.folder, "crt").read_text() + Path(self.folder, "key").read_text())
        os.makedirs(f"{self.folder}/site", exist_ok=True)
        self.file("site/large", "x" * LARGE)
        os.environ["SSL_CERT_FILE"] = f"{self.folder}/crt"
        self.addCleanup(os.environ.pop, "SSL_CERT_FILE")

    def check(self, url, said, large=True, echoes=False):
        for engine in ("io_uring", "epoll"):
            with self.subTest(engine=engine, url=url):
                _, [port] = self.serve(LEAT, CONFIGURATION.format(engine=engine, url=url), "--plugin-path", PLUGINS)

                def ask(target, body=None):
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}{target}", body, PATIENCE) as answer:
                        return answer.read().decode()
                for _ in range(5):
                    answer = json.loads(ask("/pass/said"))
                    self.assertEqual((answer["status"], answer["body"]), (200, said))
                if large:
                    self.assertEqual(json.loads(ask("/pass/large"))["size"], LARGE)
                    self.assertEqual(json.loads(ask("/pass/nowhere"))["status"], 404)
                if echoes:
                    body = "b" * 500_000
                    self.assertIn(body, ask("/post", body.encode()))

    def test_caddy(self):
        clear, secure = free_port(), free_port()
        site = f"""
	@said path /said
	respond @said "{{http.request.proto}}"
	@echo path /echo
	respond @echo "{{http.request.body}}"
	root * {self.folder}/site
	file_server
"""
        self.start_caddy(f"""{{
	admin off
	auto_https off
	servers {{
		protocols h1 h2 h2c
	}}
}}
http://:{clear} {{{site}}}
https://localhost:{secure} {{
	tls {self.folder}/crt {self.folder}/key{site}}}
""", clear)
        self.check(f"h2c://127.0.0.1:{clear}", "HTTP/2.0", echoes=True)
        self.check(f"https://localhost:{secure}", "HTTP/2.0", echoes=True)

    def start_caddy(self, text, port):
        program = self.start(["caddy", "run", "--adapter", "caddyfile", "--config", self.file("Caddyfile", text)],
                             env={**os.environ, "HOME": self.folder, "XDG_DATA_HOME": self.folder, "XDG_CONFIG_HOME": self.folder})
        program.wait_for_port(port)

    def test_nginx(self):
        clear, secure = free_port(), free_port()
        self.nginx_http(f"""
server {{
  listen 127.0.0.1:{clear} http2;
  listen 127.0.0.1:{secure} ssl http2;
  ssl_certificate {self.folder}/crt; ssl_certificate_key {self.folder}/key;
  root {self.folder}/site;
  location = /said {{ return 200 $server_protocol; }}
}}""", clear)
        self.check(f"h2c://127.0.0.1:{clear}", "HTTP/2.0")
        self.check(f"https://localhost:{secure}", "HTTP/2.0")

    def test_haproxy(self):
        clear, secure = free_port(), free_port()
        self.haproxy(f"""
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend web
  bind 127.0.0.1:{clear} proto h2
  bind 127.0.0.1:{secure} ssl crt {self.folder}/both alpn h2,http/1.1
  http-request return status 200 content-type text/plain lf-string "%HV"
""", clear)
        self.check(f"h2c://127.0.0.1:{clear}", "HTTP/2.0", large=False)
        self.check(f"https://localhost:{secure}", "HTTP/2.0", large=False)

    def test_who_has_no_http2_is_asked_by_http1(self):
        secure = free_port()
        self.nginx_http(f"""
server {{
  listen 127.0.0.1:{secure} ssl;
  ssl_certificate {self.folder}/crt; ssl_certificate_key {self.folder}/key;
  root {self.folder}/site;
  location = /said {{ return 200 $server_protocol; }}
}}""", secure)
        self.check(f"https://localhost:{secure}", "HTTP/1.1")


if __name__ == "__main__":
    main(sys.argv[:1])
