"""What a configuration of many routes costs: `leat check`, the time until a daemon listens, and its memory.

    bench/load_bench.py build/server/leat [ROUTES...]

Each figure is the least of several runs; memory is what the process holds beyond one with ten routes. CPU time is what to
compare on a machine that others use as well.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 5
FEW = 10


def configuration(folder, routes):
    file = folder / f"{routes}.toml"
    lines = ['[server]', 'listen = ["127.0.0.1:0"]', 'workers = 1', f'admin_socket = "{folder}/admin"', '[[middleware]]',
             'kind = "request_id"', '[[middleware]]', 'kind = "security_headers"', '[[plugin]]', 'name = "demo"',
             'file = "demo.so"']
    for i in range(routes):
        lines += ['[[route]]', f'path = "/shop/articles/{i}"', 'handler = "demo:welcome"']
    file.write_text("\n".join(lines) + "\n")
    return file


def check(leat, file):
    """Wall time and CPU time in ms, and the most memory in KiB, of `leat check`."""
    begin = time.monotonic()
    process = subprocess.Popen([leat, "check", "-c", file], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - begin
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{leat} check failed on {file}")
    return wall * 1000, (usage.ru_utime + usage.ru_stime) * 1000, usage.ru_maxrss


def memory(process):
    """What it holds now, and has held at most, in KiB."""
    values = dict(line.split(":", 1) for line in Path(f"/proc/{process}/status").read_text().splitlines())
    return tuple(int(values[name].split()[0]) for name in ("VmRSS", "VmHWM"))


def serve(leat, file):
    """Ms until it listens, and the memory of the process that serves."""
    begin = time.monotonic()
    process = subprocess.Popen([leat, "run", "-c", file], stderr=subprocess.PIPE, text=True)
    for line in process.stderr:
        if "listening on" in line:
            break
    else:
        sys.exit(f"{leat} run failed on {file}")
    wall = time.monotonic() - begin
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    held = memory(children[0])
    process.send_signal(signal.SIGTERM)
    process.communicate()
    return wall * 1000, *held


def least(rounds):
    return [min(values) for values in zip(*rounds)]


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    leat = sys.argv[1]
    counts = [int(text) for text in sys.argv[2:]] or [10_000, 50_000]
    with tempfile.TemporaryDirectory(prefix="leat-load-") as name:
        folder = Path(name)
        base = None
        print(f"{'routes':>8} {'check':>9} {'its CPU':>9} {'memory':>10} {'listens':>9} {'serving':>10} {'at most':>10}")
        for routes in [FEW, *counts]:
            file = configuration(folder, routes)
            checks = least(check(leat, file) for _ in range(ROUNDS))
            serves = least(serve(leat, file) for _ in range(ROUNDS))
            base = base or (checks, serves)
            more = [f"{(value - other) / 1024:7.1f}MiB" for value, other in
                    ((checks[2], base[0][2]), (serves[1], base[1][1]), (serves[2], base[1][2]))]
            print(f"{routes:>8} {checks[0]:7.0f}ms {checks[1]:7.0f}ms {more[0]:>10} {serves[0]:7.0f}ms {more[1]:>10} {more[2]:>10}")


if __name__ == "__main__":
    main()
