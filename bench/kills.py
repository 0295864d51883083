#!/usr/bin/env python3
"""How soon Leat answers again after a SIGKILL: of the process that serves, of the supervisor that watches it, and of both.

    bench/kills.py [--times N] LEAT PLUGIN_FOLDER

The listening socket is held as by a service manager, which here starts the supervisor again at once: to RestartSec= of a unit
these times are to be added. Each time begins with the kill and ends with the answer to a client that connected after it.
"""

import argparse
import os
import signal
import socket
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "test/support"))
from service import Service  # noqa: E402

VICTIMS = {"serving process": ("serving",), "supervisor": ("main",), "both": ("main", "serving")}


def ask(port):
    """False where the connection was reset or closed."""
    try:
        with socket.create_connection(("127.0.0.1", port), 30) as connection:
            connection.sendall(b"GET /json HTTP/1.1\r\nHost: a\r\n\r\n")
            return connection.recv(4096).startswith(b"HTTP/1.1 200 ")
    except ConnectionError:
        return False


def kill(service, victims):
    """(milliseconds, connections lost) until there was an answer."""
    service.hear()
    processes = {"main": service.main, "serving": service.serving()}
    begun = time.monotonic()
    for victim in victims:
        os.kill(processes[victim], signal.SIGKILL)
    if "main" in victims:
        service.await_end(processes["main"])
        service.start()
    lost = 0
    while not ask(service.port):
        lost += 1
    took = (time.monotonic() - begun) * 1000
    if "main" in victims:
        service.ready()
    for victim in processes.values():
        if victim != service.main:
            service.await_end(victim)
    return took, lost


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("leat")
    parser.add_argument("plugins", help="the folder of demo.so")
    parser.add_argument("--times", type=int, default=50)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        service = Service(folder, [options.leat, "run", "-c", f"{folder}/leat.toml"])
        Path(folder, "leat.toml").write_text(f"""
[server]
listen = ["127.0.0.1:{service.port}"]
workers = 2
admin_socket = "{folder}/admin"
crash_limit = 1000
[[plugin]]
name = "demo"
file = "{os.path.abspath(options.plugins)}/demo.so"
[[route]]
path = "/json"
handler = "demo:json"
""")
        with service:
            print("| killed | times | median ms | worst ms | connections lost |\n|---|---|---|---|---|")
            for name, victims in VICTIMS.items():
                results = [kill(service, victims) for _ in range(options.times)]
                took = [ms for ms, _ in results]
                print(f"| {name} | {len(took)} | {statistics.median(took):.1f} | {max(took):.1f} | {sum(n for _, n in results)} |",
                      flush=True)


if __name__ == "__main__":
    main()
