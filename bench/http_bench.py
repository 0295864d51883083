#!/usr/bin/env python3
"""Compares Leat with a ceiling program (the same loop, no parsing) and with nginx, over loopback.

    ./dev bench [--quick] [--rounds N] [--seconds N] [--only WORKLOAD] [--json FILE] [--check]

Each server has one worker on core 0, wrk has core 1. Over loopback the client is what saturates, so the
figure to compare is the server's CPU time per request. The servers take turns in every round, each time in
another order, so that a noisy moment does not fall on one of them alone; the least of the rounds is the one
the noise touched least. Needs two cores and a quiet machine.
"""

import argparse
import json
import os
import platform
import socket
import statistics
import sys
import tempfile
import time

import servers
import workloads

IDLE_CONNECTIONS = 10_000
WARM_CONNECTIONS = 64
WARM_REQUESTS = 32  # for each: enough bytes to have touched every buffer that is shared by all connections
SETTLE_SECONDS = 2

# What Leat is to reach: (workload, the server it is compared with, least, aim), ratios of CPU time per request.
RATIO_GOALS = [
    ("small_d1", "ceiling", 1.20, 1.05),
    ("small_d16", "ceiling", 1.6, 1.25),
    ("browser_d16", "ceiling", 2.6, 1.5),
    ("distinct_d16", "ceiling", 2.8, 1.6),
    ("small_d1", "nginx", 0.90, 0.78),
]
MEMORY_GOALS = [("idle_rss_kib", "KiB resident, idle", 16 * 1024, 8 * 1024),
                ("bytes_per_connection", "bytes per idle connection", 2048, 1024)]


def measure(server, workload, seconds):
    before = server.cpu_seconds()
    load = workloads.run_wrk(workload, server.port, seconds)
    cpu = server.cpu_seconds() - before
    if load.requests == 0:
        raise SystemExit(f"{server.name} answered nothing to {workload.name}")
    return {"requests_per_second": load.requests / load.seconds, "cpu_us": cpu * 1e6 / load.requests,
            "socket_errors": load.socket_errors, "bad_statuses": load.bad_statuses}


def progress(text):
    if sys.stderr.isatty():
        print(f"\r{text:60}\r", end="", file=sys.stderr, flush=True)


def run_rounds(running, chosen, rounds, seconds):
    """{workload: {server: [one result a round]}}."""
    results = {workload.name: {server.name: [] for server in running} for workload in chosen}
    for number in range(rounds):
        for workload in chosen:
            turn = number % len(running)
            for server in running[turn:] + running[:turn]:
                progress(f"round {number + 1} of {rounds}: {workload.name}, {server.name}")
                results[workload.name][server.name].append(measure(server, workload, seconds))
    progress("")
    return results


def summarise(rounds):
    cpu = [one["cpu_us"] for one in rounds]
    return {"requests_per_second": statistics.median(one["requests_per_second"] for one in rounds),
            "cpu_us_least": min(cpu), "cpu_us_median": statistics.median(cpu),
            "socket_errors": sum(one["socket_errors"] for one in rounds),
            "bad_statuses": sum(one["bad_statuses"] for one in rounds), "rounds": rounds}


def ratio(summary, name, peer, which="cpu_us_least"):
    return summary[name][which] / summary[peer][which]


def print_workload(workload, summary):
    kind = "no two heads equal" if workload.distinct else "one head"
    print(f"\n{workload.name}: depth {workload.depth}, a head of {len(workload.head)} bytes, {kind}")
    print(f"  {'server':9}{'requests/s':>12}{'CPU us/request':>17}{'(median)':>10}{'x ceiling':>11}"
          f"{'(median)':>10}{'errors':>8}{'non-2xx':>9}")
    for name, row in summary.items():
        print(f"  {name:9}{row['requests_per_second']:12,.0f}{row['cpu_us_least']:17.3f}"
              f"{row['cpu_us_median']:10.3f}{ratio(summary, name, 'ceiling'):11.2f}"
              f"{ratio(summary, name, 'ceiling', 'cpu_us_median'):10.2f}"
              f"{row['socket_errors']:8}{row['bad_statuses']:9}")


def open_and_ask(port, count, requests=1):
    """Connections that each asked, were answered, and are quiet now."""
    peers = []
    for _ in range(count):
        peer = socket.create_connection(("127.0.0.1", port), timeout=10)
        for _ in range(requests):
            peer.sendall(b"GET /json HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n")
            answer = b""
            while servers.BODY.encode() not in answer:
                piece = peer.recv(4096)
                if not piece:
                    raise SystemExit("leat closed a connection that it should have kept")
                answer += piece
        peers.append(peer)
    return peers


def measure_memory(leat):
    """Of a fresh Leat. The connections are counted from a warm process: the receive buffers, which all
    connections share, are touched before, so that what grows is what a connection holds."""
    limit = servers.raise_descriptor_limit(IDLE_CONNECTIONS + 1000)
    count = min(IDLE_CONNECTIONS, limit - 1000)
    time.sleep(SETTLE_SECONDS)
    idle = leat.memory_kib()
    for peer in open_and_ask(leat.port, WARM_CONNECTIONS, WARM_REQUESTS):
        peer.close()
    time.sleep(SETTLE_SECONDS)
    warm = leat.memory_kib()
    peers = open_and_ask(leat.port, count)
    time.sleep(SETTLE_SECONDS)
    full = leat.memory_kib()
    for peer in peers:
        peer.close()
    return {"idle_rss_kib": idle["rss"], "idle_pss_kib": idle["pss"], "warm_rss_kib": warm["rss"],
            "connections": count, "connections_rss_kib": full["rss"],
            "bytes_per_connection": (full["rss"] - warm["rss"]) * 1024 / count}


def print_memory(memory):
    print(f"\nmemory, one worker: idle {memory['idle_rss_kib'] / 1024:.1f} MiB resident "
          f"({memory['idle_pss_kib'] / 1024:.1f} MiB proportional), warm {memory['warm_rss_kib'] / 1024:.1f} MiB; "
          f"with {memory['connections']:,} idle keep-alive connections "
          f"{memory['connections_rss_kib'] / 1024:.1f} MiB: "
          f"{memory['bytes_per_connection']:.0f} bytes a connection")


def print_goals(summaries, memory):
    """Returns whether every least goal that was measured is met."""
    rows = [(f"{workload}, leat to {peer}", ratio(summaries[workload], "leat", peer), least, aim)
            for workload, peer, least, aim in RATIO_GOALS if workload in summaries]
    rows += [(label, memory[key], least, aim) for key, label, least, aim in MEMORY_GOALS]
    print(f"\n{'goal':34}{'measured':>10}{'least':>10}{'aim':>10}")
    for label, value, least, aim in rows:
        verdict = "aim met" if value <= aim else "met" if value <= least else "missed"
        print(f"{label:34}{value:10,.2f}{least:10,.2f}{aim:10,.2f}  {verdict}")
    return all(value <= least for _, value, least, _ in rows)


def parse_arguments():
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="two rounds of one second: a look, not a result")
    parser.add_argument("--rounds", type=int, help="default 5")
    parser.add_argument("--seconds", type=int, help="of each measurement, default 3")
    parser.add_argument("--only", action="append", metavar="WORKLOAD",
                        choices=[workload.name for workload in workloads.WORKLOADS], help="may be repeated")
    parser.add_argument("--json", metavar="FILE", help="write every figure there")
    parser.add_argument("--check", action="store_true", help="compare with the goals; status 1 if one is missed")
    options = parser.parse_args()
    options.rounds = options.rounds or (2 if options.quick else 5)
    options.seconds = options.seconds or (1 if options.quick else 3)
    return options


def main():
    options = parse_arguments()
    if not {servers.SERVER_CORE, servers.CLIENT_CORE} <= os.sched_getaffinity(0):
        raise SystemExit("the benchmark needs cores 0 and 1: one for the server, one for wrk")
    servers.raise_descriptor_limit(IDLE_CONNECTIONS + 1000)
    chosen = [workload for workload in workloads.WORKLOADS if not options.only or workload.name in options.only]

    with servers.running(servers.start_leat) as (leat,):
        memory = measure_memory(leat)
    with tempfile.TemporaryDirectory() as folder, servers.running(
            servers.start_leat, servers.start_ceiling, lambda: servers.start_nginx(folder)) as started:
        results = run_rounds(started, chosen, options.rounds, options.seconds)
    summaries = {name: {server: summarise(rounds) for server, rounds in by_server.items()}
                 for name, by_server in results.items()}

    for workload in chosen:
        print_workload(workload, summaries[workload.name])
    print_memory(memory)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"machine": platform.platform(), "cores": os.cpu_count(), "rounds": options.rounds,
                       "seconds": options.seconds, "memory": memory, "workloads": summaries}, file, indent=2)
    if options.check and not print_goals(summaries, memory):
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
