"""Reads the models that the settings name, each on its own: one that cannot be read does not stop the others."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from driftgauge.drift.reference.baseline import Baseline
from driftgauge.errors import BundleError, SettingsError
from driftgauge.models.bundle import Bundle, load_bundle, read_baseline, read_info
from driftgauge.models.model_file import UntrustedTypes
from driftgauge.settings.models import ModelSource
from driftgauge.settings.options import Settings
from driftgauge.settings.server import IN_MEMORY

DEFAULT_VERSION: Final = "1"


@dataclass(frozen=True)
class Loaded:
    """A model as it was read: its bundle, the baseline of one that is served elsewhere, or why it cannot be read."""

    source: ModelSource
    bundle: Bundle | None = None
    baseline: Baseline | None = None
    error: BundleError | None = None

    @property
    def name(self) -> str:
        """Its name; of one that cannot be read, what the settings call it."""
        return self.bundle.info.name if self.bundle else self.source.label

    @property
    def version(self) -> str:
        """Its version."""
        return self.bundle.info.version if self.bundle else self.source.version or DEFAULT_VERSION

    @property
    def in_memory(self) -> Loaded:
        """The same, with its state kept in memory."""
        settings = self.source.settings.model_copy(update={"state_dir": IN_MEMORY})
        return replace(self, source=replace(self.source, settings=settings))


def load_models(settings: Settings) -> Sequence[Loaded]:
    """Read the models that the settings name.

    SettingsError without one, or if two have one name; BundleError if no model can be read.
    """
    sources = settings.sources
    if not sources:
        raise SettingsError("no model to serve: name its bundle (--bundle FOLDER, or DRIFTGAUGE_BUNDLE)")
    loaded = [_read(source) for source in sources]
    if all(own.error for own in loaded):
        raise next(own.error for own in loaded if own.error)
    _refuse_twins(loaded)
    return loaded


def _refuse_twins(loaded: Sequence[Loaded]) -> None:
    """Raise SettingsError if two models have the same name."""
    seen: dict[str, Loaded] = {}
    for own in loaded:
        if other := seen.get(own.name):
            raise SettingsError(
                f"{other.source.bundle} and {own.source.bundle} are both of the model {own.name}: give one of them "
                "another name in a table [models.NAME], or leave it out"
            )
        seen[own.name] = own


def load_served_bundle(settings: Settings) -> Bundle:
    """Load the bundle that the settings name; SettingsError without one, BundleError if it cannot be loaded."""
    if settings.bundle is None:
        raise SettingsError("no model to serve: name its bundle (--bundle FOLDER, or DRIFTGAUGE_BUNDLE)")
    try:
        return load_bundle(settings.bundle, settings.trusted_types)
    except UntrustedTypes as error:
        raise error.phrased_for("setting") from error


def _read(source: ModelSource) -> Loaded:
    try:
        if source.baseline is not None:
            return Loaded(source, baseline=read_baseline(source.baseline))
        bundle = load_served_bundle(source.settings)
    except BundleError as error:
        return Loaded(source, error=error)
    stated = {"name": source.name, "version": source.version}
    renamed = {field: text for field, text in stated.items() if text is not None}
    return Loaded(source, bundle=replace(bundle, info=bundle.info.model_copy(update=renamed)) if renamed else bundle)


def identity_of(source: ModelSource) -> tuple[str, str] | None:
    """Return the name and version of a model without loading it; None if its bundle cannot be read."""
    if source.bundle is None:
        return source.label, source.version or DEFAULT_VERSION
    try:
        info = read_info(source.bundle)
    except BundleError:
        return None
    return source.name or info.name, source.version or info.version


def config_digest(settings: Settings) -> str:
    """Return a digest of the settings and of the files of all models: their names, sizes and times.

    A worker that replaces another must not serve anything else than the others. BundleError if the only model cannot
    be read; empty without a model.
    """
    sources = settings.sources
    if not sources:
        return ""
    found = [_files(source, is_only=len(sources) == 1) for source in sources]
    return hashlib.sha256(repr((settings.model_dump_json(), found)).encode()).hexdigest()


def _files(source: ModelSource, *, is_only: bool) -> object:
    """Return what tells the files of a model from others; of several, one that cannot be read is told by its error."""
    folder = source.bundle
    try:
        if folder is None:
            status = source.baseline.stat() if source.baseline else None
            return status and (status.st_size, status.st_mtime_ns)
        read_info(folder)
        return sorted((own.name, own.stat().st_size, own.stat().st_mtime_ns) for own in folder.iterdir())
    except OSError as error:
        if is_only:
            raise BundleError(f"cannot read the bundle {folder}: {error.strerror}") from error
        return str(error)
    except BundleError as error:
        if is_only:
            raise
        return str(error)
