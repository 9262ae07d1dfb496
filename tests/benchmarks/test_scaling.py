"""The numbers of docs/scaling.md: the page is current, and plans follow from the constants."""

from __future__ import annotations

import pytest

from benchmarks.scaling import (
    HEADROOM,
    MODELS,
    PAGE,
    RATES,
    WORKERS_PER_SERVER,
    Prices,
    plan,
    plans_table,
    ways_table,
    written,
)
from benchmarks.scaling_constants import KAFKA, LOG, LOG_ROW, REQUEST


def test_the_page_has_the_tables_of_today() -> None:
    page = PAGE.read_text()

    assert written(page) == page, "python -m benchmarks.scaling --write"


def test_one_model_with_few_rows_needs_one_process() -> None:
    found = plan(1, 1)

    assert (found.name, found.servers, found.workers, found.prometheus) == ("one process", 1, 1, "one Prometheus")


def test_rows_take_the_time_of_requests_and_of_the_log() -> None:
    grown = plan(1, 101).cores - plan(1, 1).cores

    assert grown == pytest.approx(100 * (REQUEST.value + LOG.value) * 1e-6)
    assert plan(1, 1_000).log_gb_a_day == pytest.approx(1_000 * LOG_ROW.value * 86_400 / 1e9)


@pytest.mark.parametrize("models", MODELS)
def test_more_rows_take_more_and_no_worker_is_planned_full(models: int) -> None:
    plans = [plan(models, rate) for rate in RATES]

    assert [found.cores for found in plans] == sorted(found.cores for found in plans)
    for found in plans:
        assert 1 <= found.workers <= WORKERS_PER_SERVER
        assert found.cores <= HEADROOM * found.servers * found.workers
        assert found.copies >= models


def test_a_price_adds_a_column() -> None:
    free, priced = plans_table(), plans_table(Prices(core_hour=1.0))

    assert priced[0] == f"{free[0]} a month |"
    assert priced[2].endswith(" 730 |")
    assert plan(1, 1).money_a_month(Prices(disk_gb_month=2.0), days=10.0) == pytest.approx(
        20.0 * plan(1, 1).log_gb_a_day
    )


def test_rows_from_kafka_take_their_measured_time() -> None:
    heads = [cell.strip() for cell in ways_table()[0].split("|")]
    million = [cell.strip() for cell in ways_table()[-1].split("|")]

    assert float(million[heads.index("Kafka")]) == pytest.approx(KAFKA.value, rel=0.05)
