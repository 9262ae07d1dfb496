"""`driftgauge baseline import-sagemaker`: a baseline of the files of SageMaker's model monitor."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Final

import typer

from driftgauge.checks.sagemaker.baseline import ImportedBaseline, baseline_of
from driftgauge.checks.sagemaker.constraints import Constraints
from driftgauge.checks.sagemaker.documents import CONSTRAINTS_FILE, MOST_BYTES, parse_document
from driftgauge.checks.sagemaker.own_constraints import own_constraints
from driftgauge.checks.sagemaker.statistics import Statistics
from driftgauge.cli.bundle_report import kept_constraints, show_baseline
from driftgauge.cli.console import console
from driftgauge.common.quoting import listed
from driftgauge.common.rfc3339 import rfc3339
from driftgauge.drift.reference.baseline import dumps
from driftgauge.edges.files.folders import LocalFolder, read_file
from driftgauge.models import constraints_file
from driftgauge.models.beside import path_beside
from driftgauge.models.bundle import BASELINE_FILE

_FILE_ENDING: Final = ".json"


def import_sagemaker(
    statistics: Annotated[
        str, typer.Argument(help="statistics.json of a baseline job: a file, or s3://….", metavar="STATISTICS")
    ],
    constraints: Annotated[str, typer.Argument(help="constraints.json of the same job.", metavar="CONSTRAINTS")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder or .json file to write.", metavar="PATH")] = Path(
        "baseline"
    ),
) -> None:
    """Make a baseline from the files of SageMaker's model monitor on the training data.

    The constraints are kept beside it: as constraints.json, where `driftgauge check --sagemaker-out` finds them, and as
    constraints.yaml, which every check and a server read.
    docs/sagemaker.md says more.
    """
    errors = console(stderr=True)
    content = parse_document(read_file(statistics, MOST_BYTES), Statistics, statistics)
    imported = baseline_of(content, rfc3339(time.time()))
    kept = read_file(constraints, MOST_BYTES)
    asked = parse_document(kept, Constraints, constraints)
    is_file = out.suffix == _FILE_ENDING
    folder, name = (LocalFolder(out.parent), out.name) if is_file else (LocalFolder(out), BASELINE_FILE)
    written = [folder.write(name, dumps(imported.baseline).encode()), folder.write(CONSTRAINTS_FILE, kept)]
    beside = path_beside(out if is_file else out / BASELINE_FILE, constraints_file.CONSTRAINTS_FILE)
    is_new = not beside.exists()
    if is_new:
        own = constraints_file.dumps(own_constraints(asked, imported.baseline))
        written.append(folder.write(beside.name, own.encode()))
    show_baseline(imported.baseline, console(), takes_times=False)
    for line in _remarks(imported):
        errors.print(line, soft_wrap=True)
    errors.print(f"wrote {listed(written)}", soft_wrap=True)
    if not is_new:
        errors.print(kept_constraints(beside), soft_wrap=True)


def _remarks(imported: ImportedBaseline) -> list[str]:
    """Return what the statistics do not say."""
    lines = []
    if imported.left_out:
        lines.append(f"left out, because the statistics have no values of it: {listed(imported.left_out)}")
    if imported.coarse:
        lines.append(f"bins of SageMaker's ten buckets, because there is no sketch: {listed(imported.coarse)}")
    return lines
