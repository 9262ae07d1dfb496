"""The short form of the benchmark of detection, with loose bounds; the sharp figures are in benchmarks/README.md."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import typer
from driftgauge.drift.bins import BoolArray, FloatArray
from scipy import stats
from typer.testing import CliRunner

from benchmarks.detection import FEWEST_STREAMS, main, stream_rows
from benchmarks.detection_report import rate, report
from benchmarks.results import Alarms, Contest, Cost, Delays, Found
from benchmarks.rivals import WINDOWED, Reference, Windows
from benchmarks.statistics_cost import THREAD_VARIABLES
from benchmarks.streams import (
    BLOCK_ROWS,
    DEPENDENT,
    INDEPENDENT,
    ROWS_AN_HOUR,
    SHIFTS,
    Shift,
    Source,
    Stream,
    Trials,
    generator_of,
    reference_of,
)
from benchmarks.trials import References, delays, false_alarms, rival_alarms, rival_delays

TOLERANCES = (0.0, 0.02)
ROWS = 50_000
STREAMS = range(3)
PAIRS = [(DEPENDENT[place].name, DEPENDENT[place + 1].name) for place in range(0, len(DEPENDENT), 2)]

# Rows of a median delay that are allowed with a reference of 100,000 rows: about 1.5 times what is measured.
LATEST = {
    "mean 0.25 sd": 900,
    "mean 0.5 sd": 320,
    "mean 1 sd": 130,
    "variance × 1.5": 1_300,
    "missing 0 → 5 %": 170,
    "category 10 → 20 %": 750,
    "category 20 → 30 %": 1_000,
    "gradual 0.5 sd in 10k": 5_000,
}


@pytest.fixture(scope="module")
def references() -> References:
    return References(100_000, 40, seed=3)


def _named(sources: tuple[Source, ...], name: str) -> Source:
    return next(source for source in sources if source.name == name)


@pytest.mark.long
@pytest.mark.parametrize("rows", [1_000, 20_000])
@pytest.mark.parametrize("source", INDEPENDENT, ids=lambda source: source.name)
def test_nothing_is_raised_while_nothing_drifts(source: Source, rows: int) -> None:
    # At most one false alarm in 1e6 rows leaves nine such tests in ten without any (measured: none in 2e7).
    found = false_alarms(source, rows, STREAMS, ROWS, TOLERANCES, seed=2)
    assert [alarms.alarms for alarms in found] == [0, 0]
    assert found[0].rows == ROWS * len(STREAMS)


@pytest.mark.parametrize("shift", [own for own in SHIFTS if own.name in LATEST], ids=lambda shift: shift.name)
def test_a_shift_is_told_soon(references: References, shift: Shift) -> None:
    exact, tolerant = delays(shift, references[shift.shares], TOLERANCES, seed=3)
    assert exact.found == tolerant.found == 40
    assert exact.median is not None
    assert tolerant.median is not None
    assert exact.median <= LATEST[shift.name]
    assert tolerant.median <= 1.5 * LATEST[shift.name]


def test_a_shift_is_not_told_before_it_could_be(references: References) -> None:
    # Even the likelihood ratio of a mean shift of 1 sd wins but half a nat a row.
    gone = next(shift for shift in SHIFTS if shift.name == "mean 1 sd")
    assert (delays(gone, references[()], (0.0,), seed=3)[0].median or 0.0) >= 25


@pytest.mark.long
@pytest.mark.parametrize(("name", "remedied"), PAIRS)
def test_dependence_is_raised_unless_it_is_known(name: str, remedied: str) -> None:
    raised = false_alarms(_named(DEPENDENT, name), 20_000, range(2), 40_000, (0.02,), seed=4)
    quiet = false_alarms(_named(DEPENDENT, remedied), 20_000, range(2), 40_000, (0.02,), seed=4)
    assert raised[0].alarms > 0
    assert quiet[0].alarms == 0


# ---------------------------------------------------------------- the benchmark itself


def test_no_block_of_a_stream_spans_two_hours() -> None:
    assert ROWS_AN_HOUR % BLOCK_ROWS == 0
    blocks = Stream(DEPENDENT[-1], 5_000, generator_of(1)).blocks(24 * ROWS_AN_HOUR // BLOCK_ROWS)
    assert np.bincount(blocks.hours, minlength=24).tolist() == [ROWS_AN_HOUR // BLOCK_ROWS] * 24
    assert blocks.rows.tolist() == [BLOCK_ROWS] * len(blocks)


@pytest.mark.parametrize("shift", SHIFTS, ids=lambda shift: shift.name)
def test_a_shift_begins_at_its_row(shift: Shift) -> None:
    trials = Trials(shift, reference_of(shift.shares, 10, 300, generator_of(5)), (100, 200), generator_of(6))
    rows = trials.rows(12_000)
    before = np.concatenate([own[:begin] for own, begin in zip(rows.T, trials.begins, strict=True)])
    after = np.concatenate([own[-1_000:] for own in rows.T])
    if shift.shares:
        assert (before == 0).mean() == pytest.approx(shift.shares[0], abs=0.01)
        assert (after == 0).mean() == pytest.approx(shift.shares[0] + 0.1, abs=0.01)
    elif shift.missing:
        assert not np.isnan(before).any()
        assert np.isnan(after).mean() == pytest.approx(0.05, abs=0.005)
    else:
        assert [before.mean(), before.std()] == pytest.approx([0.0, 1.0], abs=0.02)
        named = {"mean 0.1 sd": 0.1, "mean 0.25 sd": 0.25, "mean 1 sd": 1.0, "variance × 1.5": 0.0}
        assert after.mean() == pytest.approx(named.get(shift.name, 0.5), abs=0.02)
        assert after.std() == pytest.approx(1.5**0.5 if "variance" in shift.name else 1.0, abs=0.02)


def test_windows_are_judged_when_they_are_due() -> None:
    seen: list[list[float]] = []

    def judge(window: FloatArray) -> BoolArray:
        seen.append(window[:, 0].tolist())
        raised: BoolArray = window[-1] > 8
        return raised

    watch = Windows(4, 3, judge)
    rows = np.arange(1.0, 14.0)[:, None]
    looks = [watch(part) for part in (rows[:2], rows[2:7], rows[7:8], rows[8:])]
    assert [ends.tolist() for ends, _ in looks] == [[], [6], [], [9, 12]]
    assert np.concatenate([raised[:, 0] for _, raised in looks]).tolist() == [False, True, True]
    assert seen == [[3, 4, 5, 6], [6, 7, 8, 9], [9, 10, 11, 12]]


def test_the_rivals_in_windows_decide_as_their_definitions_do() -> None:
    generator = generator_of(7)
    reference = Reference(generator.standard_normal((20_000, 40)))
    current = generator.standard_normal((10_000, 40)) + np.linspace(0.0, 0.8, 40)
    told = {rival.name: rival.start(reference)(current[: rival.window])[1][-1] for rival in WINDOWED}
    pairs = list(zip(reference.values.T, current[:1_000].T, strict=True))
    ks = [bool(stats.ks_2samp(*pair, method="asymp").pvalue < 0.05) for pair in pairs]
    distances = [stats.wasserstein_distance(*pair) / pair[0].std() for pair in pairs]
    assert told["KS p < 0.05, 1,000 rows"].tolist() == ks
    assert told["Wasserstein ≥ 0.1 sd, 1,000 rows"].tolist() == [distance >= 0.1 for distance in distances]
    psi = told["PSI ≥ 0.2, 10,000 rows"]
    assert not psi[:20].any()
    assert psi[30:].all()  # 0.6 sd and more


def test_a_rival_is_given_time_and_counts_what_it_did() -> None:
    wasserstein = WINDOWED[-1]
    alarms = rival_alarms(wasserstein, 0.05, 10_000, seed=8)
    told = rival_delays(wasserstein, next(s for s in SHIFTS if s.name == "mean 1 sd"), 0.0, 1, seed=8)
    assert alarms.rows > 0
    assert told.trials == told.found == wasserstein.trials
    assert told.median == pytest.approx(100, abs=60)


def test_there_are_enough_streams_of_whole_lots() -> None:
    assert stream_rows(2e7) == 500_000
    assert stream_rows(2e6) == 2e6 / FEWEST_STREAMS
    assert stream_rows(1.0) == 10_000


def test_rates_have_poisson_intervals() -> None:
    assert rate(Alarms(0, 20_000_000, 40, 0)) == "0 (≤ 0.15)"
    assert Alarms(4, 1_000_000, 1, 1).limits == pytest.approx((1.09, 10.24), abs=0.01)  # a table's values


def test_found_is_read_as_it_was_written_and_reported(tmp_path: Path) -> None:
    late = Delays.of(np.array([100.0, 200.0, np.inf, np.inf, np.inf]))
    found = Found(
        setting={"seed": "0"},
        alarms={INDEPENDENT[0].name: {"100000": [Alarms(0, 10, 1, 0), Alarms(1, 10, 1, 1)]}},
        delays={SHIFTS[2].name: {"100000": [Delays.of(np.array([150.0, 170.0])), late]}},
        rivals={"KS": Contest(Alarms(3, 10, 1, 1), {SHIFTS[2].name: late})},
        missing_rivals={"river": "ImportError: no river"},
        cost=Cost(0.3, 2.0, 0.4),
    )
    found.save(tmp_path / "found.json")
    assert Found.load(tmp_path / "found.json") == found
    text = report(found, TOLERANCES)
    assert "| mean 0.5 sd | 150 (170) | 40 % found | ≤ 200: yes, ≤ 250: no |" in text
    assert "cannot be imported: ImportError: no river" in text


def test_the_command_runs_the_parts_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in THREAD_VARIABLES:  # which it sets: here they are put back
        monkeypatch.setenv(variable, "1")
    command = typer.Typer()
    command.command()(main)
    kept = tmp_path / "found.json"
    few = ["--only", "delays", "--trials", "10", "--references", "2000", "--json", str(kept)]
    ran, printed, refused = (CliRunner().invoke(command, own) for own in (few, [*few, "--only", ""], ["--only", "all"]))
    assert ran.exit_code == printed.exit_code == 0
    assert "| mean 1 sd | " in printed.stdout
    assert set(Found.load(kept).delays) == {shift.name for shift in SHIFTS}
    assert refused.exit_code == 2
