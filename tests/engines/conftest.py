"""The databases that the tests of the contract run in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from driftgauge.engines import embedded

from tests.engines.databases import Hold, in_duckdb, in_postgres

ENGINES = ["duckdb", "duckdb of more rows", "postgres"]


@pytest.fixture(scope="module", params=ENGINES)
def hold(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hold]:
    if request.param == "postgres":
        database = in_postgres(request.getfixturevalue("postgres").new_database())
    else:
        database = in_duckdb(tmp_path_factory.mktemp("duckdb"))
    with database as own, pytest.MonkeyPatch.context() as patch:
        if request.param == "duckdb of more rows":  # than are sorted in this process
            patch.setattr(embedded, "MOST_BYTES", 0)
        yield own
