"""The runbooks: a page for each alert, found by the alert's name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from driftgauge.alerting.options import MonitoringOptions
from driftgauge.alerting.runbook_values import default_settings, runbook_values
from driftgauge.errors import Reason, Refused

SOURCES: Final = Path(__file__).parent / "pages"
PLACEHOLDER: Final = re.compile(r"\{\{([a-z_]+)\}\}")


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
def sources() -> Runbooks:
    """Return the pages with their placeholders; read once."""
    return read_runbooks(SOURCES)


def runbooks(
    options: MonitoringOptions | None = None, settings: Mapping[str, Any] | None = None, feature: str | None = None
) -> Runbooks:
    """Return the pages with addresses and names of the options and numbers of the settings, by default the defaults.

    `feature` is the column that the commands ask about, or None for a placeholder.
    """
    values = runbook_values(options or MonitoringOptions(), settings or default_settings(), feature)
    return Runbooks({name: fill(page, values) for name, page in sources().pages.items()})


def fill(text: str, values: Mapping[str, str]) -> str:
    """Replace each `{{name}}` by its value; KeyError for an unknown name."""
    return PLACEHOLDER.sub(lambda found: values[found[1]], text)
