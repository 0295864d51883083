#!/usr/bin/env python3
"""Writes plugin.h, and those beside it, as Rust: the same names, the same order, their comments as documentation.

    rust_abi.py plugin.h... OUTPUT

So the two cannot differ, and a Rust author has all of the interface with no crate and no bindgen. It reads C as
plugin.h is written (clang-format, no nested types) and stops at what it does not know. That the result is laid
out as the header is, is checked by test/sdk with both compilers.
"""

import re
import sys
from pathlib import Path

TYPES = {"void": "c_void", "char": "u8", "double": "f64", "size_t": "usize",
         **{f"{sign}int{bits}_t": f"{'u' if sign else 'i'}{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}}
KEYWORDS = {"type", "move", "ref", "match", "where", "in", "fn", "use", "loop", "mod", "impl", "box", "final"}
# Tables that the plugin fills in: any function may be missing. Those of the host are whole.
FROM_PLUGIN = {"leat_handler", "leat_middleware", "leat_plugin_entry", "leat_websocket_handler"}

TRAIT = """
/// A table of the host.
///
/// # Safety
/// `NAME` is what the host gives out this table by.
pub unsafe trait Extension {
    const NAME: &'static str;
}
"""
EXTENSION = """unsafe impl Extension for {} {{
    const NAME: &'static str = "leat.{}/{}";
}}
"""

COMMENT = r"/\*(?P<comment>.*?)\*/"
FUNCTION = r"(?P<result>[\w\s*]+?)\(\*(?P<function>\w+)\)\((?P<arguments>.*?)\)"
DECLARATION = re.compile(
    rf"""{COMMENT}
    | ^\#define\s(?P<constant>LEAT_\w+)\s+(?P<value>\(\(int32_t\)-?\d+\)|\d+u|0x[0-9a-f]+u)
    | ^typedef\sstruct\s(?P<opaque>\w+)\s\w+;
    | ^(?:typedef\s)?struct\s(?P<struct>\w+)\s{{(?P<body>.*?)^}}\s?\w*;
    | ^typedef\s{FUNCTION};""", re.S | re.M | re.X)
MEMBER = re.compile(rf"{COMMENT}|{FUNCTION};|(?P<type>[\w\s*]+?)(?P<name>\w+)(?:\[(?P<count>\d+)\])?;", re.S)


def stop(what):
    sys.exit(f"rust_abi.py: no Rust is known for `{' '.join(what.split())}`")


def name_of(text):
    return f"r#{text}" if text in KEYWORDS else text


def type_of(text):
    """A type without a name: "const leat_request*" is "*const leat_request"."""
    match = re.fullmatch(r"\s*(const\s)?\s*(\w+)\s*(\*?)\s*(\*?)\s*", text) or stop(text)
    constant, base, pointer, second = match.groups()
    if base not in TYPES and not base.startswith("leat_"):
        stop(text)
    return ("*mut " if second else "") + ("*const " if pointer and constant else "*mut " if pointer else "") + \
        TYPES.get(base, base)


def function_of(result, arguments):
    listed = []
    for argument in re.findall(r"[^,()]*(?:\([^()]*\)[^,()]*)*", arguments):
        if argument.strip() in ("", "void"):
            continue
        inner = re.fullmatch(FUNCTION, argument, re.S)
        if inner:
            listed.append(f"{name_of(inner['function'])}: {function_of(inner['result'], inner['arguments'])}")
        else:
            type_text, name = re.fullmatch(r"(.*?)(\w+)\s*", argument, re.S).groups()
            listed.append(f"{name_of(name)}: {type_of(type_text)}")
    returned = "" if result.strip() == "void" else f" -> {type_of(result)}"
    return f'unsafe extern "C" fn({", ".join(listed)}){returned}'


def scan(pattern, text):
    """Yields (match, documentation), comments going to what they stand before, or behind on the same line."""
    found = []  # [match, documentation, end]
    before, before_end = "", 0
    for match in pattern.finditer(text):
        if match["comment"] is None:
            near = text[before_end:match.start()].strip() == "" and text[before_end:match.start()].count("\n") <= 1
            found.append([match, before if near else ""])
            before = ""
        elif found and "\n" not in text[found[-1][0].end():match.start()]:
            found[-1][1] = match["comment"]
        elif not match["comment"].startswith(" ---"):
            before, before_end = match["comment"], match.end()
    return found


def documented(comment, indent):
    lines = [re.sub(r"^\s*\*? ?", "", line).rstrip() for line in comment.strip().splitlines()]
    return "".join(f"{indent}/// {line}".rstrip() + "\n" for line in lines)


def table(name, body):
    rest = MEMBER.sub("", body).strip()
    if rest:
        stop(rest)
    text = f"#[repr(C)]\n#[derive(Clone, Copy)]\npub struct {name} {{\n"
    for match, comment in scan(MEMBER, body):
        if match["function"]:
            kind = function_of(match["result"], match["arguments"])
            kind = f"Option<{kind}>" if name in FROM_PLUGIN else kind
        else:
            kind = type_of(match["type"])
            kind = f"[{kind}; {match['count']}]" if match["count"] else kind
        text += documented(comment, "    ") + f"    pub {name_of(match['function'] or match['name'])}: {kind},\n"
    return text + "}\n"


def declaration(match, tables):
    if match["constant"]:
        kind = "i32" if "int32_t" in match["value"] else "u32"
        value = match["value"].replace("((int32_t)", "").rstrip(")u")
        return f"pub const {match['constant']}: {kind} = {value};\n"
    if match["struct"]:
        return table(match["struct"], match["body"])
    if match["function"]:
        return f"pub type {match['function']} = {function_of(match['result'], match['arguments'])};\n"
    if match["opaque"] in tables:
        return ""
    return f"#[repr(C)]\npub struct {match['opaque']} {{\n    _opaque: [u8; 0],\n}}\n"


def main(*paths):
    *headers, output = paths
    text = "".join(Path(header).read_text() for header in headers)
    rest = re.sub(r"^#(.*\\\n)*.*$|^LEAT_EXPORT.*;$|^extern \"C\" {$|^}$", "", DECLARATION.sub("", text), flags=re.M)
    if rest.strip():
        stop(rest)
    found = scan(DECLARATION, text)
    tables = {match["struct"] for match, _ in found}
    parts = []
    for match, comment in found:
        rust = declaration(match, tables)
        if rust:
            parts.append(("" if match["constant"] and not comment.count("\n") and parts else "\n") +
                         documented(comment, "") + rust)
    parts.append(TRAIT)
    for name in sorted(tables - {None}):
        if extension := re.fullmatch(r"leat_(\w+)_v(\d+)", name):
            parts.append(EXTENSION.format(name, *extension.groups()))
    Path(output).write_text("//! plugin.h in Rust, made from it: the interface between Leat and its plugins.\n"
                            "use std::ffi::c_void;\n" + "".join(parts))


main(*sys.argv[1:])
