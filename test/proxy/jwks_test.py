#!/usr/bin/env python3
"""jwt with keys that the real nginx and Caddy publish, as files that are replaced; tokens are by another library (PyJWT).

    jwks_test.py LEAT FOLDER_OF_TEST_PLUGINS
"""

import concurrent.futures
import hashlib
import hmac
import http.client
import json
import os
import re
import sys
import time
import unittest
from pathlib import Path

try:
    import jwt
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
    from jwt.algorithms import RSAAlgorithm
    from jwt.utils import base64url_encode
except ImportError:
    jwt = None

from proxies import PATIENCE, ProxyCase, free_port, main, wait_for

LEAT, PLUGINS = sys.argv[1:3]


def made():
    return ec.generate_private_key(ec.SECP256R1())


def jwk(key, name, **more):
    """The public half of a key, as it is published."""
    if isinstance(key, rsa.RSAPrivateKey):
        members = json.loads(RSAAlgorithm.to_jwk(key.public_key()))
        return {"kty": "RSA", "n": members["n"], "e": members["e"], "kid": name} | more
    numbers = key.public_key().public_numbers()
    size = (key.curve.key_size + 7) // 8
    return {"kty": "EC", "crv": f"P-{key.curve.key_size}", "kid": name,
            "x": base64url_encode(numbers.x.to_bytes(size, "big")).decode(),
            "y": base64url_encode(numbers.y.to_bytes(size, "big")).decode()} | more


def token(key, name, algorithm="ES256", **more):
    headers = {} if name is None else {"kid": name}
    return jwt.encode({"sub": "alice", "exp": int(time.time()) + 600} | more, key, algorithm=algorithm, headers=headers)


@unittest.skipUnless(jwt, "needs python3-jwt and python3-cryptography")
class Case(ProxyCase):
    def setUp(self):
        super().setUp()
        self.root = Path(self.folder, "www")
        self.root.mkdir()

    def publish(self, *keys, text=None):
        """Replaces the file at once, as whoever takes care of keys does."""
        new = self.root / "new"
        new.write_text(json.dumps({"keys": keys}) if text is None else text)
        os.replace(new, self.root / "keys")

    def nginx_server(self, port=None):
        self.port = port or free_port()
        log = f"{self.folder}/asked"
        temporary = "".join(f"{name}_temp_path {self.folder}/{name};" for name in
                            ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        return self.nginx(f"""http {{ access_log {log}; {temporary}
server {{ listen 127.0.0.1:{self.port}; listen unix:{self.folder}/keys.sock; root {self.root}; location /slow {{ limit_rate 1; alias {self.root}/keys; }} }} }}""",
                          self.port)

    def fetches(self):
        return len(re.findall(r'"GET /keys ', Path(self.folder, "asked").read_text()))

    def leat(self, options="", workers=2, url=None, algorithms=("ES256",)):
        configuration = f"""[server]
listen = "127.0.0.1:0"
[[plugin]]
name = "who"
file = "{PLUGINS}/who.so"
[[route]]
path = "/metrics"
handler = "leat:metrics"
[[route]]
path = "/who"
handler = "who:who"
[[route.middleware]]
kind = "jwt"
url = "{url or f'http://127.0.0.1:{self.port}'}"
path = "/keys"
algorithms = {json.dumps(algorithms)}
{options}
"""
        leat = self.start([LEAT, "run", "-c", self.file("leat.toml", configuration), "--workers", str(workers),
                           "--no-supervise"])
        listens = r"listening on [^\n]*?:(\d+)\n"
        wait_for(lambda: leat.process.poll() is not None or re.search(listens, leat.log()), leat.log)
        self.assertIsNone(leat.process.poll(), leat.log())
        leat.port = int(re.search(listens, leat.log())[1])
        return leat

    def ask(self, leat, text, path="/who"):
        connection = http.client.HTTPConnection("127.0.0.1", leat.port, timeout=PATIENCE)
        connection.request("GET", path, headers={"Authorization": "Bearer " + text} if text else {})
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer.status, body

    def status(self, leat, text):
        return self.ask(leat, text)[0]

    def counted(self, leat, name, result):
        text = self.ask(leat, None, "/metrics")[1].decode()
        return int(re.search(rf'{name}{{instance="jwt",result="{result}"}} (\d+)', text)[1])

    def come(self, leat):
        wait_for(lambda: self.counted(leat, "leat_jwt_fetches_total", "changed") > 0, leat.log)

    def test_keys_are_there_before_the_first_token_and_are_rotated(self):
        old, new = made(), made()
        self.publish(jwk(old, "old", use="sig", alg="ES256"))
        self.nginx_server()
        leat = self.leat('interval = "1h"\nleast_interval = "100ms"')
        self.come(leat)
        self.assertEqual(self.fetches(), 1)
        self.assertEqual(json.loads(self.ask(leat, token(old, "old"))[1])["user"], "alice")
        self.assertEqual(self.status(leat, token(new, "new")), 401)
        self.publish(jwk(old, "old"), jwk(new, "new"))
        time.sleep(0.2)  # what it is allowed to ask again after
        # No token of the new one is refused, on whichever worker: it waits for the key.
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            told = list(pool.map(lambda _: self.status(leat, token(new, "new")), range(64)))
        self.assertEqual(told, [200] * 64)
        remembered = token(old, "old")
        self.assertEqual(self.status(leat, remembered), 200)
        self.publish(jwk(new, "new"))
        time.sleep(0.2)
        self.assertEqual(self.status(leat, token(made(), "third")), 401)  # has it look again
        for _ in range(8):
            self.assertEqual(self.status(leat, remembered), 401)
            self.assertEqual(self.status(leat, token(new, "new")), 200)

    def test_a_server_behind_a_unix_socket(self):
        key = made()
        self.publish(jwk(key, "one"))
        self.nginx_server()
        Path(self.folder, "keys.sock").chmod(0o777)
        leat = self.leat(url=f"unix:{self.folder}/keys.sock")
        self.come(leat)
        self.assertEqual(self.status(leat, token(key, "one")), 200)

    def test_keys_change_without_any_token_of_them(self):
        old, new = made(), made()
        self.publish(jwk(old, "one"))
        self.nginx_server()
        leat = self.leat('interval = "1s"\nleast_interval = "100ms"\nmax_age = "10s"')
        self.come(leat)
        self.publish(jwk(new, "one"))
        wait_for(lambda: self.counted(leat, "leat_jwt_fetches_total", "changed") == 2, leat.log)
        self.assertEqual(self.status(leat, token(new, "one")), 200)
        self.assertEqual(self.status(leat, token(old, "one")), 401)

    def test_keys_without_names_and_with_the_same_are_rotated_as_well(self):
        def published(key, name):
            return {member: value for member, value in jwk(key, name).items() if value is not None}

        self.publish(published(made(), "none"))
        self.nginx_server()
        leat = self.leat('interval = "1h"\nleast_interval = "100ms"')
        self.come(leat)
        for in_set, in_token in (("same", "same"), ("same", None), (None, None), (None, "any")):
            with self.subTest(in_set=in_set, in_token=in_token):
                key = made()
                self.publish(published(key, in_set))
                time.sleep(0.2)  # what it is allowed to ask again after
                self.assertEqual(self.status(leat, token(key, in_token)), 200)
                self.assertEqual(self.status(leat, token(made(), in_token)), 401)

    def test_the_server_is_away_and_comes_back(self):
        key = made()
        self.publish(jwk(key, "one"))
        server = self.nginx_server()
        leat = self.leat('interval = "1s"\nleast_interval = "100ms"\nmax_age = "3s"')
        self.come(leat)
        server.process.terminate()
        server.process.wait(PATIENCE)
        away = time.monotonic()
        self.assertEqual(self.status(leat, token(key, "one")), 200)
        wait_for(lambda: self.status(leat, token(key, "one")) == 503, leat.log)
        self.assertGreater(time.monotonic() - away, 1.5)
        self.assertIn("cannot be had", leat.log())
        self.assertEqual(self.status(leat, None), 401)
        self.nginx_server(self.port)
        wait_for(lambda: self.status(leat, token(key, "one")) == 200, leat.log)

    def test_a_daemon_that_starts_without_the_server_takes_no_token_until_it_comes(self):
        key = made()
        self.port = free_port()
        leat = self.leat('interval = "1s"\nleast_interval = "100ms"')
        wait_for(lambda: self.counted(leat, "leat_jwt_fetches_total", "failed") > 0, leat.log)
        self.assertEqual(self.status(leat, token(key, "one")), 503)
        self.publish(jwk(key, "one"))
        self.nginx_server(self.port)
        wait_for(lambda: self.status(leat, token(key, "one")) == 200, leat.log)

    def test_garbage_changes_nothing(self):
        key, other = made(), made()
        self.publish(jwk(key, "one"))
        self.nginx_server()
        leat = self.leat('interval = "1s"\nleast_interval = "100ms"\ndocument = "4KiB"')
        self.come(leat)
        good = token(key, "one")
        for text in ("", "{", "<html>not found</html>", '{"keys": []}', '{"keys": {}}',
                                       json.dumps(jwk(other, "two")), '{"keys": [1, 2]}', "x" * 4097,
                                       json.dumps({"keys": [jwk(other, "two")], "more": "x" * 4096})):
            with self.subTest(text=text[:40]):
                before = sum(self.counted(leat, "leat_jwt_fetches_total", result) for result in ("wrong", "failed"))
                self.publish(text=text)
                wait_for(lambda: sum(self.counted(leat, "leat_jwt_fetches_total", result)
                                     for result in ("wrong", "failed")) > before, leat.log)
                self.assertEqual(self.status(leat, good), 200)
                self.assertEqual(self.status(leat, token(other, "two")), 401)
        (self.root / "keys").unlink()
        wait_for(lambda: "it answered 404" in leat.log(), leat.log)
        self.assertEqual(self.status(leat, good), 200)
        self.assertIn("are none: this is no set of keys (RFC 7517); those that there were stay for now", leat.log())
        self.assertLess(leat.log().count("jwt: the keys of"), 40)

    def test_a_storm_of_unknown_keys_is_no_storm_of_fetches(self):
        key, stranger = made(), made()
        self.publish(jwk(key, "one"))
        self.nginx_server()
        leat = self.leat('interval = "1h"\nleast_interval = "1h"\nwaiting = 4')
        self.come(leat)
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            told = list(pool.map(lambda number: self.status(leat, token(stranger, f"no{number}")), range(300)))
        self.assertEqual(told, [401] * 300)
        self.assertEqual(self.fetches(), 1)
        self.assertEqual(self.status(leat, token(key, "one")), 200)

    def test_those_who_wait_are_few_and_may_leave(self):
        key = made()
        self.publish(jwk(key, "one"))
        self.nginx_server()
        # An answer that takes its time, of which there is none in time.
        leat = self.leat('interval = "1h"\nleast_interval = "100ms"\nwaiting = 4\ntimeout = "2s"', workers=1)
        text = Path(self.folder, "leat.toml").read_text().replace('path = "/keys"', 'path = "/slow"')
        leat.process.terminate()
        leat.process.wait(PATIENCE)
        port = leat.port
        Path(self.folder, "leat.toml").write_text(text.replace("127.0.0.1:0", f"127.0.0.1:{port}"))
        leat = self.start([LEAT, "run", "-c", f"{self.folder}/leat.toml", "--workers", "1", "--no-supervise"])
        leat.port = port
        leat.wait_for_port(port)
        waiting = [http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE) for _ in range(4)]
        for each in waiting:
            each.request("GET", "/who", headers={"Authorization": "Bearer " + token(key, "one")})
        wait_for(lambda: self.status(leat, token(key, "one")) == 503, leat.log)
        for each in waiting[:2]:
            each.close()
        self.assertEqual([each.getresponse().status for each in waiting[2:]], [503, 503])
        for each in waiting[2:]:
            each.close()
        self.assertGreaterEqual(self.counted(leat, "leat_jwt_requests_total", "unavailable"), 3)

    def test_what_forgers_try(self):
        key, big = made(), rsa.generate_private_key(public_exponent=65537, key_size=2048)
        secret = base64url_encode(b"s" * 32).decode()
        public = jwk(key, "one"), jwk(big, "two", alg="RS256"), {"kty": "oct", "k": secret, "kid": "three"}
        self.publish(*public)
        self.nginx_server()
        leat = self.leat('interval = "1h"\nleast_interval = "1h"', algorithms=("ES256", "RS256"))
        self.come(leat)
        self.assertEqual(self.status(leat, token(key, "one")), 200)
        self.assertEqual(self.status(leat, token(big, "two", "RS256")), 200)
        self.assertIn("it is a secret that anybody can read", leat.log())
        body = token(key, "one").split(".")[1]

        def forged(header, how):
            message = base64url_encode(json.dumps(header).encode()).decode() + "." + body
            return message + "." + base64url_encode(how(message.encode())).decode()

        pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        stranger = made()
        for mac in (pem, pem.strip(), json.dumps(public[0]).encode(), b"s" * 32):
            def by_secret(message, mac=mac):
                return hmac.new(mac, message, hashlib.sha256).digest()
            for name in ("one", "two", "three"):
                for algorithm in ("HS256", "ES256", "RS256"):
                    self.assertEqual(self.status(leat, forged({"alg": algorithm, "kid": name}, by_secret)), 401)
        for header in ({"alg": "none"}, {"alg": "none", "kid": "one"}, {"alg": "ES256", "kid": "one"}):
            self.assertEqual(self.status(leat, forged(header, lambda _: b"")), 401)
        # A key that the token brings along, or says where to find; one that is for another algorithm.
        for more in ({"jwk": jwk(stranger, "one")}, {"jku": "http://127.0.0.1:1/keys"}, {"x5u": "http://127.0.0.1:1/"}):
            self.assertEqual(self.status(leat, jwt.encode({"sub": "alice", "exp": 4e9}, stranger, algorithm="ES256",
                                                          headers={"kid": "one"} | more)), 401)
        self.assertEqual(self.status(leat, token(big, "one", "RS256")), 401)
        self.assertEqual(self.status(leat, token(big, "two", "RS512")), 401)
        self.assertEqual(self.status(leat, token(key, "two")), 401)
        self.assertEqual(self.fetches(), 1)

    def test_two_keys_of_one_name(self):
        first, second, big = made(), made(), rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.publish(jwk(first, "same"), jwk(second, "same"), jwk(big, "same"), jwk(made(), "x"))
        self.nginx_server()
        leat = self.leat('interval = "1h"\nleast_interval = "1h"', algorithms=("ES256", "RS256"))
        self.come(leat)
        for key, algorithm in ((first, "ES256"), (second, "ES256"), (big, "RS256")):
            self.assertEqual(self.status(leat, token(key, "same", algorithm)), 200)
            self.assertEqual(self.status(leat, token(key, None, algorithm)), 200)
        self.assertEqual(self.status(leat, token(made(), "same")), 401)

    def test_caddy_which_says_how_long_they_are_good(self):
        old, new = made(), ec.generate_private_key(ec.SECP521R1())
        self.publish(jwk(old, "old"))
        port = free_port()
        self.caddy(f""":{port} {{
	bind 127.0.0.1
	root * {self.root}
	header Cache-Control "public, max-age=1"
	file_server
}}
""", port)
        leat = self.leat('interval = "1h"\nleast_interval = "100ms"\nmax_age = "2h"', url=f"http://localhost:{port}",
                         algorithms=("ES256", "ES512"))
        self.come(leat)
        self.assertEqual(self.status(leat, token(old, "old")), 200)
        self.publish(jwk(new, "new"))
        # Long before the interval, as the answer asks for.
        wait_for(lambda: self.counted(leat, "leat_jwt_fetches_total", "changed") == 2, leat.log)
        self.assertEqual(self.status(leat, token(new, "new", "ES512")), 200)
        self.assertEqual(self.status(leat, token(old, "old")), 401)


if __name__ == "__main__":
    main(sys.argv[:1])
