#!/usr/bin/env python3
"""The access log in a real journal, as fields and by syslog's socket.

    journal_test.py LEAT DEMO_PLUGIN

A journald of its own runs in a mount namespace, with a /run that is empty before. It needs root and systemd-journald.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

JOURNALD = "/lib/systemd/systemd-journald"
PATIENCE = 30

INSIDE = r"""
mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/journal /run/systemd/journald.conf.d /run/log/journal &&
printf '[Journal]\nAudit=no\nReadKMsg=no\n' > /run/systemd/journald.conf.d/test.conf && exec "$@"
"""


def wait_for(found):
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        result = found()
        if result:
            return result
        time.sleep(0.05)
    raise AssertionError("it did not happen in time")


def possible():
    return (os.geteuid() == 0 and os.path.exists(JOURNALD) and shutil.which("journalctl") and
            subprocess.run(["unshare", "-m", "true"], check=False, capture_output=True).returncode == 0 and
            Path("/etc/machine-id").exists() and Path("/etc/machine-id").read_text().strip())


@unittest.skipUnless(possible(), "needs root, namespaces and systemd-journald")
class Journal(unittest.TestCase):
    def setUp(self):
        self.leat, self.demo = (os.path.abspath(path) for path in ARGUMENTS)
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def start(self, *command):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)
        return process

    def inside(self, *command):
        """Runs a command where the journal is."""
        return subprocess.run(["nsenter", "-m", "-t", str(self.journald.pid), *command], check=False, capture_output=True,
                              text=True)

    def entries(self, match):
        output = self.inside("journalctl", "--no-pager", "-o", "json", match).stdout
        return [json.loads(line) for line in output.splitlines()]

    def log_to(self, options):
        self.journald = self.start("unshare", "-m", "--propagation", "private", "sh", "-c", INSIDE, "sh", JOURNALD)
        wait_for(lambda: self.inside("test", "-S", "/run/systemd/journal/dev-log").returncode == 0)
        configuration = Path(self.folder.name, "leat.toml")
        configuration.write_text(f'[server]\nlisten = "unix:{self.folder.name}/leat"\n[[plugin]]\nname = "demo"\n'
                                 f'file = "{self.demo}"\n[[route]]\npath = "/json"\nhandler = "demo:json"\n'
                                 f'[[middleware]]\nkind = "request_id"\n[[middleware]]\nkind = "access_log"\n{options}')
        self.start("nsenter", "-m", "-t", str(self.journald.pid), self.leat, "run", "-c", str(configuration), "--workers", "1",
                   "--no-supervise")
        return wait_for(self.ask)

    def ask(self):
        """The answer's fields."""
        try:
            with socket.socket(socket.AF_UNIX) as peer:
                peer.connect(f"{self.folder.name}/leat")
                peer.sendall(b"GET /json HTTP/1.1\r\nHost: a.example\r\nX-Name: \xff\r\nConnection: close\r\n\r\n")
                answer = b""
                while piece := peer.recv(65536):
                    answer += piece
        except OSError:
            return None
        return dict(line.lower().split(": ", 1) for line in answer.decode().split("\r\n\r\n")[0].split("\r\n")[1:])

    def test_fields_are_the_journals(self):
        answer = self.log_to('to = "journald"\nfields = ["method", "host", "status", "request_id", "cache", "header:x-name"]\n')
        entry = wait_for(lambda: self.entries("LEAT_STATUS=200"))[0]
        self.assertEqual(entry["LEAT_METHOD"], "GET")
        self.assertEqual(entry["LEAT_HOST"], "a.example")
        self.assertEqual(entry["LEAT_REQUEST_ID"], answer["x-request-id"])
        self.assertEqual(entry["SYSLOG_IDENTIFIER"], "leat")
        self.assertEqual(entry["PRIORITY"], "6")
        self.assertEqual(entry["LEAT_HEADER_X_NAME"], "\ufffd")
        self.assertIn('unix: "GET /json" 200 27 ', entry["MESSAGE"])
        self.assertNotIn("LEAT_CACHE", entry)

    def test_syslog_takes_messages(self):
        self.log_to('to = "syslog"\nsocket = "/run/systemd/journal/dev-log"\nfacility = "local3"\nformat = "{method} {status}"\n')
        entry = wait_for(lambda: self.entries("SYSLOG_FACILITY=19"))[0]
        self.assertEqual(entry["MESSAGE"], "GET 200")
        self.assertEqual(entry["SYSLOG_IDENTIFIER"], "leat")
        self.assertEqual(entry["SYSLOG_PID"], entry["_PID"])
        self.assertEqual(entry["PRIORITY"], "6")


if __name__ == "__main__":
    ARGUMENTS = sys.argv[1:3]
    unittest.main(argv=sys.argv[:1])
