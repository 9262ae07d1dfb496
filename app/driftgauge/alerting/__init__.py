"""The configuration of Prometheus and Alertmanager: scraping, recording rules, alerts, routes, runbooks."""

from __future__ import annotations

from pathlib import Path


def shipped_folder() -> Path:
    """Return the folder of dashboards and templates: the package's, or the checkout's."""
    packaged = Path(__file__).parent / "files"
    return packaged if packaged.is_dir() else Path(__file__).parents[3] / "monitoring"
