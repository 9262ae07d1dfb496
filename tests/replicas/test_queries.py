"""Which servers are asked about, and in which words."""

from __future__ import annotations

import promql_parser
import pytest
from driftgauge.errors import PrometheusError
from driftgauge.metrics.catalogue import catalogue
from driftgauge.replicas.queries import GAUGES, ROWS, Asked, queries


@pytest.mark.parametrize(
    "asked", [Asked(), Asked(by=("cluster", "job"), match='job=~"drift.*", namespace="a\\"b"', since="30m")]
)
def test_every_query_is_promql(asked: Asked) -> None:
    for query in queries(asked).values():
        assert promql_parser.parse(query) is not None


def test_the_gauges_that_are_asked_for_are_exported() -> None:
    exported = {name for name, *_ in catalogue()}
    assert {*GAUGES, ROWS} <= exported


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"by": ()}, "--by : give names of labels"),
        ({"by": ("job name",)}, "--by job name: give names of labels"),
        ({"by": ("job", "instance")}, "--by job,instance: leave out the labels of models, and instance"),
        ({"match": "job=driftgauge"}, "--match job=driftgauge: give label matchers"),
        ({"match": 'job="a"} or up{x="b"'}, "--match .*: give label matchers"),
        ({"since": "an hour"}, "--since an hour: give a time like 30m"),
    ],
)
def test_what_cannot_be_asked_is_named_with_its_option(given: dict[str, str], message: str) -> None:
    with pytest.raises(PrometheusError, match=message):
        Asked(**given)  # type: ignore[arg-type]  # they are the fields of `Asked`
