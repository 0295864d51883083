#!/usr/bin/env python3
"""`leat migrate` beside the servers that it carries over: what the real nginx or Caddy keeps out, Leat keeps out with what was
made of their configuration; or that is told.

    migrated_test.py LEAT

Each configuration is served by its own server and by Leat, one after the other at the same port, and both are asked for the
same paths. A path that is refused there and open here is lost. Where the exit status was 0 none may be; where it was 4 the case
says which are, so that what is told is true.
"""

import http.client
import re
import subprocess
import sys
import unittest

from proxies import PATIENCE, ProxyCase, free_port, main

LEAT = sys.argv[1]

# (configuration, paths, those of them that are lost)
NGINX = (
    # An exact path beside the prefix.
    ("location / { return 200 all; } location = /p { return 200 index; } location /p/ { deny all; stub_status; }",
     ("/", "/p", "/p/", "/p/secret", "/pq"), ()),
    ("location = / { return 200 root; } location / { deny all; stub_status; }", ("/", "/a", "/a/b"), ()),
    ("location / { return 200 all; } location /a/ { deny all; stub_status; } location /a { deny all; stub_status; }",
     ("/a", "/a/", "/a/b", "/b"), ()),
    # A prefix goes on without a slash.
    ("location / { return 200 all; } location /admin { deny all; stub_status; }",
     ("/admin", "/admin/x", "/admin.php", "/administrator"), ("/admin.php", "/administrator")),
    ("location / { deny all; stub_status; } location /open { return 200 open; }", ("/open", "/opener", "/x"), ()),
    # What a server returns.
    ("location /a { return 200 a; } return 403;", ("/", "/a", "/a/b"), ()),
    # Expressions.
    ("location /shop { return 200 shop; } location ~ ^/[^/]+/admin$ { deny all; stub_status; }",
     ("/shop", "/shop/admin", "/x/admin"), ("/shop/admin",)),
    ("location ^~ /shop { return 200 shop; } location ~ ^/below/ { deny all; stub_status; } location / { return 200 all; }",
     ("/shop/admin", "/below/", "/below/x", "/belows"), ()),
    ("location /below/more { return 200 more; } location ~ ^/below/ { deny all; stub_status; }",
     ("/below/more", "/below/x"), ("/below/more",)),
    ("location / { return 200 all; } location ~ ^/st { deny all; stub_status; }", ("/st", "/stx", "/st/x"), ("/stx",)),
    ("location / { return 200 all; } location ~ \\.php$ { deny all; stub_status; }", ("/a.php", "/a"), ("/a.php",)),
    # Rewrites.
    ("rewrite ^/x/(.*)$ /y/$1; location /y/ { deny all; stub_status; } location /x/ { return 200 x; } location / { return 200 all; }",
     ("/x/1", "/y/1", "/z"), ()),
    ("rewrite ^/x/(.*)$ /y/$1; location /y/ { deny all; stub_status; } location /x/1 { return 200 x; } location / { return 200 all; }",
     ("/x/1", "/x/2", "/y/1"), ("/x/1",)),
    ("location /safe/ { deny all; rewrite ^/safe/(.*)$ /$1 break; stub_status; } location / { return 200 all; }",
     ("/safe/x", "/x"), ()),
    ("location = /a { limit_except GET { deny all; } stub_status; } location / { return 200 all; }", ("/a", "/b"), ()),
)
CADDY = (
    ("redir / /home\n\trespond /p/* 403\n\trespond \"all\"", ("/", "/p/", "/p/x", "/q"), ("/P/x",)),
    ("respond /admin* 403\n\trespond \"all\"", ("/admin", "/admin/x", "/administrator"), ("/administrator",)),
    ("respond /a/*/b 403\n\trespond \"all\"", ("/a/x/b", "/a/b", "/a/x/c"), ("/A/x/b",)),
    ("@php path *.php\n\trespond @php 403\n\trespond \"all\"", ("/a.php", "/a"), ("/a.php",)),
    ("respond \"all\"\n\terror 403", ("/", "/a"), ()),
    ("error 403\n\trespond /a \"a\"", ("/", "/a"), ("/a",)),
    ("error /secret/* 403\n\trespond /secret/open \"a\"\n\trespond 404", ("/secret/x", "/secret/open"), ("/secret/open",)),
    ("handle /open/* {\n\t\trespond \"open\"\n\t}\n\thandle {\n\t\trespond 403\n\t}", ("/open/x", "/x", "/openx"), ()),
    ("route /safe/* {\n\t\tbasicauth {\n\t\t\tada HASH\n\t\t}\n\t}\n\trespond \"all\"", ("/safe/x", "/x"), ("/safe/x",)),
)
# Of the password "secret".
BCRYPT = "$2y$05$KVLJqeY9e7eXgrlRr6ZKxuVbG7GZyRz0U00aouBgxxPVcdOSmvuS."


def statuses(port, paths):
    answers = {}
    for path in paths:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        connection.request("GET", path)
        answers[path] = connection.getresponse().status
        connection.close()
    return answers


class Migrated(ProxyCase):
    def compare(self, kind, text, paths, lost):
        port = free_port()
        paths = dict.fromkeys((*paths, *lost))
        if kind == "nginx":
            text = f"server {{ listen 127.0.0.1:{port}; {text} }}"
            server = self.nginx_http(text, port)
        else:
            text = f":{port} {{\n\t{text.replace('HASH', BCRYPT)}\n}}\n"
            server = self.caddy(text, port)
        there = statuses(port, paths)
        server.__exit__()
        done = subprocess.run([LEAT, "migrate", kind, self.file("migrated", text)], capture_output=True, text=True, timeout=60)
        if lost:
            self.assertEqual(done.returncode, 4, done.stderr)
        self.assertIn(done.returncode, (0, 4), done.stderr)
        program, (here_port,) = self.serve(LEAT, re.sub(rf"\*:{port}\b", f"127.0.0.1:{port}", done.stdout))
        here = statuses(here_port, paths)
        program.__exit__()
        open_here = {path for path in paths if there[path] >= 400 > here[path]}
        self.assertEqual(open_here, set(lost), (there, here, done.stdout))

    def test_what_nginx_keeps_out(self):
        for text, paths, lost in NGINX:
            with self.subTest(text):
                self.compare("nginx", text, paths, lost)

    def test_what_caddy_keeps_out(self):
        for text, paths, lost in CADDY:
            with self.subTest(text):
                self.compare("caddy", text, paths, lost)


if __name__ == "__main__":
    main(sys.argv[:1])
