#!/usr/bin/env python3
"""`leat migrate`: what it makes of configurations of nginx and Caddy, what it leaves and says of it, and that no text brings it down.

    migrate_test.py LEAT FOLDER_OF_DEMO_PLUGIN
"""

import re
import subprocess
import sys
import tempfile
import tomllib
import unittest
from pathlib import Path

LEAT, PLUGINS = (Path(argument).resolve() for argument in sys.argv[1:3])
# Of the password "secret".
BCRYPT = "$2y$05$KVLJqeY9e7eXgrlRr6ZKxuVbG7GZyRz0U00aouBgxxPVcdOSmvuS."
# A route that waits for somebody to answer.
OPEN = {"method": "*", "answer": {"status": 503}}
NAMES = {"nginx": "nginx.conf", "caddy": "Caddyfile"}


class Migrate(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="leat-migrate-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def migrate(self, kind, text, *arguments):
        """(status, standard output, standard error)"""
        file = self.folder / NAMES[kind]
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        done = subprocess.run([LEAT, "migrate", kind, file, *arguments], capture_output=True, timeout=60)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def carried(self, kind, text, left=()):
        """What it says, as data, and the text itself. Each of `left` is a piece of what is told to be left, in its order."""
        status, out, errors = self.migrate(kind, text)
        told = re.findall(rf"{NAMES[kind]}:(\d+): (.*)\n  (.*)\n", errors)
        self.assertEqual(len(told), len(left), errors)
        for (line, written, why), want in zip(told, left):
            self.assertIn(want, written + " -- " + why)
            self.assertIn(written, text.splitlines()[int(line) - 1])
            self.assertIn(f"# TODO {NAMES[kind]}:{line}: {written}", out)
            self.assertIn(f"#      {why}.", out)
        self.assertEqual(status, 4 if left else 0, errors)
        self.assertIn(f"{len(left)} thing" if left else "", errors)
        said = tomllib.loads(out)
        self.check(out)
        return said, out

    def check(self, out):
        file = self.folder / "leat.toml"
        file.write_text(out)
        done = subprocess.run([LEAT, "check", "-c", file, "--plugin-path", PLUGINS], capture_output=True, text=True, timeout=60)
        # What is free to be listened on, and whose log can be written, is for another machine to say.
        wrong = [line for line in done.stderr.splitlines() if line.startswith("error[")
                 and not re.match(r"error\[LT(0121|0123)\]", line)]
        self.assertEqual(wrong, [], out + done.stderr)
        formatted = subprocess.run([LEAT, "fmt", "--check", file], capture_output=True, text=True, timeout=60)
        self.assertEqual(formatted.returncode, 0, formatted.stderr + out)

    # --- nginx

    def nginx(self, text, left=()):
        return self.carried("nginx", text, left)

    def test_nginx_settings(self):
        said, _ = self.nginx("""
user www-data;
worker_processes 4;
pid /run/nginx.pid;
error_log stderr notice;
events { worker_connections 1024; }
http {
    sendfile on;
    client_max_body_size 10m;
    client_header_timeout 15s;
    client_body_timeout 20;
    keepalive_timeout 1m 60s;
    send_timeout 1m30s;
    keepalive_requests 1000;
    set_real_ip_from 10.0.0.0/8;
    set_real_ip_from unix:;
    real_ip_header X-Forwarded-For;
    server { listen 8080; listen [::]:8080; listen 127.0.0.1; listen unix:/run/x.sock; server_name _; }
}
""")
        self.assertEqual(said["server"], {"workers": 4, "trusted_proxies": ["10.0.0.0/8", "unix"], "proxy_fields": ["x-forwarded-for"],
                                          "listen": ["*:8080", "127.0.0.1:80", "unix:/run/x.sock"]})
        self.assertEqual(said["limits"], {"connections": 1024, "body": "10MiB", "head_timeout": "15s", "body_timeout": "20s",
                                          "idle_timeout": "1m", "send_timeout": "90s", "requests_per_connection": 1000})
        self.assertEqual(said["log"], {"level": "info"})

    def test_nginx_locations(self):
        said, out = self.nginx("""server {
  listen 80;
  location = /health { stub_status; }
  location /api/ { client_max_body_size 1m; proxy_pass http://127.0.0.1:9000; }
  location ^~ /static { root /srv; }
  location ~ \\.php$ { fastcgi_pass unix:/run/php.sock; }
  location "/with space{}" { location /with/in { alias /x; } }
  location @named { return 404; }
  location / { index index.html; }
  location /static { root /other; }
}""", ("passes no requests on", "serves no files", "regular expressions", "serves no files", "named locations", "serves no files", "serves no files"))
        self.assertEqual(said["route"], [
            {"path": "/health", "handler": "leat:metrics"}, OPEN | {"path": "/api/{rest...}", "body_limit": "1MiB"}, OPEN | {"prefix": "/static"},
            OPEN | {"prefix": "/with%20space%7B%7D"}, OPEN | {"prefix": "/with/in"}, OPEN | {"prefix": "/"}])
        self.assertIn("#   fastcgi_pass unix:/run/php.sock;", out)
        self.assertEqual(out.count('TODO: a plugin answers here: handler = "PLUGIN:HANDLER" in place of `answer`.'), 5)

    def test_nginx_hosts(self):
        said, out = self.nginx("""http {
  server { listen 80 default_server; server_name _; return 404; }
  server { listen 80; server_name Example.org www.example.org; return 301 https://$host$request_uri; }
  server { listen 80; server_name example.org; location = /a { stub_status; } }
  server { listen 80; server_name .example.net ~^x; location = /a { stub_status; } }
}""", ("redirect_to_https", "whole names"))
        self.assertEqual(said["route"], [{"prefix": "/", "method": "*", "answer": {"status": 404}}])
        metrics = [{"path": "/a", "handler": "leat:metrics"}]
        self.assertEqual(said["host"], [{"names": ["example.org", "www.example.org"], "route": metrics},
                                        {"names": ["example.net", "*.example.net"], "route": metrics}])
        self.assertIn("# --- goes on with the server at line 4", out)

    def test_nginx_answers(self):
        said, _ = self.nginx("""server { listen 80;
  location = /a { return 301 /b; }
  location /c/ { return 302 https://d.$http_host/d$request_uri; }
  location = /e { return https://example.org/?$args; }
  location = /f { return 200 "it \\"works\\""; }
  location = /g { return 403; }
  location = /h { return 200 $remote_addr; }
  location = /i { return 444; }
  location = /j { return 308 /k$cookie_x; }
  location = /l { add_header X-A b always; return 410; }
  rewrite ^/old/(.*)$ /new/$1 permanent;
  rewrite ^/one\\.html$ /two? redirect;
  rewrite ^/in$ /f last;
  rewrite ^/x[0-9]+$ /y;
}""", ("regular expressions", "always the same", "with 403", "nothing else"))
        routes = {route.get("path", route.get("prefix")): route for route in said["route"]}
        for path, want in {"/a": {"redirect": "/b", "status": 301}, "/c/{rest...}": {"redirect": "https://d.{host}/d{path}{query}", "status": 302},
                           "/e": {"redirect": "https://example.org/{query}", "status": 302},
                           "/f": {"answer": {"status": 200, "body": 'it "works"'}}, "/g": {"answer": {"status": 403}},
                           "/l": {"answer": {"status": 410}, "middleware": ["headers-1"]},
                           "/old/{rest...}": {"redirect": "/new/{rest}{query}", "status": 301}, "/one.html": {"redirect": "/two", "status": 302},
                           "/in": {"rewrite": "/f{query}"}}.items():
            self.assertEqual({key: value for key, value in routes[path].items() if key not in ("path", "prefix", "method")}, want, path)
        for path in ("/h", "/i", "/j"):
            self.assertEqual(routes[path]["answer"], {"status": 503})

    def test_nginx_access(self):
        said, out = self.nginx("""http {
  allow 10.0.0.0/8; deny 10.1.0.1; deny all; allow 1.2.3.4;
  server { listen 80;
    location /a { stub_status; }
    location /b { stub_status; allow 127.0.0.1; }
    location /c { stub_status; deny nobody.example; }
  }
}""", ("names are not looked up",))
        first = {"kind": "access", "name": "access-2", "global": False, "default": "deny",
                 "rules": [{"action": "allow", "client": ["10.0.0.0/8"]}, {"action": "deny", "client": ["10.1.0.1"]}]}
        second = {"kind": "access", "name": "access-1", "global": False, "default": "allow",
                  "rules": [{"action": "allow", "client": ["127.0.0.1"]}]}
        self.assertCountEqual(said["middleware"], [first, second])
        self.assertEqual({route["prefix"]: route["middleware"] for route in said["route"]}, {"/a": ["access-2"], "/b": ["access-1"], "/c": ["access-2"]})

    def test_nginx_what_all_routes_have_is_global(self):
        said, _ = self.nginx("http { deny 1.2.3.4; server { listen 80; location /a { stub_status; } location = /b { stub_status; } } }")
        self.assertEqual(said["middleware"], [{"kind": "access", "default": "allow", "rules": [{"action": "deny", "client": ["1.2.3.4"]}]}])
        self.assertNotIn("middleware", said["route"][0])

    def test_nginx_rates(self):
        said, _ = self.nginx("""http {
  limit_req_zone $binary_remote_addr zone=one:10m rate=10r/s;
  limit_req_zone $http_x_api_key zone=two:10m rate=30r/m;
  limit_req_zone $uri zone=three:10m rate=1r/s;
  server { listen 80;
    location = /a { stub_status; limit_req zone=one burst=20 nodelay; }
    location = /b { stub_status; limit_req zone=two; limit_req zone=one burst=5; }
    location = /e { stub_status; limit_req zone=one burst=20 nodelay; }
    location = /c { stub_status; limit_req zone=three; }
    location = /d { stub_status; limit_req zone=none; }
  }
}""", ("its zone is counted", "counts by client", "no limit_req_zone"))
        rates = {each["name"]: {key: value for key, value in each.items() if key not in ("name", "global", "kind")} for each in said["middleware"]}
        routes = {route["path"]: [rates[name] for name in route.get("middleware", [])] for route in said["route"]}
        self.assertEqual(routes["/a"], [{"rate": "10/s", "burst": 21}])
        self.assertEqual(routes["/b"], [{"rate": "30/min", "burst": 1, "key": ["header:x-api-key"]}, {"rate": "10/s", "burst": 6}])
        self.assertEqual((routes["/c"], routes["/d"]), ([], []))
        self.assertEqual(routes["/e"], routes["/a"])

    def test_nginx_crowds(self):
        said, _ = self.nginx("""http {
  limit_conn_zone $binary_remote_addr zone=each:10m;
  limit_conn_zone $http_x_api_key zone=key:10m;
  limit_conn_zone $server_name zone=all:10m;
  server { listen 80; limit_conn each 20;
    location = /a { stub_status; }
    location = /b { stub_status; limit_conn key 3; }
    location = /c { stub_status; limit_conn all 100; }
    location = /d { stub_status; limit_conn each 0; }
    location = /e { stub_status; limit_conn each 5; }
    location = /f { stub_status; limit_conn none 5; }
  }
}""", ("counts by client", "up to a million", "its zone is counted", "no limit_conn_zone"))
        own = {each["name"]: {key: value for key, value in each.items() if key not in ("name", "global")} for each in said["middleware"]}
        routes = {route["path"]: [own[name] for name in route.get("middleware", [])] for route in said["route"]}
        client = {"kind": "concurrency", "limit": 20}
        self.assertEqual(routes, {"/a": [client], "/b": [{"kind": "concurrency", "limit": 3, "key": ["header:x-api-key"]}], "/c": [client],
                                  "/d": [client], "/e": [{"kind": "concurrency", "limit": 5}], "/f": [client]})

    # --- Who has a request there has it here, or it is told

    def routes(self, said):
        """What is written of each path, without what answers there."""
        return [(route.get("path", route.get("prefix", "")), "prefix" in route, route.get("answer", {}).get("body")) for route in said["route"]]

    def test_nginx_a_path_and_what_is_below_it_are_two(self):
        said, _ = self.nginx("""server { listen 80;
  location = / { return 200 "root"; }
  location / { return 200 "all"; }
  location = /p { return 200 "index"; }
  location /p { return 200 "p"; }
  location /a { return 200 "a"; }
  location /a/ { return 200 "below"; }
}""")
        self.assertEqual(self.routes(said), [("/", False, "root"), ("/", True, "all"), ("/p", False, "index"), ("/p/{rest...}", False, "p"),
                                             ("/a", False, "a"), ("/a/{rest...}", False, "below")])

    def test_nginx_a_place_that_two_have_is_told(self):
        said, out = self.nginx("""server { listen 80;
  location ^~ /a { return 200 "first"; }
  location /a { deny all; stub_status; }
}""", ("a route for /a already, of line 2",))
        self.assertEqual(self.routes(said), [("/a", True, "first")])

    def test_nginx_prefixes_that_go_on_without_a_slash(self):
        for rule in ("deny all; stub_status;", "auth_basic x; auth_basic_user_file USERS; stub_status;", "limit_req zone=z; stub_status;",
                     "limit_conn c 1; stub_status;", "client_max_body_size 1k; stub_status;", "return 403;"):
            with self.subTest(rule):
                (self.folder / "users").write_text("ada:" + BCRYPT + "\n")
                rule = rule.replace("USERS", f"{self.folder}/users")
                zones = "limit_req_zone $binary_remote_addr zone=z:1m rate=1r/s; limit_conn_zone $binary_remote_addr zone=c:1m;\n"
                text = "http { " + zones + "server { listen 80; location / { return 200 all; }\n location /admin { " + rule + " }\n} }"
                self.nginx(text, ("/admin without a slash as well, which are those of / here",))
                # Of a folder, of what is open anyway, and where the other is as strict there is nothing to tell.
                self.nginx(text.replace("/admin", "/admin/"))
                self.nginx(text.replace("return 200 all;", rule))
                self.nginx(text.replace("location / { return 200 all; }", ""))
        self.nginx("server { listen 80; location / { deny all; stub_status; }\n location /open { stub_status; } }")
        self.nginx('http { client_max_body_size 1k; server { listen 80; location / { stub_status; } location /up { client_max_body_size 9m; stub_status; } } }')

    def test_nginx_a_return_of_the_server_is_before_its_locations(self):
        said, out = self.nginx("""server { listen 80;
  location /a { return 200 "a"; }
  rewrite ^/old$ /new permanent;
  rewrite ^/in$ /a;
  return 403;
  rewrite ^/late$ /a last;
  location /b { return 200 "b"; }
}""", ("a `return` stands beside it",))
        self.assertEqual([route.get("path", route.get("prefix")) for route in said["route"]], ["/old", "/"])
        self.assertIn("# location /b {: the server's `return` comes before it.", out)
        self.nginx('server { listen 80; return 200 "$uri"; location /a { return 200 "a"; } }', ("always the same",))

    def test_nginx_expressions_come_before_prefixes(self):
        said, _ = self.nginx("""server { listen 80;
  location /shop { return 200 "shop"; }
  location ^~ /first { return 200 "first"; }
  location /below/more { return 200 "more"; }
  location ~ ^/[^/]+/admin$ { deny all; stub_status; }
  location ~ ^/below/ { deny all; stub_status; }
  location ~ ^/adm.n$ { deny all; stub_status; }
  location ~ ^/adm\\.n$ { deny all; stub_status; }
  location = /x/admin { return 200 "exact"; }
}""", ("regular expressions", "/shop (line 2)", "/below/more (line 4)"))
        self.assertIn(("/adm.n", False, None), self.routes(said))

    def test_nginx_rewrites_lead_to_routes_with_rules_of_their_own(self):
        said, _ = self.nginx("""server { listen 80; client_max_body_size 1m; deny 1.2.3.4;
  rewrite ^/x/(.*)$ /y/$1;
  location /y/ { stub_status; }
  location /safe { deny all; rewrite ^/safe/(.*)$ /$1 break; stub_status; }
  location /other { rewrite ^/y/(.*)$ /z last; stub_status; }
  location /both { rewrite ^/both/(.*)$ /y/$1; return 403; }
  location /rw/ { rewrite ^/rw/(.*)$ /y/$1 last; return 403; }
}""", ("stays in its location", "other paths than its location", "a `return` stands beside it"))
        routes = {route.get("path", route.get("prefix")): route for route in said["route"]}
        self.assertEqual(routes["/x/{rest...}"], {"path": "/x/{rest...}", "method": "*", "rewrite": "/y/{rest}{query}"})
        self.assertEqual(routes["/rw/{rest...}"]["rewrite"], "/y/{rest}{query}")
        rules = {each["name"]: each.get("rules") for each in said["middleware"]}
        self.assertEqual([rules[name] for name in routes["/safe"]["middleware"]], [None])

    def test_nginx_a_server_is_kept_to_its_addresses(self):
        said, _ = self.nginx("""http {
  server { listen 80; location /a { return 200 "public"; } }
  server { listen 127.0.0.1:81; location /admin { stub_status; } }
  server { listen 80; listen 127.0.0.1:81; server_name both.example; location / { return 200 "both"; } }
}""")
        self.assertNotIn("route", said)
        self.assertEqual([(host.get("names"), host.get("listeners"), [route["prefix"] for route in host["route"]]) for host in said["host"]],
                         [(None, ["*:80"], ["/a"]), (None, ["127.0.0.1:81"], ["/admin"]), (["both.example"], None, ["/"])])
        self.nginx("http { server { listen 80; location = /a { stub_status; } }\n server { listen 127.0.0.1:80; location = /b { stub_status; } } }",
                   ("it is part of *:80",))

    def test_nginx_realms_have_no_quotes(self):
        (self.folder / "users").write_text("ada:" + BCRYPT + "\n")
        said, out = self.nginx('server { listen 80; auth_basic "a\\"b"; auth_basic_user_file USERS; location = /a { stub_status; } }'.replace(
            "USERS", f"{self.folder}/users"))
        self.assertEqual(said["middleware"][0]["realm"], "ab")
        self.assertIn("without quotes", out)

    def test_what_is_written_is_checked(self):
        status, out, errors = self.migrate("nginx", "server { listen 80; auth_basic x; auth_basic_user_file /none/users; location = /a { stub_status; } }")
        self.assertEqual(status, 4)
        self.assertIn("what was written: it does not pass `leat check` yet:", errors)
        self.assertRegex(errors, r"(?s)error\[LT\d+\].*--> what was written:\d+:\d+")
        self.assertIn("/none/users", out)

    def test_nginx_fields(self):
        said, _ = self.nginx("""server { listen 80;
  add_header X-Frame-Options "SAMEORIGIN" always;
  add_header X-Who "$remote_addr {$host} ${scheme}";
  add_header X-Time $request_time;
  add_header Content-Length 5;
  location = /a { stub_status; }
  location = /b { stub_status; add_header X-B b; proxy_set_header Host $host; proxy_set_header X-Forwarded-For $remote_addr;
                  proxy_set_header X-Own "a b"; proxy_set_header X-Gone ""; }
}""", ("$request_time", "Content-Length"))
        options = [{key: value for key, value in each.items() if key not in ("name", "global", "kind")} for each in said["middleware"]]
        ok = ["200", "201", "204", "206", "301-304", "307", "308"]
        for each in ({"answer_add": ["X-Frame-Options: SAMEORIGIN"]}, {"answer_add": ["X-Who: {client} {{{host}}} {scheme}"], "if_status": ok},
                     {"answer_add": ["X-B: b"], "if_status": ok}, {"request_set": ["X-Own: a b"]}):
            self.assertIn(each, options)
        self.assertEqual(len(options), 4)
        self.assertEqual([len(route["middleware"]) for route in said["route"]], [2, 2])

    def test_nginx_packing_and_passwords(self):
        (self.folder / "users").write_text("ada:" + BCRYPT + "\n")
        said, _ = self.nginx("""http {
  gzip on; gzip_types text/css application/json; gzip_min_length 2k; gzip_vary on;
  server { listen 80; auth_basic "Ours"; auth_basic_user_file USERS;
    location = /a { stub_status; }
    location = /b { stub_status; gzip off; auth_basic off; }
    location = /c { stub_status; gzip_comp_level 6; gzip_min_length 0; }
  }
}""".replace("USERS", f"{self.folder}/users"), ("compress.least",))
        own = {each.get("name"): {key: value for key, value in each.items() if key not in ("name", "global")} for each in said["middleware"]}
        routes = {route["path"]: [own[name] for name in route.get("middleware", [])] for route in said["route"]}
        packing = {"kind": "compress", "types": ["text/html", "text/css", "application/json"], "least": "2KiB"}
        passwords = {"kind": "basic_auth", "file": f"{self.folder}/users", "realm": "Ours"}
        self.assertEqual(routes, {"/a": [packing, passwords], "/b": [], "/c": [packing | {"gzip_level": 6}, passwords]})

    def test_caddy_packing_and_passwords(self):
        said, _ = self.caddy(f""":8080 {{
	encode zstd gzip
	basic_auth {{
		ada {BCRYPT}
	}}
	metrics /m
}}
:8081 {{
	encode deflate
	metrics /n
}}
""", ("zstd, br and gzip",))
        self.assertCountEqual([{key: value for key, value in each.items() if key not in ("name", "global")} for each in said["middleware"]],
                              [{"kind": "compress", "codings": ["zstd", "gzip"]},
                               {"kind": "basic_auth", "users": ["ada:" + BCRYPT.replace("$", "$$")]}])

    def test_nginx_behind_a_proxy(self):
        said, _ = self.nginx("""http {
  set_real_ip_from 10.0.0.0/8; real_ip_header proxy_protocol;
  server { listen 80 proxy_protocol; listen [::]:80 proxy_protocol; listen 81; location = /a { stub_status; } }
}""")
        self.assertEqual(said["listener"], [{"address": "*:80", "proxy_protocol": True}])
        self.assertEqual(said["server"], {"trusted_proxies": ["10.0.0.0/8"], "listen": ["*:81"]})
        # Whom it would believe is not known.
        said, _ = self.nginx("server { listen 80 proxy_protocol; location = /a { stub_status; } }", ("who may connect",))
        self.assertNotIn("listener", said)

    def test_nginx_expressions_that_are_none(self):
        said, _ = self.nginx("""server { listen 80;
  location ~ ^/exact\\.html$ { stub_status; }
  location ~ ^/below/ { stub_status; }
  location ~ ^/prefix { stub_status; }
  location ~ ^/users/([^/]+)/posts/[^/]+$ { stub_status; }
  location ~ ^/old/(.*)$ { return 301 /new; }
  location ~* ^/[0-9]$ { stub_status; }
  location ~* ^/letters$ { stub_status; }
  location ~ \\.(png|gif)$ { stub_status; }
  location ~ ^/half[^/]+$ { stub_status; }
  rewrite ^/a/([^/]+)/b/(.*)$ /c/$2/$1 last;
  rewrite ^/d/([^/]+)$ /e/$3 last;
}""", ("nothing else",) + ("regular expressions",) * 4)
        self.assertEqual([route.get("path", route.get("prefix")) for route in said["route"]],
                         ["/a/{part1}/b/{rest...}", "/exact.html", "/below/{rest...}", "/prefix", "/users/{part1}/posts/{part2}",
                          "/old/{rest...}"])
        self.assertEqual(said["route"][0]["rewrite"], "/c/{rest}/{part1}{query}")

    def test_nginx_pages_questions_and_the_rest(self):
        (self.folder / "404.html").write_text("<p>Not here")
        said, out = self.nginx("""http {
  large_client_header_buffers 4 8k;
  server { listen 80; root ROOT;
    error_page 404 410 /404.html;
    error_page 500 502 /50x.html;
    error_page 404 =200 /404.html;
    location = /auth { proxy_pass http://localhost:9091/check; }
    location = /other { proxy_pass http://back; }
    location = /a { stub_status; auth_request /auth; expires 1h; }
    location = /b { stub_status; auth_request off; expires off; limit_except GET { allow 10.0.0.0/8; deny all; } }
    location = /c { stub_status; auth_request /other; expires modified +1h; }
    location = /d { stub_status; expires -1; limit_conn one 5; satisfy any; }
  }
}""".replace("ROOT", str(self.folder)), ("serves no files", "file that is there", "leaves the status", "passes no requests on", "passes no requests on",
                                        "asks an address", "sets Cache-Control", "no limit_conn_zone", "pass all middleware"))
        self.assertEqual(said["limits"], {"request_line": "8KiB", "headers": "32KiB"})
        own = {each.get("name"): {key: value for key, value in each.items() if key not in ("name", "global")} for each in said["middleware"]}
        routes = {route["path"]: [own[name] for name in route.get("middleware", [])] for route in said["route"]}
        self.assertEqual(own[None], {"kind": "error_pages", "pages": [{"status": ["404", "410"], "file": f"{self.folder}/404.html"}]})
        ok = ["200", "201", "204", "206", "301-304", "307", "308"]
        self.assertEqual(routes["/a"], [{"kind": "forward_auth", "url": "http://127.0.0.1:9091", "path": "/check"},
                                        {"kind": "headers", "answer_set": ["Cache-Control: max-age=3600"], "if_status": ok}])
        self.assertEqual(routes["/b"], [{"kind": "access", "default": "deny", "rules": [
            {"action": "allow", "method": ["GET", "HEAD"]}, {"action": "allow", "client": ["10.0.0.0/8"]}]}])
        self.assertEqual(routes["/c"], [])
        self.assertEqual(routes["/d"], [{"kind": "headers", "answer_set": ["Cache-Control: no-cache"], "if_status": ok}])
        self.assertIn("Leat those that `forward` names", out)

    def test_nginx_logs(self):
        said, _ = self.nginx("""http {
  log_format own '$remote_addr [$time_local] "$request" $status ' '$body_bytes_sent "${http_referer}" $http_x_a';
  log_format odd '$remote_addr $geoip_city';
  access_log /var/log/leat/a.log;
  server { listen 80;
    location = /a { stub_status; }
    location = /b { stub_status; access_log off; }
    location = /c { stub_status; access_log /var/log/leat/c.log own; }
    location = /d { stub_status; access_log /var/log/leat/d.log odd; }
    location = /e { stub_status; access_log syslog:server=unix:/dev/log none; }
  }
}""".replace("/var/log/leat", str(self.folder)), ("$geoip_city", "no log_format"))
        logs = {each["name"]: each for each in said["middleware"]}
        routes = {route["path"]: [logs[name] for name in route.get("middleware", [])] for route in said["route"]}
        self.assertEqual([(log["file"], log["format"]) for log in routes["/a"]], [(f"{self.folder}/a.log", "combined")])
        self.assertEqual((routes["/b"], routes["/e"]), ([], []))
        self.assertEqual(routes["/c"][0]["format"],
                         '{client} [{clock}] "{method} {target} {protocol}" {status} {bytes_out} "{referer}" {header:x-a}')
        self.assertEqual(routes["/d"][0]["format"], "combined")

    def test_nginx_what_is_left_is_told(self):
        said, _ = self.nginx("""load_module modules/x.so;
http {
  include mime.types;
  map $a $b { default 1; }
  keepalive_timeout 0;
  client_max_body_size 0;
  worker_processes many;
  upstream back { server 127.0.0.1:1; }
  server {
    listen 443 ssl;
    listen example.org:80;
    server_name example.org;
    ssl_certificate /x.pem;
    return 301 https://example.org$request_uri;
    rewrite ^/a$ /b;
    made_up on;
  }
}
""", ("no plugins", "not read", "variables", "1ms to 1h", "has a limit", "up to 1024", "passes no requests on", "names the certificate", "no address",
      "nothing like it", "has a certificate and its key", "redirect_to_https"))
        self.assertEqual(said["host"], [{"names": ["example.org"], "route": [{"path": "/a", "method": "*", "rewrite": "/b{query}"}]}])

    def certificate(self, name):
        """(certificate, key), in files of its own, as text."""
        made = subprocess.run([LEAT, "tls", "init", "--dir", self.folder / name, name], capture_output=True, text=True, timeout=60)
        self.assertEqual(made.returncode, 0, made.stderr)
        return str(self.folder / name / f"{name}.pem"), str(self.folder / name / f"{name}.key")

    def test_nginx_tls(self):
        one, two = self.certificate("a.example"), self.certificate("b.example")
        said, _ = self.nginx(f"""http {{
  ssl_certificate {one[0]};
  ssl_certificate_key {one[1]};
  ssl_protocols TLSv1.3;
  ssl_ciphers HIGH;
  server {{ listen 80; server_name a.example; location = /plain {{ stub_status; }} }}
  server {{
    listen 443 ssl default_server;
    listen [::]:443 ssl;
    http2 on;
    server_name a.example;
    location = /a {{ stub_status; }}
  }}
  server {{
    listen 443 ssl;
    listen 8443 ssl quic;
    server_name b.example a.example;
    ssl_certificate {two[0]};
    ssl_certificate_key {two[1]};
    ssl_certificate certs/other.pem;
    ssl_verify_client on;
    location = /b {{ stub_status; }}
  }}
  server {{ listen 80 ssl; server_name c.example; location = /c {{ stub_status; }} }}
}}
""", ("defaults suit most", "HTTP/3", "whole paths", "client_certificate", "with all or with nobody"))
        self.assertEqual(said["listener"], [{"address": "*:443", "tls": True}])
        self.assertEqual(said["server"], {"tls_min_version": "1.3", "listen": ["*:80"]})
        self.assertEqual(said["tls"], [
            {"certificate": one[0], "key": one[1], "names": ["a.example"], "default": True},
            {"certificate": two[0], "key": two[1], "names": ["b.example"]},
            {"certificate": one[0], "key": one[1], "names": ["c.example"]}])

    def test_nginx_versions_of_tls(self):
        for versions, said, left in (("TLSv1.2 TLSv1.3", {"tls_min_version": "1.2"}, ()), ("TLSv1.2", {}, ("in any case",)),
                                     ("TLSv1 TLSv1.1 TLSv1.2 TLSv1.3", {"tls_min_version": "1.2"}, ("older versions",))):
            made, _ = self.nginx(f"http {{ ssl_protocols {versions}; server {{ location = / {{ stub_status; }} }} }}\n", left)
            self.assertEqual(made.get("server", {}), said)

    def test_nginx_two_servers_that_want_different_things(self):
        said, _ = self.nginx("""http {
  server { listen 80; keepalive_timeout 10s; location = /a { stub_status; } }
  server { listen 127.0.0.1:80; keepalive_timeout 20s; location = /a { stub_status; } }
}""", ("it is part of *:80", "idle_timeout is \"10s\" already"))
        self.assertEqual(said["server"]["listen"], ["*:80"])
        self.assertEqual(len(said["route"]), 1)

    def test_nginx_values_keep_their_text(self):
        said, _ = self.nginx('server { listen 80; add_header X-A "a\\"b \\\\ c" always; location = /a { stub_status; } }')
        self.assertEqual(said["middleware"][0]["answer_add"], ['X-A: a"b \\ c'])

    # --- Caddy

    def caddy(self, text, left=()):
        return self.carried("caddy", text, left)

    def test_caddy_settings(self):
        said, _ = self.caddy("""{
	email someone@example.org
	admin off
	grace_period 10s
	servers {
		trusted_proxies static 10.0.0.0/8 private_ranges
		timeouts {
			read_header 10s
			read_body 5s
			idle 2m
			write 30s
		}
	}
	log {
		level WARN
		format json
	}
}

:8080 {
	metrics /metrics
}
""")
        self.assertEqual(said["server"]["listen"], ["*:8080"])
        self.assertEqual(said["server"]["drain_timeout"], "10s")
        self.assertEqual(said["server"]["trusted_proxies"][:2], ["10.0.0.0/8", "192.168.0.0/16"])
        self.assertEqual(said["limits"], {"head_timeout": "10s", "body_timeout": "5s", "idle_timeout": "2m", "send_timeout": "30s"})
        self.assertEqual(said["log"], {"level": "warn", "format": "json"})
        self.assertEqual(said["route"], [{"path": "/metrics", "handler": "leat:metrics"}])

    def test_caddy_handles(self):
        said, out = self.caddy("""http://:8080, http://:8081 {
	@api path /api/* /v2
	@write {
		method POST PUT
		path /write/*
	}
	@odd header X-Y z
	header X-All 1
	request_body {
		max_size 1MB
	}
	handle /status* {
		header X-Own "{remote_host} {header.X-A}"
		metrics
	}
	handle_path /files/* {
		root * /srv
		file_server
	}
	handle @write {
		reverse_proxy 127.0.0.1:9000
	}
	handle @odd {
		respond "x"
	}
	reverse_proxy @api 127.0.0.1:9001
	file_server
}
""", ("serves no files", "serves no files", "passes no requests on", "passes no requests on", "serves no files",
     "what both it and /api/{rest...} (line 26) and /v2 (line 26) are for"))
        self.assertEqual(said["server"]["listen"], ["*:8080", "*:8081"])
        body = {"body_limit": "1MB"}
        self.assertEqual([{key: value for key, value in route.items() if key != "middleware"} for route in said["route"]], [
            {"prefix": "/status", "handler": "leat:metrics"} | body, OPEN | {"path": "/files/{rest...}"} | body,
            {"path": "/write/{rest...}", "methods": ["POST", "PUT"], "answer": {"status": 503}} | body,
            {"prefix": "/", "method": "*", "when": {"header": ["X-Y: z"]}, "answer": {"status": 200, "body": "x"}} | body,
            OPEN | {"path": "/api/{rest...}"} | body, OPEN | {"path": "/v2"} | body, OPEN | {"prefix": "/"} | body])
        self.assertIn("a handler sees the whole path", out)
        self.assertIn({"kind": "headers", "answer_set": ["X-All: 1"]}, said["middleware"])

    def test_caddy_answers(self):
        said, _ = self.caddy("""http://example.org, http://*.example.net {
	redir /a /b permanent
	redir /c https://other.example{uri}
	redir /d /e?{query} 308
	redir /f /g html
	respond /h "hello" 201
	respond /i 404
	respond /j "{remote_host}"
	respond /k 410 {
		body gone
		close
	}
	rewrite /l /m
	respond "else"
}
http://:8080 {
	redir https://example.org{uri}
}
http://elsewhere.example {
	redir https://{host}{uri}
}
""", ("has the status", "always the same", "redirect_to_https", "/i 404 -- it is for those that differ in capitals", "/k 410"))
        routes = {route.get("path", route.get("prefix")): route for route in said["host"][0]["route"]}
        self.assertEqual(said["host"][0]["names"], ["example.org", "*.example.net"])
        for path, want in {"/a": {"redirect": "/b", "status": 301}, "/c": {"redirect": "https://other.example{path}{query}", "status": 302},
                           "/d": {"redirect": "/e{query}", "status": 308}, "/h": {"answer": {"status": 201, "body": "hello"}},
                           "/i": {"answer": {"status": 404}}, "/k": {"answer": {"status": 410, "body": "gone"}}, "/l": {"rewrite": "/m"},
                           "/": {"answer": {"status": 200, "body": "else"}}}.items():
            self.assertEqual({key: value for key, value in routes.pop(path).items() if key not in ("path", "prefix", "method")}, want, path)
        self.assertEqual(routes, {})
        self.assertEqual(said["host"][0]["listeners"], ["*:80"])
        self.assertEqual(said["host"][1], {"listeners": ["*:8080"], "route": [
            {"prefix": "/", "method": "*", "redirect": "https://example.org{path}{query}", "status": 302}]})
        self.assertEqual(said["server"]["listen"], ["*:80", "*:8080"])

    def test_caddy_without_braces(self):
        said, _ = self.caddy(":8080\nheader {\n\t-Server\n\t-X-E\n\t+X-A b\n\tX-C \"d e\"\n\t?X-D e\n}\nmetrics /m\n", ("nothing like it",))
        self.assertEqual(said["middleware"], [{"kind": "headers", "answer_set": ["X-C: d e"], "answer_add": ["X-A: b"], "answer_remove": ["X-E"]}])
        self.assertEqual(said["server"], {"listen": ["*:8080"], "name": ""})
        self.assertEqual(said["route"], [{"path": "/m", "handler": "leat:metrics"}])

    def test_caddy_tls(self):
        one, two = self.certificate("a.example"), self.certificate("b.example")
        said, _ = self.caddy(f"""a.example, http://a.example {{
	tls {one[0]} {one[1]}
	respond /a 403
}}
b.example:8443 {{
	tls {two[0]} {two[1]} {{
		protocols tls1.3
	}}
	respond /b 403
}}
:8080 {{
	respond /inside 403
}}
c.example {{
	tls someone@example.org
	respond /c 403
}}
""", ("defaults suit most", "names the certificate", "names the certificate"))
        self.assertEqual(said["listener"], [{"address": "*:443", "tls": True}, {"address": "*:8443", "tls": True}])
        self.assertEqual(said["server"]["listen"], ["*:80", "*:8080"])
        self.assertEqual(said["tls"], [{"certificate": one[0], "key": one[1], "names": ["a.example"]},
                                       {"certificate": two[0], "key": two[1], "names": ["b.example"]}])
        # What is not for those who come by TLS is not theirs here either.
        self.assertEqual([(host.get("names"), host.get("listeners")) for host in said["host"]],
                         [(["a.example"], ["*:443", "*:80"]), (["b.example"], ["*:8443"]), (None, ["*:8080"]), (["c.example"], ["*:443"])])

    def test_caddy_what_is_left_is_told(self):
        self.caddy("""(snippet) {
	header X-A b
}
example.org {
	import snippet
	tls internal
	encode_nothing
	handle_errors {
		rewrite * /none.html
	}
	@not not path /a
	respond @not "x"
	log {
		output net localhost:1
	}
	reverse_proxy localhost:9000
}
""", ("snippets", "names the certificate", "not read", "names the certificate", "nothing like it", "error_pages", "absolute path", "tell requests apart",
      "passes no requests on"))

    def test_caddy_paths_with_stars(self):
        said, _ = self.caddy(""":8080 {
	@php path *.php /known
	respond @php 403
	respond /a/*/b 403
	respond /*/c/* 403
	respond /wp-*/x 403
	respond /what? 403
}
""", ("like *.php", "like /wp-*/x", "like /what?"))
        self.assertEqual([route["path"] for route in said["route"]], ["/known", "/a/{part1}/b", "/{part1}/c/{part2}"])

    def test_caddy_the_order_of_directives(self):
        # Not that of the file: `error` is before `respond`, and `redir` before all.
        said, _ = self.caddy(":8080 {\n\trespond \"all\"\n\terror 403\n\tredir / /home\n}\n")
        self.assertEqual([(route.get("path", route.get("prefix")), route.get("answer")) for route in said["route"]],
                         [("/", None), ("/", {"status": 403})])
        self.caddy(":8080 {\n\terror /a/* 403\n\tmetrics /a/m\n}\n", ("what both it and /a/m (line 3)",))
        self.caddy(":8080 {\n\t@in remote_ip 10.0.0.0/8\n\terror @in 403\n\tmetrics /m\n}\n", ("what both it and /m (line 4)",))
        # In a route it is.
        said, _ = self.caddy(":8080 {\n\troute {\n\t\trespond \"all\"\n\t\terror 403\n\t}\n}\n")
        self.assertEqual(said["route"][0]["answer"], {"status": 200, "body": "all"})

    def test_caddy_what_stands_beside_no_answer(self):
        for block in ("route /safe/*", "handle /safe/*"):
            self.caddy(f":8080 {{\n\t{block} {{\n\t\tbasic_auth {{\n\t\t\tada {BCRYPT}\n\t\t}}\n\t}}\n\trespond \"all\"\n}}\n",
                       ("nothing in it answers",))
        self.caddy(":8080 {\n\trequest_body /up {\n\t\tmax_size 1MB\n\t}\n\trespond \"all\"\n}\n", ("with the same matcher",))

    def test_caddy_methods_are_shared(self):
        said, _ = self.caddy(":8080 {\n\t@post method POST\n\trespond @post 403\n\trespond \"all\"\n}\n")
        first, second = said["route"]
        self.assertEqual((first["methods"], first["answer"]), (["POST"], {"status": 403}))
        self.assertIn("GET", second["methods"])
        self.assertNotIn("POST", second["methods"])
        self.caddy(":8080 {\n\t@odd method ODD\n\trespond @odd 403\n\trespond \"all\"\n}\n", ("there is no method ODD",))

    def test_caddy_a_site_is_kept_to_its_addresses(self):
        said, _ = self.caddy(""":8080 {
	respond "public"
}
:8081 {
	metrics /m
}
http://a.example:8080, http://a.example:8081 {
	respond "both"
}
http://a.example:8080, http://a.example:8081 {
	respond "again"
}
""", ("another site has its names",))
        self.assertNotIn("route", said)
        self.assertEqual([(host.get("names"), host.get("listeners")) for host in said["host"]],
                         [(None, ["*:8080"]), (None, ["*:8081"]), (["a.example"], None)])

    def test_caddy_matchers(self):
        said, _ = self.caddy(""":8080 {
	@two {
		path /a
		header X-V 2
		header X-V 3
		query kind=new
		remote_ip 10.0.0.0/8 private_ranges
	}
	@there header X-A *
	@other {
		header X-A 1
		header X-B 1
	}
	@regexp path_regexp ^/x
	respond @two "two"
	respond @there "there"
	respond @other "other"
	respond @regexp "regexp"
	respond "all"
}
""", ("tell requests apart", "tell requests apart"))
        routes = [{key: value for key, value in route.items() if key != "method"} for route in said["route"]]
        clients = routes[0]["when"].pop("client")
        self.assertEqual(clients[:2], ["10.0.0.0/8", "192.168.0.0/16"])
        self.assertEqual(routes, [
            {"path": "/a", "when": {"header": ["X-V: 2", "X-V: 3"], "query": ["kind=new"]}, "answer": {"status": 200, "body": "two"}},
            {"prefix": "/", "when": {"header": ["X-A"]}, "answer": {"status": 200, "body": "there"}},
            {"prefix": "/", "answer": {"status": 200, "body": "all"}}])

    def test_caddy_errors_and_questions(self):
        (self.folder / "sorry.html").write_text("<p>Sorry")
        said, out = self.caddy(f""":8080 {{
	forward_auth 127.0.0.1:9091 {{
		uri /check
		copy_headers X-User X-Groups
		header_up X-A b
	}}
	handle_errors 404 5xx {{
		respond "{{err.status_code}} {{err.status_text}}"
	}}
	error /gone "it is gone" 410
	error /broken
	metrics /m
}}
:8081 {{
	root * {self.folder}
	forward_auth auth.example:9091
	handle_errors {{
		rewrite * /sorry.html
		file_server
	}}
	error /a 200
	metrics /n
}}
""", ("options of its own", "serves no files", "asks one address", "from 400 to 599"))
        own = [{key: value for key, value in each.items() if key not in ("name", "global")} for each in said["middleware"]]
        self.assertCountEqual(own, [
            {"kind": "forward_auth", "url": "http://127.0.0.1:9091", "path": "/check", "request_set": ["X-User", "X-Groups"]},
            {"kind": "error_pages", "pages": [{"status": ["404", "5xx"], "body": "{status} {reason}", "type": "text/plain; charset=utf-8"}]},
            {"kind": "error_pages", "pages": [{"file": f"{self.folder}/sorry.html"}]}])
        self.assertIn("Leat those that `forward` names", out)
        answers = {route["path"]: route.get("answer") for host in said["host"] for route in host["route"]}
        self.assertEqual(answers, {"/gone": {"status": 410}, "/broken": {"status": 500}, "/m": None, "/n": None})

    def test_caddy_words(self):
        said, _ = self.caddy(':8080 {\n\theader X-A `a "b`\n\theader X-B \\\n\t\t"c \\"d"\n\theader X-C <<END\n\te\n\tEND\n\tmetrics /m # why\n}\n')
        self.assertIn({"kind": "headers", "answer_set": ['X-A: a "b']}, said["middleware"])
        self.assertIn({"kind": "headers", "answer_set": ['X-B: c "d']}, said["middleware"])
        self.assertIn({"kind": "headers", "answer_set": ["X-C: e"]}, said["middleware"])

    # --- Files

    def test_the_file_is_new(self):
        output = self.folder / "new.toml"
        text = "server { listen 80; location = /a { stub_status; } }"
        self.assertEqual(self.migrate("nginx", text, "-o", output), (0, "", ""))
        self.assertIn('path = "/a"', output.read_text())
        output.write_text("# mine\n")
        status, _, errors = self.migrate("nginx", text, "-o", output)
        self.assertEqual(status, 1)
        self.assertIn("is there already", errors)
        self.assertEqual(output.read_text(), "# mine\n")

    def test_what_cannot_be_read(self):
        done = subprocess.run([LEAT, "migrate", "nginx", self.folder / "none"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn("none", done.stderr)
        self.assertEqual(subprocess.run([LEAT, "migrate", "apache", "x"], capture_output=True).returncode, 2)
        self.assertEqual(self.migrate("nginx", "a;" * (3 << 20))[0], 1)
        self.assertEqual(self.migrate("nginx", b"a\0b;")[0], 1)

    def test_what_is_malformed_is_told_with_its_line(self):
        deep = 40
        for kind, text, line, why in (
                ("nginx", "a;\nb {", 2, "`}` is missing"), ("nginx", "a;\nb\n", 2, "`;` is missing"), ("nginx", "a;\n}\n", 2, "closes no block"),
                ("nginx", "a 'b\n", 1, "does not end"), ("nginx", "\n;", 2, "without a directive"), ("nginx", "a ${b", 1, "does not end"),
                ("nginx", "a {\n" * deep, 33, "deep"), ("nginx", "a { b }", 1, "`;` is missing"), ("nginx", "{}", 1, "without a directive"),
                ("caddy", "a {\nb", 2, "`}` is missing"), ("caddy", "a {\n}\n}\n", 3, "closes no block"), ("caddy", 'a "b\n', 1, "does not end"),
                ("caddy", "a {\n" * deep, 34, "deep"), ("caddy", "a { b }\n", 1, "end its line"), ("caddy", "a <<X\nb\n", 1, "`X` is missing")):
            with self.subTest(kind=kind, text=text):
                status, out, errors = self.migrate(kind, text)
                self.assertEqual((status, out), (1, ""))
                self.assertRegex(errors, rf"{NAMES[kind]}:{line}: .*" + re.escape(why))

    def test_no_text_brings_it_down(self):
        pieces = ("server {", "location", "/", "listen", "{", "}", ";", "\n", "'", '"', "$", "${", "}", "#", "\\", "é", "\x1b", "\xff", "allow",
                  "limit_req zone=a", "header", "@x", "handle", "<<E", "`", ":80", ",", "metrics", "respond", "a" * 300)
        import random
        seed = random.randrange(1 << 32)
        source = random.Random(seed)
        for _ in range(150):
            text = " ".join(source.choice(pieces) for _ in range(source.randrange(1, 60))).encode("latin-1" if source.random() < 0.5 else "utf-8")
            for kind in NAMES:
                status, out, errors = self.migrate(kind, text)
                self.assertIn(status, (0, 1, 4), (seed, text, errors))
                self.assertNotRegex(errors, r"[\x00-\x09\x0b-\x1f\x7f]", (seed, text))
                if status != 1:
                    tomllib.loads(out)

    def test_many_of_everything_take_no_time_to_speak_of(self):
        locations = "".join(f"location /a{i} {{ stub_status; deny 10.{i % 256}.{i // 256}.1; }}\n" for i in range(5000))
        status, out, _ = self.migrate("nginx", "server { listen 80;\n" + locations + "}")
        self.assertEqual(status, 0)
        self.assertEqual(out.count("[[route]]"), 5000)
        self.assertEqual(self.migrate("caddy", "".join(f":{i} {{\n}}\n" for i in range(1, 4000)))[0], 0)

    def test_the_configuration_of_the_proxies_is_no_secret_to_it(self):
        for kind in NAMES:
            file = Path(__file__).resolve().parents[2] / "packaging/proxy" / NAMES[kind]
            done = subprocess.run([LEAT, "migrate", kind, file], capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, 4, done.stderr)
            self.check(done.stdout)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
