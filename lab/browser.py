"""A headless Chromium that looks at pages of the lab, driven by the DevTools protocol over a pipe.

No driver and no library between: two file descriptors and JSON. It must never reach out: the profile is an empty
directory of its own, and what a browser does by itself in the background is switched off.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from select import select
from types import TracebackType
from typing import Any

from lab.processes import LabError, netns, signal_group, wait_for

FLAGS = (
    "--headless",
    "--remote-debugging-pipe",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)
# seconds: for one answer of the browser, and for the browser to end
_PATIENCE, _END = 60.0, 5.0


class Browser:
    """A context with one page; ``namespace`` is the network namespace it stands in, None for this machine's own."""

    def __init__(self, namespace: str | None = None) -> None:
        self._profile = tempfile.mkdtemp(prefix="lab-browser-")
        self._process, self._to, self._from = _spawn(namespace, Path(self._profile))
        self._read = b""
        self._last_id = 0
        self._session: str | None = None
        # what went wrong on the page: exceptions, and what its policy refused
        self.complaints: list[str] = []

    def __enter__(self) -> Browser:
        try:
            target = self.call("Target.createTarget", url="about:blank")["targetId"]
            self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            for domain in ("Page", "Runtime", "Log", "Accessibility"):
                self.call(f"{domain}.enable")
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the browser and everything it started."""
        for descriptor in (self._to, self._from):
            with contextlib.suppress(OSError):
                os.close(descriptor)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_END)
        signal_group(self._process.pid, signal.SIGKILL)
        self._process.wait(_END)
        shutil.rmtree(self._profile, ignore_errors=True)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command of the protocol and its result. Raises `LabError`."""
        self._last_id += 1
        command = {"id": self._last_id, "method": method, "params": parameters}
        if self._session:
            command["sessionId"] = self._session
        os.write(self._to, json.dumps(command).encode() + b"\0")
        for message in self._messages(time.monotonic() + _PATIENCE):
            if message.get("id") == self._last_id:
                if "error" in message:
                    raise LabError(f"{method}: {message['error']}")
                return dict(message["result"])
            self._hear(message)
        raise LabError(f"{method}: no answer of the browser within {_PATIENCE:g} s")

    def open(self, url: str) -> None:
        """Go there; returns when the page is loaded."""
        said = self.call("Page.navigate", url=url).get("errorText")
        if said:
            raise LabError(f"{url}: {said}")
        self.wait_for("document.readyState === 'complete'")

    def evaluate(self, expression: str) -> Any:
        """The value of an expression on the page. Raises `LabError` with what it throws."""
        done = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in done:
            raise LabError(f"{expression}: {done['exceptionDetails']}")
        return done["result"].get("value")

    def wait_for(self, expression: str, timeout: float = _PATIENCE) -> None:
        """Until the expression is true on the page."""
        wait_for(lambda: self.evaluate(f"Boolean({expression})"), timeout, f"the page to make true: {expression}")

    def press(self, key: str) -> None:
        """A key, as by hand: Tab, Enter."""
        text = {"text": "\r"} if key == "Enter" else {}
        code = {"Tab": 9, "Enter": 13}[key]
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, code=key, windowsVirtualKeyCode=code, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, code=key, windowsVirtualKeyCode=code)

    def look(self, *, width: int, height: int, dark: bool = False, scale: float = 1) -> None:
        """The size of the window, and what its user prefers."""
        size = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": width < 600}
        self.call("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call(
            "Emulation.setEmulatedMedia", features=[scheme, {"name": "prefers-reduced-motion", "value": "reduce"}]
        )

    def heard(self) -> list[tuple[str, str]]:
        """What a screen reader meets, in order: (role, name)."""
        nodes = self.call("Accessibility.getFullAXTree")["nodes"]
        told = [node for node in nodes if not node.get("ignored")]
        return [(node["role"]["value"], node.get("name", {}).get("value", "")) for node in told]

    def screenshot(self, path: Path, *, whole: bool = True) -> None:
        """What is seen, as PNG."""
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot["data"]))

    def _hear(self, message: dict[str, Any]) -> None:
        parameters = message.get("params", {})
        if message.get("method") == "Runtime.exceptionThrown":
            self.complaints.append(str(parameters["exceptionDetails"]))
        if message.get("method") == "Log.entryAdded" and parameters["entry"]["level"] == "error":
            self.complaints.append(f"{parameters['entry']['text']} {parameters['entry'].get('url', '')}")

    def _messages(self, deadline: float) -> Iterator[dict[str, Any]]:
        while True:
            line, end, rest = self._read.partition(b"\0")
            if end:
                self._read = rest
                yield json.loads(line)
                continue
            if not select([self._from], [], [], max(0.0, deadline - time.monotonic()))[0]:
                return
            more = os.read(self._from, 1 << 16)
            if not more:
                raise LabError(f"the browser has ended: {self._last_words()}")
            self._read += more

    def _last_words(self) -> str:
        return (Path(self._profile) / "said").read_text(errors="replace")[-2000:]


def is_there() -> bool:
    """Whether Chromium is installed."""
    return shutil.which("chromium") is not None


def _spawn(namespace: str | None, profile: Path) -> tuple[subprocess.Popen[bytes], int, int]:
    """(process, descriptor to write commands to, descriptor to read from)."""
    its_in, to = os.pipe()
    from_, its_out = os.pipe()
    # a browser run by root has no sandbox; it is given pages of this machine alone
    root = ("--no-sandbox",) if os.geteuid() == 0 else ()
    browser = ["chromium", *FLAGS, *root, f"--user-data-dir={profile}", "about:blank"]
    wrapped = ["bash", "-c", f'exec "$@" 3<&{its_in} 4>&{its_out}', "browser", *browser]
    try:
        with (profile / "said").open("wb") as said:
            process = subprocess.Popen(
                netns(namespace, wrapped),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                pass_fds=(its_in, its_out),
                start_new_session=True,
                env={**os.environ, "HOME": str(profile)},
            )
    finally:
        os.close(its_in)
        os.close(its_out)
    return process, to, from_
