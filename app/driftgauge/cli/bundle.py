"""`driftgauge bundle …`: make model bundles and look at them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Final

import typer

from driftgauge.cli.bundle_report import show_bundle
from driftgauge.cli.column_options import chosen
from driftgauge.cli.console import console
from driftgauge.cli.help import CommandLine
from driftgauge.cli.reference_options import (
    SIZES,
    ByHour,
    Ignore,
    Kinds,
    Quantile,
    Time,
    TrustedTypes,
    Windows,
    ZeroBinOption,
    baseline_options,
    told_by_option,
)
from driftgauge.common.comma_lists import comma_list
from driftgauge.common.safe_files import read_bounded
from driftgauge.models.bundle import BASELINE_FILE, read_baseline, read_info
from driftgauge.models.creation.create import create_bundle
from driftgauge.tables.stream import TableStream
from driftgauge.tables.table import TableError

bundle_app = CommandLine("Make and inspect bundles: a model and its baseline.")

MOST_CODES_BYTES: Final = 64 << 20
"""The largest file of category codes that is read."""


@bundle_app.command("create")
def bundle_create(
    estimator: Annotated[Path, typer.Option(help="Fitted scikit-learn estimator, saved with skops.io.dump.")],
    reference: Annotated[Path, typer.Option(help="Table it was fitted on: csv, parquet, JSON lines, or a folder.")],
    target: Annotated[str, typer.Option(help="Column that it predicts.")],
    name: Annotated[str, typer.Option(help="Model name: letters, digits, . _ -")],
    version: Annotated[str, typer.Option(help="Model version: letters, digits, . _ -")],
    out: Annotated[Path, typer.Option(help="Folder to write.")],
    evaluation: Annotated[
        Path | None,
        typer.Option(
            help="Held-out table. The scores' distribution and the performance come from it; "
            "without it they are marked in-sample, and the score is never judged."
        ),
    ] = None,
    time: Time = None,
    by_hour: ByHour = False,
    kinds: Kinds = None,
    ignore: Ignore = None,
    category_codes: Annotated[
        Path | None,
        typer.Option(
            help='JSON file {"column": {"category": number}}: the numbers that the estimator was fitted on. '
            "Columns of text without codes are given to it as text."
        ),
    ] = None,
    features: Annotated[
        list[str] | None,
        typer.Option(
            help="Columns that the estimator takes, in order, where it does not say so itself. Can be repeated; a "
            "name that holds a comma is given alone.",
            metavar="COL,…",
            show_default=False,
        ),
    ] = None,
    share_samples: Annotated[
        bool,
        typer.Option(
            "--share-samples",
            help="Put three rows of the evaluation table into the bundle, for everyone who can reach the server to "
            "see; without it the samples are made up of medians and most frequent categories.",
        ),
    ] = False,
    trusted_types: TrustedTypes = None,
    windows: Windows = SIZES,
    expected_range_quantile: Quantile = 1.0,
    zero_bin: ZeroBinOption = "jeffreys",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the folder if it exists.")] = False,
) -> None:
    """Make a bundle of an estimator and the table it was fitted on."""
    errors = console(stderr=True)
    told: list[str] = []
    with errors.status("reading the tables, counting, predicting the evaluation rows …"), told_by_option():
        bundle = create_bundle(
            estimator,
            reference,
            target,
            name=name,
            version=version,
            out=out,
            evaluation=evaluation,
            options=baseline_options(
                reference, time, by_hour, kinds, ignore, windows, expected_range_quantile, zero_bin
            ),
            category_codes=_read_codes(category_codes),
            trusted_types=comma_list(trusted_types or ""),
            overwrite=overwrite,
            features=chosen(features, TableStream(reference).column_names, "--features") if features else (),
            share_samples=share_samples,
            log=told.append,
        )
    for line in told:
        errors.print(line, soft_wrap=True)
    show_bundle(bundle.info, bundle.baseline, console())
    errors.print(f"wrote {out}; serve it: driftgauge serve --bundle {out}")


@bundle_app.command("show")
def bundle_show(
    folder: Annotated[Path, typer.Argument(help="Folder of the bundle.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print bundle.json's content.")] = False,
) -> None:
    """Say what a bundle contains."""
    info = read_info(folder)
    if as_json:
        typer.echo(info.model_dump_json(indent=1))
    else:
        show_bundle(info, read_baseline(folder / BASELINE_FILE), console())


def _read_codes(path: Path | None) -> dict[str, dict[str, float]] | None:
    if path is None:
        return None
    try:
        codes = json.loads(read_bounded(path, MOST_CODES_BYTES))
        return {name: {str(k): float(v) for k, v in known.items()} for name, known in codes.items()}
    except OSError as error:
        raise TableError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, AttributeError, TypeError, RecursionError, OverflowError) as error:
        raise TableError(f'cannot read {path}: it must be JSON like {{"column": {{"category": 1}}}}') from error
