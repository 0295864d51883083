#!/usr/bin/env python3
"""Runs the whole suite, writes its results and the page that shows them.

    ./dev bench --full [--quick] [--only PART]... [--page]

The parts: encoding, reading, requests, kinds (of middleware) and pools (programs of Google Benchmark), allocations (of requests, on the heap),
hit_rates (of the cache), waiting, http (beside the ceiling program that sends the same bytes), logs (a request with an access
log or marks, beside one without), eight (what a typical site does with a request, beside nginx), compress (packed answers,
beside nginx's gzip) and soak (resident memory over millions of requests).
A row or part that fails is reported and left out; the others are kept. The results go to
bench/results/final_benchmark_results.json, and docs/performance-analysis.md with its plots is made from that file
alone: --page makes it again without measuring, --only measures these parts again and keeps the others. --quick
takes a minute or two and prints the results in place of writing them.
"""

import argparse
import json
import os
import platform
import socket
import subprocess
import sys
import time
from pathlib import Path

import analysis_page
import compress_suite
import http_suite
import micro
import servers
import workloads

RESULTS = servers.ROOT / "bench/results/final_benchmark_results.json"
BUILD = servers.ROOT / "build-bench"
SOAK_TARGETS = ("/json", "/payload/p1", "/payload/p2", "/cached/payload/p4", "/plaintext", "/users/7", "/nowhere")


def program(name):
    """A part that is the rows of one program."""
    return lambda options: micro.run(name, 2 if options.quick else 7)


def programs(*names):
    """A part that is several programs with the same rows."""
    def measure(options):
        parts = {name: program(name)(options) for name in names}
        return {"programs": parts, "failures": [failure for part in parts.values() for failure in part["failures"]]}
    return measure


def measure_allocations(_):
    command = ["build-bench/bench/leat-allocation-count"]
    output = subprocess.run(command, cwd=servers.ROOT, capture_output=True, text=True, check=True).stdout
    return {"unit": "allocations a request", "command": command[0], "rows": json.loads(output)}


def measure_kinds(options):
    """Of each kind of middleware what a request costs behind it, and how often it asks the heap."""
    counts = subprocess.run(["build-bench/bench/leat-kind-allocation-count"], cwd=servers.ROOT, capture_output=True,
                            text=True, check=True).stdout
    return micro.run("leat-kind-bench", 2 if options.quick else 9) | {"allocations": json.loads(counts)}


def measure_hit_rates(_):
    output = subprocess.run([BUILD / "bench/leat-hit-rates"], capture_output=True, text=True, check=True).stdout
    rows = {}
    for row in json.loads(output):
        for cache in ("leat", "s3fifo", "tinylfu", "lru"):
            rows.setdefault(row["trace"], {}).setdefault(cache, []).append(row[cache])
    return {"unit": "%", "command": "build-bench/bench/leat-hit-rates",
            "rows": {trace: {cache: micro.spread(values) for cache, values in caches.items()}
                     for trace, caches in rows.items()}}


def ask_first(port, count):
    """So many requests of the mix, on as many connections as come later."""
    batch = "".join(f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n" for target in SOAK_TARGETS).encode()
    peers = [socket.create_connection(("127.0.0.1", port), timeout=5) for _ in range(workloads.CONNECTIONS)]
    asked = 0
    while asked < count:
        for peer in peers:
            peer.sendall(batch)
        for peer in peers:
            answers = 0
            while answers < len(SOAK_TARGETS):  # a body that comes later is read with the next batch
                answers += peer.recv(1 << 20).count(b"HTTP/1.1 ")
        asked += len(peers) * len(SOAK_TARGETS)
    for peer in peers:
        peer.close()
    return asked


def measure_soak(options):
    """Resident memory after 100,000 and after 10 million mixed requests."""
    most = 500_000 if options.quick else 10_000_000
    workload = workloads.Workload("soak", 2, (), targets=SOAK_TARGETS)
    marks = {}
    with servers.running(lambda: servers.start_leat(servers.SUITE)) as (leat,):
        asked = ask_first(leat.port, 100_000)
        while True:
            time.sleep(0.5)
            marks[asked] = leat.memory_kib()["rss"]
            if asked >= most:
                break
            asked += workloads.run_wrk(workload, leat.port, 1 if options.quick else 4).requests
    first, last = next(iter(marks.values())), list(marks.values())[-1]
    return {"requests": asked, "rss_kib": marks, "growth_percent": 100 * (last - first) / first}


PARTS = {
    "encoding": program("leat-encode-bench"),
    "reading": programs("leat-read-bench", "leat-read-bench-native"),
    "requests": program("leat-request-bench"),
    "kinds": measure_kinds,
    "pools": program("leat-pool-bench"),
    "allocations": measure_allocations,
    "hit_rates": measure_hit_rates,
    "waiting": http_suite.measure_waiting,
    "http": http_suite.measure,
    "logs": http_suite.measure_logs,
    "eight": http_suite.measure_eight,
    "compress": compress_suite.measure,
    "soak": measure_soak,
}


def first_line(command):
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.split("\n")[0].strip()


def commit():
    return first_line(["git", "-C", servers.ROOT, "rev-parse", "--short", "HEAD"])


def machine():
    cpu = next((line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                if line.startswith("model name")), platform.processor())
    packages = ["libsimdjson-dev", "libyyjson-dev", "rapidjson-dev", "libbenchmark-dev", "libmimalloc-dev", "wrk"]
    versions = subprocess.run(["dpkg-query", "-W", "-f", "${Package} ${Version}\n", *packages], capture_output=True,
                              text=True, check=False).stdout
    return {"cpu": cpu, "cores": os.cpu_count(), "kernel": platform.release(), "system": platform.system(),
            "compiler": first_line(["g++-14", "--version"]), "leat": first_line([BUILD / "server/leat", "version"]),
            "packages": dict(line.split(" ") for line in versions.splitlines()), "commit": commit(),
            "date": time.strftime("%Y-%m-%d", time.gmtime())}


def measure(name, options):
    print(f"{name} ...", file=sys.stderr)
    begun = time.monotonic()
    try:
        result = PARTS[name](options)
    except (SystemExit, OSError, subprocess.SubprocessError, ValueError, LookupError, ArithmeticError) as problem:
        print(f"{name}: {problem}", file=sys.stderr)
        return {"failed": str(problem) or type(problem).__name__}
    for failure in result.get("failures", ()):
        print(f"{name}: {failure}", file=sys.stderr)
    print(f"{name}: {time.monotonic() - begun:.0f} s", file=sys.stderr)
    return {"commit": commit(), "took_seconds": round(time.monotonic() - begun), **result}


def main():
    parser = argparse.ArgumentParser(prog="./dev bench --full", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few and short rounds: a look, not a result")
    parser.add_argument("--only", action="append", metavar="PART", choices=PARTS, help="may be repeated")
    parser.add_argument("--page", action="store_true", help="make the page from the results that are there")
    options = parser.parse_args()
    if not options.page:
        if not {servers.SERVER_CORE, servers.CLIENT_CORE} <= os.sched_getaffinity(0):
            raise SystemExit("the suite needs cores 0 and 1: one for the server, one for wrk")
        kept = json.loads(RESULTS.read_text()) if options.only and not options.quick and RESULTS.exists() else {}
        results = {"machine": machine()} | kept
        for name in options.only or PARTS:
            results[name] = measure(name, options)
        if options.quick:
            json.dump(results, sys.stdout, indent=1)
            return 0
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    analysis_page.write(json.loads(RESULTS.read_text()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
