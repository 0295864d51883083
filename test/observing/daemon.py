"""The daemon, for tests that look at it from outside: in a folder of its own, and ended as an operator ends it."""

import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

PATIENCE = 60

# A configuration begins with it that has the demo plugin and shows what is counted.
DEMO = """[server]
listen = "127.0.0.1:0"
workers = 1
admin_socket = "{folder}/admin"
[[plugin]]
name = "demo"
file = "demo.so"
[[route]]
path = "/metrics"
handler = "leat:metrics"
"""


class Daemon:
    """`configuration` listens on one address; {folder} in it, and each of `places`, is filled in."""

    def __init__(self, leat, plugins, configuration, **places):
        self.folder = Path(tempfile.mkdtemp(prefix="leat-observing-"))
        (self.folder / "leat.toml").write_text(configuration.format(folder=self.folder, **places))
        self.log = (self.folder / "log").open("w+b")
        self.process = subprocess.Popen([leat, "run", "-c", str(self.folder / "leat.toml"), "--plugin-path", plugins],
                                        stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        deadline = time.monotonic() + PATIENCE
        while not (found := re.search(r"listening on (\S+)", (self.folder / "log").read_text())):
            assert self.process.poll() is None and time.monotonic() < deadline, (self.folder / "log").read_text()
            time.sleep(0.02)
        self.address = "http://" + found[1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(PATIENCE)
        self.log.close()
        shutil.rmtree(self.folder)
        assert status == 0, status
