"""ServedCase: a test of a daemon that serves one configuration until the test ends, and then ends by itself."""

import os
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

PATIENCE_S = 60  # far more than anything takes: it turns a hang into a failure


class ServedCase(unittest.TestCase):
    ended_by = signal.SIGTERM

    def temporary(self):
        """A folder that goes with the test."""
        folder = tempfile.TemporaryDirectory(prefix="leat-served-")
        self.addCleanup(folder.cleanup)
        return Path(folder.name)

    def start(self, leat, *arguments, **environment):
        """`leat run` with these arguments; it listens. What it says is in self.log."""
        self.log = self.temporary() / "log"
        with self.log.open("w") as log:
            self.daemon = subprocess.Popen([leat, "run", *arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                           env={**os.environ, **environment})
        self.addCleanup(self.stop)
        self.wait_until(lambda: "listening on" in self.log.read_text())

    def stop(self):
        self.daemon.send_signal(self.ended_by)
        try:
            self.assertEqual(self.daemon.wait(PATIENCE_S), 0, self.log.read_text())
        finally:
            self.daemon.kill()

    def wait_until(self, met):
        deadline = time.monotonic() + PATIENCE_S
        while not met():
            self.assertIsNone(self.daemon.poll(), self.log.read_text())
            self.assertLess(time.monotonic(), deadline, self.log.read_text())
            time.sleep(0.01)

    def ask_on(self, connection, method, target, body=None, **options):
        """(status, fields, body) of a request on an HTTPConnection."""
        self.addCleanup(connection.close)
        connection.request(method, target, body, **options)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
