"""What WebSockets cost: CPU of an echo, memory of those that are idle, CPU of a message for many.

    bench/websocket_bench.py build/server/leat FOLDER_OF_BENCH_PLUGIN [SOCKETS]

One worker serves. CPU is that of all threads of the process that serves (schedstat), without the client's; memory is what it has more (PSS) than
before the sockets were opened. Each figure is the least of several runs.
"""

import base64
import json
import os
import re
import resource
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 5
CONFIGURATION = """
[server]
listen = "127.0.0.1:0"
workers = 1
admin_socket = "{folder}/admin"
supervise = false
[limits]
connections = 60000
connections_per_address = 60000
[websocket]
ping_interval = "0s"
compress = false
[[plugin]]
name = "bench"
file = "bench.so"
[[route]]
path = "/echo"
handler = "bench:echo"
[[route]]
path = "/room"
handler = "bench:room"
"""


class Server:
    def __init__(self, leat, plugins):
        self.folder = tempfile.TemporaryDirectory(prefix="leat-websocket-")
        file = Path(self.folder.name, "leat.toml")
        file.write_text(CONFIGURATION.format(folder=self.folder.name))
        self.process = subprocess.Popen([leat, "run", "-c", file, "--plugin-path", plugins], stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            if found := re.search(r"listening on 127.0.0.1:(\d+)", line):
                break
        else:
            sys.exit("it does not listen")
        self.port = int(found[1])

    def cpu_us(self):
        """Of all threads."""
        return sum(int(Path(task, "schedstat").read_text().split()[0])
                   for task in Path(f"/proc/{self.process.pid}/task").iterdir()) / 1000

    def memory(self):
        text = Path(f"/proc/{self.process.pid}/smaps_rollup").read_text()
        return int(re.search(r"^Pss: +(\d+)", text, re.M)[1]) * 1024

    def open(self, path):
        connection = socket.create_connection(("127.0.0.1", self.port))
        key = base64.b64encode(os.urandom(16)).decode()
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                           f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode())
        head = b""
        while b"\r\n\r\n" not in head:
            head += connection.recv(4096)
        assert head.startswith(b"HTTP/1.1 101 "), head
        return connection

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGINT)
        self.process.wait()
        self.folder.cleanup()


def frame(payload):
    """A masked text; the mask is zeros, which is one like any other."""
    size = struct.pack("!B", 0x80 | len(payload)) if len(payload) < 126 else struct.pack("!BH", 0x80 | 126, len(payload))
    return b"\x81" + size + b"\0\0\0\0" + payload


def receive(connection, size):
    while size:
        size -= len(connection.recv(min(size, 1 << 16)))


def echo(server, sockets=32, messages=500):
    """CPU of a message of 64 bytes and its answer, us: one on each connection at a time."""
    asked, answer = frame(b"x" * 64), 64 + 2
    connections = [server.open("/echo") for _ in range(sockets)]
    best = None
    for _ in range(ROUNDS):
        begin = server.cpu_us()
        for _ in range(messages):
            for connection in connections:
                connection.sendall(asked)
            for connection in connections:
                receive(connection, answer)
        cost = (server.cpu_us() - begin) / (sockets * messages)
        best = cost if best is None else min(best, cost)
    for connection in connections:
        connection.close()
    return best


def idle(server, sockets):
    """Bytes of one that is idle, after it has said something."""
    first = server.open("/echo")
    time.sleep(0.2)
    before = server.memory()
    connections = [server.open("/echo") for _ in range(sockets)]
    for connection in connections:
        connection.sendall(frame(b"hello"))
        receive(connection, 7)
    time.sleep(0.5)
    each = (server.memory() - before) / sockets
    for connection in (first, *connections):
        connection.close()
    return each


def broadcast(server, sockets):
    """CPU of one message of 1 KB to all, ms."""
    connections = [server.open("/room") for _ in range(sockets)]
    message = frame(b"b" * 1024)
    poll = select.epoll()
    by_number = {connection.fileno(): connection for connection in connections}
    for connection in connections:
        poll.register(connection, select.EPOLLIN)
    best = None
    for _ in range(ROUNDS):
        left = dict.fromkeys(by_number, 1024 + 4)
        begin = server.cpu_us()
        connections[0].sendall(message)
        while left:
            for number, _ in poll.poll(10):
                left[number] -= len(by_number[number].recv(left.get(number, 1)))
                if left[number] == 0:
                    del left[number]
        cost = (server.cpu_us() - begin) / 1000
        best = cost if best is None else min(best, cost)
    for connection in connections:
        connection.close()
    return best


def main():
    leat, plugins = sys.argv[1:3]
    sockets = int(sys.argv[3]) if len(sys.argv) > 3 else 10_000
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    rows = {}
    for name, measure in (("echo_64_cpu_us", lambda server: echo(server)),
                          ("idle_bytes", lambda server: idle(server, sockets)),
                          ("broadcast_1k_cpu_ms", lambda server: broadcast(server, sockets))):
        with Server(leat, plugins) as server:
            rows[name] = round(measure(server), 3)
    print(json.dumps({"sockets": sockets, **rows}))


main()
