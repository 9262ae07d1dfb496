from __future__ import annotations

from pathlib import Path

import pytest
from driftgauge.errors import BundleError, Reason, Refused
from driftgauge.models.constraints_file import CONSTRAINTS_FILE
from driftgauge.releases.bundles import allowed_bundle, content_digest


def test_the_digest_is_of_names_and_content(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "bundle.json").write_text("{}")
    (tmp_path / "inner" / "model").write_bytes(b"\0" * 10)
    first = content_digest(tmp_path)
    assert first == content_digest(tmp_path)
    (tmp_path / "inner" / "model").write_bytes(b"\1" * 10)
    changed = content_digest(tmp_path)
    (tmp_path / "inner" / "model").rename(tmp_path / "inner" / "other")
    assert len({first, changed, content_digest(tmp_path)}) == 3


def test_a_copy_has_the_same_digest(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "bundle.json").write_text("{}")
    assert content_digest(tmp_path / "a") == content_digest(tmp_path / "b")


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    with pytest.raises(BundleError, match="cannot read the bundle"):
        content_digest(tmp_path)


def test_bundles_in_an_allowed_folder_are_found(tmp_path: Path) -> None:
    (tmp_path / "models" / "2").mkdir(parents=True)
    for text in ("2", "./2", str(tmp_path / "models" / "2"), "../models/2"):
        assert allowed_bundle(text, [tmp_path / "models"]) == (tmp_path / "models" / "2").resolve()


@pytest.mark.parametrize("text", ["..", ".", "../other/2", "/etc", "2/../..", "link"])
def test_bundles_elsewhere_are_refused(text: str, tmp_path: Path) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "link").symlink_to("/etc")
    with pytest.raises(Refused, match="add its folder to bundle_folders") as caught:
        allowed_bundle(text, [folder])
    assert caught.value.reason is Reason.BUNDLE_NOT_ALLOWED


@pytest.mark.parametrize("text", ["", "a\0b"])
def test_a_path_that_is_none_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(Refused) as caught:
        allowed_bundle(text, [tmp_path])
    assert caught.value.reason is Reason.INVALID_VERSION


def test_without_folders_nothing_may_be_loaded() -> None:
    with pytest.raises(Refused, match="set bundle_folders"):
        allowed_bundle("2", [])


def test_constraints_may_be_edited_without_another_version(tmp_path: Path) -> None:
    (tmp_path / "bundle.json").write_text("{}")
    before = content_digest(tmp_path)
    (tmp_path / CONSTRAINTS_FILE).write_text("columns: {}")
    assert content_digest(tmp_path) == before
