from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from driftgauge.drift.reference.baseline import dumps
from driftgauge.errors import BundleError, SettingsError
from driftgauge.library.source import watched_source

from tests.examples import Example
from tests.monitors import small_baseline


def test_a_baseline_and_its_file_have_a_name_and_version_by_default(tmp_path: Path) -> None:
    path = tmp_path / "baseline.json"
    path.write_text(dumps(small_baseline()))
    for given in (small_baseline(), path, str(path)):
        source = watched_source(given)
        assert (source.baseline, source.name, source.version) == (small_baseline(), "model", "1")
        assert source.task == "unknown"
        named = watched_source(given, "churn", "2026.1")
        assert (named.name, named.version) == ("churn", "2026.1")


def test_a_bundle_and_its_folder_give_name_version_and_task(multiclass: Example) -> None:
    info = multiclass.bundle.info
    for given in (multiclass.bundle, multiclass.folder, str(multiclass.folder)):
        source = watched_source(given)
        assert (source.name, source.version, source.task) == (info.name, info.version, "multiclass")
        assert source.baseline.hash == multiclass.bundle.baseline.hash
        assert watched_source(given, "other").name == "other"


def test_the_baseline_of_classes_is_that_of_a_classifier(multiclass: Example) -> None:
    assert watched_source(multiclass.bundle.baseline).task == "multiclass"


@pytest.mark.parametrize("name", ["a/b", "..", "", "x" * 129, "a b", "ä"])
def test_a_name_that_is_no_folder_is_refused(name: str) -> None:
    if not name:
        assert watched_source(small_baseline(), name).name == "model"
        return
    with pytest.raises(SettingsError, match=r"name .*: give letters, digits"):
        watched_source(small_baseline(), name)
    with pytest.raises(SettingsError, match=r"version .*: give letters, digits"):
        watched_source(small_baseline(), None, name)


@pytest.mark.parametrize("given", [None, 7, {}, b"baseline.json", ["baseline.json"]])
def test_anything_else_is_refused(given: Any) -> None:
    with pytest.raises(SettingsError, match="cannot be watched: give a baseline or a bundle, or the path of one"):
        watched_source(given)


def test_a_folder_that_is_no_bundle_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"is a folder without bundle\.json"):
        watched_source(tmp_path)
