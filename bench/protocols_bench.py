#!/usr/bin/env python3
"""Compares HTTP/1.1 and HTTP/2, in the clear and over TLS, and handshakes, with other servers' over loopback.

    ./dev bench --protocols [--quick] [--rounds N] [--seconds N] [--leat PROGRAM] [--only NAME,...] [--json FILE]

Each server has one worker on core 0, h2load core 1. Rows are by protocol, and by how many requests a connection has at a time, of 32 connections;
`handshakes` are connections with one request each, none resumed. The figure to compare is the server's CPU time per request, or per connection. The
servers take turns in every round, each time in another order, so that a noisy moment does not fall on one of them alone; the least of the rounds
is the one the noise touched least. `ceiling` is a server on Leat's loop that parses nothing. Beside nginx are measured HAProxy and H2O, where there are.

TLS is 1.3 with X25519, AES-128-GCM and a certificate of ECDSA P-256 for all of them.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import servers

CONNECTIONS = 32
NEWCOMERS = 200  # of a run of handshakes
TLS_OPTIONS = ["--groups=X25519", "--tls13-ciphers=TLS_AES_128_GCM_SHA256"]

# name: (over TLS, HTTP/1.1, requests at a time)
WAYS = {
    "h1": (False, True, 1),
    "h1_tls": (True, True, 1),
    "h2c_m1": (False, False, 1),
    "h2c_m16": (False, False, 16),
    "h2c_m100": (False, False, 100),
    "h2_tls_m1": (True, False, 1),
    "h2_tls_m16": (True, False, 16),
    "h2_tls_m100": (True, False, 100),
    "handshakes": (True, True, 1),
}

LEAT = """
[server]
workers = 1
listen = "127.0.0.1:{port}"
[limits]
connections_per_address = 60000
[[listener]]
address = "127.0.0.1:{tls_port}"
tls = true
[[tls]]
certificate = "{folder}/tls.crt"
key = "{folder}/tls.key"
[[plugin]]
name = "demo"
file = "demo.so"
[[route]]
path = "/json"
handler = "demo:json"
"""

NGINX_LOCATIONS = """
    listen 127.0.0.1:{tls_port} ssl backlog=4096;
    http2 on;
    ssl_certificate {folder}/tls.crt;
    ssl_certificate_key {folder}/tls.key;
    ssl_session_tickets on;
    location / {{ return 200 '{body}'; }}"""

HAPROXY = """
global
  nbthread 1
  maxconn 4000
  tune.h2.max-concurrent-streams 100
defaults
  mode http
  timeout client 1h
  timeout http-keep-alive 1h
frontend all
  bind 127.0.0.1:{port}
  bind 127.0.0.1:{tls_port} ssl crt {folder}/both.pem alpn h2,http/1.1
  http-request return status 200 content-type application/json string '{body}'
"""

H2O = """
num-threads: 1
http2-idle-timeout: 3600
limit-request-body: 1024
hosts:
  default:
    listen: {{port: {port}, host: 127.0.0.1}}
    paths: {{"/": {{file.dir: {folder}/served, file.send-gzip: OFF}}}}
  "secure":
    listen:
      port: {tls_port}
      host: 127.0.0.1
      ssl: {{certificate-file: {folder}/tls.crt, key-file: {folder}/tls.key}}
    paths: {{"/": {{file.dir: {folder}/served, file.send-gzip: OFF}}}}
"""


class Both(servers.Server):
    """A server with a port for each of both."""

    def __init__(self, name, command, port, tls_port):
        self.ports = (port, tls_port)
        super().__init__(name, command, port)


def make_certificate(folder):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=DNS:localhost", "-keyout", f"{folder}/tls.key", "-out", f"{folder}/tls.crt"],
                   check=True, capture_output=True)
    Path(folder, "both.pem").write_text(Path(folder, "tls.crt").read_text() + Path(folder, "tls.key").read_text())


def starter(name, folder, leat):
    """What starts that server, or None where it is not installed."""
    port, tls_port = servers.free_port(), servers.free_port()
    known = {"port": port, "tls_port": tls_port, "folder": folder, "body": servers.BODY}
    file = Path(folder, f"{name}.conf")

    def start():
        if name == "leat":
            file.write_text(LEAT.format(**known))
            return Both(name, [leat, "run", "-c", file, "--plugin-path", Path(leat).parents[1] / "lib/plugin/demo", "--no-supervise"], port, tls_port)
        if name == "nginx":
            nginx = servers.start_nginx(folder, locations=NGINX_LOCATIONS.format(**known))
            nginx.ports = (nginx.port, tls_port)
            return nginx
        if name == "haproxy":
            file.write_text(HAPROXY.format(**known))
            return Both(name, [servers.find_program(name), "-db", "-f", file], port, tls_port)
        if name == "h2o":
            Path(folder, "served").mkdir()
            Path(folder, "served/json").write_text(servers.BODY)
            file.write_text(H2O.format(**known))
            return Both(name, [servers.find_program(name), "-m", "worker", "-c", file], port, tls_port)
        ceiling = servers.start_ceiling()
        ceiling.ports = (ceiling.port, None)
        return ceiling

    return start if name in ("leat", "ceiling", "nginx") or servers.find_program(name) else None


def takes(server, way):
    tls, http1, _ = WAYS[way]
    return server.name != "ceiling" or (http1 and not tls)


def load(server, way, seconds):
    """How many requests, or connections, were answered."""
    tls, http1, streams = WAYS[way]
    amount = ["-n", str(NEWCOMERS), "-c", str(NEWCOMERS)] if way == "handshakes" else [f"--duration={seconds}", f"-c{CONNECTIONS}", f"-m{streams}"]
    command = ["taskset", "-c", str(servers.CLIENT_CORE), "h2load", "-t1", *amount, *(["--h1"] if http1 else []), *(TLS_OPTIONS if tls else []),
               f"http{'s' if tls else ''}://127.0.0.1:{server.ports[tls]}/json"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    said = re.search(r"(\d+) succeeded, (\d+) failed, (\d+) errored", result.stdout)
    if result.returncode == 0 and said and said[2] == said[3] == "0" and said[1] != "0":
        return int(said[1])
    raise SystemExit(f"{server.name}, {way}: h2load failed:\n{result.stdout}{result.stderr}")


def measure(server, way, seconds):
    before = server.cpu_seconds()
    # A run of handshakes is short: as many as the clock of CPU time, a hundredth of a second, can tell.
    answered = sum(load(server, way, seconds) for _ in range(5 * seconds if way == "handshakes" else 1))
    return (server.cpu_seconds() - before) * 1e6 / answered


def show(results):
    print(f"{'':14}{'server':9}{'CPU us':>9}{'(median)':>10}{'x leat':>8}")
    for way, of_servers in results.items():
        least = {server: min(each) for server, each in of_servers.items()}
        for server, each in of_servers.items():
            print(f"{way:14}{server:9}{least[server]:9.3f}{statistics.median(each):10.3f}{least[server] / least['leat']:8.2f}")


def main():
    parser = argparse.ArgumentParser(prog="./dev bench --protocols", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="two rounds of one second: a look, not a result")
    parser.add_argument("--rounds", type=int, help="default 5")
    parser.add_argument("--seconds", type=int, help="of each measurement, default 2")
    parser.add_argument("--leat", default=servers.ROOT / "build-bench/server/leat", help="the program to measure")
    parser.add_argument("--only", default=",".join(WAYS), help="rows: %(default)s")
    parser.add_argument("--json", metavar="FILE", help="write every figure there")
    options = parser.parse_args()
    rounds = options.rounds or (2 if options.quick else 5)
    seconds = options.seconds or (1 if options.quick else 2)
    ways = options.only.split(",")
    if unknown := set(ways) - set(WAYS):
        raise SystemExit(f"there is no row {', '.join(sorted(unknown))}")
    if not {servers.SERVER_CORE, servers.CLIENT_CORE} <= os.sched_getaffinity(0):
        raise SystemExit("the benchmark needs cores 0 and 1: one for the server, one for h2load")
    results = {way: {} for way in ways}
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)  # H2O and nginx give up root
        make_certificate(folder)
        starters = [starter(name, folder, options.leat) for name in ("leat", "ceiling", "nginx", "haproxy", "h2o")]
        with servers.running(*filter(None, starters)) as running:
            for number in range(rounds):
                each = [(way, server) for way in ways for server in running if takes(server, way)]
                for way, server in each if number % 2 == 0 else reversed(each):
                    results[way].setdefault(server.name, []).append(measure(server, way, seconds))
    show(results)
    if options.json:
        Path(options.json).write_text(json.dumps(results, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
