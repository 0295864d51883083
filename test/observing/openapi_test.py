#!/usr/bin/env python3
"""The description of the API: judged by a public validator, held against what the daemon does, and looked at in a browser.

    openapi_test.py LEAT FOLDER_OF_PLUGINS
"""

import json
import shutil
import subprocess
import sys
import unittest
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from browser import CHROMIUM, PATIENCE, Browser
from daemon import Daemon

VALIDATOR = shutil.which("openapi-spec-validator")

CONFIGURATION = """[server]
listen = "127.0.0.1:0"
workers = 1
admin_socket = "{folder}/admin"
[[plugin]]
name = "rules"
file = "rules.so"
[[middleware]]
kind = "rate_limit"
name = "few"
global = false
rate = "1000/s"
[[middleware]]
kind = "access"
name = "near"
global = false
rules = [{{action = "allow", client = ["127.0.0.0/8"]}}]
[[route]]
path = "/api"
handler = "leat:openapi"
[[route]]
path = "/texts"
handler = "rules:texts"
middleware = ["few", "near"]
[[route.parameter]]
name = "X-Trace"
in = "header"
max_length = 8
sentence = "What to call this request & <b>nothing</b> else."
[[route]]
path = "/lists"
handler = "rules:lists"
middleware = [{{kind = "forward_auth", url = "http://127.0.0.1:9"}}]
[[route]]
path = "/keys"
handler = "rules:any"
middleware = [{{kind = "api_key", header = "X-Key", cookie = "key", keys = [
  "alice sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"]}}]
[[route]]
path = "/both"
handler = "rules:any"
middleware = [
  {{kind = "api_key", required = false, keys = ["alice sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"]}},
  {{kind = "jwt", algorithms = ["HS256"], secret = "0123456789abcdef0123456789abcdef"}}]
[[route]]
path = "/numbers"
handler = "rules:numbers"
concurrency = 9
[[route]]
path = "/form"
method = "POST"
handler = "rules:form"
[[route]]
path = "/upload"
method = "POST"
handler = "rules:upload"
[[route.parameter]]
name = "tag"
in = "multipart"
list = true
sentence = "Words for it."
[[route]]
path = "/places"
method = "POST"
handler = "rules:any"
[[route.parameter]]
name = "/address/city"
in = "json"
required = true
max_length = 20
[[route.parameter]]
name = "size"
in = "json"
type = "integer"
minimum = 1
[[route]]
path = "/named"
method = "POST"
handler = "rules:tree"
middleware = [{{kind = "formats", answers = ["msgpack"]}}]
[[route.parameter]]
name = "name"
in = "json"
[[host]]
names = ["api.example.org", "*.example.net"]
[[host.route]]
path = "/api"
handler = "leat:openapi"
[[host.route]]
path = "/texts"
handler = "rules:lists"
[[host]]
names = ["bare.example.org"]
[[host.route]]
path = "/numbers"
handler = "rules:numbers"
[[route]]
path = "/shops/{{shop}}/orders"
methods = ["POST", "PUT"]
handler = "rules:order"
[[route]]
path = "/trees"
method = "POST"
handler = "rules:tree"
[[route]]
path = "/files/{{path...}}"
handler = "rules:any"
[[route]]
prefix = "/docs"
handler = "rules:any"
"""


class Site(Daemon):
    def __init__(self):
        super().__init__(LEAT, PLUGINS, CONFIGURATION)

    def ask(self, target, **options):
        request = urllib.request.Request(self.address + target, **options)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers, error.read()


def validate(text, folder):
    file = Path(folder) / "openapi.json"
    file.write_text(text)
    judged = subprocess.run([VALIDATOR, "--schema", "3.1", str(file)], capture_output=True, text=True, timeout=PATIENCE)
    return judged.returncode, judged.stdout + judged.stderr


class OpenApi(unittest.TestCase):
    def test_it_is_valid_and_says_what_was_declared(self):
        with Site() as daemon:
            status, headers, body = daemon.ask("/api")
            self.assertEqual((status, headers["Content-Type"]), (200, "application/json"))
            returned, said = validate(body.decode(), daemon.folder)
            self.assertEqual(returned, 0, said)
            api = json.loads(body)
            # The validator is one that finds something.
            broken = json.loads(body)
            broken["paths"]["/texts"]["get"]["parameters"][0]["in"] = "nowhere"
            self.assertNotEqual(validate(json.dumps(broken), daemon.folder)[0], 0)

            printed = subprocess.run([LEAT, "openapi", "-c", str(daemon.folder / "leat.toml"), "--plugin-path", PLUGINS],
                                     capture_output=True, text=True, timeout=PATIENCE)
            self.assertEqual((printed.returncode, printed.stderr), (0, ""))
            self.assertEqual(json.loads(printed.stdout), api)

        paths = api["paths"]
        self.assertEqual(sorted(paths), ["/api", "/both", "/docs/{rest}", "/files/{path}", "/form", "/keys", "/lists", "/named", "/numbers",
                                         "/places", "/shops/{shop}/orders", "/texts", "/trees", "/upload"])
        texts = {each["name"]: each for each in paths["/texts"]["get"]["parameters"]}
        self.assertEqual(texts["name"]["schema"], {"type": "string", "minLength": 2, "maxLength": 5})
        self.assertTrue(texts["name"]["required"])
        self.assertEqual(texts["code"]["schema"]["pattern"], "^[a-z]+[0-9]?$")
        self.assertEqual(texts["sort"]["schema"], {"type": "string", "enum": ["newest", "oldest"], "default": "newest"})
        self.assertEqual(texts["X-Id"]["schema"]["format"], "uuid")
        self.assertEqual(texts["since"]["in"], "cookie")
        self.assertEqual(texts["X-Trace"]["schema"], {"type": "string", "maxLength": 8})
        self.assertEqual(set(paths["/texts"]["get"]["responses"]), {"2XX", "400", "403", "429", "default"})
        schemes = api["components"]["securitySchemes"]
        keys = [[(schemes[name]["type"], schemes[name].get("in"), schemes[name].get("name")) for name in way]
                for way in paths["/keys"]["get"]["security"]]
        self.assertEqual(keys, [[("apiKey", "header", "X-Key")], [("apiKey", "cookie", "key")]])
        both = [sorted(schemes[name].get("name", schemes[name].get("scheme")) for name in way)
                for way in paths["/both"]["get"]["security"]]
        self.assertEqual(sorted(both), [["X-Api-Key", "bearer"], ["bearer"]])
        self.assertIn("401", paths["/keys"]["get"]["responses"])
        self.assertNotIn("security", paths["/texts"]["get"])
        self.assertEqual(set(paths["/lists"]["get"]["responses"]), {"2XX", "400", "401", "403", "default"})
        self.assertEqual(set(paths["/numbers"]["get"]["responses"]), {"2XX", "400", "503", "default"})
        ids = next(each for each in paths["/lists"]["get"]["parameters"] if each["name"] == "id")["schema"]
        self.assertEqual(ids, {"type": "array", "items": {"type": "integer", "minimum": 1, "maximum": 50}, "minItems": 1,
                               "maxItems": 4})
        self.assertEqual(set(paths["/shops/{shop}/orders"]), {"post", "put"})
        order = paths["/shops/{shop}/orders"]["post"]
        schema = order["requestBody"]["content"]["application/json"]["schema"]
        self.assertEqual(schema["required"], ["id", "lines", "tags", "gift"])
        self.assertEqual(schema["properties"]["lines"]["items"]["properties"]["count"],
                         {"type": "integer", "minimum": 1, "maximum": 99})
        self.assertEqual(schema["properties"]["lines"]["items"]["properties"]["product"],
                         {"type": "string", "minLength": 2, "maxLength": 8, "pattern": "^[a-z]+$"})
        self.assertEqual(schema["properties"]["tags"]["items"]["pattern"], "^[a-z]")
        self.assertEqual(order["responses"]["200"]["content"]["application/json"]["schema"], schema)
        form = paths["/form"]["post"]["requestBody"]["content"]["application/x-www-form-urlencoded"]["schema"]
        self.assertEqual(form["required"], ["name"])
        self.assertNotIn("servers", api)

        content = paths["/upload"]["post"]["requestBody"]["content"]
        self.assertEqual(list(content), ["multipart/form-data"])
        upload = content["multipart/form-data"]
        self.assertEqual(upload["schema"]["required"], ["title", "photo"])
        self.assertEqual(upload["schema"]["properties"]["photo"],
                         {"type": "string", "contentMediaType": "application/octet-stream", "maxLength": 16})
        self.assertEqual(upload["schema"]["properties"]["more"]["maxItems"], 2)
        self.assertEqual(upload["schema"]["properties"]["tag"]["description"], "Words for it.")
        self.assertEqual(upload["encoding"], {"photo": {"contentType": "image/png, text/*"}})
        places = paths["/places"]["post"]["requestBody"]["content"]["application/json"]["schema"]
        self.assertEqual(places["properties"]["address"],
                         {"type": "object", "properties": {"city": {"type": "string", "maxLength": 20}}, "required": ["city"]})
        self.assertEqual((places["required"], places["properties"]["size"]["minimum"]), (["address"], 1))
        named = paths["/named"]["post"]
        content = named["requestBody"]["content"]
        self.assertEqual(content["application/json"]["schema"]["allOf"][1]["properties"], {"name": {"type": "string"}})
        # In the forms that the route takes beside JSON.
        self.assertEqual(list(content), ["application/json", "application/cbor", "application/vnd.msgpack"])
        self.assertEqual(content["application/cbor"], content["application/json"])
        answer = named["responses"]["200"]["content"]
        self.assertEqual(list(answer), ["application/json", "application/vnd.msgpack"])
        self.assertEqual(answer["application/vnd.msgpack"], answer["application/json"])
        self.assertEqual(list(api["components"]["responses"]["Problem"]["content"]),
                         ["application/problem+json", "application/vnd.msgpack"])

    def test_each_host_has_one_of_its_own(self):
        with Site() as daemon:
            of_all = json.loads(daemon.ask("/api")[2])
            told = daemon.ask("/api", headers={"Host": "a.example.net"})[2]
            returned, said = validate(told.decode(), daemon.folder)
            self.assertEqual(returned, 0, said)
            own = json.loads(told)
            self.assertEqual(sorted(own["paths"]), ["/api", "/texts"])
            self.assertEqual(own["paths"]["/texts"]["get"]["summary"], "rules:lists")
            self.assertEqual(of_all["paths"]["/texts"]["get"]["summary"], "rules:texts")
            self.assertEqual(own["servers"], [{"url": "//api.example.org"},
                                              {"url": "//{name}.example.net", "variables": {"name": {"default": "www"}}}])
            configuration = str(daemon.folder / "leat.toml")
            for name, paths in (("api.example.org", ["/api", "/texts"]), ("x.example.net", ["/api", "/texts"]),
                                ("*.example.net", ["/api", "/texts"]), ("bare.example.org", ["/numbers"]),
                                ("elsewhere.example", sorted(of_all["paths"]))):
                printed = subprocess.run([LEAT, "openapi", "--host", name, "-c", configuration, "--plugin-path", PLUGINS],
                                         capture_output=True, text=True, timeout=PATIENCE)
                self.assertEqual((printed.returncode, printed.stderr), (0, ""))
                self.assertEqual(sorted(json.loads(printed.stdout)["paths"]), paths, name)
                returned, said = validate(printed.stdout, daemon.folder)
                self.assertEqual(returned, 0, said)

    def test_what_it_says_is_what_is_done(self):
        """What the description takes is taken, and what it does not is a 400: by its own schemas."""
        with Site() as daemon:
            api = json.loads(daemon.ask("/api")[2])
            numbers = {each["name"]: each["schema"] for each in api["paths"]["/numbers"]["get"]["parameters"]}
            for name, schema in numbers.items():
                if "minimum" not in schema:
                    continue
                for value, status in ((schema["minimum"], 200), (schema["maximum"], 200), (schema["minimum"] - 1, 400),
                                      (schema["maximum"] + 1, 400)):
                    with self.subTest(name=name, value=value):
                        self.assertEqual(daemon.ask(f"/numbers?{name}={value}")[0], status)
            status, headers, body = daemon.ask("/texts?name=a&code=%25", headers={"X-Trace": "too long a name"})
            self.assertEqual((status, headers["Content-Type"]), (400, "application/problem+json"))
            self.assertEqual([(each["in"], each["parameter"]) for each in json.loads(body)["errors"]],
                             [("header", "X-Trace"), ("query", "name"), ("query", "code")])
            order = {"id": "x", "lines": [{"product": "ab", "count": 0}], "tags": ["toolong"]}
            status, _, body = daemon.ask("/shops/10/orders?page=x", data=json.dumps(order).encode(),
                                         headers={"Content-Type": "application/json"})
            self.assertEqual(status, 400)
            errors = json.loads(body)["errors"]
            self.assertEqual([each.get("pointer", each.get("parameter")) for each in errors],
                             ["shop", "page", "#/id", "#/lines/0/count", "#/tags/0", "#/gift"])

    def test_explain_says_the_same(self):
        with Site() as daemon:
            told = subprocess.run([LEAT, "explain", "POST", "/upload", "-c", str(daemon.folder / "leat.toml"), "--plugin-path", PLUGINS],
                                  capture_output=True, text=True, timeout=PATIENCE)
            self.assertEqual((told.returncode, told.stderr), (0, ""))
            for line in ("form field photo  a file of 16 bytes at most of the type `image/png` or `text/*`; required",
                         "form field more   a list, of which each is a file; 2 values at most",
                         "form field year   a whole number from 1900 to 2100"):
                self.assertIn(line, told.stdout)

    def test_a_browser_shows_it_and_asks_for_nothing_from_elsewhere(self):
        with Site() as daemon, Browser(daemon.address + "/api") as browser:
            browser.wait_for("document.body.dataset.shown === 'yes'")
            self.assertEqual(browser.evaluate("document.querySelectorAll('details[data-find]').length"), 15)
            browser.evaluate("document.querySelectorAll('details[data-find]').forEach(each => each.open = true)")
            browser.wait_for("document.body.innerText.includes('matches ^[a-z]+[0-9]?$')")
            seen = browser.evaluate("document.body.innerText")
            for text in ("/shops/{shop}/orders", "rules:order", "What to call this request & <b>nothing</b> else.",
                         "by default \"newest\"", "Version "):
                self.assertIn(text, seen)
            # What a configuration says is text.
            self.assertEqual(browser.evaluate("document.querySelectorAll('td b').length"), 0)
            browser.evaluate("const find = document.getElementById('find'); find.value = 'POST /tr';"
                             "find.dispatchEvent(new Event('input'))")
            self.assertEqual(browser.evaluate("[...document.querySelectorAll('details[data-find]')].filter(each => !each.hidden)"
                                              ".map(each => each.querySelector('code').textContent)"), ["/trees"])
            for scheme in ("light", "dark"):
                browser.colours(scheme)
                self.assertTrue(browser.picture().startswith(b"\x89PNG"))
            self.assertEqual(browser.said, [])
            asked = {each for each in browser.asked if not each.startswith("data:") and each != "about:blank"}
            self.assertLessEqual(asked, {daemon.address + "/api", daemon.address + "/favicon.ico"})
            _, headers, _ = daemon.ask("/api", headers={"Accept": "text/html"})
            self.assertIn("default-src 'none'", headers["Content-Security-Policy"])
            self.assertNotIn("unsafe", headers["Content-Security-Policy"])
            self.assertEqual(headers["Vary"], "Accept")


if __name__ == "__main__":
    LEAT, PLUGINS = sys.argv[1:3]
    assert CHROMIUM, "chromium is needed"
    assert VALIDATOR, "openapi-spec-validator is needed"
    unittest.main(argv=sys.argv[:1])
