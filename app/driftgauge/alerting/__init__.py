"""What Prometheus and Alertmanager are told: scraping, recording rules, alerts, routes, as files for them."""

from __future__ import annotations

from pathlib import Path


def shipped_folder() -> Path:
    """Return where runbooks, dashboards and templates are: in the package, or in the checkout around it."""
    packaged = Path(__file__).parent / "files"
    return packaged if packaged.is_dir() else Path(__file__).parents[3] / "monitoring"
