"""The real nginx, HAProxy and Caddy with their snippets of packaging/proxy, for tests that put them before Leat. Only addresses
are put in the place of those in a snippet. What is started is ended by its pid."""

import contextlib
import glob
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SNIPPETS = ROOT / "packaging/proxy"
PATIENCE = 30


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(condition, what):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited in vain: {what()}")
        time.sleep(0.01)


class Program:
    """Something that was started, with its output in a file."""

    def __init__(self, folder, command, **more):
        self.log_file = Path(tempfile.mkstemp(dir=folder, suffix=".log")[1])
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, **more)

    def log(self):
        return self.log_file.read_text(errors="replace")

    def wait_for_log(self, text):
        def come():
            assert self.process.poll() is None, self.log()
            return text in self.log()
        wait_for(come, lambda: f"`{text}` in\n{self.log()}")

    def wait_for_port(self, port):
        def answers():
            assert self.process.poll() is None, self.log()
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0
        wait_for(answers, lambda: f"port {port}\n{self.log()}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


def snippet(name, **places):
    """A file of packaging/proxy with other addresses, of `leat` and of the `web` side; each must be in it."""
    text = (SNIPPETS / name).read_text()
    for place, new in places.items():
        old = "127.0.0.1:8080" if place == "leat" else "listen 80" if name.startswith("nginx") else ":80"
        if place == "web" and name.startswith("nginx"):
            new = f"listen {new}"
        assert re.search(rf"{old}\b", text), f"{name} has no {old}"
        text = re.sub(rf"{old}\b", new, text)
    return text


class ProxyCase(unittest.TestCase):
    """A test that starts proxies in a folder of its own; what it started ends with it."""

    def setUp(self):
        self.programs = contextlib.ExitStack()
        self.addCleanup(self.programs.close)
        self.folder = self.programs.enter_context(tempfile.TemporaryDirectory())
        os.chmod(self.folder, 0o755)

    def file(self, name, text):
        path = Path(self.folder, name)
        path.write_text(text)
        return str(path)

    def start(self, command, **more):
        return self.programs.enter_context(Program(self.folder, command, **more))

    def serve(self, leat, configuration, *arguments, addresses=1):
        """Leat by that text. The program, and the ports that it listens on."""
        program = self.start([leat, "run", "-c", self.file("leat.toml", configuration), *arguments])

        def ports():
            return [int(port) for port in re.findall(r"listening on [^\n]*?:(\d+)\n", program.log())]

        def come():
            assert program.process.poll() is None, program.log()
            return len(ports()) == addresses
        wait_for(come, program.log)
        return program, ports()

    def nginx(self, blocks, port):
        module = "".join(f"load_module {path};\n" for path in glob.glob("/usr/lib/nginx/modules/ngx_stream_module.so"))
        configuration = f"""{module}daemon off; worker_processes 1; pid {self.folder}/nginx.pid; error_log stderr;
events {{ worker_connections 64; }}
{blocks}"""
        program = self.start(["nginx", "-p", self.folder, "-c", self.file("nginx.conf", configuration), "-e", "stderr"])
        program.wait_for_port(port)
        return program

    def nginx_http(self, text, port):
        temporary = "".join(f"{name}_temp_path {self.folder}/{name};" for name in
                            ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        return self.nginx(f"http {{ access_log off; {temporary}\n{text} }}", port)

    def haproxy(self, text, port):
        program = self.start(["haproxy", "-db", "-f", self.file("haproxy.cfg", text)])
        program.wait_for_port(port)
        return program

    def caddy(self, text, port):
        options = "{\n\tadmin off\n\tauto_https off\n}\n"
        program = self.start(["caddy", "run", "--adapter", "caddyfile", "--config", self.file("Caddyfile", options + text)],
                             env={**os.environ, "HOME": self.folder, "XDG_DATA_HOME": self.folder, "XDG_CONFIG_HOME": self.folder})
        program.wait_for_port(port)
        return program


def main(arguments):
    """Runs the tests of the program that calls it."""
    os.environ["PATH"] += ":/usr/sbin"
    for program in ("nginx", "haproxy", "caddy", "openssl"):
        if not shutil.which(program):
            sys.exit(f"{program} is missing: `./dev test` installs it")
    unittest.main(argv=arguments)
