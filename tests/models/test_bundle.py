from __future__ import annotations

import copy
import json
import os
import re
import shutil
import tracemalloc
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from driftgauge.about import NOTHING, About
from driftgauge.drift.reference.baseline import PREDICTION, PREDICTION_CLASS, dumps
from driftgauge.errors import BundleError
from driftgauge.models.attribution_file import ATTRIBUTIONS_FILE
from driftgauge.models.bundle import (
    BASELINE_FILE,
    BUNDLE_FILE,
    LABELS_FILE,
    MODEL_FILE,
    MOST_INFO_BRACKETS,
    BundleInfo,
    check_features,
    load_bundle,
    read_baseline,
    read_info,
)
from driftgauge.models.constraints_file import CONSTRAINTS_FILE
from driftgauge.models.held_out_file import HELD_OUT_FILE
from driftgauge.models.importance_file import IMPORTANCES_FILE
from driftgauge.models.model_file import load_model
from driftgauge.models.predictor import batch_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from sklearn.base import BaseEstimator, ClassifierMixin

from tests.abouts import HOSTILE, USUAL
from tests.conftest import ExampleOf
from tests.effort import examples
from tests.examples import MAKERS, TARGET, Example, cells

FILES = (BUNDLE_FILE, MODEL_FILE, BASELINE_FILE)


class Foreign(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    """An estimator that is not scikit-learn's."""

    def fit(self, x: Any, y: Any) -> Foreign:
        self.classes_, self.n_features_in_ = np.unique(y), np.shape(x)[1]
        return self

    def predict_proba(self, x: Any) -> Any:
        return np.full((len(x), len(self.classes_)), 1 / len(self.classes_))


FOREIGN = f"{Foreign.__module__}.{Foreign.__qualname__}"


@pytest.fixture
def folder(binary: Example, tmp_path: Path) -> Path:
    """A copy of a bundle, to be spoilt."""
    return Path(shutil.copytree(binary.folder, tmp_path / "bundle"))


def edit(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


# ---------------------------------------------------------------- as they were written


@pytest.mark.parametrize("name", MAKERS)
def test_a_bundle_reads_back_as_it_was_made(name: str, example_of: ExampleOf) -> None:
    example = example_of(name)
    again = load_bundle(example.folder)
    assert again.info == example.bundle.info
    assert again.baseline == example.bundle.baseline
    assert again.baseline.hash == example.bundle.baseline.hash
    assert again.held_out == example.bundle.held_out
    assert again.importances == example.bundle.importances
    assert again.attributions == example.bundle.attributions
    attributions = () if example.bundle.attributions is None else (ATTRIBUTIONS_FILE,)
    held_out = () if example.bundle.held_out is None else (HELD_OUT_FILE,)
    assert sorted(path.name for path in example.folder.iterdir()) == sorted(
        (*FILES, CONSTRAINTS_FILE, IMPORTANCES_FILE, LABELS_FILE, *held_out, *attributions)
    )


@pytest.mark.parametrize(
    ("name", "scores"),
    [("binary", (PREDICTION,)), ("multiclass", (PREDICTION, PREDICTION_CLASS)), ("regression", (PREDICTION,))],
)
def test_the_baseline_has_the_features_in_order_and_the_scores(
    name: str, scores: tuple[str, ...], example_of: ExampleOf
) -> None:
    bundle = example_of(name).bundle
    assert bundle.baseline.names == (*(feature.name for feature in bundle.info.features), *scores)


# ---------------------------------------------------------------- what is refused


def test_an_absent_folder_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"there is no model bundle at .*driftgauge bundle create"):
        load_bundle(tmp_path / "absent")


@pytest.mark.parametrize("name", FILES)
def test_an_absent_file_is_named(name: str, folder: Path) -> None:
    (folder / name).unlink()
    with pytest.raises(BundleError, match=name):
        load_bundle(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_truncated_file_is_named(name: str, folder: Path) -> None:
    whole = (folder / name).read_bytes()
    end = len(whole.rstrip())
    for length in {0, 1, 2, *np.linspace(3, end - 1, 12).astype(int).tolist()}:
        (folder / name).write_bytes(whole[:length])
        with pytest.raises(BundleError, match=name):
            load_bundle(folder)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"null", b"[]", b"{}", b"{", b"\x00" * 1000])
def test_a_file_with_another_content_is_named(name: str, content: bytes, folder: Path) -> None:
    (folder / name).write_bytes(content)
    with pytest.raises(BundleError, match=name):
        load_bundle(folder)


def test_a_damaged_byte_of_the_model_is_noticed(folder: Path) -> None:
    path = folder / MODEL_FILE
    whole = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        first = archive.infolist()[0]
    at = first.header_offset + 30 + len(first.filename) + first.compress_size // 2
    whole[at] ^= 0xFF
    path.write_bytes(bytes(whole))
    with pytest.raises(BundleError, match="model"):
        load_bundle(folder)


OTHER_VERSIONS: list[object] = [0, 99, "1.0", None]


@pytest.mark.parametrize(
    ("name", "version"),
    [(BUNDLE_FILE, version) for version in (2, *OTHER_VERSIONS)]
    + [(BASELINE_FILE, version) for version in (1, 2, 4, *OTHER_VERSIONS)],
)
def test_another_schema_version_is_refused(name: str, version: object, folder: Path) -> None:
    edit(folder / name, lambda content: content.update(schema_version=version))
    with pytest.raises(BundleError, match=rf"{name}.*schema.version.*driftgauge"):
        load_bundle(folder)


def test_an_edited_baseline_is_refused(folder: Path) -> None:
    edit(folder / BASELINE_FILE, lambda content: content["columns"][0].update(trending=True))
    with pytest.raises(BundleError, match="does not match its hash"):
        load_bundle(folder)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("task", "clustering"),
        ("features", [{"name": "a"}]),
        ("features", [{"name": "a", "kind": "numeric", "accepts_missing": "maybe"}]),
        ("features", [{"name": "a", "kind": "categorical", "categories": ["x", "y"], "codes": [1]}]),
        ("features", [{"name": "a", "kind": "categorical", "categories": ["x", "x"]}]),
        ("accepts_missing", True),
        ("name", "a/b"),
        ("version", ""),
        ("surprise", 1),
    ],
)
def test_a_wrong_entry_of_bundle_json_is_named(key: str, value: object, folder: Path) -> None:
    edit(folder / BUNDLE_FILE, lambda content: content.update({key: value}))
    with pytest.raises(BundleError, match=rf"{BUNDLE_FILE} cannot be used \({key}"):
        read_info(folder)


def _first(key: str, **changes: object) -> Callable[[dict[str, Any]], object]:
    return lambda content: content[key][0].update(changes)


def _sample(name: str, value: object) -> Callable[[dict[str, Any]], object]:
    return lambda content: content["samples"][0]["features"].update({name: value})


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda content: content.update(features=[], samples=[]), "the bundle has no features"),
        (lambda content: content["features"].append(content["features"][0]), "two features have the same name"),
        (lambda content: content.update(classes=[0, 1, 2]), "3 classes of a binary model"),
        (lambda content: content.update(classes=[1, 1]), "2 classes of a binary model, or one of them twice"),
        (lambda content: content.update(task="regression"), "2 classes of a regression model"),
        (lambda content: content["samples"][0]["features"].clear(), "a sample has other features than the model"),
        (_sample("surprise", 1.0), "a sample has other features than the model"),
        (_sample("mean area", "wide"), "a sample of mean area is wide, and the feature is a number"),
        (_sample("mean area", [1]), r"samples.0.features.mean area is a list of 1"),
        (_first("samples", score=float("nan")), "samples.0.score is nan, expected: a finite number"),
        (_first("samples", prediction={}), "samples.0.prediction is an empty object"),
        (_first("features", name=5), r"features.0.name is 5, expected: a text"),
        (_first("features", dtype="U999999999"), "features.0.dtype is U999999999, which is not allowed there"),
        (_first("features", dtype="(9999,9999)f8"), "features.0.dtype is (9999,9999)f8, which is not allowed"),
        (_first("features", dtype="f8,9999U9999"), "features.0.dtype is f8,9999U9999, which is not allowed"),
        (lambda content: content.update(created=None), "created is null, expected: a text"),
        (lambda content: content.update(samples=content["samples"] * 50), "expected: at most 100 entries"),
        (lambda content: content.update(samples=7), "samples is 7, expected: a list"),
        (lambda content: content.pop("input"), "input is absent"),
    ],
)
def test_a_forged_bundle_json_is_refused_in_words(
    damage: Callable[[dict[str, Any]], object], sentence: str, folder: Path
) -> None:
    edit(folder / BUNDLE_FILE, damage)
    with pytest.raises(BundleError) as caught:
        load_bundle(folder)
    assert sentence in str(caught.value)
    assert re.search(r"create (it|the bundle) again with `driftgauge bundle create`$", str(caught.value))


@pytest.mark.parametrize(
    "dtype",
    [
        *("object", "int64", "Int8", "bool", "boolean", "str", "string[pyarrow]", "category", "datetime64[ns, UTC]"),
        "decimal128(7, 3)[pyarrow]",
        "dictionary<values=string, indices=int32, ordered=0>[pyarrow]",
        "Sparse[float64, nan]",
    ],
)
def test_a_dtype_of_pandas_is_accepted(dtype: str, folder: Path) -> None:
    edit(folder / BUNDLE_FILE, _first("features", dtype=dtype))
    assert read_info(folder).features[0].dtype == dtype


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "nonsense", "", "{", "\ud800"])
def test_a_bundle_json_that_is_none_is_refused_in_words(text: str, folder: Path) -> None:
    (folder / BUNDLE_FILE).write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(BundleError, match=r"not complete JSON|it is not UTF-8 text"):
        load_bundle(folder)


def test_a_flood_in_bundle_json_is_refused_before_memory_is_taken(folder: Path) -> None:
    text = "[" + "[]," * MOST_INFO_BRACKETS + "[]]"
    (folder / BUNDLE_FILE).write_text(text)
    tracemalloc.start()
    try:
        with pytest.raises(BundleError, match="more lists and objects than a bundle has"):
            load_bundle(folder)
        assert tracemalloc.get_traced_memory()[1] < 4 * len(text)
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", FILES)
def test_a_pipe_a_device_a_folder_and_a_huge_file_are_refused_at_once(name: str, folder: Path) -> None:
    path = folder / name

    def refused(sentence: str) -> None:
        with pytest.raises(BundleError, match=sentence):
            load_bundle(folder)
        path.rmdir() if path.is_dir() else path.unlink()

    path.unlink()
    os.mkfifo(path)
    refused(f"{name} is a named pipe, not a regular file")
    path.symlink_to("/dev/zero")
    refused(f"{name} is a device, not a regular file")
    path.mkdir()
    refused(f"{name} is a folder, not a regular file")
    with path.open("wb") as file:
        file.truncate(40 << 30)
    refused(f"{name} has 42,949,672,960 bytes; at most")


@settings(deadline=None, max_examples=examples(150), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_mutated_bundle_json_is_read_or_refused_and_never_anything_else(
    data: st.DataObject, folder: Path, text: Example
) -> None:
    content = json.loads(text.bundle.info.model_dump_json())
    for _ in range(data.draw(st.integers(1, 3))):
        places = _places(content)
        holder, key = places[data.draw(st.integers(0, len(places) - 1))]
        other, place = places[data.draw(st.integers(0, len(places) - 1))]
        holder[key] = data.draw(st.one_of(SCALARS, st.just(copy.deepcopy(other[place]))))
    (folder / BUNDLE_FILE).write_text(json.dumps(content))
    try:
        info = read_info(folder)
        check_features(info, text.bundle.baseline)
    except BundleError:
        return
    rows = [sample.features for sample in info.samples]
    assert len(batch_of(info.features, rows)) == len(rows)
    assert BundleInfo.model_validate_json(info.model_dump_json()) == info


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_a_metric_of_a_bundle_is_a_finite_number(number: str, folder: Path) -> None:
    path = folder / BUNDLE_FILE
    content = json.loads(path.read_text())
    content["performance"]["metrics"]["accuracy"] = "HERE"
    path.write_text(json.dumps(content).replace('"HERE"', number))
    with pytest.raises(BundleError, match=r"performance.metrics.accuracy"):
        read_info(folder)


SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-3, 1 << 70), st.floats(), st.text(max_size=5))


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Return all containers in a content with each of their keys."""
    keys = list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    return [(value, key) for key in keys] + [place for key in keys for place in _places(value[key])]


@pytest.mark.parametrize("name", ["a", "flights-2013", "v1.2_x", "1", "..a", "-"])
def test_a_name_of_letters_digits_and_signs_is_accepted(name: str, binary: Example) -> None:
    content = binary.bundle.info.model_dump()
    assert BundleInfo.model_validate({**content, "name": name}).name == name


@pytest.mark.parametrize("name", ["", ".", "..", "a b", "a/b", "a\n", "ä", "a" * 129])
def test_a_name_that_is_no_path_or_leaves_its_folder_is_refused(name: str, binary: Example) -> None:
    with pytest.raises(ValidationError):
        BundleInfo.model_validate({**binary.bundle.info.model_dump(), "name": name})


# ---------------------------------------------------------------- parts that do not belong together


def test_the_baseline_of_another_model_is_refused(binary: Example, multiclass: Example, folder: Path) -> None:
    shutil.copy(multiclass.folder / BASELINE_FILE, folder / BASELINE_FILE)
    with pytest.raises(BundleError, match=r"without mean radius.* with sepal length \(cm\).*driftgauge bundle create"):
        load_bundle(folder)


def test_a_baseline_without_the_score_is_refused(binary: Example) -> None:
    baseline = binary.bundle.baseline
    short = type(baseline)(baseline.columns[:-1], rows=baseline.rows, created=baseline.created)
    with pytest.raises(BundleError, match=r"without prediction\)"):
        check_features(binary.bundle.info, short)


def test_a_baseline_in_another_order_is_refused(binary: Example) -> None:
    baseline = binary.bundle.baseline
    turned = type(baseline)(
        (*reversed(baseline.columns[:-1]), baseline.columns[-1]), rows=baseline.rows, created=baseline.created
    )
    with pytest.raises(BundleError, match="in another order"):
        check_features(binary.bundle.info, turned)


def test_a_baseline_of_another_kind_is_refused(text: Example, folder: Path) -> None:
    info = text.bundle.info
    features = tuple(feature.model_copy(update={"kind": "numeric"}) for feature in info.features)
    with pytest.raises(BundleError, match="shape is numeric for the model and categorical in the baseline"):
        check_features(info.model_copy(update={"features": features}), text.bundle.baseline)


@pytest.mark.parametrize(
    ("name", "place"), [("binary", -1), ("multiclass", -2), ("multiclass", -1), ("regression", -1)]
)
def test_a_score_of_another_kind_is_refused(name: str, place: int, example_of: ExampleOf, text: Example) -> None:
    bundle = example_of(name).bundle
    columns = list(bundle.baseline.columns)
    own = columns[place]
    other = next(column for column in text.bundle.baseline.columns if column.kind != own.kind)
    columns[place] = replace(other, name=own.name)
    with pytest.raises(BundleError, match=f"{own.name} is {own.kind} for the model and {other.kind} in the baseline"):
        check_features(bundle.info, replace(bundle.baseline, columns=tuple(columns)))


# ---------------------------------------------------------------- what a model file may contain


def test_a_type_that_is_not_trusted_is_named_with_the_argument_that_trusts_it(folder: Path) -> None:
    data = cells()
    skops.io.dump(Foreign().fit(data.drop(columns=TARGET), data[TARGET]), folder / MODEL_FILE)
    with pytest.raises(BundleError, match="types that are not trusted") as caught:
        load_bundle(folder)
    assert f"trusted_types=['{FOREIGN}']" in str(caught.value)
    assert isinstance(load_bundle(folder, [FOREIGN]).model, Foreign)


def test_a_trusted_type_that_is_not_installed_is_named(tmp_path: Path) -> None:
    path = tmp_path / "model.skops"
    skops.io.dump(Foreign().fit([[0.0], [1.0]], [0, 1]), path)
    forged = tmp_path / "forged.skops"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(forged, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name).replace(Foreign.__module__.encode(), b"nowhere_to_be_found"))
    with pytest.raises(BundleError, match=r"forged\.skops.*nowhere_to_be_found"):
        load_model(forged, ["nowhere_to_be_found.Foreign"])


def test_a_baseline_file_is_read_alone(binary: Example, tmp_path: Path) -> None:
    path = tmp_path / "b.json"
    path.write_text(dumps(binary.bundle.baseline))
    assert read_baseline(path) == binary.bundle.baseline
    with pytest.raises(BundleError, match=r"absent\.json"):
        read_baseline(tmp_path / "absent.json")


def test_a_bundle_in_a_notebook_is_one_line(binary: Example, multiclass: Example) -> None:
    rows = len(binary.reference)
    assert repr(binary.bundle) == f"<Bundle binary 1.2: binary, 6 features, reference of {rows} rows>"
    assert repr(binary.bundle.info) == str(binary.bundle.info) == "<BundleInfo binary 1.2: binary, 6 features>"
    assert repr(multiclass.bundle.info) == "<BundleInfo multiclass 1.2: multiclass, 4 features>"
    one = binary.bundle.info.model_copy(update={"features": binary.bundle.info.features[:1]})
    assert repr(one) == "<BundleInfo binary 1.2: binary, 1 feature>"


# ---------------------------------------------------------------- whose the model is


@pytest.mark.parametrize("about", [USUAL, HOSTILE], ids=["usual", "hostile"])
def test_what_bundle_json_says_of_the_model_is_read_and_wins(binary: Example, tmp_path: Path, about: About) -> None:
    folder = shutil.copytree(binary.folder, tmp_path / "bundle")
    other = replace(binary.bundle.baseline, about=About(owner="someone else"))
    (folder / BASELINE_FILE).write_text(dumps(other), encoding="utf-8")
    info = binary.bundle.info.model_copy(update={"about": about})
    (folder / BUNDLE_FILE).write_text(info.as_text(), encoding="utf-8")
    loaded = load_bundle(folder)
    assert loaded.info.about == loaded.baseline.about == about
    assert loaded.baseline.hash == binary.bundle.baseline.hash


def test_a_bundle_of_which_nothing_is_known_is_written_as_by_earlier_versions(binary: Example) -> None:
    assert "about" not in json.loads((binary.folder / BUNDLE_FILE).read_text())
    assert binary.bundle.info.about == binary.bundle.baseline.about == NOTHING
