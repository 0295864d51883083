#!/usr/bin/env python3
"""Compares Leat's HTTP/2 in the clear with nginx's, and with Leat's own HTTP/1.1, over loopback.

    ./dev bench --http2 [--quick] [--rounds N] [--seconds N] [--leat PROGRAM] [--json FILE]

Each server has one worker on core 0, h2load core 1. Rows are by how many requests a connection has at a time, of 32 connections; the figure to
compare is the server's CPU time per request. The servers take turns in every round, each time in another order, so that a noisy moment
does not fall on one of them alone; the least of the rounds is the one the noise touched least.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile

import servers

CONNECTIONS = 32
STREAMS = [1, 16, 100]


def start_leat(program):
    port = servers.free_port()
    return servers.Server("leat", [program, "run", "-c", servers.CONFIGURATION, "--workers", "1", "--plugin-path",
                                   servers.ROOT / "build-bench/bench", "--no-supervise", "--listen", f"127.0.0.1:{port}"], port)


def start_nginx(folder):
    """Of version 1.25.1 or later, which tells the two protocols apart by what comes first, as Leat does."""
    return servers.start_nginx(folder, locations=f"http2 on; location / {{ return 200 '{servers.BODY}'; }}")


def load(port, streams, seconds, http1):
    """How many requests were answered."""
    result = subprocess.run(["taskset", "-c", str(servers.CLIENT_CORE), "h2load", "-t1", f"--duration={seconds}",
                             f"-c{CONNECTIONS}", f"-m{streams}", *(["--h1"] if http1 else []),
                             f"http://127.0.0.1:{port}/json"], capture_output=True, text=True, check=False)
    found = re.search(r"(\d+) succeeded, (\d+) failed, (\d+) errored", result.stdout)
    if result.returncode == 0 and found and found[2] == found[3] == "0" and found[1] != "0":
        return int(found[1])
    raise SystemExit(f"h2load failed:\n{result.stdout}{result.stderr}")


def measure(server, streams, seconds, http1):
    before = server.cpu_seconds()
    answered = load(server.port, streams, seconds, http1)
    return {"cpu_us": (server.cpu_seconds() - before) * 1e6 / answered, "requests_per_second": answered / seconds}


def rows(leat, nginx):
    """(name, server, streams, HTTP/1.1)"""
    yield "h1", leat, 1, True
    for streams in STREAMS:
        yield f"h2c_m{streams}", leat, streams, False
        yield f"h2c_m{streams}", nginx, streams, False


def main():
    parser = argparse.ArgumentParser(prog="./dev bench --http2", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="two rounds of one second: a look, not a result")
    parser.add_argument("--rounds", type=int, help="default 5")
    parser.add_argument("--seconds", type=int, help="of each measurement, default 3")
    parser.add_argument("--leat", default=servers.ROOT / "build-bench/server/leat", help="the program to measure")
    parser.add_argument("--json", metavar="FILE", help="write every figure there")
    options = parser.parse_args()
    rounds = options.rounds or (2 if options.quick else 5)
    seconds = options.seconds or (1 if options.quick else 3)
    if not {servers.SERVER_CORE, servers.CLIENT_CORE} <= os.sched_getaffinity(0):
        raise SystemExit("the benchmark needs cores 0 and 1: one for the server, one for h2load")
    results = {}
    with tempfile.TemporaryDirectory() as folder, servers.running(
            lambda: start_leat(options.leat), lambda: start_nginx(folder)) as (leat, nginx):
        for number in range(rounds):
            each = list(rows(leat, nginx))
            for name, server, streams, http1 in each if number % 2 == 0 else reversed(each):
                results.setdefault(name, {}).setdefault(server.name, []).append(measure(server, streams, seconds, http1))
    print(f"{'':10}{'server':8}{'CPU us/request':>16}{'(median)':>10}{'requests/s':>13}{'x nginx':>9}")
    for name in sorted(results, key=lambda name: (name != "h1", len(name), name)):
        least = {server: min(one["cpu_us"] for one in each) for server, each in results[name].items()}
        for server, each in results[name].items():
            peer = f"{least[server] / least['nginx']:9.2f}" if "nginx" in least else ""
            print(f"{name:10}{server:8}{least[server]:16.3f}{statistics.median(one['cpu_us'] for one in each):10.3f}"
                  f"{statistics.median(one['requests_per_second'] for one in each):13,.0f}{peer}")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(results, file, indent=2)
    return 0


if __name__ == "__main__":
    sys.exit(main())
