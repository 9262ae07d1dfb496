"""Bundles fetched from a registry: each version in a folder of its own, whole or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

from driftgauge.common.private_files import make_private
from driftgauge.common.replacing import replacing
from driftgauge.errors import BundleError, Reason, Refused, RegistryError
from driftgauge.models.bundle import read_info
from driftgauge.registry.address import Address
from driftgauge.registry.versions import RegisteredVersion, Registry
from driftgauge.releases.bundles import content_digest

FOLDER: Final = "@registry"
"""Name of the folder in the state folder: no model can have it."""
_DRAFT: Final = ".fetch-"


def folder_of(state_folder: Path, name: str) -> Path:
    """Return where the versions of a registered model are kept."""
    return state_folder / FOLDER / quote(name, safe="").replace(".", "%2E")


def fetched(registry: Registry, version: RegisteredVersion, state_folder: Path) -> Path:
    """Return the folder of a version's bundle, downloaded unless it is there; Refused if it cannot be used."""
    state_folder = state_folder.resolve()  # the history of releases outlives the working directory
    folder = folder_of(state_folder, version.name) / version.version
    digest = version.bundle.digest
    if folder.is_dir() and _digest(folder) == digest:
        return folder
    try:
        make_private(folder.parent, state_folder)
        _download(registry, version, folder)
    except OSError as error:
        why = error.strerror or error
        raise Refused(
            Reason.VERSION_NOT_LOADED, f"the bundle of version {version.version} cannot be written to {folder}: {why}"
        ) from error
    return folder


def _download(registry: Registry, version: RegisteredVersion, folder: Path) -> None:
    for left in folder.parent.glob(f"{_DRAFT}*"):  # of a process that was killed; one process fetches at a time
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=_DRAFT) as draft:
        found = downloaded(registry, version, Path(draft))
        if folder.exists():
            shutil.rmtree(folder)
        found.rename(folder)


def downloaded(registry: Registry, version: RegisteredVersion, folder: Path) -> Path:
    """Write the bundle of a version into a folder, and return where it is; Refused if it cannot be used."""
    stored = version.bundle
    found = registry.download(stored.run, stored.path, folder)
    _require_bundle(found, version)
    return found


def find(registry: Registry, address: Address) -> RegisteredVersion:
    """Return the version that an address names."""
    if address.alias is not None:
        return registry.by_alias(address.name, address.alias)
    return registry.by_number(address.name, address.version or "")


def _require_bundle(folder: Path, version: RegisteredVersion) -> None:
    """Raise Refused unless a folder holds the bundle that was logged for a version."""
    what = f"the bundle of version {version.version} of the registered model {version.name}"
    if _digest(folder) != version.bundle.digest:
        raise Refused(
            Reason.VERSION_NOT_LOADED,
            f"{what} has other files than were logged: it is damaged or was changed; register a new version",
        )
    try:
        info = read_info(folder)
    except BundleError as error:
        raise Refused(Reason.VERSION_NOT_LOADED, f"{what} cannot be used: {error}") from error
    if info.version != version.version:
        raise Refused(
            Reason.VERSION_NOT_LOADED,
            f"{what} calls itself version {info.version}: log it with `driftgauge mlflow log-bundle`",
        )


def _digest(folder: Path) -> str:
    try:
        return content_digest(folder)
    except BundleError as error:
        raise Refused(Reason.VERSION_NOT_LOADED, str(error)) from error


def remove_others(state_folder: Path, name: str, kept: Collection[str]) -> None:
    """Delete the fetched bundles of versions that no server can go back to."""
    folder = folder_of(state_folder, name)
    if not folder.is_dir():
        return
    for own in folder.iterdir():
        if own.is_dir() and own.name not in kept:
            shutil.rmtree(own, ignore_errors=True)


# ---------------------------------------------------------------- the bundle to start with


def remember(state_folder: Path, address: Address, version: str) -> None:
    """Keep which version an alias named last, so that a server can start without the registry."""
    with replacing(_pointer(state_folder, address)) as new:
        new.write_text(version, encoding="utf-8")


@dataclass(frozen=True)
class FirstBundle:
    """The bundle that a server starts with."""

    folder: Path
    problem: str | None = None
    """Why the registry was not asked successfully, although it should have been."""


def bundle_to_start(registry: Registry, address: Address, state_folder: Path, *, ask_first: bool) -> FirstBundle:
    """Return the bundle that an address names, fetched unless it is there.

    With an alias that is followed, a bundle that was fetched before is enough: with `ask_first` false the registry is
    asked only without one. RegistryError if there is no bundle to start with.
    """
    kept = _kept(address, state_folder)
    if kept is not None and (address.version is not None or not ask_first):
        return FirstBundle(kept)
    try:
        found = find(registry, address)
        folder = fetched(registry, found, state_folder)
    except Refused as error:
        if kept is not None and error.reason is Reason.REGISTRY_UNREACHABLE:
            return FirstBundle(kept, error.message)
        raise RegistryError(f"{address}: {error.message}") from error
    if address.alias:
        remember(state_folder, address, found.version)
    return FirstBundle(folder)


def _kept(address: Address, state_folder: Path) -> Path | None:
    """Return the folder of the bundle that was fetched before; None if there is none."""
    version = address.version
    if version is None:
        try:
            version = _pointer(state_folder, address).read_text("utf-8").strip()
        except (OSError, ValueError):
            return None
    folder = folder_of(state_folder, address.name) / version
    return folder if version.isdigit() and folder.is_dir() else None


def _pointer(state_folder: Path, address: Address) -> Path:
    return folder_of(state_folder, address.name) / f"@{address.alias}"
