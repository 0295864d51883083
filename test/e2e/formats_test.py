#!/usr/bin/env python3
"""CBOR and MessagePack at the real daemon, against python3-cbor2 and python3-msgpack: the same handlers, in C and C++, that
know nothing of them.

    formats_test.py LEAT PLUGINS OBSERVING

PLUGINS is the folder of the tests' plugins, OBSERVING that of daemon.py.
"""

import gzip
import http.client
import json
import random
import re
import sys
import unittest

import cbor2
import msgpack

LEAT, PLUGINS, OBSERVING = sys.argv[1:4]
sys.path.insert(0, OBSERVING)
from daemon import PATIENCE, Daemon  # noqa: E402

CONFIGURATION = """
[server]
listen = "127.0.0.1:0"
admin_socket = "{folder}/admin"
workers = 1
[limits]
body = "256KiB"
[[plugin]]
name = "rules"
file = "rules.so"
[[plugin]]
name = "c"
file = "json_reader.so"
[[plugin]]
name = "forms"
file = "forms.so"
[[middleware]]
kind = "decompress"
[[middleware]]
kind = "formats"
[[middleware]]
kind = "compress"
least = 64
[[middleware]]
kind = "access"
name = "nobody"
global = false
rules = []
[[route]]
path = "/metrics"
handler = "leat:metrics"
[[route]]
path = "/echo"
method = "POST"
handler = "c:echo"
[[route]]
path = "/order/{{shop}}"
method = "POST"
handler = "rules:order"
[[route]]
path = "/pool/{{shop}}"
method = "POST"
handler = "rules:order"
executor = "pool"
[[route]]
path = "/texts"
handler = "rules:texts"
[route.cache]
ttl = "1h"
[[route]]
path = "/stream"
method = "POST"
handler = "rules:streamed"
[[route]]
path = "/finished"
handler = "forms:finished"
[[route]]
path = "/typed"
handler = "forms:typed"
[[route]]
path = "/typed_late"
handler = "forms:typed_late"
[[route]]
path = "/full"
handler = "forms:full"
[[route]]
path = "/closed"
handler = "rules:texts"
middleware = ["nobody"]
"""
CBOR, JSON, PROBLEM = "application/cbor", "application/json", "application/problem+json"
PACKS = ("application/vnd.msgpack", "application/msgpack", "application/x-msgpack")
CODES = {CBOR: (cbor2.dumps, cbor2.loads), JSON: (lambda value: json.dumps(value).encode(), json.loads),
         PROBLEM: (None, json.loads), **{each: (msgpack.packb, msgpack.unpackb) for each in PACKS}}


class Answer:
    def __init__(self, response):
        self.status, self.fields, self.body = response.status, response.headers, response.read()

    @property
    def type(self):
        return self.fields["Content-Type"]

    @property
    def value(self):
        return CODES[self.type][1](self.body)


class Client:
    def __init__(self, address):
        self.connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=PATIENCE)

    def ask(self, path, method="GET", body=None, **fields):
        self.connection.request(method, path, body, {name.replace("_", "-"): value for name, value in fields.items()})
        return Answer(self.connection.getresponse())

    def post(self, path, value, type, **fields):
        return self.ask(path, "POST", CODES[type][0](value), Content_Type=type, **fields)


class Formats(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon(LEAT, PLUGINS, CONFIGURATION)
        cls.daemon.__enter__()
        cls.addClassCleanup(cls.daemon.__exit__)

    def setUp(self):
        self.client = Client(self.daemon.address)
        self.addCleanup(self.client.connection.close)

    def metric(self, name):
        found = re.search(rf"^leat_{re.escape(name)} (\d+)$", self.client.ask("/metrics").body.decode(), re.M)
        return int(found[1]) if found else None

    def test_any_value_in_each_form_through_a_plugin_in_c(self):
        seed = random.getrandbits(32)
        for turn in range(100):
            with self.subTest(seed=seed + turn):
                source = random.Random(seed + turn)
                # JSON is the longest; a body has its limit.
                while len(json.dumps(value := some_value(source))) > 50_000:
                    pass
                for type in (CBOR, JSON, *PACKS):
                    for accept in (CBOR, JSON, *PACKS):
                        answer = self.client.post("/echo", value, type, Accept=accept)
                        self.assertEqual((answer.status, answer.type), (200, accept))
                        self.assertEqual(repr(answer.value), repr(value))
                        self.assertIn("Accept", answer.fields.get_all("Vary"))

    def test_what_cbor2_writes_in_other_ways(self):
        for body, value in ((cbor2.dumps({"a": [1, 2]}, canonical=True), {"a": [1, 2]}),
                            (cbor2.dumps(cbor2.CBORTag(55799, {"at": cbor2.CBORTag(1, 5)})), {"at": 5}),
                            (cbor2.dumps([cbor2.undefined]), [None]),
                            (cbor2.dumps(b"\xff\xfe\xfd\xfc"), "__79_A")):
            answer = self.client.ask("/echo", "POST", body, Content_Type="application/foo+cbor; x=1")
            self.assertEqual((answer.status, answer.type, answer.value), (200, JSON, value))
        for body in (cbor2.dumps(2**64), cbor2.dumps({1: 2}), cbor2.dumps(float("nan")), msgpack.packb(msgpack.Timestamp(1))):
            for type in (CBOR, PACKS[0]):
                answer = self.client.ask("/echo", "POST", body, Content_Type=type)
                self.assertEqual((answer.status, answer.type), (400, PROBLEM))

    def test_what_accept_says(self):
        for accept, type in ((None, JSON), ("*/*", JSON), ("application/*", JSON), (JSON, JSON), ("text/html", JSON),
                             ("application/cbor, application/json", JSON), ("application/cbor, */*", JSON),
                             ("application/json;q=0.5, */*", JSON), ("application/cbor;q=0", JSON),
                             ("application/cbor;q=0.5, */*;q=0.1", CBOR), ("APPLICATION/Cbor", CBOR),
                             ("application/json;q=0.9, application/cbor", CBOR), ("application/cbor, application/msgpack", CBOR),
                             ("application/cbor;q=0.8, application/msgpack", PACKS[1]),
                             ("application/x-msgpack, application/vnd.msgpack", PACKS[0])):
            with self.subTest(accept):
                fields = {} if accept is None else {"Accept": accept}
                answer = self.client.ask("/texts?name=abc", **fields)
                self.assertEqual((answer.status, answer.type), (200, type))
                self.assertEqual(answer.value["name"], "abc")

    def test_each_form_is_cached_and_no_client_gets_anothers(self):
        target = f"/texts?name=x{random.randrange(100, 1000)}"
        stored = {}
        for turn in range(2):
            for accept in (CBOR, PACKS[0], JSON, "application/cbor, text/html;q=0.1"):
                answer = self.client.ask(target, Accept=accept)
                type = CBOR if accept.startswith(CBOR) else accept
                self.assertEqual((answer.status, answer.type), (200, type))
                hit = "; hit" in answer.fields["Cache-Status"]
                # Both spellings that want CBOR are one variant.
                self.assertEqual(hit, turn == 1 or accept.startswith(CBOR + ","), answer.fields["Cache-Status"])
                self.assertEqual(stored.setdefault(type, answer.body), answer.body)
                again = self.client.ask(target, Accept=accept, If_None_Match=answer.fields["ETag"])
                self.assertEqual((again.status, again.fields["ETag"]), (304, answer.fields["ETag"]))
                self.assertEqual(self.client.ask(target, "HEAD", Accept=accept).fields["Content-Length"],
                                 str(len(answer.body)))
        self.assertEqual(len(set(stored.values())), 3)

    def test_rules_tell_the_same_of_each_form(self):
        good = {"id": "0d2b2f5e-7c3a-4f0e-9a55-1c2d3e4f5a6b", "lines": [{"product": "ab", "count": 1}], "tags": ["t"],
                "way": None, "gift": True}
        bad = {"id": "x", "lines": [{"product": "A", "count": 0}] * 4, "tags": ["1"], "discount": "much", "gift": True}
        for value, path, status in ((good, "/order/1?page=1", 200), (good, "/pool/1?page=1", 200),
                                    (bad, "/order/0?page=12", 400), (bad, "/pool/0?page=12", 400),
                                    ({"lines": 5}, "/order/1?page=1", 400), ([], "/order/1?page=1", 400)):
            expected = self.client.post(path, value, JSON)
            self.assertEqual(expected.status, status)
            for type in (CBOR, *PACKS):
                answer = self.client.post(path, value, type, Accept=type)
                self.assertEqual((answer.status, answer.type, answer.value), (status, type, expected.value))

    def test_malformed_bodies(self):
        whole = cbor2.dumps({"a": [1, {"b": "text"}]}), msgpack.packb({"a": [1, {"b": "text"}]})
        for type, body in zip((CBOR, PACKS[0]), whole):
            for cut in range(1, len(body)):
                answer = self.client.ask("/echo", "POST", body[:cut], Content_Type=type)
                self.assertEqual((answer.status, answer.type, answer.value["offset"]), (400, PROBLEM, cut))
                self.assertIn("must not end within a value.", answer.value["detail"])
            answer = self.client.ask("/echo", "POST", body[:-1] + b"\xff", Content_Type=type, Accept=type)
            self.assertEqual((answer.status, answer.type), (400, type))
            self.assertEqual(answer.value["detail"], "The body's `/a/1/b` must be UTF-8.")
            self.assertEqual((answer.value["pointer"], answer.value["offset"]), ("/a/1/b", len(body) - 4))
        # As JSON it has more than the limit: six bytes for one.
        answer = self.client.post("/echo", "\x01" * 60_000, CBOR)
        self.assertEqual((answer.status, answer.value["status"]), (413, 413))
        self.assertEqual(self.client.post("/echo", "x" * 250_000, CBOR).status, 200)
        for body, type in ((b"", CBOR), (b"\x01", "application/xml"), (b"\x01", "text/cbor"), (b"1", "+cbor")):
            self.assertEqual(self.client.ask("/echo", "POST", body, Content_Type=type).status, 415, (body, type))

    def test_problems_are_in_the_form_that_is_wanted(self):
        for path, status in (("/nowhere", 404), ("/texts?name=abcdefgh", 400), ("/closed?name=abc", 403)):
            plain = self.client.ask(path)
            self.assertEqual((plain.status, plain.type), (status, PROBLEM))
            for accept, type in ((CBOR, CBOR), (PACKS[2], PACKS[2]), ("application/cbor, application/problem+json", PROBLEM),
                                 ("application/json, application/cbor;q=0.5", PROBLEM), (f"{CBOR}, */*;q=0.5", CBOR)):
                answer = self.client.ask(path, Accept=accept)
                self.assertEqual((answer.status, answer.type), (status, type))
                self.assertEqual({**answer.value, "request_id": 0}, {**plain.value, "request_id": 0})
                self.assertIn("Accept", answer.fields.get_all("Vary"))

    def test_text_stays_json_and_so_does_what_has_a_type_of_its_own(self):
        for path, type in (("/finished", JSON), ("/typed", "application/hal+json"), ("/typed_late", "application/hal+json"),
                           ("/full", JSON)):
            for accept in (CBOR, PACKS[0], JSON):
                answer = self.client.ask(path, Accept=accept)
                self.assertEqual((answer.status, answer.type), (200, type))
                self.assertEqual(json.loads(answer.body), {"real": 1.0, "raw": ["\u00e4", -1]})
                self.assertIn(b'"real":1.0', answer.body)

    def test_bodies_that_are_packed_or_streamed(self):
        value = {"text": "x" * 1000}
        answer = self.client.ask("/echo", "POST", gzip.compress(cbor2.dumps(value)), Content_Type=CBOR,
                                 Content_Encoding="gzip", Accept=CBOR, Accept_Encoding="gzip")
        self.assertEqual((answer.status, answer.type, answer.fields["Content-Encoding"]), (200, CBOR, "gzip"))
        self.assertEqual(cbor2.loads(gzip.decompress(answer.body)), value)
        body = cbor2.dumps(value)
        answer = self.client.ask("/stream?n=1", "POST", body, Content_Type=CBOR, Accept=CBOR)
        self.assertEqual((answer.type, answer.value), (CBOR, {"n": 1, "bytes": len(body)}))

    def test_what_is_counted(self):
        before = [self.metric(f'formats_{name}_total{{format="cbor",instance="formats"}}')
                  for name in ("answers", "bodies", "refused")]
        self.client.post("/echo", 1, CBOR, Accept=CBOR)
        self.client.ask("/echo", "POST", b"\x1f", Content_Type=CBOR, Accept=CBOR)
        after = [self.metric(f'formats_{name}_total{{format="cbor",instance="formats"}}')
                 for name in ("answers", "bodies", "refused")]
        self.assertEqual([now - then for now, then in zip(after, before)], [2, 1, 1])


def some_value(random, depth=0):
    def text():
        return "".join(chr(random.choice((random.randrange(32, 127), random.randrange(0, 0xd800), 0x1f600)))
                       for _ in range(random.choice((0, 3, 25, 40))))
    kind = random.randrange(9 if depth < 4 else 6)
    if kind == 0:
        return random.choice((None, True, False))
    if kind == 1:
        return random.randrange(-2**63, 2**64) >> random.randrange(64)
    if kind == 2:
        return random.choice((0.0, -0.0, 1.0, 95.5, random.random(), random.random() * 10.0**random.randrange(-300, 300)))
    if kind < 6:
        return text()
    if kind == 6:
        return {text(): some_value(random, depth + 1) for _ in range(random.choice((0, 2, 5, 17)))}
    return [some_value(random, depth + 1) for _ in range(random.choice((0, 2, 5, 17, 30)))]


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
