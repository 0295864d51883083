#!/usr/bin/env python3
"""New plugins, built with the SDK in every way that it promises; each must pass the tests that it came with, and
`leat plugin check`, untouched.

    sdk_test.py BUILD_DIR [CC CXX]

Both daemons make them: the one in BUILD_DIR, for whose plugins the SDK is the build tree itself, and that one once
it was installed, into a temporary folder and not where it was configured for. Nothing of the environment helps.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

BUILD = Path(sys.argv[1]).resolve()
EXAMPLES = Path(__file__).resolve().parents[2] / "docs/examples"
CC, CXX = sys.argv[2:4] or ("cc", "c++")
ENV = {name: value for name, value in os.environ.items()
       if not name.startswith(("PKG_CONFIG", "CMAKE", "DESTDIR"))} | {"CC": CC, "CXX": CXX}
PATIENCE_S = 300

# What the SDK is for, as far as it is installed: (C, C++).
COMPILERS = [pair for pair in [(f"gcc-{n}", f"g++-{n}") for n in (12, 13, 14)] +
             [(f"clang-{n}", f"clang++-{n}") for n in (16, 17, 18, 19)] if all(map(shutil.which, pair))]

MESON = ["meson setup b", "ninja -C b", "meson test -C b --print-errorlogs"]
CMAKE = ["cmake -S . -B c", "cmake --build c", "ctest --test-dir c --output-on-failure"]


def run(command, folder, **env):
    """Runs a line of shell, and returns what it printed."""
    done = subprocess.run(command, shell=True, cwd=folder, env=ENV | env, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=PATIENCE_S)
    if done.returncode != 0:
        raise AssertionError(f"{folder}: {command}: status {done.returncode}\n{done.stdout}")
    return done.stdout


def replace(file, old, new):
    text = file.read_text()
    assert old in text, f"{file} holds no {old}"
    file.write_text(text.replace(old, new))


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

    def new(self, daemon, name, language, more=""):
        run(f"'{self.daemons[daemon]}' plugin new {name} --lang {language} {more}", self.folder)
        return self.folder / name

    def exported(self, plugin):
        """The symbols that the linker shows to others, each as (binding, name)."""
        rows = [line.split() for line in run(f"readelf -W --dyn-syms '{plugin}'", self.folder).splitlines()]
        return [(row[4], row[7]) for row in rows if len(row) == 8 and row[6].isdigit()]

    def try_plugin(self, daemon, name, language, systems, more="", **env):
        project = self.new(daemon, name, language, more)
        for system in systems:
            for command in system:
                run(command, project, **env)
        plugins = [path for path in project.rglob(f"{name}.so") if ".zig-cache" not in path.parts]
        for plugin in plugins:
            self.assertEqual(self.exported(plugin), [("GLOBAL", "leat_plugin")], plugin)
            self.check(daemon, plugin)
        return len(plugins)

    def check(self, daemon, plugin):
        said = run(f"'{self.daemons[daemon]}' plugin check '{plugin}'", self.folder)
        self.assertTrue(said.endswith(": nothing is wrong\n"), said)

    def test_a_new_plugin_builds_and_passes_its_test(self):
        cases = [(daemon, f"{daemon}-{language.replace('+', 'p')}", language, [MESON, CMAKE])
                 for language in ("c++", "c") for daemon in self.daemons]
        with ThreadPoolExecutor(2) as pool:
            made = pool.map(lambda case: self.try_plugin(*case), cases)
            self.assertEqual(list(made), [2] * len(cases))

    def test_a_new_rust_plugin_does_too(self):
        for daemon in self.daemons:
            self.assertEqual(self.try_plugin(daemon, f"{daemon}-rust", "rust", [MESON]), 1)

    def test_one_with_middleware_does_too(self):
        for language, systems in (("c++", [MESON, CMAKE]), ("c", [MESON]), ("rust", [MESON])):
            name = f"middle-{language.replace('+', 'p')}"
            self.assertEqual(self.try_plugin("built", name, language, systems, "--middleware"), len(systems))

    @unittest.skipUnless(shutil.which("zig"), "needs zig")
    def test_one_with_middleware_in_zig_does_too(self):
        self.assertEqual(
            self.try_plugin("built", "middle-zig", "zig", [["zig build", "zig build test"]], "--middleware"), 1)

    @unittest.skipUnless(shutil.which("cargo"), "needs cargo")
    def test_cargo_builds_a_rust_plugin(self):
        project = self.new("built", "with-cargo", "rust")
        run("cargo build --offline", project)
        self.assertEqual(self.exported(project / "target/debug/libwith_cargo.so"), [("GLOBAL", "leat_plugin")])
        self.check("built", project / "target/debug/libwith_cargo.so")

    def test_middleware_in_rust_stands_before_any_handler(self):
        project = self.new("built", "fence", "rust")
        lib = (EXAMPLES / "fence/lib.rs").read_text()
        (project / "src/lib.rs").write_text(lib.replace("handlers: {}", """handlers: { "echo" => echo }""") + """
fn echo(_: &Fence, request: &Request) -> Result<Response, Problem> {
    let user = String::from_utf8_lossy(request.note("user").unwrap_or(b"nobody")).into_owned();
    Ok(Response::text(String::from_utf8_lossy(request.body()).into_owned()).header("X-User", &user))
}
""")
        replace(project / "src/lib.rs", "middleware: [Key, Replace]", "middleware: [Key, Replace, Shout]")
        with (project / "src/lib.rs").open("a") as file:
            file.write("""
struct Shout;
impl Middleware for Shout {
    const NAME: &'static str = "shout";
    const PHASE: Phase = Phase::Transform;
    const SENTENCE: &'static str = "Writes bodies of requests in capitals.";
    type State = usize;
    fn create(_: &Config) -> Result<Self, Refusal> {
        Ok(Shout)
    }
    fn request(&self, request: &Request, _: &mut usize) -> Result<Option<Response>, Problem> {
        request.set_note("user", "crab")?;
        Ok(None)
    }
    fn body(&self, piece: &mut leat::BodyPiece, seen: &mut usize) -> Result<Option<Response>, Problem> {
        if piece.bytes() == b"bad" {
            return Err(Problem::new(422, "Not that."));
        }
        let shouted = piece.bytes().to_ascii_uppercase();
        *seen += shouted.len();
        piece.replace(if piece.bytes() == b"drop" { b"" } else { &shouted });
        assert!(piece.is_last());
        Ok(None)
    }
    fn head(&self, head: &mut Head, seen: &mut usize) -> Wants {
        head.set("X-Seen", &seen.to_string());
        Wants::Watch
    }
    fn piece(&self, piece: &[u8], onward: &mut Onward, seen: &mut usize) {
        *seen += piece.len();
        onward.give(b"nobody wants this");
    }
    fn end(&self, _: &mut Onward, seen: &mut usize) {
        assert!(*seen < 1000);
    }
}
""")
        (project / "fence.toml").write_text("""
[[plugin]]
name = "fence"
file = "fence.so"
[[middleware]]
kind = "fence:key"
key = "sesame"
[[middleware]]
kind = "fence:replace"
word = "World"
by = "crab"
[[route]]
path = "/echo"
method = "POST"
handler = "fence:echo"
[[route]]
path = "/shout"
method = "POST"
handler = "fence:echo"
middleware = [{kind = "fence:shout"}]
""")
        test = (project / "test.cc").read_text()
        head, tail = test[:test.index("  leat::testing::Host host")], test[test.index("  host.close();"):]
        host = re.search(r"  leat::testing::Host host.*?;\n", test, re.S)[0]
        (project / "test.cc").write_text(head + host + r"""
  CHECK(host.request("POST", "/echo").send().status == 401);
  CHECK(host.request("POST", "/echo").send().header("X-Guarded-By") == "fence");
  const auto echo = host.request("POST", "/echo").header("X-API-Key", "sesame").body("WoWorldWorldWor");
  CHECK(echo.send().body == "WocrabcrabWor");
  CHECK(host.for_each_split(echo, [&](const auto& reply) { CHECK(reply.body == "WocrabcrabWor"); }) > 0);
  const auto shout = [&](const char* body) {
    return host.request("POST", "/shout").header("X-API-Key", "sesame").body(body).send();
  };
  CHECK(shout("a body").body == "A BODY");
  CHECK(shout("a body").header("X-Seen") == "6");
  CHECK(shout("a body").header("X-User") == "crab");
  CHECK(echo.send().header("X-User") == "nobody");
  CHECK(shout("bad").status == 422);
  CHECK(shout("drop").status == 200 && shout("drop").body.empty());
  CHECK(host.problems().empty());
""" + tail)
        (project / "test.py").write_text("")
        for command in MESON:
            run(command, project)

    @unittest.skipUnless(shutil.which("zig"), "needs zig")
    def test_a_new_zig_plugin_does_too(self):
        for daemon in self.daemons:
            self.assertEqual(self.try_plugin(daemon, f"{daemon}-zig", "zig", [["zig build", "zig build test"]]), 1)

    def test_tests_of_each_language_run_in_their_own_process_too(self):
        for language in ("c", "c++", "rust"):
            project = self.new("built", f"lists-{language.replace('+', 'p')}", language)
            run("meson setup b", project)
            self.assertIn(f"{project.name}-host", run("meson test -C b --list", project))

    def test_a_panic_in_rust_is_a_failed_request(self):
        project = self.new("built", "panics", "rust")
        replace(project / "src/lib.rs", "    Ok(request.json(", '    assert!(times != 10, "ten");\n    Ok(request.json(')
        replace(project / "test.py", '\n\nif __name__', """
    def test_it_goes_on(self):
        self.assertEqual(self.get("/hello/Ada?times=10")[0], 500)
        self.assertEqual(self.get("/hello/Ada?times=9")[0], 200)


if __name__""")
        for command in MESON:
            run(command, project)

    def test_rust_needs_no_unsafe_code_for_parameters_bodies_and_answers(self):
        project = self.new("built", "safe", "rust")
        replace(project / "src/lib.rs", "struct Plugin {", "#[forbid(unsafe_code)]\nstruct Plugin {")
        replace(project / "src/lib.rs", "leat::plugin!(", """\
fn add(plugin: &Plugin, request: &Request) -> Result<Response, Problem> {
    let (mut title, mut tags, mut count) = ("", Vec::new(), None);
    request.read_json(|json| {
        json.object(&["title", "tags"], &["count"], |json, name| match name {
            "title" => {
                title = json.text();
                if title.is_empty() {
                    json.reject("must not be empty");
                }
            }
            "tags" => json.array(|json| tags.push(json.text())),
            _ => count = Some(json.unsigned(1..=9)),
        })
    })?;
    if title == "teapot" {
        return Err(Problem::new(418, "This is one.").with_parameter("title"));
    }
    if title == "plain" {
        return Ok(Response::text(format!("{} {title}", plugin.greeting)).status(202).header("X-Tags", &tags.join(" ")));
    }
    let kind = request.header("content-type").map_or(0, |value| value.len());
    Ok(request.json(|json| {
        json.object(|json| {
            json.member("title", title);
            json.member("tags", &tags);
            json.member("count", count);
            json.member("kind", kind);
            json.key("more").array(|json| json.value(-0.5));
        })
    }))
}
fn visit(_: &Plugin, request: &Request) -> Result<Response, Problem> {
    let session = request.session().ok_or_else(|| Problem::new(500, "There is no session."))?;
    let seen = session.get("seen").unwrap_or_default().to_vec();
    if seen.len() == 3 {
        session.clear();
    } else {
        session.renew()?;
        session.remove("other");
        session.set("seen", &[&seen, &b"x"[..]].concat())?;
    }
    Ok(Response::text(String::from_utf8_lossy(&seen)))
}

leat::plugin!(""")
        replace(project / "src/lib.rs", "=> hello }", '=> hello, "add" => add, "visit" => visit }')
        with (project / "safe.toml").open("a") as file:
            file.write('\n[[route]]\npath = "/add"\nmethod = "POST"\nhandler = "safe:add"\n'
                       '[[route]]\npath = "/visit"\nhandler = "safe:visit"\n[[middleware]]\nkind = "sessions"\n'
                       'keys = ["0123456789abcdef0123456789abcdef"]\n')
        replace(project / "test.cc", "  host.close();", r"""
  const auto add = [&](const char* body) {
    return host.request("POST", "/add").header("Content-Type", "application/json").body(body);
  };
  CHECK(add(R"({"tags":["a","b"],"title":"x\u0041","other":1})").send().body ==
        R"({"title":"xA","tags":["a","b"],"count":null,"kind":16,"more":[-0.5]})");
  CHECK(add(R"({"tags":[],"title":"plain"})").send().body == "Hello plain");
  CHECK(add(R"({"tags":[],"title":"plain"})").send().status == 202);
  CHECK(add(R"({"tags":[],"title":"teapot"})").send().status == 418);
  CHECK(add(R"({"tags":[],"title":""})").send().body.find("must not be empty") != std::string::npos);
  CHECK(add(R"({"tags":[],"title":"x","count":10})").send().status == 400);
  CHECK(add(R"({"title":"x"})").send().body.find("/tags") != std::string::npos);
  CHECK(host.request("POST", "/add").header("Content-Type", "text/plain").body("{}").send().status == 415);
  CHECK(host.request("GET", "/hello/%FF").send().status == 400);
  CHECK(host.request("GET", "/hello/Ada?times=%2B3").send().status == 400);
  CHECK(host.for_each_allocation(add(R"({"tags":["\u0041"],"title":"x"})")) > 0);
  const auto visit = host.request("GET", "/visit").session({{"seen", "xx"}, {"other", "1"}}).send();
  CHECK(visit.body == "xx" && visit.session && visit.session->size() == 1 && visit.session->at("seen") == "xxx");
  CHECK(visit.session_renewed);
  CHECK(host.request("GET", "/visit").session(*visit.session).send().session->empty());

  host.close();""")
        for command in MESON:
            run(command, project)

    def test_rust_talks_over_websockets_and_answers_in_cbor(self):
        project = self.new("built", "talks", "rust")
        replace(project / "src/lib.rs", "struct Plugin {", "#[forbid(unsafe_code)]\nstruct Plugin {")
        replace(project / "src/lib.rs", "leat::plugin!(", """\
struct Echo {
    heard: u32,
}
impl leat::Conversation for Echo {
    fn open(&mut self, socket: &leat::WebSocket) {
        socket.subscribe("news");
        socket.send(leat::Message::Text("hello"));
    }
    fn message(&mut self, socket: &leat::WebSocket, message: leat::Message) {
        self.heard += 1;
        match message {
            leat::Message::Text("leave") => socket.close(3000, &format!("after {}", self.heard)),
            leat::Message::Text("panic") => panic!("as it was told"),
            leat::Message::Text("tell") => {
                socket.publish("news", leat::Message::Text("news"));
            }
            other => {
                socket.send(other);
            }
        }
    }
}
fn echo(_: &Plugin, request: &Request) -> Result<Response, Problem> {
    request.accept(Echo { heard: 0 })
}

leat::plugin!(""")
        replace(project / "src/lib.rs", "=> hello }", '=> hello, "echo" => echo }')
        with (project / "talks.toml").open("a") as file:
            file.write('\n[[route]]\npath = "/echo"\nhandler = "talks:echo"\n[[middleware]]\nkind = "formats"\n')
        replace(project / "test.cc", "  host.close();", r"""
  {
    auto one = host.websocket("/echo"), other = host.websocket("/echo");
    CHECK(one.status() == 101 && one.receive() == "hello" && other.receive() == "hello");
    one.send("some");
    one.send_binary(std::string("\xff\0", 2));
    CHECK(one.receive() == "some");
    CHECK(one.receive() == std::string("\xff\0", 2));
    one.send("tell");
    CHECK(one.receive() == "news" && other.receive() == "news");
    one.send("leave");
    CHECK(one.close_code() == 3000 && one.close_reason() == "after 4");
    other.send("panic");
    CHECK(other.close_code() == 1011);
  }
  CHECK(host.request("GET", "/echo").send().status == 426);
  const auto cbor = host.request("GET", "/hello/Ada").header("Accept", "application/cbor").send();
  CHECK(cbor.header("Content-Type") == "application/cbor" && cbor.body.front() != '{');
  CHECK(cbor.body.find("\x63" "Ada") != std::string::npos);

  host.close();""")
        replace(project / "test.py", '\n\nif __name__', """
    def test_it_talks(self):
        client = socket.socket(socket.AF_UNIX)
        self.addCleanup(client.close)
        client.settimeout(PATIENCE_S)
        client.connect(self.socket)
        client.sendall(b"GET /echo HTTP/1.1\\r\\nHost: a\\r\\nConnection: Upgrade\\r\\nUpgrade: websocket\\r\\n"
                       b"Sec-WebSocket-Version: 13\\r\\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\\r\\n\\r\\n"
                       b"\\x81\\x82\\0\\0\\0\\0hi\\x88\\x80\\0\\0\\0\\0")
        heard = b""
        while piece := client.recv(4096):
            heard += piece
        head, _, frames = heard.partition(b"\\r\\n\\r\\n")
        self.assertTrue(head.startswith(b"HTTP/1.1 101 "), head)
        self.assertEqual(frames, b"\\x81\\x05hello\\x81\\x02hi\\x88\\x00")


if __name__""")
        for command in MESON:
            run(command, project)

    def test_rust_sees_the_interface_as_c_does(self):
        project = self.new("built", "layout", "rust")
        abi = (project / "src/abi.rs").read_text()
        facts = []  # (what it is called, in C, in Rust): numbers all
        for name in re.findall(r"^pub const (\w+):", abi, re.M):
            facts.append((name, f"(long){name}", name))
        tables = re.findall(r"^pub struct (\w+) {\n(.*?)^}", abi, re.M | re.S)
        for table, body in tables:
            members = re.findall(r"^    pub (?:r#)?(\w+):", body, re.M)
            if members:
                facts.append((table, f"(long)sizeof({table})", f"std::mem::size_of::<{table}>()"))
            for member in members:
                rust = f"r#{member}" if f"r#{member}:" in body else member
                facts.append((f"{table}.{member}", f"(long)offsetof({table}, {member})",
                              f"std::mem::offset_of!({table}, {rust})"))
        names = ("plugin.h", "plugin_websocket.h", "plugin_events.h")
        header = "".join((BUILD / "lib/plugin/sdk/leat" / name).read_text() for name in names)
        self.assertEqual(set(re.findall(r"^(?:typedef )?struct (\w+)", header, re.M)), {name for name, _ in tables})
        (project / "c.c").write_text(
            "".join(f"#include <leat/{name}>\n" for name in names) + "#include <stdio.h>\nint main(void) {\n" +
            "".join(f'  printf("{name} %ld\\n", {c});\n' for name, c, _ in facts) + "  return 0;\n}\n")
        (project / "r.rs").write_text(
            '#![allow(dead_code, non_camel_case_types)]\n#[path = "src/abi.rs"]\nmod abi;\nuse abi::*;\nfn main() {\n' +
            "".join(f'    println!("{name} {{}}", {rust});\n' for name, _, rust in facts) + "}\n")
        run(f"{CC} -I {BUILD}/lib/plugin/sdk c.c -o in-c && rustc r.rs -o in-rust", project)
        self.assertGreater(len(facts), 150)
        self.assertEqual(run("./in-rust", project).splitlines(), run("./in-c", project).splitlines())

    @unittest.skipUnless(shutil.which("clang++-19"), "needs clang-19")
    def test_clang_builds_it_too(self):
        self.assertEqual(self.try_plugin("built", "clang-built", "c++", [MESON], CC="clang-19", CXX="clang++-19"), 1)

    @unittest.skipUnless(shutil.which("g++-12"), "needs gcc 12")
    def test_the_oldest_gcc_builds_it_too(self):
        self.assertEqual(self.try_plugin("built", "gcc-12-built", "c++", [MESON], CC="gcc-12", CXX="g++-12"), 1)

    def test_each_compiler_takes_it_without_a_warning(self):
        cpp, c = self.new("built", "strict-cpp", "c++"), self.new("built", "strict-c", "c")
        flags = "-O1 -Wall -Wextra -Werror -c -o /dev/null $(pkg-config --cflags leat-plugin leat-testhost)"
        lines = [line for cc, cxx in COMPILERS for line in
                 [(f"{cxx} -std=c++20 strict-cpp.cc {flags}", cpp), (f"{cxx} -std=c++20 test.cc {flags}", cpp),
                  (f"{cc} -std=c11 strict-c.c {flags}", c)]]
        self.assertGreater(len(lines), 0)
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda line: run(*line, PKG_CONFIG_PATH=str(self.sdks["built"])), lines))

    @unittest.skipUnless(shutil.which("g++-12"), "needs gcc 12")
    def test_the_oldest_gcc_is_refused_a_task(self):
        project = self.new("built", "gcc-12-task", "c++")
        replace(project / "gcc-12-task.cc", "  leat::Reply hello(", "  leat::Task<leat::Reply> hello(")
        replace(project / "gcc-12-task.cc", "    return json.object", "    co_return json.object")
        with self.assertRaisesRegex(AssertionError, "gcc 12 compiles coroutines wrongly"):
            run("meson setup b && ninja -C b", project, CC="gcc-12", CXX="g++-12")

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
