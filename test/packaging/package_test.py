#!/usr/bin/env python3
"""Debian's packages on a machine of their own, with a real systemd: checked by lintian, installed, upgraded under load,
removed and purged.

    package_test.py FOLDER_OF_PACKAGES

`./dev package test` makes the packages first.
"""

import re
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

from machine import PATIENCE_S, Load, Machine

PACKAGES = Path(sys.argv.pop(1)).resolve()

def package(name):
    found = sorted(PACKAGES.glob(f"{name}_*.deb"))
    assert len(found) == 1, f"{PACKAGES} has {len(found)} packages {name}"
    return found[0]


class Packages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        holder = tempfile.TemporaryDirectory(prefix="leat-packages-")
        cls.addClassCleanup(holder.cleanup)
        cls.folder = Path(holder.name)
        cls.version = subprocess.check_output(["dpkg-deb", "-f", package("leat"), "Version"], text=True).strip()

    def boot(self):
        """A machine with nothing of Leat on it, and the packages in its folder /packages."""
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        machine = Machine(folder)
        self.addCleanup(machine.stop)
        for path in PACKAGES.glob("*.deb"):
            machine.put(f"/packages/{path.name.split('_')[0]}.deb", path.read_bytes())
        return machine

    def older(self, version, **changes):
        """The package of an older version: its files changed by name, as (pattern, replacement)."""
        tree = self.folder / version
        subprocess.run(["dpkg-deb", "-R", package("leat"), tree], check=True)
        control = tree / "DEBIAN/control"
        control.write_text(re.sub(r"(?m)^Version: .*$", f"Version: {version}", control.read_text()))
        for path, text in (("etc/leat/leat.toml", "# of an older version\n"), *changes.items()):
            with (tree / path).open("a") as file:
                file.write(text)
        subprocess.run(["dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "-b", tree, f"{tree}.deb"], check=True,
                       stdout=subprocess.DEVNULL)
        return Path(f"{tree}.deb").read_bytes()

    def property(self, name, unit="leat.service"):
        return self.machine.run(f"systemctl show --property={name} --value {unit}").strip()

    def wait_for(self, what, met):
        deadline = time.monotonic() + PATIENCE_S
        while not met():
            if time.monotonic() > deadline:
                self.fail(f"{what}: {self.machine.run('journalctl --no-pager -u leat | tail -n 40')}")
            time.sleep(0.05)

    def what_is_called_leat(self):
        """Every path of the machine that a trace of the package would have: those with its name in them. What man keeps of a
        page that was read is man's."""
        found = self.machine.run("find /etc /opt /run /srv /usr /var -xdev -path /var/cache/man -prune -o -name '*leat*' -print")
        return set(found.splitlines())

    def serves(self):
        return "Leat serves" in self.machine.run("curl -sS --fail --max-time 60 http://127.0.0.1:8080/")

    def test_lintian_finds_nothing(self):
        done = subprocess.run(["lintian", "--allow-root", "--fail-on", "error,warning", "--display-info",
                               "--suppress-tags", "hardening-no-fortify-functions", *sorted(PACKAGES.glob("*.deb"))],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=PATIENCE_S * 3)
        self.assertEqual((done.returncode, [line for line in done.stdout.splitlines() if line[:2] in ("E:", "W:")]),
                         (0, []), done.stdout)

    def test_from_the_first_installation_to_the_purge(self):
        self.machine = machine = self.boot()
        before_all = self.what_is_called_leat()
        # --- Installed: it serves at once, as nobody in particular.
        machine.put("/packages/first.deb", self.older("0.0.1", **{
            "usr/lib/systemd/system/leat.service": "# of an older version\n"}))
        machine.put("/packages/second.deb", self.older("0.0.2"))
        machine.run("dpkg -i /packages/first.deb")
        self.assertEqual(machine.run("systemctl is-enabled leat.service").strip(), "enabled")
        self.assertEqual(machine.run("systemctl is-active leat.service").strip(), "active")
        self.assertEqual(self.property("UnitFileState", "leat.socket"), "disabled")
        self.assertTrue(self.serves())
        self.assertEqual(machine.run("ps -o user= -p " + self.property("MainPID")).strip(), "leat")
        self.assertEqual(machine.run("stat -c '%U:%G %a' /var/log/leat").strip(), "leat:adm 2750")
        machine.run("leat check && leat plugin list")
        self.assertEqual(machine.run("systemd-analyze verify --man=yes leat.service leat.socket"), "")
        exposure = machine.run("systemd-analyze security --no-pager leat.service").splitlines()[-1]
        self.assertLess(float(re.search(r"([\d.]+) \w+", exposure)[1]), 2, exposure)
        for page, word in (("leat", "upgrade"), ("leat.toml", "drain_timeout")):
            self.assertIn(word, machine.run(f"MANWIDTH=200 man {page} | col -b"))

        # --- A reload that is good, and one that is not: the operator is told why, by the command, the status and the log.
        machine.put("/etc/leat/conf.d/more.toml", '[[route]]\npath = "/more"\nhandler = "leat:start"\n')
        machine.run("systemctl reload leat")
        self.assertIn("Leat serves", machine.run("curl -sS --fail http://127.0.0.1:8080/more"))
        self.assertEqual(self.property("StatusText"), "generation 2 serves")
        machine.put("/etc/leat/conf.d/more.toml", '[[route]]\npath = "/more"\nhandler = "leat:start"\nmethodes = ["GET"]\n')
        self.assertEqual(machine.status("systemctl reload leat"), 1)
        self.assertRegex(self.property("StatusText"), r"^the reload failed, generation 2 goes on: error\[LT\d+\]: .*`methodes`")
        self.assertEqual(self.property("ActiveState"), "active")
        told = machine.run("journalctl --no-pager -o cat -u leat")
        self.assertIn("conf.d/more.toml:4:1", told)
        self.assertIn("did you mean `methods`?", told)
        self.assertIn("Leat serves", machine.run("curl -sS --fail http://127.0.0.1:8080/more"))
        machine.run("rm /etc/leat/conf.d/more.toml && systemctl reload leat")
        self.assertEqual(self.property("StatusText"), "generation 3 serves")

        # --- Upgraded under load, without and with a changed unit; what an operator wrote stays.
        machine.run("printf '\\n# an operator was here\\n' >> /etc/leat/leat.toml")
        load = Load(machine)
        self.addCleanup(load.kill)
        for file, restarts in (("second", True), ("leat", False)):
            before = self.property("MainPID"), self.property("ActiveEnterTimestampMonotonic")
            machine.run(f"dpkg --force-confold -i /packages/{file}.deb")
            after = self.property("MainPID"), self.property("ActiveEnterTimestampMonotonic")
            self.assertNotEqual(before[0], after[0])
            self.assertEqual(before[1] != after[1], restarts, "a changed unit takes a restart, and nothing else does")
            self.assertEqual(self.property("NeedDaemonReload"), "no")
            self.assertTrue(self.serves())
        # With a configuration that the other version does not load, be its unit the same or not, the old process goes on.
        machine.put("/etc/leat/conf.d/bad.toml", "[nonsense]\n")
        before = self.property("MainPID")
        for file in ("second", "first"):
            told = machine.run(f"dpkg --force-confold -i /packages/{file}.deb")
            self.assertIn("conf.d/bad.toml:1:", told)
            self.assertIn("this version does not load the configuration", told)
            self.assertEqual(self.property("MainPID"), before)
            self.assertTrue(self.serves())
        machine.run("rm /etc/leat/conf.d/bad.toml && dpkg --force-confold -i /packages/leat.deb")
        self.assertNotEqual(self.property("MainPID"), before)
        answered, wrong = load.end()
        print(f"    answered during upgrades, also to older versions: {answered}")
        self.assertGreater(answered, 0)
        self.assertEqual(wrong, [])
        self.assertIn("an operator was here", machine.run("cat /etc/leat/leat.toml"))
        self.assertIn(self.version, machine.run("dpkg-query -W leat"))

        # --- A log file that is rotated.
        machine.put("/etc/leat/conf.d/log.toml", '[log]\nfile = "/var/log/leat/leat.log"\n')
        machine.run("sed -i '/^level = /d; /^\\[log\\]/d' /etc/leat/leat.toml && leat check && systemctl restart leat")
        self.wait_for("the log", lambda: "listening" in machine.run("cat /var/log/leat/leat.log"))
        self.assertEqual(machine.run("stat -c '%U:%G' /var/log/leat/leat.log").strip(), "leat:adm")
        machine.run("logrotate -f /etc/logrotate.d/leat")
        self.assertIn("listening", machine.run("cat /var/log/leat/leat.log.1"))
        self.assertNotIn("listening", machine.run("cat /var/log/leat/leat.log"))
        machine.run("systemctl reload leat")
        self.wait_for("the new log", lambda: "generation" in machine.run("cat /var/log/leat/leat.log"))

        # --- Its addresses opened by systemd.
        machine.run("systemctl stop leat && systemctl start leat.socket")
        self.assertEqual(machine.status("systemctl is-active leat.service"), 3)
        self.assertTrue(self.serves())
        self.assertEqual(machine.status("systemctl is-active leat.service"), 0)
        machine.run("systemctl stop leat.socket leat.service && systemctl start leat.service")

        # --- A plugin made with the SDK.
        machine.run("dpkg -i /packages/leat-dev.deb")
        machine.run("mkdir /srv/plugin && cd /srv/plugin && leat plugin new hello --lang c && cd hello && "
                    "gcc-14 -shared hello.c -o hello.so $(pkg-config --cflags --libs leat-plugin) && leat plugin check hello.so")
        machine.run("g++-14 -std=c++20 -x c++ - -o /srv/plugin/t $(pkg-config --cflags --libs leat-testhost) <<'END'\n"
                    "#include <leat/testhost.hpp>\nint main() { return 0; }\nEND\n/srv/plugin/t")
        machine.put("/etc/leat/conf.d/hello.toml", '[[plugin]]\nname = "hello"\nfile = "/srv/plugin/hello/hello.so"\n'
                    '[[route]]\npath = "/hello/{name}"\nhandler = "hello:hello"\n')
        machine.run("systemctl reload leat")
        self.assertIn("Ada", machine.run("curl -sS --fail http://127.0.0.1:8080/hello/Ada"))
        machine.run("dpkg -r leat-dev && rm /etc/leat/conf.d/hello.toml")
        self.assertEqual(machine.status("test -e /usr/include/leat"), 1)

        # --- Removed: what was configured and logged stays. Purged: nothing does but the user.
        machine.run("dpkg -r leat")
        self.assertEqual(machine.status("systemctl is-active leat.service"), 4)
        self.assertEqual(machine.status("pgrep -x leat"), 1)
        self.assertEqual(machine.status("test -e /usr/sbin/leat"), 1)
        machine.run("test -e /etc/leat/leat.toml && test -e /var/log/leat/leat.log")
        machine.run("rm -r /etc/leat/conf.d/log.toml /srv/plugin")
        machine.run("dpkg -P leat")
        self.assertEqual(self.what_is_called_leat() - before_all, set())
        self.assertEqual(machine.run("systemctl --all --no-legend --plain list-units 'leat*'"), "")
        machine.run("getent passwd leat")


if __name__ == "__main__":
    unittest.main()
