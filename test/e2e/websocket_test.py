#!/usr/bin/env python3
"""WebSockets at the real daemon, with python3-websockets for the client, over both engines, by HTTP/1.1 and by HTTP/2.

    websocket_test.py LEAT PLUGINS OBSERVING

PLUGINS is the folder of the tests' plugins, OBSERVING that of daemon.py.
"""

import asyncio
import base64
import json
import os
import re
import signal
import socket
import subprocess
import sys
import unittest

import websockets

LEAT, PLUGINS, OBSERVING = sys.argv[1:4]
sys.path.insert(0, OBSERVING)
from daemon import PATIENCE, Daemon  # noqa: E402
from http2_bridge import Bridge  # noqa: E402

CONFIGURATION = """
[server]
listen = "127.0.0.1:0"
admin_socket = "{folder}/admin"
workers = 2
engine = "{engine}"
drain_timeout = "20s"
[websocket]
message_size = "256KiB"
drain_spread = "100ms"
{more}
[[plugin]]
name = "sockets"
file = "sockets.so"
[[middleware]]
kind = "access_log"
file = "{folder}/access"
format = "{{method}} {{target}} {{status}} {{complete}} {{bytes_in}} {{bytes_out}} {{reason}}"
""" + "".join(f'[[route]]\nmethods = ["GET"]\npath = "/{name}"\nhandler = "sockets:{name}"\n'
              for name in ("echo", "guarded", "flood", "small", "talk", "told"))


class Served(unittest.TestCase):
    engines = ("io_uring", "epoll")
    agreed = "101"

    def on_each_engine(self, check, more=""):
        for engine in self.engines:
            with self.subTest(engine=engine), Daemon(LEAT, PLUGINS, CONFIGURATION, engine=engine, more=more) as daemon:
                self.run_at(daemon, check)

    def run_at(self, daemon, check):
        daemon.sockets = daemon.address
        asyncio.run(asyncio.wait_for(check(daemon, daemon.address.replace("http", "ws", 1)), PATIENCE))

    async def lines(self, daemon, count):
        """Those of the access log that are about sockets."""
        path = daemon.folder / "access"
        while True:
            lines = [line for line in path.read_text().splitlines() if "/told" not in line] if path.exists() else []
            if len(lines) >= count:
                return lines
            await asyncio.sleep(0.01)

    def told(self, daemon):
        return json.loads(subprocess.check_output(["curl", "-s", daemon.address + "/told"]))

    def metrics(self, daemon):
        text = subprocess.check_output([LEAT, "metrics", "-c", str(daemon.folder / "leat.toml")], text=True)
        return dict(re.findall(r"^(leat_websocket\S+) (\S+)$", text, re.M))

    def test_messages_go_both_ways(self):
        async def check(daemon, address):
            async with websockets.connect(address + "/echo", subprotocols=["echo.v1"]) as client:
                self.assertEqual(client.subprotocol, "echo.v1")
                for message in ("", "hi", "grüße", "x" * 125, "x" * 126, "x" * 65536, "y" * 262144, b"", b"\x00\xff" * 1000):
                    await client.send(message)
                    self.assertEqual(await client.recv(), message)
                await client.send(["frag", "men", "ts"])
                self.assertEqual(await client.recv(), "fragments")
                pong = await client.ping(b"there?")
                await pong
            self.assertEqual(self.told(daemon), {"opened": 1, "closed": 1, "code": 1000, "talks": 0})
            async with websockets.connect(address + "/echo", compression=None) as client:
                for _ in range(100):
                    await client.send("plain")
                for _ in range(100):
                    self.assertEqual(await client.recv(), "plain")
        self.on_each_engine(check)

    def test_a_coroutine_talks(self):
        async def check(daemon, address):
            async with websockets.connect(address + "/talk", max_size=None) as client:
                self.assertEqual(await client.recv(), "hello")
                for word, answer in (("a", "a"), ("sleep", "sleep"), ("thread", "42")):
                    await client.send(word)
                    self.assertEqual(await client.recv(), answer)
                await client.send("flood")
                for _ in range(20):
                    self.assertEqual(len(await client.recv()), 100_000)
                self.assertEqual(await client.recv(), "flood")
                await client.send("return")
                await client.wait_closed()
                self.assertEqual(client.close_code, 1000)
        self.on_each_engine(check)

    def test_who_does_not_read_is_waited_for(self):
        async def check(daemon, address):
            async with websockets.connect(address + "/flood", max_size=None, compression=None, max_queue=1) as client:
                size = 0
                while (message := await client.recv()) != "done":
                    size += len(message)
                self.assertGreater(size, 500_000)
        self.on_each_engine(check)

    def test_what_is_wrong_is_told(self):
        async def check(daemon, address):
            async with websockets.connect(address + "/echo", compression=None) as client:
                await client.send("x" * 262145)
                await client.wait_closed()
                self.assertEqual(client.close_code, 1009)
            async with websockets.connect(address + "/echo") as client:
                await client.send("throw")
                await client.wait_closed()
                self.assertEqual(client.close_code, 1011)
            for path, status in (("/guarded", b"401"), ("/guarded?token=sesame", b"101"), ("/nowhere", b"404")):
                self.assertIn(b" " + status + b" ", self.shake_hands(daemon, path)[0])
            answer = subprocess.check_output(["curl", "-si", daemon.address + "/echo"])
            self.assertIn(b" 426 ", answer)
        self.on_each_engine(check)

    def shake_hands(self, daemon, path):
        """(head, socket) of a handshake without any library."""
        host, port = daemon.sockets.removeprefix("http://").split(":")
        connection = socket.create_connection((host, int(port)), PATIENCE)
        self.addCleanup(connection.close)
        key = base64.b64encode(os.urandom(16)).decode()
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                           f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode())
        head = b""
        while b"\r\n\r\n" not in head:
            head += connection.recv(1)
        return head, connection

    def test_its_end_is_in_the_log_and_counted(self):
        async def check(daemon, address):
            async with websockets.connect(address + "/echo", compression=None) as client:
                await client.send("four")
                await client.recv()
                self.assertEqual(self.metrics(daemon)["leat_websockets_open"], "1")
            head, connection = self.shake_hands(daemon, "/echo?reset")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            connection.close()
            head, connection = self.shake_hands(daemon, "/echo?wrong")
            connection.sendall(b"\xf1\x80\0\0\0\0")
            self.assertEqual(connection.recv(4)[2:], b"\x03\xea")  # 1002
            connection.close()
            lines = sorted(await self.lines(daemon, 3))  # each worker's come in order
            self.assertRegex(lines[0], rf"^GET /echo {self.agreed} true \d+ 10 -$")
            self.assertRegex(lines[1], r"^GET /echo\?reset 499 false \d+ 0 The client left without closing")
            self.assertRegex(lines[2], r"^GET /echo\?wrong 400 false \d+ \d+ The WebSocket was closed with 1002")
            metrics = self.metrics(daemon)
            self.assertEqual(metrics["leat_websockets_opened_total"], "3")
            self.assertEqual(metrics["leat_websockets_open"], "0")
            for code in ("1000", "1002", "1006"):
                self.assertEqual(metrics[f'leat_websockets_closed_total{{code="{code}"}}'], "1", code)
            for direction in ("in", "out"):
                self.assertEqual(metrics[f'leat_websocket_messages_total{{direction="{direction}"}}'], "1")
                self.assertEqual(metrics[f'leat_websocket_bytes_total{{direction="{direction}"}}'], "4")
        self.on_each_engine(check)

    def test_a_reload_tells_that_the_server_goes(self):
        async def check(daemon, address):
            async with websockets.connect(address + "/echo") as old, websockets.connect(address + "/talk") as talk:
                await talk.recv()
                reload = await asyncio.create_subprocess_exec(LEAT, "reload", "-c", str(daemon.folder / "leat.toml"))
                self.assertEqual(await reload.wait(), 0)
                await old.wait_closed()
                await talk.wait_closed()
                self.assertEqual((old.close_code, talk.close_code), (1001, 1001))
            async with websockets.connect(address + "/echo") as new:
                await new.send("new")
                self.assertEqual(await new.recv(), "new")
        self.on_each_engine(check)

    def test_the_end_tells_that_the_server_goes(self):
        async def check(daemon, address):
            async with websockets.connect(address + "/echo") as client:
                daemon.process.send_signal(signal.SIGTERM)
                await client.wait_closed()
                self.assertEqual(client.close_code, 1001)
        self.on_each_engine(check)

    def test_a_reload_takes_up_the_limits(self):
        async def check(daemon, address):
            path = daemon.folder / "leat.toml"
            path.write_text(path.read_text().replace('message_size = "256KiB"', 'message_size = "200B"'))
            reload = await asyncio.create_subprocess_exec(LEAT, "reload", "-c", str(path))
            self.assertEqual(await reload.wait(), 0)
            async with websockets.connect(address + "/echo", compression=None) as client:
                await client.send("x" * 200)
                self.assertEqual(await client.recv(), "x" * 200)
                await client.send("x" * 201)
                await client.wait_closed()
                self.assertEqual(client.close_code, 1009)
        self.on_each_engine(check)

    def test_a_silent_client_is_asked_and_then_left(self):
        async def check(daemon, address):
            head, silent = self.shake_hands(daemon, "/echo?silent")
            async with websockets.connect(address + "/echo") as client:  # which answers by itself
                self.assertEqual(silent.recv(2), b"\x89\x00")
                lines = await self.lines(daemon, 1)
                self.assertIn("did not answer a ping", lines[0])
                await client.send("still here")
                self.assertEqual(await client.recv(), "still here")
        self.on_each_engine(check, 'ping_interval = "100ms"\nping_timeout = "200ms"')


class ServedByHttp2(Served):
    """The same, all of them as streams of one connection."""
    agreed = "200"
    # Behind a GOAWAY python3-h2 takes nothing any more: test/e2e/http2_test.cc looks at that.
    test_the_end_tells_that_the_server_goes = None

    def run_at(self, daemon, check):
        with Bridge(daemon.address) as bridge:
            daemon.sockets = bridge.address
            asyncio.run(asyncio.wait_for(check(daemon, bridge.address.replace("http", "ws", 1)), PATIENCE))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
