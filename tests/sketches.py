"""The library for sketches, without which tests of SageMaker's files are skipped."""

from __future__ import annotations

import os
from importlib.util import find_spec

from tests.e2e.programs import require


def require_sketches() -> None:
    """Skip the test if Apache DataSketches is not installed; fail it in CI."""
    missing = None if find_spec("datasketches") else "datasketches is not installed"
    require(missing, in_ci=os.environ.get("CI", "").lower() in {"true", "1"})
