"""Options that name a model by its baseline alone, which `consume` and `ingest` share."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final

import typer

from driftgauge.errors import SettingsError

USUAL_NAME: Final = "model"

BaselineFile = Annotated[
    Path | None,
    typer.Option("--baseline", metavar="FILE", dir_okay=False, help="Baseline of the model.", rich_help_panel="Model"),
]
Version = Annotated[
    str | None, typer.Option("--model-version", metavar="VERSION", help="Its version.", rich_help_panel="Model")
]

Task = Annotated[
    str | None,
    typer.Option(
        "--task",
        metavar="TASK",
        help="Its task, so that performance is evaluated from labels: binary, multiclass or regression.",
        rich_help_panel="Model",
    ),
]


def model_by_baseline(
    baseline: Path | None, name: str | None, version: str | None, task: str | None = None
) -> tuple[Mapping[str, str], str | None]:
    """Return the setting `models` for a baseline, and the model's name; nothing is set without a baseline.

    SettingsError for a version or a task that has no baseline.
    """
    if baseline is None:
        if version is not None:
            raise SettingsError("--model-version goes with --baseline; with --config give it in the model's table")
        if task is not None:
            raise SettingsError("--task goes with --baseline; with --config give it in the model's table")
        return {}, name
    name = name or USUAL_NAME
    table = {"baseline": str(baseline), **({"version": version} if version else {}), **({"task": task} if task else {})}
    return {"models": json.dumps({name: table})}, name
