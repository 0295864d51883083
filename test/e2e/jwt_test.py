#!/usr/bin/env python3
"""Tokens of every algorithm, made by another library (PyJWT), at the real daemon; and what forgers try.

    jwt_test.py LEAT PLUGINS OBSERVING

PLUGINS is the folder of the tests' plugins, OBSERVING that of daemon.py.
"""

import base64
import hashlib
import hmac
import json
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request
from pathlib import Path

try:
    import jwt
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
except ImportError:
    jwt = None

LEAT, PLUGINS, OBSERVING = sys.argv[1:4]
sys.path.insert(0, OBSERVING)
from daemon import Daemon  # noqa: E402

CONFIGURATION = """
[server]
listen = "127.0.0.1:0"
admin_socket = "{folder}/admin"
[[plugin]]
name = "who"
file = "who.so"
[[route]]
path = "/who"
handler = "who:who"
middleware = [{{kind = "jwt", file = "{keys}", algorithms = {algorithms}, issuer = ["us"], audience = ["them"]}}]
[[route]]
path = "/who/pool"
handler = "who:who"
executor = "pool"
middleware = [{{kind = "jwt", file = "{keys}", algorithms = {algorithms}, issuer = ["us"], audience = ["them"]}}]
"""


def pem(key):
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def url(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def claims(**more):
    return {"sub": "alice", "role": "admin", "iss": "us", "aud": "them", "exp": int(time.time()) + 600} | more


@unittest.skipUnless(jwt, "needs python3-jwt and python3-cryptography")
class Jwt(unittest.TestCase):
    def setUp(self):
        self.rsa = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.p256 = ec.generate_private_key(ec.SECP256R1())
        self.p384 = ec.generate_private_key(ec.SECP384R1())
        self.p521 = ec.generate_private_key(ec.SECP521R1())
        self.ed25519 = ed25519.Ed25519PrivateKey.generate()
        self.secret = "s" * 64

    def serve(self, keys, algorithms):
        file = Path(self.enterContext(tempfile.TemporaryDirectory()), "keys")
        file.write_text(keys)
        self.keys = file
        return self.enterContext(Daemon(LEAT, PLUGINS, CONFIGURATION, keys=file, algorithms=json.dumps(algorithms)))

    def ask(self, daemon, token, path="/who"):
        request = urllib.request.Request(daemon.address + path, headers={"Authorization": "Bearer " + token})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, refused.headers["WWW-Authenticate"]

    def assert_passes(self, daemon, token):
        for path in ("/who", "/who", "/who/pool"):
            status, told = self.ask(daemon, token, path)
            self.assertEqual((status, told["user"], told["role"]), (200, "alice", "admin"))
            self.assertNotIn("authorization", [field["name"].lower() for field in told["fields"]])

    def assert_refused(self, daemon, token, why):
        status, told = self.ask(daemon, token)
        self.assertEqual((status, told), (401, f'Bearer error="invalid_token", error_description="{why}"'))

    def test_every_algorithm_with_a_key_that_is_for_it(self):
        for key, public, algorithms in (
                (self.rsa, pem(self.rsa), ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")),
                (self.p256, pem(self.p256), ("ES256",)), (self.p384, pem(self.p384), ("ES384",)),
                (self.p521, pem(self.p521), ("ES512",)),
                (self.ed25519, pem(self.ed25519), ("EdDSA",)), (self.secret, self.secret, ("HS256", "HS384", "HS512"))):
            daemon = self.serve(public, algorithms)
            for algorithm in algorithms:
                with self.subTest(algorithm):
                    token = jwt.encode(claims(), key, algorithm=algorithm)
                    self.assert_passes(daemon, token)
                    head, body, signature = token.split(".")
                    other = ("A" if signature[5] != "A" else "B")
                    self.assert_refused(daemon, f"{head}.{body}.{signature[:5]}{other}{signature[6:]}",
                                        "the signature of the token is not good")
                    forged = url(json.dumps(claims(role="root")).encode())
                    self.assert_refused(daemon, f"{head}.{forged}.{signature}", "the signature of the token is not good")

    def test_what_forgers_try(self):
        daemon = self.serve(pem(self.rsa), ["RS256"])
        good = jwt.encode(claims(), self.rsa, algorithm="RS256")
        self.assert_passes(daemon, good)
        body = good.split(".")[1]
        none = url(b'{"alg":"none"}')
        for token in (f"{none}.{body}.", jwt.encode(claims(), None, algorithm="none")):
            self.assert_refused(daemon, token, "the token is of an algorithm that is not taken")
        # The public key as a secret.
        message = url(b'{"alg":"HS256"}') + "." + body
        for secret in (pem(self.rsa), pem(self.rsa).strip()):
            mac = hmac.new(secret.encode(), message.encode(), hashlib.sha256).digest()
            self.assert_refused(daemon, f"{message}.{url(mac)}", "the token is of an algorithm that is not taken")
        # A padding that is not taken; a key of somebody else's.
        self.assert_refused(daemon, jwt.encode(claims(), self.rsa, algorithm="PS256"),
                            "the token is of an algorithm that is not taken")
        stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.assert_refused(daemon, jwt.encode(claims(), stranger, algorithm="RS256"),
                            "the signature of the token is not good")
        now = int(time.time())
        for wrong, why in (({"exp": now - 120}, "the token has expired"), ({"nbf": now + 600}, "the token is not good yet"),
                           ({"iss": "others"}, "the token is of another issuer"), ({"aud": "us"}, "the token is for others"),
                           ({"sub": ""}, "the token names no user")):
            self.assert_refused(daemon, jwt.encode(claims(**wrong), self.rsa, algorithm="RS256"), why)

    def test_keys_of_a_set_come_and_go_with_reloads(self):
        def jwk(key, name):
            made = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key()))
            return {"kty": "RSA", "n": made["n"], "e": made["e"], "kid": name, "use": "sig", "alg": "RS256"}

        other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        daemon = self.serve(json.dumps({"keys": [jwk(self.rsa, "old")]}), ["RS256"])
        old = jwt.encode(claims(), self.rsa, algorithm="RS256", headers={"kid": "old"})
        new = jwt.encode(claims(), other, algorithm="RS256", headers={"kid": "new"})
        self.assert_passes(daemon, old)
        self.assert_refused(daemon, new, "the token is of a key that is not known")

        def reload(text):
            self.keys.write_text(text)
            return subprocess.run([LEAT, "reload", "--socket", daemon.folder / "admin"], capture_output=True, text=True,
                                  check=False)

        self.assertEqual(reload(json.dumps({"keys": [jwk(self.rsa, "old"), jwk(other, "new")]})).returncode, 0)
        self.assert_passes(daemon, old)
        self.assert_passes(daemon, new)
        refused = reload(json.dumps({"keys": [jwk(other, "new") | {"n": "AQAB"}]}))
        self.assertEqual(refused.returncode, 1)
        self.assertIn("key 1 of the set cannot be used", refused.stderr)
        self.assert_passes(daemon, old)
        self.assertEqual(reload(json.dumps({"keys": [jwk(other, "new")]})).returncode, 0)
        self.assert_refused(daemon, old, "the token is of a key that is not known")  # also what was remembered
        self.assert_passes(daemon, new)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
