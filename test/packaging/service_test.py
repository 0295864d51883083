#!/usr/bin/env python3
"""The service under a real systemd, for longer than the test of the packages has time for: a hundred reloads that are good and a
hundred that are not, by turns and under load, restarts, and a process that hangs.

    service_test.py FOLDER_OF_PACKAGES [ROOT]

ROOT is the file system of another release, with what the package depends on, to have its systemd in place of this machine's.
"""

import re
import sys
import tempfile
import time
import unittest
from pathlib import Path

from machine import PATIENCE_S, Load, Machine

PACKAGES = Path(sys.argv.pop(1)).resolve()
ROOT = sys.argv.pop(1) if len(sys.argv) > 1 and not sys.argv[1].startswith(("-", "Service")) else "/"
ROUNDS = 100
RESTARTS = 3  # systemd refuses the sixth start within ten seconds

GOOD = '[[route]]\npath = "/round/{round}"\nhandler = "leat:start"\n'
# Mistakes of several kinds, with what is to be read of each.
BAD = (
    ('[[route]]\npath = "/round"\nhandler = "leat:start"\nmethodes = ["GET"]\n', r"error\[LT\d+\]: .*`methodes`"),
    ('[[plugin]]\nname = "gone"\nfile = "/nowhere/gone.so"\n', r"error\[LT\d+\]: .*gone"),
    ('[[route]\n', r"error\[LT\d+\]: "),
    # Longer than what systemd takes in one message.
    (f'{"long" * 2000} = 1\n', r"error\[LT\d+\]: .*`longlong"),
)


class Service(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory(prefix="leat-service-")
        self.addCleanup(holder.cleanup)
        self.machine = Machine(holder.name, ROOT)
        self.addCleanup(self.machine.stop)
        [package] = PACKAGES.glob("leat_*.deb")
        self.machine.put("/leat.deb", package.read_bytes())
        self.machine.run("dpkg -i /leat.deb")
        print("\n   ", self.machine.run("systemctl --version").splitlines()[0])

    def properties(self, *names):
        text = self.machine.run(f"systemctl show --property={','.join(names)} leat.service")
        return dict(line.split("=", 1) for line in text.splitlines())

    def log(self):
        return self.machine.run("journalctl --no-pager -u leat | tail -n 40")

    def test_reloads_succeed_and_fail_as_they_should(self):
        machine = self.machine
        before = self.properties("MainPID", "NRestarts")
        load = Load(machine)
        self.addCleanup(load.kill)
        for count in range(1, ROUNDS + 1):
            machine.put("/etc/leat/conf.d/round.toml", GOOD.replace("{round}", str(count)))
            self.assertEqual(machine.status("systemctl reload leat"), 0, f"{count}: {self.log()}")
            serves = f"generation {count + 1} "
            self.assertEqual(self.properties("StatusText", "ActiveState", "SubState"),
                             {"StatusText": serves + "serves", "ActiveState": "active", "SubState": "running"}, count)
            machine.run(f"curl -sS --fail -o /dev/null http://127.0.0.1:8080/round/{count}")

            text, said = BAD[count % len(BAD)]
            machine.put("/etc/leat/conf.d/round.toml", text)
            self.assertEqual(machine.status("systemctl reload leat"), 1, f"{count}: {self.log()}")
            now = self.properties("StatusText", "ActiveState", "SubState")
            self.assertEqual((now["ActiveState"], now["SubState"]), ("active", "running"), f"{count}: {self.log()}")
            self.assertRegex(now["StatusText"], rf"^the reload failed, {serves}goes on: {said}", count)
            machine.run(f"curl -sS --fail -o /dev/null http://127.0.0.1:8080/round/{count}")
        answered, wrong = load.end()
        print(f"    answered during {ROUNDS} good and {ROUNDS} bad reloads: {answered}")
        self.assertGreater(answered, ROUNDS)
        self.assertEqual(wrong, [])
        self.assertEqual(self.properties("MainPID", "NRestarts"), before)

    def test_restarts_lose_no_request(self):
        load = Load(self.machine)
        self.addCleanup(load.kill)
        for _ in range(RESTARTS):
            before = self.properties("MainPID")
            self.machine.run("systemctl restart leat")
            self.assertNotEqual(self.properties("MainPID"), before)
        answered, wrong = load.end()
        print(f"    answered during {RESTARTS} restarts: {answered}")
        self.assertGreater(answered, RESTARTS)
        self.assertEqual(wrong, [])

    def test_a_process_that_hangs_is_ended_and_another_serves(self):
        machine, watched_s = self.machine, 4
        machine.put("/run/systemd/system/leat.service.d/watchdog.conf", f"[Service]\nWatchdogSec={watched_s}\n"
                    "ExecStopPost=/bin/sh -c 'echo $SERVICE_RESULT >> /var/log/leat/ends'\n")
        machine.run("systemctl daemon-reload && systemctl restart leat")
        # One that is fed stays.
        main = self.properties("MainPID")["MainPID"]
        time.sleep(2 * watched_s)
        self.assertEqual(self.properties("MainPID", "NRestarts", "ActiveState"),
                         {"MainPID": main, "NRestarts": "0", "ActiveState": "active"}, self.log())

        [serving] = machine.run(f"pgrep -P {main}").split()
        machine.run(f"kill -STOP {serving}")
        since = time.monotonic()
        # Who asks meanwhile is kept waiting, and answered.
        self.assertEqual(machine.run("curl -sS --fail -o /dev/null -w '%{http_code}' http://127.0.0.1:8080/").strip(), "200")
        spent = time.monotonic() - since
        now = self.properties("MainPID", "NRestarts", "ActiveState", "SubState")
        print(f"    answered {spent:.1f} s after the process was stopped, with WatchdogSec={watched_s}")
        self.assertNotEqual(now["MainPID"], main)
        self.assertEqual((now["NRestarts"], now["ActiveState"], now["SubState"]), ("1", "active", "running"), self.log())
        # The restart by hand, and this end.
        self.assertEqual(machine.run("cat /var/log/leat/ends").split(), ["success", "watchdog"])
        self.assertEqual(machine.status(f"test -e /proc/{serving}"), 1)
        self.assertLess(spent, PATIENCE_S)


if __name__ == "__main__":
    unittest.main()
