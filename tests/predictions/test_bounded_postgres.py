from __future__ import annotations

import psycopg
import pytest
from driftgauge.predictions import bounded_postgres
from driftgauge.predictions.bounded_postgres import BoundedConnection

from tests.postgres import Postgres


@pytest.fixture
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded_postgres, "ANSWER_SECONDS", 0.2)
    monkeypatch.setattr(bounded_postgres, "LOOK_SECONDS", 0.05)


@pytest.mark.usefixtures("_short")
def test_a_statement_without_an_answer_ends_and_closes_its_connection(postgres: Postgres) -> None:
    connection = BoundedConnection.connect(postgres.url("postgres"))
    with pytest.raises(psycopg.OperationalError, match=r"did not answer within 0\.2 s"):
        connection.execute("SELECT pg_sleep(600)")
    assert connection.closed


def test_answers_and_errors_are_those_of_the_server(postgres: Postgres) -> None:
    with BoundedConnection.connect(postgres.url("postgres")) as connection:
        assert connection.execute("SELECT generate_series(1, 3)").fetchall() == [(1,), (2,), (3,)]
        with pytest.raises(psycopg.errors.DivisionByZero):
            connection.execute("SELECT 1 / 0")
