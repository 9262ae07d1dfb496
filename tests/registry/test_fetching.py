from __future__ import annotations

from pathlib import Path

import pytest
from driftgauge.errors import RegistryError
from driftgauge.registry.address import parse_address
from driftgauge.registry.fetching import FirstBundle, bundle_to_start, fetched, folder_of

from tests.examples import Example
from tests.registry.registries import Registered
from tests.versions import versions_of

ALIAS = parse_address("models:/m@champion")


@pytest.fixture
def registry(tmp_path: Path, binary: Example) -> Registered:
    own = Registered()
    for version, folder in zip("12", versions_of(binary.folder, tmp_path / "bundles", "12"), strict=True):
        own.add(version, folder)
    own.aliases["champion"] = "1"
    return own


def test_a_fetched_bundle_is_found_from_any_working_directory(
    registry: Registered, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert (
        fetched(registry, registry.by_alias("m", "champion"), Path("state")) == folder_of(tmp_path / "state", "m") / "1"
    )


@pytest.mark.parametrize("follows", [True, False])
def test_a_server_starts_with_the_bundle_that_the_alias_names(
    registry: Registered, tmp_path: Path, follows: bool
) -> None:
    found = bundle_to_start(registry, ALIAS, tmp_path, ask_first=not follows)
    assert found == FirstBundle(folder_of(tmp_path, "m") / "1")
    assert (found.folder / "baseline.json").is_file()


def test_a_server_that_follows_starts_with_the_bundle_that_it_has(registry: Registered, tmp_path: Path) -> None:
    bundle_to_start(registry, ALIAS, tmp_path, ask_first=False)
    registry.aliases["champion"] = "2"
    registry.is_away = True
    assert bundle_to_start(registry, ALIAS, tmp_path, ask_first=False).folder.name == "1"


def test_a_server_that_does_not_follow_asks_and_says_that_the_registry_is_away(
    registry: Registered, tmp_path: Path
) -> None:
    bundle_to_start(registry, ALIAS, tmp_path, ask_first=True)
    registry.aliases["champion"] = "2"
    assert bundle_to_start(registry, ALIAS, tmp_path, ask_first=True).folder.name == "2"
    registry.is_away = True
    found = bundle_to_start(registry, ALIAS, tmp_path, ask_first=True)
    assert found.folder.name == "2"
    assert "does not answer" in (found.problem or "")


def test_a_server_without_a_bundle_needs_the_registry(registry: Registered, tmp_path: Path) -> None:
    registry.is_away = True
    with pytest.raises(RegistryError, match="models:/m@champion: MLflow does not answer"):
        bundle_to_start(registry, ALIAS, tmp_path, ask_first=False)


def test_a_numbered_version_is_fetched_once(registry: Registered, tmp_path: Path) -> None:
    for _ in range(2):
        found = bundle_to_start(registry, parse_address("models:/m/2"), tmp_path, ask_first=True)
        assert found.folder.name == "2"
        registry.is_away = True
    assert registry.downloads == 1


def test_a_fetched_bundle_that_was_damaged_is_fetched_again(registry: Registered, tmp_path: Path) -> None:
    folder = fetched(registry, registry.versions["1"], tmp_path)
    (folder / "baseline.json").write_text("{}")
    assert fetched(registry, registry.versions["1"], tmp_path) == folder
    assert (folder / "baseline.json").read_text() != "{}"
    assert registry.downloads == 2


@pytest.mark.parametrize("name", ["..", ".", "a/b", "@releases"])
def test_the_name_of_a_registered_model_leads_nowhere_else(tmp_path: Path, name: str) -> None:
    folder = folder_of(tmp_path, name)
    assert folder.resolve().parent == (tmp_path / "@registry").resolve()
