"""Environments of their own that `make test-all` makes for programs which need other versions than ours."""

from __future__ import annotations

import os
from pathlib import Path

from tests.e2e.programs import require
from tests.pages import ROOT


def python_of(name: str) -> Path:
    """Return the interpreter of an environment; without it the test is skipped, or fails in CI."""
    folder = ROOT / name
    sentence = None if (folder / "done").exists() else f"{name} is absent. `make {name}/done` makes it"
    require(sentence, in_ci=os.environ.get("CI", "").lower() in {"true", "1"})
    return folder / "bin" / "python"
