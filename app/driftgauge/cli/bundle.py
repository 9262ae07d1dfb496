"""`driftgauge bundle …`: create and inspect model bundles."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer

from driftgauge.about import About
from driftgauge.cli.bundle_report import about_facts, show_bundle
from driftgauge.cli.column_options import chosen, meanings
from driftgauge.cli.console import console
from driftgauge.cli.derived_options import derived_options
from driftgauge.cli.help import CommandLine
from driftgauge.cli.reference_options import MODEL, Kinds, TrustedTypes, for_table, trust_by_option
from driftgauge.common.comma_lists import comma_list
from driftgauge.common.option import Option
from driftgauge.common.safe_files import read_bounded
from driftgauge.errors import TableError
from driftgauge.models import importance_file
from driftgauge.models.bundle import BASELINE_FILE, Bundle, read_baseline, read_info
from driftgauge.models.creation.baseline import COLUMNS, BaselineOptions
from driftgauge.models.describe import describe_bundle
from driftgauge.tables.stream import TableStream

bundle_app = CommandLine("Create and inspect bundles: a model and its baseline.")

TRACKING_VARIABLE: Final = "MLFLOW_TRACKING_URI"
MOST_CODES_BYTES: Final = 64 << 20
"""Largest file of category codes that is read."""
TABLES, OUTPUT = "Tables", "Output"


@dataclass(frozen=True)
class BundleOptions:
    """What a bundle is created from, beside the options of its baseline."""

    model: Annotated[
        str,
        Option(
            "Fitted model: ONNX, XGBoost (.json, .ubj), LightGBM (.txt), CatBoost (.cbm), an estimator saved with "
            "skops.io.dump, python:MODULE:OBJECT of your own code, or a model of MLflow "
            "(folder or models:/NAME@ALIAS).",
            "MODEL",
            MODEL,
        ),
    ]
    name: Annotated[str, Option("Name of the model: letters, digits, . _ -", "NAME", MODEL)]
    version: Annotated[str, Option("Version of the model: letters, digits, . _ -", "VERSION", MODEL)]
    reference: Annotated[
        Path, Option("Table the model was fitted on: csv, parquet, JSON lines, or a folder.", "TABLE", TABLES)
    ]
    target: Annotated[str, Option("Column that the model predicts.", "COLUMN", TABLES)]
    out: Annotated[Path, Option("Folder to write.", "FOLDER", OUTPUT)]
    overwrite: Annotated[bool, Option("Replace the folder if it is a bundle.", group=OUTPUT)] = False
    share_samples: Annotated[
        bool,
        Option(
            "Show three rows of the evaluation table to everyone who can reach the server; without it, samples are "
            "synthetic.",
            group=OUTPUT,
        ),
    ] = False
    evaluation: Annotated[
        Path | None,
        Option(
            "Held-out table for the score's distribution and the performance. Without it they are marked in-sample, "
            "and the score never raises an alert.",
            "TABLE",
            TABLES,
        ),
    ] = None
    features: Annotated[
        tuple[str, ...],
        Option(
            "Columns that the model takes, in order, if it does not know them itself. Repeat it, or separate with "
            "commas; a name that holds a comma stands alone.",
            "COLUMN,…",
            COLUMNS,
            commas=False,
        ),
    ] = ()
    category_codes: Annotated[
        Path | None,
        Option(
            'JSON file {"column": {"category": number}} with the numbers that the model was fitted on. A column '
            "of text without codes is given to it as text.",
            "FILE",
            COLUMNS,
        ),
    ] = None
    trust_pickle: Annotated[
        bool, Option("Load a model of MLflow, although most are pickles, which can run any code.", group=MODEL)
    ] = False
    registry_uri: Annotated[
        str | None,
        Option("Address of the MLflow server of models:/NAME@ALIAS. Default: MLFLOW_TRACKING_URI.", "URI", MODEL),
    ] = None
    classes: Annotated[
        tuple[str, ...],
        Option(
            "Classes in the order of the model's probabilities, if it does not know them itself. By default the sorted "
            "values of the target.",
            "CLASS,…",
            MODEL,
        ),
    ] = ()
    onnx_output: Annotated[
        tuple[str, ...],
        Option(
            "Meaning of an output of an ONNX model, where it is ambiguous: label, probabilities or value. Repeat it, "
            "or separate with commas.",
            "OUTPUT=MEANING",
            MODEL,
        ),
    ] = ()
    importances: Annotated[
        bool,
        Option(
            "Leave out how much the model depends on each feature, and what each contributes to the scores.",
            group=OUTPUT,
        ),
    ] = True

    def create(
        self,
        options: BaselineOptions,
        trusted_types: list[str],
        log: Callable[[str], None],
        progress: Callable[[str], None],
    ) -> Bundle:
        """Create the bundle; BundleError, BaselineError or TableError for what is wrong."""
        from driftgauge.models.creation.create import create_bundle  # takes a second, which other commands save

        if self.registry_uri is not None:
            os.environ[TRACKING_VARIABLE] = self.registry_uri  # where MLflow looks for the address
        return create_bundle(
            self.model,
            self.reference,
            self.target,
            name=self.name,
            version=self.version,
            out=self.out,
            evaluation=self.evaluation,
            options=options,
            category_codes=_read_codes(self.category_codes),
            trusted_types=trusted_types,
            overwrite=self.overwrite,
            features=self._feature_names(),
            share_samples=self.share_samples,
            classes=self.classes,
            onnx_outputs=meanings(self.onnx_output),
            trust_pickle=self.trust_pickle,
            importances=self.importances,
            log=log,
            progress=progress,
        )

    def _feature_names(self) -> list[str]:
        if not self.features:
            return []
        return chosen(self.features, TableStream(self.reference).column_names, "--features")


@bundle_app.command("create")
@derived_options
def bundle_create(
    request: BundleOptions,
    options: BaselineOptions,
    about: About,
    kinds: Kinds = None,
    trusted_types: TrustedTypes = None,
) -> None:
    """Create a bundle from a fitted model and the table it was fitted on."""
    errors = console(stderr=True)
    lines: list[str] = []
    status = errors.status("reading the tables, predicting, building the baseline …")
    with status, trust_by_option():
        baseline = for_table(options, request.reference, kinds, about)
        bundle = request.create(baseline, comma_list(trusted_types or ""), lines.append, status.update)
    for line in lines:
        errors.print(line, soft_wrap=True)
    show_bundle(bundle.info, bundle.baseline, console(), bundle.importances)
    errors.print(f"wrote {request.out}; serve it: driftgauge serve --bundle {request.out}", soft_wrap=True)


@bundle_app.command("show")
def bundle_show(
    folder: Annotated[Path, typer.Argument(help="Folder of the bundle.", metavar="FOLDER")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the content of bundle.json.")] = False,
) -> None:
    """Show the model, performance and baseline of a bundle."""
    info = read_info(folder)
    if as_json:
        typer.echo(info.model_dump_json(indent=1))
    else:
        found = importance_file.read(folder, [feature.name for feature in info.features])
        show_bundle(info, read_baseline(folder / BASELINE_FILE), console(), found)


@bundle_app.command("describe")
@derived_options
def bundle_describe(
    folder: Annotated[Path, typer.Argument(help="Folder of the bundle.", metavar="FOLDER")], about: About
) -> None:
    """Change what a bundle says about its model; an empty text removes an entry.

    The state of the model goes on. A running server shows the change after a reload or a restart.
    """
    console().print(about_facts(describe_bundle(folder, about).about))


def _read_codes(path: Path | None) -> dict[str, dict[str, float]] | None:
    """Read a file of category codes; TableError if it is none."""
    if path is None:
        return None
    try:
        codes = json.loads(read_bounded(path, MOST_CODES_BYTES))
        return {name: {str(k): float(v) for k, v in known.items()} for name, known in codes.items()}
    except OSError as error:
        raise TableError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, AttributeError, TypeError, RecursionError, OverflowError) as error:
        raise TableError(f'cannot read {path}: it must be JSON like {{"column": {{"category": 1}}}}') from error
