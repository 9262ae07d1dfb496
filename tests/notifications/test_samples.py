from __future__ import annotations

import itertools
from collections.abc import Iterable

import pytest
from driftgauge.notifications.samples import LOOKBACK_SECONDS, Labels, Samples, Wanted

JOB = {"job": "models"}


@pytest.fixture
def samples() -> Samples:
    return Samples(Wanted({"psi": 0.0, "rows_total": 7_200.0}), JOB)


def read(samples: Samples, at: float, *pages: str) -> None:
    for _ in samples.read(pages, at):
        pass


def found(samples: Samples, name: str) -> dict[frozenset[tuple[str, str]], float | None]:
    """Return the value of each series by its labels; None for a stale one."""
    return {_key(own.labels): None if own.is_stale else own.last[1] for own in samples.named(name)}


def _key(labels: Labels | Iterable[tuple[str, str]]) -> frozenset[tuple[str, str]]:
    return frozenset({**JOB, **dict(labels)}.items())


def test_series_that_rules_read_are_kept_with_the_labels_of_the_server(samples: Samples) -> None:
    read(samples, 0.0, '# TYPE psi gauge\npsi{feature="a"} 0.25\nother{feature="a"} 1\n', "rows_total 7 123\n")
    assert found(samples, "psi") == {_key({"feature": "a"}): 0.25}
    assert found(samples, "rows_total") == {_key({}): 7.0}
    assert set(samples.names()) == {"psi", "rows_total"}


def test_escaped_labels_are_read_as_they_were(samples: Samples) -> None:
    read(samples, 0.0, r'psi{feature="a\"b\\c\nd"} 1' + "\n")
    assert found(samples, "psi") == {_key({"feature": 'a"b\\c\nd'}): 1.0}


def test_a_series_that_a_page_has_not_is_stale_until_it_comes_again(samples: Samples) -> None:
    read(samples, 0.0, "psi 1\n")
    read(samples, 15.0, "rows_total 1\n")
    assert found(samples, "psi") == {_key({}): None}
    read(samples, 30.0, "psi 2\n")
    assert found(samples, "psi") == {_key({}): 2.0}


def test_a_series_is_forgotten_when_no_range_reaches_it_and_may_begin_again(samples: Samples) -> None:
    read(samples, 0.0, 'psi{feature="a"} 1\npsi{feature="b"} 2\nrows_total 1\n')
    read(samples, LOOKBACK_SECONDS + 1.0, 'psi{feature="b"} 2\n')
    assert found(samples, "psi") == {_key({"feature": "b"}): 2.0}
    assert found(samples, "rows_total") == {_key({}): None}
    read(samples, LOOKBACK_SECONDS + 16.0, 'psi{feature="a"} 3\npsi{feature="b"} 2\n')
    assert found(samples, "psi") == {_key({"feature": "a"}): 3.0, _key({"feature": "b"}): 2.0}


def test_what_a_recording_rule_no_longer_finds_is_stale(samples: Samples) -> None:
    samples.record("job:psi", [({"feature": "a"}, 1.0), ({"feature": "b"}, 2.0)], 0.0)
    samples.record("job:psi", [({"feature": "b"}, 3.0)], 15.0)
    assert {own.labels["feature"]: own.is_stale for own in samples.named("job:psi")} == {"a": True, "b": False}


def test_a_range_has_its_samples_and_older_ones_less_densely(samples: Samples) -> None:
    for at in range(0, 14_400, 15):
        read(samples, float(at), f"rows_total {at}\n")
    (series,) = samples.named("rows_total")
    dense = series.within(14_385.0 - 1_800.0, 14_385.0)
    assert [at for at, _ in dense] == [float(at) for at in range(12_585, 14_400, 15)]
    older = [at for at, _ in series.within(14_385.0 - 7_200.0, 12_584.0)]
    assert older == sorted(older)
    assert {after - before for before, after in itertools.pairwise(older)} == {60.0}
    assert series.within(0.0, 14_385.0 - 7_200.0 - 60.0) == []


def test_a_sample_that_no_range_needs_is_dropped(samples: Samples) -> None:
    for at in range(100):
        read(samples, float(at), f"psi {at}\n")
    (series,) = samples.named("psi")
    assert series.within(0.0, 100.0) == [(99.0, 99.0)]
