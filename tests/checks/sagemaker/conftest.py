from __future__ import annotations

import pytest

from tests.sketches import require_sketches


@pytest.fixture(scope="session")
def sketches() -> None:
    require_sketches()
