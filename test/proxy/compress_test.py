#!/usr/bin/env python3
"""Packed answers of the real daemon, read by those who have read them for others for years: curl, the programs gzip, brotli and
zstd, and nginx with a gzip and a cache of its own before it.

    compress_test.py LEAT FOLDER_OF_DEMO_PLUGIN
"""

import http.client
import random
import shutil
import subprocess
import sys

import proxies

# What unpacks from its input to its output.
UNPACK = {"gzip": ["gzip", "-dc"], "br": ["brotli", "-dc"], "zstd": ["zstd", "-dcq"]}
PACK = {"gzip": ["gzip", "-c"], "br": ["brotli", "-c"], "zstd": ["zstd", "-cq"]}
CODINGS = list(UNPACK)

CONFIGURATION = """[server]
listen = "127.0.0.1:0"
workers = 1
admin_socket = "{folder}/admin"
[[plugin]]
name = "demo"
file = "demo.so"
[[middleware]]
kind = "compress"
[[middleware]]
kind = "decompress"
[[route]]
path = "/payload/{{id}}"
handler = "demo:payload"
[[route]]
path = "/cached/{{id}}"
handler = "demo:payload"
[route.cache]
ttl = "1d"
[[route]]
path = "/echo"
methods = ["POST"]
handler = "demo:echo"
[[route]]
path = "/notes"
methods = ["POST"]
handler = "demo:notes"
[[route]]
path = "/metrics"
handler = "leat:metrics"
"""


def unpacked(coding, content):
    if coding is None:
        return content
    return subprocess.run(UNPACK[coding], input=content, stdout=subprocess.PIPE, check=True, timeout=60).stdout


def packed(coding, content):
    return subprocess.run(PACK[coding], input=content, stdout=subprocess.PIPE, check=True, timeout=60).stdout


def document(chance, size):
    """Words that repeat, runs and noise."""
    pieces, length = [], 0
    while length < size:
        what = chance.random()
        piece = (chance.choice([b'{"name":"', b"value", b"the ", b"\n", b"<p>"]) if what < 0.8 else
                 bytes([chance.randrange(256)]) * chance.randrange(300) if what < 0.9 else chance.randbytes(chance.randrange(100)))
        pieces.append(piece)
        length += len(piece)
    return b"".join(pieces)


class Compress(proxies.ProxyCase):
    def setUp(self):
        super().setUp()
        _, ports = self.serve(LEAT, CONFIGURATION.format(folder=self.folder), "--plugin-path", PLUGINS)
        self.address = f"127.0.0.1:{ports[0]}"
        self.plain = self.ask("/payload/p4")[1]

    def ask(self, target, coding=None, method="GET", body=None, address=None, **more):
        fields = {**({} if coding is None else {"Accept-Encoding": coding}), **more}
        connection = http.client.HTTPConnection(address or self.address, timeout=60)
        connection.request(method, target, body, fields)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        self.assertEqual(answer.status, 200)
        return answer, content

    def counted(self, metric):
        return sum(int(line.rsplit(" ", 1)[1]) for line in self.ask("/metrics")[1].decode().splitlines()
                   if line.startswith(metric + "{"))

    def curl(self, *arguments):
        return subprocess.run(["curl", "--silent", "--show-error", "--fail", "--max-time", "60", *arguments],
                              stdout=subprocess.PIPE, check=True).stdout

    def test_the_programs_of_each_coding_unpack_it(self):
        for target in ("/payload/p4", "/cached/p4"):
            for coding in CODINGS:
                for _ in range(3):
                    answer, content = self.ask(target, coding)
                    self.assertEqual(answer.getheader("Content-Encoding"), coding)
                    self.assertEqual(answer.getheader("Vary"), "Accept-Encoding")
                    self.assertLess(len(content), len(self.plain) / 2)
                    self.assertEqual(unpacked(coding, content), self.plain)

    def test_a_hit_packs_nothing(self):
        for coding in CODINGS:
            first = self.ask("/cached/p4", coding)[1]
            before = self.counted("leat_compress_answers_total")
            for spelling in (coding, f"{coding};q=0.7", f"x-unknown, {coding}"):
                for _ in range(20):
                    answer, content = self.ask("/cached/p4", spelling)
                    self.assertIn("hit", answer.getheader("Cache-Status"))
                    self.assertEqual(content, first)
            # The page of metrics itself is asked for without a coding.
            self.assertEqual(self.counted("leat_compress_answers_total"), before)

    def test_random_documents_in_pieces(self):
        seed = random.randrange(2**32)
        chance = random.Random(seed)
        for number in range(40):
            coding = CODINGS[number % len(CODINGS)]
            sent = document(chance, chance.choice([10, 1000, 20_000, 500_000]))
            cuts = sorted(chance.randrange(len(sent)) for _ in range(chance.randrange(6)))
            pieces = [sent[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(sent)]) if begin != end]
            with self.subTest(seed=seed, number=number, coding=coding):
                answer, content = self.ask("/echo", coding, "POST", iter(pieces), **{"Content-Type": "text/plain"})
                self.assertEqual(answer.getheader("Content-Encoding"), coding)
                self.assertEqual(unpacked(coding, content), sent)

    def test_bodies_that_the_programs_of_each_coding_pack(self):
        seed = random.randrange(2**32)
        chance = random.Random(seed)
        for number in range(20):
            coding = CODINGS[number % len(CODINGS)]
            sent = document(chance, chance.choice([1, 1000, 20_000, 600_000]))
            content = packed(coding, sent)
            cuts = sorted(chance.randrange(len(content)) for _ in range(chance.randrange(6)))
            pieces = [content[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(content)]) if begin != end]
            with self.subTest(seed=seed, number=number, coding=coding):
                body = content if number % 2 else iter(pieces)
                got = self.ask("/echo", None, "POST", body, **{"Content-Type": "image/x-any", "Content-Encoding": coding})[1]
                self.assertEqual(got, sent)
                # Packed again on its way back.
                answer, got = self.ask("/echo", "br", "POST", content, **{"Content-Type": "text/plain", "Content-Encoding": coding})
                self.assertEqual(unpacked(answer.getheader("Content-Encoding"), got), sent)

    def post(self, target, content, coding):
        """(status, Accept-Encoding); status 0 where the answer was cut."""
        connection = http.client.HTTPConnection(self.address, timeout=60)
        try:
            connection.request("POST", target, content, {"Content-Encoding": coding, "Content-Type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            return answer.status, answer.getheader("Accept-Encoding")
        except (http.client.HTTPException, ConnectionError):
            return 0, None
        finally:
            connection.close()

    def test_bodies_that_are_refused(self):
        note = b'{"text":"buy millet"}'
        for coding in CODINGS:
            self.assertEqual(self.post("/notes", packed(coding, note), coding)[0], 201)
            self.assertEqual(self.post("/notes", packed(coding, note)[:-1], coding)[0], 400)
            self.assertEqual(self.post("/notes", note, coding)[0], 400)
            bomb = packed(coding, bytes(64 << 20))
            self.assertEqual(self.post("/notes", bomb, coding)[0], 413)
            # One that answers while it reads has begun.
            self.assertEqual(self.post("/echo", bomb, coding)[0], 0)
        for coding in ("lzma", "gzip, lzma", "gzip, gzip, gzip"):
            self.assertEqual(self.post("/notes", note, coding), (415, "gzip, deflate, br, zstd"))
            self.assertEqual(self.post("/echo", note, coding), (415, "gzip, deflate, br, zstd"))
        self.assertEqual(self.counted("leat_decompress_refused_total"), 4 * len(CODINGS) + 6)

    def test_explained(self):
        told = subprocess.run([LEAT, "explain", "-c", f"{self.folder}/leat.toml", "--plugin-path", PLUGINS, "POST", "/echo",
                               "-H", "Accept-Encoding: gzip;q=0.5, *;q=0", "-H", "Content-Encoding: br, gzip"],
                              stdout=subprocess.PIPE, check=True, text=True).stdout
        self.assertIn("unpacks the body from gzip, and that from br", told)
        self.assertIn("packs answers in gzip, since none is taken plain", told)

    def test_curl(self):
        for target in ("/payload/p4", "/cached/p4"):
            self.assertEqual(self.curl("--compressed", f"http://{self.address}{target}"), self.plain)
            for coding in CODINGS:
                self.assertEqual(self.curl("--compressed", "-H", f"Accept-Encoding: {coding}", f"http://{self.address}{target}"),
                                 self.plain)
            self.assertEqual(self.curl("--http1.0", "--compressed", f"http://{self.address}{target}"), self.plain)
        sent = document(random.Random(1), 100_000)
        path = f"{self.folder}/sent"
        with open(path, "wb") as file:
            file.write(sent)
        self.assertEqual(self.curl("--compressed", "--data-binary", f"@{path}", "-H", "Content-Type: text/plain",
                                   f"http://{self.address}/echo"), sent)

    def test_curl_asks_with_the_tag_that_it_has(self):
        tag = f"{self.folder}/tag"
        url = f"http://{self.address}/cached/p4"
        self.assertEqual(self.curl("--compressed", "--etag-save", tag, url), self.plain)
        self.assertEqual(self.curl("--compressed", "--etag-compare", tag, "-w", "%{http_code}", url), b"304")

    def test_nginx_passes_it_on_and_packs_nothing_twice(self):
        port = proxies.free_port()
        self.nginx_http(f"""gzip on; gzip_types *; gzip_min_length 1; gzip_proxied any;
            server {{ listen 127.0.0.1:{port}; location / {{ proxy_http_version 1.1; proxy_pass http://{self.address}; }} }}""", port)
        for target in ("/payload/p4", "/cached/p4"):
            for coding in CODINGS:
                answer, content = self.ask(target, coding, address=f"127.0.0.1:{port}")
                self.assertEqual(answer.getheader("Content-Encoding"), coding)
                self.assertEqual(unpacked(coding, content), self.plain)
            self.assertEqual(self.curl("--compressed", f"http://127.0.0.1:{port}{target}"), self.plain)
            self.assertEqual(self.curl(f"http://127.0.0.1:{port}{target}"), self.plain)

    def test_a_cache_of_nginx_gives_each_client_what_it_takes(self):
        port = proxies.free_port()
        self.nginx_http(f"""proxy_cache_path {self.folder}/stored keys_zone=one:1m;
            server {{ listen 127.0.0.1:{port}; location / {{ proxy_http_version 1.1; proxy_pass http://{self.address};
            proxy_cache one; proxy_cache_valid 200 1h; add_header X-Found $upstream_cache_status; }} }}""", port)
        found = []
        for coding in (*CODINGS, None, *CODINGS, None):
            answer, content = self.ask("/payload/p4", coding, address=f"127.0.0.1:{port}")
            self.assertEqual(answer.getheader("Content-Encoding"), coding)
            self.assertEqual(unpacked(coding, content), self.plain)
            found.append(answer.getheader("X-Found"))
        self.assertEqual(found, ["MISS"] * 4 + ["HIT"] * 4)


if __name__ == "__main__":
    LEAT, PLUGINS = sys.argv[1:3]
    for program, *_ in UNPACK.values():
        if not shutil.which(program):
            sys.exit(f"{program} is missing: `./dev test` installs it")
    proxies.main(sys.argv[:1] + sys.argv[3:])
