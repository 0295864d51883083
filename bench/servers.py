"""The servers under comparison: started on a free loopback port, pinned to one core, and read through /proc.

CPU time is that of the whole process tree of a server, all threads: nginx works in a child of its master.
"""

import contextlib
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CONFIGURATION = ROOT / "bench/leat.toml"
SUITE = ROOT / "bench/suite.toml"  # of the whole suite
SERVER_CORE = 0
CLIENT_CORE = 1
BODY = '{"message":"Hello, World!"}'
READY_SECONDS = 20
TICKS = os.sysconf("SC_CLK_TCK")

# keepalive_requests: the default of 1000 would make nginx close and wrk connect again all the time.
NGINX_CONFIGURATION = """
worker_processes 1;
daemon off;
pid nginx.pid;
error_log stderr error;
events {{ worker_connections 16384; multi_accept on; }}
http {{
  {log}
  default_type application/json;
  keepalive_requests 2000000000;
  keepalive_timeout 3600s;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    {locations}
  }}
}}
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def proc_text(pid, name):
    return Path(f"/proc/{pid}/{name}").read_text()


def process_tree(pid):
    children = proc_text(pid, f"task/{pid}/children").split()
    return [pid] + [below for child in children for below in process_tree(int(child))]


def raise_descriptor_limit(wanted):
    """Raises this process's limit, which what it starts inherits. Returns what was reached."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    reached = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (reached, hard))
    return reached


class Server:
    """A running server; stop() ends it. `name` is what the tables call it."""

    def __init__(self, name, command, port, expected=BODY, fields=""):
        self.name = name
        self.fields = fields  # that it is asked with
        self.port = port
        self.expected = expected.encode()  # in its answer, once it is ready
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
                                        preexec_fn=lambda: os.sched_setaffinity(0, {SERVER_CORE}))
        self._wait_until_ready()

    def _wait_until_ready(self):
        """Ready means that it answers what the benchmark will ask for, and with the right body."""
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=2) as peer:
                    peer.sendall(f"GET /json HTTP/1.1\r\nHost: bench\r\n{self.fields}\r\n".encode())
                    answer = b""
                    while not answer or self.expected not in answer:
                        piece = peer.recv(4096)
                        if not piece:
                            raise ConnectionError("closed before the answer was whole")
                        answer += piece
                if answer.startswith(b"HTTP/1.1 200 " if self.expected else b"HTTP/1.1 "):
                    return
            except OSError:
                time.sleep(0.05)
        self.stop()
        self.log.seek(0)
        raise SystemExit(f"{self.name} does not answer on port {self.port}:\n{self.log.read().decode()}")

    def cpu_seconds(self):
        total = 0
        for pid in process_tree(self.process.pid):
            fields = proc_text(pid, "stat").rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])  # utime and stime: proc_pid_stat(5)
        return total / TICKS

    def memory_kib(self):
        """{"rss", "pss"} of the process tree."""
        sums = {"rss": 0, "pss": 0}
        for pid in process_tree(self.process.pid):
            for line in proc_text(pid, "smaps_rollup").splitlines():
                key = line.split(":")[0].lower()
                if key in sums:
                    sums[key] += int(line.split()[1])
        return sums

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def start_leat(configuration=CONFIGURATION, fields=""):
    port = free_port()
    return Server("leat", [ROOT / "build-bench/server/leat", "run", "-c", configuration, "--workers", "1",
                           "--plugin-path", ROOT / "build-bench/bench",
                           "--no-supervise",  # its memory and time are read by its process id
                           "--listen", f"127.0.0.1:{port}"], port, fields=fields)


def start_ceiling(answer=None):
    """`answer`: a file with the bytes that it sends."""
    port = free_port()
    more = [] if answer is None else ["--answer", answer]
    return Server("ceiling", [ROOT / "build-bench/bench/leat-ceiling", "--listen", f"127.0.0.1:{port}",
                              "--cpu", str(SERVER_CORE), *more], port, expected="" if answer else BODY)


NGINX_JSON_LOG = """log_format json escape=json '{{"ts":"$time_iso8601","client":"$remote_addr","method":"$request_method",'
    '"host":"$host","target":"$request_uri","status":$status,"bytes_out":$body_bytes_sent,"duration":$request_time,'
    '"request_id":"$request_id"}}';
  access_log {file} json{buffer};"""


def find_program(name):
    """Its path; None where it is not installed. Servers are in folders that a user's PATH may lack."""
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


def nginx_program():
    return find_program("nginx") or sys.exit("nginx is not installed: ./dev bench installs it")


def start_nginx(folder, log="access_log off;", name="nginx", locations=f"location / {{ return 200 '{BODY}'; }}"):
    port = free_port()
    configuration = Path(folder) / f"{name}.conf"
    configuration.write_text(NGINX_CONFIGURATION.format(port=port, log=log, locations=locations).replace("nginx.pid", f"{name}.pid"))
    return Server(name, [nginx_program(), "-p", folder, "-e", "stderr", "-c", configuration], port)


# What a typical site does with each request, as far as nginx has it: a log in JSON, an identifier, a list of addresses, a limit by
# address, a key, CORS and fields for browsers. `return` would answer before addresses and limits are looked at, so what
# answers is a picture of 43 bytes that nginx has in itself.
NGINX_EIGHT = """
worker_processes 1;
daemon off;
pid eight.pid;
error_log stderr error;
events {{ worker_connections 16384; multi_accept on; }}
http {{
  {log}
  keepalive_requests 2000000000;
  keepalive_timeout 3600s;
  map $http_x_api_key $user {{ default ""; "{key}" alice; }}
  map $http_origin $allowed {{ default ""; "https://app.example.org" $http_origin; }}
  limit_req_zone $binary_remote_addr zone=clients:1m rate=1000000r/s;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      if ($user = "") {{ return 401; }}
      deny 198.51.100.0/24;
      allow all;
      limit_req zone=clients burst=1000000 nodelay;
      add_header X-Request-Id $request_id always;
      add_header Access-Control-Allow-Origin $allowed always;
      add_header Vary Origin always;
      add_header X-Content-Type-Options nosniff always;
      add_header X-Frame-Options DENY always;
      add_header Referrer-Policy no-referrer always;
      add_header Content-Security-Policy "default-src 'self'" always;
      empty_gif;
    }}
  }}
}}
"""


def start_nginx_eight(folder, key, fields):
    """nginx as above, whose lines go into a file in blocks."""
    port = free_port()
    configuration = Path(folder) / "eight.conf"
    log = NGINX_JSON_LOG.format(file=f"{folder}/nginx.log", buffer=" buffer=64k flush=1s")
    configuration.write_text(NGINX_EIGHT.format(log=log, port=port, key=key))
    return Server("nginx", [nginx_program(), "-p", folder, "-e", "stderr", "-c", configuration], port, expected="GIF89a", fields=fields)


@contextlib.contextmanager
def running(*starters):
    """Starts servers one after another; stops all of them, whatever happens."""
    with contextlib.ExitStack() as stack:
        servers = []
        for start in starters:
            servers.append(start())
            stack.callback(servers[-1].stop)
        yield servers
