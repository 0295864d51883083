"""What is asked of the servers, and wrk as the one who asks.

wrk is given a Lua script that is written at run time. A request that never changes is formatted once, so
wrk sends it without entering Lua. The workload in which no two heads are equal takes its batches from a pool
made before the clock starts. Either way what Lua costs is the client's CPU time, on the client's core; what
is measured is the server's.
"""

import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from servers import CLIENT_CORE

CONNECTIONS = 64

# 131,072 heads pass before one comes again: far more than a table of recent heads could keep in a cache
# worth having, at 80 MB of the client's memory.
POOL_BATCHES = 8192

SMALL_HEADERS = ["Host: 127.0.0.1:8080"]

# What a desktop browser sends for a fetch() from a page, with a session cookie: about 600 bytes of headers.
BROWSER_HEADERS = [
    "Host: 127.0.0.1:8080",
    "Connection: keep-alive",
    "Cache-Control: no-cache",
    'sec-ch-ua: "Chromium";v="136", "Not.A/Brand";v="24"',
    "sec-ch-ua-mobile: ?0",
    'sec-ch-ua-platform: "Linux"',
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/136.0.0.0 "
    "Safari/537.36",
    "Accept: application/json, text/plain, */*",
    "Sec-Fetch-Site: same-origin",
    "Sec-Fetch-Mode: cors",
    "Sec-Fetch-Dest: empty",
    "Referer: http://127.0.0.1:8080/app/dashboard",
    "Accept-Encoding: gzip, deflate, br, zstd",
    "Accept-Language: en-GB,en;q=0.9",
    "Cookie: session=0123456789abcdef; theme=dark",
]

# The counter of a head stands in its target and in one header line, so that neither the whole head nor all
# of its lines are ones that were seen before.
COUNTER = "@"
DISTINCT_TARGET = f"/json?n={COUNTER}"
DISTINCT_HEADERS = BROWSER_HEADERS + [f"X-Request-Id: bench-{COUNTER}"]

REPORT = """
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format("TOTAL %d %d %d %d\\n", summary.requests, summary.duration,
                         e.connect + e.read + e.write + e.timeout, e.status))
end
"""


@dataclass(frozen=True)
class Workload:
    name: str
    depth: int
    headers: tuple
    target: str = "/json"
    connections: int = CONNECTIONS
    targets: tuple = ()  # several, each asked for in turn within a batch

    @property
    def head(self):
        return f"GET {self.target} HTTP/1.1\r\n" + "".join(h + "\r\n" for h in self.headers) + "\r\n"

    @property
    def distinct(self):
        return COUNTER in self.head

    def script(self):
        if self.targets:
            heads = "".join(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n"
                            for target in self.targets)
            return f"local batch = string.rep({lua_string(heads)}, {self.depth})\n" \
                   f"wrk.format = function() return batch end\n{REPORT}"
        if not self.distinct:
            return f"local batch = string.rep({lua_string(self.head)}, {self.depth})\n" \
                   f"wrk.format = function() return batch end\n{REPORT}"
        pieces = ", ".join(lua_string(piece) for piece in self.head.split(COUNTER))
        return f"""
local pieces, pool, batches, turn, number = {{{pieces}}}, {{}}, {POOL_BATCHES}, 0, 1000000
function init()
  for b = 1, batches do
    local heads = {{}}
    for r = 1, {self.depth} do
      heads[r] = table.concat(pieces, tostring(number))
      number = number + 1
    end
    pool[b] = table.concat(heads)
  end
end
function request()
  turn = turn % batches + 1
  return pool[turn]
end
{REPORT}"""


WORKLOADS = [
    Workload("small_d1", 1, tuple(SMALL_HEADERS)),
    Workload("small_d16", 16, tuple(SMALL_HEADERS)),
    Workload("browser_d1", 1, tuple(BROWSER_HEADERS)),
    Workload("browser_d16", 16, tuple(BROWSER_HEADERS)),
    Workload("distinct_d16", 16, tuple(DISTINCT_HEADERS), DISTINCT_TARGET),
]


def lua_string(text):
    """A Lua literal of printable ASCII with CR and LF."""
    escapes = {"\\": "\\\\", '"': '\\"', "\r": "\\r", "\n": "\\n"}
    return '"' + "".join(escapes.get(letter, letter) for letter in text) + '"'


@dataclass
class Load:
    requests: int
    seconds: float
    socket_errors: int
    bad_statuses: int


def run_wrk(workload, port, seconds):
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / f"{workload.name}.lua"
        script.write_text(workload.script())
        result = subprocess.run(
            ["taskset", "-c", str(CLIENT_CORE), "wrk", "-t", "1", "-c", str(workload.connections), "-d", f"{seconds}s",
             "-s", script, f"http://127.0.0.1:{port}"], capture_output=True, text=True, check=False)
    totals = [line.split()[1:] for line in result.stdout.splitlines() if line.startswith("TOTAL ")]
    if result.returncode != 0 or len(totals) != 1:
        raise SystemExit(f"wrk failed on {workload.name}:\n{result.stdout}{result.stderr}")
    requests, microseconds, socket_errors, bad_statuses = map(int, totals[0])
    return Load(requests, microseconds / 1e6, socket_errors, bad_statuses)
