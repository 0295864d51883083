"""Figures out of the results, and how they are shown.

A part or row that was not measured is a LookupError, which try_() turns into what is said in its place.
"""

import textwrap

# Ways of writing and of reading, as rows are named, and what people are told of them.
WAYS = ["struct", "direct", "yyjson", "rapidjson"]
PEERS = ["peer_yyjson_built", "peer_yyjson_parsed", "peer_rapidjson", "peer_simdjson_parsed"]
READERS = ["peer_simdjson", "peer_yyjson", "peer_rapidjson_reader", "peer_rapidjson_dom"]
NAMES = {"struct": "struct", "direct": "events", "yyjson": "over yyjson", "rapidjson": "over RapidJSON",
         "peer_yyjson_built": "yyjson, built", "peer_yyjson_parsed": "yyjson, parsed", "peer_rapidjson": "RapidJSON",
         "peer_simdjson_parsed": "simdjson, parsed", "leat": "Leat", "peer_simdjson": "simdjson on-demand",
         "peer_yyjson": "yyjson", "peer_rapidjson_reader": "RapidJSON Reader", "peer_rapidjson_dom": "RapidJSON DOM"}


class Figures:
    def __init__(self, results):
        self.results = results

    def part(self, name):
        part = self.results[name]
        if "failed" in part:
            raise LookupError(part["failed"])
        return part

    def try_(self, make, otherwise):
        try:
            return make()
        except LookupError:
            return otherwise

    def command(self, name):
        part = self.part(name)
        return f"`{part.get('command', './dev bench --full')}`\n"

    def encoding(self, row):
        return self.part("encoding")["rows"][row]["min"]

    def request(self, row):
        return self.part("requests")["rows"][row]["min"]

    def rate(self, row, who="leat"):
        return self.part("http")["rows"][row][who]["requests_per_second"]["max"]

    def ratio(self, row):
        return self.part("http")["rows"][row]["cpu_ratio_of_least"]

    @staticmethod
    def quotient(rows, one, other):
        return f"{rows[one]['min'] / rows[other]['min']:.2f}x" if one in rows and other in rows else ""


def nanoseconds(value):
    if value >= 1000:
        return f"{value / 1000:,.1f} us" if value >= 10_000 else f"{value / 1000:.2f} us"
    return f"{value:.0f} ns" if value >= 100 else f"{value:.1f} ns"


def thousands(value):
    return f"{value / 1000:,.0f}" if value >= 10_000 else f"{value / 1000:,.1f}"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]) + "\n"


def wrapped(text, indent=""):
    return textwrap.fill(text, 120, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False) + "\n"
