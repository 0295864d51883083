#!/usr/bin/env python3
"""Leat behind the real nginx, HAProxy and Caddy, each with its snippet of packaging/proxy: whom a request is for, by what they
say and by what clients would like Leat to believe.

    proxy_test.py LEAT FOLDER_OF_TEST_PLUGINS

A client has an address of its own, 127.0.0.2; the proxies come from 127.0.0.1, which is what the snippets trust.
"""

import contextlib
import json
import re
import socket
import ssl
import struct
import subprocess
import sys
import unittest
from pathlib import Path

from proxies import PATIENCE, ROOT, SNIPPETS, ProxyCase, free_port, main, snippet

LEAT, PLUGINS = sys.argv[1:3]
CLIENT = "127.0.0.2"
# What a client sends who would like to be somebody else.
FORGED = ("X-Forwarded-For: 10.9.9.9, 127.0.0.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: forged.example\r\n"
          "Forwarded: for=10.9.9.9;proto=https;host=forged.example\r\nX-Real-IP: 10.9.9.9\r\nX-Forwarded-Port: 99\r\n")


class Answer:
    def __init__(self, connection):
        stream = connection.makefile("rb")
        self.status = int(stream.readline().split()[1])
        fields = {}
        while line := stream.readline().strip():
            name, value = line.decode().split(":", 1)
            fields[name.lower()] = value.strip()
        if "content-length" in fields:
            body = stream.read(int(fields["content-length"]))
        else:
            body = b""
            while size := int(stream.readline(), 16):
                body += stream.read(size)
                stream.readline()
        self.seen = json.loads(body) if self.status == 200 else {}

    def fields(self, name):
        return [each["value"] for each in self.seen["fields"] if each["name"].lower() == name]


def connect(port, source=CLIENT, tls=False):
    connection = socket.create_connection(("127.0.0.1", port), PATIENCE, (source, 0))
    if not tls:
        return connection
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(connection, server_hostname="site.example")


def ask(port, fields="", before=b"", source=CLIENT, tls=False):
    """GET /who with those fields, on a connection of its own that begins with `before`."""
    with connect(port, source, tls) as connection:
        connection.sendall(before + f"GET /who HTTP/1.1\r\nHost: site.example\r\n{fields}\r\n".encode())
        return Answer(connection)


def version_2(source, command=1, extras=b""):
    """A header of the PROXY protocol, version 2, of somebody who has connected to 192.0.2.1:443."""
    body = socket.inet_aton(source) + socket.inet_aton("192.0.2.1") + struct.pack("!HH", 5000, 443) + extras
    return b"\r\n\r\n\0\r\nQUIT\n" + struct.pack("!BBH", 0x20 | command, 0x11, len(body)) + body


class Case(ProxyCase):
    def leat(self, configuration, addresses=1):
        """Starts it and returns it with its ports."""
        configuration += f"""
[[plugin]]
name = "who"
file = "{PLUGINS}/who.so"
[[middleware]]
kind = "access_log"
fields = ["client", "status", "protocol", "route"]
[[route]]
path = "/who"
handler = "who:who"
"""
        return self.serve(LEAT, configuration, "--workers", "1", "--no-supervise", addresses=addresses)

    def certificate(self):
        path = Path(self.folder, "site.pem")
        if not path.exists():
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
                            "1", "-subj", "/CN=site.example", "-keyout", f"{self.folder}/key", "-out", f"{self.folder}/crt"],
                           check=True, capture_output=True)
            path.write_text(Path(self.folder, "crt").read_text() + Path(self.folder, "key").read_text())
        return str(path)

    def check_is(self, answer, client, peer="127.0.0.1", scheme="http", doubt=False):
        self.assertEqual(answer.status, 200)
        seen = answer.seen
        self.assertEqual((seen["client"], seen["peer"], seen["scheme"], seen["in_doubt"]), (client, peer, scheme, doubt))
        self.assertEqual(seen["host"], "site.example")

    def check_nothing_forged(self, answer):
        for name in ("forwarded", "x-real-ip", "x-forwarded-host", "x-forwarded-port"):
            self.assertEqual(answer.fields(name), [], name)


class Http(Case):
    """Proxies that speak HTTP with Leat, and say by fields for whom."""

    def behind(self, start, name, web):
        leat, [port] = self.leat(snippet("leat.toml", leat="127.0.0.1:0"))
        front = free_port()
        start(snippet(name, leat=f"127.0.0.1:{port}", web=web.format(front)), front)
        honest = ask(front)
        self.check_is(honest, CLIENT)
        self.assertEqual(honest.fields("x-forwarded-for"), [CLIENT])
        self.assertEqual(honest.fields("x-forwarded-proto"), ["http"])
        # The proxy's connections are used again: what one client has sent is nothing to the next.
        for fields in (FORGED, "", "X-Forwarded-For: \"\r\n", "X-Forwarded-For: " + ", ".join(["127.0.0.1"] * 100) + "\r\n", FORGED):
            forged = ask(front, fields)
            self.check_is(forged, CLIENT)
            self.check_nothing_forged(forged)
        self.check_is(ask(front, FORGED, source="127.0.0.3"), "127.0.0.3")
        leat.wait_for_log(f'"client":"{CLIENT}"')
        self.assertNotIn("10.9.9.9", leat.log())
        # Past the proxy nobody is believed.
        direct = ask(port, FORGED)
        self.check_is(direct, CLIENT, peer=CLIENT, doubt=True)
        self.check_nothing_forged(direct)
        self.assertEqual(direct.fields("x-forwarded-for"), [])
        leat.wait_for_log("127.0.0.2 sends X-Forwarded-For and is not one of server.trusted_proxies")

    def test_nginx(self):
        self.behind(self.nginx_http, "nginx.conf", "127.0.0.1:{}")

    def test_haproxy(self):
        self.behind(self.haproxy, "haproxy.cfg", "127.0.0.1:{}")

    def test_caddy(self):
        self.behind(self.caddy, "Caddyfile", ":{}")

    def behind_by_http2(self, start, name, web, change, configuration=None):
        """The proxy speaks HTTP/2 with Leat, and says for whom as by HTTP/1.1; all clients have one connection."""
        leat, [port] = self.leat(configuration or snippet("leat.toml", leat="127.0.0.1:0"))
        front = free_port()
        start(change(snippet(name, leat=f"127.0.0.1:{port}", web=web.format(front))), front)
        for source in (CLIENT, "127.0.0.3"):
            for fields in ("", FORGED):
                answer = ask(front, fields, source=source)
                self.check_is(answer, source, scheme="http")
                self.check_nothing_forged(answer)
        leat.wait_for_log('"client":"127.0.0.3"')
        self.assertIn('"protocol":"HTTP/2.0"', leat.log())
        self.assertNotIn('"protocol":"HTTP/1.1"', leat.log())

    def leat_by_tls(self):
        text = snippet("leat.toml", leat="127.0.0.1:0")
        tls = f"""
[[listener]]
address = "127.0.0.1:0"
tls = true
[[tls]]
certificate = "{self.certificate()}"
key = "{self.folder}/key"
"""
        listen = 'listen = ["127.0.0.1:0"]'
        assert listen in text, text
        return text.replace(listen, "") + tls

    def test_haproxy_by_http2(self):
        self.behind_by_http2(self.haproxy, "haproxy.cfg", "127.0.0.1:{}",
                             lambda text: text.replace("pool-max-conn", "proto h2 pool-max-conn"))

    def test_haproxy_by_http2_and_tls(self):
        self.behind_by_http2(self.haproxy, "haproxy.cfg", "127.0.0.1:{}",
                             lambda text: text.replace("pool-max-conn", "ssl verify none alpn h2 sni str(site.example) pool-max-conn"),
                             self.leat_by_tls())

    def test_caddy_by_http2(self):
        self.behind_by_http2(self.caddy, "Caddyfile", ":{}", lambda text: text.replace("reverse_proxy 127", "reverse_proxy h2c://127"))

    def test_caddy_by_http2_and_tls(self):
        self.behind_by_http2(self.caddy, "Caddyfile", ":{}", lambda text: text.replace("reverse_proxy 127", "reverse_proxy https://127")
                             .replace("transport http {", "transport http {\n\t\t\ttls_insecure_skip_verify\n\t\t\tversions 2"),
                             self.leat_by_tls())

    def test_a_websocket_through_haproxy_by_http2(self):
        """A client's Upgrade becomes an extended CONNECT (RFC 8441)."""
        sockets = snippet("leat.toml", leat="127.0.0.1:0") + f"""
[[plugin]]
name = "sockets"
file = "{PLUGINS}/sockets.so"
[[route]]
path = "/echo"
methods = ["GET"]
handler = "sockets:echo"
"""
        leat, [port] = self.leat(sockets)
        front = free_port()
        text = snippet("haproxy.cfg", leat=f"127.0.0.1:{port}", web=f"127.0.0.1:{front}")
        self.haproxy(text.replace("pool-max-conn", "proto h2 ws h2 pool-max-conn"), front)
        with connect(front) as connection:
            connection.sendall(b"GET /echo HTTP/1.1\r\nHost: site.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                               b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
            stream = connection.makefile("rb")
            self.assertIn(b" 101 ", stream.readline())
            while stream.readline().strip():
                pass
            connection.sendall(b"\x81\x85\0\0\0\0hello")
            self.assertEqual(stream.read(7), b"\x81\x05hello")
            connection.sendall(b"\x88\x82\0\0\0\0\x03\xe8")
            self.assertEqual(stream.read(4), b"\x88\x02\x03\xe8")
            self.assertEqual(stream.read(), b"")
        leat.wait_for_log('"status":200')
        self.assertIn('"protocol":"HTTP/2.0"', leat.log())

    def test_nginx_by_https(self):
        _, [port] = self.leat(snippet("leat.toml", leat="127.0.0.1:0"))
        front = free_port()
        tls = f"127.0.0.1:{front} ssl; ssl_certificate {self.certificate()}; ssl_certificate_key {self.certificate()}"
        self.nginx_http(snippet("nginx.conf", leat=f"127.0.0.1:{port}", web=tls), front)
        self.check_is(ask(front, FORGED, tls=True), CLIENT, scheme="https")

    def test_haproxy_by_https(self):
        _, [port] = self.leat(snippet("leat.toml", leat="127.0.0.1:0"))
        front = free_port()
        self.haproxy(snippet("haproxy.cfg", leat=f"127.0.0.1:{port}", web=f"127.0.0.1:{front} ssl crt {self.certificate()}"), front)
        self.check_is(ask(front, "X-Forwarded-Proto: http\r\n", tls=True), CLIENT, scheme="https")

    def test_haproxy_by_the_standard_field(self):
        leat = snippet("leat.toml", leat="127.0.0.1:0").replace('"x-forwarded-for", "x-forwarded-proto"', '"forwarded"')
        _, [port] = self.leat(leat)
        front = free_port()
        text = snippet("haproxy.cfg", leat=f"127.0.0.1:{port}", web=f"127.0.0.1:{front}")
        self.haproxy(text.replace("option forwardfor", "").replace("http-reuse", "option forwarded proto for\n  http-reuse"), front)
        for fields in ("", FORGED, 'Forwarded: for="10.9.9.9\r\n'):
            answer = ask(front, fields)
            self.assertEqual(answer.seen["scheme"], "http")
            self.assertEqual(answer.seen["client"], CLIENT, answer.seen)
            self.assertEqual(answer.fields("x-forwarded-for"), [])

    def test_two_in_a_row(self):
        """HAProxy writes whom it has seen, and nginx HAProxy: both are trusted, and who is before them is the client."""
        _, [port] = self.leat(snippet("leat.toml", leat="127.0.0.1:0"))
        middle, front = free_port(), free_port()
        self.nginx_http(snippet("nginx.conf", leat=f"127.0.0.1:{port}", web=f"127.0.0.1:{middle}"), middle)
        self.haproxy(snippet("haproxy.cfg", leat=f"127.0.0.1:{middle}", web=f"127.0.0.1:{front}"), front)
        answer = ask(front, FORGED)
        self.check_is(answer, CLIENT)
        self.assertEqual(answer.fields("x-forwarded-for"), ["10.9.9.9, 127.0.0.1, 127.0.0.2, 127.0.0.1"])


class ProxyProtocol(Case):
    """Proxies that pass bytes on, and say by the PROXY protocol for whom."""

    def leat_for_proxies(self, more=""):
        leat, ports = self.leat(snippet("leat-proxy-protocol.toml", leat="127.0.0.1:0") + more)
        return leat, ports[0]

    def check_passed_on(self, leat, front, tls=False):
        scheme = "https" if tls else "http"
        self.check_is(ask(front, tls=tls), CLIENT, scheme=scheme)
        # What comes by these bytes is the client's.
        forged = ask(front, FORGED, tls=tls)
        self.check_is(forged, CLIENT, scheme=scheme, doubt=True)
        self.check_nothing_forged(forged)
        self.assertEqual(forged.fields("x-forwarded-for"), [])
        leat.wait_for_log(f'"client":"{CLIENT}"')
        # One connection, many requests.
        with connect(front, tls=tls) as connection:
            for _ in range(3):
                connection.sendall(b"GET /who HTTP/1.1\r\nHost: site.example\r\n\r\n")
                self.check_is(Answer(connection), CLIENT, scheme=scheme)
        # A header from the client's hand is no request, and nothing that is believed.
        with connect(front, tls=tls) as connection:
            connection.sendall(b"PROXY TCP4 10.9.9.9 192.0.2.1 1 2\r\nGET /who HTTP/1.1\r\nHost: site.example\r\n\r\n")
            self.assertNotIn(b"10.9.9.9", connection.recv(65536))

    def test_nginx(self):
        leat, port = self.leat_for_proxies()
        front = free_port()
        text = snippet("nginx-stream.conf", leat=f"127.0.0.1:{port}", web=f"127.0.0.1:{front}")
        self.nginx(text, front)
        self.check_passed_on(leat, front)

    def haproxy_tcp(self, sends, bind=""):
        leat, port = self.leat_for_proxies()
        front = free_port()
        text = snippet("haproxy-tcp.cfg", leat=f"127.0.0.1:{port}", web=f"127.0.0.1:{front}{bind}")
        self.haproxy(text.replace("send-proxy-v2 ", sends + " "), front)
        self.check_passed_on(leat, front, tls=bool(bind))

    def test_haproxy_version_1(self):
        self.haproxy_tcp("send-proxy")

    def test_haproxy_version_2(self):
        self.haproxy_tcp("send-proxy-v2")

    def test_haproxy_version_2_with_all_it_can_say(self):
        self.haproxy_tcp("send-proxy-v2-ssl-cn proxy-v2-options ssl,cert-cn,ssl-cipher,authority,crc32c,unique-id",
                         f" ssl crt {self.certificate()} alpn http/1.1")

    def test_fields_of_a_proxy_behind_it(self):
        """HAProxy writes fields, nginx passes its bytes on: Leat believes both."""
        _, port = self.leat_for_proxies()
        middle, front = free_port(), free_port()
        self.nginx(snippet("nginx-stream.conf", leat=f"127.0.0.1:{port}", web=f"127.0.0.1:{middle}"), middle)
        self.haproxy(snippet("haproxy.cfg", leat=f"127.0.0.1:{middle}", web=f"127.0.0.1:{front}"), front)
        self.check_is(ask(front, FORGED), CLIENT)

    def test_from_others_it_is_refused(self):
        leat, port = self.leat_for_proxies()
        for before in (b"", b"PROXY TCP4 10.9.9.9 192.0.2.1 1 2\r\n", version_2("10.9.9.9")):
            with connect(port) as connection:
                with contextlib.suppress(ConnectionError):
                    connection.sendall(before + b"GET /who HTTP/1.1\r\nHost: site.example\r\n\r\n")
                    self.assertEqual(connection.recv(65536), b"")
        leat.wait_for_log(f"a connection from {CLIENT} is closed: it is not one of trusted_proxies")
        self.assertNotIn('"route"', leat.log())

    def test_without_a_header_a_proxy_is_refused(self):
        leat, port = self.leat_for_proxies()
        damaged = version_2("10.9.9.9", extras=b"\3\0\4abcd")
        for before, why in ((b"", "it does not begin with a header of the PROXY protocol"),
                            (b"PROXY TCP4 10.9.9.9 192.0.2.1 1\r\n", "its header of the PROXY protocol is malformed"),
                            (damaged, "the checksum in its header of the PROXY protocol is wrong")):
            with connect(port, source="127.0.0.1") as connection:
                with contextlib.suppress(ConnectionError):
                    connection.sendall(before + b"GET /who HTTP/1.1\r\nHost: site.example\r\n\r\n")
                    self.assertEqual(connection.recv(65536), b"")
            leat.wait_for_log(f"a connection from 127.0.0.1 is refused: {why}")
        self.assertNotIn('"route"', leat.log())

    def test_a_header_that_does_not_come(self):
        leat, port = self.leat_for_proxies("\n[limits]\nhandshake_timeout = \"100ms\"\n")
        with connect(port, source="127.0.0.1") as connection:
            connection.sendall(b"PROXY TCP4 10.9.")
            self.assertEqual(connection.recv(65536), b"")
        leat.wait_for_log("a connection from 127.0.0.1 is closed: it was not ready after 100 ms (limits.handshake_timeout)")

    def test_a_header_byte_by_byte(self):
        _, port = self.leat_for_proxies()
        for before in (b"PROXY TCP4 10.9.9.9 192.0.2.1 1 2\r\n", version_2("10.9.9.9", extras=b"\x20\0\5\1\0\0\0\0")):
            with connect(port, source="127.0.0.1") as connection:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for byte in before:
                    connection.sendall(bytes([byte]))
                connection.sendall(b"GET /who HTTP/1.1\r\nHost: site.example\r\n\r\n")
                self.check_is(Answer(connection), "10.9.9.9", scheme="https" if before[0] == 13 else "http")

    def test_a_proxy_for_itself(self):
        """A health check is the proxy's own request; fields are nobody's there."""
        _, port = self.leat_for_proxies()
        for before in (b"PROXY UNKNOWN\r\n", version_2("10.9.9.9", command=0)):
            self.check_is(ask(port, before=before, source="127.0.0.1"), "127.0.0.1")
            self.check_is(ask(port, FORGED, before=before, source="127.0.0.1"), "127.0.0.1", doubt=True)

    def test_each_client_has_its_share_of_connections(self):
        leat, port = self.leat_for_proxies("\n[limits]\nconnections_per_address = 2\n")
        with contextlib.ExitStack() as held:
            def busy(client):
                connection = held.enter_context(connect(port, source="127.0.0.1"))
                connection.sendall(f"PROXY TCP4 {client} 192.0.2.1 1 2\r\nGET /w".encode())
                return connection
            for client in ("192.0.2.50", "192.0.2.51", "192.0.2.52"):
                for connection in (busy(client), busy(client)):
                    connection.setblocking(True)
            over = ask(port, before=b"PROXY TCP4 192.0.2.50 192.0.2.1 1 2\r\n", source="127.0.0.1")
            self.assertEqual(over.status, 503)
            leat.wait_for_log("192.0.2.50 has as many connections as one address may have")
            self.assertEqual(ask(port, before=b"PROXY TCP4 192.0.2.53 192.0.2.1 1 2\r\n", source="127.0.0.1").status, 200)

    def test_an_idle_connection_of_the_client_makes_room(self):
        leat, port = self.leat_for_proxies("\n[limits]\nconnections_per_address = 1\n")
        with connect(port, source="127.0.0.1") as first:
            first.sendall(b"PROXY TCP4 192.0.2.50 192.0.2.1 1 2\r\nGET /who HTTP/1.1\r\nHost: site.example\r\n\r\n")
            self.check_is(Answer(first), "192.0.2.50")
            self.check_is(ask(port, before=b"PROXY TCP4 192.0.2.50 192.0.2.1 1 2\r\n", source="127.0.0.1"), "192.0.2.50")
            self.assertEqual(first.recv(1), b"")
        leat.wait_for_log("an idle one was closed")


class Page(unittest.TestCase):
    def test_what_the_page_shows_is_what_is_tested(self):
        page = (ROOT / "docs/reverse-proxy.md").read_text()
        shown = re.findall(r"^```(\S+)\n(.*?)^```$", page, re.M | re.S)
        self.assertTrue(shown)
        files = {path.name: path.read_text() for path in SNIPPETS.iterdir()}
        for kind, text in shown:
            if kind != "text":
                self.assertTrue(any(text in each for each in files.values()), text)


if __name__ == "__main__":
    main(sys.argv[:1])
