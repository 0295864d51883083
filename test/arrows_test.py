#!/usr/bin/env python3
"""Data flows one way, and so do the includes: this test reads every #include of the tree.

Checked: a module includes only those it may depend on, and names a class of no other in a forward declaration,
which is the same dependency without the include; a third-party library is seen by one place; headers
that a plugin author gets (lib/plugin/sdk, lib/base/shared) need nothing but the standard library; and every include of the
project names a file that exists. Written against the text and not the build, because a forbidden include of
a header compiles without complaint as long as the include root is one for all.
"""

import re
import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# What each module may include besides itself. Headers of options structs are what config/ fills, hence its row.
ARROWS = {
    "lib/base": set(),
    "lib/crypto": {"lib/base"},
    "lib/logging": {"lib/base"},
    "lib/net": {"lib/base"},
    "lib/transport": {"lib/base"},
    "lib/http": {"lib/base", "lib/json", "lib/transport"},
    "lib/http1": {"lib/base", "lib/transport", "lib/http"},
    "lib/http2": {"lib/base", "lib/transport", "lib/http"},
    "lib/websocket": {"lib/base", "lib/coding", "lib/crypto", "lib/transport", "lib/http"},
    "lib/json": {"lib/base"},
    "lib/coding": {"lib/base"},
    "lib/client": {"lib/base", "lib/net", "lib/transport", "lib/http", "lib/http2"},
    "lib/worker": {"lib/base", "lib/net", "lib/transport", "lib/http", "lib/http1", "lib/http2", "lib/client"},
    "lib/pipeline": {"lib/base", "lib/logging", "lib/http", "lib/json"},
    "lib/middleware": {"lib/base", "lib/coding", "lib/crypto", "lib/json", "lib/logging", "lib/http", "lib/client", "lib/pipeline"},
    "lib/handlers": {"lib/base", "lib/http", "lib/pipeline"},
    "lib/cache": {"lib/base", "lib/http", "lib/pipeline", "lib/handlers"},
    "lib/plugin": {"lib/base", "lib/logging", "lib/http", "lib/websocket", "lib/json", "lib/cache", "lib/client", "lib/pipeline",
                    "lib/handlers"},
    "config": {"lib/base", "lib/net", "lib/transport", "lib/http", "lib/http2", "lib/websocket", "lib/json", "lib/worker", "lib/pipeline",
               "lib/middleware", "lib/handlers", "lib/cache", "lib/plugin"},
    "server": {"lib/base", "lib/coding", "lib/crypto", "lib/logging", "lib/net", "lib/transport", "lib/http", "lib/http1", "lib/http2",
               "lib/websocket", "lib/json", "lib/cache", "lib/client", "lib/worker", "lib/pipeline", "lib/middleware", "lib/handlers", "lib/plugin",
               "config"},
}

# A third-party library (by the beginning of its include) and the only files that may see it.
LIBRARIES = {
    "liburing": "lib/net/uring_engine",
    "llhttp": ("lib/http1/parser", "lib/client/response_parser"),
    "re2/": ("lib/pipeline/text_pattern",),
    "toml++": "config/",
    "spdlog": "lib/base/log",
    "rapidjson": ("lib/json/", "lib/plugin/demo/", "lib/plugin/sdk/plugin_rapidjson.hpp"),
    "yyjson": "lib/json/yyjson_backend",
    "openssl": ("lib/crypto/", "lib/transport/tls/"),
    "crypt.h": "lib/crypto/password",
    "CLI": "server/",
    "zlib": ("lib/coding/zlib.cc", "lib/coding/raw_deflate.cc"),
    "libdeflate": "lib/coding/libdeflate.cc",
    "isa-l": "lib/coding/isal.cc",
    "brotli": "lib/coding/brotli.cc",
    "zstd": "lib/coding/zstd.cc",
    "dlfcn.h": ("lib/plugin/", "server/testhost/"),
}

# What lies below may carry a pointer for its owner above, and never looks at what it points to.
CARRIED = {
    ("lib/http/worker_context.h", "client::Fetcher"),
    ("lib/http/trace_parent.h", "client::FetchWatch"),
    ("lib/http/exchange.h", "handlers::LimitedHandler"),
    ("lib/http/exchange.h", "pipeline::Route"),
    ("lib/http/known_heads.h", "pipeline::Route"),
    ("lib/http/service.h", "pipeline::Route"),
    ("lib/http/tunnel.h", "pipeline::Route"),
    ("lib/http/tunnel_record.h", "pipeline::Route"),
}

# The modules without circles: no file includes, over however many others, one that includes it. A header and its .cc are
# one, and so is what has both names. Where a circle is small and belongs to the matter, its files are named here.
STRAIGHT = ("lib/base", "lib/crypto", "lib/logging", "lib/net", "lib/transport", "lib/http", "lib/http1", "lib/http2", "lib/websocket",
            "lib/pipeline", "lib/json",
            "lib/coding", "lib/client",
            "lib/cache", "lib/plugin")
CIRCLES = {
    # The handler makes the call, and the call goes on in its handler.
    ("lib/cache/cached_call", "lib/cache/cached_handler"),
    # A tunnel writes into its session's output, and the session drives it.
    ("lib/http1/session", "lib/http1/session_tunnel"),
}

SUFFIXES = (".cc", ".h", ".hpp", ".c")
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', re.MULTILINE)


def sources(*folders):
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in SUFFIXES:
                yield path


def includes(path):
    return [name for _, name in INCLUDE.findall(path.read_text())]


NAMESPACE = re.compile(r"^namespace leat::(\w+)\b[^{;=]*\{", re.MULTILINE)
DECLARED = re.compile(r"(?:^|[{;])\s*(?:class|struct|union|enum class)\s+(\w+)\s*(?=;)", re.MULTILINE)


def forward_declarations(path):
    """(namespace below leat, class) for each class that is only declared, outside of any other class."""
    text = re.sub(r"//[^\n]*|/\*.*?\*/", "", path.read_text(), flags=re.DOTALL)
    for opening in NAMESPACE.finditer(text):
        depth, end = 1, opening.end()
        body = []
        while depth and end < len(text):
            depth += {"{": 1, "}": -1}.get(text[end], 0)
            if depth == 1:
                body.append(text[end])
            end += 1
        for name in DECLARED.findall("".join(body)):
            yield opening.group(1), name


def module_of(path):
    """The module that a path below the root belongs to, or None."""
    text = path.as_posix()
    return next((module for module in ARROWS if text.startswith(module + "/")), None)


def is_of(library, name):
    return name == library or name.startswith((library + "/", library + ".h"))


def resolve(source, name):
    """The file of the project that an include names, below the root; None if it is not one of ours."""
    for folder in (ROOT / "lib", ROOT, source.parent):
        if (folder / name).is_file():
            return (folder / name).resolve().relative_to(ROOT)
    return None


def pair(path):
    return path.with_suffix("").as_posix() if path.suffix in (".h", ".cc") else path.as_posix()


def circles(module):
    """The file pairs of a module that include each other in a circle: one sorted tuple for each."""
    seen = {}
    for path in sources(module):
        below = seen.setdefault(pair(path.relative_to(ROOT)), set())
        for name in includes(path):
            target = resolve(path, name)
            if target and module_of(target) == module:
                below.add(pair(target))

    def reached(start):
        found, ahead = set(), [start]
        while ahead:
            for other in seen.get(ahead.pop(), set()) - found:
                found.add(other)
                ahead.append(other)
        return found

    reach = {one: reached(one) - {one} for one in seen}
    return {tuple(sorted({one} | {other for other in reach[one] if one in reach.get(other, set())}))
            for one in seen if any(one in reach.get(other, set()) for other in reach[one])}


class Arrows(unittest.TestCase):
    def test_every_source_belongs_to_a_module(self):
        for path in sources("lib", "config", "server"):
            self.assertIsNotNone(module_of(path.relative_to(ROOT)), path)

    def test_modules_include_only_what_lies_below_them(self):
        wrong = []
        for path in sources("lib", "config", "server"):
            module = module_of(path.relative_to(ROOT))
            for name in includes(path):
                target = resolve(path, name)
                other = module_of(target) if target else None
                if other and other != module and other not in ARROWS[module]:
                    wrong.append(f"{path.relative_to(ROOT)} includes {name}: {module} may not see {other}")
        self.assertEqual(wrong, [])

    def test_no_files_include_each_other_in_a_circle(self):
        found = {circle for module in STRAIGHT for circle in circles(module)}
        self.assertEqual(found - CIRCLES, set(), "new circles")
        self.assertEqual(CIRCLES - found, set(), "no longer there: take it from the table")

    def test_modules_name_no_class_of_one_above_them(self):
        modules = {module.split("/")[-1]: module for module in ARROWS}
        wrong, carried = [], set()
        for path in sources("lib", "config", "server"):
            module = module_of(path.relative_to(ROOT))
            for space, name in forward_declarations(path):
                other = modules.get(space, module)
                if other == module or other in ARROWS[module]:
                    continue
                seen = (path.relative_to(ROOT).as_posix(), f"{space}::{name}")
                carried.add(seen)
                if seen not in CARRIED:
                    wrong.append(f"{seen[0]} declares {seen[1]}: {module} may not see {other}")
        self.assertEqual(wrong, [])
        self.assertEqual(CARRIED - carried, set(), "no longer declared there: take it from the table")

    def test_each_library_is_seen_by_one_place(self):
        wrong = []
        for path in sources("lib", "config", "server"):
            where = path.relative_to(ROOT).as_posix()
            for name in includes(path):
                for library, allowed in LIBRARIES.items():
                    if is_of(library, name) and not where.startswith(allowed):
                        wrong.append(f"{where} includes {name}, which only {allowed} may")
        self.assertEqual(wrong, [])

    def test_a_table_row_stands_for_something(self):
        seen = [name for path in sources("lib", "config", "server") for name in includes(path)]
        for library, allowed in LIBRARIES.items():
            self.assertTrue(any(name.startswith(library) for name in seen), f"nothing includes {library}")
            self.assertTrue(any(path.relative_to(ROOT).as_posix().startswith(allowed)
                                for path in sources("lib", "config", "server")), allowed)

    def test_plugin_headers_need_only_the_standard_library_and_each_other(self):
        sdk = ROOT / "lib/plugin/sdk"
        headers = [path for path in sources("lib/plugin/sdk", "lib/base/shared") if path.suffix in (".h", ".hpp")]
        self.assertTrue(any(path.suffix == ".hpp" for path in headers))
        wrong = [f"{path.relative_to(ROOT)} includes {name}"
                 for path in headers for name in includes(path)
                 if not re.fullmatch(r"[a-z_0-9]+(\.h)?", name) and not (sdk / Path(name).name).is_file()
                 and not any(is_of(library, name) for library in LIBRARIES)]  # judged above
        self.assertEqual(wrong, [])

    def test_quoted_includes_exist(self):
        generated = {"leat_version.h"}
        wrong = []
        for path in sources("lib", "config", "server"):
            for mark, name in INCLUDE.findall(path.read_text()):
                if mark == '"' and name not in generated and resolve(path, name) is None:
                    wrong.append(f"{path.relative_to(ROOT)} includes {name}")
        self.assertEqual(wrong, [])

    def test_no_file_includes_upwards(self):
        wrong = [f"{path.relative_to(ROOT)} includes {name}"
                 for path in sources("lib", "config", "server", "test", "bench")
                 for name in includes(path) if name.startswith("../")]
        self.assertEqual(wrong, [])


if __name__ == "__main__":
    sys.exit(unittest.main())
