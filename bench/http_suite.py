"""The suite over loopback: Leat and the ceiling program that sends the same bytes, in turn, for each row.

One worker on one core and wrk on the other, as in http_bench.py. Rows of 64 connections are what results are read
from and get most of the time; those of 1 and 256 complete the matrix.
"""

import hashlib
import os
import socket
import sys
import tempfile
import time
from dataclasses import dataclass

import http_bench
import servers
import workloads
from micro import spread

TARGETS = {"json": "/json", "p1": "/payload/p1", "p2": "/payload/p2", "p4": "/payload/p4"}
DEPTHS = (1, 16)
STATIC_ROUTES = 100
ROUTE_TARGETS = {"route_static": "/test/path/50", "route_parameters": "/api/users/123/posts/456",
                 "route_missing": "/test/path/missing"}


@dataclass(frozen=True)
class Row:
    name: str
    target: str
    depth: int
    connections: int = workloads.CONNECTIONS
    rounds: int = 5
    seconds: int = 2
    status: int = 200


def matrix():
    """Payloads and /json, cached and not, by depth and connections."""
    for name, target in [*TARGETS.items(), *(("cached_" + name, "/cached" + target) for name, target in TARGETS.items())]:
        for depth in DEPTHS:
            yield Row(f"{name}_d{depth}", target, depth)
            for connections in (1, 256):
                yield Row(f"{name}_d{depth}_c{connections}", target, depth, connections, rounds=3, seconds=1)
    for name in ("p1", "p2", "p4"):
        yield Row(f"{name}_events_d16", f"/events/{name}", 16, rounds=3)


def route_rows():
    for name, target in ROUTE_TARGETS.items():
        for depth in DEPTHS:
            yield Row(f"{name}_d{depth}", target, depth, rounds=4, status=404 if name == "route_missing" else 200)


def route_table():
    """A configuration of 104 routes: most of them static, two with parameters."""
    routes = [(f"/test/path/{number}", "demo:json") for number in range(STATIC_ROUTES)]
    routes += [("/json", "demo:json"), ("/plaintext", "demo:plaintext"), ("/api/users/{user}", "bench:user"),
               ("/api/users/{user}/posts/{post}", "bench:post")]
    head = '[server]\nworkers = 1\n\n[log]\nlevel = "warn"\n'
    plugins = "".join(f'\n[[plugin]]\nname = "{name}"\nfile = "{name}.so"\n' for name in ("demo", "bench"))
    return head + plugins + "".join(f'\n[[route]]\npath = "{path}"\nhandler = "{handler}"\n' for path, handler in routes)


def ask(peer, target):
    """The answer, head and body."""
    peer.sendall(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n".encode())
    answer = b""
    wanted = None
    while wanted is None or len(answer) < wanted:
        piece = peer.recv(65536)
        if not piece:
            raise SystemExit(f"the connection was closed within the answer to {target}")
        answer += piece
        head, blank, _ = answer.partition(b"\r\n\r\n")
        if blank and wanted is None:
            length = next(line.split(b":")[1] for line in head.split(b"\r\n")
                          if line.lower().startswith(b"content-length:"))
            wanted = len(head) + 4 + int(length)
    return answer


def answer_of(port, row):
    """What Leat sends for it the second time, when it is cached where it ever is."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as peer:
        ask(peer, row.target)
        answer = ask(peer, row.target)
    if not answer.startswith(f"HTTP/1.1 {row.status} ".encode()):
        raise SystemExit(f"{row.target} is answered {answer.splitlines()[0].decode()}")
    return answer


def measure_row(row, leat, ceiling, quick):
    rounds, seconds = (2, 1) if quick else (row.rounds, row.seconds)
    workload = workloads.Workload(row.name, row.depth, tuple(workloads.SMALL_HEADERS), row.target, row.connections)
    both = {"leat": [], "ceiling": []}
    for number in range(rounds):
        for server in (leat, ceiling) if number % 2 == 0 else (ceiling, leat):
            one = http_bench.measure(server, workload, seconds)
            if one["bad_statuses"] and row.status == 200:
                raise SystemExit(f"{server.name} answered {one['bad_statuses']} requests with an error")
            both[server.name].append(one)
    result = {server: {"cpu_us": spread([one["cpu_us"] for one in each]),
                       "requests_per_second": spread([one["requests_per_second"] for one in each]),
                       "socket_errors": sum(one["socket_errors"] for one in each)} for server, each in both.items()}
    result["cpu_ratio_of_least"] = result["leat"]["cpu_us"]["min"] / result["ceiling"]["cpu_us"]["min"]
    return {"target": row.target, "depth": row.depth, "connections": row.connections, "seconds": seconds, **result}


def measure_rows(leat, all_rows, quick, rows, failures):
    """Measures them into `rows`; what fails is left out and said in `failures`. One ceiling for each target."""
    for target in dict.fromkeys(row.target for row in all_rows):
        same = [row for row in all_rows if row.target == target]
        try:
            with tempfile.NamedTemporaryFile() as file:
                file.write(answer_of(leat.port, same[0]))
                file.flush()
                with servers.running(lambda name=file.name: servers.start_ceiling(name)) as (ceiling,):
                    for row in same:
                        try:
                            rows[row.name] = measure_row(row, leat, ceiling, quick)
                        except (SystemExit, OSError) as problem:
                            failures.append(f"{row.name}: {problem}")
                            continue
                        result = rows[row.name]
                        print(f"{row.name:24} {result['leat']['cpu_us']['min']:8.3f} us, ceiling "
                              f"{result['ceiling']['cpu_us']['min']:8.3f} us, {result['cpu_ratio_of_least']:.2f}",
                              file=sys.stderr)
        except (SystemExit, OSError) as problem:
            failures.append(f"{target}: {problem}")


def measure(options):
    rows, failures = {}, []
    with servers.running(lambda: servers.start_leat(servers.SUITE)) as (leat,):
        measure_rows(leat, list(matrix()), options.quick, rows, failures)
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
        file.write(route_table())
        file.flush()
        with servers.running(lambda: servers.start_leat(file.name)) as (leat,):
            measure_rows(leat, list(route_rows()), options.quick, rows, failures)
    return {"rows": rows, "failures": failures}


def measure_waiting(options):
    """Wall-clock microseconds of one request at a time whose tasks sleep a millisecond each, and of one that does
    nothing."""
    targets = {"json": "/json", "sleep_100": "/gather?count=100&limit=100&ms=1",
               "sleep_1000_limit_100": "/gather?count=1000&limit=100&ms=1"}
    rows = {}
    with servers.running(lambda: servers.start_leat(servers.SUITE)) as (leat,):
        with socket.create_connection(("127.0.0.1", leat.port), timeout=5) as peer:
            for name, target in targets.items():
                times = []
                for _ in range(20 if options.quick else 200):
                    begun = time.perf_counter()
                    answer = ask(peer, target)
                    times.append((time.perf_counter() - begun) * 1e6)
                    if not answer.startswith(b"HTTP/1.1 200 "):
                        raise SystemExit(f"{target} is answered {answer.splitlines()[0].decode()}")
                rows[name] = {"target": target, **spread(times)}
    return {"unit": "us", "rows": rows}


# What a request costs more with a log, or with marks on it. `fields` of the log; a file in the suite's folder.
MARKS = "".join(f'[[middleware]]\nkind = "{kind}"\n' for kind in ("request_id", "trace_context", "security_headers"))
LOGGED = {"none": "", "json": "", "all": 'fields = ["all"]\n', "combined": 'format = "combined"\n', "marks": MARKS,
          "all_and_marks": 'fields = ["all"]\n', "example": ""}
EXAMPLE_MARKS = "".join(f'[[middleware]]\nkind = "{kind}"\n' for kind in ("request_id", "security_headers"))
# As nginx writes a log by default, each line by itself, and in blocks.
NGINX_LOGS = {"nginx": "", "nginx_in_blocks": " buffer=64k flush=1s"}


def logged_site(name, file):
    """The smallest site, with that log."""
    log = "" if name in ("none", "marks") else f'[[middleware]]\nkind = "access_log"\nfile = "{file}"\n{LOGGED[name]}'
    marks = MARKS if "marks" in name else EXAMPLE_MARKS if name == "example" else ""
    return ('[server]\nworkers = 1\n\n[log]\nlevel = "warn"\n\n[[plugin]]\nname = "demo"\nfile = "demo.so"\n\n[[route]]\n'
            f'path = "/json"\nhandler = "demo:json"\n\n{log}{marks}')


# The eight kinds of middleware of a typical site.
EIGHT_KEY = "sesame-sesame-sesame-sesame"
EIGHT_FIELDS = ("Origin: https://app.example.org", f"X-Api-Key: {EIGHT_KEY}",
                "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00")
EIGHT_SITE = """[server]
workers = 1

[log]
level = "warn"

[[plugin]]
name = "demo"
file = "demo.so"

[[route]]
path = "/json"
handler = "demo:json"

[[middleware]]
kind = "access_log"
file = "{log}"

[[middleware]]
kind = "request_id"

[[middleware]]
kind = "trace_context"

[[middleware]]
kind = "access"
default = "allow"
rules = [{{action = "deny", client = ["198.51.100.0/24"]}}]

[[middleware]]
kind = "rate_limit"
rate = "1000000/s"

[[middleware]]
kind = "api_key"
keys = ["alice sha256:{hash}"]

[[middleware]]
kind = "cors"
origins = ["https://app.example.org"]

[[middleware]]
kind = "security_headers"
content_security_policy = "default-src 'self'"
"""


def measure_eight(options):
    """CPU time of a request that passes the eight, beside nginx with what it has of them. The servers take turns."""
    seconds, rounds = (1, 2) if options.quick else (3, 7)
    fields = "".join(f"{field}\r\n" for field in EIGHT_FIELDS)
    rows = {}
    with tempfile.TemporaryDirectory() as folder:
        site = f"{folder}/eight.toml"
        with open(site, "w", encoding="utf-8") as file:
            file.write(EIGHT_SITE.format(log=f"{folder}/leat.log", hash=hashlib.sha256(EIGHT_KEY.encode()).hexdigest()))
        with servers.running(lambda: servers.start_leat(site, fields),
                             lambda: servers.start_nginx_eight(folder, EIGHT_KEY, fields)) as started:
            for depth in DEPTHS:
                workload = workloads.Workload(f"eight_d{depth}", depth, (*workloads.BROWSER_HEADERS, *EIGHT_FIELDS))
                costs = {server.name: [] for server in started}
                for number in range(rounds):
                    for server in started[number % 2:] + started[:number % 2]:
                        result = http_bench.measure(server, workload, seconds)
                        if result["bad_statuses"] != 0:
                            raise SystemExit(f"{server.name} does not let requests pass")
                        costs[server.name].append(result["cpu_us"])
                        os.truncate(f"{folder}/{server.name}.log", 0)
                ratios = [leat / nginx for leat, nginx in zip(costs["leat"], costs["nginx"])]
                rows[f"d{depth}"] = {name: spread(each) for name, each in costs.items()} | {"ratio": spread(ratios)}
    return {"unit": "us", "rows": rows}


def measure_logs(options):
    """CPU time of a request with each log, all threads of the process, beside one without; and of nginx with a JSON log. The
    servers take turns."""
    seconds, rounds = (1, 2) if options.quick else (3, 7)
    rows = {}
    with tempfile.TemporaryDirectory() as folder:
        files = {}
        for name in LOGGED:
            files[name] = f"{folder}/{name}.toml"
            with open(files[name], "w", encoding="utf-8") as file:
                file.write(logged_site(name, f"{folder}/{name}.log"))
        starters = [lambda name=name: servers.start_leat(files[name]) for name in LOGGED]
        starters += [lambda name=name, buffer=buffer: servers.start_nginx(
            folder, servers.NGINX_JSON_LOG.format(file=f"{folder}/{name}.log", buffer=buffer), name)
            for name, buffer in NGINX_LOGS.items()]
        with servers.running(*starters) as started:
            for depth in DEPTHS:
                workload = workloads.Workload(f"logs_d{depth}", depth, tuple(workloads.BROWSER_HEADERS))
                names = [*LOGGED, *NGINX_LOGS]
                costs = {name: [] for name in names}
                for number in range(rounds):
                    turn = number % len(started)
                    order = list(zip(names, started))
                    for name, leat in order[turn:] + order[:turn]:
                        costs[name].append(http_bench.measure(leat, workload, seconds)["cpu_us"] * 1000)
                        if name not in ("none", "marks"):
                            os.truncate(f"{folder}/{name}.log", 0)  # a disk has an end
                for name, each in costs.items():
                    more = [cost - none for cost, none in zip(each, costs["none"])]
                    rows[f"{name}_d{depth}"] = {"cpu_ns": spread(each), "over_none": spread(more)}
    return {"unit": "ns", "rows": rows}
