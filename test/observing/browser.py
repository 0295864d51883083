"""A browser for tests: Chromium as people have it, but without a window."""

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

CHROMIUM = shutil.which("chromium")
PATIENCE = 60


class Browser:
    """Chromium without a window, with one page, over the pipe of its debugging protocol: messages that end with a NUL."""

    def __init__(self, address, width=900, height=700, options=()):
        self.home = tempfile.mkdtemp(prefix="leat-chromium-")
        theirs_in, self.to = os.pipe()
        self.back, theirs_out = os.pipe()

        def take_pipe():
            # Through numbers that neither has, so that none is lost.
            os.dup2(theirs_in, 13), os.dup2(theirs_out, 14)
            os.dup2(13, 3), os.dup2(14, 4)

        self.process = subprocess.Popen(
            [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--disable-extensions", "--hide-scrollbars",
             f"--user-data-dir={self.home}", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
             f"--window-size={width},{height}", "--remote-debugging-pipe", *options, "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, pass_fds=(3, 4),
            preexec_fn=take_pipe, env={**os.environ, "HOME": self.home})
        os.close(theirs_in), os.close(theirs_out)
        self.sent, self.left, self.said, self.asked, self.session = 0, b"", [], [], None
        target = next(each for each in self.call("Target.getTargets")["targetInfos"] if each["type"] == "page")
        self.session = self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(domain + ".enable")
        self.call("Page.navigate", url=address)

    def call(self, method, **parameters):
        self.sent += 1
        message = {"id": self.sent, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        while True:
            while b"\0" not in self.left:
                ready, _, _ = select.select([self.back], [], [], PATIENCE)
                more = os.read(self.back, 1 << 16) if ready else b""
                assert more, "the browser does not answer"
                self.left += more
            line, self.left = self.left.split(b"\0", 1)
            answer = json.loads(line)
            if answer.get("id") == self.sent:
                assert "error" not in answer, answer
                return answer["result"]
            # What the page is told in the console, by the policy too, and what goes wrong in it.
            if answer.get("method") in ("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown"):
                self.said.append(answer["params"])
            if answer.get("method") == "Network.requestWillBeSent":
                self.asked.append(answer["params"]["request"]["url"])

    def evaluate(self, expression):
        """Of a promise, what it comes to."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        return answer["result"].get("value")

    def wait_for(self, expression):
        deadline = time.monotonic() + PATIENCE
        while not self.evaluate(expression):
            assert time.monotonic() < deadline, (expression, self.evaluate("document.body.innerText"), self.said)
            time.sleep(0.1)

    def colours(self, scheme):
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def picture(self):
        return base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.call("Page.navigate", url="about:blank")
        self.process.terminate()
        self.process.wait(PATIENCE)
        os.close(self.to), os.close(self.back)
        shutil.rmtree(self.home, ignore_errors=True)
