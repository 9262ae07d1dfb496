"""A headless Chromium for tests, which reaches 127.0.0.1 alone."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from tests.e2e.programs import require

NAMES = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = (
    "--disable-gpu",
    "--disable-dev-shm-usage",
    # No name resolves, and nothing else than the loopback address is reached, whatever network there is.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--proxy-server=http://127.0.0.1:9",
    "--proxy-bypass-list=<-loopback>;127.0.0.1",
)
DESKTOP = (1_200, 900)
PHONE = (375, 812)


@dataclass
class Tab:
    """A tab of the browser: its page, the addresses that it asked for, and its errors."""

    page: Page
    requested: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("request", lambda request: self.requested.append(request.url))
        self.page.on("console", self._note)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    @property
    def hosts(self) -> set[str]:
        """Hosts that the tab asked, without what stands in the page itself."""
        return {urlsplit(address).netloc for address in self.requested if not address.startswith(("data:", "about:"))}

    @property
    def scrolls_sideways(self) -> bool:
        return bool(self.page.evaluate("document.documentElement.scrollWidth > innerWidth"))

    def _note(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(message.text)


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """Start a browser; the test is skipped, or fails in CI, without one."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    require(None if program else "chromium is not installed", in_ci=os.environ.get("CI", "").lower() in {"true", "1"})
    with sync_playwright() as playwright:
        # The sandbox cannot be had as root; the pages are our own.
        started = playwright.chromium.launch(executable_path=program, chromium_sandbox=False, args=list(OPTIONS))
        try:
            yield started
        finally:
            started.close()


@contextlib.contextmanager
def opened(
    chromium: Browser,
    size: tuple[int, int] = DESKTOP,
    scheme: Literal["light", "dark"] = "light",
    **options: Any,
) -> Iterator[Tab]:
    """Open an empty tab with its own cache."""
    width, height = size
    context = chromium.new_context(viewport={"width": width, "height": height}, color_scheme=scheme, **options)
    try:
        yield Tab(context.new_page())
    finally:
        context.close()


@contextlib.contextmanager
def tab(size: tuple[int, int] = DESKTOP, scheme: Literal["light", "dark"] = "light", **options: Any) -> Iterator[Tab]:
    """Open an empty tab in a browser of its own."""
    with browser() as chromium, opened(chromium, size, scheme, **options) as own:
        yield own
