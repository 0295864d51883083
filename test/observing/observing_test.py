#!/usr/bin/env python3
"""What others make of what Leat shows: Prometheus of its metrics and of the rules and dashboard in packaging/, and a browser of
the page that the handler leat:dashboard sends.

    observing_test.py LEAT FOLDER_OF_DEMO_PLUGIN [--picture FILE]    --picture: makes the screenshot of docs/observing.md anew

The browser is Chromium without a window. It runs the page as it is, under its policy, and must have nothing to complain of.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "packaging/prometheus/leat.rules.yml"
GRAFANA = ROOT / "packaging/grafana/leat.json"
PATIENCE = 60
CONFIGURATION = """[server]
listen = ["127.0.0.1:0"]
workers = 2
admin_socket = "{folder}/admin"
[[plugin]]
name = "demo"
file = "demo.so"
[[route]]
path = "/dashboard"
handler = "leat:dashboard"
[[route]]
path = "/metrics"
handler = "leat:metrics"
[[route]]
path = "/users/{{id}}"
handler = "demo:users"
[[route]]
path = "/sleep/{{ms}}"
handler = "demo:sleep"
[[route]]
path = "/stored"
handler = "demo:json"
[route.cache]
ttl = "1d"
"""


class Daemon:
    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="leat-observing-"))
        (self.folder / "leat.toml").write_text(CONFIGURATION.format(folder=self.folder))
        self.log = (self.folder / "log").open("w+b")
        self.process = subprocess.Popen([LEAT, "run", "-c", str(self.folder / "leat.toml"), "--plugin-path", PLUGINS],
                                        stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        deadline = time.monotonic() + PATIENCE
        while not (found := re.search(r"listening on (\S+)", (self.folder / "log").read_text())):
            assert self.process.poll() is None and time.monotonic() < deadline, (self.folder / "log").read_text()
            time.sleep(0.02)
        self.address = "http://" + found[1]

    def ask(self, path):
        try:
            with urllib.request.urlopen(self.address + path, timeout=PATIENCE) as answer:
                return answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.read().decode()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(PATIENCE)
        self.log.close()
        shutil.rmtree(self.folder)
        assert status == 0, status


class Traffic:
    """Requests, again and again, as long as this lasts."""

    def __init__(self, daemon):
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(daemon, at)) for at in range(3)]

    def run(self, daemon, at):
        paths = ["/users/7", "/stored", "/users/1", "/nowhere", f"/sleep/{at * 10 + 3}"]
        while not self.over.is_set():
            for path in paths:
                daemon.ask(path)

    def __enter__(self):
        for thread in self.threads:
            thread.start()

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()


def run(command, **more):
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE, **more)


def browse(daemon, *options, seconds=6):
    """What Chromium says after so long on the dashboard: stdout and stderr."""
    with tempfile.TemporaryDirectory(prefix="leat-chromium-", ignore_cleanup_errors=True) as home:
        found = run([CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                     "--disable-background-networking", "--disable-component-update", "--disable-extensions",
                     f"--user-data-dir={home}", "--enable-logging=stderr", "--hide-scrollbars",
                     "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
                     f"--timeout={seconds * 1000}", *options, daemon.address + "/dashboard"],
                    env={**os.environ, "HOME": home})
        return found.stdout, found.stderr


class Observing(unittest.TestCase):
    def test_prometheus_takes_all_that_is_shown(self):
        with Daemon() as daemon:
            for path in ("/users/7", "/stored", "/stored", "/nowhere", "/sleep/3"):
                daemon.ask(path)
            text = daemon.ask("/metrics")
        self.assertIn('leat_requests_total{route="GET /users/{id}"', text)
        self.assertIn("process_cpu_seconds_total", text)
        found = subprocess.run([PROMTOOL, "check", "metrics"], input=text, capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual((found.returncode, found.stdout, found.stderr), (0, "", ""))

    def test_rules_are_good_and_say_what_they_are_to(self):
        for command in (["check", "rules", "--lint=all", str(RULES)],
                        ["test", "rules", str(RULES.with_name("leat.rules.test.yml"))]):
            found = run([PROMTOOL, *command])
            self.assertEqual(found.returncode, 0, found.stdout + found.stderr)

    def test_rules_and_the_dashboard_for_grafana_ask_for_what_there_is(self):
        known = set(re.findall(r"^\| `(\w+)`", run([LEAT, "metrics", "--markdown"]).stdout, re.M))
        self.assertIn("leat_requests_total", known)
        texts = [RULES.read_text(), json.dumps(json.loads(GRAFANA.read_text()))]
        for text in texts:
            asked = {re.sub(r"_bucket$", "", name) for name in re.findall(r"\b((?:leat|process)_\w+)", text)}
            self.assertTrue(asked)
            self.assertEqual(asked - known, set())
        for panel in json.loads(GRAFANA.read_text())["panels"]:
            for target in panel["targets"]:
                expression = re.sub(r"\[\$__rate_interval\]", "[5m]", target["expr"])
                rule = f"groups: [{{name: a, rules: [{{record: 'a:b', expr: {json.dumps(expression)}}}]}}]\n"
                with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
                    file.write(rule)
                    file.flush()
                    found = run([PROMTOOL, "check", "rules", file.name])
                self.assertEqual(found.returncode, 0, (expression, found.stdout + found.stderr))

    def test_the_page_of_metrics_is_what_the_table_says(self):
        self.assertEqual((ROOT / "docs/metrics.md").read_text(), run([LEAT, "metrics", "--markdown"]).stdout,
                         "run: leat metrics --markdown > docs/metrics.md")

    def test_a_browser_shows_the_dashboard_live(self):
        with Daemon() as daemon, Traffic(daemon):
            page, said = browse(daemon, "--dump-dom")
        self.assertRegex(page, r'<span id="state" class="live">serving</span>')
        self.assertIn("GET /users/{id}", page)
        self.assertRegex(page, r'<div class="now" id="rate">[\d.]+')
        self.assertRegex(page, r'<path class="s0" d="M')  # a line of a chart
        self.assertRegex(page, r"<td>demo</td><td>serving</td>")
        self.assertNotRegex(said, r"(?i)CONSOLE|refused to|content security policy|uncaught")
        # Nothing in it names another place.
        self.assertEqual(set(re.findall(r"https?://[^\s\"'<]+", page)) - {"http://www.w3.org/2000/svg"}, set())

    def test_it_is_light_and_dark(self):
        with tempfile.TemporaryDirectory() as folder, Daemon() as daemon:
            pictures = []
            for name, options in (("light", []), ("dark", ["--blink-settings=preferredColorScheme=0"])):
                file = Path(folder) / f"{name}.png"
                browse(daemon, f"--screenshot={file}", "--window-size=900,700", *options, seconds=2)
                pictures.append(file.read_bytes())
            self.assertTrue(all(each.startswith(b"\x89PNG") for each in pictures))
            self.assertNotEqual(*pictures)


def take_picture(file):
    with Daemon() as daemon, Traffic(daemon):
        browse(daemon, f"--screenshot={file}", "--window-size=1100,900", seconds=25)


if __name__ == "__main__":
    LEAT, PLUGINS = sys.argv[1:3]
    PROMTOOL, CHROMIUM = shutil.which("promtool"), shutil.which("chromium")
    if "--picture" in sys.argv:
        sys.exit(take_picture(Path(sys.argv[-1]).resolve()))
    assert PROMTOOL and CHROMIUM, "promtool (package prometheus) and chromium are needed"
    unittest.main(argv=sys.argv[:1])
