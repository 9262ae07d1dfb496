"""Registered versions, the tags that say where their bundles are, and what a registry does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from driftgauge.errors import Reason, Refused

BUNDLE_TAG: Final = "driftgauge.bundle"
"""Tag of a version: the path of its bundle among the artifacts of the run."""
RUN_TAG: Final = "driftgauge.bundle_run"
"""Tag of a version: the run whose artifact the bundle is."""
DIGEST_TAG: Final = "driftgauge.bundle_digest"
"""Tag of a version: the digest of the bundle's files; it is set last."""


@dataclass(frozen=True)
class StoredBundle:
    """Where the bundle of a version is kept, and the digest of its files."""

    run: str
    path: str
    digest: str


@dataclass(frozen=True)
class RegisteredVersion:
    """A version of a registered model."""

    name: str
    version: str
    run: str | None = None
    """The run that logged it."""
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def bundle(self) -> StoredBundle:
        """Where its bundle is kept; Refused if it has none."""
        try:
            return StoredBundle(self.tags[RUN_TAG], self.tags[BUNDLE_TAG], self.tags[DIGEST_TAG])
        except KeyError as error:
            raise Refused(
                Reason.VERSION_WITHOUT_BUNDLE,
                f"version {self.version} of the registered model {self.name} has no bundle: add one with "
                f"`driftgauge mlflow log-bundle FOLDER --model models:/{self.name}/{self.version}`",
            ) from error


class Registry(Protocol):
    """A registry of models; every method raises Refused if it cannot be reached, or has no such thing."""

    def by_alias(self, name: str, alias: str) -> RegisteredVersion:
        """Return the version that an alias names."""

    def by_number(self, name: str, version: str) -> RegisteredVersion:
        """Return a version by its number."""

    def download(self, run: str, path: str, folder: Path) -> Path:
        """Write an artifact of a run into a folder, and return where it is."""

    def set_alias(self, name: str, alias: str, version: str) -> None:
        """Let an alias name a version."""

    def tag_version(self, name: str, version: str, tags: Mapping[str, str]) -> None:
        """Set tags of a version."""

    def tag_run(self, run: str, tags: Mapping[str, str], metrics: Mapping[str, float], at: float) -> None:
        """Set tags of a run, and add a value to each of some of its metrics."""
