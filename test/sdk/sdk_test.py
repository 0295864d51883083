#!/usr/bin/env python3
"""New plugins, built with the SDK in every way that it promises; each must pass the test that it came with.

    sdk_test.py BUILD_DIR [CC CXX]

Both daemons make them: the one in BUILD_DIR, for whose plugins the SDK is the build tree itself, and that one once
it was installed, into a temporary folder and not where it was configured for. Nothing of the environment helps.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

BUILD = Path(sys.argv[1]).resolve()
CC, CXX = sys.argv[2:4] or ("cc", "c++")
ENV = {name: value for name, value in os.environ.items()
       if not name.startswith(("PKG_CONFIG", "CMAKE", "DESTDIR"))} | {"CC": CC, "CXX": CXX}
PATIENCE_S = 300

MESON = ["meson setup b", "ninja -C b", "meson test -C b --print-errorlogs"]
CMAKE = ["cmake -S . -B c", "cmake --build c", "ctest --test-dir c --output-on-failure"]


def run(command, folder, **env):
    """Runs a line of shell, and returns what it printed."""
    done = subprocess.run(command, shell=True, cwd=folder, env=ENV | env, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=PATIENCE_S)
    if done.returncode != 0:
        raise AssertionError(f"{folder}: {command}: status {done.returncode}\n{done.stdout}")
    return done.stdout


class Sdk(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        holder = tempfile.TemporaryDirectory(prefix="leat-sdk-")
        cls.addClassCleanup(holder.cleanup)
        cls.folder = Path(holder.name)
        root = cls.folder / "root"
        run(f"meson install -C '{BUILD}' --no-rebuild --quiet --destdir {root}", cls.folder)
        cls.daemons = {"built": BUILD / "server" / "leat", "installed": next(root.rglob("sbin/leat"))}
        cls.sdks = {"built": BUILD / "packaging" / "sdk", "installed": next(root.rglob("leat-plugin.pc")).parent}

    def new(self, daemon, name, language):
        run(f"'{self.daemons[daemon]}' plugin new {name} --lang {language}", self.folder)
        return self.folder / name

    def exported(self, plugin):
        """The symbols that the linker shows to others, each as (binding, name)."""
        rows = [line.split() for line in run(f"readelf -W --dyn-syms '{plugin}'", self.folder).splitlines()]
        return [(row[4], row[7]) for row in rows if len(row) == 8 and row[6].isdigit()]

    def try_plugin(self, daemon, name, language, systems, **env):
        project = self.new(daemon, name, language)
        for system in systems:
            for command in system:
                run(command, project, **env)
        for plugin in project.rglob(f"{name}.so"):
            self.assertEqual(self.exported(plugin), [("GLOBAL", "leat_plugin")], plugin)
        return len(list(project.rglob(f"{name}.so")))

    def test_a_new_plugin_builds_and_passes_its_test(self):
        cases = [(daemon, f"{daemon}-{language.replace('+', 'p')}", language, [MESON, CMAKE])
                 for language in ("c++", "c") for daemon in self.daemons]
        with ThreadPoolExecutor(2) as pool:
            made = pool.map(lambda case: self.try_plugin(*case), cases)
            self.assertEqual(list(made), [2] * len(cases))

    @unittest.skipUnless(shutil.which("clang++-19"), "needs clang-19")
    def test_clang_builds_it_too(self):
        self.assertEqual(self.try_plugin("built", "clang-built", "c++", [MESON], CC="clang-19", CXX="clang++-19"), 1)

    def test_a_compiler_and_pkg_config_are_enough(self):
        project = self.new("installed", "by_hand", "c")
        run(f"{CC} -shared by_hand.c -o by_hand.so $(pkg-config --cflags --libs leat-plugin)", project,
            PKG_CONFIG_PATH=str(self.sdks["installed"]))
        self.assertEqual(self.exported(project / "by_hand.so"), [("GLOBAL", "leat_plugin")])

    def test_another_sdk_can_be_named(self):
        project = self.new("built", "moved", "c")
        other = self.sdks["installed"]
        run(f"meson setup b -Dpkg_config_path={other}", project)
        run(f"cmake -S . -B c -Dleat-plugin_DIR={other.parent}/cmake/leat-plugin", project)
        for build in "b", "c":
            text = "".join(path.read_text() for path in (project / build).rglob("*") if path.name in
                           ("build.ninja", "flags.make"))
            self.assertIn(str(self.folder / "root"), text)
            self.assertNotIn(str(BUILD), text)

    def test_cmake_refuses_a_daemon_that_is_too_old(self):
        project = self.folder / "old"
        project.mkdir()
        (project / "CMakeLists.txt").write_text(
            "cmake_minimum_required(VERSION 3.21)\nproject(old LANGUAGES NONE)\n"
            f'find_package(leat-plugin 99 HINTS "{self.sdks["built"]}")\n'
            'message(STATUS "99: ${leat-plugin_FOUND}")\n'
            f'find_package(leat-plugin 0.1 HINTS "{self.sdks["built"]}")\n'
            'message(STATUS "0.1: ${leat-plugin_FOUND}")\n')
        output = run("cmake -S . -B b", project)
        self.assertIn("99: 0", output)
        self.assertIn("0.1: 1", output)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
