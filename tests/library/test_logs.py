from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from driftgauge.library.logs import LOGGER, standard_log


class Broken(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        raise ValueError(record.msg)


@pytest.fixture
def broken_filter() -> Iterator[None]:
    broken = Broken()
    logging.getLogger(LOGGER).addFilter(broken)
    yield
    logging.getLogger(LOGGER).removeFilter(broken)


def test_a_line_is_an_event_with_its_error_and_context(caplog: pytest.LogCaptureFixture) -> None:
    standard_log().error("observation_failed", exc_info=OSError("the disk is gone"), suppressed_before=0, path="/x")
    standard_log().warning("state_recovered", detail="100 % of it")
    assert [record.getMessage() for record in caplog.records] == [
        "observation_failed OSError: the disk is gone path=/x",
        "state_recovered detail=100 % of it",
    ]


@pytest.mark.usefixtures("broken_filter")
def test_a_filter_that_fails_stops_nothing() -> None:
    standard_log().error("observation_failed")
