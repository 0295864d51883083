#!/usr/bin/env python3
"""Runs the whole suite, writes its results and the page that shows them.

    ./dev bench --full [--quick] [--page]

Encoding (leat-encode-bench), the cache's hit rates (leat-hit-rates), HTTP over loopback beside the ceiling program
that sends the same bytes, and resident memory over millions of requests. A row that fails is reported and left out;
the others are kept. The results go to bench/results/final_benchmark_results.json, and docs/performance-analysis.md
with its plots is made from that file alone: --page makes it again without measuring.
"""

import argparse
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import analysis_page
import servers
import workloads

RESULTS = servers.ROOT / "bench/results/final_benchmark_results.json"
BUILD = servers.ROOT / "build"

# name, target, depth, connections
HTTP_ROWS = [
    ("json_d1", "/json", 1, 64),
    ("json_d16", "/json", 16, 64),
    ("json_d16_c1", "/json", 16, 1),
    ("json_d16_c256", "/json", 16, 256),
    ("p1_d16", "/payload/p1", 16, 64),
    ("p2_d16", "/payload/p2", 16, 64),
    ("p4_d1", "/payload/p4", 1, 64),
    ("p4_d16", "/payload/p4", 16, 64),
    ("cached_p1_d16", "/cached/payload/p1", 16, 64),
    ("cached_p2_d16", "/cached/payload/p2", 16, 64),
    ("cached_p4_d1", "/cached/payload/p4", 1, 64),
    ("cached_p4_d16", "/cached/payload/p4", 16, 64),
    ("not_found_d16", "/nowhere", 16, 64),
]
SOAK_TARGETS = ("/json", "/payload/p1", "/payload/p2", "/cached/payload/p4", "/plaintext", "/users/7", "/nowhere")


def spread(values):
    return {"min": min(values), "median": statistics.median(values), "max": max(values), "rounds": len(values)}


def measure_encoding(options):
    """{payload/once or twice/way: CPU nanoseconds an iteration}"""
    repetitions = 2 if options.quick else 7
    output = subprocess.run(
        ["taskset", "-c", str(servers.CLIENT_CORE), BUILD / "bench/leat-encode-bench", "--benchmark_format=json",
         f"--benchmark_repetitions={repetitions}", "--benchmark_min_time=0.02",
         "--benchmark_enable_random_interleaving=true"], capture_output=True, text=True, check=True).stdout
    times, sizes = {}, {}
    for row in json.loads(output)["benchmarks"]:
        if row["run_type"] != "iteration":
            continue
        times.setdefault(row["run_name"], []).append(row["cpu_time"])
        if "bytes" in row:
            sizes[row["run_name"].split("/")[0]] = int(row["bytes"])
    return {"unit": "ns", "sizes": sizes, "rows": {name: spread(values) for name, values in times.items()}}


def measure_hit_rates(_):
    output = subprocess.run([BUILD / "bench/leat-hit-rates"], capture_output=True, text=True, check=True).stdout
    seeds = json.loads(output)
    return {"unit": "%", "trace": "Zipf(0.9) over 10,000 keys, room for 1,000, a scan of 10,000 in its midst",
            "rows": {name: spread([seed[name] for seed in seeds]) for name in ("leat", "lru", "tinylfu")}}


def answer_of(port, target):
    """What Leat sends for it the second time, head and body."""
    for _ in range(2):
        with socket.create_connection(("127.0.0.1", port), timeout=5) as peer:
            peer.sendall(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n".encode())
            answer = b""
            while b"\r\n\r\n" not in answer:
                answer += peer.recv(65536)
            head = answer.split(b"\r\n\r\n")[0]
            length = int(next(line.split(b":")[1] for line in head.split(b"\r\n")
                              if line.lower().startswith(b"content-length:")))
            while len(answer) < len(head) + 4 + length:
                answer += peer.recv(65536)
    return answer


def measure(server, workload, seconds):
    before = server.cpu_seconds()
    load = workloads.run_wrk(workload, server.port, seconds)
    cpu = server.cpu_seconds() - before
    return {"cpu_us": cpu * 1e6 / load.requests, "rate": load.requests / load.seconds, "errors": load.socket_errors}


def measure_http(options):
    rounds, seconds = (2, 1) if options.quick else (5, 2)
    rows, failures = {}, []
    with servers.running(servers.start_leat) as (leat,):
        for name, target, depth, connections in HTTP_ROWS:
            workload = workloads.Workload(name, depth, tuple(workloads.SMALL_HEADERS), target, connections)
            try:
                with tempfile.NamedTemporaryFile() as file:
                    file.write(answer_of(leat.port, target))
                    file.flush()
                    with servers.running(lambda: servers.start_ceiling(file.name)) as (ceiling,):
                        both = {"leat": [], "ceiling": []}
                        for number in range(rounds):
                            for server in (leat, ceiling) if number % 2 == 0 else (ceiling, leat):
                                both[server.name].append(measure(server, workload, seconds))
            except (SystemExit, OSError) as problem:
                failures.append(f"{name}: {problem}")
                continue
            rows[name] = {
                server: {"cpu_us": spread([one["cpu_us"] for one in each]),
                         "requests_per_second": spread([one["rate"] for one in each]),
                         "socket_errors": sum(one["errors"] for one in each)} for server, each in both.items()}
            rows[name]["cpu_ratio_of_least"] = rows[name]["leat"]["cpu_us"]["min"] / rows[name]["ceiling"]["cpu_us"]["min"]
            print(f"{name:16} {rows[name]['leat']['cpu_us']['min']:7.3f} us, ceiling "
                  f"{rows[name]['ceiling']['cpu_us']['min']:7.3f} us, {rows[name]['cpu_ratio_of_least']:.2f}",
                  file=sys.stderr)
    return {"rounds": rounds, "seconds": seconds, "rows": rows, "failures": failures}


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
    with servers.running(servers.start_leat) as (leat,):
        asked = ask_first(leat.port, 100_000)
        while True:
            time.sleep(0.5)
            marks[asked] = leat.memory_kib()["rss"]
            if asked >= most:
                break
            asked += workloads.run_wrk(workload, leat.port, 1 if options.quick else 4).requests
    first, last = next(iter(marks.values())), list(marks.values())[-1]
    return {"requests": asked, "rss_kib": marks, "growth_percent": 100 * (last - first) / first}


def machine():
    cpu = next((line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                if line.startswith("model name")), platform.processor())
    def first_line(command):
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.split("\n")[0].strip()
    return {"cpu": cpu, "cores": os.cpu_count(), "kernel": platform.release(), "system": platform.system(),
            "compiler": first_line(["g++-14", "--version"]),
            "leat": first_line([BUILD / "server/leat", "version"]),
            "commit": first_line(["git", "-C", servers.ROOT, "rev-parse", "--short", "HEAD"]),
            "date": time.strftime("%Y-%m-%d", time.gmtime())}


def main():
    parser = argparse.ArgumentParser(prog="./dev bench --full", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few and short rounds: a look, not a result")
    parser.add_argument("--page", action="store_true", help="make the page from the results that are there")
    options = parser.parse_args()
    if not options.page:
        results = {"machine": machine()}
        for name, part in (("encoding", measure_encoding), ("hit_rates", measure_hit_rates), ("http", measure_http),
                           ("soak", measure_soak)):
            print(f"{name} ...", file=sys.stderr)
            try:
                results[name] = part(options)
            except (SystemExit, OSError, subprocess.SubprocessError, ValueError) as problem:
                print(f"{name}: {problem}", file=sys.stderr)
                results[name] = {"failed": str(problem)}
        if options.quick:
            json.dump(results, sys.stdout, indent=1)
            return 0
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    analysis_page.write(json.loads(RESULTS.read_text()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
