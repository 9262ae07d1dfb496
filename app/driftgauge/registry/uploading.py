"""Keeping a bundle in a registry: its files are artifacts of a run, and tags of the version say where."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Final

from driftgauge.errors import RegistryError
from driftgauge.models.bundle import BUNDLE_FILE, BundleInfo, read_info
from driftgauge.registry.address import Address
from driftgauge.registry.client import MlflowRegistry
from driftgauge.registry.fetching import find
from driftgauge.registry.versions import BUNDLE_TAG, DIGEST_TAG, RUN_TAG, RegisteredVersion
from driftgauge.releases.bundles import content_digest

EXPERIMENT: Final = "driftgauge"
"""The experiment of runs that are created for bundles."""
_PATH: Final = "driftgauge"
"""Folder among the artifacts of a run."""


def log_bundle(registry: MlflowRegistry, bundle: Path, version: Address) -> RegisteredVersion:
    """Add a bundle to a registered version, as an artifact of the version's run.

    RegistryError if the version has another bundle, Refused if MLflow does not take it.
    """
    info = read_info(bundle)
    found = find(registry, version)
    with tempfile.TemporaryDirectory() as folder:
        draft = _named(bundle, info, found.version, Path(folder))
        digest = content_digest(draft)
        if (known := found.tags.get(DIGEST_TAG)) is not None:
            if known == digest:
                return found
            raise RegistryError(
                f"version {found.version} of {found.name} has another bundle already, and a version never changes its "
                "files: register a new version"
            )
        run = found.run
        if run is None:
            run, _ = registry.create_run(EXPERIMENT, f"{found.name} {found.version}")
            registry.end_run(run)
        path = f"{_PATH}/{found.name}/{found.version}"
        return _upload(registry, draft, found, run, path, digest)


def register_bundle(registry: MlflowRegistry, bundle: Path, name: str | None, experiment: str) -> RegisteredVersion:
    """Register a bundle as a new version of a model, by default of that of its name, and return the version."""
    info = read_info(bundle)
    path = f"{_PATH}/bundle"
    run, artifacts = registry.create_run(experiment, f"{info.name} {info.version}")
    made = registry.create_version(name or info.name, f"{artifacts}/{path}", run)
    with tempfile.TemporaryDirectory() as folder:
        draft = _named(bundle, info, made.version, Path(folder))
        found = _upload(registry, draft, made, run, path, content_digest(draft))
    registry.end_run(run)
    return found


def _named(bundle: Path, info: BundleInfo, version: str, folder: Path) -> Path:
    """Return a copy of a bundle that calls itself by the number of the registered version."""
    draft = folder / "bundle"
    shutil.copytree(bundle, draft)
    if info.version != version:
        (draft / BUNDLE_FILE).write_text(info.model_copy(update={"version": version}).as_text(), encoding="utf-8")
    return draft


def _upload(
    registry: MlflowRegistry, draft: Path, version: RegisteredVersion, run: str, path: str, digest: str
) -> RegisteredVersion:
    """Write the files, then say where they are: a version without the tags is not followed."""
    registry.upload(run, draft, path)
    tags = {BUNDLE_TAG: path, RUN_TAG: run, DIGEST_TAG: digest}
    registry.tag_version(version.name, version.version, tags)
    return RegisteredVersion(version.name, version.version, run, {**version.tags, **tags})
