"""The short form of the benchmark of live dependence; the sharp figures are in benchmarks/README.md."""

from __future__ import annotations

import numpy as np
import typer
from typer.testing import CliRunner

from benchmarks import dependence
from benchmarks.dependence import _quarter, _shifted, _watched
from benchmarks.live_streams import WAVES, WaveStream, weather
from benchmarks.streams import generator_of

WAVE = next(waves for waves in WAVES if waves.name == "AR(1), φ = 0.9")


def test_a_wave_drifts_only_while_nothing_is_measured() -> None:
    learned = 40_000
    without, live = (_watched(WAVE, 10_000, 100_000, 7, live=own) for own in (False, True))
    assert without.part(without.raised, learned) == 1.0
    assert live.part(live.raised, learned) == 0.0
    assert live.onsets(learned) == 0


def test_a_shift_of_a_wave_is_found() -> None:
    late = _shifted(WAVE, 1.0, 100_000, 7)
    assert np.isfinite(late).all()
    assert 500 < np.median(late) < 5_000


def test_a_cycle_has_the_variance_of_its_reference() -> None:
    cycle = next(waves for waves in WAVES if waves.name == "daily cycle of 5,000 rows")
    stream = WaveStream(cycle, 100_000, generator_of(7))
    counts = stream.blocks(1_000).counts.sum(axis=0)
    psi = stream.baseline.psi(counts[None])
    assert float(psi.debiased.max()) < 0.01


def test_the_weather_of_a_quarter_is_rarely_critical() -> None:
    found = _quarter(weather(), 2, 0, None, 7, ordered=False)
    assert len(found.at) == len(found.raised) > 10
    assert found.part(found.critical) < 0.1


def test_parts_that_do_not_exist_are_refused() -> None:

    app = typer.Typer()
    app.command()(dependence.main)
    found = CliRunner().invoke(app, ["--only", "nothing"])
    assert found.exit_code == 2
    assert "the parts are" in found.output
