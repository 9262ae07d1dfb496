"""The runbooks: a page for each alert, found by the alert's name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from driftgauge.alerting import shipped_folder
from driftgauge.errors import Reason, Refused


@dataclass(frozen=True)
class Runbooks:
    """Markdown pages by the name of their alert."""

    pages: Mapping[str, str]

    @property
    def names(self) -> tuple[str, ...]:
        """The alerts that have a page, sorted."""
        return tuple(sorted(self.pages))

    def page(self, alert: str) -> str:
        """Return an alert's page; `.md` behind its name is how pages link to each other.

        Raises Refused with the known names. A name is only looked up, never a path.
        """
        page = self.pages.get(alert.removesuffix(".md"))
        if page is None:
            known = ", ".join(self.names) or "none: this installation lacks them"
            raise Refused(Reason.NOT_FOUND, f"no alert {alert!r} has a runbook; there is {known}")
        return page

    def contents(self) -> str:
        """Return the page that lists all of them, with links relative to the folder's own address."""
        return "\n".join(["# Runbooks", "", *(f"- [{name}](runbooks/{name})" for name in self.names), ""])


def read_runbooks(folder: Path) -> Runbooks:
    """Read a folder's pages; none if there is no such folder."""
    return Runbooks({path.stem: path.read_text("utf-8") for path in sorted(folder.glob("*.md"))})


@cache
def runbooks() -> Runbooks:
    """Return the pages of the package, or of the checkout; read once."""
    return read_runbooks(shipped_folder() / "runbooks")
