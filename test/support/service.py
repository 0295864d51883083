"""Service: a daemon as a service manager runs it that holds its socket (sd_listen_fds(3)) and hears what it says (sd_notify(3)),
so that it can be stopped, started, and replaced by its own successor while clients connect."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

PATIENCE_S = 60


class Service:
    """`command` is started with a listening socket on a port of its own, `port`, which stays while the daemon does not."""

    def __init__(self, folder, command, more=()):
        self.command = command
        self.environment = {**os.environ, **dict(more), "LISTEN_FDS": "1", "NOTIFY_SOCKET": f"{folder}/notify"}
        self.log = Path(folder, "service.log")
        self.listening = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self.port = self.listening.getsockname()[1]
        self.notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notices.bind(f"{folder}/notify")
        self.notices.settimeout(0.01)
        self.main = self.child = None
        self.is_ready = False

    def start(self):
        """Returns at once; until `ready()` clients wait in the socket's queue."""
        if self.child is not None:
            self.child.wait(PATIENCE_S)
        self.is_ready = False
        # The shell is replaced by the daemon, whose pid it has told.
        script = '[ $0 = 3 ] || eval "exec 3<&$0 $0<&-"; LISTEN_PID=$$ exec "$@"'
        number = self.listening.fileno()
        with self.log.open("ab") as log:
            self.child = subprocess.Popen(["bash", "-c", script, str(number), *self.command], env=self.environment,
                                          pass_fds=[number], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.main = self.child.pid

    def hear(self):
        """Takes what the daemon has said."""
        with contextlib.suppress(TimeoutError):
            while True:
                for line in self.notices.recv(4096).decode().splitlines():
                    if line == "READY=1":
                        self.is_ready = True
                    elif line.startswith("MAINPID="):
                        self.main = int(line.partition("=")[2])

    def ready(self):
        deadline = time.monotonic() + PATIENCE_S
        while not self.is_ready:
            self.hear()
            assert time.monotonic() < deadline, "the service is not ready"
            assert self.is_running(), f"the service ended before it was ready\n{self.log.read_text()}"

    def is_running(self, pid=None):
        """Whether the daemon's main process runs, or the one of this number. Not every one is a child of this process."""
        if self.child is not None:
            self.child.poll()  # a child that has ended is a zombie until then
        try:
            with open(f"/proc/{pid or self.main}/stat") as stat:
                return stat.read().rpartition(")")[2].split()[0] not in "ZX"
        except FileNotFoundError:
            return False

    def serving(self):
        """The process that serves: a child of the main one, which watches it."""
        with open(f"/proc/{self.main}/task/{self.main}/children") as children:
            return int(children.read().split()[0])

    def await_end(self, pid):
        deadline = time.monotonic() + PATIENCE_S
        while self.is_running(pid):
            assert time.monotonic() < deadline, f"process {pid} does not end"
            time.sleep(0.002)

    def stop(self):
        self.hear()
        if self.is_running():
            os.kill(self.main, signal.SIGTERM)
            self.await_end(self.main)

    def restart(self):
        self.stop()
        self.start()
        self.ready()

    def __enter__(self):
        self.start()
        self.ready()
        return self

    def __exit__(self, *_):
        try:
            self.stop()
        finally:
            self.listening.close()
            self.notices.close()
