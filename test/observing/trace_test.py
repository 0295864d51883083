#!/usr/bin/env python3
"""What trace tells a collector, read by protoc with the protocol's own definition (opentelemetry-proto), and what becomes of spans
when a collector is slow, away, or of another mind.

    trace_test.py LEAT FOLDER_OF_DEMO_PLUGIN FOLDER_OF_TEST_PLUGINS
"""

import http.server
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
import unittest
import urllib.error
import urllib.request

from daemon import DEMO, PATIENCE, Daemon

LEAT, PLUGINS, TEST_PLUGINS = sys.argv[1:4]
DEFINITIONS = "/usr/include"
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"

CONFIGURATION = DEMO + """[[plugin]]
name = "f"
file = "{test_plugins}/fetches.so"
[plugin.config]
upstream = "{scheme}://127.0.0.1:{upstream}"
[[middleware]]
kind = "trace"
url = "http://127.0.0.1:{collector}"
service = "shop"
resource = ["service.version=1.4"]
{options}
[[route]]
path = "/users/{{id}}"
handler = "demo:users"
[[route]]
path = "/pass/{{rest...}}"
handler = "f:pass"
"""


class Recorder(http.server.BaseHTTPRequestHandler):
    """Keeps what it is asked, and answers as its server's script says: (status, fields), the last one for ever."""
    protocol_version = "HTTP/1.1"

    def answer(self):
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        server = self.server
        with server.lock:
            server.asked.append((self.path, dict(self.headers.items()), body))
            status, fields = server.script.pop(0) if len(server.script) > 1 else server.script[0]
        self.send_response(status)
        for name, value in {"Content-Length": "0", **fields}.items():
            self.send_header(name, value)
        self.end_headers()

    do_GET = do_POST = answer

    def log_message(self, *_):
        pass


def parse(text):
    """Protocol Buffers' text format as a list of (name, value); a message is such a list, bytes are bytes."""
    tokens = iter(re.findall(r'"(?:[^"\\]|\\.)*"|[{}]|[^\s{}":]+:?', text))

    def unescape(quoted):
        raw = re.sub(rb"\\(x[0-9a-f]{2}|[0-7]{1,3}|.)", lambda match: {
            b"n": b"\n", b"r": b"\r", b"t": b"\t", b'"': b'"', b"'": b"'", b"\\": b"\\"}.get(match[1]) or bytes(
                [int(match[1][1:], 16) if match[1][:1] == b"x" else int(match[1], 8)]), quoted[1:-1].encode())
        return raw

    def message():
        fields = []
        for token in tokens:
            if token == "}":
                break
            value = next(tokens)
            if token.endswith(":"):
                fields.append((token[:-1], unescape(value) if value.startswith('"') else value))
            else:
                assert value == "{", (token, value)
                fields.append((token, message()))
        return fields

    return message()


def named(fields, name):
    return [value for key, value in fields if key == name]


def attributes(fields):
    """{key: value} of KeyValues."""
    found = {}
    for each in named(fields, "attributes"):
        (kind, value), = named(each, "value")[0]
        found[named(each, "key")[0].decode()] = value.decode() if kind == "string_value" else int(value)
    return found


def decode(body):
    """The resource's attributes and the spans of a request to a collector."""
    told = subprocess.run(["protoc", "-I", DEFINITIONS, "--decode=opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest",
                           "opentelemetry/proto/collector/trace/v1/trace_service.proto"], input=body, capture_output=True, check=True)
    request = parse(told.stdout.decode())
    (resource_spans,) = named(request, "resource_spans")
    (scope_spans,) = named(resource_spans, "scope_spans")
    assert named(named(scope_spans, "scope")[0], "name") == [b"leat"]
    return attributes(named(resource_spans, "resource")[0]), named(scope_spans, "spans")


class TraceCase(unittest.TestCase):
    def server(self, *script):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Recorder)
        server.asked, server.script, server.lock = [], list(script) or [(200, {})], threading.Lock()
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return server

    def daemon(self, collector, options="", upstream=1, scheme="http"):
        return Daemon(LEAT, PLUGINS, CONFIGURATION, test_plugins=TEST_PLUGINS, upstream=upstream, collector=collector, options=options,
                      scheme=scheme)

    def ask(self, daemon, path, **fields):
        request = urllib.request.Request(daemon.address + path, headers={name.replace("_", "-"): value for name, value in fields.items()})
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def wait(self, met):
        deadline = time.monotonic() + PATIENCE
        while not met():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)

    def counted(self, daemon, result):
        text = self.ask(daemon, "/metrics")[1]
        return int(re.search(rf'leat_trace_spans_total{{instance="trace",result="{result}"}} (\d+)', text)[1])

    def test_a_request_and_what_it_asks_for(self):
        collector, upstream = self.server(), self.server()
        before = time.time_ns()
        with self.daemon(collector.server_address[1], 'interval = "1h"\n', upstream.server_address[1]) as daemon:
            self.assertEqual(self.ask(daemon, "/pass/stock?key=1", traceparent=f"00-{TRACE}-{PARENT}-01", tracestate="a=1",
                                      User_Agent="agent/1 \xe4")[0], 200)
            self.ask(daemon, "/users/7?limit=many")
            self.ask(daemon, "/users/8", traceparent=f"00-{TRACE}-{PARENT}-00")  # not recorded
            self.assertEqual(collector.asked, [])
        # The daemon has stopped by now, and has told the rest before.
        (path, fields, body), = collector.asked
        self.assertEqual((path, fields["Content-Type"]), ("/v1/traces", "application/x-protobuf"))
        resource, spans = decode(body)
        self.assertEqual((resource["service.name"], resource["service.version"], resource["telemetry.sdk.name"]), ("shop", "1.4", "leat"))
        self.assertEqual(len(spans), 3)
        question, passed, refused = spans

        def one(span, name):
            value, = named(span, name)
            return value

        self.assertEqual((one(passed, "name"), one(passed, "kind")), (b"GET /pass/{rest...}", "SPAN_KIND_SERVER"))
        self.assertEqual((one(passed, "trace_id").hex(), one(passed, "parent_span_id").hex()), (TRACE, PARENT))
        self.assertEqual(one(passed, "trace_state"), b"a=1")
        self.assertEqual(int(one(passed, "flags")), 0x301)
        said = attributes(passed)
        host, port = daemon.address.removeprefix("http://").split(":")
        self.assertEqual(said, {"http.request.method": "GET", "url.scheme": "http", "url.path": "/pass/stock",
                                "http.route": "/pass/{rest...}", "server.address": host, "server.port": int(port),
                                "client.address": "127.0.0.1", "network.peer.address": "127.0.0.1", "network.protocol.version": "1.1",
                                "user_agent.original": "agent/1 ?", "http.response.status_code": 200})
        self.assertEqual(named(passed, "status"), [])

        self.assertEqual((one(question, "name"), one(question, "kind")), (b"GET", "SPAN_KIND_CLIENT"))
        self.assertEqual(one(question, "trace_id").hex(), TRACE)
        self.assertEqual(one(question, "parent_span_id"), one(passed, "span_id"))
        said = attributes(question)
        self.assertEqual(said["url.full"], f"http://127.0.0.1:{upstream.server_address[1]}/stock")
        self.assertEqual((said["server.address"], said["server.port"]), ("127.0.0.1", upstream.server_address[1]))
        self.assertEqual(said["http.response.status_code"], 200)
        # The upstream has been told of the question as its parent.
        (_, told, _), = upstream.asked
        self.assertEqual(told["traceparent"], f"00-{TRACE}-{one(question, 'span_id').hex()}-01")
        self.assertEqual(told["tracestate"], "a=1")
        moments = [int(one(each, name)) for each in (passed, question) for name in ("start_time_unix_nano", "end_time_unix_nano")]
        self.assertLessEqual(before - 1_000_000_000, moments[0])
        self.assertLessEqual(moments[0], moments[1])
        self.assertLessEqual(moments[2], moments[3])
        self.assertLessEqual(moments[1], time.time_ns() + 1_000_000_000)

        self.assertEqual(one(refused, "name"), b"GET /users/{id}")
        self.assertEqual(named(refused, "parent_span_id"), [])
        self.assertNotEqual(one(refused, "trace_id").hex(), TRACE)
        self.assertEqual(attributes(refused)["http.response.status_code"], 400)
        self.assertNotIn("error.type", attributes(refused))  # the client's mistake, and no error of the server's

    def test_a_question_by_http2(self):
        collector = self.server()
        with Daemon(LEAT, PLUGINS, DEMO) as upstream:
            port = int(upstream.address.rsplit(":", 1)[1])
            with self.daemon(collector.server_address[1], 'interval = "1h"\n', port, "h2c") as daemon:
                self.assertEqual(self.ask(daemon, "/pass/metrics")[0], 200)
        spans = [span for _, _, body in collector.asked for span in decode(body)[1]]
        said = attributes(next(each for each in spans if named(each, "kind") == ["SPAN_KIND_CLIENT"]))
        self.assertEqual((said["url.full"], said["network.protocol.version"]), (f"http://127.0.0.1:{port}/metrics", "2"))

    def test_what_the_upstream_does_not_answer_is_an_error(self):
        collector = self.server()
        with self.daemon(collector.server_address[1], "batch = 1\n") as daemon:
            self.assertEqual(self.ask(daemon, "/pass/x")[0], 502)
            self.wait(lambda: len(collector.asked) >= 1 and self.counted(daemon, "exported") >= 2)
        spans = [span for _, _, body in collector.asked for span in decode(body)[1]]
        question = next(each for each in spans if named(each, "kind") == ["SPAN_KIND_CLIENT"])
        self.assertEqual(attributes(question)["error.type"], "no_answer")
        self.assertEqual(named(question, "status"), [[("code", "STATUS_CODE_ERROR")]])
        passed = next(each for each in spans if named(each, "name") == [b"GET /pass/{rest...}"])
        self.assertEqual(attributes(passed)["error.type"], "502")
        self.assertEqual(named(passed, "status"), [[("code", "STATUS_CODE_ERROR")]])

    def test_many_spans_in_few_batches(self):
        collector = self.server()
        with self.daemon(collector.server_address[1], 'batch = 50\ninterval = "1h"\n') as daemon:
            for i in range(120):
                self.ask(daemon, f"/users/{i}")
            self.wait(lambda: len(collector.asked) >= 2)
        batches = [decode(body)[1] for _, _, body in collector.asked]
        self.assertLessEqual(len(batches), 4)
        paths = [attributes(span)["url.path"] for batch in batches for span in batch]
        self.assertEqual(paths, [f"/users/{i}" for i in range(120)])

    def test_a_batch_is_sent_once_more(self):
        collector = self.server((503, {"Retry-After": "1"}), (429, {}), (200, {}))
        with self.daemon(collector.server_address[1], "batch = 1\n") as daemon:
            self.ask(daemon, "/users/7")
            self.wait(lambda: len(collector.asked) >= 3)
        first, second, third = (body for _, _, body in collector.asked[:3])
        self.assertEqual(first, second)
        self.assertEqual(first, third)

    def test_what_is_refused_is_dropped(self):
        collector = self.server((400, {}))
        with self.daemon(collector.server_address[1], "batch = 1\nfields = [\"Authorization: Bearer hidden\"]\n") as daemon:
            self.ask(daemon, "/users/7")
            self.wait(lambda: self.counted(daemon, "refused") >= 1)
            log = (daemon.folder / "log").read_text()
        self.assertIn("spans are lost", log)
        self.assertIn("answered 400", log)
        self.assertNotIn("hidden", log)
        self.assertEqual(collector.asked[0][1]["Authorization"], "Bearer hidden")

    def test_nobody_waits_for_a_collector(self):
        # It takes connections and never says anything.
        with socket.create_server(("127.0.0.1", 0), backlog=64) as silent:
            with self.daemon(silent.getsockname()[1], 'batch = 10\nqueue = "16KiB"\nstop_timeout = "200ms"\n') as daemon:
                for i in range(200):
                    self.assertEqual(self.ask(daemon, f"/users/{i}")[0], 200)
                self.assertGreater(self.counted(daemon, "full"), 50)
                self.assertEqual(self.counted(daemon, "exported"), 0)
        # None is there at all.
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        with self.daemon(port, 'batch = 1\nretry = "0s"\n') as daemon:
            self.assertEqual(self.ask(daemon, "/users/1")[0], 200)
            self.wait(lambda: self.counted(daemon, "away") >= 1)

    def test_a_reload_leaves_no_span_behind(self):
        collector = self.server()
        with self.daemon(collector.server_address[1], 'interval = "300ms"\n') as daemon:
            self.ask(daemon, "/users/7")
            file = daemon.folder / "leat.toml"
            text = file.read_text()
            begin = text.index("[[middleware]]")
            end = text.index("[[route]]", begin)
            file.write_text(text[:begin] + text[end:])
            subprocess.run([LEAT, "reload", "-c", file], check=True, capture_output=True, timeout=PATIENCE)
            self.ask(daemon, "/users/8")
            self.wait(lambda: collector.asked)
        paths = [attributes(span)["url.path"] for _, _, body in collector.asked for span in decode(body)[1]]
        self.assertEqual(paths, ["/users/7"])


if __name__ == "__main__":
    if not shutil.which("protoc"):
        sys.exit("protoc is missing: `./dev test` installs it")
    unittest.main(argv=sys.argv[:1])
