"""Runs the programs of Google Benchmark. Figures are CPU nanoseconds an iteration, spread over repetitions."""

import json
import statistics
import subprocess

import servers

BUILD = servers.ROOT / "build-bench"


def spread(values):
    return {"min": min(values), "median": statistics.median(values), "max": max(values), "rounds": len(values)}


def run(program, repetitions):
    """{"command", "rows": {name: spread}, "sizes": {name before the first slash: bytes}, "failures": [text]}

    Repetitions of all rows are interleaved at random, so that a noisy moment does not fall on one row alone."""
    command = ["taskset", "-c", str(servers.CLIENT_CORE), f"build-bench/bench/{program}", "--benchmark_format=json",
               f"--benchmark_repetitions={repetitions}", "--benchmark_min_time=0.02",
               "--benchmark_enable_random_interleaving=true"]
    if not (BUILD / "bench" / program).exists():
        raise SystemExit(f"{program} was not built: the libraries that it compares are not installed")
    result = subprocess.run(command, cwd=servers.ROOT, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise SystemExit(f"{program} ended with status {result.returncode}: {result.stderr.strip()}")
    times, sizes, failures = {}, {}, set()
    for row in json.loads(result.stdout)["benchmarks"]:
        if row.get("error_occurred"):
            failures.add(f"{row['run_name']}: {row['error_message']}")
        elif row["run_type"] == "iteration":
            times.setdefault(row["run_name"], []).append(row["cpu_time"])
            if "bytes" in row:
                sizes[row["run_name"].split("/")[0]] = int(row["bytes"])
    rows = {name: spread(values) for name, values in sorted(times.items())}
    return {"command": " ".join(command), "unit": "ns", "rows": rows, "sizes": dict(sorted(sizes.items())),
            "failures": sorted(failures)}
