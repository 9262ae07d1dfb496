"""Addresses of tables, and what opens them."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from driftgauge.engines import source
from driftgauge.engines.options import EngineOptions
from driftgauge.engines.source import opened, uses_engine, without_password
from driftgauge.errors import TableError

from tests.postgres import Postgres

TABLE = pa.table({"x": [1.0, 2.0, 3.0], "c": ["a", "b", None]})


@pytest.fixture
def parquet(tmp_path: Path) -> Path:
    path = tmp_path / "table.parquet"
    pq.write_table(TABLE, path)
    return path


def test_a_file_is_read_by_duckdb_if_it_is_asked_for(parquet: Path) -> None:
    assert not uses_engine(str(parquet), EngineOptions())
    assert uses_engine(str(parquet), EngineOptions(engine="duckdb"))
    with opened(str(parquet)) as table:
        assert table.fetch(table.table).equals(TABLE)


def test_large_parquet_files_are_read_by_duckdb(parquet: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "AUTO_BYTES", 100)
    assert uses_engine(str(parquet), EngineOptions())
    assert uses_engine(parquet.parent, EngineOptions())
    assert not uses_engine(str(parquet), EngineOptions(engine="memory"))


def test_a_pattern_names_several_files(parquet: Path, tmp_path: Path) -> None:
    pq.write_table(TABLE, tmp_path / "other.parquet")
    pattern = str(tmp_path / "*.parquet")
    assert uses_engine(pattern, EngineOptions())
    with opened(pattern) as table:
        assert table.count() == 6


def test_a_folder_gives_columns_by_the_names_of_its_folders(tmp_path: Path) -> None:
    for day in ("a", "b"):
        (tmp_path / f"day={day}").mkdir()
        pq.write_table(TABLE, tmp_path / f"day={day}" / "1.parquet")
    with opened(tmp_path, EngineOptions(engine="duckdb")) as table:
        assert table.column_names == ("x", "c", "day")
        assert table.count() == 6


def test_objects_are_read_by_fsspec(parquet: Path) -> None:
    import fsspec  # type: ignore[import-untyped]

    fsspec.filesystem("memory").pipe("bucket/table.parquet", parquet.read_bytes())
    with opened("memory://bucket/table.parquet", EngineOptions(engine="duckdb")) as table:
        assert table.count() == 3


def test_a_database_of_duckdb_is_opened_without_writing_to_it(tmp_path: Path) -> None:
    import duckdb

    path = tmp_path / "own.db"
    with duckdb.connect(str(path)) as own:
        own.execute('CREATE TABLE "two words" AS SELECT 1 AS x')
    path.chmod(0o444)
    with opened(f"duckdb:///{path}?table=two words") as table:
        assert table.count() == 1


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ('"s.1"."a.b"', 1),
        ('main."a.b"', 2),
        ('"a.b"', 2),
        ('own.main."a.b"', 2),
        ('"a""b"', 3),
        ("a%2Bb", 4),
        ("a+b", 4),
    ],
)
def test_a_table_is_named_as_in_sql(tmp_path: Path, name: str, expected: int) -> None:
    import duckdb

    path = tmp_path / "own.db"
    with duckdb.connect(str(path)) as own:
        own.execute('CREATE SCHEMA "s.1"')
        for at, quoted in enumerate(['"s.1"."a.b"', '"a.b"', '"a""b"', '"a+b"'], 1):
            own.execute(f"CREATE TABLE {quoted} AS SELECT {at} AS x")
    with opened(f"duckdb:///{path}?table={name}") as table:
        assert table.fetch(table.table).to_pydict() == {"x": [expected]}


@pytest.mark.parametrize("name", ['"a.b', 'a"b', "a..b", ".a", "a.", '"a"b'])
def test_a_name_that_is_none_in_sql_is_refused(name: str) -> None:
    why = re.escape('write a name with dots or quotes as in SQL: SCHEMA."NAME"')
    with pytest.raises(TableError, match=why), opened(f"duckdb://?table={name}"):
        pass


def test_a_size_that_is_none_is_named(parquet: Path) -> None:
    options = EngineOptions(engine="duckdb", memory="lots")
    why = "^--engine-memory lots: write a size such as 512MB or 8GB$"
    with pytest.raises(TableError, match=why), opened(parquet, options):
        pass


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("postgresql://me:secret@db:5432/d?table=s.t&password=x", "postgresql://me@db:5432/d?table=s.t"),
        ("s3://key:secret@bucket/x.parquet", "s3://key@bucket/x.parquet"),
        ("s3://key:sec/ret@bucket/x.parquet", "s3://key@bucket/x.parquet"),
        ("s3://bucket/x@2.parquet", "s3://bucket/x@2.parquet"),
        ("postgresql://db:5432/d?table=a@b", "postgresql://db:5432/d?table=a@b"),
        ("postgresql://me:secret/1@db:5432/d?table=t", "postgresql://me@db:5432/d"),
        ("postgresql://me:12/secret@db:5432/d?table=t", "postgresql://me@db:5432/d"),
        (" postgresql://me:secret@db/d?table=t", "postgresql://me@db/d?table=t"),
        ("spark://local[2]?path=s3://key:secret@bucket/x", "spark://local[2]?path=s3://key@bucket/x"),
        ("spark://local[2]?path=/data/x.parquet", "spark://local[2]?path=/data/x.parquet"),
        ("table.parquet", "table.parquet"),
    ],
)
def test_an_address_is_shown_without_its_secrets(address: str, expected: str) -> None:
    assert without_password(address) == expected


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("duckdb:///absent.db?table=t", "there is no such file"),
        ("postgresql://me:secret@127.0.0.1:1/d?table=t", "cannot open postgresql://me@127.0.0.1:1/d"),
        ("postgresql://me:secret/1@127.0.0.1:1/d?table=t", "write / ? # of the password as %2F %3F %23"),
        ("postgresql://me:secret?1@127.0.0.1:1/d?table=t", "write / ? # of the password as %2F %3F %23"),
        ("postgresql://me:secret#1@127.0.0.1:1/d?table=t", "write / ? # of the password as %2F %3F %23"),
        ("absent.parquet", "there is no such file"),
        ("nowhere://bucket/x.parquet", "the library for nowhere:// is missing"),
        (
            "bigquery://project/data?table=t",
            "library for bigquery:// is not installed: pip install 'ibis-framework[bigquery]'",
        ),
        ("spark://local[1]?path=x", "pip install pyspark"),  # which only Spark's own environment has
    ],
)
def test_what_cannot_be_opened_is_named_without_secrets(address: str, why: str) -> None:
    with pytest.raises(TableError) as caught, opened(address, EngineOptions(engine="duckdb")):
        pass
    assert why in str(caught.value)
    assert "secret" not in str(caught.value)


def test_the_url_of_a_database_names_a_table(postgres: Postgres) -> None:
    url = postgres.new_database()
    with pytest.raises(TableError, match=r"name the table at the end of the URL: \?table=NAME"), opened(url):
        pass
    with pytest.raises(TableError, match=r"cannot open .*: there is no table absent"), opened(f"{url}?table=absent"):
        pass


def test_postgresql_compiles_no_query_and_has_the_times_of_utc(postgres: Postgres) -> None:
    url = postgres.new_database()
    with psycopg.connect(url) as own:
        own.execute("CREATE TABLE t (x int)")
    with opened(f"{url}?table=t") as source:
        session = source.table.get_backend().con
        found = [session.execute(f"SHOW {name}").fetchone() for name in ("jit", "TimeZone")]
    assert found == [("off",), ("UTC",)]


def test_all_queries_of_postgresql_see_the_rows_of_one_moment(postgres: Postgres) -> None:
    url = postgres.new_database()
    with psycopg.connect(url, autocommit=True) as other:
        other.execute("CREATE TABLE t AS SELECT i AS x FROM generate_series(1, 10) i")
        with opened(f"{url}?table=t") as table:
            assert table.count() == 10
            other.execute("INSERT INTO t VALUES (11)")
            assert table.count() == 10
        with opened(f"{url}?table=t") as table:
            assert table.count() == 11


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("?table=t&options=-c%20statement_timeout%3D50", "canceling statement due to statement timeout"),
        ("?table=times", "timestamp too large"),
    ],
)
def test_what_postgresql_refuses_is_said_in_its_words(postgres: Postgres, address: str, why: str) -> None:
    url = postgres.new_database()
    with psycopg.connect(url, autocommit=True) as own:
        own.execute("CREATE VIEW t AS SELECT 1 AS x FROM pg_sleep(1)")
        own.execute("CREATE TABLE times AS SELECT 'infinity'::timestamptz AS at")
    with pytest.raises(TableError, match=why), opened(f"{url}{address}") as table:
        table.fetch(table.table)


def test_other_formats_are_left_to_memory(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"x": 1}\n')
    with (
        pytest.raises(TableError, match="leave out --engine duckdb"),
        opened(path, EngineOptions(engine="duckdb")),
    ):
        pass


def test_a_damaged_file_is_named_with_its_table(tmp_path: Path) -> None:
    path = tmp_path / "day.parquet"
    pq.write_table(pa.table({"x": [i / 3 for i in range(10_000)]}), path, use_dictionary=False, compression=None)
    content = bytearray(path.read_bytes())
    content[4:8] = b"\x0f\xff\x0f\xff"
    path.write_bytes(content)
    why = r"day\.parquet: a file of the table is damaged \("
    with pytest.raises(TableError, match=why), opened(path) as table:
        table.fetch(table.table)
