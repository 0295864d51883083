#!/usr/bin/env python3
"""What the compiler says first of a plugin that cannot be right.

    errors_test.py BUILD_DIR CXX...

Authors read the first lines of an error, if any. So a sentence that tells what is allowed stands within five.
"""

import subprocess
import sys
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

INCLUDE = Path(sys.argv[1]).resolve() / "lib/plugin/sdk"
COMPILERS = [command.split() for command in sys.argv[2:]]
LINES = 5

PLUGIN = """#include <leat/plugin.hpp>
struct Point { int x; int y; };
struct Known { int x; int y; };
LEAT_JSON(Known, x, y);
class Other : public leat::Plugin<Other> {};
class Tried : public leat::Plugin<Tried> {
 public:
  leat::Reply tried(%s) { %s return leat::text("tried"); }
  static constexpr auto handlers() { return leat::list(handler<&Tried::tried>("tried")); }
};
LEAT_PLUGIN(Tried, "tried", "1.0.0")
"""

PARAMETERS = "a handler's parameters are leat::Path, Query, Header, Cookie, Form and FormPart (of"
BODY = "a leat::JsonBody is of a struct declared with LEAT_JSON"
OPTIONS = "a parameter's options are leat::Range{least, most} and a leat::Default within it"
MEMBERS = "a JSON object is names and values in turn, and here the last name has no value"

# Parameters, a statement, and what is said first.
WRONG = [
    ("int n", "", PARAMETERS),
    ('leat::Path<std::string, "id"> id', "", PARAMETERS),
    ('leat::Query<int, "n">& n', "", PARAMETERS),
    ("std::string_view piece", "", PARAMETERS),
    ("Other& other", "", PARAMETERS),
    ("leat::JsonBody<Point> body", "", BODY),
    ("leat::JsonBody<std::vector<Point>> body", "", BODY),
    ('leat::Query<int, "n", leat::Range{1, 10}, leat::Default{99}> n', "", OPTIONS),
    ('leat::Query<int, "n", leat::Range{10, 1}> n', "", OPTIONS),
    ('leat::Query<uint8_t, "n", leat::Range{0, 300}> n', "", OPTIONS),
    ('leat::Query<unsigned, "n", leat::Default{-1}> n', "", OPTIONS),
    ('leat::Query<int, "n", 7> n', "", OPTIONS),
    ('leat::Query<int, "n", leat::Length{1, 2}> n', "", OPTIONS),
    ('leat::Query<int, "n", leat::Count{1, 2}> n', "", OPTIONS),
    ('leat::Query<std::string_view, "n", leat::Range{1, 2}> n', "", OPTIONS),
    ('leat::Query<leat::List<int>, "n", leat::Default{1}> n', "", OPTIONS),
    ("leat::Json& json", 'json.object("a", 1, "b");', MEMBERS),
    ("leat::Json& json", 'json.object("a", leat::members("b"));', MEMBERS),
]
RIGHT = [
    ("const leat::JsonBody<Known>& body, leat::Body text, Tried& self, leat::Request& request", ""),
    ('leat::Query<double, "n", leat::Range{1, 10}, leat::Default{10}> n, leat::Query<bool, "b", leat::Default{true}> b',
     ""),
    ('leat::Query<leat::List<int>, "n", leat::Count{1, 2}, leat::Range{1, 2}> n, leat::Form<std::optional<bool>, "b"> b, '
     'leat::Header<std::string_view, "c", leat::OneOf{"d", "ef"}, leat::DefaultText{"d"}> c', ""),
    ('leat::Json& json, leat::Path<std::optional<uint64_t>, "id"> id', 'json.object("a", 1, "b", leat::members());'),
]


def compile_it(compiler, parameters, statement):
    command = [*compiler, "-std=c++20", "-fvisibility=hidden", "-fsyntax-only", "-I", INCLUDE, "-x", "c++", "-"]
    return subprocess.run(command, input=PLUGIN % (parameters, statement), stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)


class Errors(unittest.TestCase):
    def test_what_is_allowed_is_said_at_once(self):
        cases = [(compiler, *wrong) for compiler in COMPILERS for wrong in WRONG]
        with ThreadPoolExecutor(2) as pool:
            for case, done in zip(cases, pool.map(lambda case: compile_it(*case[:3]), cases)):
                with self.subTest(case=case):
                    self.assertNotEqual(done.returncode, 0)
                    first = "\n".join(done.stdout.splitlines()[:LINES])
                    self.assertIn("error: ", first)
                    self.assertIn(case[3], first)

    def test_what_is_allowed_compiles_without_a_word(self):
        cases = [(compiler, *right) for compiler in COMPILERS for right in RIGHT]
        with ThreadPoolExecutor(2) as pool:
            for case, done in zip(cases, pool.map(lambda case: compile_it(*case), cases)):
                with self.subTest(case=case):
                    self.assertEqual((done.returncode, done.stdout), (0, ""))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
