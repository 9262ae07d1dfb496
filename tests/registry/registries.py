"""A registry in memory: what a server sees of MLflow, with failures that a test asks for."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from driftgauge.errors import Reason, Refused
from driftgauge.registry.versions import BUNDLE_TAG, DIGEST_TAG, RUN_TAG, RegisteredVersion
from driftgauge.releases.bundles import content_digest


@dataclass
class Registered:
    """One registered model whose bundles lie in folders."""

    versions: dict[str, RegisteredVersion] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    bundles: dict[str, Path] = field(default_factory=dict)
    """Folders by run."""
    runs: list[tuple[str, Mapping[str, str], Mapping[str, float], float]] = field(default_factory=list)
    """What was written to runs."""
    is_away: bool = False
    downloads: int = 0

    def add(self, version: str, bundle: Path, **tags: str) -> None:
        """Register a version with its bundle."""
        run = f"run-{version}"
        self.bundles[run] = bundle
        own = {BUNDLE_TAG: "bundle", RUN_TAG: run, DIGEST_TAG: content_digest(bundle), **tags}
        self.versions[version] = RegisteredVersion("m", version, run, own)

    def by_alias(self, name: str, alias: str) -> RegisteredVersion:
        """Return the version of an alias."""
        self._answer()
        if alias not in self.aliases:
            raise Refused(Reason.ALIAS_NOT_FOUND, f"the registered model {name} has no alias {alias}")
        return self.versions[self.aliases[alias]]

    def by_number(self, name: str, version: str) -> RegisteredVersion:
        """Return a version."""
        self._answer()
        if version not in self.versions:
            raise Refused(Reason.VERSION_CONFLICT, f"the registered model {name} has no version {version}")
        return self.versions[version]

    def download(self, run: str, path: str, folder: Path) -> Path:
        """Copy a bundle."""
        self._answer()
        self.downloads += 1
        return Path(shutil.copytree(self.bundles[run], folder / path))

    def set_alias(self, name: str, alias: str, version: str) -> None:
        """Move an alias."""
        self._answer()
        self.aliases[alias] = version

    def tag_version(self, name: str, version: str, tags: Mapping[str, str]) -> None:
        """Set tags of a version."""
        self._answer()
        own = self.versions[version]
        self.versions[version] = replace(own, tags={**own.tags, **tags})

    def tag_run(self, run: str, tags: Mapping[str, str], metrics: Mapping[str, float], at: float) -> None:
        """Keep what is written to a run."""
        self._answer()
        self.runs.append((run, tags, metrics, at))

    def _answer(self) -> None:
        if self.is_away:
            raise Refused(Reason.REGISTRY_UNREACHABLE, "MLflow does not answer as expected: connection refused")
