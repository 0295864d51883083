#!/usr/bin/env python3
"""What others make of what Leat shows: Prometheus of its metrics and of the rules and dashboard in packaging/, and a browser of
the page that the handler leat:dashboard sends.

    observing_test.py LEAT FOLDER_OF_DEMO_PLUGIN [--picture FILE]    --picture: makes the screenshot of docs/observing.md anew

The browser is Chromium without a window. It runs the page as it is, under its policy, and must have nothing to complain of.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.request
from pathlib import Path

from browser import CHROMIUM, Browser
from daemon import Daemon

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


class Watched(Daemon):
    def __init__(self):
        super().__init__(LEAT, PLUGINS, CONFIGURATION)

    def ask(self, path):
        try:
            with urllib.request.urlopen(self.address + path, timeout=PATIENCE) as answer:
                return answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.read().decode()


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


LIVE = "document.getElementById('state').className === 'live'"


class Observing(unittest.TestCase):
    def test_prometheus_takes_all_that_is_shown(self):
        with Watched() as daemon:
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
        with Watched() as daemon, Traffic(daemon), Browser(daemon.address + "/dashboard") as browser:
            browser.wait_for(LIVE)
            browser.wait_for("document.getElementById('routes').innerText.includes('GET /users/{id}')")
            browser.wait_for("/^[0-9.]+/.test(document.getElementById('rate').textContent)")
            browser.wait_for("(document.querySelector('#rateChart path.s0').getAttribute('d').match(/L/g) || []).length >= 2")
            self.assertRegex(browser.evaluate("document.getElementById('plugins').innerText"), r"demo\s+serving")
            # Its style is in force, for each kind of eyes.
            back = "getComputedStyle(document.body).backgroundColor"
            seen = []
            for scheme in ("light", "dark"):
                browser.colours(scheme)
                seen.append((browser.evaluate(back), browser.picture()))
            self.assertEqual(seen[0][0], "rgb(244, 245, 247)")
            self.assertEqual(seen[1][0], "rgb(16, 21, 28)")
            self.assertNotEqual(seen[0][1], seen[1][1])
            self.assertEqual(browser.said, [])
            self.assertEqual({url for url in browser.asked if not url.startswith("data:")} - {"about:blank"},
                             {daemon.address + "/dashboard"})
            # The policy forbids what is not in the page.
            browser.evaluate("const added = document.createElement('script'); added.textContent = 'window.added = true';"
                             " document.head.append(added)")
            self.assertFalse(browser.evaluate("window.added === true"))


def take_picture(file):
    with Watched() as daemon, Traffic(daemon), Browser(daemon.address + "/dashboard", 1100, 1020) as browser:
        browser.wait_for(LIVE)
        time.sleep(45)
        file.write_bytes(browser.picture())


if __name__ == "__main__":
    LEAT, PLUGINS = sys.argv[1:3]
    PROMTOOL = shutil.which("promtool")
    if "--picture" in sys.argv:
        sys.exit(take_picture(Path(sys.argv[-1]).resolve()))
    assert PROMTOOL and CHROMIUM, "promtool (package prometheus) and chromium are needed"
    unittest.main(argv=sys.argv[:1])
