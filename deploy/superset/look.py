"""Opens every dashboard in a real Chromium, waits until all charts are drawn, and keeps a picture of each.

    python -m deploy.superset.look --pictures docs     # docs/superset-<dashboard>.png

It fails when a chart shows an error or nothing. Speaks the DevTools protocol to a Chromium that is installed
(`apt install chromium`); addresses come from the environment, as for `publish`.
"""

# ruff: noqa: INP001, T201 -- a command of a folder that is no package

from __future__ import annotations

import argparse
import io
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml
from PIL import Image
from websockets.sync.client import ClientConnection, connect

from deploy.superset.publish import FOLDER, Settings

_PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
_WIDTH = 1500
_START_SECONDS = 30.0
_DRAW_SECONDS = 120.0
_STILL_SECONDS = 2.0  # charts animate their first drawing
_POLL_SECONDS = 0.5
_COLOURS = 128

# What a reader would see of each chart: still loading, an error, no data, or something drawn.
_CHARTS = """
[...document.querySelectorAll('.dashboard-component-chart-holder')]
  .filter(holder => !holder.closest('.dashboard-markdown'))
  .map(holder => ({
  title: (holder.querySelector('[data-test="editable-title"], .editable-title, .header-title') || {}).innerText || '',
  loading: !!holder.querySelector('[data-test="loading-indicator"], .loading'),
  error: (holder.querySelector('.ant-alert-error, [data-test="error-message"], .error-alert') || {}).innerText || '',
  empty: !!holder.querySelector('.ant-empty') || /No results were returned|^\\s*No data\\s*$/m.test(holder.innerText),
  drawn: !!holder.querySelector('canvas, svg, table, .header-line, .superset-legacy-chart-big-number'),
}))
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """One dashboard as it was drawn: how many charts, in how many seconds, and what is wrong with which."""

    dashboard: str
    charts: int
    seconds: float
    wrong: list[str]


class Page:
    """One tab of Chromium, told what to do over its DevTools socket."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)

    def call(self, method: str, **parameters: Any) -> Any:
        """Ask, and wait for the answer; what happens meanwhile is not looked at."""
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv(timeout=_START_SECONDS))
            if message.get("id") == number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']['message']}")
                return message["result"]

    def evaluate(self, script: str) -> Any:
        """The value of an expression in the page."""
        return self.call("Runtime.evaluate", expression=script, returnByValue=True)["result"].get("value")

    def wait_for(self, script: str, seconds: float = _START_SECONDS) -> None:
        """Wait until the expression is true; raises TimeoutError."""
        deadline = time.monotonic() + seconds
        while not self.evaluate(script):
            if time.monotonic() > deadline:
                raise TimeoutError(f"the page does not come to: {script}")
            time.sleep(_POLL_SECONDS)


def installed() -> str | None:
    """Where this machine has a Chromium, if it has one."""
    return next((found for name in _PROGRAMS if (found := shutil.which(name))), None)


@contextmanager
def chromium() -> Iterator[Page]:
    """A Chromium without a window and without a past; it is gone afterwards."""
    program = installed()
    if program is None:
        raise SystemExit("No Chromium is installed; on Debian and Ubuntu: apt install chromium")
    with tempfile.TemporaryDirectory(prefix="tidegate-chromium-", ignore_cleanup_errors=True) as profile:
        options = ["--headless=new", "--remote-debugging-port=0", f"--user-data-dir={profile}", "--hide-scrollbars"]
        options += ["--no-first-run", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"]
        if os.geteuid() == 0:
            options.append("--no-sandbox")  # Chromium refuses its sandbox to root
        process = subprocess.Popen(
            [program, *options, "about:blank"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            with connect(_socket_url(Path(profile)), max_size=None) as socket:
                yield Page(socket)
        finally:
            process.terminate()
            process.wait(timeout=_START_SECONDS)


def _socket_url(profile: Path) -> str:
    told = profile / "DevToolsActivePort"
    deadline = time.monotonic() + _START_SECONDS
    while not (told.exists() and told.read_text(encoding="utf-8").count("\n")):
        if time.monotonic() > deadline:
            raise TimeoutError("Chromium does not start")
        time.sleep(_POLL_SECONDS)
    port = told.read_text(encoding="utf-8").splitlines()[0]
    tabs = httpx.get(f"http://127.0.0.1:{port}/json/list", trust_env=False).raise_for_status().json()
    return str(next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page"))


def sign_in(page: Page, settings: Settings) -> None:
    """Fill in the form as a person does."""
    page.call("Page.enable")
    page.call("Page.navigate", url=f"{settings.superset_url}/login/")
    page.wait_for("!!document.querySelector('#password')")
    for field, text in (("username", settings.user), ("password", settings.password)):
        page.evaluate(f"document.querySelector('#{field}').focus()")
        page.call("Input.insertText", text=text)
    page.evaluate("document.querySelector('button[type=submit]').click()")
    page.wait_for("!location.pathname.startsWith('/login')")


def look(page: Page, settings: Settings, dashboard: dict[str, Any]) -> Seen:
    """Open one dashboard and wait until each of its charts is drawn, or one of them fails."""
    wanted = sum(1 for item in dashboard["position"].values() if isinstance(item, dict) and item["type"] == "CHART")
    began = time.monotonic()
    _size(page, 4000)  # charts outside of the window are not drawn
    page.call("Page.navigate", url=f"{settings.superset_url}/superset/dashboard/{dashboard['slug']}/")
    charts: list[dict[str, Any]] = []
    while time.monotonic() - began < _DRAW_SECONDS:
        charts = page.evaluate(_CHARTS) or []
        if len(charts) >= wanted and all(not c["loading"] and (c["drawn"] or c["error"] or c["empty"]) for c in charts):
            break
        time.sleep(_POLL_SECONDS)
    seconds = time.monotonic() - began
    wrong = [f"{c['title']}: {_what(c)}" for c in charts if c["loading"] or c["error"] or c["empty"] or not c["drawn"]]
    if len(charts) < wanted:
        wrong.append(f"{len(charts)} of {wanted} charts are there")
    return Seen(dashboard["slug"], len(charts), seconds, wrong)


def _what(chart: dict[str, Any]) -> str:
    if chart["error"]:
        return " ".join(str(chart["error"]).split())[:300]
    return "no data" if chart["empty"] else "not drawn in time"


def picture(page: Page) -> bytes:
    """What is on the page, from top to bottom, as a PNG of few colours."""
    time.sleep(_STILL_SECONDS)
    height = page.evaluate("document.querySelector('[data-test=\"grid-content\"]').getBoundingClientRect().bottom")
    _size(page, int(height) + 24)
    time.sleep(_STILL_SECONDS)
    import base64

    raw = base64.b64decode(page.call("Page.captureScreenshot", format="png")["data"])
    image = Image.open(io.BytesIO(raw)).convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE)
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True)
    return out.getvalue()


def _size(page: Page, height: int) -> None:
    page.call("Emulation.setDeviceMetricsOverride", width=_WIDTH, height=height, deviceScaleFactor=1, mobile=False)


def main(arguments: list[str]) -> int:
    """Run the command; returns the exit code, which is 1 when a chart shows an error or nothing."""
    parser = argparse.ArgumentParser(prog="python -m deploy.superset.look", description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=Path, metavar="FOLDER", help="where to keep a picture of each dashboard")
    parser.add_argument("dashboards", nargs="*", help="slugs; all by default")
    chosen = parser.parse_args(arguments)
    settings = Settings.from_environment()
    failed = False
    with chromium() as page:
        sign_in(page, settings)
        for path in sorted((FOLDER / "dashboards").glob("*.yaml")):
            dashboard = yaml.safe_load(path.read_text(encoding="utf-8"))
            if chosen.dashboards and dashboard["slug"] not in chosen.dashboards:
                continue
            seen = look(page, settings, dashboard)
            failed |= bool(seen.wrong)
            verdict = "FAILED" if seen.wrong else "ok"
            print(f"  {verdict:<6} {seen.charts:>3} charts {seen.seconds:5.1f} s  {seen.dashboard}", flush=True)
            for reason in seen.wrong:
                print(f"         {reason}")
            if chosen.pictures:
                (chosen.pictures / f"superset-{seen.dashboard}.png").write_bytes(picture(page))
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
