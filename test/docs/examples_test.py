#!/usr/bin/env python3
"""Serves each plugin of docs/examples with the real daemon, as its configuration says, and asks it.

    examples_test.py LEAT FOLDER_OF_PLUGINS
"""

import http.client
import http.server
import json
import signal
import socket
import socketserver
import sys
import threading
import unittest
import zlib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from served import PATIENCE_S, ServedCase  # noqa: E402

LEAT, PLUGINS = (Path(argument).resolve() for argument in sys.argv[1:3])
EXAMPLES = Path(__file__).resolve().parents[2] / "docs/examples"


class Connection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path):
        super().__init__("localhost", timeout=PATIENCE_S)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Example(ServedCase):
    def serve(self, name, **environment):
        """Until the test ends; then it must end by itself, threads of plugins and all."""
        self.socket = f"{self.temporary()}/socket"
        self.start(LEAT, "-c", EXAMPLES / name / f"{name}.toml", "--plugin-path", PLUGINS,
                   "--listen", f"unix:{self.socket}", "--workers", "2", **environment)

    def ask(self, method, target, body=None, **options):
        """(status, fields, body)"""
        return self.ask_on(Connection(self.socket), method, target, body, **options)

    def json(self, method, target, body=None, **options):
        """(status, the JSON of the answer, None without one)"""
        status, _, text = self.ask(method, target, body, **options)
        return status, json.loads(text) if text else None

    def test_hello(self):
        self.serve("hello")
        self.assertEqual(self.ask("GET", "/")[2], b"Hello, World!\n")
        self.assertEqual(self.json("GET", "/Ada%20L%22"), (200, {"hello": 'Ada L"'}))

    def guarded(self, name, body):
        """Middleware that asks for a key and changes a text, before and after a reload."""
        for target in ("/World", "/no/where"):
            status, fields, _ = self.ask("GET", target)
            self.assertEqual((status, fields["X-Guarded-By"]), (401, name))
        key = {"X-API-Key": "sesame"}
        status, fields, text = self.ask("GET", "/World", headers=key)
        self.assertEqual((status, fields["X-Guarded-By"], text), (200, name, body))
        self.assertEqual(self.ask("HEAD", "/World", headers=key)[2], b"")
        self.assertEqual(self.ask("GET", "/no/where", headers=key)[0], 404)
        self.daemon.send_signal(signal.SIGHUP)
        self.wait_until(lambda: "generation 2 serves" in self.log.read_text())
        self.assertEqual(self.ask("GET", "/World", headers=key)[2], body)
        self.assertEqual(self.ask("GET", "/World")[0], 401)

    def test_guard(self):
        self.serve("guard")
        self.guarded("guard", b'{"hello":"reader"}')
        for _ in range(2):
            status, fields, text = self.ask("GET", "/cached/World", headers={"X-API-Key": "sesame"})
            self.assertEqual((status, fields["X-Guarded-By"], text), (200, "guard", b'{"hello":"reader"}'))
        self.assertEqual(self.ask("GET", "/cached/World")[0], 401)

    def test_gate(self):
        self.serve("gate")
        self.guarded("gate", b'{"HELLO":"WORLD"}')

    def test_login(self):
        self.serve("login")
        self.assertEqual(self.ask("GET", "/me")[0], 401)
        wrong = json.dumps({"name": "alice", "password": "open"})
        self.assertEqual(self.ask("POST", "/login", wrong)[0], 403)
        status, fields, _ = self.ask("POST", "/login", json.dumps({"name": "alice", "password": "sesame"}))
        self.assertEqual(status, 204)
        cookie = {"Cookie": fields["Set-Cookie"].split(";")[0]}
        self.assertEqual(self.json("GET", "/me", headers=cookie), (200, {"user": "alice"}))
        status, fields, _ = self.ask("POST", "/logout", headers=cookie)
        self.assertEqual(status, 204)
        self.assertTrue(fields["Set-Cookie"].startswith("session=; "), fields["Set-Cookie"])

    def test_orders(self):
        self.serve("orders")
        line = {"item": "millet", "count": 3, "price": 250}
        order = {"lines": [line, {"price": 1, "count": 2}], "customer": "Ada", "note": [None]}
        self.assertEqual(self.json("POST", "/orders", json.dumps(order)), (200, {"customer": "Ada", "cents": 752}))
        express = json.dumps({**order, "express": True})
        self.assertEqual(self.json("POST", "/orders", express), (200, {"customer": "Ada", "cents": 1252}))
        for change, pointer, detail in (({"customer": ""}, "/customer", "must not be empty"),
                                        ({"lines": [line, {"count": 1}]}, "/lines/1/price", "is missing"),
                                        ({"lines": [{**line, "count": 0}]}, "/lines/0/count", "from 1 to 1000"),
                                        ({"express": 1}, "/express", "must be true or false")):
            status, problem = self.json("POST", "/orders", json.dumps({**order, **change}))
            self.assertEqual((status, problem["pointer"]), (400, pointer))
            self.assertIn(detail, problem["detail"])
        self.assertEqual(self.json("POST", "/orders", "{")[1]["offset"], 1)
        self.assertEqual(self.json("POST", "/orders", express, headers={"Content-Type": "text/csv"})[0], 415)

    def test_crud(self):
        self.serve("crud")
        millet = {"id": 1, "title": "buy 5 millet\n2 0 1 x", "done": False}  # looks like what is handed over
        status, fields, text = self.ask("POST", "/items", json.dumps({"title": millet["title"]}))
        self.assertEqual((status, fields["Location"], json.loads(text)), (201, "/items/1", millet))
        self.assertEqual(self.json("POST", "/items", '{"title": "grind it", "done": true}')[0], 201)
        grind = {"id": 2, "title": "grind it", "done": True}
        self.assertEqual(self.json("GET", "/items"), (200, [millet, grind]))
        self.assertEqual(self.json("GET", "/items?done=no"), (200, [millet]))
        self.assertEqual(self.json("GET", "/items?limit=1"), (200, [millet]))
        millet["done"] = True
        self.assertEqual(self.json("PUT", "/items/1", json.dumps(millet)), (200, millet))
        self.assertEqual(self.json("GET", "/items/1"), (200, millet))
        self.assertEqual(self.json("DELETE", "/items/2"), (204, None))
        for method, body in ("GET", None), ("PUT", '{"title": "x"}'), ("DELETE", None):
            self.assertEqual(self.json(method, "/items/2", body)[0], 404)
        for body in ("", "{", "[]", "{}", '{"title": 1}', '{"title": ""}', json.dumps({"title": "x" * 201}),
                     '{"title": "x", "done": 1}'):
            self.assertEqual(self.json("POST", "/items", body)[0], 400, body)

        self.daemon.send_signal(signal.SIGHUP)
        self.wait_until(lambda: "generation 2 serves" in self.log.read_text())
        self.assertEqual(self.json("GET", "/items"), (200, [millet]))
        self.assertEqual(self.json("POST", "/items", '{"title": "bake"}')[1]["id"], 3)
        self.assertEqual(self.json("POST", "/items", '{"title": "eat"}')[0], 201)
        self.assertEqual(self.json("POST", "/items", '{"title": "more"}')[0], 507)

    def test_upload(self):
        self.serve("upload")
        body = bytes(range(256)) * 4000

        def answer(text):
            return 200, {"bytes": len(text), "crc32": f"{zlib.crc32(text):08x}"}

        self.assertEqual(self.json("POST", "/upload", body), answer(body))
        self.assertEqual(self.json("PUT", "/upload", b""), answer(b""))
        pieces = (body[at:at + 70_000] for at in range(0, len(body), 70_000))
        self.assertEqual(self.json("POST", "/upload", pieces, encode_chunked=True,
                                   headers={"Transfer-Encoding": "chunked"}), answer(body))
        connection = Connection(self.socket)
        self.addCleanup(connection.close)
        connection.putrequest("POST", "/upload")
        connection.putheader("Content-Length", "10000001")
        connection.endheaders()
        self.assertEqual(connection.getresponse().status, 413)

        metrics = self.ask("GET", "/metrics")[2].decode().splitlines()
        for line in (f'upload_bytes_total{{plugin="upload"}} {2 * len(body)}',
                     'upload_size_bytes_bucket{plugin="upload",le="1000"} 1',
                     'upload_size_bytes_count{plugin="upload"} 3'):
            self.assertIn(line, metrics)

    def upstream(self, answers):
        """A server on a unix socket: the answer to each target, or none ever where it has no entry. Its address."""
        path = f"{self.temporary()}/socket"
        never = threading.Event()
        self.addCleanup(never.set)

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                if self.path not in answers:
                    never.wait(PATIENCE_S)
                    return
                status, body = answers[self.path]
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
            daemon_threads = True

            def get_request(self):
                return super().get_request()[0], ("unix", 0)

        server = Server(path, Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return f"unix:{path}"

    def test_aggregate(self):
        users = {"/users/1": (200, b'{"name":"Ada"}'), "/users/2": (200, b'{"name":"Bo"}'), "/users/3": (404, b"{}"),
                 "/users/4": (500, b"{}"), "/users/5": (200, b"{}")}
        orders = {"/orders?user=1": (200, b"[1,2]"), "/orders?user=3": (200, b"[]"), "/orders?user=4": (200, b"[]"),
                  "/orders?user=5": (500, b"{}")}
        self.serve("aggregate", USERS_URL=self.upstream(users), ORDERS_URL=self.upstream(orders))
        for _ in range(3):
            self.assertEqual(self.json("GET", "/overview/1"), (200, {"user": {"name": "Ada"}, "orders": [1, 2]}))
        self.assertEqual(self.json("GET", "/overview/2"), (200, {"user": {"name": "Bo"}, "orders": None}))
        self.assertEqual(self.json("GET", "/overview/3")[0], 404)
        self.assertEqual(self.json("GET", "/overview/4")[0], 502)
        self.assertEqual(self.json("GET", "/overview/5"), (200, {"user": {}, "orders": None}))
        self.assertEqual(self.json("GET", "/overview/x")[0], 400)

    def test_scheduled(self):
        self.serve("scheduled")
        self.wait_until(lambda: self.json("GET", "/load")[1]["runs"] >= 3)
        self.daemon.send_signal(signal.SIGHUP)  # joins the thread of the first, and begins another
        self.wait_until(lambda: "generation 1 has ended" in self.log.read_text())
        self.wait_until(lambda: self.json("GET", "/load")[1]["runs"] >= 3)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
