"""A machine to install packages on: this one's file system, or that of another release in a folder, below a layer that is
thrown away, with namespaces and a real systemd of its own. Whatever is done in it is seen nowhere else. Needs root.
"""

import json
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

PATIENCE_S = 120  # far more than anything takes: it turns a hang into a failure

# Runs as the first process of its namespaces. What would change the kernel that all share is read-only, as in a container;
# systemd leaves alone what it finds so.
BOOT = r"""
set -e
cd "$1"
mount --make-rprivate /
lower=$2
mount -t tmpfs tmpfs .
mkdir up work root
mount -t overlay overlay -o lowerdir="$lower",upperdir=up,workdir=work root
mount -t proc proc root/proc
mount --bind root/proc/sys root/proc/sys
mount -o remount,bind,ro root/proc/sys
mount -t sysfs -o ro sysfs root/sys
mount -t cgroup2 cgroup2 root/sys/fs/cgroup
mount -t tmpfs tmpfs root/run
mount -t tmpfs tmpfs root/tmp
mount -t tmpfs -o mode=755 tmpfs root/dev
for device in null:3 zero:5 full:7 random:8 urandom:9; do mknod -m 666 "root/dev/${device%:*}" c 1 "${device#*:}"; done
mknod -m 666 root/dev/tty c 5 0
mkdir root/dev/pts root/dev/shm root/dev/mqueue
mount -t devpts -o newinstance,ptmxmode=666 devpts root/dev/pts
ln -s pts/ptmx root/dev/ptmx
ln -s /proc/self/fd root/dev/fd
ip link set lo up
: > root/etc/machine-id
# What this machine runs itself is none of the test's, and no policy of its own is to keep services from being started.
rm -rf root/etc/systemd/system/*.wants root/usr/sbin/policy-rc.d
# The unit is judged, not what a machine has besides it.
for unit in systemd-udevd.service systemd-sysctl.service proc-sys-fs-binfmt_misc.automount dev-hugepages.mount; do
  ln -sf /dev/null "root/etc/systemd/system/$unit"
done
# Not chroot: below one, the kernel lets nobody make a user namespace, as PrivateUsers= does.
cd root
pivot_root . mnt
umount -l /mnt
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin container=test /lib/systemd/systemd --unit=basic.target \
  --log-target=console --log-level=warning --show-status=no
"""


class Machine:
    def __init__(self, folder, root="/"):
        """Boots what is installed in `root`, which is only read; `folder` is an empty one of the caller's."""
        self.log = Path(folder, "boot.log")
        place = Path(folder, "machine")
        place.mkdir()
        with self.log.open("w") as log:
            self.holder = subprocess.Popen(
                ["unshare", "-fmpiun", "--cgroup", "--kill-child=KILL", "bash", "-c", BOOT, "boot", place,
                 Path(root).resolve()],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.init = None
        deadline = time.monotonic() + PATIENCE_S
        while self.init is None or self.status("systemctl is-active --quiet basic.target") != 0:
            if self.holder.poll() is not None or time.monotonic() > deadline:
                said = self.log.read_text()
                self.stop()
                raise AssertionError(f"it does not boot:\n{said}")
            time.sleep(0.2)
            children = Path(f"/proc/{self.holder.pid}/task/{self.holder.pid}/children").read_text().split()
            self.init = children[0] if children else None

    def stop(self):
        """With its first process all others of its namespaces end."""
        if self.init is not None:
            try:
                os.kill(int(self.init), 9)
            except ProcessLookupError:
                pass
        self.holder.kill()
        self.holder.wait()

    def command(self, line):
        return ["nsenter", "-t", self.init, "-m", "-p", "-u", "-i", "-n", "-C", "-r", "-w", "env", "-i",
                "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive",
                "sh", "-c", line]

    def start(self, line, **options):
        return subprocess.Popen(self.command(line), text=True, **options)

    def status(self, line):
        return subprocess.run(self.command(line), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, timeout=PATIENCE_S).returncode

    def run(self, line):
        """What it prints; it must succeed."""
        done = subprocess.run(self.command(line), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=PATIENCE_S)
        if done.returncode != 0:
            raise AssertionError(f"{line}: status {done.returncode}\n{done.stdout}")
        return done.stdout

    def put(self, path, content):
        """Writes a file there, with the folders that lead to it."""
        path = shlex.quote(str(path))
        done = subprocess.run(self.command(f'mkdir -p "$(dirname {path})" && cat > {path}'),
                              input=content if isinstance(content, bytes) else content.encode(), capture_output=True,
                              timeout=PATIENCE_S)
        assert done.returncode == 0, done.stderr


class Load:
    """load.py, asking what serves on a machine from its construction to end()."""

    def __init__(self, machine):
        # A program of this machine's, in that one's network.
        self.process = subprocess.Popen(["nsenter", "-t", machine.init, "-n", sys.executable,
                                         Path(__file__).with_name("load.py")], text=True, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        said = self.process.stdout.readline()
        assert said == "begins\n", said + self.process.communicate()[0]

    def end(self):
        """How many requests were answered, and what went wrong."""
        told, _ = self.process.communicate("\n", timeout=PATIENCE_S)
        return json.loads(told)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()
