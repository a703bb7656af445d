"""A real browser without a window: Chromium, spoken to through a pipe in the language of its developer tools."""

import base64
import fcntl
import json
import os
import select
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.eventually import eventually

Message = dict[str, Any]
_FLAGS = (
    "--headless=new", "--remote-debugging-pipe", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-dev-shm-usage", "--no-sandbox", "--window-size=1300,900",
)  # fmt: skip
_KEY_CODES = {"ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "Home": 36, "End": 35, "Tab": 9}
LONG_TASKS = """
window.longTasks = [];
new PerformanceObserver((list) => longTasks.push(...list.getEntries().map((entry) => entry.duration)))
  .observe({ type: "longtask", buffered: true });
"""


class Browser:
    """Chromium."""

    def __init__(self, reader: int, writer: int) -> None:
        self._reader = reader
        self._writer = writer
        self._buffer = b""
        self._last = 0
        self.events: list[Message] = []
        """What it told by itself."""

    def send(self, method: str, session: str | None = None, **params: Any) -> Message:
        """Has it do something, and returns what came of it."""
        self._last += 1
        asked: Message = {"id": self._last, "method": method, "params": params}
        if session is not None:
            asked["sessionId"] = session
        os.write(self._writer, json.dumps(asked).encode() + b"\0")
        deadline = time.monotonic() + 60
        while True:
            answer = self._next(deadline)
            if answer.get("id") == self._last:
                assert "error" not in answer, answer["error"]
                return dict(answer["result"])
            self.events.append(answer)

    def tab(self) -> "Tab":
        """A new tab."""
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        return Tab(self, session)

    def _next(self, deadline: float) -> Message:
        while b"\0" not in self._buffer:
            readable, _, _ = select.select([self._reader], [], [], max(deadline - time.monotonic(), 0))
            assert readable, "the browser does not answer"
            piece = os.read(self._reader, 1 << 20)
            assert piece, "the browser is gone"
            self._buffer += piece
        message, _, self._buffer = self._buffer.partition(b"\0")
        found: Message = json.loads(message)
        return found


class Tab:
    """One of its tabs."""

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser = browser
        self._session = session
        for domain in ("Page", "Runtime", "Log", "Performance"):
            self.send(f"{domain}.enable")
        self.send("Page.addScriptToEvaluateOnNewDocument", source=LONG_TASKS)

    def send(self, method: str, **params: Any) -> Message:
        """Has the tab do something."""
        return self._browser.send(method, self._session, **params)

    def open(self, url: str) -> float:
        """Goes there; the seconds until it stands whole."""
        begun = time.monotonic()
        self._leave(lambda: self.send("Page.navigate", url=url), what=url)
        return time.monotonic() - begun

    def follow(self, link: str) -> None:
        """Clicks on a link, which leads to another page."""
        self._leave(lambda: self.tell(f"{link}.click()"), what=link)

    def close(self) -> None:
        """Closes it."""
        self.send("Page.close")

    def tell(self, expression: str) -> Any:
        """The value of an expression in the page, a promise waited for."""
        answer = self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def metrics(self) -> dict[str, float]:
        """What the page took so far: elements, layouts, seconds in scripts and more, as Chromium names it."""
        return {each["name"]: each["value"] for each in self.send("Performance.getMetrics")["metrics"]}

    def press(self, key: str) -> None:
        """Presses a key."""
        code = _KEY_CODES[key]
        for kind in ("rawKeyDown", "keyUp"):
            self.send("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)

    def media(self, media: str = "", **features: str) -> None:
        """As on paper, or in the dark."""
        listed = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
        self.send("Emulation.setEmulatedMedia", media=media, features=listed)

    def size(self, width: int, height: int, *, scale: float = 1) -> None:
        """As in a window of that size, in pixels of the page; `scale` of the screen's to one of these."""
        self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=False
        )

    def screenshot(self, **how: Any) -> bytes:
        """What is to be seen; `how` is as Chromium's Page.captureScreenshot has it."""
        return base64.b64decode(self.send("Page.captureScreenshot", **how)["data"])

    def complaints(self) -> list[str]:
        """What went wrong in the page, as the console has it: exceptions, refused content, failed requests."""
        self.tell("1")  # what was on its way has come
        found = []
        for event in self._browser.events:
            params = event.get("params", {})
            if event.get("method") == "Runtime.exceptionThrown":
                found.append(str(params["exceptionDetails"]))
            elif event.get("method") == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
                found.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")
            elif event.get("method") == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning"):
                found.append(str(params["args"]))
        return found

    def _leave(self, go: Callable[[], object], *, what: str) -> None:
        """Has the tab show another page, which may have the same address, and waits until that stands whole."""
        self.tell("globalThis.isLeft = true")
        go()
        there = "!globalThis.isLeft && document.readyState === 'complete'"
        eventually(lambda: self.tell(there), timeout=60, interval=0.02, what=what)


@contextmanager
def browser(chromium: Path) -> Iterator[Browser]:
    """Chromium, as long as the block lasts."""
    ours, theirs = os.pipe(), os.pipe()
    inside = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (ours[0], theirs[1])]
    with tempfile.TemporaryDirectory(prefix="kai-snapshot-browser-", ignore_cleanup_errors=True) as profile:
        command = [str(chromium), *_FLAGS, f"--user-data-dir={profile}"]
        shell = ["bash", "-c", f'exec "$0" "$@" 3<&{inside[0]} 4>&{inside[1]}', *command]
        with subprocess.Popen(shell, pass_fds=inside, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            for end in (ours[0], theirs[1], *inside):
                os.close(end)
            try:
                yield Browser(theirs[0], ours[1])
            finally:
                process.terminate()
                process.wait()
                for end in (theirs[0], ours[1]):
                    os.close(end)
