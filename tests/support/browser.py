# SPDX-License-Identifier: MIT
"""Drives a headless Chromium by its DevTools protocol, over a pipe.

Nothing here sleeps: wait() is a promise in the page, which looks after every change
of the document and every frame. What the page asked for, what it logged and what the
policy refused is gathered: requests, problems.
"""
import base64
import json
import os
import queue
import select
import shutil
import subprocess
import tempfile
import threading
import time
import unittest

FAIL_AFTER = float(os.environ.get("SPGUARD_TEST_TIMEOUT", "60"))

# Chromium reads commands from descriptor 3 and answers on 4.
_EXEC = ("import os, sys; r, w = int(sys.argv[1]), int(sys.argv[2]); "
         "os.dup2(r, 3); os.dup2(w, 4); os.execvp(sys.argv[3], sys.argv[3:])")

# Resolves with the first value of EXPRESSION that is true; rejects after MS.
_WAIT = """new Promise((resolve, reject) => {
	const read = () => { try { return (%s); } catch (e) { return null; } };
	const end = performance.now() + %d;
	const look = () => {
		const value = read();
		if (value) { resolve(value); return; }
		if (performance.now() > end) { reject(new Error("it did not come true")); return; }
		setTimeout(look, 10);
	};
	look();
})"""


class BrowserError(Exception):
    pass


def find_chromium():
    return shutil.which("chromium") or shutil.which("chromium-browser")


def need_chromium():
    if not find_chromium():
        raise unittest.SkipTest("chromium is not installed")


class Browser:
    """A Chromium with a profile of its own. @dark: the scheme of colours it prefers."""

    def __init__(self, timezone="UTC"):
        self.home = tempfile.mkdtemp(prefix="spguard-chromium-")
        to_read, self.to = os.pipe()
        self.back, to_write = os.pipe()
        self.last_id, self.answers, self.handlers = 0, {}, {}
        self.lock, self.ended = threading.Condition(), False
        environment = {**os.environ, "HOME": self.home, "TZ": timezone}
        command = [
            "python3", "-c", _EXEC, str(to_read), str(to_write), find_chromium(),
            "--headless=new", "--no-sandbox", "--remote-debugging-pipe",
            f"--user-data-dir={self.home}/profile", "--no-first-run", "--disable-gpu",
            "--disable-dev-shm-usage", "--disable-background-networking",
            "--disable-component-update", "--disable-default-apps", "--disable-sync",
            "--disable-extensions", "--hide-scrollbars", "--force-color-profile=srgb",
            "--font-render-hinting=none", "--no-proxy-server", "about:blank"]
        self.log = open(os.path.join(self.home, "log"), "wb")
        self.process = subprocess.Popen(
            command, pass_fds=(to_read, to_write), stdin=subprocess.DEVNULL,
            stdout=self.log, stderr=self.log, env=environment)
        os.close(to_read)
        os.close(to_write)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        try:
            self.call("Browser.getVersion")
        except BrowserError as error:
            self.close()
            raise unittest.SkipTest(f"chromium does not run here: {error}")

    def _read(self):
        data = b""
        while True:
            chunk = os.read(self.back, 1 << 16)
            if not chunk:
                break
            data += chunk
            *messages, data = data.split(b"\0")
            for message in messages:
                self._take(json.loads(message))
        with self.lock:
            self.ended = True
            self.lock.notify_all()

    def _take(self, message):
        if "id" in message:
            with self.lock:
                self.answers[message["id"]] = message
                self.lock.notify_all()
        elif message.get("sessionId") in self.handlers:
            self.handlers[message["sessionId"]](message["method"], message["params"])

    def call(self, method, session=None, timeout=FAIL_AFTER, **params):
        with self.lock:
            self.last_id += 1
            number = self.last_id
        message = {"id": number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        with self.lock:
            while data:
                if not select.select([], [self.to], [], FAIL_AFTER)[1]:
                    raise BrowserError("chromium takes no commands")
                data = data[os.write(self.to, data):]
        end = time.monotonic() + timeout
        with self.lock:
            while number not in self.answers:
                left = end - time.monotonic()
                if self.ended or left <= 0:
                    raise BrowserError(f"no answer to {method}: {self._log_tail()}")
                self.lock.wait(left)
            answer = self.answers.pop(number)
        if "error" in answer:
            raise BrowserError(f"{method}: {answer['error'].get('message')}")
        return answer["result"]

    def _log_tail(self):
        with open(os.path.join(self.home, "log"), encoding="utf-8", errors="replace") as f:
            return f.read()[-500:]

    def page(self, **options):
        return Page(self, **options)

    def close(self):
        try:
            if not self.ended:
                self.call("Browser.close", timeout=10)
            self.process.wait(10)
        except (BrowserError, OSError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait(FAIL_AFTER)
        os.close(self.to)
        self.reader.join(FAIL_AFTER)
        os.close(self.back)
        self.log.close()
        shutil.rmtree(self.home, ignore_errors=True)


class Page:
    """A tab. requests: every address that was asked for; problems: errors and
    warnings of the console, exceptions, and what the policy refused."""

    def __init__(self, browser, width=1280, height=900, scale=1, mobile=False, dark=False,
                 reduced_motion=True):
        self.browser, self.requests, self.problems = browser, [], []
        self.frames = queue.Queue()
        self.target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = browser.call("Target.attachToTarget", targetId=self.target,
                                    flatten=True)["sessionId"]
        browser.handlers[self.session] = self._on
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.resize(width, height, scale, mobile)
        self.prefer(dark, reduced_motion)

    def _on(self, method, params):
        if method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.problems.append(params["entry"]["text"])
        elif method == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            self.problems.append(details.get("exception", {}).get("description") or
                                 details["text"])
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning",
                                                                         "assert"):
            self.problems.append(" ".join(str(a.get("value", a.get("description")))
                                          for a in params["args"]))

    def call(self, method, **params):
        """@timeout, if it is given, is ours: how many seconds the answer may take."""
        return self.browser.call(method, session=self.session, **params)

    def resize(self, width, height, scale=1, mobile=False):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=scale, mobile=mobile)
        if mobile:
            self.call("Emulation.setTouchEmulationEnabled", enabled=True, maxTouchPoints=5)

    def prefer(self, dark=False, reduced_motion=True, paper=False):
        self.call("Emulation.setEmulatedMedia", media="print" if paper else "", features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
            {"name": "prefers-reduced-motion",
             "value": "reduce" if reduced_motion else "no-preference"}])

    def open(self, address):
        answer = self.call("Page.navigate", url=address)
        if answer.get("errorText"):
            raise BrowserError(f"{address}: {answer['errorText']}")
        self.wait("document.readyState === 'complete' && location.href !== 'about:blank'")
        return self

    def eval(self, expression, seconds=FAIL_AFTER):
        """Its value; a promise is waited for."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True,
                           awaitPromise=True, timeout=seconds + 10)
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise BrowserError(details.get("exception", {}).get("description") or
                               details["text"])
        return answer["result"].get("value")

    def wait(self, expression, seconds=FAIL_AFTER):
        """The first true value of @expression; BrowserError when it never comes."""
        for _ in range(5):
            try:
                return self.eval(_WAIT % (expression, seconds * 1000), seconds)
            except BrowserError as error:
                # The document was changed for another one meanwhile.
                if "context" in str(error) or "navigated" in str(error):
                    continue
                text = self.eval("document.body.innerText.slice(0, 1500)")
                raise BrowserError(f"{expression}: {error}\nThe page says:\n{text}\n"
                                   f"Problems: {self.problems}")
        raise BrowserError(f"{expression}: the page does not stay")

    def text(self, selector):
        return self.eval(f"document.querySelector({json.dumps(selector)})?.innerText ?? null")

    def click(self, selector):
        """With the mouse, in the middle of it."""
        x, y = self.wait(f"""(() => {{
            const node = document.querySelector({json.dumps(selector)});
            node.scrollIntoView({{block: "center"}});
            const box = node.getBoundingClientRect();
            return box.width && [box.x + box.width / 2, box.y + box.height / 2];
        }})()""")
        for kind in ("mousePressed", "mouseReleased"):
            self.mouse(kind, x, y, button="left", clickCount=1)

    def mouse(self, kind, x, y, **more):
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def key(self, key, **more):
        text = key if len(key) == 1 else ""
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, text=text, **more)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, **more)

    def screenshot(self, path=None, whole=False):
        if whole:
            height = self.eval("document.documentElement.scrollHeight")
            metrics = self.call("Page.getLayoutMetrics")["cssVisualViewport"]
            clip = {"x": 0, "y": 0, "width": metrics["clientWidth"], "height": height,
                    "scale": 1}
            answer = self.call("Page.captureScreenshot", format="png", clip=clip,
                               captureBeyondViewport=True)
        else:
            answer = self.call("Page.captureScreenshot", format="png")
        data = base64.b64decode(answer["data"])
        if path:
            with open(path, "wb") as f:
                f.write(data)
        return data

    def pdf(self):
        """It as printed on A4."""
        answer = self.call("Page.printToPDF", paperWidth=8.27, paperHeight=11.69,
                           preferCSSPageSize=False)
        return base64.b64decode(answer["data"])

    def close(self):
        self.browser.handlers.pop(self.session, None)
        self.browser.call("Target.closeTarget", targetId=self.target)
