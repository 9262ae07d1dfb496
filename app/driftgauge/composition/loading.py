"""Reads the models that the settings name, each on its own: one that cannot be read does not stop the others."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import structlog

from driftgauge.drift.multivariate.sample import RowSample
from driftgauge.drift.quality.constraints import Constraints
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.errors import BundleError, LedgerUnavailable, SettingsError
from driftgauge.models import sample_file
from driftgauge.models.bundle import Bundle, load_bundle, read_baseline, read_info
from driftgauge.models.constraints_file import of_baseline
from driftgauge.models.model_file import UntrustedTypes
from driftgauge.releases.bundles import content_digest
from driftgauge.releases.ledger import Ledger, ledger_file
from driftgauge.releases.release import Candidate, live_of
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
    constraints: Constraints | None = None
    """What the rows of one that is served elsewhere have to satisfy; a bundle has its own."""
    sample: RowSample | None = None
    """Rows that are kept of the reference of one that is served elsewhere; a bundle has its own."""

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
        raise SettingsError(
            "no model to serve: name its bundle (--bundle FOLDER, or DRIFTGAUGE_BUNDLE), or of a model that others "
            "serve its baseline (--baseline FILE --model NAME)"
        )
    loaded = [_read(source, settings.state_folder) for source in sources]
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


def _read(source: ModelSource, state_folder: Path | None) -> Loaded:
    try:
        if source.bundle is None:
            path = source.baseline or Path()
            baseline = read_baseline(path)
            constraints, sample = of_baseline(path, baseline), sample_file.of_baseline(path, baseline)
            return Loaded(source, baseline=baseline, constraints=constraints, sample=sample)
        configured = candidate_of(source, source.bundle)
        return Loaded(source, bundle=bundle_of(source.settings, live_candidate(configured, state_folder)))
    except BundleError as error:
        return Loaded(source, error=error)


def source_of(settings: Settings, model: str) -> ModelSource:
    """Return the source of a model; SettingsError if the settings name none."""
    for source in settings.sources:
        if (identity := identity_of(source)) and identity[0] == model:
            return source
    raise SettingsError(f"the settings name no model {model}")


def candidate_of(source: ModelSource, bundle: Path) -> Candidate:
    """Return the version that the bundle of the settings holds; BundleError if it cannot be read."""
    info = read_info(bundle)
    return Candidate(source.name or info.name, source.version or info.version, bundle.resolve(), content_digest(bundle))


def bundle_of(settings: Settings, candidate: Candidate) -> Bundle:
    """Load the bundle of a version, under the name that it is served by; BundleError if it cannot be loaded."""
    try:
        bundle = load_bundle(candidate.bundle, settings.trusted_types)
    except UntrustedTypes as error:
        raise error.phrased_for("setting") from error
    served = {"name": candidate.model, "version": candidate.version}
    return replace(bundle, info=bundle.info.model_copy(update=served))


def live_candidate(configured: Candidate, state_folder: Path | None) -> Candidate:
    """Return the version that answers for the model of a bundle in the settings.

    It is the one that was loaded last, unless the settings name another bundle by now. LedgerError if that is not
    known, BundleError if its files have changed.
    """
    if state_folder is None or not ledger_file(state_folder).is_file():
        return configured
    try:
        ledger = Ledger.open(state_folder)
    except LedgerUnavailable:  # as the state, releases are then kept in memory
        return configured
    try:
        live = live_of(ledger.versions(configured.model))
        if live is None or ledger.configured(configured.model) != configured.digest:
            return configured
    finally:
        ledger.close()
    own = live.candidate
    if (own.version, own.digest) == (configured.version, configured.digest):
        return configured
    if not own.bundle.is_dir() or content_digest(own.bundle) != own.digest:
        raise BundleError(
            f"version {own.version} of {own.model} is live, and its bundle {own.bundle} is gone or has other files: "
            "restore the folder, or name another bundle in the settings, which then becomes live"
        )
    structlog.get_logger().info(
        "live_version",
        model=own.model,
        version=own.version,
        configured=configured.version,
        hint="it was loaded while a server ran; another bundle in the settings would replace it",
    )
    return own


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
