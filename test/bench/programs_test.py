#!/usr/bin/env python3
"""That the whole suite can run: each of its programs for a moment, without looking at the times, its routes, and the
page of results that lack everything.

    programs_test.py LEAT ALLOCATION_COUNT PLUGIN_FOLDER... -- PROGRAM...
"""

import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))

import analysis_page
import full_bench
import http_suite

# Rows that the page names, by program.
ROWS = {
    "leat-encode-bench": ["P1/twice/struct", "P2/twice/struct", "P4/once/struct", "P4/once/peer_yyjson_built",
                          "P4/once/peer_rapidjson", "P8/once/direct"],
    "leat-read-bench": ["P1/read/leat", "P2/read/peer_yyjson", "P4/read/peer_rapidjson_reader"],
    "leat-read-bench-native": ["P4/read/leat"],
    "leat-request-bench": ["application/json", "application/distinct", "chain/0", "chain/3", "chain/10",
                           "parameters/none", "parameters/P11", "cache/P7/hit", "cache/P4/handler", "cache/P4/miss",
                           "store/hit", "store/miss", "store/put", "p5/sequential", "p5/concurrent", "p5/gathered",
                           "gather/instant", "gather/waiting"],
    "leat-kind-bench": [f"kind/{name}" for name in ("none", "request_id", "trace_context", "access", "rate_limit",
                                                    "api_key", "cors", "security_headers", "seven")],
    "leat-pool-bench": [f"{kind}/{way}/{count}" for kind in ("request", "connection", "buffer", "segment")
                        for way in ("pooled", "direct") for count in (1, 64)],
}


class Suite(unittest.TestCase):
    leat, allocation_count, kind_allocation_count, folders, programs = "", "", "", [], []

    def test_each_program_measures_its_rows(self):
        if not self.programs:
            self.skipTest("built without Google Benchmark")
        for program in self.programs:
            output = subprocess.run([program, "--benchmark_min_time=0.000001", "--benchmark_format=json"], check=True,
                                    capture_output=True, text=True).stdout
            rows = json.loads(output)["benchmarks"]
            self.assertEqual([row["error_message"] for row in rows if row.get("error_occurred")], [], program)
            for name in ROWS[Path(program).name]:
                self.assertIn(name, [row["name"] for row in rows], program)

    def test_no_request_asks_the_heap(self):
        output = subprocess.run([self.allocation_count], check=True, capture_output=True, text=True).stdout
        self.assertEqual(json.loads(output), dict.fromkeys(["json", "p4", "p4_events", "cached_p4", "p11", "gather_10",
                                                            "gather_10_waiting"], 0))

    def test_no_kind_of_middleware_asks_the_heap(self):
        output = subprocess.run([self.kind_allocation_count], check=True, capture_output=True, text=True).stdout
        counts = json.loads(output)
        self.assertEqual(counts, dict.fromkeys(counts, 0))
        self.assertIn("seven", counts)

    def test_the_daemon_takes_the_suite_and_its_104_routes(self):
        folders = [word for folder in self.folders for word in ("--plugin-path", folder)]
        subprocess.run([self.leat, "check", "-c", ROOT / "bench/suite.toml", *folders], check=True, capture_output=True)
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
            file.write(http_suite.route_table())
            file.flush()
            shown = subprocess.run([self.leat, "routes", "-c", file.name, *folders], check=True, capture_output=True,
                                   text=True).stdout
        self.assertEqual(shown.count("/test/path/") + shown.count("/api/users/") + shown.count("/json") +
                         shown.count("/plaintext"), 104)

    def test_rows_have_names_of_their_own(self):
        names = [row.name for row in [*http_suite.matrix(), *http_suite.route_rows()]]
        self.assertEqual(len(names), len(set(names)))
        self.assertEqual({(row.depth, row.connections) for row in http_suite.matrix()},
                         {(depth, connections) for depth in (1, 16) for connections in (1, 64, 256)})

    def test_the_page_says_what_was_not_measured(self):
        machine = {"commit": "0000000", "date": "2026-01-01", "cpu": "a CPU", "cores": 2, "kernel": "6", "compiler": "g++"}
        failed = {name: {"failed": "no such program"} for name in full_bench.PARTS}
        for results in ({"machine": machine}, {"machine": machine} | failed):
            page = analysis_page.page(results)
            for part in full_bench.PARTS:
                self.assertIn(f"Not measured: {part}.", page)


if __name__ == "__main__":
    split = sys.argv.index("--")
    Suite.leat, Suite.allocation_count, Suite.kind_allocation_count, *Suite.folders = sys.argv[1:split]
    Suite.programs = sys.argv[split + 1:]
    unittest.main(argv=sys.argv[:1])
