"""docs/engines.md and docs/profiles.md: their commands and programs are run, in their order.

The program for Spark is run by `tests/engines/spark_executors.py`.
"""

from __future__ import annotations

import glob
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from driftgauge.checks.profile_files import ENDING

from tests.cli.runs import Run, runs
from tests.pages import blocks, commands, page
from tests.postgres import Postgres

ENGINES = page("docs", "engines.md")
PROFILES = page("docs", "profiles.md")
SHOP = "postgresql://me@db:5432/shop"
"""The database of both pages."""
DAY = np.datetime64("2026-01-31", "us")


def orders(seed: int, rows: int = 2_400, columns: tuple[str, ...] = ()) -> pa.Table:
    """Return orders of a day, evenly spread over its hours; all columns but those of a database by default."""
    random = np.random.default_rng(seed)
    times = DAY + np.arange(rows) * np.timedelta64(86_400_000_000 // rows, "us")
    table = {
        "id": np.arange(rows),
        "year": np.where(np.arange(rows) % 2, 2025, 2026),
        "ordered_at": times,
        "at": times,
        "amount": random.lognormal(3.0, 1.0, rows),
        "items": random.poisson(2.0, rows),
        "country": random.choice(["CH", "DE", "FR"], rows),
    }
    return pa.table({name: table[name] for name in columns or ("ordered_at", "amount", "items", "country")})


def shop_of(postgres: Postgres) -> str:
    """Put the orders into a new database, and return its address."""
    url, names = postgres.new_database(), ("id", "year", "ordered_at", "amount", "items", "country")
    with psycopg.connect(url) as own:
        own.execute(
            "CREATE TABLE orders (id bigint, year int, ordered_at timestamptz, amount float8, items int, country text)"
        )
        with own.cursor() as cursor, cursor.copy("COPY orders FROM STDIN") as copy:
            for row in orders(1, columns=names).to_pylist():
                copy.write_row([row[name] for name in names])
    return url


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with the tables that the pages name, and a baseline."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "orders" / "h=07").mkdir(parents=True)
    names = ("id", "ordered_at", "amount", "items", "country")
    pq.write_table(orders(2, columns=names), "year.parquet")
    pq.write_table(orders(3).slice(700, 100), "orders/h=07/0.parquet")
    for part in range(3):
        pq.write_table(orders(4 + part, columns=("at", "amount", "items", "country")), f"part-{part}.parquet")
    return tmp_path


@pytest.fixture
def run(folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    return runs(monkeypatch, capfd)


def follow(run: Run, block: str, shop: str = SHOP) -> str:
    """Run the commands of a block as a shell would, those of its other programs left out; return their output."""
    said = ""
    for name, *given in commands(block.replace(SHOP, shop)):
        if name == "driftgauge":
            words = [word for text in given if text for word in (sorted(glob.glob(text)) or [text])]
            code, out, errors = run(*words[: words.index("#")] if "#" in words else words)
            assert code == 0, (given, out, errors)
            said += out
    return said


def test_the_databases_page_builds_checks_and_profiles(run: Run, postgres: Postgres, folder: Path) -> None:
    shop = shop_of(postgres)
    build, check, *_ = blocks(ENGINES, "bash")
    assert "2,400 rows" in follow(run, build, shop)
    assert "verdict  " in follow(run, check, shop)
    assert len(list((folder / "hours").glob(f"*{ENDING}"))) == 24
    (program,) = blocks(ENGINES, "python")
    names: dict[str, Any] = {}
    exec(program.replace(SHOP, shop), names)  # noqa: S102  # our own page
    names["orders"].get_backend().disconnect()
    assert (names["report"].rows, names["report"].has_drift) == (1_200, False)


def test_the_profiles_page_counts_merges_and_checks(run: Run, postgres: Postgres, folder: Path) -> None:
    shop = shop_of(postgres)
    run("baseline", "build", "year.parquet", "--ignore", "id,ordered_at", "--out", "baseline.json")
    first, database, merge = blocks(PROFILES, "sh")
    assert "2026-01-31T07:00:00Z to 2026-01-31T07:59:24Z" in follow(run, first)
    assert follow(run, database, shop) == ""
    assert len(list((folder / "profiles").glob(f"*{ENDING}"))) == 1 + 24
    assert "7,200 rows" in follow(run, merge)


def test_the_profiles_page_counts_frames(run: Run, folder: Path) -> None:
    run("baseline", "build", "year.parquet", "--ignore", "id,ordered_at", "--out", "baseline.json")
    program, _ = blocks(PROFILES, "python")
    names: dict[str, Any] = {"frames": {str(seed): orders(seed).to_pandas() for seed in (5, 6)}}
    exec(program, names)  # noqa: S102  # our own page
    assert names["report"].rows == 4_800
