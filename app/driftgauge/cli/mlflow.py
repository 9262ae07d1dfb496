"""`driftgauge mlflow`: keep bundles in MLflow's registry, and fetch them from it."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from driftgauge.cli.console import console
from driftgauge.cli.help import CommandLine
from driftgauge.errors import RegistryError

if TYPE_CHECKING:
    from driftgauge.registry.client import MlflowRegistry

mlflow_app = CommandLine("Keep bundles in MLflow's registry of models, and fetch them from it.")

URI_VARIABLE: Final = "MLFLOW_TRACKING_URI"
Uri = Annotated[
    str | None, typer.Option("--registry-uri", help="Address of the MLflow server.", metavar="URI", envvar=URI_VARIABLE)
]


@mlflow_app.command("log-bundle")
def log_bundle(
    bundle: Annotated[Path, typer.Argument(help="Folder of the bundle.", metavar="FOLDER")],
    model: Annotated[
        str | None,
        typer.Option(
            help="Registered version that the bundle is added to: models:/NAME/VERSION or models:/NAME@ALIAS.",
            metavar="ADDRESS",
            show_default="a new version",
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(
            help="Registered model that gets a new version.", metavar="NAME", show_default="the name of the bundle"
        ),
    ] = None,
    experiment: Annotated[
        str, typer.Option(help="Experiment of the run of a new version.", metavar="NAME")
    ] = "driftgauge",
    alias: Annotated[
        str | None, typer.Option(help="Alias that names the version from now on.", metavar="ALIAS")
    ] = None,
    registry_uri: Uri = None,
) -> None:
    """Keep a bundle, with its baseline, as an artifact of the run of a registered version.

    Without --model the bundle itself is registered as a new version.
    """
    from driftgauge.registry import uploading
    from driftgauge.registry.address import parse_address

    if model is not None and name is not None:
        raise RegistryError("--model adds the bundle to a version, --name registers a new one: leave one of them out")
    registry = _registry(registry_uri)
    if model is None:
        found = uploading.register_bundle(registry, bundle, name, experiment)
    else:
        found = uploading.log_bundle(registry, bundle, parse_address(model))
    if alias is not None:
        registry.set_alias(found.name, alias, found.version)
    named = f", and is {alias}" if alias else ""
    console().print(f"models:/{found.name}/{found.version} has the bundle{named}", soft_wrap=True)


@mlflow_app.command("fetch-bundle")
def fetch_bundle(
    model: Annotated[str, typer.Argument(help="models:/NAME@ALIAS or models:/NAME/VERSION.", metavar="ADDRESS")],
    out: Annotated[Path, typer.Option(help="Folder to write.", metavar="FOLDER")],
    registry_uri: Uri = None,
) -> None:
    """Write the bundle of a registered version into a folder."""
    from driftgauge.registry.address import parse_address
    from driftgauge.registry.fetching import downloaded, find

    address = parse_address(model)
    if out.exists():
        raise RegistryError(f"{out} exists already: choose another folder")
    registry = _registry(registry_uri)
    version = find(registry, address)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as draft:
        shutil.move(downloaded(registry, version, Path(draft)), out)
    console().print(f"version {version.version} of {version.name} is in {out}", soft_wrap=True)


def _registry(uri: str | None) -> MlflowRegistry:
    from driftgauge.registry.client import MlflowRegistry, require_mlflow

    require_mlflow(uri)
    return MlflowRegistry(uri)
