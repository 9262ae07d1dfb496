"""`driftgauge baseline merge`: the baseline of a table in parts."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from driftgauge.cli.bundle_report import show_baseline
from driftgauge.cli.console import console
from driftgauge.cli.profile_sources import profile_files, read_profiles
from driftgauge.common.rfc3339 import rfc3339
from driftgauge.drift.profile.merged_baseline import merged_baseline, notes_on
from driftgauge.drift.profile.profile import Profile
from driftgauge.drift.reference.baseline import Baseline, dumps
from driftgauge.edges.files.fetching import fetched
from driftgauge.edges.files.folders import write_file
from driftgauge.models.bundle import read_baseline


def merge_baselines(
    baseline: Annotated[
        str, typer.Argument(help="The baseline of the first part, here or s3://…; its bins are kept.", metavar="FIRST")
    ],
    parts: Annotated[
        list[str],
        typer.Argument(
            help="Profiles of the other parts against it (files, folders, globs, s3://…), or baselines with the same "
            "bins.",
            metavar="PART",
            show_default=False,
        ),
    ],
    out: Annotated[str, typer.Option(help="File to write, here or s3://….", metavar="FILE")] = "baseline.json",
) -> None:
    """Build the baseline of a table in parts: counts add up exactly, in the bins of the first part.

    docs/profiles.md says what is kept of expected ranges, tau, quantiles and correlations.

    Examples:
      driftgauge baseline merge first.json parts/
    """
    with fetched([baseline]) as (path,):
        first = read_baseline(Path(path))
    others = [own for part in parts for own in _read(part)]
    merged = merged_baseline(first, others, created=rfc3339(time.time()))
    where = write_file(out, dumps(merged).encode())
    show_baseline(merged, console())
    errors = console(stderr=True)
    for note in notes_on(others):
        errors.print(f"note: {note}", soft_wrap=True)
    errors.print(f"wrote {where}, of {len(others) + 1:,} parts", soft_wrap=True)


def _read(part: str) -> list[Baseline | Profile]:
    """Return the profiles that an argument names, or else its baseline."""
    files = profile_files([part])
    if files is not None:
        return list(read_profiles(files))
    with fetched([part]) as (path,):
        return [read_baseline(Path(path))]
