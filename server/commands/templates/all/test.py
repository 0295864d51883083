#!/usr/bin/env python3
"""Serves the plugin with the real daemon, on a socket of its own, and asks it.

    test.py LEAT PLUGIN.so
"""

import http.client
import json
import socket
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

LEAT, PLUGIN = (Path(argument).resolve() for argument in sys.argv[1:3])
CONFIG = Path(__file__).resolve().with_name("@NAME@.toml")
PATIENCE_S = 20  # far more than a start takes: it turns a hang into a failure


class Connection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path):
        super().__init__("localhost", timeout=PATIENCE_S)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Plugin(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.socket = f"{folder.name}/socket"
        cls.daemon = subprocess.Popen([LEAT, "run", "-c", CONFIG, "--plugin-path", PLUGIN.parent,
                                       "--listen", f"unix:{cls.socket}", "--workers", "1"])
        cls.addClassCleanup(cls.stop)
        deadline = time.monotonic() + PATIENCE_S
        while True:
            connection = Connection(cls.socket)
            try:
                return connection.connect()
            except OSError:
                if cls.daemon.poll() is not None or time.monotonic() > deadline:
                    raise
            finally:
                connection.close()
            time.sleep(0.01)

    @classmethod
    def stop(cls):
        cls.daemon.terminate()
        assert cls.daemon.wait(PATIENCE_S) == 0

    def ask(self, method, target, headers={}):
        """(status, the fields of the answer, its body)"""
        connection = Connection(self.socket)
        self.addCleanup(connection.close)
        connection.request(method, target, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()

@TESTS@

if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
