from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from driftgauge.settings.options import ENVIRONMENT_PREFIX


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.upper().startswith(ENVIRONMENT_PREFIX)]:
        monkeypatch.delenv(name)


@pytest.fixture
def toml(tmp_path: Path) -> Callable[[str], Path]:
    """Return what writes a settings file."""

    def write(text: str) -> Path:
        path = tmp_path / "driftgauge.toml"
        path.write_text(text, "utf-8")
        return path

    return write
