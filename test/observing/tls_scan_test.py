#!/usr/bin/env python3
"""What scanners find that people judge a server's TLS by: sslscan and testssl.sh, against the defaults.

    tls_scan_test.py LEAT FOLDER_OF_PLUGINS
"""

import json
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as xml

from daemon import Daemon

SCAN_PATIENCE = 500
CONFIGURATION = """[server]
listen = []
workers = 1
admin_socket = "{folder}/admin"
{settings}
[[listener]]
address = "127.0.0.1:0"
tls = true
[[tls]]
certificate = "{tls}/localhost.pem"
key = "{tls}/localhost.key"
[[middleware]]
kind = "security_headers"
strict_transport_security = "max-age=63072000"
[[route]]
path = "/"
handler = "leat:start"
"""

# Of severities above LOW, what is said of every certificate that no public authority has made.
OF_THE_CERTIFICATE = {"cert_revocation"}
JUDGED = {"MEDIUM", "HIGH", "CRITICAL"}


class Site(Daemon):
    """With a certificate of an authority of its own, as `leat tls init` makes them."""

    def __init__(self, settings=""):
        self.tls = tempfile.TemporaryDirectory(prefix="leat-scan-")
        subprocess.run([LEAT, "tls", "init", "--dir", self.tls.name, "localhost"], check=True, capture_output=True)
        super().__init__(LEAT, PLUGINS, CONFIGURATION, tls=self.tls.name, settings=settings)
        self.target = "localhost:" + self.address.rpartition(":")[2]

    def __exit__(self, *error):
        super().__exit__(*error)
        self.tls.cleanup()

    def sslscan(self):
        said = subprocess.run(["sslscan", "--xml=-", self.target], capture_output=True, text=True, timeout=SCAN_PATIENCE, check=True)
        [found] = xml.fromstring(said.stdout).iter("ssltest")
        return found

    def testssl(self):
        """(id, severity, finding) of each thing that it looked at."""
        file = self.folder / "findings.json"
        subprocess.run(["testssl", "--quiet", "--warnings", "off", "--color", "0", "--jsonfile", str(file), "--add-ca",
                        f"{self.tls.name}/authority.pem", "--protocols", "--std", "--fs", "--server-preference", "--server-defaults",
                        "--vulnerable", self.target], stdout=subprocess.DEVNULL, timeout=SCAN_PATIENCE, check=False)
        return [(each["id"], each["severity"], each["finding"]) for each in json.loads(file.read_text())]


class Scans(unittest.TestCase):
    def test_sslscan_finds_strong_ciphers_alone(self):
        with Site() as site:
            found = site.sslscan()
        enabled = {(each.get("type"), each.get("version")) for each in found.iter("protocol") if each.get("enabled") == "1"}
        self.assertEqual(enabled, {("tls", "1.2"), ("tls", "1.3")})
        self.assertEqual({each.get("strength") for each in found.iter("cipher")}, {"strong"})
        self.assertEqual(found.find("renegotiation").get("supported"), "0")
        self.assertEqual(found.find("compression").get("supported"), "0")
        self.assertEqual({each.get("vulnerable") for each in found.iter("heartbleed")}, {"0"})

    def test_testssl_finds_nothing_above_low(self):
        with Site() as site:
            found = site.testssl()
        looked_at = {id for id, *_ in found}
        for id in ("TLS1_2", "TLS1_3", "FS", "cert_chain_of_trust", "heartbleed", "ROBOT", "LUCKY13", "SWEET32", "secure_client_renego"):
            self.assertIn(id, looked_at)
        self.assertEqual([each for each in found if each[1] in JUDGED and each[0] not in OF_THE_CERTIFICATE], [])

    def test_sslscan_tells_a_weaker_cipher_apart(self):
        with Site('tls_ciphers = ["ECDHE-ECDSA-AES128-SHA"]') as site:
            found = site.sslscan()
        self.assertNotIn("strong", {each.get("strength") for each in found.iter("cipher")})


if __name__ == "__main__":
    LEAT, PLUGINS = sys.argv[1:3]
    unittest.main(argv=sys.argv[:1])
