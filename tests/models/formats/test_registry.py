from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
from driftgauge.errors import BundleError
from driftgauge.models.formats import registry
from driftgauge.models.formats.registry import LIBRARIES, format_of, load_from
from driftgauge.models.formats.spec import FormatName, ModelSpec
from pydantic import ValidationError


@pytest.mark.parametrize("name", LIBRARIES)
def test_a_library_that_is_not_installed_is_named_with_its_extra(
    name: FormatName, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "find_spec", lambda module: None)
    with pytest.raises(BundleError) as caught:
        load_from(Path(), ModelSpec(format=name, file="model"), ())
    needed = LIBRARIES[name]
    assert str(caught.value) == f"the model needs {needed}, which is not installed: pip install 'driftgauge[{name}]'"


def test_a_library_that_cannot_be_imported_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lacking.py").write_text("raise OSError('libgomp.so.1: cannot open shared object file')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(LIBRARIES, "lightgbm", "lacking")
    with pytest.raises(BundleError, match=r"needs lacking, which cannot be imported \(libgomp.so.1: cannot open"):
        format_of("lightgbm")


def test_a_bundle_without_the_entry_holds_a_skops_file() -> None:
    assert ModelSpec() == ModelSpec(format="sklearn", file="model.skops")
    assert format_of("sklearn").__name__ == "driftgauge.models.formats.sklearn"  # type: ignore[attr-defined]  # a module


@pytest.mark.parametrize(
    "entry",
    [
        {"format": "pickle"},
        {"format": "onnx", "file": "../model.onnx"},
        {"format": "onnx", "file": "/etc/passwd"},
        {"format": "onnx", "file": None},
        {"format": "python"},
        {"format": "python", "file": None, "object": "os"},
        {"format": "python", "file": None, "object": "os:system()"},
        {"format": "onnx", "file": None, "object": "os:system"},
    ],
)
def test_an_entry_that_names_no_model_is_refused(entry: dict[str, str | None]) -> None:
    with pytest.raises(ValidationError):
        ModelSpec.model_validate(entry)


@pytest.mark.parametrize("name", get_args(FormatName))
def test_every_format_has_a_module(name: FormatName) -> None:
    found = format_of(name)
    assert callable(found.load)
    assert callable(found.adapted)
