#!/usr/bin/env python3
"""Runs every test that the given build directories registered, and counts test cases.

    test/run_all.py [--fuzz DIR] [--seconds N] [--only NAME] [--script LINE] [--tally FILE] [--jobs N] DIR...

One more at a time than there are CPUs: most of them wait for something half of the time. Meson knows the programs (`meson introspect
--tests`); Catch2 knows its cases (the XML reporter). A program that crashes, hangs or leaves no whole report counts as one failed case,
whatever it managed to print. A Python test counts as one case, and so does each fuzz target, run for N seconds over its kept inputs.
The last line is `N passed, N failed`; the exit status is 0 only if nothing failed and something passed. With --tally
the counts begin with those that an earlier run left in FILE.
"""

import argparse
import concurrent.futures
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import xml.etree.ElementTree as xml
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SHOWN_LINES = 200  # of a failed program: enough for some failures, not a flood
SCRIPT_PATIENCE_S = 900  # for one that no build registers
SANITIZER_SLOWDOWN = 4  # what the address sanitizer at -O1 may cost a test
SANITIZER_OPTIONS = {
    "ASAN_OPTIONS": "abort_on_error=1:detect_stack_use_after_return=1",
    "UBSAN_OPTIONS": "halt_on_error=1:abort_on_error=1:print_stacktrace=1",
    "TSAN_OPTIONS": "halt_on_error=1",
}


class Tally:
    def __init__(self):
        self.passed = 0
        self.failed = 0
        self.telling = threading.Lock()

    def add(self, label, passed, failed, seconds, output="", note=""):
        with self.telling:
            self.tell(label, passed, failed, seconds, output, note)

    def tell(self, label, passed, failed, seconds, output, note):
        self.passed += passed
        self.failed += failed
        verdict = "FAILED" if failed else "ok"
        print(f"{verdict:6} {label}: {passed} of {passed + failed} cases{note} ({seconds:.1f} s)")
        if failed:
            lines = output.splitlines()
            if len(lines) > SHOWN_LINES:
                print(f"    ... {len(lines) - SHOWN_LINES} lines left out")
            for line in lines[-SHOWN_LINES:]:
                print("    " + line)
        sys.stdout.flush()


def run(command, env, cwd, timeout):
    """Runs to the end or the timeout, in a group of its own so that nothing of it is left behind.

    Returns (exit status or None for a timeout, output, seconds)."""
    started = time.monotonic()
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=log,
                                   stderr=subprocess.STDOUT, start_new_session=True)
        try:
            status = process.wait(timeout)
        except subprocess.TimeoutExpired:
            status = None
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()
        log.seek(0)
        output = log.read().decode("utf-8", "replace")
    return status, output, time.monotonic() - started


def ending(status, timeout):
    if status is None:
        return f"still running after {timeout} s"
    if status < 0:
        return f"killed by {signal.Signals(-status).name}"
    return f"exit status {status}"


def catch2_counts(report):
    """(passed, failed, skipped) test cases, or None when the report is missing or cut."""
    try:
        cases = xml.parse(report).getroot().find("OverallResultsCases")
    except (OSError, xml.ParseError):
        return None
    if cases is None:
        return None
    return (int(cases.get("successes")) + int(cases.get("expectedFailures")), int(cases.get("failures")),
            int(cases.get("skips", 0)))


def run_catch2(tally, label, test, build, env, timeout):
    with tempfile.TemporaryDirectory() as folder:
        report = os.path.join(folder, "report.xml")
        status, output, seconds = run(
            test["cmd"] + ["--reporter", f"xml::out={report}", "--reporter", "console::out=-"],
            env, test["workdir"] or build, timeout)
        counts = catch2_counts(report)
    passed, failed, skipped = counts or (0, 0, 0)
    if counts is None or (status != 0 and failed == 0):
        failed += 1
        output += f"\n{label}: {ending(status, timeout)}" + ("" if counts else ", no report")
    elif passed + failed == 0:
        failed += 1
        output += f"\n{label}: ran no test case"
    tally.add(label, passed, failed, seconds, output, f", {skipped} skipped" if skipped else "")


def run_script(tally, label, test, build, env, timeout):
    status, output, seconds = run(test["cmd"], env, test["workdir"] or build, timeout)
    failed = int(status != 0)
    if failed:
        output += f"\n{label}: {ending(status, timeout)}"
    tally.add(label, 1 - failed, failed, seconds, output)


def introspect(what, build):
    return json.loads(subprocess.check_output(["meson", "introspect", f"--{what}", build], cwd=ROOT))


def sanitized(build):
    value = {option["name"]: option["value"] for option in introspect("buildoptions", build)}["b_sanitize"]
    return value not in ("none", [], "")


def run_build(tally, build, only, jobs):
    """Those of a high priority begin first: what takes long must not be what is waited for at the end."""
    slowdown = SANITIZER_SLOWDOWN if sanitized(build) else 1
    tests = [test for test in introspect("tests", build) if not only or only == test["name"].split()[0]]
    tests.sort(key=lambda test: -test["priority"])

    def run_one(test):
        env = {**SANITIZER_OPTIONS, **os.environ, **test["env"]}
        is_script = any(word.endswith(".py") for word in test["cmd"])
        runner = run_script if is_script else run_catch2
        runner(tally, f"{build}: {test['name']}", test, build, env, test["timeout"] * slowdown)

    side_by_side(run_one, tests, jobs)


def side_by_side(run_one, what, jobs):
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for done in concurrent.futures.as_completed([pool.submit(run_one, each) for each in what]):
            done.result()


def fuzz(tally, build, seconds, jobs):
    """New inputs go to a temporary folder; the inputs kept in test/fuzz/corpus/<target> are only read."""
    targets = [target for target in introspect("targets", build)
               if target["type"] == "executable" and "test/fuzz/" in target["defined_in"]]

    def run_one(target):
        kept = ROOT / "test/fuzz/corpus" / target["name"]
        with tempfile.TemporaryDirectory() as found:
            command = [target["filename"][0], f"-max_total_time={seconds}", f"-artifact_prefix={found}/",
                       "-print_final_stats=1", found] + ([str(kept)] if kept.is_dir() else [])
            status, output, spent = run(command, {**SANITIZER_OPTIONS, **os.environ}, ROOT, seconds * 4 + 60)
            for crash in Path(found).glob("*-*"):
                if crash.name.split("-")[0] in ("crash", "leak", "timeout", "oom"):
                    output += f"\n{crash.name}: {crash.read_bytes()!r}"
        failed = int(status != 0)
        tally.add(f"{build}: {target['name']}", 1 - failed, failed, spent, output)

    side_by_side(run_one, targets, jobs)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("builds", nargs="*", metavar="DIR")
    parser.add_argument("--fuzz", metavar="DIR", help="a build directory with fuzz targets")
    parser.add_argument("--script", metavar="LINE", help="a Python test that no build registers, and its arguments")
    parser.add_argument("--seconds", type=int, default=30, help="for each fuzz target (%(default)s)")
    parser.add_argument("--only", metavar="NAME", help="run only the test of this name")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() + 1, help="tests at a time (%(default)s)")
    parser.add_argument("--tally", metavar="FILE", type=Path, help="counts of the runs before this one")
    options = parser.parse_args()
    tally = Tally()
    if options.tally and options.tally.is_file() and options.tally.stat().st_size:
        tally.passed, tally.failed = json.loads(options.tally.read_text())
    for build in options.builds:
        run_build(tally, build, options.only, options.jobs)
    if options.script:
        name, *arguments = options.script.split()
        test = {"cmd": [sys.executable, name, *arguments], "workdir": ROOT}
        run_script(tally, name, test, None, {**os.environ}, SCRIPT_PATIENCE_S)
    if options.fuzz:
        fuzz(tally, options.fuzz, options.seconds, options.jobs)
    if options.tally:
        options.tally.write_text(json.dumps([tally.passed, tally.failed]))
    print(f"{tally.passed} passed, {tally.failed} failed")
    return 0 if tally.passed and not tally.failed else 1


if __name__ == "__main__":
    sys.exit(main())
