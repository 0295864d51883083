#!/usr/bin/env python3
"""Requests under way while Leat is restarted, upgraded and reloaded: none is lost, whether its client talks to Leat itself or to
nginx, HAProxy or Caddy in front of it.

    nothing_lost_test.py LEAT FOLDER_OF_TEST_PLUGINS

Restarted as by a service manager that holds the listening socket. The long form: LEAT_ROUNDS=200, of each kind.
"""

import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

from proxies import ProxyCase, free_port, main, snippet

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from service import Service  # noqa: E402

LEAT, PLUGINS = (os.path.abspath(argument) for argument in sys.argv[1:3])
ROUNDS = int(os.environ.get("LEAT_ROUNDS", "4"))
CLIENTS = 3  # of each way to Leat, each with a connection that it keeps
PAUSE_S = 0.004  # between two requests of one


class Client(threading.Thread):
    """Asks until it is told to end. It leaves a connection when it is told to, and tries nothing twice."""

    REQUEST = b"GET /who HTTP/1.1\r\nHost: site.example\r\n\r\n"

    def __init__(self, way, port, over):
        super().__init__()
        self.way, self.port, self.over = way, port, over
        self.answered = 0
        self.lost = []
        self.connection = self.stream = None

    def run(self):
        while not self.over.is_set():
            try:
                if self.connection is None:
                    self.connection = socket.create_connection(("127.0.0.1", self.port), 60)
                    self.stream = self.connection.makefile("rb")
                self.connection.sendall(self.REQUEST)
                if not self.take_answer():
                    self.leave()
                self.answered += 1
            except (OSError, ValueError) as why:
                self.lost.append(f"{self.way}, after {self.answered}: {why!r}")
                self.leave()
            time.sleep(PAUSE_S)
        self.leave()

    def take_answer(self):
        """False where it was the connection's last."""
        line = self.stream.readline()
        if not line.startswith(b"HTTP/1.1 200 "):
            raise ValueError(f"in place of an answer: {line!r}")
        fields = {}
        while field := self.stream.readline().strip():
            name, value = field.decode().lower().split(":", 1)
            fields[name] = value.strip()
        if "content-length" in fields:
            whole = len(self.stream.read(int(fields["content-length"]))) == int(fields["content-length"])
        else:
            while size := int(self.stream.readline(), 16):
                self.stream.read(size + 2)
            whole = self.stream.readline() == b"\r\n"
        if not whole:
            raise ValueError("half an answer")
        return fields.get("connection") != "close"

    def leave(self):
        if self.connection is not None:
            self.stream.close()
            self.connection.close()
        self.connection = self.stream = None


class NothingLost(ProxyCase):
    def setUp(self):
        super().setUp()
        self.service = Service(self.folder, [LEAT, "run", "-c", f"{self.folder}/leat.toml", "--workers", "2"])
        self.configure(0)
        self.programs.enter_context(self.service)
        ways = {"directly": self.service.port}
        leat = f"127.0.0.1:{self.service.port}"
        for name, start, file, web in (("nginx", self.nginx_http, "nginx.conf", "127.0.0.1:{}"),
                                       ("HAProxy", self.haproxy, "haproxy.cfg", "127.0.0.1:{}"),
                                       ("Caddy", self.caddy, "Caddyfile", ":{}")):
            ways[name] = free_port()
            start(snippet(file, leat=leat, web=web.format(ways[name])), ways[name])
        self.over = threading.Event()
        self.addCleanup(self.over.set)
        self.clients = [Client(way, port, self.over) for way, port in ways.items() for _ in range(CLIENTS)]
        for client in self.clients:
            client.start()

    def configure(self, number):
        """Each differs from the one before in routes, and by what is logged."""
        self.file("next", f"""
[server]
listen = ["127.0.0.1:{self.service.port}"]
trusted_proxies = ["127.0.0.1"]
admin_socket = "{self.folder}/admin"
[[plugin]]
name = "who"
file = "{PLUGINS}/who.so"
[[route]]
path = "/who"
handler = "who:who"
[[route]]
path = "/number/{number}"
handler = "who:who"
""")
        os.rename(f"{self.folder}/next", f"{self.folder}/leat.toml")

    def command(self, name):
        done = subprocess.run([LEAT, name, "-c", f"{self.folder}/leat.toml"], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr + self.log())

    def log(self):
        return "\n" + self.service.log.read_text(errors="replace")[-4000:]

    def end(self, what):
        """All have had answers after the last round as well, and nobody has lost one."""
        before = [client.answered for client in self.clients]
        time.sleep(0.3)
        self.over.set()
        for client in self.clients:
            client.join()
        for client, so_far in zip(self.clients, before):
            self.assertGreater(client.answered, so_far, client.way)
        lost = [line for client in self.clients for line in client.lost]
        self.assertEqual(lost, [], self.log())
        by_way = {}
        for client in self.clients:
            by_way[client.way] = by_way.get(client.way, 0) + client.answered
        print(f"{ROUNDS} {what}: answered {by_way}, lost none", file=sys.stderr)

    def test_restarts(self):
        for _ in range(ROUNDS):
            self.service.restart()
        self.end("restarts")

    def test_upgrades(self):
        for _ in range(ROUNDS):
            replaced = self.service.main
            self.command("upgrade")
            self.service.await_end(replaced)
            self.service.hear()
            self.assertNotEqual(self.service.main, replaced)
        self.end("upgrades")

    def test_reloads(self):
        for number in range(1, ROUNDS + 1):
            self.configure(number)
            self.command("reload")
            self.service.hear()
        self.end("reloads")


if __name__ == "__main__":
    main(sys.argv[:1])
