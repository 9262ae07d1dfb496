from __future__ import annotations

import secrets
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from driftgauge.about import NOTHING, About
from driftgauge.drift.reference.baseline import dumps
from driftgauge.errors import BaselineError, BundleError
from driftgauge.models.bundle import BASELINE_FILE, BUNDLE_FILE, load_bundle, read_baseline
from driftgauge.models.describe import describe_baseline, describe_bundle

from tests.abouts import HOSTILE, USUAL
from tests.examples import Example
from tests.references import ordered_baseline


@pytest.fixture
def bundle(binary: Example, tmp_path: Path) -> Path:
    return shutil.copytree(binary.folder, tmp_path / "bundle")


@pytest.fixture
def baseline(tmp_path: Path) -> Path:
    path = tmp_path / "baseline.json"
    path.write_text(dumps(ordered_baseline()), encoding="utf-8")
    return path


REMOVED = About(**dict.fromkeys(USUAL.stated, ""))


@pytest.mark.parametrize("about", [USUAL, HOSTILE], ids=["usual", "hostile"])
def test_a_baseline_gets_an_owner_and_keeps_its_hash(baseline: Path, about: About) -> None:
    before = read_baseline(baseline)
    assert describe_baseline(baseline, about) == replace(before, about=about) == read_baseline(baseline)
    assert read_baseline(baseline).hash == before.hash


def test_removing_every_text_restores_a_baseline_to_the_byte(baseline: Path) -> None:
    before = baseline.read_bytes()
    describe_baseline(baseline, USUAL)
    assert baseline.read_bytes() != before
    describe_baseline(baseline, REMOVED)
    assert baseline.read_bytes() == before


def test_a_bundle_and_its_baseline_get_an_owner_and_can_be_loaded(bundle: Path, binary: Example) -> None:
    assert describe_bundle(bundle, USUAL).about == USUAL
    loaded = load_bundle(bundle)
    assert loaded.info == binary.bundle.info.model_copy(update={"about": USUAL})
    assert loaded.baseline == replace(binary.bundle.baseline, about=USUAL) == read_baseline(bundle / BASELINE_FILE)
    assert loaded.baseline.hash == binary.bundle.baseline.hash
    describe_bundle(bundle, REMOVED)
    for name in (BUNDLE_FILE, BASELINE_FILE):
        assert (bundle / name).read_bytes() == (binary.folder / name).read_bytes()


def test_texts_that_are_not_named_stay(bundle: Path) -> None:
    describe_bundle(bundle, USUAL)
    assert describe_bundle(bundle, About(owner="Risk team")).about == replace(USUAL, owner="Risk team")
    assert describe_bundle(bundle, NOTHING).about == replace(USUAL, owner="Risk team")


def test_the_mode_of_a_file_and_a_link_to_it_stay(baseline: Path, tmp_path: Path) -> None:
    baseline.chmod(0o640)
    link = tmp_path / "link.json"
    link.symlink_to(baseline)
    describe_baseline(link, USUAL)
    assert link.is_symlink()
    assert baseline.stat().st_mode & 0o777 == 0o640
    assert {path.name for path in tmp_path.iterdir()} == {"baseline.json", "link.json"}


def test_a_damaged_file_is_not_rewritten(bundle: Path, baseline: Path) -> None:
    text = baseline.read_text("utf-8")
    assert '"rows": 800' in text
    baseline.write_text(text.replace('"rows": 800', '"rows": 801', 1), encoding="utf-8")
    before = baseline.read_bytes()
    with pytest.raises(BundleError, match="does not match its hash"):
        describe_baseline(baseline, USUAL)
    assert baseline.read_bytes() == before
    (bundle / BUNDLE_FILE).write_text("{}", encoding="utf-8")
    with pytest.raises(BundleError, match="is absent"):
        describe_bundle(bundle, USUAL)
    assert read_baseline(bundle / BASELINE_FILE).about == NOTHING


def test_a_file_that_cannot_be_written_is_an_error_with_its_path(
    bundle: Path, baseline: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secrets, "token_hex", lambda _: "0")
    for path in (baseline, bundle / BASELINE_FILE):
        (path.parent / f".{path.name}.0.new").mkdir()
    with pytest.raises(BaselineError, match=r"cannot write .*baseline.json: Is a directory"):
        describe_baseline(baseline, USUAL)
    with pytest.raises(BundleError, match=r"cannot write .*bundle: Is a directory"):
        describe_bundle(bundle, USUAL)
    assert load_bundle(bundle).info.about == NOTHING
