"""What numbers of models and rows take, computed from what was measured.

Each constant is a cell of a table in benchmarks/README.md. The tables of docs/scaling.md between its two marks are what
this program prints; `--write` writes them there. Prices, if given, add a column.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer

from benchmarks.scaling_constants import (
    CONSTANTS,
    EVALUATION_SHARE,
    GIB_OF_MODEL,
    GIB_OF_SERVER,
    GIB_OF_WORKER,
    GIB_OF_WORKER_STATE,
    HTTP_SECONDS,
    KAFKA_SECONDS,
    KAFKA_WIDE_SECONDS,
    LIBRARY_SECONDS,
    LOG_BYTES,
    LOG_SECONDS,
    PROMETHEUS_BYTES,
    REQUEST_SECONDS,
    SCRAPE_SECONDS,
    SERIES_OF_MODEL,
    SERIES_OF_SERVER,
    TABLE_BYTES,
    TABLE_SECONDS,
)

PAGE: Final = Path(__file__).parents[1] / "docs" / "scaling.md"
BEGIN: Final = "<!-- Written by `python -m benchmarks.scaling --write`. -->"
END: Final = "<!-- End of what benchmarks.scaling writes. -->"
MODELS: Final = (1, 10, 100, 1_000)
RATES: Final = (1, 100, 1_000, 10_000, 100_000, 1_000_000)
HEADROOM: Final = 0.6
"""Share of a core that is planned to be used."""
WORKERS_PER_SERVER: Final = 8
"""The most that was measured."""
MODELS_PER_SERVER: Final = 100
"""The most that was measured."""
SCRAPE_INTERVAL_SECONDS: Final = 15.0
DAY_SECONDS: Final = 86_400.0
MONTH_HOURS: Final = 730.0
LOG_DAYS: Final = 30.0
EXAMPLE_MODELS: Final = 100
EXAMPLE_RATE: Final = 10_000
ONE_PROMETHEUS: Final = 3_000_000
"""Series that one Prometheus holds with ease: an estimate."""
LARGE_PROMETHEUS: Final = 10_000_000
"""Series beyond which one Prometheus is not enough: an estimate."""


@dataclass(frozen=True)
class Prices:
    """What the reader pays."""

    core_hour: float = 0.0
    gib_hour: float = 0.0
    disk_gb_month: float = 0.0

    @property
    def given(self) -> bool:
        """Whether there is any price."""
        return any((self.core_hour, self.gib_hour, self.disk_gb_month))


@dataclass(frozen=True)
class Plan:
    """What serves a number of models and rows."""

    models: int
    rate: int
    """Rows a second, of all models together, one in each request."""
    servers: int
    workers: int
    """Of each server."""
    cores: float
    """That are busy."""
    gib: float
    """Of all servers."""
    series: int

    @property
    def copies(self) -> int:
        """Return the number of monitors: of each model on each server that has it."""
        return max(self.models, self.servers)

    @property
    def name(self) -> str:
        """Return the set-up in words."""
        if self.servers == 1:
            return "one process" if self.workers == 1 else "one server with workers"
        return "servers with a share of the models" if self.models > self.servers else "replicas"

    @property
    def prometheus(self) -> str:
        """Return what holds the series."""
        if self.series <= ONE_PROMETHEUS:
            return "one Prometheus"
        return "one large Prometheus" if self.series <= LARGE_PROMETHEUS else "several, or Mimir"

    @property
    def prometheus_gib(self) -> float:
        """Return the memory of Prometheus."""
        return self.series * PROMETHEUS_BYTES / 2**30

    @property
    def log_gb_a_day(self) -> float:
        """Return what the prediction log grows by."""
        return self.rate * LOG_BYTES * DAY_SECONDS / 1e9

    def money_a_month(self, prices: Prices, days: float = LOG_DAYS) -> float:
        """Return the price of a month: whole cores, memory with Prometheus', and the log of so many days."""
        hourly = self.servers * self.workers * prices.core_hour + (self.gib + self.prometheus_gib) * prices.gib_hour
        return MONTH_HOURS * hourly + self.log_gb_a_day * days * prices.disk_gb_month


def plan(models: int, rate: int) -> Plan:
    """Return the servers that a number of models and rows take."""
    servers = math.ceil(models / MODELS_PER_SERVER)
    while (found := _of_servers(models, rate, servers)).workers > WORKERS_PER_SERVER:
        servers += max(1, servers // 50)
    return found


def _of_servers(models: int, rate: int, servers: int) -> Plan:
    copies = max(models, servers)
    rows = rate * (REQUEST_SECONDS + LOG_SECONDS)
    cores = rows + copies * (EVALUATION_SHARE + SCRAPE_SECONDS / SCRAPE_INTERVAL_SECONDS)
    workers = math.ceil(cores / HEADROOM / servers)
    gib = servers * (GIB_OF_SERVER + (workers - 1) * GIB_OF_WORKER)
    gib += copies * (GIB_OF_MODEL + (workers - 1) * GIB_OF_WORKER_STATE)
    series = round(servers * SERIES_OF_SERVER + copies * SERIES_OF_MODEL)
    return Plan(models, rate, servers, workers, cores, gib, series)


def plans_table(prices: Prices = Prices()) -> list[str]:
    """Return the table of what serves models and rows."""
    heads = ["models", "rows/s", "set-up", "servers × workers", "busy cores", "memory, GiB"]
    heads += ["series", "held by", "its memory, GiB", "prediction log, GB a day"]
    heads += ["a month"] * prices.given
    rows = [_cells(plan(models, rate), prices) for models in MODELS for rate in RATES]
    return _table(heads, rows)


def _cells(own: Plan, prices: Prices) -> list[str]:
    cells = [
        f"{own.models:,}",
        f"{own.rate:,}",
        own.name,
        f"{own.servers:,} × {own.workers}",
        _short(own.cores),
        _short(own.gib),
        f"{own.series:,}",
        own.prometheus,
        _short(own.prometheus_gib),
        _short(own.log_gb_a_day),
    ]
    return [*cells, *([_short(own.money_a_month(prices))] if prices.given else [])]


def ways_table() -> list[str]:
    """Return the table of busy cores for rows alone, by the way they come."""
    ways = {
        "a request each": REQUEST_SECONDS,
        "library, 100 rows a call": LIBRARY_SECONDS,
        "HTTP, 500 rows a request": HTTP_SECONDS,
        "Kafka": KAFKA_SECONDS,
        "Kafka, several consumers with profiles": KAFKA_WIDE_SECONDS,
        "`check` of Parquet": TABLE_SECONDS,
    }
    rows = [
        [
            f"{rate:,}",
            *(_short(rate * seconds) for seconds in ways.values()),
            _short(rate * TABLE_BYTES * DAY_SECONDS / 1e9),
        ]
        for rate in RATES
    ]
    return _table(["rows/s", *ways, "Parquet, GB a day"], rows)


def example() -> str:
    """Return what one plan takes and costs, in a sentence for each."""
    own = plan(EXAMPLE_MODELS, EXAMPLE_RATE)
    prices = Prices(core_hour=0.04, gib_hour=0.005, disk_gb_month=0.08)
    kept, none = (own.money_a_month(prices, days) for days in (LOG_DAYS, 0.0))
    sentences = [
        f"{own.models:,} models and {own.rate:,} rows/s, one in each request, take {own.servers:,} × {own.workers}",
        f"workers. Each server needs {own.workers} cores and {_short(own.gib / own.servers)} GiB, and what your models",
        f"take beside that. Prometheus needs {_short(own.prometheus_gib)} GiB.",
        f"At {prices.core_hour} for an hour of a core, {prices.gib_hour} for an hour of a GiB and",
        f"{prices.disk_gb_month} for a month of a GB of disk, this costs {_short(none)} a month without a prediction",
        f"log, and {_short(kept)} with {LOG_DAYS:g} days of it ({_short(own.log_gb_a_day * LOG_DAYS)} GB).",
    ]
    return " ".join(sentences)


def constants_table() -> list[str]:
    """Return the table of what was measured."""
    rows = [[own.what, f"{own.cell} {own.unit}".strip(), own.link] for own in CONSTANTS]
    return _table(["measured", "value", "where"], rows)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [heads, ["---"] * len(heads), *rows]
    return ["| " + " | ".join(cells) + " |" for cells in lines]


def _short(value: float) -> str:
    """Return a number with two digits that count; whole above ten."""
    if value == 0.0:
        return "0"
    if value >= 10.0:
        return f"{float(f'{value:.2g}'):,.0f}"
    return f"{value:.2g}" if value >= 0.01 else "< 0.01"


def written(page: str) -> str:
    """Return the page with the tables of today between its marks."""
    before, rest = page.split(BEGIN)
    after = rest.split(END)[1]
    tables = [
        *("", "### Served by Driftgauge", *plans_table()),
        *("", "### An example", *textwrap.wrap(example(), 135)),
        *("", "### Cores for the rows alone, by the way they come", *ways_table()),
        *("", "### What the tables are computed from", *constants_table(), ""),
    ]
    return "\n".join([before + BEGIN, *tables, END]) + after


def main(
    write: Annotated[bool, typer.Option(help="Write the tables to docs/scaling.md.")] = False,
    core_hour: Annotated[float, typer.Option(help="Price of a core for an hour.")] = 0.0,
    gib_hour: Annotated[float, typer.Option(help="Price of a GiB of memory for an hour.")] = 0.0,
    disk_gb_month: Annotated[float, typer.Option(help="Price of a GB of disk for a month.")] = 0.0,
) -> None:
    """Print what numbers of models and rows take, or write it to the page."""
    if write:
        PAGE.write_text(written(PAGE.read_text()))
    else:
        print("\n".join(plans_table(Prices(core_hour, gib_hour, disk_gb_month))))


if __name__ == "__main__":
    typer.run(main)
